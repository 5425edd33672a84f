//! `etcd_health`: waits until the whole cluster is sound, and on request until the cluster version has risen.

use std::time::{Duration, Instant};

use serde_json::{Map, json};

use crate::etcd::{ClusterVersion, ClusterView, MemberView, may_stop, minor_of};
use crate::events::{Fault, Kind};
use crate::modules::table::{Argument, CheckMode, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::transport::BoxFuture;

use super::UNIT;
use super::downgrade::DOWNGRADE;
use super::facts::cluster_text;
use super::same_data::same_data;
use super::survey::{Look, survey};
use super::written;

/// etcd's leader looks every 5 s (2.1, 2.2) whether all members have the new minor (etcd v2.1.1 etcdserver/server.go, read
/// 2026-11-24; seen within 5 s in the lab). A minute is twelve looks: an election and a slow link fit in.
const RISE: Duration = Duration::from_secs(60);
/// For a cluster that is only asked whether it is sound: two elections and a margin.
const SOUND: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(250);
/// The first minor whose members agree on a cluster version (etcd v2.1.1 etcdserver/server.go, read 2026-11-24).
const FIRST_AGREED: (u64, u64) = (2, 1);
/// The first minor whose data has a version of its own (etcd CHANGELOG-3.6).
const FIRST_STORED: (u64, u64) = (3, 6);

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[
        UNIT,
        Argument::new(
            "cluster_version",
            Shape::Text,
            "wait also until the cluster version is this minor on all members",
        ),
        DOWNGRADE,
        Argument::new("timeout", Shape::Int, "seconds to wait; else 20, and 60 for the cluster version"),
    ],
    returns: &[("members", "by host: name, version, cluster version, leader, raft index")],
    check: CheckMode::Runs,
    preflight_local: Some(|args, _| written::number(args, "cluster_version").into_iter().collect()),
    module: Some(&EtcdHealth),
    ..Row::new("etcd_health", "waits until every member is sound and all agree")
};

struct EtcdHealth;

