//! What each host answered to one question. A question is a check run of one task, so nothing can be changed; nothing is done, so nothing
//! is journalled.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::arguments::{Connection, Output};
use super::console;
use super::exit::{DETACHED, Exit};
use super::running::{self, OneTask, Passwords};
use super::signals::Signals;
use crate::events::{Event, Fault, Kind, Sink, SinkError, Status};
use crate::inventory::Source;
use crate::report::harmless;

/// One host's.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The host.
    pub(super) host: String,
    /// How the task ended there, and with what; `None` where it did not.
    pub(super) told: Option<(Status, Map<String, Value>)>,
}

impl Answer {
    /// What it returned, where all was well.
    pub(super) fn good(&self) -> Option<&Map<String, Value>> {
        self.told.as_ref().filter(|(status, _)| *status == Status::Ok).map(|(_, result)| result)
    }

    /// Why it did not, in words.
    pub(super) fn why_not(&self) -> &str {
        let msg = self.told.as_ref().and_then(|(_, result)| result.get("msg")).and_then(Value::as_str);
        msg.unwrap_or("no answer")
    }
}

/// What came of a question.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// All hosts' answers, in the inventory's order.
    pub(super) answers: Vec<Answer>,
    /// What went wrong, on hosts and with the question itself.
    faults: Vec<Fault>,
    /// How the question ended.
    exit: Option<Exit>,
}

impl Asked {
    /// The exit code, where something outweighs whatever the answers say: a question that somebody stopped, or that was wrong, is no word on
    /// the cluster, and another host key is looked into before anything else. The other faults are the command's to judge.
    fn outweighs(&self) -> Option<Exit> {
        if let Some(detached) = self.exit.filter(|exit| DETACHED.contains(&exit.0)) {
            return Some(detached);
        }
        // What is not asked any more, though nothing is wrong with it, somebody did not wait for.
        let left_out = self.exit == Some(Exit::DONE) && self.answers.iter().any(|answer| answer.told.is_none());
        let stopped = left_out.then_some(Fault::Stopped);
        let graver =
            |fault: &Fault| matches!(fault, Fault::Bug | Fault::Disk | Fault::Input | Fault::HostKey | Fault::Stopped);
        let of_hosts = self.faults.iter().copied().chain(stopped).filter(graver).reduce(Fault::gravest).map(Exit::from);
        of_hosts.or_else(|| {
            let own = [Fault::Bug, Fault::Disk, Fault::Input].map(Exit::from);
            self.exit.filter(|exit| own.contains(exit))
        })
    }

    /// Prints the answer; the exit code, `verdict` where nothing outweighs what the hosts said.
    pub(super) fn answer(&self, text: &str, verdict: impl FnOnce() -> Exit) -> Exit {
        let shown = console::answer(text);
        self.outweighs().unwrap_or_else(|| if shown == Exit::DONE { verdict() } else { shown })
    }

    /// Whether a host did not say what it was asked for.
    pub(super) fn some_silent(&self) -> bool {
        self.answers.iter().any(|answer| answer.good().is_none())
    }

    fn take(&mut self, kind: &Kind) {
        match kind {
            Kind::RunStarted { hosts, .. } => {
                self.answers.extend(hosts.iter().map(|host| Answer { host: host.clone(), told: None }));
            }
            Kind::TaskEnded { host, status, result, fault, .. } => {
                if let Some(answer) = self.answers.iter_mut().find(|answer| answer.host == *host) {
                    answer.told = Some((*status, result.clone()));
                }
                self.faults.extend(*fault);
            }
            Kind::Halted { fault, .. } => self.faults.push(*fault),
            _ => {}
        }
    }
}

/// Takes in what is said while the question goes round.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Asked>>);

impl Answers {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Answers {
    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        self.asked().take(&event.kind);
        Ok(())
    }
}

