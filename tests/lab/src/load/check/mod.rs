//! The check: what the clients were answered against what is in the cluster at the end.
//!
//! etcd stamps every write with its place in the order of all writes. So nothing has to be guessed
//! or searched: sorting by that index and comparing with real time is the test for linearizability
//! of the writes, in O(n log n).

mod chains;
mod order;
mod pace;
mod present;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use super::driver::Outcome;
use super::history::History;
use super::read_back::Ending;

/// How many violations of a kind are told in words; all are counted.
const TOLD: u64 = 10;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// An acknowledged write is not there.
    Lost,
    /// Something is there that nobody wrote, or that was answered "no".
    Ghost,
    /// An index is there twice, or an earlier write has a later one.
    Order,
    /// A read did not see what was acknowledged before it began.
    Stale,
    /// A chain's writes do not follow from each other.
    Chain,
    /// The cluster is not well at the end, or not the same.
    End,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Ghost => "ghost",
            Self::Order => "order",
            Self::Stale => "stale",
            Self::Chain => "chain",
            Self::End => "end",
        }
    }
}

#[derive(Debug, Default)]
struct Findings {
    counts: BTreeMap<Kind, u64>,
    told: Vec<String>,
}

impl Findings {
    fn add(&mut self, kind: Kind, words: impl FnOnce() -> String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= TOLD {
            self.told.push(format!("{}: {}", kind.word(), words()));
        }
    }

    fn count(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or_default()
    }
}

/// What the check found. Counts are of writes, or of what is wrong; times in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Nothing is wrong.
    pub ok: bool,
    /// The load's name.
    pub run: String,
    /// Writes that were answered positively.
    pub acked: u64,
    /// Attempts that were certainly not done.
    pub no: u64,
    /// Attempts of which the client cannot know.
    pub unknown: u64,
    /// Acknowledged writes that some member does not have.
    pub lost: u64,
    /// Values that nobody wrote, or that were answered "no".
    pub ghost: u64,
    /// Places where the order of the writes contradicts itself or real time.
    pub order: u64,
    /// Reads that did not see what was acknowledged before they began.
    pub stale: u64,
    /// Writes of a chain that do not follow from the one before.
    pub chain: u64,
    /// What is wrong with the cluster itself at the end.
    pub end: u64,
    /// From the load's begin until it was asked to end, in seconds.
    pub seconds: f64,
    /// Acknowledged writes a second.
    pub rate: f64,
    /// The longest time between the ends of two acknowledged writes that follow each other, over all
    /// clients.
    pub gap_ms: f64,
    /// When that gap began, after the load's begin.
    pub gap_at_ms: f64,
    /// The longest time from the first attempt at a unique key to its acknowledgement, of the clients
    /// that may fail over.
    pub slowest_write_ms: f64,
    /// The same of the clients that stay with one member.
    pub slowest_pinned_write_ms: f64,
    /// Per member: the longest time between two writes it acknowledged.
    pub endpoint_gap_ms: BTreeMap<String, f64>,
    /// When the load began, in milliseconds since 1970.
    pub began_unix_ms: u64,
    /// The first of each kind of violation in words.
    pub violations: Vec<String>,
}

/// Checks a history against what is in the cluster.
#[must_use]
pub fn check(history: &History, ending: &Ending) -> Report {
    let mut findings = Findings::default();
    present::check(history, ending, &mut findings);
    order::check(history, ending, &mut findings);
    chains::check(history, ending, &mut findings);
    cluster(history, ending, &mut findings);
    let writes = || history.operations.iter().filter(|operation| operation.writes());
    let count = |wanted: fn(&Outcome) -> bool| writes().filter(|operation| wanted(&operation.outcome)).count() as u64;
    let acked = count(|outcome| matches!(outcome, Outcome::Ok(_)));
    let pace = pace::measure(history);
    let seconds = history.stop as f64 / 1e9;
    Report {
        ok: findings.counts.is_empty(),
        run: history.start.plan.run.clone(),
        acked,
        no: count(|outcome| matches!(outcome, Outcome::No(_))),
        unknown: count(|outcome| matches!(outcome, Outcome::Unknown(_))),
        lost: findings.count(Kind::Lost),
        ghost: findings.count(Kind::Ghost),
        order: findings.count(Kind::Order),
        stale: findings.count(Kind::Stale),
        chain: findings.count(Kind::Chain),
        end: findings.count(Kind::End),
        seconds: pace::rounded(seconds, 1000.0),
        rate: if seconds > 0.0 { pace::rounded(acked as f64 / seconds, 10.0) } else { 0.0 },
        gap_ms: pace::ms(pace.gap),
        gap_at_ms: pace::ms(pace.gap_at),
        slowest_write_ms: pace::ms(pace.slowest),
        slowest_pinned_write_ms: pace::ms(pace.slowest_pinned),
        endpoint_gap_ms: pace.endpoint_gaps.into_iter().map(|(name, gap)| (name, pace::ms(gap))).collect(),
        began_unix_ms: history.start.unix_ms,
        violations: findings.told,
    }
}

/// The cluster answers as it did, and is the one it was.
fn cluster(history: &History, ending: &Ending, findings: &mut Findings) {
    for fault in &ending.faults {
        findings.add(Kind::End, || fault.clone());
    }
    if ending.copies.is_empty() {
        findings.add(Kind::End, || "nothing could be read back".to_owned());
    }
    let before = &history.start.membership;
    for (endpoint, membership) in &ending.memberships {
        if membership != before {
            findings
                .add(Kind::End, || format!("{endpoint} says that the cluster is {membership:?}; it was {before:?}"));
        }
    }
    let Some((first, others)) = ending.copies.split_first() else {
        return;
    };
    for copy in others {
        if (&copy.unique, &copy.chains) != (&first.unique, &first.chains) {
            findings.add(Kind::End, || {
                let (a, b) = (&first.endpoint, &copy.endpoint);
                format!("what {b} has ({:?}) differs from what {a} has ({:?})", copy.reading, first.reading)
            });
        }
    }
}
