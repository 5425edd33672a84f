//! What the clients felt.

use std::collections::BTreeMap;

use crate::load::driver::{No, Outcome};
use crate::load::history::History;

/// Times in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pub(super) gap: u64,
    pub(super) gap_at: u64,
    pub(super) slowest: u64,
    pub(super) slowest_pinned: u64,
    pub(super) endpoint_gaps: BTreeMap<String, u64>,
}

/// Milliseconds to one decimal.
pub(super) fn ms(nanoseconds: u64) -> f64 {
    rounded(nanoseconds as f64 / 1e6, 10.0)
}

pub(super) fn rounded(number: f64, steps: f64) -> f64 {
    (number * steps).round() / steps
}

pub(super) fn measure(history: &History) -> Pace {
    // After they were asked to end, ever fewer clients write, and pauses mean nothing.
    let writes = history.operations.iter().filter(|operation| operation.writes() && operation.end <= history.stop);
    let acked: Vec<_> = writes.filter(|write| write.index().is_some()).collect();
    let (gap, gap_at) = longest(acked.iter().map(|write| write.end).collect(), history.stop);
    let mut pace = Pace { gap, gap_at, ..Pace::default() };
    for (place, endpoint) in history.start.plan.endpoints.iter().enumerate() {
        let ends = acked.iter().filter(|write| write.endpoint == place).map(|write| write.end);
        pace.endpoint_gaps.insert(endpoint.clone(), longest(ends.collect(), history.stop).0);
    }
    let mut begins: BTreeMap<&str, u64> = BTreeMap::new();
    let folder = format!("{}/", history.start.plan.unique_folder());
    for operation in history.operations.iter().filter(|operation| operation.key.starts_with(&folder)) {
        let begin = *begins.entry(&operation.key).or_insert(operation.start);
        // "It exists" tells a client that an earlier attempt was done.
        if matches!(operation.outcome, Outcome::Ok(_) | Outcome::No(No::Exists)) {
            let pinned = operation.client.is_multiple_of(2);
            let slowest = if pinned { &mut pace.slowest_pinned } else { &mut pace.slowest };
            *slowest = (*slowest).max(operation.end.saturating_sub(begin));
        }
    }
    pace
}

/// The longest time between two that follow each other, and its begin. What has not ended when the
/// load was asked to end counts up to there, so that an outage that lasts does not go unseen.
fn longest(mut ends: Vec<u64>, stop: u64) -> (u64, u64) {
    ends.sort_unstable();
    let nexts = ends.iter().skip(1).chain([&stop]);
    let gaps = ends.iter().zip(nexts).map(|(from, to)| (to.saturating_sub(*from), *from));
    gaps.max().unwrap_or((stop, 0))
}
