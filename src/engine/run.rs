//! A run: what was checked on paper, and then its plays one after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

use crate::events::{Emitter, Fault, Kind, SinkError};
use crate::inventory::{Inventory, Vars};
use crate::modules::{Failure, Kept};
use crate::playbook::{Playbook, Templates};
use crate::remote::Permit;
use crate::transport::Connector;

use super::connections::{Connections, Patience};
use super::interrupt::Interrupt;
use super::locks::{Locks, Operator};
use super::options::Options;
use super::outcome::worst;
use super::store::Store;

/// A playbook, an inventory and the operator's wishes, with nothing wrong on paper.
#[derive(Debug)]
pub struct Run {
    pub(super) playbook: Playbook,
    pub(super) inventory: Inventory,
    pub(super) options: Options,
    pub(super) templates: Templates,
    /// The inventory's variables of every host, merged.
    pub(super) vars: HashMap<String, Vars>,
    /// For each play, its hosts and what `vars_files` gave.
    pub(super) plays: Vec<Planned>,
    /// What is not wrong but the operator should know.
    pub(super) warnings: Vec<String>,
}

/// What preparation found out about one play.
#[derive(Debug, Default)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Its hosts, limited and in order.
    pub hosts: Vec<String>,
    /// Why it has none, if so.
    pub skipped: Option<String>,
    /// Variables from `vars_files`, by host.
    pub(super) files: HashMap<String, Vars>,
}

/// How long connections may take to be closed: a goodbye is one packet.
const CLOSES: Duration = Duration::from_secs(3);

/// What a run needs from outside while it works.
pub struct Means {
    /// Makes the sessions.
    pub connector: Arc<dyn Connector>,
    /// Numbers events and writes them, the journal first.
    pub emitter: Arc<Emitter>,
    /// Carries the wish to stop.
    pub interrupt: Interrupt,
    /// Login password that the operator typed (`--ask-pass`), for hosts without their own.
    pub login_password: Option<SecretString>,
    /// Become password that the operator typed (`--ask-become-pass`), for hosts without their own.
    pub become_password: Option<SecretString>,
    /// Who runs it.
    pub operator: Operator,
    /// Further secrets that the operator gave beside the inventory, by the variable that each stands for.
    pub secrets: BTreeMap<&'static str, SecretString>,
}

/// Why the run can't go on.
#[derive(Clone, Debug)]
pub(super) struct Halt {
    pub(super) fault: Fault,
    pub(super) reason: String,
    pub(super) next: String,
}

impl Halt {
    /// Because of what came to pass on a host: the first line of its message, with the host's name before it once. The whole was said where
    /// the task failed.
    pub(super) fn of_host(fault: Fault, host: &str, msg: &str) -> Self {
        let first = msg.lines().next().unwrap_or_default();
        let named = first.starts_with(&format!("{host}: "));
        let reason = if named { first.to_owned() } else { format!("{host}: {first}") };
        let next = match fault {
            Fault::Stopped => "run again when wanted",
            _ => "look at the cluster, then run again: every step is asked anew",
        };
        Self { fault, reason, next: next.to_owned() }
    }

    /// Two reasons to stop at once: the graver decides, with its next step, and both are said. Of two of the same kind one is enough.
    pub(super) fn joined(self, other: Self) -> Self {
        let (first, second) = if self.fault.gravest(other.fault) == self.fault { (self, other) } else { (other, self) };
        if first.fault == second.fault || first.reason.contains(&second.reason) {
            return first;
        }
        Self { reason: format!("{}; and {}", first.reason, second.reason), ..first }
    }
}

impl From<SinkError> for Halt {
    fn from(error: SinkError) -> Self {
        let next = "nothing more was changed; make room, then run again".to_owned();
        Self { fault: error.fault, reason: error.to_string(), next }
    }
}

/// How a play, a batch or a list of tasks was left before its end.
#[derive(Clone, Debug)]
pub(super) enum Break {
    /// `meta: end_batch`.
    Batch,
    /// `meta: end_play`.
    Play,
    /// The run stops here.
    Run(Halt),
}

impl From<Halt> for Break {
    fn from(halt: Halt) -> Self {
        Self::Run(halt)
    }
}

