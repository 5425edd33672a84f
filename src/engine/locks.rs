//! The locks of a run: every host of a roll is this run's from before the first task until after the last, or the run does not begin.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;

use crate::events::{Fault, Kind};
use crate::modules::{self, Failure};
use crate::playbook::{Play, Task};
use crate::remote::{Become, Change, Fence, Held, Holder, Lock, Probe, Renewed};

use super::batch::Batch;
use super::check::each;
use super::fleet::PlayFleet;
use super::outcome::worst;
use super::run::{Engine, Halt, Planned};

/// Between two signs of life. Nothing is decided by them but what a person reads, for whom four a minute are enough.
const RENEW: Duration = Duration::from_secs(15);
/// For giving a lock back, at the end of a run that somebody waits for: a login through a bastion and a command fit in many times.
const GIVE_BACK: Duration = Duration::from_secs(15);

/// Who runs quorate, for whoever finds their lock.
#[derive(Clone)]
pub struct Operator {
    /// The user's name.
    pub user: String,
    /// This machine's name.
    pub machine: String,
    /// When the run began: RFC 3339, in UTC, whole seconds.
    pub since: String,
    /// Whether the journal of a run, by its ID, is here, and no process of this machine is at it. Of a run of another machine that says
    /// nothing: a folder of journals may be a copy, or shared without its locks.
    pub is_over: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Operator {
    /// Whether the run that holds a lock is known for sure to be over: it was one of this machine, and its process is gone.
    fn knows_over(&self, holder: &Holder) -> bool {
        !self.machine.is_empty() && holder.from == self.machine && (self.is_over)(&holder.run)
    }

    /// What is to be done about a lock that is another's.
    fn next(&self, holder: &Holder) -> String {
        let Holder { run, from, .. } = holder;
        let elsewhere = from != &self.machine && (self.is_over)(run);
        let known = if elsewhere {
            format!("its journal here does not tell whether it is over, only {from} does: `quorate runs` there")
        } else {
            "its machine knows: `quorate runs` there".to_owned()
        };
        format!("wait for it; if it is gone for good ({known}), `quorate lock break --run {run}`")
    }
}

/// The locks that the run holds, by host.
#[derive(Default)]
pub(super) struct Locks {
    held: Mutex<BTreeMap<String, Taken>>,
    /// Which one is another's by now.
    lost: Mutex<Option<String>>,
}

struct Taken {
    lock: Lock,
    change: Change,
    /// As whom it was taken, and so as whom it can be read for sure.
    user: Option<String>,
}

/// A lock that the run needs.
struct Wanted<'p> {
    name: &'static str,
    play: &'p Play,
    planned: &'p Planned,
}

impl Locks {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Taken>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leave to change the host as that user for as long as its lock is ours; `None` where we hold none.
    pub(super) fn fence(&self, host: &str, user: Option<&Become>, run: &str) -> Option<Fence> {
        let held = self.held();
        let taken = held.get(host)?;
        (taken.user.as_deref() == user.map(|user| user.user.as_str())).then(|| taken.lock.fence(run))
    }

    /// All of them, by their hosts.
    fn all(&self) -> Vec<(String, Lock, Change)> {
        self.held().iter().map(|(host, of)| (host.clone(), of.lock.clone(), of.change.clone())).collect()
    }

