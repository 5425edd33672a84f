//! When a member that came back has caught up: what stands in place of "wait two minutes" of the upgrade guides.

use std::time::Duration;

use semver::Version;

use super::answer::Health;
use super::not_now::NotNow;
use super::view::{ClusterView, MemberView};

/// The wait for one member: fed with looks at the cluster until it says so.
///
/// The rule (etcd issue 6019 and the guides' own reason for waiting): the applied index of the member reaches the leader's as sampled
/// after the member answered, all others agree on members and leader, and it stays so for some election timeouts.
#[derive(Clone, Debug)]
pub struct CatchUp {
    host: String,
    target: Version,
    election_timeout: Duration,
    goal: Option<u64>,
    calm: Option<Calm>,
}

/// Since when all has been well, and what must not change meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Calm {
    since: Duration,
    leader: Option<u64>,
    term: u64,
    answers: u32,
}

/// Why the wait goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lag {
    /// The member itself does not answer in full.
    #[error("waiting for {host}: {reason}")]
    Silent {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// It runs something else.
    #[error("{host} runs {found}, expected {expected}")]
    OtherVersion {
        /// The host.
        host: String,
        /// What it runs.
        found: Version,
        /// What it should run.
        expected: Version,
    },
    /// Entries are missing.
    #[error("catching up, {index} of {goal} entries")]
    Behind {
        /// Applied.
        index: u64,
        /// To be applied.
        goal: u64,
    },
    /// It lags too far behind for entries, so the leader sends it everything.
    #[error("the leader sends a whole snapshot, {index} of {goal} entries")]
    Snapshot {
        /// Applied.
        index: u64,
        /// To be applied.
        goal: u64,
    },
    /// The cluster is not as it must be.
    #[error(transparent)]
    Cluster(#[from] NotNow),
    /// All is well but not for long enough.
    #[error("stable for {} ms of {} ms", so_far.as_millis(), wanted.as_millis())]
    Settling {
        /// So far.
        so_far: Duration,
        /// Wanted.
        wanted: Duration,
    },
}

/// The member has caught up and the cluster is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stability {
    /// The applied index that was reached.
    pub index: u64,
    /// How many looks in a row were good.
    pub answers: u32,
}

/// Good looks in a row that are wanted: one good answer may be luck (bad input HT11).
const ANSWERS: u32 = 5;
/// Of a member that answers, and says so of itself.
const UNHEALTHY: &str = "it says it is unhealthy";

impl CatchUp {
    /// The wait for the member on `host` to run `target` as a full member.
    #[must_use]
    pub fn new(host: &str, target: &Version, election_timeout: Duration) -> Self {
        Self { host: host.to_owned(), target: target.clone(), election_timeout, goal: None, calm: None }
    }

    /// The host whose member is waited for.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Takes what the member's own `/health` said at the end, or why it said nothing.
    ///
    /// # Errors
    /// Why the wait goes on.
    pub fn healthy(&self, said: Result<Health, String>) -> Result<(), Lag> {
        let reason = match said {
            Ok(Health::Healthy) => return Ok(()),
            Ok(Health::Unhealthy) => UNHEALTHY.to_owned(),
            Err(reason) => reason,
        };
        Err(Lag::Silent { host: self.host.clone(), reason })
    }

    /// How long leader and term must stay: two election timeouts, since a timeout is drawn from one to two of them.
    #[must_use]
    pub fn settle(&self) -> Duration {
        self.election_timeout * 2
    }

    /// Takes one look at the cluster, made at `now` on the monotonic clock.
    ///
    /// # Errors
    /// Why the wait goes on.
    pub fn look(&mut self, view: &ClusterView, now: Duration) -> Result<Stability, Lag> {
        let verdict = self.examine(view);
        let (index, leader, term) = match verdict {
            Ok(good) => good,
            Err(lag) => {
                self.calm = None;
                return Err(lag);
            }
        };
        let wanted = self.settle();
        let calm = match self.calm.take() {
            Some(calm) if calm.leader == leader && calm.term == term => Calm { answers: calm.answers + 1, ..calm },
            _ => Calm { since: now, leader, term, answers: 1 },
        };
        let so_far = now.saturating_sub(calm.since);
        let answers = calm.answers;
        self.calm = Some(calm);
        if so_far >= wanted && answers >= ANSWERS {
            Ok(Stability { index, answers })
        } else {
            Err(Lag::Settling { so_far, wanted })
        }
    }

    fn examine(&mut self, view: &ClusterView) -> Result<(u64, Option<u64>, u64), Lag> {
        let silent = |reason: String| Lag::Silent { host: self.host.clone(), reason };
        let member = match view.hosts.get(&self.host) {
            Some(Ok(member)) => member,
            Some(Err(reason)) => return Err(silent(reason.clone())),
            None => return Err(silent("it was not asked".to_owned())),
        };
        if member.version.server != self.target {
            let (found, expected) = (member.version.server.clone(), self.target.clone());
            return Err(Lag::OtherVersion { host: self.host.clone(), found, expected });
        }
        // An alarm is the whole cluster's, and makes a member unhealthy that serves.
        if member.read.is_ok()
            && let Some(alarm) = super::view::alarm(view)
        {
            return Err(alarm.into());
        }
        if member.health != Health::Healthy {
            return Err(silent(UNHEALTHY.to_owned()));
        }
        // A fixed goal, not a moving one: sampled once, after the member answered, from the leader; where nobody leads, from whoever is
        // furthest.
        let reached = |m: &MemberView| m.index.max(m.raft.as_ref().map_or(0, |raft| raft.commit));
        let leader = view.hosts.values().flatten().find(|m| m.leader == Some(m.id));
        let furthest = view.hosts.values().flatten().map(reached).max().unwrap_or(member.index);
        let goal = *self.goal.get_or_insert(leader.map_or(furthest, reached));
        let seen = leader.and_then(|leader| leader.raft.as_ref()?.progress.get(&member.id));
        if seen.is_some_and(|seen| seen.snapshot) {
            return Err(Lag::Snapshot { index: member.index, goal });
        }
        // By its own word and by the leader's: something else may answer in its place.
        if let Some(seen) = seen.filter(|seen| seen.matched < goal) {
            return Err(Lag::Behind { index: seen.matched.min(member.index), goal });
        }
        if member.index < goal {
            return Err(Lag::Behind { index: member.index, goal });
        }
        super::view::may_stop(view, &self.host, true)?;
        Ok((member.index, member.leader, member.term))
    }
}

/// Whether it is for the member on `host` that a wait came to nothing: it does not answer reads through raft, and the others are a quorum
/// with it. Of a member that reads, or of a cluster that has no quorum in any case, another program makes nothing better.
#[must_use]
pub fn is_to_blame(view: &ClusterView, host: &str) -> bool {
    let reads = |told: &Result<MemberView, String>| told.as_ref().is_ok_and(|member| member.read.is_ok());
    let others = view.hosts.iter().filter(|(name, told)| name.as_str() != host && reads(told)).count();
    !view.hosts.get(host).is_some_and(reads) && others + 1 >= super::view::quorum(view.hosts.len())
}

#[cfg(test)]
mod tests;
