//! What a run has come to: the fold of its events, and nothing else.

mod standing;

use std::collections::BTreeMap;
use std::time::Duration;

pub use standing::Standing;
use standing::{InHand, Turns};

use super::{Event, Fault, Kind, Status};

/// One host's line of the recap, counted as Ansible counts.
///
/// Source: ansible-core's strategy base class, read 2026-11-24: one per task and never per item; an ignored failure is
/// also `ok` (and `changed`, if it changed anything); a failed task never adds to `changed`; a rescued failure is no `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Tasks that ended well, those that changed something and ignored failures among them.
    pub ok: u32,
    /// Tasks that changed something.
    pub changed: u32,
    /// Tasks that did not reach the host.
    pub unreachable: u32,
    /// Tasks that failed and were neither ignored nor rescued.
    pub failed: u32,
    /// Tasks that were not run.
    pub skipped: u32,
    /// Failures that a block rescued.
    pub rescued: u32,
    /// Failures that `ignore_errors` or `ignore_unreachable` let pass.
    pub ignored: u32,
}

/// What one member's rolls came to: one transaction, or one for each round in which it had something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolled {
    /// The host.
    pub host: String,
    /// The member's name in the cluster.
    pub member: String,
    /// Its version before the first.
    pub from: String,
    /// Its version after the last.
    pub to: String,
    /// How long it did not answer, all in all.
    pub down: Duration,
    /// How the last ended, in a word.
    pub outcome: String,
    /// How many transactions it went through.
    pub rolls: u32,
}

/// A cluster whose members all run the new version, and which has agreed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The cluster's ID, in hex.
    pub cluster: String,
    /// How many members it has.
    pub members: u64,
    /// The version that all of them run.
    pub version: String,
    /// What the cluster agreed on, where there is such a thing.
    pub cluster_version: Option<String>,
    /// What may not come back from now on.
    pub forward_only: Option<String>,
}

/// A cluster whose members all run the lower version that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downgraded {
    /// The cluster's ID, in hex.
    pub cluster: String,
    /// How many members it has.
    pub members: u64,
    /// The version that all of them run.
    pub version: String,
}

/// A member that has written its database anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defragmented {
    /// The host.
    pub host: String,
    /// The member's name in the cluster.
    pub member: String,
    /// Bytes of the database before.
    pub before: u64,
    /// Bytes of it now.
    pub after: u64,
    /// How long the member was busy with it.
    pub took: Duration,
}

/// A backup that is complete and proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The host it is of.
    pub host: String,
    /// Where it lies on the control machine.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// How it was proven.
    pub proof: String,
}

/// Why the run stopped before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// The kind of fault.
    pub fault: Fault,
    /// Why, with numbers.
    pub reason: String,
    /// What to do next.
    pub next: String,
}

/// What is known of a run from the events so far; the same events always give the same state.
///
/// An event that was folded already (a replay) changes nothing, and nothing follows the run's last event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The run's ID, once it started.
    pub run: Option<String>,
    /// When it began.
    pub began: Option<jiff::Timestamp>,
    /// By which command it was begun; empty where it is not known.
    pub command: String,
    /// How it was asked for: the arguments, and the folder in which relative paths among them begin.
    pub invoked: Option<(Vec<String>, String)>,
    /// The run that it goes on with.
    pub resumes: Option<String>,
    /// The run of the playbook before, where its command runs several.
    pub follows: Option<String>,
    /// Which of its command's playbooks it is, from 1, where that is known.
    pub number: Option<u64>,
    /// The playbook's path.
    pub playbook: String,
    /// Whether it is a check run.
    pub check: bool,
    /// All hosts that plays may touch.
    pub hosts: Vec<String>,
    /// The recap: hosts that had a result, by name.
    pub recap: BTreeMap<String, Counters>,
    /// Members rolled, one entry each, in the order of their first roll.
    pub members: Vec<Rolled>,
    /// Clusters seen to be upgraded, each as it was seen last, in that order.
    pub upgraded: Vec<Upgraded>,
    /// Clusters that were taken down a version.
    pub downgraded: Vec<Downgraded>,
    /// Members that were defragmented, in order.
    pub defragmented: Vec<Defragmented>,
    /// Backups, in order.
    pub backups: Vec<Backup>,
    /// Warnings, in order.
    pub warnings: Vec<String>,
    /// Acts that began and of which no end was seen, by host: after a crash, what to look at first.
    pub open_acts: BTreeMap<String, String>,
    /// Why it stopped, if it did; of several reasons the gravest.
    pub halt: Option<Halt>,
    /// The exit code, if the last event is there.
    pub ended: Option<u8>,
    /// Since the run began, at the last event.
    pub elapsed: Duration,
    /// Events of a kind that this version does not know.
    pub unknown: u64,
    /// The task that was begun last.
    in_hand: Option<InHand>,
    /// Whose turn it was in a rolling play.
    turns: Turns,
    /// Failures that count, by host, in order.
    faults: BTreeMap<String, Vec<Fault>>,
    /// Reasons given for hosts that were not touched.
    reasons: Vec<(String, String)>,
    /// The number of the next event.
    next: u64,
}

