//! Everything that can be wrong on paper, found before the first connection.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::inventory::{
    Inventory, Limit, Node, NodeValue, Place, Problem, Source, UnknownNames, Vars, Warning, from_yaml, nearest,
};
use crate::playbook::{HostOrder, Play, Playbook, Templates};

use super::check;
use super::names;
use super::options::Options;
use super::run::{Planned, Run};
use super::scope::{HostScope, Lists, PlayScope, before_play};
use super::store::Store;

impl Run {
    /// Checks the playbook against the inventory and the operator's wishes; nothing is contacted.
    ///
    /// # Errors
    /// All that is wrong, each with its place.
    pub fn prepare(playbook: Playbook, inventory: Inventory, options: Options) -> Result<Self, Vec<Problem>> {
        let warnings = playbook.warnings.iter().map(ToString::to_string).collect();
        let (templates, vars) = (Templates::default(), HashMap::new());
        let mut run = Self { playbook, inventory, options, templates, vars, plays: Vec::new(), warnings };
        run.vars = run.inventory.host_names().map(|host| (host.to_owned(), run.inventory.host_vars(host))).collect();
        let mut problems = check::tasks(&run);
        match run.plan() {
            Ok((plays, warnings)) => {
                run.plays = plays;
                run.warnings.extend(warnings);
            }
            Err(found) => problems.extend(found),
        }
        let more: Vec<(String, Vars)> = run
            .plays
            .iter()
            .flat_map(|play| &play.hosts)
            .filter(|host| !run.vars.contains_key(*host))
            .map(|host| (host.clone(), run.inventory.host_vars(host)))
            .collect();
        run.vars.extend(more);
        if problems.is_empty() {
            problems = run.read_vars_files();
        }
        if problems.is_empty() {
            problems = names::names(&run);
        }
        if problems.is_empty() {
            problems = check::connections(&run);
        }
        if problems.is_empty() {
            problems = check::local_files(&run);
        }
        if problems.is_empty() { Ok(run) } else { Err(problems) }
    }

    /// Each play with its hosts.
    fn plan(&self) -> Result<(Vec<Planned>, Vec<String>), Vec<Problem>> {
        let (mut problems, mut found, mut plays) = (Vec::new(), Vec::new(), Vec::new());
        let limit = match &self.options.limit {
            Some(text) => match Limit::from_text(text, &self.inventory, &mut found) {
                Ok(limit) => limit,
                Err(error) => {
                    let source = Source::new("<--limit>", text.as_str());
                    return Err(vec![Problem::new(&Place::new(&source, 0, text.len()), error.to_string())]);
                }
            },
            None => None,
        };
        for play in &self.playbook.plays {
            match self.plan_play(play, limit.as_ref(), &mut found) {
                Ok(planned) => plays.push(planned),
                Err(problem) => problems.push(problem),
            }
        }
        let told = |warning: Warning| match warning.place {
            Some(place) => format!("{place}: {}", warning.message),
            None => warning.message,
        };
        if problems.is_empty() { Ok((plays, found.into_iter().map(told).collect())) } else { Err(problems) }
    }

