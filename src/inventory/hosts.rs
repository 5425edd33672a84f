//! The hosts and groups of one inventory while it is put together, and the order that Ansible gives them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use indexmap::{IndexMap, IndexSet};

use super::range::MOST_HOSTS;
use super::{Node, NodeValue, Place, Problem, names};

/// Variables of one host or group at one level, in written order.
pub type Vars = IndexMap<String, Node>;

/// Levels of groups in each other; real inventories have about five.
const GROUP_DEPTH: usize = 64;

/// Something in an inventory that is not wrong but may not be meant.
#[derive(Clone, Debug)]
pub struct Warning {
    /// What it is.
    pub message: String,
    /// Where, if it is at one place.
    pub place: Option<Place>,
}

/// Hosts, groups, and who has which variables; hosts and groups are in the order of their first mention.
#[derive(Debug)]
pub struct Inventory {
    pub(super) hosts: IndexMap<String, Host>,
    pub(super) groups: IndexMap<String, Group>,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    /// Where it is first mentioned.
    pub place: Place,
    /// The source that mentions it first, absolute, or the host list itself: `inventory_file`.
    pub(super) file: PathBuf,
    /// Variables from the inventory's own files.
    pub(super) vars: Vars,
    /// Variables from `host_vars/`.
    pub(super) files: VarsFiles,
    /// The groups that list it by name.
    pub(super) groups: IndexSet<String>,
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) hosts: IndexSet<String>,
    /// Child groups, with the place where each is made a child.
    pub(super) children: IndexMap<String, Place>,
    pub(super) parents: IndexSet<String>,
    pub(super) vars: Vars,
    pub(super) files: VarsFiles,
    /// `ansible_group_priority`: decides between groups of the same depth.
    pub(super) priority: i64,
    /// The longest way down from `all`.
    pub(super) depth: usize,
}

/// Variables of one name out of `group_vars` or `host_vars`.
#[derive(Debug, Default)]
pub(super) struct VarsFiles {
    /// Beside the inventory: one for each source's directory, in the order of the sources.
    pub inventory: Vec<Vars>,
    /// Beside the playbook.
    pub playbook: Vars,
}

impl Group {
    fn new() -> Self {
        Self {
            hosts: IndexSet::new(),
            children: IndexMap::new(),
            parents: IndexSet::new(),
            vars: Vars::new(),
            files: VarsFiles::default(),
            priority: 1,
            depth: 0,
        }
    }
}

impl Inventory {
    /// `all` with `ungrouped` in it, and no host.
    pub(super) fn new() -> Self {
        let groups = IndexMap::from([("all".to_owned(), Group::new()), ("ungrouped".to_owned(), Group::new())]);
        Self { hosts: IndexMap::new(), groups }
    }

    /// The names of all hosts, in the order of their first mention.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// The names of all groups, `all` and `ungrouped` first, the rest in the order of their first mention.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// The host of that name, if it is written in the inventory.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// Whether no host at all is written in the inventory; running on it is an error.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Makes the group, unless it is there.
    pub(super) fn add_group(&mut self, name: &str, place: &Place) -> Result<&mut Group, Problem> {
        if let Some(fault) = names::group_fault(name) {
            return Err(Problem::new(place, fault));
        }
        Ok(self.groups.entry(name.to_owned()).or_insert_with(Group::new))
    }

    /// Makes the host, unless it is there, and puts it into the group, which is there. A port counts at the first mention.
    pub(super) fn add_host(
        &mut self,
        name: &str,
        group: &str,
        port: Option<&Node>,
        place: &Place,
        file: &Path,
    ) -> Result<(), Problem> {
        if let Some(fault) = names::host_fault(name) {
            return Err(Problem::new(place, format!("{fault}: `{}`", names::visible(name))));
        }
        if !self.hosts.contains_key(name) {
            if self.hosts.len() >= MOST_HOSTS {
                return Err(Problem::new(place, format!("more than {MOST_HOSTS} hosts")));
            }
            let vars = port.map(|port| ("ansible_port".to_owned(), port.clone())).into_iter().collect();
            let (files, groups) = (VarsFiles::default(), IndexSet::new());
            let host = Host { place: place.clone(), file: file.to_path_buf(), vars, files, groups };
            self.hosts.insert(name.to_owned(), host);
        }
        if let (Some(members), Some(host)) = (self.groups.get_mut(group), self.hosts.get_mut(name)) {
            members.hosts.insert(name.to_owned());
            host.groups.insert(group.to_owned());
        }
        Ok(())
    }