    fn is_lost(&self, host: &str) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| host.to_owned());
    }

    /// A host whose lock is another's by now.
    pub(super) fn lost(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The lock that a play needs: its guard's, or that of a module of its tasks or handlers.
fn lock_of(play: &Play, guard: Option<&'static str>) -> Option<&'static str> {
    let mut name = guard;
    let mut every = |task: &Task| name = name.or(modules::find(&task.module).and_then(|row| row.lock));
    each(play, &mut every);
    play.handlers.iter().for_each(|handler| every(&handler.task));
    name
}

impl Engine<'_> {
    /// The hosts that must be this run's, in the order in which every run takes them; each with the first play that needs it.
    fn wanted(&self) -> BTreeMap<&str, Wanted<'_>> {
        let mut wanted = BTreeMap::new();
        for (play, planned) in self.run.playbook.plays.iter().zip(&self.run.plays) {
            let guard = play.rolling.as_ref().and_then(|rolling| self.run.options.guards.find(&rolling.guard));
            let Some(name) = lock_of(play, guard.and_then(crate::modules::guard::Guard::lock)) else { continue };
            for host in &planned.hosts {
                wanted.entry(host.as_str()).or_insert(Wanted { name, play, planned });
            }
        }
        wanted
    }

    /// Takes the locks of all hosts that can be reached, one after the other in the order of their names, so that of two runs one is
    /// first everywhere. A host that is silent now is asked for again before its roll begins.
    pub(super) async fn lock(&self) -> Result<(), Halt> {
        self.lock_hosts(None).await
    }

    /// The same for these hosts, of which none may be without.
    pub(super) async fn lock_all_of(&self, hosts: &[String]) -> Result<(), Halt> {
        self.lock_hosts(Some(hosts)).await
    }

    async fn lock_hosts(&self, only: Option<&[String]>) -> Result<(), Halt> {
        let mut wanted = self.wanted();
        wanted.retain(|host, _| only.is_none_or(|only| only.iter().any(|named| named == host)));
        wanted.retain(|host, _| !self.locks.held().contains_key(*host));
        // All logins at once; the locks then take as long as a question each.
        let reached: Vec<(&str, Result<Probe, Failure>)> =
            futures_util::stream::iter(wanted.iter().map(|(host, wanted)| self.door(host, wanted)))
                .buffered(self.run.options.forks.max(1))
                .collect()
                .await;
        let mut silent: Vec<Failure> = Vec::new();
        let mut taken: Vec<String> = Vec::new();
        for (host, probe) in reached {
            let Some(Wanted { name, .. }) = wanted.get(host) else { continue };
            let Some(lock) = Lock::named(name) else { continue };
            let answer = match probe {
                Ok(probe) => self.take(&probe, &lock).await,
                Err(failure) => Err(failure),
            };
            match answer {
                Ok(None) => taken.push(host.to_owned()),
                Ok(Some(held)) => return Err(self.held_by(host, &held)),
                Err(failure) if matches!(failure.fault, Fault::Unreachable | Fault::HostKey) => silent.push(failure),
                Err(failure) => return Err(not_taken(vec![failure])),
            }
        }
        if !taken.is_empty() && self.permit.is_some() {
            self.emit(Kind::LocksTaken { hosts: taken })?;
        }
        if only.is_some() && !silent.is_empty() { Err(not_taken(silent)) } else { Ok(()) }
    }

    async fn door<'h>(&self, host: &'h str, wanted: &Wanted<'_>) -> (&'h str, Result<Probe, Failure>) {
        let batch = Batch::new(self, wanted.play, wanted.planned, None, wanted.planned.hosts.clone());
        let lists = batch.lists();
        let directives = &wanted.play.directives;
        let fleet = PlayFleet { engine: self, play: batch.play_scope(&lists), directives };
        (host, fleet.reach_once(host).await)
    }

    /// Takes one lock; `Some` says who holds it instead. A check run only looks.
    async fn take(&self, probe: &Probe, lock: &Lock) -> Result<Option<Held>, Failure> {
        let host = probe.name();
        let Some(permit) = &self.permit else {
            if let Some(held) = probe.lock(lock).await? {
                self.warn_once(format!("{}; a run would be refused now", told(host, &held)));
            }
            return Ok(None);
        };
        let change = Change::new(probe.host().clone(), permit);
        let holder = self.holder();
        let mut held = change.take(lock, &holder, None).await?;
        if let Some(before) = held.clone().filter(|held| self.operator.knows_over(&held.holder)) {
            held = change.take(lock, &holder, Some(&before.holder.run)).await?;
            if held.is_none() {
                self.warn_once(format!("took over the locks of run {}, which is over", before.holder.run));
            }
        }
        if held.is_none() {
            let user = probe.host().user().map(str::to_owned);
            self.locks.held().insert(host.to_owned(), Taken { lock: lock.clone(), change, user });
        }
        Ok(held)
    }

    fn holder(&self) -> Holder {
        let options = &self.run.options;
        Holder {
            run: options.run.clone(),
            user: self.operator.user.clone(),
            from: self.operator.machine.clone(),
            since: self.operator.since.clone(),
            what: options.playbook.to_string_lossy().into_owned(),
        }
    }

    fn held_by(&self, host: &str, held: &Held) -> Halt {
        Halt { fault: Fault::Locked, reason: told(host, held), next: self.operator.next(&held.holder) }
    }

    /// Says every now and then, on all hosts, that the run is at work, and sees whether they still are its own.
    pub(super) async fn renew_locks(&self) -> u8 {
        loop {
            tokio::time::sleep(RENEW).await;
            let (locks, run) = (self.locks.all(), &self.run.options.run);
            let renewed = join_all(locks.iter().map(|(host, lock, change)| async move {
                // One that is not reached now is asked the next time; one that went with a boot is taken again before the next turn.
                matches!(change.renew(lock, run).await, Ok(Renewed::Lost)).then_some(host)
            }))
            .await;
            if let Some(host) = renewed.into_iter().flatten().next() {
                self.locks.is_lost(host);
            }
        }
    }

    /// Sees, before the guard is asked, that all locks are still the run's. One that went with a boot of its host is taken again, and then
    /// all are looked at once more, since another run may have got the rest; without that two members can be down (`tests/model.rs`). A
    /// host that does not answer is the guard's business.
    pub(super) async fn locks_hold(&self) -> Result<(), Halt> {
        let (held, run) = (self.locks.all(), &self.run.options.run);
        // Until no lock had to be taken again. Each host may have been booted once meanwhile; one that loses its lock again and again is lost.
        let mut tries = 0..=held.len();
        loop {
            let renewed = join_all(held.iter().map(|(_, lock, change)| change.renew(lock, run))).await;
            let mut again = false;
            for ((host, lock, change), renewed) in held.iter().zip(renewed) {
                match renewed {
                    Ok(Renewed::Ours) | Err(_) => {}
                    Ok(Renewed::Lost) => self.locks.is_lost(host),
                    Ok(Renewed::None) => {
                        again = true;
                        match change.take(lock, &self.holder(), None).await {
                            Ok(None) => self.warn_once(format!("{host} was booted anew; its lock was taken again")),
                            Ok(Some(_)) | Err(_) => self.locks.is_lost(host),
                        }
                    }
                }
            }
            if !again || self.locks.lost().is_some() {
                break;
            }
            if tries.next().is_none() {
                held.iter().for_each(|(host, ..)| self.locks.is_lost(host));
            }
        }
        self.stop_if_asked()
    }

    /// Gives all locks back. Where the outcome on a host is not known they stay, since something may be at work there still; the next run
    /// from this machine takes them over.
    pub(super) async fn give_locks_back(&self) {
        let held = std::mem::take(&mut *self.locks.held());
        let run = &self.run.options.run;
        let left = join_all(held.iter().map(|(host, of)| async move {
            let left = tokio::time::timeout(GIVE_BACK, of.change.leave(&of.lock, run)).await;
            let why = match left {
                Ok(Ok(_)) => return None,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("{host}: no answer within {} s", GIVE_BACK.as_secs()),
            };
            Some(format!("the lock on {host} is left there ({why}); the next run from this machine takes it over"))
        }))
        .await;
        left.into_iter().flatten().for_each(|text| self.warn_once(text));
    }
}

