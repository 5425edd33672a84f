//! Whose word counts: levels 2 to 10 of Ansible's variable precedence, merged for one host.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use indexmap::IndexMap;

use super::hosts::{Group, Host, Inventory, Vars, VarsFiles, Warning};
use super::{Node, NodeValue, Place, ScalarStyle, Source};

/// Names that mean this machine even when no inventory mentions them (ansible-core 2.21, `constants.py: LOCALHOST`).
pub(super) const LOCALHOST: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

impl Inventory {
    /// The variables of a host, untemplated; for `localhost` and its like also when the inventory does not mention them.
    ///
    /// From low to high: the inventory's variables of `all`, then of the other groups; `group_vars/all` beside the inventory,
    /// beside the playbook; `group_vars/*` beside the inventory, beside the playbook; the inventory's host variables;
    /// `host_vars/*` beside the inventory, beside the playbook. A value replaces the one below it as a whole. Groups count by
    /// depth, then priority, then name.
    #[must_use]
    pub fn host_vars(&self, host: &str) -> Vars {
        let mut merged: IndexMap<&str, &Node> = IndexMap::new();
        for level in self.levels(host) {
            merged.extend(level.iter().map(|(key, value)| (key.as_str(), value)));
        }
        let mut vars: Vars = merged.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        if self.is_implicit(host) {
            let place = Place::new(&Source::new("<implicit localhost>", ""), 0, 0);
            let local = NodeValue::String("local".to_owned(), ScalarStyle::Quoted);
            vars.insert("ansible_connection".to_owned(), Node::new(&place, local));
        }
        vars
    }

    /// One variable of a host as [`Inventory::host_vars`] has it.
    #[must_use]
    pub fn host_var(&self, host: &str, key: &str) -> Option<&Node> {
        self.levels(host).into_iter().rev().find_map(|level| level.get(key))
    }

    /// Whether that is this machine under a name that the inventory does not mention.
    #[must_use]
    pub fn is_implicit(&self, host: &str) -> bool {
        LOCALHOST.contains(&host) && !self.hosts.contains_key(host)
    }

    fn levels(&self, host: &str) -> Vec<&Vars> {
        let all = self.groups.get("all");
        let groups = self.groups_by_weight(host);
        let own = self.hosts.get(host);
        let mut levels: Vec<&Vars> = Vec::new();
        levels.extend(all.map(|all| &all.vars));
        levels.extend(groups.iter().map(|group| &group.vars));
        levels.extend(all.into_iter().flat_map(|all| &all.files.inventory));
        levels.extend(all.map(|all| &all.files.playbook));
        // Folder by folder: a later source's folder has the last word over all groups of an earlier one.
        let folders = all.map_or(0, |all| all.files.inventory.len());
        for at in 0..folders {
            levels.extend(groups.iter().filter_map(|group| group.files.inventory.get(at)));
        }
        levels.extend(groups.iter().map(|group| &group.files.playbook));
        if let Some(Host { vars, files: VarsFiles { inventory, playbook }, .. }) = own {
            levels.push(vars);
            levels.extend(inventory);
            levels.push(playbook);
        }
        levels
    }

