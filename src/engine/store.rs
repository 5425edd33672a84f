//! What a run learns of its hosts: facts, and what tasks set and registered.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::playbook::Ready;

/// The variables that a run makes, by host; they last to its end.
#[derive(Debug, Default)]
pub(super) struct Store {
    hosts: RwLock<HashMap<String, Learned>>,
}

/// What was learned of one host.
#[derive(Clone, Debug, Default)]
struct Learned {
    /// From modules: level 11 of Ansible's precedence.
    facts: IndexMap<String, Value>,
    /// By `set_fact` and `register`: level 19.
    set: IndexMap<String, Value>,
    /// How often something was learned.
    changes: u64,
    /// What `hostvars` says of the host, until something more is learned.
    hostvars: Option<Ready>,
}

impl Store {
    /// Sets a variable of the host, as `set_fact` and `register` do.
    pub(super) fn set(&self, host: &str, name: &str, value: Value) {
        self.change(host, |learned| {
            learned.set.insert(name.to_owned(), value);
        });
    }

    /// Adds facts of the host.
    pub(super) fn learn(&self, host: &str, facts: &Map<String, Value>) {
        self.change(host, |learned| learned.facts.extend(facts.iter().map(|(k, v)| (k.clone(), v.clone()))));
    }

    /// What was set or registered under that name.
    pub(super) fn set_value(&self, host: &str, name: &str) -> Option<Value> {
        self.look(host, |learned| learned.set.get(name).cloned())
    }

    /// The fact of that name; `ansible_facts` is all of them.
    pub(super) fn fact(&self, host: &str, name: &str) -> Option<Value> {
        if name == "ansible_facts" {
            let all = |learned: &Learned| learned.facts.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            return Some(Value::Object(self.look(host, |learned| Some(all(learned))).unwrap_or_default()));
        }
        self.look(host, |learned| learned.facts.get(name).cloned())
    }

    /// All names known of the host.
    pub(super) fn names(&self, host: &str) -> Vec<String> {
        self.look(host, |learned| Some(learned.set.keys().chain(learned.facts.keys()).cloned().collect()))
            .unwrap_or_default()
    }

    fn change(&self, host: &str, act: impl FnOnce(&mut Learned)) {
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        let learned = hosts.entry(host.to_owned()).or_default();
        act(learned);
        learned.changes += 1;
        learned.hostvars = None;
    }

    /// What `hostvars` says of the host: as it was made the last time, unless something was learned since.
    pub(super) fn hostvars(&self, host: &str, make: impl FnOnce() -> Ready) -> Ready {
        if let Some(made) = self.look(host, |learned| learned.hostvars.clone()) {
            return made;
        }
        let before = self.look(host, |learned| Some(learned.changes));
        let made = make();
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        let learned = hosts.entry(host.to_owned()).or_default();
        // Something learned meanwhile is not in it.
        if before.unwrap_or_default() == learned.changes {
            learned.hostvars = Some(made.clone());
        }
        made
    }

    fn look<T>(&self, host: &str, read: impl FnOnce(&Learned) -> Option<T>) -> Option<T> {
        read(self.hosts.read().unwrap_or_else(PoisonError::into_inner).get(host)?)
    }
}
