//! The hosts that go through a play together, list by list and block by block, in lock-step.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::events::{Fault, Kind};
use crate::playbook::{Block, Directives, Item, Play};
use crate::transport::BoxFuture;

use super::rounds::Turn;
use super::run::{Break, Engine, Planned};
use super::scope::{HostScope, Lists, PlayScope};

/// One batch on its way through a play.
pub(super) struct Batch<'b> {
    pub(super) engine: &'b Engine<'b>,
    pub(super) play: &'b Play,
    pub(super) planned: &'b Planned,
    /// In a rolling play, its host's turn.
    turn: Option<&'b Turn<'b>>,
    /// All its hosts, also those that failed in earlier plays: they keep their place, as in Ansible.
    pub(super) slots: Vec<String>,
    /// Hosts that failed and were not rescued: they take no more tasks but those of an `always` they are in.
    pub(super) doomed: BTreeSet<String>,
    /// Hosts that take no more part at all: not reached, or ended by `meta: end_host`.
    pub(super) gone: BTreeSet<String>,
    /// Hosts that this batch lost, for "did all of them fail?".
    pub(super) fell: BTreeSet<String>,
    /// Which handlers each host has notified, by their place in the play.
    pub(super) notified: BTreeMap<String, BTreeSet<usize>>,
    /// The handlers' names, rendered.
    pub(super) handler_names: Vec<String>,
    /// What failed last on a host, for its `rescue`.
    pub(super) failures: HashMap<String, (Value, Value)>,
}

/// How a list of tasks left the hosts.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    /// Hosts that failed, or are taken for failed with another.
    pub(super) failed: BTreeSet<String>,
    /// Those of them that failed themselves.
    pub(super) own: BTreeSet<String>,
    /// Whether `any_errors_fatal` makes the failure everybody's.
    pub(super) fatal: bool,
    /// The worst of their faults.
    pub(super) fault: Option<Fault>,
}

impl Ends {
    /// Takes in how a later part left them.
    pub(super) fn add(&mut self, other: Self) {
        self.failed.extend(other.failed);
        self.own.extend(other.own);
        self.fatal |= other.fatal;
        self.fault = self.fault.into_iter().chain(other.fault).reduce(Fault::gravest);
    }
}

/// The way from the play down to a task: whose directives it inherits.
pub(super) type Chain<'b> = Vec<&'b Directives>;

impl<'b> Batch<'b> {
    pub(super) fn new(
        engine: &'b Engine<'b>,
        play: &'b Play,
        planned: &'b Planned,
        turn: Option<&'b Turn<'b>>,
        slots: Vec<String>,
    ) -> Self {
        let mut batch = Self {
            engine,
            play,
            planned,
            turn,
            slots,
            doomed: BTreeSet::new(),
            gone: BTreeSet::new(),
            fell: BTreeSet::new(),
            notified: BTreeMap::new(),
            handler_names: Vec::new(),
            failures: HashMap::new(),
        };
        batch.handler_names = batch.render_handler_names();
        batch
    }

    /// The hosts that were well when the batch began.
    pub(super) fn able(&self) -> Vec<String> {
        self.engine.progress(|progress| {
            let lost = |host: &String| progress.failed.contains_key(host) || progress.unreachable.contains_key(host);
            self.slots.iter().filter(|host| !lost(host)).cloned().collect()
        })
    }

    /// The hosts of the play as tasks see them now.
    pub(super) fn lists(&self) -> Lists {
        let out = |host: &&String| !self.doomed.contains(*host) && !self.gone.contains(*host);
        self.engine.progress(|progress| {
            let well = |host: &&String| {
                out(host) && !progress.failed.contains_key(*host) && !progress.unreachable.contains_key(*host)
            };
            Lists {
                all: self.planned.hosts.clone(),
                live: self.planned.hosts.iter().filter(well).cloned().collect(),
                batch: self.slots.iter().filter(well).cloned().collect(),
            }
        })
    }

