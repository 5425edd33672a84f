//! The chains: each write follows from the one before it, and reads see what was there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Kind};
use crate::load::driver::Outcome;
use crate::load::history::{Act, History, Operation};
use crate::load::read_back::{Copy, Ending};
use crate::load::writers::LINK;

pub(super) fn check(history: &History, ending: &Ending, findings: &mut Findings) {
    let mut chains: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    let folder = format!("{}/", history.start.plan.chain_folder());
    for operation in history.operations.iter().filter(|operation| operation.key.starts_with(&folder)) {
        chains.entry(&operation.key).or_default().push(operation);
    }
    for (key, operations) in &chains {
        let chain = Chain { key, operations, ending };
        chain.lost(findings);
        chain.ghosts(findings);
        if let Some(copy) = ending.copies.first() {
            let value = chain.value(copy);
            chain.links(value, findings);
            chain.reads(value, findings);
        }
    }
    let known = |key: &&String| !chains.contains_key(key.as_str());
    for copy in &ending.copies {
        for key in copy.chains.keys().filter(known) {
            findings.add(Kind::Ghost, || format!("{} has {key}, which nobody wrote", copy.endpoint));
        }
    }
}

/// One key, all that was done to it, and what is left of it.
struct Chain<'a> {
    key: &'a str,
    operations: &'a [&'a Operation],
    ending: &'a Ending,
}

/// The token that a write added.
fn token(operation: &Operation) -> Option<&str> {
    operation.value.as_deref()?.rsplit(LINK).next()
}

/// What was sent or read; nothing where there was nothing to read.
fn written(operation: &Operation) -> &str {
    operation.value.as_deref().unwrap_or_default()
}

/// `start` is `whole`, or whole tokens of its beginning.
fn begins_with(whole: &str, start: &str) -> bool {
    whole.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(LINK))
}

