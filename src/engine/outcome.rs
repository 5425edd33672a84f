//! What a task's result looks like when it is registered, and what a run's faults come to.

use serde_json::{Map, Value};

use crate::events::{Fault, Status};
use crate::modules::{Failure, Outcome};

use super::run::Halt;

/// What is said in place of a result with `no_log`.
const CENSORED: &str = "hidden because of no_log";

/// The worst of them, if there is any.
pub(super) fn worst(faults: &[Fault]) -> Option<Fault> {
    faults.iter().copied().reduce(Fault::gravest)
}

/// Whether a fault ends the whole run, whatever `ignore_errors` and `rescue` say: a member is, or may be, not well.
pub(super) fn halts(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::QuorumLost
            | Fault::MemberDown
            | Fault::OutcomeUnknown
            | Fault::RolledBack
            | Fault::ForwardOnly
            | Fault::Bug
            | Fault::Disk
            | Fault::Locked
            | Fault::Stopped
    )
}

/// One task's (or one loop item's) end on one host.
#[derive(Clone, Debug)]
pub(super) struct TaskResult {
    /// How it ended.
    pub(super) status: Status,
    /// What kind of failure.
    pub(super) fault: Option<Fault>,
    /// The result as registered.
    pub(super) result: Map<String, Value>,
    /// What changed, for `--diff`.
    pub(super) diff: Vec<crate::events::Diff>,
    /// On which other host it ran.
    pub(super) delegated_to: Option<String>,
    /// Handlers that it names, rendered; called if the whole task changed something.
    pub(super) notify: Vec<String>,
    /// Whether items of its loop were not begun because the run is to stop.
    pub(super) cut: bool,
}

