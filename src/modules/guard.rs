//! The guard of a rolling play: by whose leave the next host is touched.

use crate::events::{Fault, Kind, Verdict};
use crate::playbook::TaskOrder;
use crate::transport::BoxFuture;

use super::{Failure, Fleet};

/// What a guard is asked: which of the remaining hosts may be next.
pub struct Ask<'a> {
    /// All hosts of the play; probing one connects if need be.
    pub fleet: &'a dyn Fleet,
    /// The hosts not yet touched, in the play's order; never empty.
    pub remaining: &'a [String],
    /// The hosts already done, in the order they were done.
    pub done: &'a [String],
    /// `rolling.order:`.
    pub order: TaskOrder,
    /// Says what goes on: `Progress`, `Warning`.
    pub say: &'a (dyn Fn(Kind) -> Result<(), Failure> + Send + Sync),
}

/// A guard's answer.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The host that is next; must be one of the remaining.
    pub host: String,
    /// Whether it may, and why.
    pub verdict: Verdict,
    /// What a "no" means once this run has changed something: a member down, the quorum lost, or a plain failure.
    pub fault: Fault,
}

/// A quorum system's guard.
pub trait Guard: Send + Sync {
    /// Which host is next, and whether it may be touched now.
    ///
    /// # Errors
    /// When the question itself could not be asked; that too means "no".
    fn next<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Choice, Failure>>;

    /// The name of the lock that a run holds on every host of the play, if the system wants one run at a time.
    fn lock(&self) -> Option<&'static str> {
        None
    }
}

/// Guards by the name that `rolling.guard:` gives.
#[derive(Clone, Copy)]
pub struct Guards(pub &'static [(&'static str, &'static dyn Guard)]);

/// Every guard there is: a new one adds its line here.
pub const GUARDS: Guards = Guards(&[("etcd", &super::etcd::EtcdGuard)]);

impl Guards {
    /// The guard of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static dyn Guard> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, guard)| *guard)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

impl std::fmt::Debug for Guards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
