//! What the load needs of an interface of etcd, so that another one is another [`Driver`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{Api, Plan};
use super::run::LoadError;
use super::v2::V2;
use super::v3::V3;

/// Why a write was certainly not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum No {
    /// The key was there already.
    Exists,
    /// The key was not, or no longer, as the write presumed.
    Differs,
    /// The connection was refused before a byte was sent.
    Refused,
    /// The member has no such interface, or not yet: it runs 2.x, or the cluster version is below 3.0.
    Incapable,
}

/// What became of one attempt, as far as its client can know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A positive answer, read in full. A write's place in the order of all writes; for a read, that
    /// of the write it saw, 0 when there was none.
    Ok(u64),
    /// Certainly not done.
    No(No),
    /// Everything else: a timeout, a broken connection, a server's error. It may be done, now or later.
    Unknown(String),
}

/// How a listing is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Agreed by the quorum.
    Quorum,
    /// Whatever the member itself has.
    Local,
}

/// A key's value and the index of its last write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: String,
    /// `modifiedIndex`, or `mod_revision` in v3.
    pub index: u64,
}

/// Who belongs to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The cluster's ID, where the interface tells it.
    pub cluster: Option<String>,
    /// Each member's ID and its peer URLs.
    pub members: BTreeMap<String, Vec<String>>,
}

/// One way to one member. Nothing is ever sent twice.
pub trait Driver: Send {
    /// Writes a key that must not be there yet.
    fn create(&self, key: &str, value: &str) -> Outcome;

    /// Writes a key whose last write must be the one with index `previous`.
    fn swap(&self, key: &str, value: &str, previous: u64) -> Outcome;

    /// Reads a key, agreed by the quorum. The value is given with [`Outcome::Ok`] if there is one.
    fn read(&self, key: &str) -> (Outcome, Option<String>);

    /// All keys below a folder.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn list(&self, folder: &str, reading: Reading) -> Result<BTreeMap<String, Entry>, String>;

    /// The index, or revision, that the member itself has come to.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn applied(&self) -> Result<u64, String>;

    /// Who belongs to the cluster, as this member says.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn membership(&self) -> Result<Membership, String>;
}

/// A driver for one of the members, with one deadline for each request.
///
/// # Errors
/// The certificates cannot be read.
pub fn connect(plan: &Plan, endpoint: &str, limit: Duration) -> Result<Box<dyn Driver>, LoadError> {
    match plan.api {
        Api::V2 => Ok(Box::new(V2::new(plan, endpoint, limit)?)),
        Api::V3 => Ok(Box::new(V3::new(plan, endpoint, limit)?)),
    }
}