impl Chain<'_> {
    fn value<'c>(&self, copy: &'c Copy) -> &'c str {
        copy.chains.get(self.key).map_or("", |entry| entry.value.as_str())
    }

    fn acked(&self) -> impl Iterator<Item = (u64, &Operation)> {
        let writes = self.operations.iter().filter(|operation| operation.writes());
        writes.filter_map(|operation| Some((operation.index()?, *operation)))
    }

    /// Every acknowledged token is there on every member.
    fn lost(&self, findings: &mut Findings) {
        let copies = self.ending.copies.iter();
        let copies: Vec<(&Copy, BTreeSet<&str>)> =
            copies.map(|copy| (copy, self.value(copy).split(LINK).collect())).collect();
        for (_, operation) in self.acked() {
            let Some(token) = token(operation) else { continue };
            if let Some((copy, _)) = copies.iter().find(|(_, tokens)| !tokens.contains(token)) {
                findings.add(Kind::Lost, || {
                    let key = self.key;
                    format!("{token} in {key} was acknowledged; {} ({:?}) lacks it", copy.endpoint, copy.reading)
                });
            }
        }
    }

    /// Every token that is there was sent, once, and not answered "no".
    fn ghosts(&self, findings: &mut Findings) {
        let mut sent = BTreeMap::new();
        for operation in self.operations.iter().filter(|operation| operation.writes()) {
            sent.extend(token(operation).map(|token| (token, &operation.outcome)));
        }
        let mut told = BTreeSet::new();
        for copy in self.ending.copies.iter().filter(|copy| copy.chains.contains_key(self.key)) {
            let mut here = BTreeSet::new();
            for token in self.value(copy).split(LINK) {
                let why = match sent.get(token) {
                    _ if !here.insert(token) => "twice",
                    None => "which nobody wrote",
                    Some(Outcome::No(_)) => "which was answered \"no\"",
                    Some(_) => continue,
                };
                if told.insert(token) {
                    findings.add(Kind::Ghost, || format!("{} has {token} in {}, {why}", copy.endpoint, self.key));
                }
            }
        }
    }

    /// Each acknowledged write was made on what is right before it in the order, and named its index.
    fn links(&self, value: &str, findings: &mut Findings) {
        let tokens: BTreeSet<&str> = value.split(LINK).collect();
        let places = self.places(findings);
        let mut acked: Vec<(u64, &Operation)> = self.acked().collect();
        acked.sort_by_key(|(index, _)| *index);
        let mut before: Option<(u64, &Operation)> = None;
        for (index, operation) in acked {
            // A token that is gone altogether is counted as lost.
            let there = token(operation).is_some_and(|token| tokens.contains(token));
            let why = if there && !begins_with(value, written(operation)) {
                Some("is no beginning of what the chain is now".to_owned())
            } else {
                self.follows(index, operation, before, &places).err()
            };
            if let Some(why) = why {
                findings.add(Kind::Chain, || format!("the write of {} at index {index} {why}", self.key));
            }
            before = Some((index, operation));
        }
    }

    /// Where each value of the chain was written, by what writers and readers were answered. Tokens
    /// are never used twice, so neither is a value.
    fn places(&self, findings: &mut Findings) -> BTreeMap<&str, u64> {
        let mut places = BTreeMap::from([("", 0)]);
        for operation in self.operations {
            let (Some(index), value) = (operation.index(), written(operation)) else { continue };
            let other = places.insert(value, index);
            if let Some(other) = other.filter(|other| *other != index) {
                let last = token(operation).unwrap_or_default();
                findings
                    .add(Kind::Chain, || format!("{} up to {last} was seen at index {other} and at {index}", self.key));
            }
        }
        places
    }

    /// A write follows from the acknowledged one `before` it: directly, or with writes between of
    /// which their clients do not know.
    fn follows(
        &self,
        index: u64,
        operation: &Operation,
        before: Option<(u64, &Operation)>,
        places: &BTreeMap<&str, u64>,
    ) -> Result<(), String> {
        let previous = operation.previous.unwrap_or_default();
        if (operation.act == Act::Swap && previous == 0) || previous >= index {
            return Err(format!("presumed index {previous}, which is none before it"));
        }
        let base = written(operation).rsplit_once(LINK).map_or("", |(base, _)| base);
        if let Some(place) = places.get(base).filter(|place| **place != previous) {
            return Err(format!("presumed index {previous}; what it was made on has {place}"));
        }
        let (last, start) = before.map_or((0, ""), |(at, write)| (at, written(write)));
        if base == start {
            return Ok(());
        }
        let between = base.strip_prefix(start).unwrap_or("?");
        let unknown = |token: &str| {
            let is = |other: &&&Operation| other.writes() && self::token(other) == Some(token);
            let write = self.operations.iter().find(is);
            write.is_some_and(|write| matches!(write.outcome, Outcome::Unknown(_)))
        };
        if previous > last && between.split(LINK).filter(|token| !token.is_empty()).all(unknown) {
            return Ok(());
        }
        Err(format!("was made on something else than the write before, which has index {last}"))
    }

    /// A read sees every write that was acknowledged before it began, and only the chain's own past.
    fn reads(&self, value: &str, findings: &mut Findings) {
        let mut reads: Vec<&&Operation> = self.operations.iter().filter(|operation| !operation.writes()).collect();
        reads.sort_by_key(|read| read.start);
        let mut ends: Vec<(u64, &Operation)> = self.acked().collect();
        ends.sort_by_key(|(_, write)| write.end);
        let mut ended = ends.into_iter().peekable();
        let mut highest = 0;
        for read in reads {
            while let Some((index, _)) = ended.next_if(|(_, write)| write.end < read.start) {
                highest = highest.max(index);
            }
            let Some(seen) = read.index() else { continue };
            if seen < highest {
                findings.add(Kind::Stale, || {
                    format!("a read of {} saw index {seen} after {highest} was acknowledged", self.key)
                });
            } else if read.value.is_some() && !begins_with(value, written(read)) {
                findings
                    .add(Kind::Chain, || format!("a read of {} at index {seen} saw what is not its past", self.key));
            }
        }
    }
}