    /// The groups of a host but `all`, lightest first: by depth, priority and name.
    fn groups_by_weight(&self, host: &str) -> Vec<&Group> {
        let mut groups: Vec<(&str, &Group)> =
            self.ancestors_of_host(host).into_iter().filter_map(|name| Some((name, self.groups.get(name)?))).collect();
        groups.sort_by_key(|(name, group)| (group.depth, group.priority, *name));
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// The names of a host's groups, sorted, without `all`: the magic variable `group_names`.
    #[must_use]
    pub fn group_names_of(&self, host: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self.ancestors_of_host(host).into_iter().collect();
        names.sort_unstable();
        names
    }

    /// Every group with the hosts in it and below it, in their order: the magic variable `groups`.
    #[must_use]
    pub fn groups(&self) -> IndexMap<&str, Vec<&str>> {
        self.groups.keys().map(|name| (name.as_str(), self.hosts_of(name))).collect()
    }

    /// The source that mentions a host first, absolute, or the host list: the magic variable `inventory_file`.
    #[must_use]
    pub fn inventory_file(&self, host: &str) -> Option<&Path> {
        self.hosts.get(host).map(|host| host.file.as_path())
    }

    /// The folder of [`Inventory::inventory_file`]; empty for a host list.
    #[must_use]
    pub fn inventory_dir(&self, host: &str) -> Option<&Path> {
        self.inventory_file(host).map(|file| file.parent().unwrap_or(Path::new("")))
    }

    /// The variables that are set on a host itself: in the inventory, in `host_vars` beside it, and if asked for in those beside
    /// the playbook.
    #[must_use]
    pub fn own_host_vars(&self, host: &str, with_playbook: bool) -> Vars {
        self.hosts.get(host).map(|host| own_vars(&host.vars, &host.files, with_playbook)).unwrap_or_default()
    }

    /// The variables that are set on a group itself, as [`Inventory::own_host_vars`]; its priority too, unless it is 1.
    #[must_use]
    pub fn own_group_vars(&self, group: &str, with_playbook: bool) -> Vars {
        let Some(group) = self.groups.get(group) else { return Vars::new() };
        let mut vars = own_vars(&group.vars, &group.files, with_playbook);
        if group.priority != 1 {
            let place = Place::new(&Source::new("<priority>", ""), 0, 0);
            let value = NodeValue::Int(group.priority, group.priority.to_string());
            vars.insert("ansible_group_priority".to_owned(), Node::new(&place, value));
        }
        vars
    }

    /// The hosts that a group lists by name.
    pub fn members_of(&self, group: &str) -> impl Iterator<Item = &str> {
        self.groups.get(group).into_iter().flat_map(|group| group.hosts.iter().map(String::as_str))
    }

    /// The groups right below a group, in their order.
    pub fn children_of(&self, group: &str) -> impl Iterator<Item = &str> {
        self.groups.get(group).into_iter().flat_map(|group| group.children.keys().map(String::as_str))
    }

    /// Warns of what is legal and hardly meant.
    pub(super) fn look_over(&self, warnings: &mut Vec<Warning>) {
        for name in self.groups.keys().filter(|name| self.hosts.contains_key(*name)) {
            let place = self.hosts.get(name).map(|host| host.place.clone());
            warnings.push(Warning { message: format!("`{name}` is both a host and a group"), place });
        }
        let odd: Vec<&str> = self.group_names().filter(|name| !is_variable_name(name)).collect();
        if !odd.is_empty() {
            let message =
                format!("group names that are no variable names can't be used in templates: {}", odd.join(", "));
            warnings.push(Warning { message, place: None });
        }
        self.warn_of_shared_addresses(warnings);
    }

    /// Two names of one machine: a roll would take it down twice, and "one at a time" would not hold. Addresses that are
    /// templates are known only when they are rendered.
    fn warn_of_shared_addresses(&self, warnings: &mut Vec<Warning>) {
        let mut known: HashMap<(String, String), &str> = HashMap::new();
        let mut shared: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
        for name in self.hosts.keys() {
            let last_set =
                |keys: [&str; 2]| keys.iter().rev().find_map(|key| self.host_var(name, key)).map(super::python::str);
            let address = last_set(["ansible_host", "ansible_ssh_host"]).unwrap_or_else(|| name.clone());
            let port = last_set(["ansible_port", "ansible_ssh_port"]).unwrap_or_default();
            let connection = self.host_var(name, "ansible_connection").and_then(Node::as_str);
            if address.contains("{{") || port.contains("{{") || connection == Some("local") {
                continue;
            }
            let key = (address.to_ascii_lowercase(), port);
            match known.get(&key) {
                Some(first) => shared.entry(key).or_insert_with(|| vec![first]).push(name),
                None => {
                    known.insert(key, name);
                }
            }
        }
        for ((address, _), names) in shared {
            let place = names.get(1).and_then(|name| self.hosts.get(*name)).map(|host| host.place.clone());
            let message = format!("{} are the same machine: all have the address {address}", names.join(" and "));
            warnings.push(Warning { message, place });
        }
    }
}

fn own_vars(vars: &Vars, files: &VarsFiles, with_playbook: bool) -> Vars {
    let mut own = vars.clone();
    let playbook = with_playbook.then_some(&files.playbook);
    for level in files.inventory.iter().chain(playbook) {
        own.extend(level.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    own
}

fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
