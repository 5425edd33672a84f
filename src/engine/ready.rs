//! One task made ready for the hosts of a batch, and what it says that must be rendered for each host.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::events::{Fault, Kind, Status};
use crate::inventory::Node;
use crate::modules::arguments::{boolean, int};
use crate::modules::{Failure, Row};
use crate::playbook::{Directives, Task};

use super::fleet::PlayFleet;
use super::outcome::{TaskResult, halts};
use super::run::{Engine, Halt};
use super::scope::{HostScope, PlayScope};

/// A task with everything that it has in common on all hosts.
pub(super) struct Ready<'t> {
    pub(super) engine: &'t Engine<'t>,
    pub(super) play: PlayScope<'t>,
    /// The play, blocks outermost first, the task.
    pub(super) chain: &'t [&'t Directives],
    pub(super) task: &'t Task,
    pub(super) row: &'static Row,
    /// The arguments as written, `key=value` words taken out of free form text.
    pub(super) written: Node,
    /// Its name as shown.
    pub(super) name: String,
    /// Who gets what is registered, if not the host alone: `run_once`.
    pub(super) sharers: Option<&'t [String]>,
    /// Whether a failure to reach a host can't be ignored: a rolling play.
    pub(super) strict: bool,
    pub(super) fleet: PlayFleet<'t>,
}

type Pick = fn(&Directives) -> Option<&Node>;

impl<'t> Ready<'t> {
    /// The variables of `host` for this task.
    pub(super) fn scope(&self, host: &'t str, local: Map<String, Value>) -> HostScope<'t> {
        HostScope {
            play: Some(self.play),
            chain: self.chain.get(1..).unwrap_or_default(),
            local,
            ..HostScope::new(self.engine.run, &self.engine.store, host)
        }
    }

    /// What the innermost of task, blocks and play says, rendered.
    pub(super) fn said(&self, scope: &HostScope<'_>, pick: Pick) -> Result<Option<Value>, Failure> {
        let Some(node) = self.chain.iter().rev().find_map(|directives| pick(directives)) else { return Ok(None) };
        self.rendered(scope, node).map(Some)
    }

    pub(super) fn rendered(&self, scope: &HostScope<'_>, node: &Node) -> Result<Value, Failure> {
        let value = self.engine.run.templates.value(node, scope);
        value.map_err(|problem| Failure::new(Fault::Failed, problem.to_string()))
    }

    /// A bool directive; `false` if nobody says it.
    pub(super) fn flag(&self, scope: &HostScope<'_>, name: &str, pick: Pick) -> Result<bool, Failure> {
        match self.said(scope, pick)? {
            None | Some(Value::Null) => Ok(false),
            Some(value) => boolean(&value)
                .ok_or_else(|| Failure::new(Fault::Failed, format!("`{name}` must be yes or no, not {value}"))),
        }
    }

    /// A number of seconds, which may have a fraction.
    pub(super) fn seconds(value: &Value) -> Option<Duration> {
        let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
        Duration::try_from_secs_f64(seconds.max(0.0)).ok()
    }

    /// How many tries, and how long between them.
    pub(super) fn tries(&self, scope: &HostScope<'_>) -> Result<(u32, Duration), Failure> {
        // Ansible's defaults: 3 retries, 5 s between them (`playbook/task.py`, read 2026-11-24).
        let retries = match &self.task.retries {
            Some(node) => {
                let value = self.rendered(scope, node)?;
                let wrong = || Failure::new(Fault::Failed, format!("`retries` must be a whole number, not {value}"));
                int(&value).map(|n| u32::try_from(n.max(0)).unwrap_or(u32::MAX)).ok_or_else(wrong)?
            }
            None if self.task.until.is_empty() => 0,
            None => 3,
        };
        let delay = match &self.task.delay {
            Some(node) => {
                let value = self.rendered(scope, node)?;
                let wrong = || Failure::new(Fault::Failed, format!("`delay` must be seconds, not {value}"));
                Self::seconds(&value).ok_or_else(wrong)?
            }
            None => Duration::from_secs(5),
        };
        Ok((retries, delay))
    }

    /// The whole task on one host: loop, registering, and the event of its end.
    pub(super) async fn on_host(&self, host: &'t str, local: Map<String, Value>) -> Result<TaskResult, Halt> {
        let scope = self.scope(host, local);
        // What can't be rendered is kept secret: it may have been meant to be.
        let secret = self.flag(&scope, "no_log", |d| d.no_log.as_ref()).unwrap_or(true);
        let mut end = match &self.task.r#loop {
            Some(items) => self.each(&scope, items, secret).await?,
            None => self.one(&scope).await,
        };
        let ignored = self.ignores(&scope, &end);
        if let Some(name) = &self.task.register {
            self.share(host, |host| self.engine.store.set(host, name, Value::Object(end.result.clone())));
        }
        if ignored {
            end.status = Status::Ignored;
        }
        match self.tell(host, &end, secret, &scope) {
            Ok(()) => Ok(end),
            Err(halt) => Err(end.unwritten(host, secret, halt)),
        }
    }

    /// Calls `act` for the host, or for all that share a task that runs once.
    pub(super) fn share(&self, host: &str, mut act: impl FnMut(&str)) {
        match self.sharers {
            Some(hosts) => hosts.iter().for_each(|host| act(host)),
            None => act(host),
        }
    }

    /// Whether a failure counts as passed over. A member that may be down is never passed over, nor in a rolling play a
    /// host that is not reached.
    pub(super) fn ignores(&self, scope: &HostScope<'_>, end: &TaskResult) -> bool {
        if end.fault.is_some_and(halts) {
            return false;
        }
        match end.status {
            Status::Failed => self.flag(scope, "ignore_errors", |d| d.ignore_errors.as_ref()).unwrap_or(false),
            Status::Unreachable if self.strict => false,
            Status::Unreachable => {
                self.flag(scope, "ignore_unreachable", |d| d.ignore_unreachable.as_ref()).unwrap_or(false)
            }
            _ => false,
        }
    }

    fn tell(&self, host: &str, end: &TaskResult, secret: bool, scope: &HostScope<'_>) -> Result<(), Halt> {
        let diff_wanted = match self.said(scope, |d| d.diff.as_ref()) {
            Ok(Some(value)) => boolean(&value).unwrap_or(false),
            _ => self.engine.run.options.diff,
        };
        self.engine.progress(|progress| {
            // What runs once has run for all that it stands for.
            self.share(host, |host| {
                progress.touched.insert(host.to_owned());
            });
            progress.changed |= end.changed() && !self.engine.run.options.check;
        });
        self.engine.emit(Kind::TaskEnded {
            host: host.to_owned(),
            task: self.name.clone(),
            status: end.status,
            changed: end.changed(),
            fault: end.fault.filter(|_| end.status != Status::Ok),
            result: if secret { end.censored() } else { end.result.clone() },
            diff: if secret || !diff_wanted { Vec::new() } else { end.diff.clone() },
            delegated_to: end.delegated_to.clone(),
        })
    }
}
