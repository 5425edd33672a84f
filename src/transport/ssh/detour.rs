//! Which of several ways is taken: the first, until its jump hosts cannot be reached; then the one that is found, for the rest of the run.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::route::{Hop, through};
use crate::transport::session::{ConnectError, Way};

/// Why a way was not gone to its end.
pub(super) enum Failed {
    /// At a jump host; another way has others.
    Jump(ConnectError),
    /// At a jump host that was not dialled: it had fallen silent, and is dialled last.
    Silent(ConnectError),
    /// At the target, by jump hosts that are there.
    Target(ConnectError),
}

/// Whether it is the network, and not who is there or whom they let in: a host key or a login that is refused on one way is no reason to
/// look for another.
pub(super) const fn of_the_network(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Unreachable { .. } | ConnectError::NameUnknown { .. })
}

/// What is known of ways, by the list of all ways of a target: hosts behind the same bastions have the same.
#[derive(Default)]
pub(super) struct Detours(Mutex<HashMap<String, Known>>);

#[derive(Clone, Default)]
struct Known {
    /// The way that was gone last.
    last: usize,
    /// What was seen last of each way that could not be gone.
    why: HashMap<usize, String>,
}

/// One attempt to reach a target by one of its ways.
pub(super) struct Attempt<'a> {
    detours: &'a Detours,
    ways: &'a [Vec<Hop>],
    key: String,
    known: Known,
    failures: Vec<ConnectError>,
}

impl Detours {
    /// Begins one.
    pub(super) fn attempt<'a>(&'a self, ways: &'a [Vec<Hop>]) -> Attempt<'a> {
        let key = ways.iter().map(|hops| through(hops)).collect::<Vec<_>>().join(" ");
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned().unwrap_or_default();
        Attempt { detours: self, ways, key, known, failures: Vec::new() }
    }
}

impl<'a> Attempt<'a> {
    /// The ways in the order in which they are to be tried, each with its number: first the one that was gone last.
    pub(super) fn order(&self) -> impl Iterator<Item = (usize, &'a [Hop])> + use<'a> {
        let (last, ways) = (self.known.last, self.ways);
        let all = ways.iter().enumerate().map(|(number, hops)| (number, hops.as_slice()));
        all.cycle().skip(last).take(ways.len())
    }

    /// This way is dialled after the others.
    pub(super) fn is_silent(&mut self, number: usize, error: &ConnectError) {
        self.known.why.insert(number, seen(error));
    }

    /// This way ended at a jump host. `Some`: no other is to be tried, and that is what came of it.
    pub(super) fn at_a_jump(&mut self, target: &str, number: usize, error: ConnectError) -> Option<ConnectError> {
        if of_the_network(&error) {
            self.known.why.insert(number, seen(&error));
            self.failures.push(error);
            return None;
        }
        match error {
            // The way before it may come back, and that is a network's failure still; this login is not asked for again.
            ConnectError::LoginRefused { .. } if !self.failures.is_empty() => {
                self.failures.push(error);
                Some(self.nowhere(target))
            }
            error => Some(error),
        }
    }

    /// This way led to the target.
    pub(super) fn went(mut self, number: usize) -> Way {
        self.known.why.remove(&number);
        self.known.last = number;
        let mut why: Vec<(&usize, &String)> = self.known.why.iter().collect();
        why.sort();
        let way = Way {
            through: self.ways.get(number).map(|hops| through(hops)).unwrap_or_default(),
            first: number == 0,
            why: why.into_iter().map(|(_, seen)| seen.as_str()).collect::<Vec<_>>().join("; "),
        };
        self.detours.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.key, self.known);
        way
    }

    /// No way led there: the first failure, with what was seen on the other ways.
    pub(super) fn nowhere(&mut self, target: &str) -> ConnectError {
        let mut failures = std::mem::take(&mut self.failures).into_iter();
        let others = |failures: std::vec::IntoIter<ConnectError>| -> String {
            failures.map(|error| format!("; {}", first_line(&error.to_string()))).collect()
        };
        match failures.next() {
            Some(ConnectError::Unreachable { host, via, detail }) => {
                ConnectError::Unreachable { host, via, detail: detail + &others(failures) }
            }
            // With another way to try again it is no misspelt name alone.
            Some(ConnectError::NameUnknown { host, detail }) => {
                ConnectError::Unreachable { host, via: None, detail: detail + &others(failures) }
            }
            Some(error) => error,
            None => ConnectError::Config { host: target.to_owned(), detail: "no way".to_owned() },
        }
    }
}

/// A failure without the word for its kind: `bastion: 192.0.2.1:22: Connection refused`.
fn seen(error: &ConnectError) -> String {
    match error {
        ConnectError::Unreachable { host, via: Some(via), detail } => format!("{host} through {via}: {detail}"),
        ConnectError::Unreachable { host, via: None, detail } => format!("{host}: {detail}"),
        other => first_line(&other.to_string()).to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