    fn plan_play(&self, play: &Play, limit: Option<&Limit>, found: &mut Vec<Warning>) -> Result<Planned, Problem> {
        let (store, lists, files) = (Store::default(), Lists::default(), HashMap::new());
        let vars = play.directives.vars.as_slice();
        let scope = PlayScope { name: "", vars, files: &files, lists: &lists, turn: None };
        let scope = HostScope { play: Some(scope), ..HostScope::new(self, &store, "") };
        let pattern = match self.templates.value(&play.hosts, &scope)? {
            Value::String(pattern) => pattern,
            Value::Array(parts) => {
                parts.iter().map(|part| part.as_str().unwrap_or_default()).collect::<Vec<_>>().join(",")
            }
            other => return Err(Problem::new(&play.hosts.place, format!("`hosts` must be a pattern, not {other}"))),
        };
        let selected = self.inventory.select(&pattern, limit, UnknownNames::Warn, found);
        let selected = selected.map_err(|error| Problem::new(&play.hosts.place, error.to_string()))?;
        let mut hosts: Vec<String> = selected.into_iter().map(ToOwned::to_owned).collect();
        order(&mut hosts, play.order);
        let name = play.name.as_ref().and_then(|node| self.templates.value(node, &scope).ok());
        let name = name.map(|value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned));
        let skipped = hosts.is_empty().then(|| match limit {
            Some(_) => format!("no host of `{pattern}` is within --limit"),
            None => format!("`{pattern}` matches no host"),
        });
        Ok(Planned { name: name.unwrap_or(pattern), hosts, skipped, files: HashMap::new() })
    }

    /// Reads the `vars_files` of every play for every host.
    fn read_vars_files(&mut self) -> Vec<Problem> {
        let (mut problems, mut all) = (Vec::new(), Vec::new());
        let mut cache: HashMap<PathBuf, Vars> = HashMap::new();
        for (play, planned) in self.playbook.plays.iter().zip(&self.plays) {
            let mut files = HashMap::new();
            for host in planned.hosts.iter().filter(|_| !play.vars_files.is_empty()) {
                match self.vars_files_of(play, planned, host, &mut cache) {
                    Ok(vars) => {
                        files.insert(host.clone(), vars);
                    }
                    Err(problem) => {
                        problems.push(problem);
                        break;
                    }
                }
            }
            all.push(files);
        }
        for (planned, files) in self.plays.iter_mut().zip(all) {
            planned.files = files;
        }
        problems
    }

    fn vars_files_of(
        &self,
        play: &Play,
        planned: &Planned,
        host: &str,
        cache: &mut HashMap<PathBuf, Vars>,
    ) -> Result<Vars, Problem> {
        let store = Store::default();
        before_play(play, planned, |shared| {
            let scope = HostScope { play: Some(shared), ..HostScope::new(self, &store, host) };
            let mut merged = Vars::new();
            for node in &play.vars_files {
                let choices = match self.templates.value(node, &scope)? {
                    Value::Array(list) => list,
                    one => vec![one],
                };
                let base = node.place.source.name.parent().unwrap_or(Path::new("")).to_path_buf();
                let paths: Vec<PathBuf> =
                    choices.iter().filter_map(Value::as_str).map(|path| base.join(path)).collect();
                let Some(path) = paths.iter().find(|path| path.exists()) else {
                    let shown = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
                    return Err(Problem::new(&node.place, format!("no such file: {shown}"))
                        .help("Ansible passes over a missing vars file in silence; here it must be there"));
                };
                if !cache.contains_key(path) {
                    cache.insert(path.clone(), read_vars(path, node)?);
                }
                merged.extend(cache.get(path).cloned().unwrap_or_default());
            }
            Ok(merged)
        })
    }
}

fn read_vars(path: &Path, named: &Node) -> Result<Vars, Problem> {
    let unreadable =
        |error: std::io::Error| Problem::new(&named.place, format!("can't read {}: {error}", path.display()));
    let source: Arc<Source> = Source::new(path, std::fs::read_to_string(path).map_err(unreadable)?);
    let node = from_yaml(&source)?;
    match node.value {
        NodeValue::Mapping(entries) => Ok(entries.into_iter().map(|entry| (entry.key, entry.value)).collect()),
        NodeValue::Null => Ok(Vars::new()),
        _ => Err(Problem::new(&node.place, "a file of variables must be a mapping").related(&named.place, "read here")),
    }
}

fn order(hosts: &mut [String], order: HostOrder) {
    match order {
        HostOrder::Inventory => {}
        HostOrder::ReverseInventory => hosts.reverse(),
        HostOrder::Sorted => hosts.sort_unstable(),
        HostOrder::ReverseSorted => hosts.sort_unstable_by(|a, b| b.cmp(a)),
        HostOrder::Shuffle => {
            use std::hash::{BuildHasher as _, RandomState};
            // A keyed hash with a fresh random key orders the names by chance.
            let chance = RandomState::new();
            hosts.sort_by_cached_key(|host| chance.hash_one(host));
        }
    }
}

/// The known name nearest to a misspelt one, as a line of help.
pub(super) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// All names that some host or play defines.
pub(super) fn defined_names(run: &Run) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = run.vars.values().flat_map(|vars| vars.keys().cloned()).collect();
    names.extend(run.options.extra.iter().map(|entry| entry.key.clone()));
    names.extend(run.plays.iter().flat_map(|play| play.files.values()).flat_map(|vars| vars.keys().cloned()));
    names
}