impl TaskResult {
    /// Whether it changed anything.
    pub(super) fn changed(&self) -> bool {
        self.result.get("changed").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether it failed, ignored or not.
    pub(super) fn failed(&self) -> bool {
        self.result.get("failed").and_then(Value::as_bool).unwrap_or(false)
    }

    fn of(status: Status, fault: Option<Fault>, result: Map<String, Value>) -> Self {
        Self { status, fault, result, diff: Vec::new(), delegated_to: None, notify: Vec::new(), cut: false }
    }

    /// A module's answer.
    pub(super) fn from_answer(answer: Result<Outcome, Failure>) -> Self {
        match answer {
            Ok(outcome) => {
                let mut result = start(outcome.changed, false);
                if let Some(reason) = &outcome.skipped {
                    result.insert("skipped".to_owned(), Value::from(true));
                    if !outcome.result.contains_key("msg") && !outcome.result.contains_key("skipped_reason") {
                        result.insert("skip_reason".to_owned(), Value::from(reason.as_str()));
                    }
                }
                let status = if outcome.skipped.is_some() { Status::Skipped } else { Status::Ok };
                result.extend(outcome.result);
                let mut done = Self::of(status, None, with_lines(result));
                done.diff = outcome.diff;
                done
            }
            Err(failure) if failure.fault == Fault::Unreachable || failure.fault == Fault::HostKey => {
                Self::unreachable(failure.fault, &failure.msg)
            }
            Err(failure) => {
                let mut result = start(false, true);
                result.extend(failure.result);
                result.insert("msg".to_owned(), Value::from(failure.msg));
                Self::of(Status::Failed, Some(failure.fault), with_lines(result))
            }
        }
    }

    /// A failure of that kind before any module ran.
    pub(super) fn failure(fault: Fault, msg: impl Into<String>) -> Self {
        Self::from_answer(Err(Failure::new(fault, msg)))
    }

    /// The host was not reached.
    pub(super) fn unreachable(fault: Fault, msg: &str) -> Self {
        let mut result = start(false, false);
        result.insert("unreachable".to_owned(), Value::from(true));
        result.insert("msg".to_owned(), Value::from(msg));
        Self::of(Status::Unreachable, Some(fault), result)
    }

    /// A condition did not hold.
    pub(super) fn skipped(false_condition: &str) -> Self {
        let mut result = start(false, false);
        result.insert("skipped".to_owned(), Value::from(true));
        result.insert("skip_reason".to_owned(), Value::from("Conditional result was False"));
        let condition = match false_condition {
            "false" | "False" => Value::from(false),
            text => Value::from(text),
        };
        result.insert("false_condition".to_owned(), condition);
        Self::of(Status::Skipped, None, result)
    }

    /// A loop over nothing.
    pub(super) fn no_items() -> Self {
        let why = Value::from("No items in the list");
        let mut result = start(false, false);
        result.insert("skipped".to_owned(), Value::from(true));
        result.insert("results".to_owned(), Value::Array(Vec::new()));
        result.insert("skip_reason".to_owned(), why.clone());
        result.insert("skipped_reason".to_owned(), why);
        Self::of(Status::Skipped, None, result)
    }

    /// A loop's end: changed or failed as any of its items, skipped if all were.
    pub(super) fn of_items(items: Vec<Self>) -> Self {
        let failed = items.iter().any(Self::failed);
        let skipped = items.iter().all(|item| item.status == Status::Skipped);
        let unreachable = items.iter().find(|item| item.status == Status::Unreachable);
        let mut result = start(items.iter().any(Self::changed), failed);
        let (status, msg) = match (unreachable, skipped, failed) {
            (Some(_), ..) => (Status::Unreachable, "All items completed"),
            (None, true, _) => (Status::Skipped, "All items skipped"),
            (None, _, true) => (Status::Failed, "One or more items failed"),
            _ => (Status::Ok, "All items completed"),
        };
        if status == Status::Skipped {
            result.insert("skipped".to_owned(), Value::from(true));
        }
        if let Some(item) = unreachable {
            result.insert("unreachable".to_owned(), Value::from(true));
            result.insert("msg".to_owned(), item.result.get("msg").cloned().unwrap_or_default());
        } else {
            result.insert("msg".to_owned(), Value::from(msg));
        }
        let faults: Vec<Fault> = items.iter().filter_map(|item| item.fault).collect();
        let mut all = Self::of(status, worst(&faults), Map::new());
        for item in items {
            all.diff.extend(item.diff);
            all.notify.extend(item.notify);
            all.delegated_to = item.delegated_to;
            let results = result.entry("results").or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(results) = results {
                results.push(Value::Object(item.result));
            }
        }
        all.result = result;
        all
    }

    /// A loop that was left because the run stops: the task is not done, and if no item failed that is all that is wrong.
    pub(super) fn cut_short(mut self, fault: Fault, why: &str, ended: usize, of: usize) -> Self {
        let msg = format!("{why}: {ended} of {of} items came to their end, the others were not begun");
        self.result.shift_remove("skipped");
        self.result.insert("failed".to_owned(), Value::from(true));
        self.result.insert("msg".to_owned(), Value::from(msg));
        self.status = Status::Failed;
        self.fault = self.fault.or(Some(fault));
        self.cut = true;
        self
    }

    /// What it says.
    pub(super) fn message(&self) -> &str {
        self.result.get("msg").and_then(Value::as_str).unwrap_or_default()
    }

    /// Why the run stops if this could not be written down: a failure is a failure also without the journal, and may be the graver one.
    pub(super) fn unwritten(&self, host: &str, secret: bool, halt: Halt) -> Halt {
        let said = if secret { CENSORED } else { self.message() };
        match self.fault {
            Some(fault) => Halt::of_host(fault, host, said).joined(halt),
            None => halt,
        }
    }

    /// The result as it may be shown of a task with `no_log`.
    pub(super) fn censored(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("censored".to_owned(), Value::from(CENSORED));
        for key in ["changed", "failed", "skipped", "unreachable"] {
            if let Some(flag) = self.result.get(key).filter(|value| value.is_boolean()) {
                shown.insert(key.to_owned(), flag.clone());
            }
        }
        shown
    }
}

fn start(changed: bool, failed: bool) -> Map<String, Value> {
    let mut result = Map::new();
    result.insert("changed".to_owned(), Value::from(changed));
    result.insert("failed".to_owned(), Value::from(failed));
    result
}

/// Adds `stdout_lines` and `stderr_lines` where there is output.
fn with_lines(mut result: Map<String, Value>) -> Map<String, Value> {
    for (key, lines_key) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
        if result.contains_key(lines_key) {
            continue;
        }
        if let Some(text) = result.get(key).and_then(Value::as_str) {
            let lines: Vec<Value> = text.lines().map(Value::from).collect();
            result.insert(lines_key.to_owned(), Value::Array(lines));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_quorum_wins_over_everything_and_unreachable_over_failed() {
        assert_eq!(worst(&[Fault::Failed, Fault::Unreachable]), Some(Fault::Unreachable));
        assert_eq!(worst(&[Fault::Stopped, Fault::MemberDown, Fault::QuorumLost]), Some(Fault::QuorumLost));
        assert_eq!(worst(&[]), None);
    }

    #[test]
    fn a_loop_that_is_cut_short_is_no_success_and_no_skip() {
        let items = vec![TaskResult::skipped("false"), TaskResult::skipped("false")];
        let cut = TaskResult::of_items(items).cut_short(Fault::Stopped, "asked to stop", 2, 5);
        assert_eq!((cut.status, cut.fault, cut.failed()), (Status::Failed, Some(Fault::Stopped), true));
        assert!(!cut.result.contains_key("skipped"), "{:?}", cut.result);
        let msg = "asked to stop: 2 of 5 items came to their end, the others were not begun";
        assert_eq!(cut.result["msg"], msg);
        let failed = vec![TaskResult::failure(Fault::Failed, "why")];
        let cut = TaskResult::of_items(failed).cut_short(Fault::Stopped, "asked to stop", 1, 2);
        assert_eq!((cut.fault, cut.cut), (Some(Fault::Failed), true), "the item failed, and that is not hidden");
    }

    #[test]
    fn a_skipped_result_says_which_condition() {
        let skipped = TaskResult::skipped("false");
        let keys: Vec<&String> = skipped.result.keys().collect();
        assert_eq!(keys, ["changed", "failed", "skipped", "skip_reason", "false_condition"]);
    }
}
