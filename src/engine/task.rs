//! One task on all hosts of a batch that are at it.

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::events::{Fault, Kind, Status};
use crate::inventory::Node;
use crate::modules::arguments::{boolean, int, written};
use crate::modules::{self, Failure};
use crate::playbook::{Directives, Task};
use crate::transport::BoxFuture;

use super::batch::{Batch, Ends};
use super::fleet::PlayFleet;
use super::outcome::{TaskResult, halts, worst};
use super::ready::Ready;
use super::run::{Break, Halt};
use super::scope::HostScope;

/// How the task ended on a host; nothing if it was not begun there.
type HostEnd = Result<Option<(String, TaskResult)>, Halt>;

/// How it ended on all of them.
#[derive(Debug, Default)]
struct AllEnds {
    results: Vec<(String, TaskResult)>,
    /// Whether it was not begun on one of them, or not with all items, because the run is to stop.
    left: bool,
    /// Why the run cannot go on, if it is for more than a result: of several reasons the gravest first.
    halt: Option<Halt>,
}

impl AllEnds {
    fn of(ends: Vec<HostEnd>) -> Self {
        let mut all = Self::default();
        for end in ends {
            match end {
                Ok(Some((host, end))) => {
                    all.left |= end.cut;
                    all.results.push((host, end));
                }
                Ok(None) => all.left = true,
                Err(halt) => all.halt = Some(joined(all.halt, halt)),
            }
        }
        all
    }
}

