//! One call of a module: arguments rendered, the host connected, the task's `become` and environment in force.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::events::{Fault, Kind};
use crate::inventory::connection::ConnectionVars;
use crate::modules::arguments::{boolean, complete};
use crate::modules::table::{CheckMode, Place};
use crate::modules::{Call, Failure, Outcome};
use crate::remote::{Become, Change, Probe, RemoteHost};

use super::connections::{NoSession, failure_of, target, variables};
use super::interrupt::Wish;
use super::ready::Ready;
use super::scope::HostScope;
use super::turns;

impl Ready<'_> {
    /// The module's answer, and the other host that gave it, if any.
    pub(super) async fn call(&self, scope: &HostScope<'_>) -> (Result<Outcome, Failure>, Option<String>) {
        let delegate = match self.said(scope, |d| d.delegate_to.as_ref()) {
            Ok(None | Some(Value::Null)) => None,
            Ok(Some(Value::String(host))) if host.is_empty() => None,
            Ok(Some(Value::String(host))) => Some(host),
            Ok(Some(other)) => {
                let msg = format!("`delegate_to` must be a host's name, not {other}");
                return (Err(Failure::new(Fault::Failed, msg)), None);
            }
            Err(failure) => return (Err(failure), None),
        };
        let (host, mut attempt) = (delegate.as_deref().unwrap_or(scope.host), 1);
        let mut lost = None;
        let answer = loop {
            let answer = self.call_on(scope, host, attempt).await;
            let Some(failure) = answer.as_ref().err().filter(|failure| failure.fault == Fault::Unreachable) else {
                break answer;
            };
            self.engine.connections.forget(host).await;
            let (since, why) = (*lost.get_or_insert_with(Instant::now), self.anew(failure));
            let may = self.row.begins_anew && failure.lost;
            if !may || !self.engine.connections.once_more(attempt, since, &why).await {
                break answer;
            }
            // Whatever the lost one did: "before any change" is not said any more.
            self.engine.progress(|progress| progress.changed |= !self.engine.run.options.check);
            attempt += 1;
        };
        (answer, delegate)
    }

    /// Why the task is begun anew, in a line.
    fn anew(&self, failure: &Failure) -> String {
        format!("{}; `{}` is begun anew", failure.msg.lines().next().unwrap_or_default(), self.row.name)
    }

    async fn call_on(&self, scope: &HostScope<'_>, host: &str, attempt: u32) -> Result<Outcome, Failure> {
        let Some(module) = self.row.module else {
            return Err(Failure::new(Fault::Bug, format!("`{}` is not a module that can be called", self.row.name)));
        };
        let args = match self.rendered(scope, &self.written)? {
            Value::Object(args) => complete(self.row, args)?,
            _ => complete(self.row, Map::new())?,
        };
        turns::hold(self.row, &args, self.play.turn, (scope.host, host))?;
        let checks = self.said(scope, |d| d.check_mode.as_ref())?.as_ref().and_then(boolean);
        if checks == Some(false) && self.engine.run.options.check && self.row.place == Place::Host {
            let place = &self.task.place;
            self.engine.warn_once(format!("{place}: `check_mode: false` has no effect: a check run changes nothing"));
        }
        let (probe, change) = self.reach(scope, host).await?;
        let change = change.filter(|_| checks != Some(true));
        if let CheckMode::Skipped(reason) = self.row.check
            && change.is_none()
        {
            return Ok(Outcome { skipped: Some(reason.to_owned()), ..Outcome::default() });
        }
        let say = |kind: Kind| self.engine.told(kind);
        let stopping = || self.engine.interrupt.wish() != Wish::None;
        let options = &self.engine.run.options;
        let playbook_dir = options.playbook_dir();
        let call = Call {
            host: scope.host,
            args,
            probe,
            change,
            fleet: &self.fleet,
            scope,
            templates: &self.engine.run.templates,
            playbook_dir: &playbook_dir,
            run_dir: options.run_dir.clone(),
            run: &options.run,
            attempt,
            resumes: options.resumes.as_deref(),
            diff: options.diff,
            verbosity: options.verbosity,
            written: &self.written,
            stopping: &stopping,
            say: &say,
        };
        let limit = self.said(scope, |d| d.timeout.as_ref())?.as_ref().and_then(Self::seconds);
        let answer = match limit {
            Some(limit) if !limit.is_zero() => match tokio::time::timeout(limit, module.run(call)).await {
                Ok(answer) => answer,
                Err(_) => Err(self.out_of_time(scope.host, limit)),
            },
            _ => module.run(call).await,
        };
        self.engine.progress(|progress| {
            progress.at_work.remove(scope.host);
            if answer.as_ref().is_err_and(|failure| failure.fault == Fault::OutcomeUnknown) {
                progress.in_doubt.insert(scope.host.to_owned());
            }
        });
        answer
    }

    /// The task is waited for no longer. What it has begun as an act goes on there, and nobody sees how it ends.
    fn out_of_time(&self, host: &str, limit: Duration) -> Failure {
        let mut result = Map::new();
        result.insert("timedout".to_owned(), Value::from(true));
        let msg = format!("the task did not end within its timeout of {} s", limit.as_secs_f64());
        let failure = match self.engine.progress(|progress| progress.at_work.get(host).cloned()) {
            None => Failure::new(Fault::Failed, msg),
            Some(act) => {
                let msg = format!(
                    "{msg}: on {host} it was begun to {act}; that goes on there by itself, and how it ends is not known\n\
                     no later host is touched; `quorate resume` sees to it and goes on"
                );
                Failure::new(Fault::OutcomeUnknown, msg)
            }
        };
        failure.with(result)
    }

    /// What may be asked of the host, and done to it.
    async fn reach(&self, scope: &HostScope<'_>, host: &str) -> Result<(Probe, Option<Change>), Failure> {
        if self.row.place == Place::Control {
            let nobody = RemoteHost::new(std::sync::Arc::new(NoSession(host.to_owned())));
            return Ok((Probe::new(nobody), None));
        }
        let there = HostScope { play: Some(self.play), ..HostScope::new(self.engine.run, &self.engine.store, host) };
        // The task's own variables count for its own host; a delegate has its own.
        let there = if host == scope.host { scope.clone() } else { there };
        let vars = variables(&there)?;
        let target = target(&there, &vars, self.chain)?;
        let session = self.engine.connections.session(target).await.map_err(|error| failure_of(&error))?;
        let r#become = self.becomes(scope, &vars)?;
        let fence = self.engine.locks.fence(host, r#become.as_ref(), &self.engine.run.options.run);
        let remote = RemoteHost::new(session).acting_as(r#become).with_environment(self.environment(scope)?);
        let change = self.engine.permit.as_ref().map(|permit| Change::new(remote.clone().fenced(fence), permit));
        Ok((Probe::new(remote), change))
    }

    /// As whom to act: the host's variables win over what play, blocks and task say, as in Ansible.
    fn becomes(&self, scope: &HostScope<'_>, vars: &ConnectionVars) -> Result<Option<Become>, Failure> {
        let wanted = match vars.escalation.enabled {
            Some(enabled) => enabled,
            None => {
                let said = self.said(scope, |d| d.r#become.as_ref())?.as_ref().and_then(boolean);
                said.unwrap_or(self.engine.run.options.r#become)
            }
        };
        if !wanted {
            return Ok(None);
        }
        if let Some(method) = self.said(scope, |d| d.become_method.as_ref())?
            && vars.escalation.method.is_none()
            && method != "sudo"
        {
            return Err(Failure::new(Fault::Failed, format!("become_method {method} is not there: only sudo is")));
        }
        let user = match &vars.escalation.user {
            Some(user) => Some(user.clone()),
            None => self.said(scope, |d| d.become_user.as_ref())?.and_then(|v| v.as_str().map(ToOwned::to_owned)),
        };
        let password = vars.escalation.password.clone().or_else(|| self.engine.connections.become_password.clone());
        Ok(Some(Become { user: user.unwrap_or_else(|| "root".to_owned()), password }))
    }

    /// `environment:` of play, blocks and task, the inner ones winning.
    fn environment(&self, scope: &HostScope<'_>) -> Result<Vec<(String, String)>, Failure> {
        let mut merged = indexmap::IndexMap::new();
        for node in self.chain.iter().flat_map(|directives| &directives.environment) {
            let maps = match self.rendered(scope, node)? {
                Value::Array(maps) => maps,
                map => vec![map],
            };
            for map in maps {
                let Value::Object(map) = map else {
                    return Err(Failure::new(Fault::Failed, "`environment` must be a mapping or a list of mappings"));
                };
                for (name, value) in map {
                    merged.insert(name, value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned));
                }
            }
        }
        Ok(merged.into_iter().collect())
    }
}
