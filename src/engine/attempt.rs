//! One item of a task on one host: its condition, its tries, and what its result comes to.

use std::time::Duration;

use serde_json::Value;

use crate::events::{Fault, Kind, Status};
use crate::modules::Failure;
use crate::playbook::Expression;

use super::outcome::{TaskResult, halts};
use super::ready::Ready;
use super::scope::HostScope;

impl Ready<'_> {
    /// The result of a task whose condition does not hold; nothing if it holds.
    pub(super) fn skipped(&self, scope: &HostScope<'_>) -> Result<Option<TaskResult>, Failure> {
        let conditions: Vec<Expression> = self.chain.iter().flat_map(|d| d.when.iter().cloned()).collect();
        let verdict = self.engine.run.templates.judge(&conditions, scope);
        let verdict = verdict.map_err(|problem| Failure::new(Fault::Failed, problem.to_string()))?;
        for (index, kind) in &verdict.loose {
            if let Some(condition) = conditions.get(*index) {
                let (place, text) = (&condition.place, &condition.text);
                self.engine.warn_once(format!("{place}: the condition `{text}` gives {kind}, not true or false"));
            }
        }
        let unmet = verdict.unmet.and_then(|index| conditions.get(index));
        Ok(unmet.map(|condition| TaskResult::skipped(&condition.text)))
    }

    /// One item, or the task if it has no loop.
    pub(super) async fn one(&self, scope: &HostScope<'_>) -> TaskResult {
        match self.skipped(scope) {
            Ok(None) => {}
            Ok(Some(skipped)) => return skipped,
            Err(failure) => return TaskResult::from_answer(Err(failure)),
        }
        let mut end = match self.tries(scope) {
            Ok((retries, delay)) => self.until_it_holds(scope, retries, delay).await,
            Err(failure) => TaskResult::from_answer(Err(failure)),
        };
        match self.notifies(scope) {
            Ok(names) => end.notify = names,
            Err(failure) => return TaskResult::from_answer(Err(failure)),
        }
        end
    }

    async fn until_it_holds(&self, scope: &HostScope<'_>, retries: u32, delay: Duration) -> TaskResult {
        let mut attempt = 1;
        loop {
            let mut end = self.attempt(scope).await;
            if retries == 0 || end.status == Status::Unreachable || end.fault.is_some_and(halts) {
                return end;
            }
            end.result.insert("attempts".to_owned(), Value::from(attempt));
            match self.is_done(scope, &end) {
                Ok(true) => return end,
                Ok(false) => {}
                Err(failure) => return TaskResult::from_answer(Err(failure)),
            }
            if attempt > retries {
                // As Ansible counts: the number of retries, though it ran once more.
                end.result.insert("attempts".to_owned(), Value::from(retries));
                return failed(end, Fault::Failed);
            }
            let (host, task, left) = (scope.host.to_owned(), self.name.clone(), retries + 1 - attempt);
            if let Err(halt) = self.engine.emit(Kind::Retry { host, task, attempt, left }) {
                return TaskResult::failure(halt.fault, halt.reason);
            }
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.engine.interrupt.stopping() => return failed(end, Fault::Stopped),
            }
            attempt += 1;
        }
    }

    /// Whether `until` holds; without it, whether the task did not fail.
    fn is_done(&self, scope: &HostScope<'_>, end: &TaskResult) -> Result<bool, Failure> {
        if self.task.until.is_empty() {
            return Ok(!end.failed());
        }
        self.holds(&self.task.until, &self.with_result(scope, end))
    }

    fn holds(&self, conditions: &[Expression], scope: &HostScope<'_>) -> Result<bool, Failure> {
        let holds = self.engine.run.templates.holds(conditions, scope);
        holds.map_err(|problem| Failure::new(Fault::Failed, problem.to_string()))
    }

    /// The variables with the result under its name, for `until`, `changed_when` and `failed_when`.
    fn with_result<'s>(&self, scope: &HostScope<'s>, end: &TaskResult) -> HostScope<'s> {
        let mut scope = scope.clone();
        if let Some(name) = &self.task.register {
            scope.local.insert(name.clone(), Value::Object(end.result.clone()));
        }
        scope
    }

    /// One call of the module and the operator's word on its result.
    async fn attempt(&self, scope: &HostScope<'_>) -> TaskResult {
        let (answer, delegated_to) = self.call(scope).await;
        let mut end = TaskResult::from_answer(answer);
        end.delegated_to = delegated_to;
        self.learn(scope.host, &end);
        if matches!(end.status, Status::Ok | Status::Failed) && !end.fault.is_some_and(halts) {
            end = self.judged(scope, end);
        }
        end
    }

    /// `changed_when` first, then `failed_when`, each on the result so far.
    fn judged(&self, scope: &HostScope<'_>, mut end: TaskResult) -> TaskResult {
        if let Some(conditions) = &self.task.changed_when {
            match self.holds(conditions, &self.with_result(scope, &end)) {
                Ok(changed) => {
                    end.result.insert("changed".to_owned(), Value::from(changed));
                    end.result.insert("changed_when_result".to_owned(), Value::from(changed));
                }
                Err(failure) => return wrong(end, failure),
            }
        }
        let Some(conditions) = &self.task.failed_when else { return end };
        match self.holds(conditions, &self.with_result(scope, &end)) {
            Ok(is_failed) => {
                end.result.insert("failed_when_result".to_owned(), Value::from(is_failed));
                if is_failed {
                    let fault = end.fault.unwrap_or(Fault::Failed);
                    return failed(end, fault);
                }
                end.result.insert("failed".to_owned(), Value::from(false));
                end.status = Status::Ok;
                end.fault = None;
                end
            }
            Err(failure) => wrong(end, failure),
        }
    }

    /// Facts that a module found become the host's.
    fn learn(&self, host: &str, end: &TaskResult) {
        let Some(Value::Object(facts)) = end.result.get("ansible_facts") else { return };
        let sets = self.row.name == "set_fact";
        let keeps = sets
            && self
                .written
                .get("cacheable")
                .is_some_and(|node| crate::modules::arguments::boolean(&node.to_json()).unwrap_or(false));
        self.share(host, |host| {
            if sets {
                facts.iter().for_each(|(name, value)| self.engine.store.set(host, name, value.clone()));
            }
            if keeps || !sets {
                self.engine.store.learn(host, facts);
            }
        });
    }

    /// The handlers named by the task and its blocks, rendered.
    fn notifies(&self, scope: &HostScope<'_>) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for node in self.chain.iter().flat_map(|directives| &directives.notify) {
            match self.rendered(scope, node)? {
                Value::String(name) => names.push(name),
                Value::Array(list) => names.extend(list.iter().filter_map(|v| v.as_str().map(ToOwned::to_owned))),
                other => return Err(Failure::new(Fault::Failed, format!("`notify` must name a handler, not {other}"))),
            }
        }
        Ok(names)
    }
}

fn failed(mut end: TaskResult, fault: Fault) -> TaskResult {
    end.result.insert("failed".to_owned(), Value::from(true));
    end.status = Status::Failed;
    end.fault = Some(fault);
    end
}

/// The condition on the result could not be evaluated.
fn wrong(mut end: TaskResult, failure: Failure) -> TaskResult {
    end.result.insert("msg".to_owned(), Value::from(failure.msg));
    failed(end, failure.fault)
}
