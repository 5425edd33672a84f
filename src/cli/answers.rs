//! What each host answered to one question. A question is a check run of one task, so nothing can be changed; nothing is done, so nothing
//! is journalled.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::arguments::{Connection, Output};
use super::exit::Exit;
use super::running::{self, OneTask, Passwords};
use crate::events::{Event, Kind, Sink, SinkError, Status};
use crate::inventory::Source;

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

/// All hosts', in the inventory's order, while the question goes round.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<Answer>>>);

impl Sink for Answers {
    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.kind {
            Kind::RunStarted { hosts, .. } => {
                answers.extend(hosts.iter().map(|host| Answer { host: host.clone(), told: None }));
            }
            Kind::TaskEnded { host, status, result, .. } => {
                if let Some(answer) = answers.iter_mut().find(|answer| answer.host == *host) {
                    answer.told = Some((*status, result.clone()));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Asks every host of the play; `what` is the command's name for it.
pub(super) fn asked(
    play: &Arc<Source>,
    what: &str,
    (connection, output): (&Connection, &Output),
    passwords: impl FnOnce(Passwords) -> Result<Passwords, Exit>,
) -> Result<Vec<Answer>, Exit> {
    let OneTask { run, state, gate, .. } =
        OneTask::new(play, what, (connection, output), |options| options.check = true)?;
    let passwords = passwords(running::passwords(connection)?)?;
    let answers = Answers::default();
    running::perform(&run, &state, &gate, passwords, Box::new(answers.clone()), Vec::new());
    let answers = std::mem::take(&mut *answers.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(answers)
}

/// A play of one task as root, whose files on hosts are root's. JSON is YAML.
pub(super) fn as_root(group: &str, task: &Value) -> Arc<Source> {
    let play = json!([{ "hosts": group, "gather_facts": false, "become": true, "tasks": [task] }]);
    Source::new("<command line>", play.to_string())
}