    pub(super) fn play_scope<'l>(&self, lists: &'l Lists) -> PlayScope<'l>
    where
        'b: 'l,
    {
        let (name, vars, files) = (&self.planned.name, &self.play.directives.vars, &self.planned.files);
        PlayScope { name, vars, files, lists, turn: self.turn }
    }

    /// The whole play: each section, and the handlers after it.
    pub(super) async fn perform(&mut self) -> Result<(), Break> {
        let play = self.play;
        for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
            let hosts: Vec<String> =
                self.able().into_iter().filter(|h| !self.doomed.contains(h) && !self.gone.contains(h)).collect();
            self.items(section, vec![&play.directives], hosts, false).await?;
            self.flush_section().await?;
        }
        Ok(())
    }

    /// Goes through a list; a host that fails in it takes no more of its tasks.
    pub(super) fn items<'s>(
        &'s mut self,
        items: &'b [Item],
        chain: Chain<'b>,
        hosts: Vec<String>,
        rescuable: bool,
    ) -> BoxFuture<'s, Result<Ends, Break>> {
        Box::pin(async move {
            let mut ends = Ends::default();
            for item in items {
                let live: Vec<String> = hosts
                    .iter()
                    .filter(|host| !ends.failed.contains(*host) && !self.gone.contains(*host))
                    .cloned()
                    .collect();
                if live.is_empty() {
                    break;
                }
                let end = match item {
                    Item::Task(task) => {
                        let mut chain = chain.clone();
                        chain.push(&task.directives);
                        self.task(task, &chain, &live, false, rescuable).await?
                    }
                    Item::Block(block) => self.block(block, &chain, live, rescuable).await?,
                };
                ends.add(end);
                if ends.fatal {
                    ends.failed.extend(hosts.iter().filter(|host| !self.gone.contains(*host)).cloned());
                    self.doom_with_others(&hosts, ends.fault.unwrap_or(Fault::Failed), rescuable);
                }
            }
            Ok(ends)
        })
    }

    async fn block(
        &mut self,
        block: &'b Block,
        chain: &Chain<'b>,
        hosts: Vec<String>,
        rescuable: bool,
    ) -> Result<Ends, Break> {
        let mut chain = chain.clone();
        chain.push(&block.directives);
        let has_rescue = !block.rescue.is_empty();
        let mut ends = self.items(&block.block, chain.clone(), hosts.clone(), rescuable || has_rescue).await?;
        if has_rescue && !ends.failed.is_empty() {
            let failed: Vec<String> = hosts.iter().filter(|host| ends.failed.contains(*host)).cloned().collect();
            for host in failed.iter().filter(|host| ends.own.contains(*host)) {
                self.engine.emit(Kind::Rescued { host: host.clone() })?;
            }
            ends = self.items(&block.rescue, chain.clone(), failed, rescuable).await?;
        }
        if !block.always.is_empty() {
            let left = hosts.into_iter().filter(|host| !self.gone.contains(host)).collect();
            let always = self.items(&block.always, chain, left, rescuable).await?;
            ends.add(always);
        }
        Ok(ends)
    }

    /// Takes hosts for failed: with `fault` those in it, and no more after this play.
    pub(super) fn doom(&mut self, host: &str, fault: Fault) {
        self.doomed.insert(host.to_owned());
        self.fell.insert(host.to_owned());
        self.engine.progress(|progress| {
            progress.failed.entry(host.to_owned()).or_insert(fault);
        });
    }

    /// `any_errors_fatal`: what fails one fails all, and is the same fault: a refusal stays a refusal.
    fn doom_with_others(&mut self, hosts: &[String], fault: Fault, rescuable: bool) {
        if rescuable {
            return;
        }
        for host in hosts {
            if !self.gone.contains(host) && !self.doomed.contains(host) {
                self.doom(host, fault);
                self.engine.progress(|progress| progress.with_others.insert(host.clone()));
            }
        }
    }

    /// A variable scope of a host with what a rescue may ask for.
    pub(super) fn failure_vars(&self, host: &str) -> serde_json::Map<String, Value> {
        let mut local = serde_json::Map::new();
        if let Some((task, result)) = self.failures.get(host) {
            local.insert("ansible_failed_task".to_owned(), task.clone());
            local.insert("ansible_failed_result".to_owned(), result.clone());
        }
        local
    }

    /// The variables that play keywords are rendered with: no host's.
    pub(super) fn keyword_scope<'l>(&self, lists: &'l Lists) -> HostScope<'l>
    where
        'b: 'l,
    {
        HostScope { play: Some(self.play_scope(lists)), ..HostScope::new(self.engine.run, &self.engine.store, "") }
    }
}
