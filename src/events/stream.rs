//! The events themselves, as they are written to the journal and to `--json`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One thing that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// From 0, without gaps.
    pub seq: u64,
    /// When, by this machine's clock.
    pub at: jiff::Timestamp,
    /// Since the run began, by the monotonic clock.
    pub elapsed: Duration,
    /// What.
    #[serde(flatten)]
    pub kind: Kind,
}

/// How a task ended on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Done, and `changed` says whether anything was.
    Ok,
    /// Not run; the reason is in the result.
    Skipped,
    /// Failed.
    Failed,
    /// Failed, and `ignore_errors` said to go on.
    Ignored,
    /// The host could not be reached.
    Unreachable,
}

/// What kind of failure it was: what decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A bug in quorate: 1.
    Bug,
    /// A task failed; every member that was up is up: 2.
    Failed,
    /// Refused before any change: 3.
    Refused,
    /// Host unreachable, login or become refused: 4.
    Unreachable,
    /// Input found wrong only at run time: 5.
    Input,
    /// Host key: 6.
    HostKey,
    /// Own disk or journal: 7.
    Disk,
    /// Locked by another run: 8.
    Locked,
    /// A member was rolled back to its old binary and is healthy: 10.
    RolledBack,
    /// A member is down or unhealthy, the quorum holds: 11.
    MemberDown,
    /// The quorum is lost or not known to hold: 12.
    QuorumLost,
    /// The outcome of a host's transaction is not known yet: 13.
    OutcomeUnknown,
    /// All members new, the finish is incomplete; forward only: 14.
    ForwardOnly,
    /// Stopped at a safe point because somebody asked: 20.
    Stopped,
}

impl Fault {
    /// The exit code of a run whose worst fault this is.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Bug => 1,
            Self::Failed => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::Input => 5,
            Self::HostKey => 6,
            Self::Disk => 7,
            Self::Locked => 8,
            Self::RolledBack => 10,
            Self::MemberDown => 11,
            Self::QuorumLost => 12,
            Self::OutcomeUnknown => 13,
            Self::ForwardOnly => 14,
            Self::Stopped => 20,
        }
    }

    /// What the exit code means, in a line.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Bug => "a bug in quorate",
            Self::Failed => "a host failed a task; every member that was up is up",
            Self::Refused => "refused before any change",
            Self::Unreachable => "a host unreachable, or login or become refused",
            Self::Input => "wrong input: usage, inventory or playbook",
            Self::HostKey => "a host key is unknown or changed",
            Self::Disk => "own disk or journal not writable",
            Self::Locked => "locked by another run",
            Self::RolledBack => "one member rolled back to its old binary and healthy; halted",
            Self::MemberDown => "one member down or unhealthy, the quorum holds",
            Self::QuorumLost => "quorum lost or not known to hold",
            Self::OutcomeUnknown => "the outcome on a host is not known yet",
            Self::ForwardOnly => "all members new, the finish incomplete; forward only",
            Self::Stopped => "stopped at a safe point",
        }
    }

    /// The graver of two: what the operator must hear of first decides the exit code.
    ///
    /// First how the cluster is now, by how soon somebody must look (12, 11, 13, 10, 14), then a stop that was asked for; then what
    /// stopped the run itself; then what single hosts did, where unreachable outweighs failed as in Ansible.
    #[must_use]
    pub fn gravest(self, other: Self) -> Self {
        if other.gravity() > self.gravity() { other } else { self }
    }

    fn gravity(self) -> u8 {
        match self {
            Self::QuorumLost => 13,
            Self::MemberDown => 12,
            Self::OutcomeUnknown => 11,
            Self::RolledBack => 10,
            Self::ForwardOnly => 9,
            Self::Stopped => 8,
            Self::Bug => 7,
            Self::Disk => 6,
            Self::HostKey => 5,
            Self::Unreachable => 4,
            Self::Locked => 3,
            Self::Input => 2,
            Self::Refused => 1,
            Self::Failed => 0,
        }
    }
}

