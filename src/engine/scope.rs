//! The variables that a task sees on a host, in Ansible's order of precedence.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::inventory::{Entry, Node, Vars};
use crate::playbook::{Directives, Play, Ready, Scope, Variable};

use super::rounds::Turn;
use super::run::{Planned, Run};
use super::store::Store;

/// The hosts of the play as its tasks see them.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    /// `ansible_play_hosts_all`.
    pub(super) all: Vec<String>,
    /// `ansible_play_hosts`: those that did not fail.
    pub(super) live: Vec<String>,
    /// `ansible_play_batch`: those of this batch that did not fail.
    pub(super) batch: Vec<String>,
}

/// What all hosts of a play share.
#[derive(Clone, Copy)]
pub(super) struct PlayScope<'a> {
    pub(super) name: &'a str,
    pub(super) vars: &'a [Entry],
    /// What `vars_files` gave, by host.
    pub(super) files: &'a HashMap<String, Vars>,
    pub(super) lists: &'a Lists,
    /// In a rolling play, whose turn it is.
    pub(super) turn: Option<&'a Turn<'a>>,
}

/// What the hosts of a play share before it begins: none has failed, none is left out.
pub(super) fn before_play<T>(play: &Play, planned: &Planned, act: impl FnOnce(PlayScope<'_>) -> T) -> T {
    let hosts = || planned.hosts.clone();
    let lists = Lists { all: hosts(), live: hosts(), batch: hosts() };
    let vars = play.directives.vars.as_slice();
    act(PlayScope { name: &planned.name, vars, files: &planned.files, lists: &lists, turn: None })
}

/// The variables of one host, as one task (or none) sees them.
///
/// Lowest first: the inventory's, facts, the play's `vars`, `vars_files`, blocks' and the task's `vars`, what was set and
/// registered, `-e`, the magic names, and what belongs to the one item that is being run.
#[derive(Clone)]
pub(super) struct HostScope<'a> {
    pub(super) run: &'a Run,
    pub(super) store: &'a Store,
    pub(super) host: &'a str,
    pub(super) play: Option<PlayScope<'a>>,
    /// Blocks outermost first, then the task.
    pub(super) chain: &'a [&'a Directives],
    pub(super) local: Map<String, Value>,
    /// Whether `hostvars` is to be had; not in the variables that it is made of.
    pub(super) with_hostvars: bool,
}

const MAGIC: &[&str] = &[
    "inventory_hostname",
    "inventory_hostname_short",
    "inventory_dir",
    "inventory_file",
    "groups",
    "group_names",
    "hostvars",
    "playbook_dir",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_batch",
    "ansible_play_name",
    "ansible_check_mode",
    "ansible_diff_mode",
    "ansible_forks",
    "ansible_verbosity",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_limit",
    "quorate_run",
    "quorate_version",
];

/// The names that every host has without anybody defining them.
pub(super) fn built_in() -> impl Iterator<Item = &'static str> {
    // A rescue sees what failed; `ansible_facts` is always there, be it empty.
    MAGIC.iter().copied().chain([
        "ansible_facts",
        "ansible_failed_task",
        "ansible_failed_result",
        "ansible_host",
        "omit",
    ])
}

impl<'a> HostScope<'a> {
    /// The host's variables outside any play.
    pub(super) fn new(run: &'a Run, store: &'a Store, host: &'a str) -> Self {
        Self { run, store, host, play: None, chain: &[], local: Map::new(), with_hostvars: true }
    }

    fn magic(&self, name: &str) -> Option<Value> {
        let options = &self.run.options;
        let text = |path: &std::path::Path| Value::from(absolute(path).to_string_lossy().into_owned());
        Some(match name {
            "inventory_hostname" => Value::from(self.host),
            "inventory_hostname_short" => Value::from(self.host.split('.').next().unwrap_or_default()),
            "inventory_dir" => {
                let dir = self.run.inventory.inventory_dir(self.host);
                text(dir.or(options.inventory_dir.as_deref())?)
            }
            "inventory_file" => text(self.run.inventory.inventory_file(self.host)?),
            "groups" => self.run.inventory.groups().into_iter().map(|(k, v)| (k.to_owned(), Value::from(v))).collect(),
            "group_names" => Value::from(self.run.inventory.group_names_of(self.host)),
            "playbook_dir" => text(&options.playbook_dir()),
            "ansible_play_hosts" => Value::from(self.play?.lists.live.clone()),
            "ansible_play_hosts_all" => Value::from(self.play?.lists.all.clone()),
            "ansible_play_batch" => Value::from(self.play?.lists.batch.clone()),
            "ansible_play_name" => Value::from(self.play?.name),
            "ansible_check_mode" => Value::from(options.check),
            "ansible_diff_mode" => Value::from(options.diff),
            "ansible_forks" => Value::from(options.forks),
            "ansible_verbosity" => Value::from(options.verbosity),
            "ansible_run_tags" if options.tags.only.is_empty() => Value::from(vec!["all"]),
            "ansible_run_tags" => Value::from(options.tags.only.clone()),
            "ansible_skip_tags" => Value::from(options.tags.skip.clone()),
            "ansible_limit" => Value::from(options.limit.clone()?),
            "quorate_run" => Value::from(options.run.as_str()),
            "quorate_version" => Value::from(env!("CARGO_PKG_VERSION")),
            _ => return self.play?.turn?.value(name),
        })
    }