/// What the run has come to so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Hosts that failed, so take no part in later plays; and with what.
    pub(super) failed: HashMap<String, Fault>,
    /// Those among them that failed only because `any_errors_fatal` made another's failure theirs.
    pub(super) with_others: BTreeSet<String>,
    /// Hosts that were not reached, likewise.
    pub(super) unreachable: HashMap<String, Fault>,
    /// Hosts on which at least one task ran.
    pub(super) touched: BTreeSet<String>,
    /// Whether any host was changed.
    pub(super) changed: bool,
    /// How long the slowest turn of a host in a rolling play took.
    pub(super) slowest: Option<Duration>,
    /// What was begun on hosts and has not ended.
    pub(super) at_work: BTreeMap<String, String>,
    /// Hosts on which something may be at work still, since nobody saw how it ended.
    pub(super) in_doubt: BTreeSet<String>,
    /// Whether the play in hand was ended by `meta: end_play`.
    pub(super) play_ended: bool,
    /// Whether `--start-at-task` was reached.
    pub(super) started: bool,
    /// Warnings already given.
    warned: BTreeSet<String>,
    pub(super) halted: Option<Halt>,
}

/// A run at work.
pub(super) struct Engine<'r> {
    pub(super) run: &'r Run,
    pub(super) store: Store,
    pub(super) connections: Connections,
    pub(super) emitter: Arc<Emitter>,
    pub(super) interrupt: Interrupt,
    /// Leave to change hosts; a check run has none.
    pub(super) permit: Option<Permit>,
    pub(super) operator: Operator,
    pub(super) locks: Locks,
    /// What the operator gave beside the inventory.
    pub(super) secrets: BTreeMap<&'static str, SecretString>,
    /// What modules keep for each other.
    pub(super) kept: Kept,
    pub(super) progress: Mutex<Progress>,
}

impl Run {
    /// The inventory's variables of the host, if it is in the inventory or stands for this machine.
    pub(super) fn vars_of(&self, host: &str) -> Option<&Vars> {
        self.vars.get(host)
    }

    pub(super) fn known(&self, host: &str) -> bool {
        self.inventory.host(host).is_some()
    }

    /// Each play with its hosts, for `--list-hosts` and for showing what will be done.
    #[must_use]
    pub fn plays(&self) -> &[Planned] {
        &self.plays
    }

    /// The playbook.
    #[must_use]
    pub fn playbook(&self) -> &Playbook {
        &self.playbook
    }

    /// What is not wrong but the operator should know.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Does it, and says what happens; the exit code.
    ///
    /// A second signal leaves hosts as they are: what runs on them ends by itself.
    pub async fn execute(&self, means: Means) -> u8 {
        let (emitter, interrupt) = (Arc::clone(&means.emitter), means.interrupt.clone());
        let engine = Engine {
            run: self,
            store: Store::default(),
            connections: Connections::new(
                means.connector,
                means.login_password,
                means.become_password,
                Patience {
                    tries: self.options.connect_tries,
                    emitter: Arc::clone(&means.emitter),
                    interrupt: means.interrupt.clone(),
                    said: Mutex::default(),
                },
            ),
            emitter: means.emitter,
            interrupt: means.interrupt,
            // The one place where leave to change hosts is given.
            permit: (!self.options.check).then(Permit::of_a_real_run),
            operator: means.operator,
            locks: Locks::default(),
            secrets: means.secrets,
            kept: Kept::default(),
            progress: Mutex::new(Progress { started: self.options.start_at.is_none(), ..Progress::default() }),
        };
        let (code, over) = tokio::select! {
            code = engine.perform() => (code, engine.nothing_at_work(code)),
            code = engine.let_go(&interrupt) => (code, false),
            code = engine.renew_locks() => (code, false),
        };
        if over {
            engine.give_locks_back().await;
        }
        let untouched = engine.untouched();
        // The exit code is the answer even if the journal can't take it any more.
        let told = emitter.emit(Kind::RunEnded { code, untouched });
        // Who lets go does not wait for a login that is under way, which may take as long as its time-out.
        let _ = tokio::time::timeout(CLOSES, engine.connections.close()).await;
        match told {
            Err(error) if code == 0 => error.fault.exit_code(),
            _ => code,
        }
    }
}