    pub(super) fn set_host_var(
        &mut self,
        host: &str,
        key: &str,
        key_place: &Place,
        value: Node,
    ) -> Result<(), Problem> {
        names::check_key(key, key_place, &value)?;
        names::check_port(key, &value)?;
        if let Some(host) = self.hosts.get_mut(host) {
            host.vars.insert(key.to_owned(), value);
        }
        Ok(())
    }

    /// Sets a variable of a group; `ansible_group_priority` is no variable but the group's priority.
    pub(super) fn set_group_var(
        &mut self,
        group: &str,
        key: &str,
        key_place: &Place,
        value: Node,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Problem> {
        names::check_key(key, key_place, &value)?;
        names::check_port(key, &value)?;
        let Some(group) = self.groups.get_mut(group) else { return Ok(()) };
        if key != "ansible_group_priority" {
            group.vars.insert(key.to_owned(), value);
            return Ok(());
        }
        match whole_number(&value) {
            Some(priority) => group.priority = priority,
            // As ansible-core 2.21 does it.
            None => warnings.push(Warning {
                message: "`ansible_group_priority` is not a whole number, so it stays 1".to_owned(),
                place: Some(value.place),
            }),
        }
        Ok(())
    }

    /// Makes `child` a child of `parent`; both are there.
    pub(super) fn add_child(&mut self, parent: &str, child: &str, place: &Place) {
        if let Some(group) = self.groups.get_mut(parent) {
            group.children.entry(child.to_owned()).or_insert_with(|| place.clone());
        }
        if let Some(group) = self.groups.get_mut(child) {
            group.parents.insert(parent.to_owned());
        }
    }

    /// What Ansible does after all sources are read: groups without a parent go under `all`, `ungrouped` is worked out again,
    /// and depths are measured.
    ///
    /// # Errors
    /// Groups that contain each other, or more than 64 levels of them.
    pub(super) fn settle(&mut self, nowhere: &Place) -> Result<(), Problem> {
        if let Some(all) = self.groups.get("all")
            && let Some(parent) = all.parents.first()
        {
            let place = self.groups.get(parent).and_then(|group| group.children.get("all")).unwrap_or(nowhere);
            return Err(Problem::new(place, "`all` contains every group, so it can't be a child of one"));
        }
        self.adopt_orphans(nowhere);
        self.work_out_ungrouped();
        self.measure_depths(nowhere)
    }

    fn adopt_orphans(&mut self, nowhere: &Place) {
        // `ungrouped` is a child of `all` from the start, so it comes before the explicit children.
        let explicit = self.groups.get_mut("all").map(|all| std::mem::take(&mut all.children)).unwrap_or_default();
        self.add_child("all", "ungrouped", nowhere);
        for (child, place) in &explicit {
            self.add_child("all", child, place);
        }
        let orphans: Vec<String> = self
            .groups
            .iter()
            .filter(|(name, group)| name.as_str() != "all" && group.parents.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        for orphan in orphans {
            self.add_child("all", &orphan, nowhere);
        }
    }

    fn work_out_ungrouped(&mut self) {
        let Some(ungrouped) = self.groups.get_mut("ungrouped") else { return };
        for (name, host) in &mut self.hosts {
            let in_real_group = host.groups.iter().any(|group| group != "all" && group != "ungrouped");
            if in_real_group {
                host.groups.shift_remove("ungrouped");
            } else if host.groups.insert("ungrouped".to_owned()) {
                ungrouped.hosts.insert(name.clone());
            }
        }
        let hosts = &self.hosts;
        ungrouped.hosts.retain(|name| hosts.get(name).is_some_and(|host| host.groups.contains("ungrouped")));
    }

    /// Goes down from `all`, a group after all its parents, so that every group's longest way is known when it is left.
    fn measure_depths(&mut self, nowhere: &Place) -> Result<(), Problem> {
        let mut waiting: HashMap<String, usize> =
            self.groups.iter().map(|(name, group)| (name.clone(), group.parents.len())).collect();
        let mut ready = VecDeque::from(["all".to_owned()]);
        let mut reached = 0;
        while let Some(name) = ready.pop_front() {
            reached += 1;
            let Some(group) = self.groups.get(&name) else { continue };
            let depth = group.depth + 1;
            let children: Vec<(String, Place)> = group.children.iter().map(|(c, p)| (c.clone(), p.clone())).collect();
            for (child, place) in children {
                if depth > GROUP_DEPTH {
                    return Err(Problem::new(
                        &place,
                        format!("more than {GROUP_DEPTH} levels of groups in each other"),
                    ));
                }
                if let Some(group) = self.groups.get_mut(&child) {
                    group.depth = group.depth.max(depth);
                }
                if let Some(left) = waiting.get_mut(&child) {
                    *left -= 1;
                    if *left == 0 {
                        ready.push_back(child);
                    }
                }
            }
        }
        if reached == self.groups.len() { Ok(()) } else { Err(self.cycle(&waiting, nowhere)) }
    }

    /// The problem for groups that wait for each other: one that is never reached, and the way back to it.
    fn cycle(&self, waiting: &HashMap<String, usize>, nowhere: &Place) -> Problem {
        let stuck = |name: &str| waiting.get(name).is_some_and(|left| *left > 0);
        let mut way: Vec<&str> = Vec::new();
        let mut at = self.groups.keys().find(|name| stuck(name)).map(String::as_str);
        // Upwards from a stuck group there is always a stuck parent, so the way must meet itself.
        while let Some(name) = at.filter(|name| !way.contains(name)) {
            way.push(name);
            let parents = self.groups.get(name).map(|group| &group.parents);
            at = parents.and_then(|parents| parents.iter().find(|parent| stuck(parent))).map(String::as_str);
        }
        let start = way.iter().position(|name| Some(*name) == at).unwrap_or_default();
        let mut circle: Vec<&str> = way.split_off(start);
        circle.reverse();
        let parent = circle.last().copied().unwrap_or_default();
        let child = circle.first().copied().unwrap_or_default();
        let place = self.groups.get(parent).and_then(|group| group.children.get(child)).unwrap_or(nowhere);
        let names: Vec<&str> = circle.iter().copied().chain([child]).map(|name| name as &str).collect();
        Problem::new(place, format!("groups contain each other: {}", names.join(" > ")))
    }

    /// The hosts of a group and of all groups below it: its own first, then those of its children, then of theirs; each once.
    ///
    /// This is the order of tasks, of `serial` batches and of `groups['name'][0]`.
    #[must_use]
    pub fn hosts_of(&self, group: &str) -> Vec<&str> {
        let mut hosts: IndexSet<&str> = IndexSet::new();
        for name in self.with_descendants(group) {
            if let Some(group) = self.groups.get(name) {
                hosts.extend(group.hosts.iter().map(String::as_str));
            }
        }
        hosts.into_iter().collect()
    }

    /// The group itself and all below it, level by level.
    fn with_descendants<'i>(&'i self, group: &'i str) -> IndexSet<&'i str> {
        let mut found: IndexSet<&str> = IndexSet::from([group]);
        let mut next = 0;
        while let Some(name) = found.get_index(next).copied() {
            next += 1;
            if let Some(group) = self.groups.get(name) {
                found.extend(group.children.keys().map(String::as_str));
            }
        }
        found
    }

    /// All groups of a host, those above the ones that list it too, without `all`.
    pub(super) fn ancestors_of_host(&self, host: &str) -> HashSet<&str> {
        let mut found: HashSet<&str> = HashSet::new();
        let direct = self.hosts.get(host).map(|host| &host.groups);
        let mut left: Vec<&str> = direct.into_iter().flatten().map(String::as_str).collect();
        while let Some(name) = left.pop() {
            if name != "all"
                && found.insert(name)
                && let Some(group) = self.groups.get(name)
            {
                left.extend(group.parents.iter().map(String::as_str));
            }
        }
        found
    }
}

fn whole_number(value: &Node) -> Option<i64> {
    match &value.value {
        NodeValue::Int(number, _) => Some(*number),
        NodeValue::Bool(value) => Some(i64::from(*value)),
        NodeValue::String(text, _) => text.trim().parse().ok(),
        _ => None,
    }
}
