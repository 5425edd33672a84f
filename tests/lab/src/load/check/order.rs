//! The order of the writes by their indexes agrees with itself and with real time.

use std::collections::BTreeMap;

use super::{Findings, Kind};
use crate::load::driver::Outcome;
use crate::load::history::{Act, History, Operation};
use crate::load::read_back::Ending;

/// A write whose place is known. One of which the client does not know may have been done long after
/// the client stopped waiting, so it has no end.
struct Placed<'a> {
    operation: &'a Operation,
    index: u64,
    end: Option<u64>,
}

pub(super) fn check(history: &History, ending: &Ending, findings: &mut Findings) {
    let mut writes = Vec::new();
    for operation in history.operations.iter().filter(|operation| operation.writes()) {
        if let Some(index) = operation.index() {
            writes.push(Placed { operation, index, end: Some(operation.end) });
        } else if let Some(index) = place_of_unknown(operation, ending) {
            writes.push(Placed { operation, index, end: None });
        }
    }
    twice(&writes, findings);
    real_time(&writes, findings);
    moved(&writes, ending, findings);
}

/// Where a write of which its client does not know turned up after all.
fn place_of_unknown(operation: &Operation, ending: &Ending) -> Option<u64> {
    if operation.act != Act::Create || !matches!(operation.outcome, Outcome::Unknown(_)) {
        return None;
    }
    let entry = ending.copies.first()?.unique.get(&operation.key)?;
    (Some(&entry.value) == operation.value.as_ref()).then_some(entry.index)
}

fn twice(writes: &[Placed<'_>], findings: &mut Findings) {
    let mut places: BTreeMap<u64, &str> = BTreeMap::new();
    for write in writes {
        if let Some(other) = places.insert(write.index, &write.operation.key) {
            findings
                .add(Kind::Order, || format!("{other} and {} both have index {}", write.operation.key, write.index));
        }
    }
}

/// What ended before another began has the lower index. One sweep over the begins, in which `ended`
/// runs along with the ends and keeps the highest index so far.
fn real_time(writes: &[Placed<'_>], findings: &mut Findings) {
    let mut begins: Vec<&Placed<'_>> = writes.iter().collect();
    begins.sort_by_key(|write| write.operation.start);
    let mut ends: Vec<(u64, &Placed<'_>)> = writes.iter().filter_map(|write| Some((write.end?, write))).collect();
    ends.sort_by_key(|(end, _)| *end);
    let mut ended = ends.into_iter().peekable();
    let mut highest: Option<&Placed<'_>> = None;
    for write in begins {
        while let Some((_, before)) = ended.next_if(|(end, _)| *end < write.operation.start) {
            if highest.is_none_or(|highest| before.index > highest.index) {
                highest = Some(before);
            }
        }
        if let Some(before) = highest.filter(|before| before.index > write.index) {
            findings.add(Kind::Order, || {
                let (earlier, later) = (&before.operation.key, &write.operation.key);
                format!("{earlier} ended at index {} before {later} began, which has {}", before.index, write.index)
            });
        }
    }
}

/// A unique key still has the index that its write was answered with, on every member.
fn moved(writes: &[Placed<'_>], ending: &Ending, findings: &mut Findings) {
    for write in writes.iter().filter(|write| write.end.is_some() && write.operation.act == Act::Create) {
        let (key, value) = (&write.operation.key, write.operation.value.as_ref());
        for copy in &ending.copies {
            let entry = copy.unique.get(key).filter(|entry| Some(&entry.value) == value);
            if let Some(entry) = entry.filter(|entry| entry.index != write.index) {
                findings.add(Kind::Order, || {
                    format!("{key} was answered index {}; {} has it at {}", write.index, copy.endpoint, entry.index)
                });
                break;
            }
        }
    }
}
