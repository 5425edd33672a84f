//! The modules that know etcd: what runs, whether the roll may begin, backup, staging, the member's transaction, health, restart, defragmentation.

mod at_work;
mod auth_hop;
mod backup;
mod certificates;
mod client;
mod client_certificate;
mod companions;
mod config_file;
mod data;
mod defrag;
mod downgrade;
mod facts;
mod files;
mod given;
mod guard;
mod health;
mod key_hash;
mod login;
mod member;
mod migrate;
mod next_start;
mod often;
mod others;
mod outlook;
mod path;
mod place;
mod preflight;
mod proof;
mod quorum;
mod ready;
mod release;
mod restore;
mod rewriting;
mod room;
mod rules;
mod same_data;
mod seen;
mod snapshot;
mod stage;
mod survey;
mod tool;
mod usage;
mod v2_backup;
mod v2_entries;
mod would_be;
mod written;

use crate::modules::table::{Argument, Shape};

pub use guard::EtcdGuard;

pub(crate) use backup::ROW as BACKUP;
pub(crate) use defrag::ROW as DEFRAG;
pub(crate) use downgrade::ROW as DOWNGRADE;
pub(crate) use facts::ROW as FACTS;
pub(crate) use health::ROW as HEALTH;
pub(crate) use member::{RESTART, ROW as MEMBER};
pub(crate) use path::ROW as PATH;
pub(crate) use preflight::ROW as PREFLIGHT;
pub(crate) use ready::ROW as READY;
pub(crate) use restore::{BACKUP_CHECK, ROW as RESTORE};
pub(crate) use stage::ROW as STAGE;

/// The name of the lock on the hosts of a cluster that is worked on.
const LOCK: &str = "etcd";

const UNIT: Argument = Argument::new("unit", Shape::Text, "the systemd unit of etcd").default("etcd");
const VERSION: Argument = Argument::new("version", Shape::Text, "the version to run, as `2.1.1`").required();
const RELEASES: Argument = Argument::new(
    "releases",
    Shape::Path,
    "a folder of release archives with their SHA256SUMS, on the control machine",
);
const BINARY: Argument = Argument::new("binary", Shape::Path, "the program itself, on the control machine");
const BINARY_SHA256: Argument = Argument::new("binary_sha256", Shape::Text, "SHA-256 of `binary`: 64 hex digits");
const ACCEPT_DOWNTIME: Argument = Argument::new(
    "accept_downtime",
    Shape::Bool,
    "allow it on a cluster of one or two, which cannot do without a member",
);
/// Where the program comes from.
const ORIGIN: &[(&[&str], bool)] = &[(&["releases", "binary"], true)];