impl Engine<'_> {
    pub(super) fn emit(&self, kind: Kind) -> Result<(), Halt> {
        Ok(self.emitter.emit(kind)?)
    }

    pub(super) fn progress<T>(&self, act: impl FnOnce(&mut Progress) -> T) -> T {
        act(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Warns, once in a run: hosts and items would say it again and again.
    pub(super) fn warn_once(&self, text: String) {
        if self.progress(|progress| progress.warned.insert(text.clone())) {
            // A journal that is broken says so at the task's end.
            let _ = self.emit(Kind::Warning { text });
        }
    }

    /// Answers the first signal, and waits for the second; the exit code.
    async fn let_go(&self, interrupt: &Interrupt) -> u8 {
        interrupt.stopping().await;
        self.warn_once("asked to stop: what is begun is finished first; ask once more to let go of it".to_owned());
        let code = interrupt.detached().await;
        for (host, act) in self.progress(|progress| std::mem::take(&mut progress.at_work)) {
            self.warn_once(format!(
                "let go of {host}, where it was begun to {act}: what runs there as a transaction comes to its end by itself; \
                 `quorate resume` sees to it and goes on"
            ));
        }
        code
    }

    async fn perform(&self) -> u8 {
        let end = self.all_plays().await;
        if let Err(halt) = end {
            self.progress(|progress| progress.halted = Some(halt.clone()));
            // Said to whoever still listens; a broken journal is the reason itself then.
            let Halt { fault, reason, next } = halt;
            let _ = self.emitter.emit(Kind::Halted { fault, reason, next });
        }
        self.progress(|progress| {
            let hosts = progress.failed.values().chain(progress.unreachable.values()).copied();
            let faults: Vec<Fault> = hosts.chain(progress.halted.as_ref().map(|halt| halt.fault)).collect();
            worst(&faults).map_or(0, |fault| match fault {
                // "Refused before any change" is said only if it is true.
                Fault::Refused if progress.changed => Fault::Failed.exit_code(),
                fault => fault.exit_code(),
            })
        })
    }

    /// Whether a run that ends with this code leaves nothing at work on any host, as far as it can know: another host's graver fault may
    /// stand before one whose outcome is not known.
    fn nothing_at_work(&self, code: u8) -> bool {
        code != Fault::OutcomeUnknown.exit_code() && self.progress(|progress| progress.in_doubt.is_empty())
    }

    async fn all_plays(&self) -> Result<(), Halt> {
        let options = &self.run.options;
        let hosts: BTreeSet<&String> = self.run.plays.iter().flat_map(|play| &play.hosts).collect();
        self.emit(Kind::RunStarted {
            run: options.run.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            playbook: options.playbook.to_string_lossy().into_owned(),
            hosts: hosts.into_iter().cloned().collect(),
            check: options.check,
            command: options.command.clone(),
        })?;
        self.emit(Kind::Invoked {
            arguments: options.arguments.clone(),
            folder: options.folder.to_string_lossy().into_owned(),
            resumes: options.resumes.clone(),
            follows: options.follows.clone(),
            number: options.number,
        })?;
        for warning in &self.run.warnings {
            self.emit(Kind::Warning { text: warning.clone() })?;
        }
        // Between two playbooks of one command somebody may have asked to stop.
        self.stop_if_asked()?;
        self.window_of_run()?;
        self.lock().await?;
        let mut plays = self.run.playbook.plays.iter().zip(&self.run.plays).peekable();
        while let Some((play, planned)) = plays.next() {
            if !self.play(play, planned).await? && plays.peek().is_some() {
                return Err(self.all_failed(&planned.hosts));
            }
        }
        Ok(())
    }

    fn untouched(&self) -> Vec<(String, String)> {
        let hosts: BTreeSet<&String> = self.run.plays.iter().flat_map(|play| &play.hosts).collect();
        self.progress(|progress| {
            let why = match &progress.halted {
                Some(halt) => halt.reason.clone(),
                None => "no task came to it".to_owned(),
            };
            let left = hosts.into_iter().filter(|host| !progress.touched.contains(*host));
            left.map(|host| (host.clone(), why.clone())).collect()
        })
    }

    /// Whether the journal takes what is told to it: nothing may begin on a host without that.
    pub(super) fn journal_stands(&self) -> Result<(), Halt> {
        Ok(self.emitter.stands()?)
    }

    /// Tells modules and guards what their word came to. An act that is announced must not begin without the journal; what is only told
    /// does not end what was begun before the journal failed: a member that is down is waited for. The task's own end fails then.
    pub(super) fn told(&self, kind: Kind) -> Result<(), Failure> {
        let act = match &kind {
            Kind::ActBegins { host, act } => Some((host.clone(), act.clone())),
            _ => None,
        };
        match (self.emit(kind), act) {
            (Err(halt), Some(_)) => return Err(Failure::new(halt.fault, halt.reason)),
            (Ok(()), Some((host, act))) => {
                self.progress(|progress| progress.at_work.insert(host, act));
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// The wish to stop, as a halt.
    pub(super) fn stop_if_asked(&self) -> Result<(), Halt> {
        if let Some(host) = self.locks.lost() {
            return Err(Halt {
                fault: Fault::Locked,
                reason: format!("the lock on {host} is no longer this run's: somebody broke it, or took it over"),
                next: "see who did, and run again; the act in hand was finished".to_owned(),
            });
        }
        if self.interrupt.wish() == super::interrupt::Wish::None {
            return Ok(());
        }
        Err(Halt {
            fault: Fault::Stopped,
            reason: "asked to stop; what was begun was finished".to_owned(),
            next: "run again when wanted".to_owned(),
        })
    }
}