/// What changed, for `--diff`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// What it is of: a path on the host.
    pub path: String,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
}

/// The guard's answer to "may this host be next?".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it may.
    pub may: bool,
    /// Why, with the numbers.
    pub reason: String,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStep {
    /// Its name: `2.0.5 -> 2.1.1`.
    pub name: String,
    /// Why it is there.
    pub why: String,
    /// Where the rule behind it is from, with the day it was read or seen; `None` where none is needed.
    pub source: Option<String>,
    /// What is done on all members before the next step, in words.
    pub then: Vec<String>,
    /// What can be undone in it and from where on nothing can, in words.
    pub back: String,
}

/// What happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Kind {
    /// The first of a run.
    RunStarted {
        /// The run's ID, a ULID.
        run: String,
        /// quorate's version.
        version: String,
        /// What is run: the playbook's path.
        playbook: String,
        /// All hosts of the inventory that plays may touch.
        hosts: Vec<String>,
        /// `--check`.
        check: bool,
        /// By which command: `run`, `plan`, `exec`. Empty in journals of before it was written down.
        #[serde(default)]
        command: String,
    },
    /// How the run was asked for, so that it can be asked for again.
    Invoked {
        /// quorate's arguments, its own name left out. No option takes a password.
        arguments: Vec<String>,
        /// The folder in which relative paths among them begin.
        folder: String,
        /// The run that this one goes on with, if it does.
        #[serde(default)]
        resumes: Option<String>,
        /// The run of the playbook before, where one command runs several one after the other.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        follows: Option<String>,
        /// Which of the playbooks among the arguments is run, from 1. Not in journals of before it was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
    },
    /// A play begins.
    PlayStarted {
        /// Its name.
        name: String,
        /// Its hosts, in order.
        hosts: Vec<String>,
    },
    /// A play has no hosts, or is not run; why.
    PlaySkipped {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The next round of a rolling play with `rounds:`; all its hosts have a turn in it.
    RoundStarted {
        /// Which, from 1.
        number: u64,
        /// Of how many.
        of: u64,
        /// Its item.
        item: Value,
    },
    /// The next batch of a play with `serial` or `rolling`.
    BatchStarted {
        /// Its hosts.
        hosts: Vec<String>,
    },
    /// The turn of a host in a rolling play came to its end, and nothing failed in it.
    TurnEnded {
        /// The host.
        host: String,
    },
    /// The guard was asked.
    GuardAsked {
        /// Of which host.
        host: String,
        /// Its answer.
        verdict: Verdict,
    },
    /// A task begins on the batch's hosts.
    TaskStarted {
        /// Its name, else its module.
        name: String,
        /// Its module.
        module: String,
        /// `path:line:col`.
        place: String,
        /// Whether it is a handler.
        handler: bool,
        /// Whether its start is the intent of all it does to hosts: a module that changes them and announces no act of its own.
        #[serde(default)]
        acts: bool,
    },
    /// The intent: on disk before the act, when the act changes a host.
    ActBegins {
        /// The host.
        host: String,
        /// The act in words: "stop, swap, start etcd".
        act: String,
    },
    /// The locks of these hosts were taken: no other run changes them until this one gives them back.
    LocksTaken {
        /// The hosts.
        hosts: Vec<String>,
    },
    /// A host is reached by another way than before, or than the one that is tried first.
    WayChanged {
        /// The host.
        host: String,
        /// The jump hosts of that way, with commas.
        through: String,
        /// What was seen of the jump hosts of the ways that were passed over: "bastion: 192.0.2.1:22: Connection refused".
        why: String,
    },
    /// What a check run or a plan would begin.
    ActPlanned {
        /// The host.
        host: String,
        /// The act in words, as [`Kind::ActBegins`] would have them.
        act: String,
    },
    /// The way of a whole system to the version that is wanted; each step is a round.
    PathFound {
        /// Its steps, in order; never none.
        steps: Vec<PathStep>,
    },
    /// How far a long act is.
    Progress {
        /// The host.
        host: String,
        /// The act in words: "upload".
        act: String,
        /// Where it is: "catching up, 1200 of 1500 entries".
        text: String,
        /// Done so far, where it can be counted.
        done: Option<u64>,
        /// Of how many.
        total: Option<u64>,
    },
    /// A task failed its `until` and is tried again.
    Retry {
        /// The host.
        host: String,
        /// The task.
        task: String,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// How many retries remain.
        left: u32,
    },
    /// One item of a loop is done.
    ItemEnded {
        /// The host.
        host: String,
        /// The item's label.
        item: Value,
        /// How it ended.
        status: Status,
        /// Whether it changed anything.
        changed: bool,
        /// The result as registered, censored if `no_log`.
        result: Map<String, Value>,
    },
    /// A task ended on a host.
    TaskEnded {
        /// The host.
        host: String,
        /// The task's name.
        task: String,
        /// How it ended.
        status: Status,
        /// Whether it changed anything.
        changed: bool,
        /// What kind of failure, if it failed.
        fault: Option<Fault>,
        /// The result as registered, censored if `no_log`.
        result: Map<String, Value>,
        /// What changed, if asked for.
        diff: Vec<Diff>,
        /// On which other host it ran.
        delegated_to: Option<String>,
    },
    /// A failure was rescued by its block.
    Rescued {
        /// The host.
        host: String,
    },
    /// What one member's roll came to.
    MemberRolled {
        /// The host.
        host: String,
        /// The member's name in the cluster.
        member: String,
        /// Its version before.
        from: String,
        /// Its version now.
        to: String,
        /// How long it did not answer.
        down: Duration,
        /// How it ended, in a word: "caught up", "rolled back".
        outcome: String,
    },
    /// All members run the new version and the cluster has agreed on it: only now is it upgraded.
    ClusterUpgraded {
        /// The cluster's ID, in hex.
        cluster: String,
        /// How many members it has; all of them run `version`.
        members: u64,
        /// The version that they run.
        version: String,
        /// What the cluster agreed on; none where the version knows no such agreement.
        cluster_version: Option<String>,
        /// What may not come back from now on, in words; none where the old binary still may.
        forward_only: Option<String>,
    },
    /// All members run the lower version that was asked for, and the cluster's downgrade has ended.
    ClusterDowngraded {
        /// The cluster's ID, in hex.
        cluster: String,
        /// How many members it has; all of them run `version`.
        members: u64,
        /// The version that they run.
        version: String,
    },
    /// A member has written its database anew.
    MemberDefragmented {
        /// The host.
        host: String,
        /// The member's name in the cluster.
        member: String,
        /// Bytes of the database before.
        before: u64,
        /// Bytes of it now.
        after: u64,
        /// How long the member was busy with it and answered nothing else.
        took: Duration,
    },
    /// An option of a member is said otherwise with the swap that follows; in a check run, it would be.
    OptionRewritten {
        /// The host.
        host: String,
        /// In which file, and what becomes of what.
        what: String,
    },
    /// A backup is complete and proven.
    BackupTaken {
        /// The host it is of.
        host: String,
        /// Where it lies on the control machine.
        path: String,
        /// Bytes.
        size: u64,
        /// How it was proven: "restored and opened by etcd 2.0.5, 3123 keys".
        proof: String,
    },
    /// Something the operator should know.
    Warning {
        /// What.
        text: String,
    },
    /// The run stops here; no later host is touched.
    Halted {
        /// The kind of fault.
        fault: Fault,
        /// Why, with numbers.
        reason: String,
        /// What to do next.
        next: String,
    },
    /// The last of a run.
    RunEnded {
        /// The exit code.
        code: u8,
        /// Hosts that were never touched, and why.
        untouched: Vec<(String, String)>,
    },
    /// Written by a newer quorate.
    #[serde(other)]
    Unknown,
}