impl State {
    /// The state after these events.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.fold(event);
        }
        state
    }

    /// Takes the next event in.
    pub fn fold(&mut self, event: &Event) {
        if event.seq < self.next || self.ended.is_some() {
            return;
        }
        self.next = event.seq + 1;
        self.elapsed = event.elapsed;
        self.follow_turns(&event.kind);
        // What an act came to is its end, though its task has not ended.
        if let Kind::MemberRolled { host, .. }
        | Kind::MemberDefragmented { host, .. }
        | Kind::BackupTaken { host, .. } = &event.kind
        {
            self.open_acts.remove(host);
        }
        match &event.kind {
            Kind::RunStarted { run, playbook, hosts, check, command, .. } => {
                self.run = Some(run.clone());
                self.began = Some(event.at);
                self.command.clone_from(command);
                self.playbook.clone_from(playbook);
                self.hosts.clone_from(hosts);
                self.check = *check;
            }
            Kind::Invoked { arguments, folder, resumes, follows, number } => {
                self.invoked = Some((arguments.clone(), folder.clone()));
                self.resumes.clone_from(resumes);
                self.follows.clone_from(follows);
                self.number = *number;
            }
            Kind::ActBegins { host, act } => {
                self.open_acts.insert(host.clone(), act.clone());
            }
            Kind::TaskEnded { host, status, changed, fault, .. } => self.task_ended(host, *status, *changed, *fault),
            Kind::Rescued { host } => self.rescued(host),
            Kind::MemberRolled { host, member, from, to, down, outcome } => self.rolled(Rolled {
                host: host.clone(),
                member: member.clone(),
                from: from.clone(),
                to: to.clone(),
                down: *down,
                outcome: outcome.clone(),
                rolls: 1,
            }),
            Kind::ClusterUpgraded { cluster, members, version, cluster_version, forward_only } => {
                self.upgraded(Upgraded {
                    cluster: cluster.clone(),
                    members: *members,
                    version: version.clone(),
                    cluster_version: cluster_version.clone(),
                    forward_only: forward_only.clone(),
                });
            }
            Kind::ClusterDowngraded { cluster, members, version } => {
                // What it may not come back to no longer holds, and of two steps down the last says all.
                self.upgraded.retain(|known| known.cluster != *cluster);
                self.downgraded.retain(|known| known.cluster != *cluster);
                let (cluster, version) = (cluster.clone(), version.clone());
                self.downgraded.push(Downgraded { cluster, members: *members, version });
            }
            Kind::MemberDefragmented { host, member, before, after, took } => self.defragmented.push(Defragmented {
                host: host.clone(),
                member: member.clone(),
                before: *before,
                after: *after,
                took: *took,
            }),
            Kind::BackupTaken { host, path, size, proof } => {
                self.backups.push(Backup { host: host.clone(), path: path.clone(), size: *size, proof: proof.clone() })
            }
            Kind::Warning { text } => self.warnings.push(text.clone()),
            Kind::Halted { fault, reason, next } => self.halted(*fault, reason, next),
            Kind::RunEnded { code, untouched } => {
                self.ended = Some(*code);
                self.reasons.clone_from(untouched);
            }
            Kind::Unknown => self.unknown += 1,
            Kind::PlayStarted { .. }
            | Kind::PlaySkipped { .. }
            | Kind::RoundStarted { .. }
            | Kind::BatchStarted { .. }
            | Kind::TurnEnded { .. }
            | Kind::GuardAsked { .. }
            | Kind::LocksTaken { .. }
            | Kind::WayChanged { .. }
            | Kind::ActPlanned { .. }
            | Kind::PathFound { .. }
            | Kind::TaskStarted { .. }
            | Kind::Progress { .. }
            | Kind::OptionRewritten { .. }
            | Kind::Retry { .. }
            | Kind::ItemEnded { .. } => {}
        }
    }

    /// A member that is rolled again keeps its place and where it came from.
    fn rolled(&mut self, new: Rolled) {
        let same = |known: &&mut Rolled| known.host == new.host && known.member == new.member;
        match self.members.iter_mut().find(same) {
            Some(known) => {
                known.to = new.to;
                known.down += new.down;
                known.outcome = new.outcome;
                known.rolls += new.rolls;
            }
            None => self.members.push(new),
        }
    }

    /// What may not come back after one step may not come back after the next either.
    fn upgraded(&mut self, mut new: Upgraded) {
        if let Some(at) = self.upgraded.iter().position(|known| known.cluster == new.cluster) {
            let known = self.upgraded.remove(at);
            new.forward_only = new.forward_only.or(known.forward_only);
        }
        self.upgraded.push(new);
    }

    fn task_ended(&mut self, host: &str, status: Status, changed: bool, fault: Option<Fault>) {
        self.open_acts.remove(host);
        let line = self.recap.entry(host.to_owned()).or_default();
        match status {
            Status::Ok => {
                line.ok += 1;
                line.changed += u32::from(changed);
            }
            Status::Ignored => {
                line.ok += 1;
                line.changed += u32::from(changed);
                line.ignored += 1;
            }
            Status::Skipped => line.skipped += 1,
            // Somebody asked the run to stop: nothing is wrong with the host, and what was changed until then stays changed.
            Status::Failed if fault == Some(Fault::Stopped) => line.changed += u32::from(changed),
            Status::Failed => line.failed += 1,
            Status::Unreachable => line.unreachable += 1,
        }
        let counts = match status {
            Status::Failed => fault.or(Some(Fault::Failed)),
            Status::Unreachable => fault.or(Some(Fault::Unreachable)),
            Status::Ok | Status::Skipped | Status::Ignored => None,
        };
        if let Some(fault) = counts {
            self.faults.entry(host.to_owned()).or_default().push(fault);
        }
    }

    fn rescued(&mut self, host: &str) {
        let line = self.recap.entry(host.to_owned()).or_default();
        line.rescued += 1;
        line.failed = line.failed.saturating_sub(1);
        if let Some(faults) = self.faults.get_mut(host) {
            faults.pop();
        }
    }

    fn halted(&mut self, fault: Fault, reason: &str, next: &str) {
        if self.halt.as_ref().is_some_and(|known| known.fault.gravest(fault) == known.fault) {
            return;
        }
        self.halt = Some(Halt { fault, reason: reason.to_owned(), next: next.to_owned() });
    }

    /// Whether the run's last event is there.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// The gravest fault so far: the halt's and those of tasks, unless they were rescued or ignored.
    #[must_use]
    pub fn worst(&self) -> Option<Fault> {
        let halt = self.halt.iter().map(|halt| halt.fault);
        self.faults.values().flatten().copied().chain(halt).reduce(Fault::gravest)
    }

    /// The exit code: what the last event says, else what the events so far come to.
    ///
    /// A run that has no last event and an act without an end is "not known yet", 13.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if let Some(code) = self.ended {
            return code;
        }
        let open = (!self.open_acts.is_empty()).then_some(Fault::OutcomeUnknown);
        self.worst().into_iter().chain(open).reduce(Fault::gravest).map_or(0, Fault::exit_code)
    }

    /// The hosts that were not touched, in the run's order, each with the reason if one was given.
    #[must_use]
    pub fn untouched(&self) -> Vec<(String, Option<String>)> {
        let reason_of = |host: &String| self.reasons.iter().find(|(name, _)| name == host).map(|(_, why)| why.clone());
        // A run that went well says itself whom it left out: a task that runs once has no line for those it stands for.
        let well = self.ended == Some(0);
        let silent = self.hosts.iter().filter(|host| !well && !self.recap.contains_key(*host));
        let mut all: Vec<_> = silent.map(|host| (host.clone(), reason_of(host))).collect();
        for (host, reason) in &self.reasons {
            if !all.iter().any(|(name, _)| name == host) {
                all.push((host.clone(), Some(reason.clone())));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests;
