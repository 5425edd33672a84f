//! Nothing acknowledged is missing, and nothing is there that should not be: the unique keys.

use std::collections::BTreeMap;

use super::{Findings, Kind};
use crate::load::driver::{No, Outcome};
use crate::load::history::{Act, History, Operation};
use crate::load::read_back::{Copy, Ending};

/// All attempts at one key.
type Attempts<'a> = BTreeMap<&'a str, Vec<&'a Operation>>;

pub(super) fn check(history: &History, ending: &Ending, findings: &mut Findings) {
    let mut attempts = Attempts::new();
    let folder = format!("{}/", history.start.plan.unique_folder());
    for operation in &history.operations {
        if operation.act == Act::Create && operation.key.starts_with(&folder) {
            attempts.entry(&operation.key).or_default().push(operation);
        }
    }
    for (key, attempts) in &attempts {
        lost(key, attempts, &ending.copies, findings);
    }
    let mut seen = BTreeMap::new();
    for copy in &ending.copies {
        for (key, entry) in &copy.unique {
            // Once for each key and value, not for each member that has it.
            if seen.insert((key.as_str(), entry.value.as_str()), ()).is_none() {
                ghost(key, &entry.value, attempts.get(key.as_str()), copy, findings);
            }
        }
    }
}

/// A key with an acknowledged attempt has that attempt's value on every member, for a key is written
/// only once. "It exists already" is an acknowledgement too: of one of the attempts before.
fn lost(key: &str, attempts: &[&Operation], copies: &[Copy], findings: &mut Findings) {
    let acked = attempts.iter().find(|attempt| attempt.index().is_some());
    let exists = attempts.iter().any(|attempt| attempt.outcome == Outcome::No(No::Exists));
    for copy in copies {
        let entry = copy.unique.get(key);
        let there = match acked {
            Some(attempt) => entry.is_some_and(|entry| Some(&entry.value) == attempt.value.as_ref()),
            None => entry.is_some() || !exists,
        };
        if !there {
            findings.add(Kind::Lost, || {
                let found = entry.map_or("nothing", |entry| entry.value.as_str());
                format!("{key} was acknowledged; {} ({:?}) has {found}", copy.endpoint, copy.reading)
            });
            return;
        }
    }
}

fn ghost(key: &str, value: &str, attempts: Option<&Vec<&Operation>>, copy: &Copy, findings: &mut Findings) {
    let mut attempts = attempts.into_iter().flatten();
    let written = attempts.find(|attempt| attempt.value.as_deref() == Some(value));
    let why = match written.map(|attempt| &attempt.outcome) {
        None => "which nobody wrote",
        Some(Outcome::No(_)) => "which was answered \"no\"",
        Some(_) => return,
    };
    findings.add(Kind::Ghost, || format!("{} has {key} = {value}, {why}", copy.endpoint));
}
