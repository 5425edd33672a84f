//! The guard of a rolling play over etcd: which host is next, and may its member stop now.

use std::time::Instant;

use crate::etcd::{self, ClusterView, Health, Rank, may_stop};
use crate::events::{Fault, Kind, Verdict};
use crate::modules::guard::{Ask, Choice, Guard};
use crate::modules::{Failure, Fleet};
use crate::playbook::TaskOrder;
use crate::transport::BoxFuture;

use super::survey::{PATIENCE, PAUSE, Survey, survey};

/// The guard. It reads two variables of the hosts: `etcd_unit` and `accept_downtime`.
#[derive(Debug)]
pub struct EtcdGuard;

impl Guard for EtcdGuard {
    fn next<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Choice, Failure>> {
        Box::pin(async move {
            let unit = variable(ask.fleet, "etcd_unit").and_then(|v| v.as_str().map(str::to_owned));
            let accept = variable(ask.fleet, "accept_downtime").and_then(|v| v.as_bool()).unwrap_or(false);
            let survey = survey(ask.fleet, unit.as_deref().unwrap_or("etcd"), None).await;
            if let Some(failure) = survey.unreachable() {
                return Err(failure.clone());
            }
            let (begun, mut said) = (Instant::now(), String::new());
            loop {
                let choice = look(&survey, &ask, accept).await?;
                if choice.verdict.may || begun.elapsed() > PATIENCE {
                    return Ok(choice);
                }
                if said != choice.verdict.reason {
                    said.clone_from(&choice.verdict.reason);
                    let (host, act) = (choice.host.clone(), "guard".to_owned());
                    (ask.say)(Kind::Progress { host, act, text: said.clone(), done: None, total: None })?;
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
    }
}

/// A variable of the first host that has it: the guard asks about a cluster, not about a host.
fn variable(fleet: &dyn Fleet, name: &str) -> Option<serde_json::Value> {
    fleet.hosts().iter().find_map(|host| fleet.var(host, name))
}

async fn look(survey: &Survey, ask: &Ask<'_>, accept_downtime: bool) -> Result<Choice, Failure> {
    let view = survey.look().await;
    let ranked = if ask.order == TaskOrder::LeaderLast { etcd::next(&view, ask.remaining) } else { None };
    let first = ask.remaining.first().map(|host| (host.as_str(), Rank::Follower));
    let Some((host, rank)) = ranked.or(first) else {
        return Err(Failure::new(Fault::Bug, "the guard was asked about no host"));
    };
    let verdict = match may_stop(&view, host, accept_downtime) {
        Ok(()) => Verdict { may: true, reason: leave(&view, host, rank) },
        Err(reason) => Verdict { may: false, reason: reason.to_string() },
    };
    Ok(Choice { host: host.to_owned(), verdict, fault: fault(&view) })
}

fn leave(view: &ClusterView, host: &str, rank: Rank) -> String {
    let voters = view.hosts.len();
    let leads = rank == Rank::Leader
        || view.hosts.get(host).is_some_and(|told| told.as_ref().is_ok_and(|m| m.leader == Some(m.id)));
    let role = if leads { "the leader" } else { "a follower" };
    format!(
        "{role}; {voters} of {voters} healthy, {} stay, quorum is {}",
        voters.saturating_sub(1),
        etcd::quorum(voters)
    )
}

/// What a "no" means for who is on call.
fn fault(view: &ClusterView) -> Fault {
    let serves = |told: &Result<etcd::MemberView, String>| {
        told.as_ref().is_ok_and(|m| m.read.is_ok() && m.health == Health::Healthy)
    };
    let sound = view.hosts.values().filter(|told| serves(told)).count();
    if sound == view.hosts.len() { Fault::Failed } else { super::member::fault_by_quorum(sound, view.hosts.len()) }
}
