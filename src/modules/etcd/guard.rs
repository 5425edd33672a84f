//! The guard of a rolling play over etcd: which host is next, and may its member stop now.

use std::time::{Duration, Instant};

use crate::etcd::{self, Alarm, ClusterView, Rank};
use crate::events::{Fault, Kind, Verdict};
use crate::modules::arguments::boolean;
use crate::modules::guard::{Ask, Choice, Guard};
use crate::modules::{Failure, Fleet};
use crate::playbook::TaskOrder;
use crate::transport::BoxFuture;

use super::at_work;
use super::survey::{Look, PAUSE, Survey, fault_of, patience, survey};

/// The guard. It reads three variables of the hosts: `etcd_unit`, `accept_downtime`, and `etcd_accept_alarm`, which may be `NOSPACE`: a
/// play that makes room sets it, since that alarm is what it is run for.
#[derive(Debug)]
pub struct EtcdGuard;

impl Guard for EtcdGuard {
    fn lock(&self) -> Option<&'static str> {
        Some(super::LOCK)
    }

    fn next<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Choice, Failure>> {
        Box::pin(async move {
            let unit = variable(ask.fleet, "etcd_unit").and_then(|v| v.as_str().map(str::to_owned));
            let accept = is_true(variable(ask.fleet, "accept_downtime").as_ref());
            let past = accepted_alarm(variable(ask.fleet, "etcd_accept_alarm").as_ref())?;
            at_work::wait_everywhere(ask.fleet, unit.as_deref().unwrap_or("etcd"), ask.say).await?;
            let unit = unit.as_deref().unwrap_or("etcd");
            let survey = survey(ask.fleet, unit, None).await;
            let mut survey = if past { survey.past_no_space() } else { survey };
            let (begun, mut said) = (Instant::now(), String::new());
            loop {
                if let Some(failure) = survey.unreachable() {
                    return Err(failure.clone());
                }
                let (choice, patience) = look(&survey, &ask, accept).await?;
                if choice.verdict.may || begun.elapsed() > patience {
                    return Ok(choice);
                }
                if said != choice.verdict.reason {
                    said.clone_from(&choice.verdict.reason);
                    let (host, act) = (choice.host.clone(), "guard".to_owned());
                    (ask.say)(Kind::Progress { host, act, text: said.clone(), done: None, total: None })?;
                }
                tokio::time::sleep(PAUSE).await;
                survey.gather_missing(ask.fleet, unit).await;
            }
        })
    }
}

/// A variable of the first host that has it: the guard asks about a cluster, not about a host.
fn variable(fleet: &dyn Fleet, name: &str) -> Option<serde_json::Value> {
    fleet.hosts().iter().find_map(|host| fleet.var(host, name))
}

/// What `-e name=value` sets is text; a word that is none of Ansible's for true is no.
fn is_true(value: Option<&serde_json::Value>) -> bool {
    value.and_then(boolean).unwrap_or(false)
}

/// Whether `NOSPACE` is no reason against a stop. No other alarm can be accepted.
fn accepted_alarm(value: Option<&serde_json::Value>) -> Result<bool, Failure> {
    match value {
        None | Some(serde_json::Value::Null) => Ok(false),
        Some(value) if value.as_str() == Some(Alarm::NO_SPACE) => Ok(true),
        Some(other) => {
            let what = format!("etcd_accept_alarm: only {} can be accepted, found {other}", Alarm::NO_SPACE);
            Err(Failure::new(Fault::Input, what))
        }
    }
}

/// The choice, and for how long it is worth while to ask again if it is a "no".
async fn look(survey: &Survey, ask: &Ask<'_>, accept_downtime: bool) -> Result<(Choice, Duration), Failure> {
    let Look { view, lost } = survey.reached().await;
    // How its member is nobody knows, so that is not what the roll ends for.
    if let Some(failure) = lost {
        return Err(failure);
    }
    let ranked = if ask.order == TaskOrder::LeaderLast { etcd::next(&view, ask.remaining) } else { None };
    let first = ask.remaining.first().map(|host| (host.as_str(), Rank::Follower));
    let Some((host, rank)) = ranked.or(first) else {
        return Err(Failure::new(Fault::Bug, "the guard was asked about no host"));
    };
    let (verdict, may_pass) = match survey.verdict(&view, host, accept_downtime).await {
        Ok(()) => (Verdict { may: true, reason: leave(&view, host, rank) }, false),
        Err(reason) => (Verdict { may: false, reason: reason.to_string() }, reason.may_pass()),
    };
    Ok((Choice { host: host.to_owned(), verdict, fault: fault_of(&view) }, patience(&view, may_pass)))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn downtime_is_accepted_by_ansibles_words_and_by_no_other() {
        for yes in [json!(true), json!("true"), json!("yes"), json!(1)] {
            assert!(is_true(Some(&yes)), "{yes}");
        }
        for no in [json!(false), json!("false"), json!("perhaps"), json!(""), json!(null), json!([true])] {
            assert!(!is_true(Some(&no)), "{no}");
        }
        assert!(!is_true(None));
    }

    #[test]
    fn no_alarm_but_no_space_can_be_accepted() {
        assert!(!accepted_alarm(None).unwrap());
        assert!(accepted_alarm(Some(&json!("NOSPACE"))).unwrap());
        for other in [json!("CORRUPT"), json!(true), json!(["NOSPACE"]), json!("")] {
            assert_eq!(accepted_alarm(Some(&other)).unwrap_err().fault, Fault::Input, "{other}");
        }
    }
}