    /// The variables of every host outside plays: the inventory's, what was learned, and `-e`. One that can't be
    /// rendered is left out, so a template that asks for it fails by its name.
    fn hostvars(&self) -> Ready {
        let hosts = self.run.inventory.host_names().chain((!self.run.known(self.host)).then_some(self.host));
        Ready::of_entries(hosts.map(|host| (host.to_owned(), self.store.hostvars(host, || self.hostvars_of(host)))))
    }

    fn hostvars_of(&self, host: &str) -> Ready {
        let scope = HostScope { with_hostvars: false, ..HostScope::new(self.run, self.store, host) };
        let mut vars = Map::new();
        for name in scope.names() {
            let value = match scope.get(&name) {
                Some(Variable::Data(value)) => Some(value),
                Some(Variable::Ready(ready)) => Some(ready.to_data()),
                Some(Variable::Source(node)) => self.run.templates.value(&node, &scope).ok(),
                None => None,
            };
            vars.extend(value.map(|value| (name, value)));
        }
        Ready::of(&Value::Object(vars))
    }

    fn in_chain(&self, name: &str) -> Option<&Node> {
        self.chain.iter().rev().find_map(|directives| last(&directives.vars, name))
    }
}

/// The last entry of that name: a key given twice is refused elsewhere, merged lists keep the later one.
fn last<'e>(entries: &'e [Entry], name: &str) -> Option<&'e Node> {
    entries.iter().rev().find(|entry| entry.key == name).map(|entry| &entry.value)
}

fn absolute(path: &std::path::Path) -> std::path::PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

impl Scope for HostScope<'_> {
    fn get(&self, name: &str) -> Option<Variable> {
        let written = |node: &Node| Some(Variable::Source(node.clone()));
        if let Some(value) = self.local.get(name) {
            return Some(Variable::Data(value.clone()));
        }
        if name == "hostvars" && self.with_hostvars {
            return Some(Variable::Ready(self.hostvars()));
        }
        if let Some(value) = self.magic(name) {
            return Some(Variable::Data(value));
        }
        if let Some(node) = last(&self.run.options.extra, name) {
            return written(node);
        }
        if let Some(value) = self.store.set_value(self.host, name) {
            return Some(Variable::Data(value));
        }
        if let Some(node) = self.in_chain(name) {
            return written(node);
        }
        if let Some(play) = &self.play {
            let file = play.files.get(self.host).and_then(|vars| vars.get(name));
            if let Some(node) = file.or_else(|| last(play.vars, name)) {
                return written(node);
            }
        }
        if let Some(value) = self.store.fact(self.host, name) {
            return Some(Variable::Data(value));
        }
        if let Some(node) = self.run.vars_of(self.host).and_then(|vars| vars.get(name)) {
            return written(node);
        }
        // Whoever gives no address is reached by name; tasks see that, `hostvars` does not (ansible-core 2.19, tried).
        (name == "ansible_host" && self.play.is_some() && !self.host.is_empty())
            .then(|| Variable::Data(self.host.into()))
    }

    fn names(&self) -> Vec<String> {
        let keys = |entries: &[Entry]| entries.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>();
        let mut names: Vec<String> = self.local.keys().cloned().collect();
        names.extend(MAGIC.iter().filter(|name| **name != "hostvars" || self.with_hostvars).map(|n| (*n).to_owned()));
        names.extend(keys(&self.run.options.extra));
        names.extend(self.store.names(self.host));
        names.extend(self.chain.iter().flat_map(|directives| keys(&directives.vars)));
        if let Some(play) = &self.play {
            names.extend(keys(play.vars));
            names.extend(play.turn.iter().flat_map(|turn| turn.names()).map(ToOwned::to_owned));
            names.extend(play.files.get(self.host).into_iter().flat_map(|vars| vars.keys().cloned()));
        }
        names.extend(self.run.vars_of(self.host).into_iter().flat_map(|vars| vars.keys().cloned()));
        names.sort_unstable();
        names.dedup();
        names
    }
}