impl<'b> Batch<'b> {
    /// Runs the task on the hosts, so many at a time as `--forks` and `throttle` say, and takes in how they end.
    pub(super) async fn task(
        &mut self,
        task: &'b Task,
        chain: &[&'b Directives],
        hosts: &[String],
        handler: bool,
        rescuable: bool,
    ) -> Result<Ends, Break> {
        self.engine.stop_if_asked()?;
        let tags: Vec<&str> = chain.iter().flat_map(|d| &d.tags).map(String::as_str).collect();
        if !handler && (!self.engine.run.options.tags.select(&tags) || !self.reached(task)) {
            return Ok(Ends::default());
        }
        let Some(row) = modules::find(&task.module) else {
            let msg = format!("module `{}` is not there", task.module);
            return Err(bug(&msg).into());
        };
        if row.module.is_none() {
            return self.meta(task, chain, hosts, rescuable).await;
        }
        let (engine, lists) = (self.engine, self.lists());
        let play = self.play_scope(&lists);
        let mut ready = Ready {
            engine,
            play,
            chain,
            task,
            row,
            written: written(task, row),
            name: String::new(),
            sharers: None,
            strict: self.play.rolling.is_some(),
            fleet: PlayFleet { engine, play, directives: &self.play.directives },
        };
        let Some(first) = hosts.first() else { return Ok(Ends::default()) };
        let scope = ready.scope(first, self.failure_vars(first));
        ready.name = self.task_name(task, &scope);
        let once = row.once_per_batch || ready.flag(&scope, "run_once", |d| d.run_once.as_ref()).unwrap_or(false);
        if once {
            ready.sharers = Some(hosts);
        }
        let limit = self.width(&ready, &scope);
        self.engine.emit(Kind::TaskStarted {
            name: ready.name.clone(),
            module: task.module.clone(),
            place: task.place.to_string(),
            handler,
            acts: engine.permit.is_some() && row.acts_unannounced(),
        })?;
        let targets = if once { std::slice::from_ref(first) } else { hosts };
        let ends: Vec<HostEnd> = {
            let ready = &ready;
            let mut work: Vec<BoxFuture<'_, HostEnd>> = Vec::new();
            for host in targets {
                let local = self.failure_vars(host);
                work.push(Box::pin(async move {
                    // Asked to stop: what has begun is finished, nothing more begins.
                    if engine.stop_if_asked().is_err() {
                        return Ok(None);
                    }
                    // The end of another host may not have been written: then this one is not begun.
                    engine.journal_stands()?;
                    ready.on_host(host, local).await.map(|end| Some((host.clone(), end)))
                }));
            }
            futures_util::stream::iter(work).buffer_unordered(limit).collect().await
        };
        let name = ready.name.clone();
        let fatal = self.is_fatal(&ready, &scope);
        drop(ready);
        let AllEnds { results, left, mut halt } = AllEnds::of(ends);
        // First what the others came to: their failures count, whatever the run stops for.
        let taken = self.take_in(task, &name, hosts, results, once, fatal, rescuable);
        if left && let Err(stop) = self.engine.stop_if_asked() {
            halt = Some(joined(halt, stop));
        }
        match (halt, taken) {
            (None, taken) => taken,
            (Some(halt), Err(Break::Run(other))) => Err(other.joined(halt).into()),
            (Some(halt), _) => Err(halt.into()),
        }
    }

    /// How the results change the hosts' part in the play.
    #[expect(clippy::too_many_arguments, reason = "the parts of one task's end, which nobody else puts together")]
    fn take_in(
        &mut self,
        task: &Task,
        name: &str,
        hosts: &[String],
        results: Vec<(String, TaskResult)>,
        once: bool,
        fatal: bool,
        rescuable: bool,
    ) -> Result<Ends, Break> {
        let mut ends = Ends::default();
        let mut lost = false;
        let grave: Vec<Fault> = results.iter().filter_map(|(_, end)| end.fault).filter(|f| halts(*f)).collect();
        for (host, end) in &results {
            match end.status {
                Status::Failed => {
                    let told = json!({"name": name, "action": task.module});
                    self.failures.insert(host.clone(), (told, Value::Object(end.result.clone())));
                    ends.own.insert(host.clone());
                    let fault = end.fault.unwrap_or(Fault::Failed);
                    if once {
                        ends.failed.extend(hosts.iter().cloned());
                    } else {
                        ends.failed.insert(host.clone());
                    }
                    if !rescuable || halts(fault) {
                        self.doom(host, fault);
                    }
                }
                Status::Unreachable => {
                    lost = true;
                    let fault = end.fault.unwrap_or(Fault::Unreachable);
                    self.lose(host, fault);
                    if self.play.rolling.is_some() {
                        return Err(unreachable_in_roll(host, end, fault).into());
                    }
                }
                Status::Ok if end.changed() => self.notify(host, &end.notify)?,
                _ => {}
            }
        }
        let faults = |(_, end): &(String, TaskResult)| end.fault.filter(|_| is_lost(end.status));
        ends.fault = results.iter().filter_map(faults).reduce(Fault::gravest);
        if once && !rescuable {
            for host in &ends.failed.clone() {
                self.doom(host, ends.fault.unwrap_or(Fault::Failed));
            }
        }
        if let Some(fault) = worst(&grave) {
            return Err(self.grave(fault, &results).into());
        }
        ends.fatal = fatal && (lost || !ends.failed.is_empty());
        self.within_percentage()?;
        Ok(ends)
    }

    /// The host leaves the run.
    fn lose(&mut self, host: &str, fault: Fault) {
        self.gone.insert(host.to_owned());
        self.fell.insert(host.to_owned());
        self.engine.progress(|progress| {
            progress.unreachable.insert(host.to_owned(), fault);
        });
    }

    fn grave(&self, fault: Fault, results: &[(String, TaskResult)]) -> Halt {
        let of = results.iter().find(|(_, end)| end.fault == Some(fault));
        let (host, msg) = of.map(|(host, end)| (host.as_str(), end.message())).unwrap_or_default();
        Halt::of_host(fault, host, msg)
    }

    /// Stops the run once more of the batch failed than `max_fail_percentage` allows; as many as that is still allowed.
    fn within_percentage(&self) -> Result<(), Break> {
        let Some(node) = &self.play.max_fail_percentage else { return Ok(()) };
        let lists = self.lists();
        let value = self.engine.run.templates.value(node, &self.keyword_scope(&lists));
        let value = value.map_err(|problem| input(problem.to_string()))?;
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let percentage: f64 = match text.trim().trim_end_matches('%').parse() {
            Ok(number) => number,
            Err(_) => return Err(input(format!("max_fail_percentage must be a number, not {value}")).into()),
        };
        // Unreachable hosts are not counted, as in Ansible (its issue 56265, open on 2026-11-23).
        let (failed, all) = (self.doomed.len(), self.slots.len());
        let (Ok(part), Ok(whole)) = (u32::try_from(failed), u32::try_from(all)) else { return Ok(()) };
        if f64::from(part) * 100.0 <= percentage * f64::from(whole) {
            return Ok(());
        }
        Err(Halt {
            fault: Fault::Failed,
            reason: format!("{failed} of {all} hosts failed, more than the {percentage} % of max_fail_percentage"),
            next: "read why they failed; hosts not named in the recap were not touched".to_owned(),
        }
        .into())
    }

    fn width(&self, ready: &Ready<'_>, scope: &HostScope<'_>) -> usize {
        let throttle = ready.said(scope, |d| d.throttle.as_ref()).ok().flatten().as_ref().and_then(int);
        let throttle = throttle.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(usize::MAX);
        self.engine.run.options.forks.min(throttle).max(1)
    }

    fn is_fatal(&self, ready: &Ready<'_>, scope: &HostScope<'_>) -> bool {
        let said = match ready.said(scope, |d| d.any_errors_fatal.as_ref()) {
            Ok(Some(value)) => Some(value),
            _ => self.play.any_errors_fatal.as_ref().and_then(|node| ready.rendered(scope, node).ok()),
        };
        said.as_ref().and_then(boolean).unwrap_or(false)
    }

    /// The task's name as shown; as written where it can't be rendered.
    pub(super) fn task_name(&self, task: &Task, scope: &HostScope<'_>) -> String {
        let Some(node) = &task.name else { return task.module.clone() };
        self.rendered_name(node, scope)
    }

    pub(super) fn rendered_name(&self, node: &Node, scope: &HostScope<'_>) -> String {
        let value = self.engine.run.templates.value(node, scope).unwrap_or_else(|_| node.to_json());
        value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
    }

    /// Whether `--start-at-task` was reached, with this task perhaps.
    fn reached(&self, task: &Task) -> bool {
        self.engine.progress(|progress| {
            progress.started |= self.engine.run.options.start_at.as_deref().is_none_or(|name| starts_at(task, name));
            progress.started
        })
    }
}

/// Whether a task is meant by `--start-at-task`: its name as written, `*` and `?` standing for anything.
pub(super) fn starts_at(task: &Task, name: &str) -> bool {
    let own = task.name.as_ref().and_then(Node::as_str).unwrap_or(&task.module);
    own == name || wildmatch::WildMatch::new(name).matches(own)
}

fn joined(known: Option<Halt>, more: Halt) -> Halt {
    match known {
        Some(known) => known.joined(more),
        None => more,
    }
}

/// Whether a host that ended so takes no more tasks.
fn is_lost(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Unreachable)
}

