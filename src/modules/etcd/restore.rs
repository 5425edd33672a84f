//! `etcd_restore`: a whole cluster brought back from one proven backup, onto members that are all stopped.
//!
//! Never onto a living cluster, and never for one member of it: a member that is put back has forgotten what it acknowledged, and
//! writes that the cluster has promised are lost without a word (etcd v2.3.8 Documentation/admin_guide.md, read 2026-11-24).
//!
//! The first host of the play becomes a cluster of one out of the backup, opened once on the loopback only, so that no client writes
//! before its keys are counted. The others join it one after the other with empty data. Each host's own unit and its files stay as they
//! are: what a first start needs besides is given to a transient unit, which is gone before the host's own unit is started.
//!
//! From 3.0 on every member is made of the same snapshot, and all start together.

mod archive;
mod data;
mod first;
mod join;
mod snapshot;
mod start;
mod stopped;
mod v2;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::events::{Fault, Kind};
use crate::modules::table::{Argument, CheckMode, Place, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::transport::BoxFuture;

use super::facts::refused;
use super::{LOCK, RELEASES, UNIT};
use archive::Backup;

const BACKUP: Argument = Argument::new(
    "backup",
    Shape::Path,
    "the folder of one host's backup on the control machine: manifest.json, and copy.tar or snapshot.db",
)
.required();
const CONFIRM: Argument = Argument::new(
    "confirm",
    Shape::Text,
    "the ID of the cluster that is given up for the backup, as the manifest has it; without it nothing is restored",
);

/// The row of the check that contacts no host.
pub(crate) const BACKUP_CHECK: Row = Row {
    arguments: &[BACKUP, CONFIRM],
    returns: &[("manifest", "what lies in the backup, when and how it was taken and proven")],
    check: CheckMode::Runs,
    place: Place::Control,
    module: Some(&BackupCheck),
    ..Row::new("etcd_backup_check", "verifies a backup's manifest and sum here, and that its restore is confirmed")
};

/// Its row.
pub(crate) const ROW: Row = Row {
    lock: Some(LOCK),
    arguments: &[
        BACKUP,
        CONFIRM,
        UNIT,
        RELEASES,
        Argument::new(
            "phase",
            Shape::Text,
            "`check` changes nothing; `restore` takes the play's hosts in order, one at a time",
        )
        .choices(&["check", "restore"])
        .default("restore"),
    ],
    returns: &[
        ("ansible_facts.etcd_restore", "`run`, `cluster_id` of the new cluster, `keys` and `index` when it was opened"),
        ("aside", "where the old data lies now; empty if there was none"),
    ],
    facts: &["etcd_restore"],
    module: Some(&EtcdRestore),
    ..Row::new("etcd_restore", "brings a dead cluster back from one proven backup, onto members that are all stopped")
};

/// What the first member's restore leaves for those that join, as a fact of every host that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Restored {
    run: String,
    /// In hex.
    cluster_id: String,
    keys: u64,
    index: u64,
    /// What all members of a cluster from a snapshot are made with; empty for one from 2.x, whose members join one after the other.
    #[serde(default)]
    initial_cluster: String,
}

struct BackupCheck;

impl Module for BackupCheck {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let backup = Backup::from_call(&call).await?;
            backup.confirmed(call.text("confirm"))?;
            let mut result = Map::new();
            result.insert("manifest".to_owned(), json!(backup.manifest));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}

struct EtcdRestore;

impl Module for EtcdRestore {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let backup = Backup::from_call(&call).await?;
            backup.confirmed(call.text("confirm"))?;
            let hosts = call.fleet.hosts();
            let before: Vec<String> = hosts.iter().take_while(|host| *host != call.host).cloned().collect();
            if call.text("phase") == Some("check") {
                stopped::whole_cluster(&call, &backup).await?;
                return Ok(Outcome::default());
            }
            let restore = Restore { call: &call, backup: &backup, last: hosts.last().is_some_and(|h| h == call.host) };
            if restore.backup.is_snapshot() {
                return restore.of_snapshot(&before).await;
            }
            if before.is_empty() { restore.first().await } else { restore.join(&before).await }
        })
    }
}

/// One host's part.
struct Restore<'c> {
    call: &'c Call<'c>,
    backup: &'c Backup,
    /// Whether all other hosts are done.
    last: bool,
}

impl Restore<'_> {
    fn host(&self) -> &str {
        self.call.host
    }

    fn unit(&self) -> &str {
        self.call.text("unit").unwrap_or("etcd")
    }

    /// How long one start may take: 1 MB/s to replay or to be sent the data, a fifth of what an old disk under load gives, and two
    /// minutes for elections.
    fn deadline(&self) -> Duration {
        Duration::from_secs(120 + self.backup.unpacked / 1_000_000)
    }

    fn begins(&self, act: String) -> Result<(), Failure> {
        (self.call.say)(Kind::ActBegins { host: self.host().to_owned(), act })
    }

    fn progress(&self, text: String) -> Result<(), Failure> {
        let (host, act) = (self.host().to_owned(), "restore".to_owned());
        (self.call.say)(Kind::Progress { host, act, text, done: None, total: None })
    }

    fn would(&self) -> Outcome {
        Outcome { changed: true, ..Outcome::default() }
    }

    fn done(&self, restored: &Restored, aside: &str) -> Outcome {
        let mut result = Map::new();
        result.insert("ansible_facts".to_owned(), json!({ "etcd_restore": restored }));
        result.insert("aside".to_owned(), json!(aside));
        Outcome { changed: true, result, ..Outcome::default() }
    }

    /// A failure after which the host's etcd does not run, with what to do about it.
    fn fell(&self, failure: Failure, aside: &str) -> Failure {
        let old = if aside.is_empty() { String::new() } else { format!("its old data lies in {aside}; ") };
        let host = self.host();
        let msg = format!("{}\n{old}to try again, stop etcd on all hosts and run the playbook again", failure.msg);
        Failure { msg: if msg.starts_with(host) { msg } else { format!("{host}: {msg}") }, ..failure }
    }
}

fn failed(host: &str, what: impl std::fmt::Display) -> Failure {
    Failure::new(Fault::Failed, format!("{host}: {what}"))
}
