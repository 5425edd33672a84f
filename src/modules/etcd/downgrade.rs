//! `etcd_downgrade`: has a cluster take its data down a minor, so that lower binaries may open it (etcd 3.6 on).

use std::time::{Duration, Instant};

use semver::Version;
use serde_json::{Map, json};

use crate::etcd::{self, ClusterVersion, ClusterView, HopRefusal, MemberView, Rules, WayBack, minor_of};
use crate::events::{Fault, Kind};
use crate::modules::table::{Argument, NeedsTurn, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::transport::BoxFuture;

use super::facts::{refused, version_argument};
use super::survey::{PAUSE, Survey, survey};
use super::{UNIT, VERSION, written};

/// The argument of modules that else refuse a lower version.
pub(super) const DOWNGRADE: Argument =
    Argument::new("downgrade", Shape::Bool, "go down, by etcd's own downgrade; else a lower version is refused");

/// How long the cluster may take: its leader looks every 5 s, and the data follow some 4 s later (etcd v3.6.14
/// server/etcdserver/server.go, read 2026-11-24; 3 s for both seen in the lab).
const LOWERED: Duration = Duration::from_secs(60);

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[VERSION, UNIT],
    preflight_local: Some(|args, _| written::version(args, "version").and_then(Result::err).into_iter().collect()),
    returns: &[("enabled", "whether it was this task that began it")],
    needs_turn: NeedsTurn::Always,
    module: Some(&EtcdDowngrade),
    ..Row::new("etcd_downgrade", "has the cluster take its data down a minor, before the first lower binary")
};

struct EtcdDowngrade;

/// The rules for a step in the direction that the call asks for.
pub(super) fn judged(call: &Call<'_>, rules: &Rules, from: &Version, to: &Version) -> Result<WayBack, HopRefusal> {
    if call.flag("downgrade") { etcd::judge_down(rules, from, to) } else { etcd::judge(rules, from, to) }
}

impl Module for EtcdDowngrade {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let to = version_argument(&call)?;
            let survey = survey(call.fleet, call.text("unit").unwrap_or("etcd"), None).await;
            let view = survey.may_stop(call.host, true).await?;
            let members: Vec<&MemberView> = view.hosts.values().flatten().collect();
            if lowered(&view, &to).is_ok() || members.iter().all(|m| minor_of(&m.version.server) <= minor_of(&to)) {
                return Ok(outcome(false));
            }
            if !is_under_way(call.host, &members, &to)? {
                let above = |m: &&MemberView| minor_of(&m.version.server) == (to.major, to.minor + 1);
                enable(&call, &survey, &to, members.iter().any(above)).await?;
            }
            if call.change.is_some() {
                wait(&call, &survey, &to).await?;
            }
            Ok(outcome(true))
        })
    }
}

fn outcome(enabled: bool) -> Outcome {
    let mut result = Map::new();
    result.insert("enabled".to_owned(), json!(enabled));
    Outcome { changed: enabled, result, ..Outcome::default() }
}

/// Whether a downgrade to that minor has begun, by a run that was ended or by somebody's hand.
fn is_under_way(host: &str, members: &[&MemberView], to: &Version) -> Result<bool, Failure> {
    let Some(under_way) = members.iter().find_map(|m| m.store.as_ref()?.downgrade.as_ref()) else { return Ok(false) };
    if Version::parse(under_way).is_ok_and(|version| minor_of(&version) == minor_of(to)) {
        return Ok(true);
    }
    let what =
        format!("a downgrade to {under_way} is under way, not one to {}.{}: end that one first", to.major, to.minor);
    Err(refused(host, what))
}

async fn enable(call: &Call<'_>, survey: &Survey, to: &Version, is_next: bool) -> Result<(), Failure> {
    let facts = match survey.facts.get(call.host) {
        Some(Ok(facts)) => facts,
        Some(Err(failure)) => return Err(failure.clone()),
        None => return Err(refused(call.host, "it is no host of the play")),
    };
    // A check run stays on the first version, from which etcd goes down one minor only.
    if call.change.is_some() || is_next {
        let valid = facts.client.downgrade("VALIDATE", to).await;
        let no = |error| refused(call.host, format!("etcd does not go down to {}.{}: {error}", to.major, to.minor));
        valid.map_err(no)?;
    }
    let (host, act) =
        (call.host.to_owned(), format!("have the cluster take its data down to {}.{}", to.major, to.minor));
    if call.change.is_none() {
        return (call.say)(Kind::ActPlanned { host, act });
    }
    (call.say)(Kind::ActBegins { host, act })?;
    let enabled = facts.client.downgrade("ENABLE", to).await;
    enabled.map_err(|error| Failure::new(Fault::Failed, format!("{}: downgrade: {error}", call.host)))
}

async fn wait(call: &Call<'_>, survey: &Survey, to: &Version) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let Err(reason) = lowered(&survey.look().await, to) else { return Ok(()) };
        if begun.elapsed() >= LOWERED {
            let text = format!(
                "{}: the downgrade to {}.{} was begun, but after {} s {reason}\n\
                 every member runs what it ran; run again to go on, or take it back by `etcdctl downgrade cancel`",
                call.host,
                to.major,
                to.minor,
                LOWERED.as_secs()
            );
            return Err(Failure::new(Fault::Failed, text));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the cluster and the data of every member are of that minor.
fn lowered(view: &ClusterView, to: &Version) -> Result<(), String> {
    for (host, told) in &view.hosts {
        let member = told.as_ref().map_err(|reason| format!("{host}: {reason}"))?;
        match &member.version.cluster {
            ClusterVersion::Is(version) if minor_of(version) == minor_of(to) => {}
            _ => return Err(format!("the cluster version on {host} is not {}.{}", to.major, to.minor)),
        }
        // Members of 3.5 tell of none: they could not have opened the data otherwise.
        let storage = member.store.as_ref().and_then(|store| store.storage.as_ref());
        if let Some(storage) = storage.filter(|storage| minor_of(storage) != minor_of(to)) {
            return Err(format!("the storage version on {host} is {storage}"));
        }
    }
    Ok(())
}
