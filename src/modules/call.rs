//! How the engine calls a module, and what a module answers.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::events::{Diff, Fault, Kind};
use crate::transport::BoxFuture;

/// A module: what a task's name stands for.
pub trait Module: Send + Sync {
    /// Does it, or in a check run says what it would do.
    ///
    /// # Errors
    /// When it failed; the failure says which kind and carries what is registered.
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>>;
}

/// What a module that did not fail answers.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether anything was (in a check run: would be) changed.
    pub changed: bool,
    /// Why it was skipped, if it was.
    pub skipped: Option<String>,
    /// The return values beside `changed`, `failed` and `skipped`; `ansible_facts` become facts of the host.
    pub result: Map<String, Value>,
    /// What changed.
    pub diff: Vec<Diff>,
}

/// Why a module failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The kind, which decides the exit code.
    pub fault: Fault,
    /// What failed and where, expected and found, the host's state, what to do next: at most four lines.
    pub msg: String,
    /// Return values beside `msg`.
    pub result: Map<String, Value>,
    /// Whether a link that was cut is all that is wrong: what was begun over it may go well over the next one. Never so of a login, a host key
    /// or a password that was refused, which are not shown a second time.
    pub lost: bool,
}

/// The other hosts of the play, for modules that look at a whole cluster.
pub trait Fleet: Send + Sync {
    /// The hosts of the play in order, with those not yet in a batch and without those that failed.
    fn hosts(&self) -> Vec<String>;
    /// A variable of a host, rendered.
    fn var(&self, host: &str, name: &str) -> Option<Value>;
    /// A variable that opens doors, or what the operator gave in its place where the host has none.
    fn secret(&self, host: &str, name: &str) -> Option<SecretString>;
    /// What modules keep in memory for the whole run.
    fn kept(&self) -> &super::Kept;
    /// What may be asked of a host; connects if need be.
    fn probe<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<crate::remote::Probe, Failure>>;
}

/// One call of a module on one host.
pub struct Call<'a> {
    /// The host whose task it is.
    pub host: &'a str,
    /// The arguments, rendered and checked against the module's table row.
    pub args: Map<String, Value>,
    /// What may be asked of the host (of `delegate_to`'s, if set); answers nothing for a module that works on the
    /// control machine.
    pub probe: crate::remote::Probe,
    /// What may be done to it; `None` in a check run, so a check run cannot change anything.
    pub change: Option<crate::remote::Change>,
    /// The play's other hosts.
    pub fleet: &'a dyn Fleet,
    /// The host's variables, for modules that evaluate (`assert`, `debug`, `template`).
    pub scope: &'a dyn crate::playbook::Scope,
    /// The template engine.
    pub templates: &'a crate::playbook::Templates,
    /// The folder of the playbook: relative local paths start there.
    pub playbook_dir: &'a Path,
    /// This run's own folder on the control machine, for what the run keeps.
    pub run_dir: PathBuf,
    /// The run's ID.
    pub run: &'a str,
    /// How many times it has been begun on this host for this task, with this one: more than 1 where the connection was lost. What an
    /// earlier one began may be at work there still.
    pub attempt: u32,
    /// The run that it goes on with, which is dead.
    pub resumes: Option<&'a str>,
    /// Whether `--diff` was asked for.
    pub diff: bool,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// The arguments as written, for the places of expressions in them (`assert`).
    pub written: &'a crate::inventory::Node,
    /// Whether somebody asked the run to stop: a wait should end early and say so.
    pub stopping: &'a (dyn Fn() -> bool + Send + Sync),
    /// Says what goes on: `Progress`, `ActBegins` (on disk when it returns; in a check run `ActPlanned`), `PathFound`, `Warning`, `MemberRolled`, `ClusterUpgraded`, `ClusterDowngraded`, `BackupTaken`.
    pub say: &'a (dyn Fn(Kind) -> Result<(), Failure> + Send + Sync),
}

impl Call<'_> {
    /// An argument as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.args.get(name)?.as_str()
    }

    /// A bool argument, `false` if not given.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.args.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

impl Failure {
    /// A failure of that kind with no return values.
    #[must_use]
    pub fn new(fault: Fault, msg: impl Into<String>) -> Self {
        Self { fault, msg: msg.into(), result: Map::new(), lost: false }
    }

    /// That of a link that was cut.
    #[must_use]
    pub fn lost(msg: impl Into<String>) -> Self {
        Self { lost: true, ..Self::new(Fault::Unreachable, msg) }
    }

    /// The same with return values.
    #[must_use]
    pub fn with(mut self, result: Map<String, Value>) -> Self {
        self.result = result;
        self
    }
}

impl From<crate::remote::RemoteError> for Failure {
    /// A lost link and a refused login or `become` leave the host unreachable; anything else is a failed task.
    fn from(error: crate::remote::RemoteError) -> Self {
        use crate::remote::RemoteError;
        use crate::transport::ExecError;
        let fault = match &error {
            RemoteError::Exec(ExecError::Lost { .. } | ExecError::BecomeRefused { .. })
            | RemoteError::Become { .. } => Fault::Unreachable,
            RemoteError::Fenced { .. } => Fault::Locked,
            _ => Fault::Failed,
        };
        let lost = matches!(&error, RemoteError::Exec(ExecError::Lost { .. }));
        Self { lost, ..Self::new(fault, error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::RemoteError;
    use crate::transport::ExecError;

    #[test]
    fn a_password_that_was_refused_is_no_lost_link_though_both_leave_a_host_unreachable() {
        let (host, act) = (|| "h1".to_owned(), String::new);
        let lost = ExecError::Lost { host: host(), detail: act(), started: true };
        let wrong = ExecError::BecomeRefused { host: host() };
        let of = |error: RemoteError| {
            let failure = Failure::from(error);
            (failure.fault, failure.lost)
        };
        assert_eq!(of(lost.into()), (Fault::Unreachable, true));
        assert_eq!(of(wrong.into()), (Fault::Unreachable, false));
    }
}
