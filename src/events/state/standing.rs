//! How far a run came with each host: what is to be looked at after it was killed, and what is left to do.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::events::{Fault, Kind};

/// From this exit code on, 128 and the signal's number, the run did not wait for what was at work.
const LET_GO: u8 = 128;

/// The outcome that `MemberRolled` has for a member that is on its old binary again.
const ROLLED_BACK: &str = "rolled back";

/// How far a run came with one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// All that was to be done on it was done.
    Done,
    /// An act was begun on it whose end is not known.
    InDoubt,
    /// It failed, or could not be reached.
    Failed,
    /// Something was done on it, and something is left to do.
    Begun,
    /// Its turn did not come: in a rolling play it was not taken down, elsewhere nothing was changed on it.
    Untouched,
}

impl Standing {
    /// In the order in which they are said.
    pub const ALL: [Self; 5] = [Self::Done, Self::InDoubt, Self::Failed, Self::Begun, Self::Untouched];

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::InDoubt => "in doubt",
            Self::Failed => "failed",
            Self::Begun => "begun",
            Self::Untouched => "untouched",
        }
    }
}

/// The task that was begun last, and what is known of its hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct InHand {
    name: String,
    /// Whether its start is the intent of all that it does.
    acts: bool,
    ended: BTreeSet<String>,
}

/// Whose turn it was in rolling plays: those in which the guard is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    /// The hosts of the play in hand.
    hosts: Vec<String>,
    /// Those of the batch in hand.
    batch: Vec<String>,
    /// Whether the play in hand is known to be a rolling one.
    rolling: bool,
    /// Whose turn it is.
    now: Option<String>,
    /// Whether anything was changed in it.
    changed: bool,
    /// Whether the run was stopped in it.
    stopped: bool,
    /// How many turns each host had, and how many it was to have.
    had: BTreeMap<String, (u64, u64)>,
}

impl Turns {
    /// The play in hand is a rolling one of so many rounds.
    fn of_rounds(&mut self, rounds: u64) {
        if !std::mem::replace(&mut self.rolling, true) {
            self.had.extend(self.hosts.iter().map(|host| (host.clone(), (0, rounds))));
        }
    }

    /// The turn in hand came to its end.
    fn close(&mut self) {
        if let Some((had, _)) = self.now.take().and_then(|host| self.had.get_mut(&host)) {
            *had += 1;
        }
    }
}

impl State {
    /// Keeps track of plays, turns and the task in hand.
    pub(super) fn follow_turns(&mut self, kind: &Kind) {
        let turns = &mut self.turns;
        match kind {
            Kind::PlayStarted { hosts, .. } => {
                turns.close();
                turns.hosts.clone_from(hosts);
                turns.batch.clone_from(hosts);
                turns.rolling = false;
                self.in_hand = None;
            }
            Kind::RoundStarted { of, .. } => {
                turns.close();
                turns.of_rounds(*of);
            }
            Kind::GuardAsked { host, verdict } => {
                turns.close();
                turns.of_rounds(1);
                turns.now = verdict.may.then(|| host.clone());
                turns.changed = false;
            }
            // Journals of before it was written down have the next one's beginning.
            Kind::TurnEnded { host } if turns.now.as_ref() == Some(host) => turns.close(),
            Kind::BatchStarted { hosts } => turns.batch.clone_from(hosts),
            // What is left of its turn only looks at it.
            Kind::MemberRolled { host, outcome, .. } if turns.now.as_ref() == Some(host) && outcome != ROLLED_BACK => {
                turns.close();
            }
            Kind::TaskStarted { name, acts, .. } => {
                self.in_hand = Some(InHand { name: name.clone(), acts: *acts, ended: BTreeSet::new() });
            }
            Kind::TaskEnded { host, changed, .. } => {
                turns.changed |= *changed && turns.now.as_ref() == Some(host);
                if let Some(task) = &mut self.in_hand {
                    task.ended.insert(host.clone());
                }
            }
            // Whoever has its turn then does not end it.
            Kind::Halted { .. } => turns.stopped = true,
            _ => {}
        }
    }

    /// What was begun on the host and not seen to end, in words.
    #[must_use]
    pub fn in_doubt(&self, host: &str) -> Option<String> {
        if let Some(act) = self.open_acts.get(host) {
            return Some(act.clone());
        }
        // A run that ended has waited for its task, unless it let go of it.
        let let_go = self.ended.is_none_or(|code| code >= LET_GO);
        let task = self.in_hand.as_ref().filter(|task| let_go && task.acts && !task.ended.contains(host))?;
        let takes_part = self.turns.batch.iter().any(|name| name == host) && !self.faults_of(host);
        takes_part.then(|| format!("the task `{}`", task.name))
    }

    /// How far the run came with the host.
    #[must_use]
    pub fn standing(&self, host: &str) -> Standing {
        let unknown = self.faults.get(host).is_some_and(|faults| faults.contains(&Fault::OutcomeUnknown));
        if unknown || self.in_doubt(host).is_some() {
            return Standing::InDoubt;
        }
        if self.faults_of(host) {
            return Standing::Failed;
        }
        let changed = self.recap.get(host).is_some_and(|line| line.changed > 0);
        if self.check {
            return Standing::Untouched;
        }
        if self.ended == Some(0) {
            let left_out = self.reasons.iter().any(|(name, _)| name == host);
            return if left_out { Standing::Untouched } else { Standing::Done };
        }
        // What a rolling play's hosts had done to them before it, files staged and backups taken, did not touch their members; but of a turn
        // that broke off without a word nobody knows how far it came.
        if let Some((had, of)) = self.turns.had.get(host) {
            let begun = if self.turns.stopped { self.turns.changed } else { changed };
            return match had {
                0 if self.turns.now.as_deref() == Some(host) && begun => Standing::Begun,
                0 => Standing::Untouched,
                had if had >= of => Standing::Done,
                _ => Standing::Begun,
            };
        }
        // Without a halt every host went through the plays to their end, unless the run let go of them.
        let by_itself = self.ended.is_some_and(|code| code < LET_GO);
        let went_on = by_itself && self.halt.is_none() && self.recap.contains_key(host);
        match changed {
            _ if went_on => Standing::Done,
            true => Standing::Begun,
            false => Standing::Untouched,
        }
    }

    /// The hosts of the run in its order, each with how far the run came with it.
    #[must_use]
    pub fn standings(&self) -> Vec<(String, Standing)> {
        self.hosts.iter().map(|host| (host.clone(), self.standing(host))).collect()
    }

    /// Whether the host has a fault of its own: a stop that was asked for is none.
    fn faults_of(&self, host: &str) -> bool {
        self.faults.get(host).is_some_and(|faults| faults.iter().any(|fault| *fault != Fault::Stopped))
    }
}
