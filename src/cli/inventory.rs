//! `quorate inventory`: what the inventory says, in the words of `ansible-inventory` (ansible-core 2.21), byte for byte.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::inventory::python::{self, Json};
use crate::inventory::{Inventory, InventoryError, Limit, PatternError, UnknownNames, Vars, Warning, nearest};

/// What Ansible sets itself for every host, and so does not list (ansible-core 2.21, `constants.py: INTERNAL_STATIC_VARS`).
const INTERNAL: [&str; 33] = [
    "ansible_async_path",
    "ansible_collection_name",
    "ansible_config_file",
    "ansible_dependent_role_names",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_role_names",
    "ansible_playbook_python",
    "ansible_role_name",
    "ansible_role_names",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "groups",
    "group_names",
    "hostvars",
    "playbook_dir",
    "play_hosts",
    "role_name",
    "role_names",
    "role_path",
    "role_uuid",
];

/// Lines of a tree, about 100 MiB: a group with several parents is drawn below each, so a few groups can make 2^64 lines.
const MOST_LINES: usize = 2_000_000;

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// `--list`: everything as JSON.
    List,
    /// `--graph [GROUP]`: a tree from that group down, from `all` if none is given.
    Graph(Option<String>),
    /// `--host NAME`: the variables of one host as JSON.
    Host(String),
}

/// The parsed options of the command.
#[derive(Clone, Debug)]
pub struct InventoryOptions {
    /// `-i`, each of them: a file, a folder, or a host list.
    pub sources: Vec<PathBuf>,
    /// `--playbook-dir`: where `group_vars` and `host_vars` of a playbook are looked for; the current folder if none is given.
    pub playbook_dir: Option<PathBuf>,
    /// `--limit`, for `--list`.
    pub limit: Option<String>,
    /// What to show.
    pub show: Show,
    /// `--vars`: variables in the tree.
    pub vars: bool,
    /// `--export`: variables where they are set, not merged into each host.
    pub export: bool,
}

/// Why there is nothing to show; all of these are wrong input.
#[derive(Debug, thiserror::Error)]
pub enum InventoryCommandError {
    /// No `-i`.
    #[error("no inventory given: `-i FILE`, `-i FOLDER` or `-i h1,h2,`")]
    NoSource,
    /// The inventory is wrong.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The limit or the host is wrong.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// `--graph` needs a group.
    #[error("there is no group `{name}`{}", meant(nearest.as_deref()))]
    NotAGroup {
        /// The name as given.
        name: String,
        /// The group that may have been meant.
        nearest: Option<String>,
    },
    /// `--host` needs one host.
    #[error("`--host {pattern}` names {count} hosts, it takes exactly one")]
    NotOneHost {
        /// The pattern as given.
        pattern: String,
        /// Hosts that it names.
        count: usize,
    },
    /// The tree would not end.
    #[error("the tree has more than {MOST_LINES} lines; draw it from a group further down")]
    TooBig,
    /// The output can't be written.
    #[error("the output can't be written: {0}")]
    Write(#[from] std::io::Error),
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Reads the inventory and writes what was asked for, with a newline at the end; answers what else is worth saying.
///
/// # Errors
/// See [`InventoryCommandError`]; nothing has been written then, unless writing itself failed.
pub fn inventory(options: &InventoryOptions, out: &mut dyn Write) -> Result<Vec<Warning>, InventoryCommandError> {
    if options.sources.is_empty() {
        return Err(InventoryCommandError::NoSource);
    }
    let playbook_dir = options.playbook_dir.as_deref().unwrap_or(Path::new("."));
    let (inventory, mut warnings) = Inventory::load(&options.sources, Some(playbook_dir))?;
    let view = View { inventory: &inventory, options };
    let text = match &options.show {
        Show::List => {
            let limit = match &options.limit {
                Some(limit) => Limit::from_text(limit, &inventory, &mut warnings)?,
                None => None,
            };
            view.list(&inventory.select("all", limit.as_ref(), UnknownNames::Refuse, &mut warnings)?)
        }
        Show::Graph(group) => view.graph(group.as_deref().unwrap_or("all"))?,
        Show::Host(pattern) => {
            let hosts = inventory.select(pattern, None, UnknownNames::Refuse, &mut warnings)?;
            match hosts.as_slice() {
                [host] => python::json(vars_json(&view.host_vars(host))),
                _ => {
                    let pattern = pattern.clone();
                    return Err(InventoryCommandError::NotOneHost { pattern, count: hosts.len() });
                }
            }
        }
    };
    writeln!(out, "{text}")?;
    Ok(warnings)
}

fn vars_json(vars: &Vars) -> Json<'_> {
    Json::Map(vars.iter().map(|(key, value)| (key.as_str(), Json::Node(value))).collect())
}

struct View<'i> {
    inventory: &'i Inventory,
    options: &'i InventoryOptions,
}