fn unreachable_in_roll(host: &str, end: &TaskResult, fault: Fault) -> Halt {
    Halt {
        fault,
        reason: format!("{host} is not reached in the middle of a roll: {}", end.message()),
        next: "look at the host and its member; then run again: every host is asked anew".to_owned(),
    }
}

fn bug(msg: &str) -> Halt {
    Halt { fault: Fault::Bug, reason: msg.to_owned(), next: "please report this".to_owned() }
}

/// Input found wrong only now.
pub(super) fn input(reason: String) -> Halt {
    Halt { fault: Fault::Input, reason, next: "correct the playbook or the inventory, then run again".to_owned() }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self { fault: failure.fault, reason: failure.msg, next: "read the reason, then run again".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halt(fault: Fault, reason: &str) -> Halt {
        Halt { fault, reason: reason.to_owned(), next: format!("after {reason}") }
    }

    #[test]
    fn the_ends_of_all_hosts_count_whatever_the_first_one_says() {
        let failed = TaskResult::failure(Fault::Failed, "why");
        let ends = vec![
            Err(halt(Fault::Disk, "full")),
            Ok(Some(("h2".to_owned(), failed))),
            Ok(None),
            Err(halt(Fault::MemberDown, "h4: down")),
            Err(halt(Fault::Disk, "full")),
        ];
        let all = AllEnds::of(ends);
        assert_eq!((all.results.len(), all.left), (1, true));
        let halt = all.halt.unwrap();
        assert_eq!((halt.fault, halt.next.as_str()), (Fault::MemberDown, "after h4: down"));
        assert_eq!(halt.reason, "h4: down; and full");
    }

    #[test]
    fn an_end_that_could_not_be_written_is_still_what_it_was() {
        let down = TaskResult::failure(Fault::MemberDown, "h1: does not come up\nmore");
        let full = || halt(Fault::Disk, "full");
        let told = down.unwritten("h1", false, full());
        assert_eq!((told.fault, told.reason.as_str()), (Fault::MemberDown, "h1: does not come up; and full"));
        assert_eq!(down.unwritten("h1", true, full()).reason, "h1: hidden because of no_log; and full");
        let told = TaskResult::failure(Fault::Failed, "why").unwritten("h1", false, full());
        assert_eq!((told.fault, told.reason.as_str()), (Fault::Disk, "full; and h1: why"));
        assert_eq!(TaskResult::no_items().unwritten("h1", false, full()).reason, "full");
    }
}