impl Module for EtcdHealth {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let goal = call.text("cluster_version").map(minor).transpose()?;
            let survey = survey(call.fleet, call.text("unit").unwrap_or("etcd"), None).await;
            if let Some(failure) = survey.unreachable() {
                return Err(failure.clone());
            }
            let seconds = call.args.get("timeout").and_then(serde_json::Value::as_u64);
            let limit = seconds.map_or(if goal.is_some() { RISE } else { SOUND }, Duration::from_secs);
            let begun = Instant::now();
            let mut said = String::new();
            loop {
                let Look { view, lost } = survey.reached().await;
                let down = call.flag("downgrade");
                let reason = match verdict(&view, call.host, goal).and_then(|()| ended(&view, goal.filter(|_| down))) {
                    Ok(()) => {
                        if let (Some(goal), true) = (goal, call.change.is_some()) {
                            same_data(&survey).await.map_err(|reason| differ(&reason))?.say(&call)?;
                            upgraded(&call, &view, goal)?;
                        }
                        return Ok(outcome(&view));
                    }
                    Err(reason) => reason,
                };
                if call.change.is_none() && goal.is_some() && may_stop_any(&view).is_ok() {
                    let skipped =
                        Some(format!("a real run waits here until the cluster version is {}", goal_text(goal)));
                    return Ok(Outcome { skipped, ..outcome(&view) });
                }
                if begun.elapsed() >= limit {
                    return Err(lost.unwrap_or_else(|| too_late(&view, goal, &reason, limit)));
                }
                if reason != said {
                    said.clone_from(&reason);
                    let (host, act) = (call.host.to_owned(), "wait for the cluster".to_owned());
                    (call.say)(Kind::Progress { host, act, text: reason, done: None, total: None })?;
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
    }
}

/// `2.1`, `2.1.0` or `2.1.1` as a minor.
fn minor(text: &str) -> Result<(u64, u64), Failure> {
    let mut parts = text.split('.').map(str::parse::<u64>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => {
            Err(Failure::new(Fault::Input, format!("cluster_version: expected a version such as 2.1, found `{text}`")))
        }
    }
}

fn goal_text(goal: Option<(u64, u64)>) -> String {
    goal.map(|(major, minor)| format!("{major}.{minor}.0")).unwrap_or_default()
}

fn verdict(view: &ClusterView, host: &str, goal: Option<(u64, u64)>) -> Result<(), String> {
    // Leave for downtime: here nobody is to be stopped, all must be sound.
    may_stop(view, host, true).map_err(|reason| reason.to_string())?;
    let Some(goal) = goal else { return Ok(()) };
    for (host, told) in &view.hosts {
        let Ok(member) = told else { continue };
        match &member.version.cluster {
            ClusterVersion::Is(version) if minor_of(version) == goal => storage(host, member, goal)?,
            // Members of 2.0 agree on no version: there is nothing to wait for but that all run it.
            ClusterVersion::Unknown if goal < FIRST_AGREED && minor_of(&member.version.server) == goal => {}
            ClusterVersion::Unknown => {
                return Err(format!("{host} runs {}, which knows no cluster version", member.version.server));
            }
            other => {
                let now = cluster_text(other).unwrap_or_default();
                return Err(format!("cluster version on {host} is {now}, waiting for {}.{}", goal.0, goal.1));
            }
        }
    }
    Ok(())
}

/// From 3.6 on the data follows the cluster version, some 4 s later (etcd v3.6.14 server/etcdserver/server.go, `monitorStorageVersion`;
/// read 2026-11-24): only then is the hop done.
fn storage(host: &str, member: &MemberView, goal: (u64, u64)) -> Result<(), String> {
    if goal < FIRST_STORED {
        return Ok(());
    }
    match member.store.as_ref().and_then(|store| store.storage.as_ref()) {
        Some(version) if minor_of(version) == goal => Ok(()),
        other => {
            let now = other.map_or_else(|| "not told".to_owned(), ToString::to_string);
            Err(format!("storage version on {host} is {now}, waiting for {}.{}", goal.0, goal.1))
        }
    }
}

fn differ(reason: &str) -> Failure {
    let text = format!(
        "{reason}\nevery member runs the new version and answers; compare them (`etcdctl endpoint hashkv`) before anything else is changed"
    );
    Failure::new(Fault::ForwardOnly, text)
}

/// Whether a downgrade to that minor is over: every member runs it, and etcd has left its mode for it, some 5 s later (etcd v3.6.14
/// server/etcdserver/server.go, `monitorDowngrade`, read 2026-11-24).
fn ended(view: &ClusterView, down_to: Option<(u64, u64)>) -> Result<(), String> {
    let Some(goal) = down_to else { return Ok(()) };
    for (host, told) in &view.hosts {
        let Ok(member) = told else { continue };
        if minor_of(&member.version.server) != goal {
            return Err(format!("{host} runs {}, waiting for {}.{}", member.version.server, goal.0, goal.1));
        }
        if member.store.as_ref().is_some_and(|store| store.downgrade.is_some()) {
            return Err(format!("{host} still holds the downgrade to {}.{} for under way", goal.0, goal.1));
        }
    }
    Ok(())
}

/// Says that the cluster is upgraded, or has come down, if all of its members run one version.
fn upgraded(call: &Call<'_>, view: &ClusterView, goal: (u64, u64)) -> Result<(), Failure> {
    let members: Vec<_> = view.hosts.values().flatten().collect();
    let Some(first) = members.first() else { return Ok(()) };
    if members.iter().any(|m| m.version.server != first.version.server) {
        return Ok(());
    }
    let members = u64::try_from(members.len()).unwrap_or(u64::MAX);
    if call.flag("downgrade") {
        let (cluster, version) = (format!("{:x}", first.cluster), first.version.server.to_string());
        return (call.say)(Kind::ClusterDowngraded { cluster, members, version });
    }
    // From the agreement on, an older minor panics at its start or serves what it does not understand (reliability: etcd sets that line).
    let forward_only = (goal >= FIRST_AGREED)
        .then(|| format!("forward only: no binary older than {}.{} may come back", goal.0, goal.1));
    (call.say)(Kind::ClusterUpgraded {
        cluster: format!("{:x}", first.cluster),
        members,
        version: first.version.server.to_string(),
        cluster_version: cluster_text(&first.version.cluster),
        forward_only,
    })
}

fn outcome(view: &ClusterView) -> Outcome {
    let members = view.hosts.iter().filter_map(|(host, told)| Some((host, told.as_ref().ok()?)));
    let members: Map<String, serde_json::Value> = members
        .map(|(host, m)| {
            let row = json!({
                "name": m.name,
                "version": m.version.server.to_string(),
                "cluster_version": cluster_text(&m.version.cluster),
                "leader": m.leader == Some(m.id),
                "raft_index": m.index,
            });
            (host.clone(), row)
        })
        .collect();
    let mut result = Map::new();
    result.insert("members".to_owned(), members.into());
    Outcome { result, ..Outcome::default() }
}

fn too_late(view: &ClusterView, goal: Option<(u64, u64)>, reason: &str, limit: Duration) -> Failure {
    let waited = limit.as_secs();
    if let (Some((major, minor)), Ok(())) = (goal, may_stop_any(view)) {
        let text = format!(
            "the members are sound, but the cluster version has not risen to {major}.{minor} within {waited} s: {reason}\n\
             forward only: run the playbook again; do not put an old binary back"
        );
        return Failure::new(Fault::ForwardOnly, text);
    }
    let sound = view.hosts.values().flatten().filter(|m| m.read.is_ok()).count();
    let fault = if sound >= crate::etcd::quorum(view.hosts.len()) { Fault::MemberDown } else { Fault::QuorumLost };
    let of = view.hosts.len();
    Failure::new(
        fault,
        format!(
            "the cluster is not sound after {waited} s: {reason}\n{sound} of {of} members answer reads through raft"
        ),
    )
}

fn may_stop_any(view: &ClusterView) -> Result<(), crate::etcd::NotNow> {
    view.hosts.keys().next().map_or(Ok(()), |host| may_stop(view, host, true))
}