impl View<'_> {
    /// A host's variables: all of them merged, or with `--export` only its own.
    fn host_vars(&self, host: &str) -> Vars {
        let mut vars = if self.options.export {
            self.inventory.own_host_vars(host, self.options.playbook_dir.is_some())
        } else {
            self.inventory.host_vars(host)
        };
        vars.retain(|key, _| !INTERNAL.contains(&key.as_str()));
        vars
    }

    fn group_vars(&self, group: &str) -> Vars {
        let mut vars = self.inventory.own_group_vars(group, self.options.playbook_dir.is_some());
        vars.retain(|key, _| !INTERNAL.contains(&key.as_str()));
        vars
    }

    fn list(&self, hosts: &[&str]) -> String {
        let host_vars: Vec<(&str, Vars)> = hosts.iter().map(|host| (*host, self.host_vars(host))).collect();
        let exported = |group| if self.options.export { self.group_vars(group) } else { Vars::new() };
        let group_vars: Vec<(&str, Vars)> = self.inventory.group_names().map(|name| (name, exported(name))).collect();
        let shown: HashSet<&str> = hosts.iter().copied().collect();
        let filled = host_vars.iter().filter(|(_, vars)| !vars.is_empty());
        let meta = Json::Map(vec![
            ("hostvars", Json::Map(filled.map(|(host, vars)| (*host, vars_json(vars))).collect())),
            ("profile", Json::Text("inventory_legacy")),
        ]);
        let mut whole = vec![("_meta", meta)];
        for (group, vars) in &group_vars {
            let group = *group;
            let mut parts = Vec::new();
            let members: Vec<&str> = self.inventory.members_of(group).filter(|host| shown.contains(host)).collect();
            // Ansible never lists hosts below `all`, even those that are written there.
            if group != "all" && !members.is_empty() {
                parts.push(("hosts", Json::List(members)));
            }
            let children: Vec<&str> = self.inventory.children_of(group).collect();
            if !children.is_empty() {
                parts.push(("children", Json::List(children)));
            }
            if !vars.is_empty() {
                parts.push(("vars", vars_json(vars)));
            }
            if !parts.is_empty() {
                whole.push((group, Json::Map(parts)));
            }
        }
        python::json(Json::Map(whole))
    }

    fn graph(&self, group: &str) -> Result<String, InventoryCommandError> {
        let Some(top) = self.inventory.group_names().find(|name| *name == group) else {
            let nearest = nearest(group, self.inventory.group_names()).map(str::to_owned);
            return Err(InventoryCommandError::NotAGroup { name: group.to_owned(), nearest });
        };
        let mut lines = Vec::new();
        self.branch(top, 0, &mut lines)?;
        Ok(lines.join("\n"))
    }

    /// A group with its children before its hosts; groups are at most 64 levels deep.
    fn branch(&self, group: &str, depth: usize, lines: &mut Vec<String>) -> Result<(), InventoryCommandError> {
        if lines.len() > MOST_LINES {
            return Err(InventoryCommandError::TooBig);
        }
        lines.push(indented(&format!("@{group}:"), depth));
        for child in self.inventory.children_of(group) {
            self.branch(child, depth + 1, lines)?;
        }
        if group != "all" {
            for host in self.inventory.members_of(group) {
                lines.push(indented(host, depth + 1));
                if self.options.vars {
                    leaves(&self.host_vars(host), depth + 2, lines);
                }
            }
        }
        if self.options.vars {
            leaves(&self.group_vars(group), depth + 1, lines);
        }
        Ok(())
    }
}

fn leaves(vars: &Vars, depth: usize, lines: &mut Vec<String>) {
    let mut sorted: Vec<_> = vars.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    lines.extend(sorted.iter().map(|(key, value)| indented(&format!("{{{key} = {}}}", python::str(value)), depth)));
}

fn indented(text: &str, depth: usize) -> String {
    if depth == 0 { text.to_owned() } else { format!("{}--{text}", "  |".repeat(depth)) }
}
