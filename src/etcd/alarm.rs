//! Alarms: what one member raised and all members of the cluster know.

use std::fmt;

/// An alarm, and who raised it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm {
    /// `NOSPACE`, `CORRUPT`, or what a later release calls it.
    pub kind: String,
    /// The member that raised it.
    pub member: u64,
}

impl Alarm {
    /// The kind that is raised where a database has reached its quota: no write is taken any more but for those that make room.
    pub const NO_SPACE: &'static str = "NOSPACE";

    /// Whether it is of that kind.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        self.kind == Self::NO_SPACE
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of member {:x}", self.kind, self.member)
    }
}