/// Asks every host of the play; `what` is the command's name for it.
pub(super) fn asked(
    play: &Arc<Source>,
    what: &str,
    (connection, output): (&Connection, &Output),
    passwords: impl FnOnce(Passwords) -> Result<Passwords, Exit>,
) -> Result<Asked, Exit> {
    let OneTask { run, state, gate, .. } =
        OneTask::new(play, what, (connection, output), |options| options.check = true)?;
    let passwords = passwords(running::passwords(connection)?)?;
    let answers = Answers::default();
    let interrupt = Signals::default().caught()?;
    let exit = running::perform(&run, &state, &gate, passwords, interrupt, (Box::new(answers.clone()), Vec::new()));
    let mut asked = std::mem::take(&mut *answers.asked());
    asked.exit = Some(exit);
    Ok(asked)
}

/// One JSON object a line, in which nothing that a host says acts on a terminal.
pub(super) fn json_lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().map(|row| harmless(&row.to_string()) + "\n").collect()
}

/// The whole ID of a run as hosts know it: they are asked for nothing shorter.
pub(super) fn whole_id(given: &str, told_by: &str) -> Result<String, Exit> {
    let wrong = format!("`{given}` is not a run's ID, which has 26 characters: {told_by}");
    ulid::Ulid::from_string(given).map(|id| id.to_string()).map_err(|_| running::refuse(Fault::Input, &wrong))
}

/// A play of one task as root, whose files on hosts are root's. JSON is YAML.
pub(super) fn as_root(group: &str, task: &Value) -> Arc<Source> {
    let play = json!([{ "hosts": group, "gather_facts": false, "become": true, "tasks": [task] }]);
    Source::new("<command line>", play.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question of which this is told, and which ended so.
    fn asked(kinds: &[Kind], exit: u8) -> Asked {
        let mut asked = Asked::default();
        kinds.iter().for_each(|kind| asked.take(kind));
        asked.exit = Some(Exit(exit));
        asked
    }

    fn began() -> Kind {
        Kind::RunStarted {
            run: String::new(),
            version: String::new(),
            playbook: String::new(),
            hosts: ["n1", "n2"].map(str::to_owned).to_vec(),
            check: true,
            command: String::new(),
        }
    }

    fn said(host: &str, fault: Option<Fault>) -> Kind {
        Kind::TaskEnded {
            host: host.to_owned(),
            task: String::new(),
            status: if fault.is_some() { Status::Unreachable } else { Status::Ok },
            changed: false,
            fault,
            result: Map::new(),
            diff: Vec::new(),
            delegated_to: None,
        }
    }

    #[test]
    fn another_host_key_and_a_wish_to_stop_outweigh_what_the_other_hosts_say() {
        let of = |kinds: &[Kind], exit| asked(&[&[began()], kinds].concat(), exit).outweighs().map(|exit| exit.0);
        assert_eq!(of(&[said("n1", None), said("n2", None)], 0), None);
        assert_eq!(of(&[said("n1", None), said("n2", Some(Fault::Unreachable))], 4), None);
        assert_eq!(of(&[said("n1", Some(Fault::HostKey)), said("n2", Some(Fault::Unreachable))], 6), Some(6));
        // Whatever a member of the cluster is, which decides how the question ends.
        assert_eq!(of(&[said("n1", Some(Fault::HostKey)), said("n2", Some(Fault::MemberDown))], 11), Some(6));
        assert_eq!(of(&[said("n1", Some(Fault::Input)), said("n2", Some(Fault::Failed))], 5), Some(5));
        let stopped = Kind::Halted { fault: Fault::Stopped, reason: String::new(), next: String::new() };
        assert_eq!(of(&[said("n1", Some(Fault::HostKey)), stopped], 20), Some(20));
        assert_eq!(of(&[said("n1", None)], 0), Some(20), "n2 was not asked any more");
        for code in [1, 5, 7, 130, 143] {
            assert_eq!(of(&[], code), Some(code));
        }
    }

    #[test]
    fn nothing_a_host_says_acts_on_the_terminal_as_json() {
        let line = json_lines([json!({ "a": "\u{7f} \u{9b}2J \u{202e}" })]);
        assert_eq!(line, "{\"a\":\"\\u007f \\u009b2J \\u202e\"}\n");
    }
}
