//! A cluster that has lost its quorum before a run has changed anything: that is for who is on call, now, and no refusal like others.

use futures_util::future::join_all;

use crate::etcd;
use crate::events::Fault;
use crate::modules::{Failure, Fleet};

use super::facts::{Facts, unit_name};
use super::survey::PAUSE;

/// For how many looks a cluster must be without its quorum: with a leader that is being elected, which takes one to two seconds, members are
/// without one too; ten looks are 5 s.
const LOOKS: usize = 10;

/// The failure of something that looks at a host's member before anything is changed, with what it means for the cluster: where the quorum is
/// lost for certain that is what it is, whatever it was that was found.
pub(super) async fn or_lost<T>(fleet: &dyn Fleet, unit: &str, found: Result<T, Failure>) -> Result<T, Failure> {
    match found {
        Err(failure) if failure.fault == Fault::Refused => match lost(fleet, unit).await {
            Some(words) => {
                Err(Failure { fault: Fault::QuorumLost, msg: format!("{}\n{words}", failure.msg), ..failure })
            }
            None => Err(failure),
        },
        found => found,
    }
}

/// How a host's member is, as far as that is certain. That nothing is known of one, as with a wrong password or an unknown unit, says nothing.
enum Known {
    /// Its unit is there and has no process.
    Stopped(String),
    /// It answers, and so many members are in its list; whether it knows a leader.
    Answers { host: String, members: usize, leader: bool },
}

/// Why the quorum is not there, if that is certain; of a part of a cluster it never is.
async fn lost(fleet: &dyn Fleet, unit: &str) -> Option<String> {
    let hosts = fleet.hosts();
    if fleet.var(hosts.first()?, "ansible_limit").is_some() {
        return None;
    }
    let mut words = None;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let known = join_all(hosts.iter().map(|host| known(fleet, unit, host))).await;
        let mut known: Vec<Known> = known.into_iter().flatten().collect();
        words = Some(too_few(hosts.len(), &known)?);
        // Members that are stopped are no matter of a moment.
        known.retain(|one| !matches!(one, Known::Answers { leader: false, .. }));
        if too_few(hosts.len(), &known).is_some() {
            break;
        }
    }
    words
}

/// What is to be said where so many of the members are out that the others are no quorum.
fn too_few(hosts: usize, known: &[Known]) -> Option<String> {
    let others = |one: &Known| matches!(one, Known::Answers { members, .. } if *members != hosts);
    if known.iter().any(others) {
        return None;
    }
    let out = known.iter().filter_map(|one| match one {
        Known::Stopped(words) => Some(words.clone()),
        Known::Answers { leader: true, .. } => None,
        Known::Answers { host, .. } => Some(format!("{host} knows no leader")),
    });
    let (out, quorum): (Vec<String>, usize) = (out.collect(), etcd::quorum(hosts));
    let lost = hosts.saturating_sub(out.len()) < quorum;
    lost.then(|| format!("the quorum is lost: {quorum} of {hosts} members are needed, but {}", out.join(", ")))
}

async fn known(fleet: &dyn Fleet, unit: &str, host: &str) -> Option<Known> {
    let probe = fleet.probe(host).await.ok()?;
    if let Ok(facts) = Facts::gather(fleet, &probe, unit).await {
        let member = facts.view().await.ok()?;
        let (members, leader) = (member.members.len(), member.leader.is_some());
        return Some(Known::Answers { host: host.to_owned(), members, leader });
    }
    let name = unit_name(unit);
    let state = probe.unit(&name).await.ok()?;
    let stopped = state.exists() && state.main_pid().is_none();
    stopped.then(|| Known::Stopped(format!("on {host} {name} is {}", state.active_state())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(count: usize) -> Vec<Known> {
        (0..count).map(|_| Known::Stopped("on a etcd.service is failed".to_owned())).collect()
    }

    fn answers(members: usize, leader: bool) -> Known {
        Known::Answers { host: "b".to_owned(), members, leader }
    }

    #[test]
    fn a_quorum_is_lost_where_fewer_than_it_are_not_out() {
        for (members, most) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)] {
            assert_eq!(too_few(members, &stopped(most)), None, "{members}");
            assert!(too_few(members, &stopped(most + 1)).is_some(), "{members}");
        }
        let mut two = stopped(1);
        two.push(answers(3, true));
        assert_eq!(too_few(3, &two), None);
        two.push(answers(3, false));
        assert_eq!(
            too_few(3, &two).unwrap(),
            "the quorum is lost: 2 of 3 members are needed, but on a etcd.service is failed, b knows no leader"
        );
    }

    #[test]
    fn of_hosts_that_are_not_the_cluster_nothing_is_said() {
        let mut known = stopped(2);
        known.push(answers(5, true));
        assert_eq!(too_few(3, &known), None);
        known.push(answers(3, false));
        assert_eq!(too_few(3, &known), None);
    }
}