/// Who holds a lock, for people.
fn told(host: &str, held: &Held) -> String {
    let Holder { run, user, from, since, what } = &held.holder;
    if run.is_empty() {
        return format!("{host} is locked by somebody unknown: the lock's text is none of quorate's");
    }
    let silent = held.silent.as_secs();
    format!(
        "{host} is locked by run {run} of {user} on {from}, begun {since} ({what}); last sign of life {silent} s ago"
    )
}

fn not_taken(failures: Vec<Failure>) -> Halt {
    let faults: Vec<Fault> = failures.iter().map(|failure| failure.fault).collect();
    let reasons: Vec<String> = failures.into_iter().map(|failure| failure.msg).collect();
    Halt {
        fault: worst(&faults).unwrap_or(Fault::Failed),
        reason: format!("the lock was not taken: {}", reasons.join("; ")),
        next: "the roll was not begun; a lock needs root on the host (`become: true`) and room for a small file"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Source;
    use crate::playbook;

    #[test]
    fn a_lock_is_taken_over_only_from_a_run_of_this_machine() {
        let operator = Operator {
            user: "ops".to_owned(),
            machine: "bastion1".to_owned(),
            since: String::new(),
            is_over: Arc::new(|run| run != "01LIVES"),
        };
        let of = |run: &str, from: &str| Holder { run: run.to_owned(), from: from.to_owned(), ..Holder::default() };
        assert!(operator.knows_over(&of("01DEAD", "bastion1")));
        assert!(!operator.knows_over(&of("01LIVES", "bastion1")));
        // Its journal is here too, in a copy of the folder.
        let elsewhere = of("01DEAD", "bastion2");
        assert!(!operator.knows_over(&elsewhere));
        let next = operator.next(&elsewhere);
        assert!(next.contains("only bastion2 does") && next.contains("`quorate lock break --run 01DEAD`"), "{next}");
        assert!(!operator.next(&of("01LIVES", "bastion2")).contains("journal here"));
        // Where neither says its name nothing is known of either.
        let nameless = Operator { machine: String::new(), ..operator };
        assert!(!nameless.knows_over(&of("01DEAD", "")));
    }

    fn lock(play: &str) -> Option<&'static str> {
        let source = Source::new("pb.yml", format!("- hosts: all\n  {play}\n"));
        lock_of(&playbook::from_source(&source, &modules::vocabulary()).unwrap().plays[0], None)
    }

    #[test]
    fn a_play_needs_the_lock_of_a_module_wherever_in_it_that_stands() {
        assert_eq!(lock("tasks: [etcd_restore: {backup: b}]"), Some("etcd"));
        assert_eq!(lock("tasks: [{block: [debug: {}], always: [etcd_restore: {backup: b}]}]"), Some("etcd"));
        assert_eq!(lock("handlers: [{name: h, etcd_restore: {backup: b}}]"), Some("etcd"));
        assert_eq!(lock("tasks: [etcd_facts: {}]"), None);
    }
}
