//! The checks of templates on paper: their syntax, what they name, and the variables that lie behind.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::inventory::{Node, NodeValue, Place, Problem};
use crate::modules::arguments::{is_template, written};
use crate::modules::{self, table};
use crate::playbook::names::{Use, defines, tasks, undefined, uses};
use crate::playbook::{Scope as _, Variable};

use super::prepare::defined_names;
use super::rounds;
use super::run::Run;
use super::scope::{HostScope, before_play, built_in};
use super::store::Store;

/// What is wrong with templates whatever hosts will say: in the playbook, in template files, and in the variables that these
/// use.
pub(super) fn names(run: &Run) -> Vec<Problem> {
    let mut known = defined_names(run);
    let set_later = defines(&run.playbook);
    known.extend(set_later.iter().cloned());
    known.extend(built_in().map(ToOwned::to_owned));
    known.extend(facts());
    let mut all = uses(&run.playbook);
    let faults = |one: &Use, file| run.templates.faults(&one.text, &one.place, one.bare, file);
    let mut problems: Vec<Problem> = all.iter().flat_map(|one| faults(one, false)).collect();
    let files = template_files(run);
    problems.extend(files.iter().flat_map(|one| faults(one, true)));
    all.extend(files);
    problems.extend(tasks(&run.playbook).iter().filter_map(|(task, _)| run.templates.unreadable(&task.args)));
    problems.extend(undefined(&all, &run.templates, &known));
    if problems.is_empty() {
        problems = variables(run, &all, &known, &set_later);
    }
    if problems.is_empty() {
        problems = rounds::on_paper(run, &set_by_tasks(run));
    }
    problems
}

/// The names whose values tasks may set, by themselves or as facts.
pub(super) fn set_by_tasks(run: &Run) -> BTreeSet<String> {
    defines(&run.playbook).into_iter().chain(facts()).collect()
}

/// The names of all facts that modules set.
fn facts() -> impl Iterator<Item = String> {
    table::ROWS.iter().flat_map(|row| row.facts).map(|name| (*name).to_owned())
}

/// The template files that tasks name in so many words, as uses.
fn template_files(run: &Run) -> Vec<Use> {
    let dir = run.options.playbook_dir();
    let file = |(task, around): (&crate::playbook::Task, Use)| {
        let row = modules::find(&task.module).filter(|row| row.name == modules::template::ROW.name)?;
        // A file that can't be read is told of where local files are looked at.
        let place = modules::template::source(&written(task, row), &dir)?.ok()?;
        let mut locals = around.locals.clone();
        locals.extend(modules::template::OWN.map(ToOwned::to_owned));
        Some(Use { text: place.source.text.clone(), place, locals, ..around })
    };
    tasks(&run.playbook).into_iter().filter_map(file).collect()
}

/// What is wrong with the variables that templates use, as far as these were written by the operator: looked at for each
/// host, since each may have its own.
fn variables(run: &Run, all: &[Use], known: &BTreeSet<String>, set_later: &BTreeSet<String>) -> Vec<Problem> {
    let store = Store::default();
    let mut walk = Walk { run, known, set_later, needs: BTreeMap::new(), told: HashSet::new(), problems: Vec::new() };
    for (index, (play, planned)) in run.playbook.plays.iter().zip(&run.plays).enumerate() {
        let of_play: BTreeSet<&str> = play.directives.vars.iter().map(|entry| entry.key.as_str()).collect();
        let here: Vec<(&Use, BTreeSet<String>)> = all
            .iter()
            .filter(|one| one.play == index)
            .map(|one| (one, run.templates.undeclared(&one.text, one.bare)))
            .collect();
        before_play(play, planned, |shared| {
            for host in &planned.hosts {
                let scope = HostScope { play: Some(shared), ..HostScope::new(run, &store, host) };
                let mut done = HashSet::new();
                for (one, names) in &here {
                    for name in names.iter().filter(|name| is_the_plays(one, name, &of_play)) {
                        walk.variable(name, &scope, one, &mut Vec::new(), &mut done);
                    }
                }
            }
        });
    }
    walk.problems
}

/// Whether the name means there what it means in the play, and not the `vars:` of a task or a block.
fn is_the_plays(one: &Use, name: &str, of_play: &BTreeSet<&str>) -> bool {
    one.locals.iter().filter(|local| *local == name).count() <= usize::from(of_play.contains(name))
}

struct Walk<'w> {
    run: &'w Run,
    known: &'w BTreeSet<String>,
    set_later: &'w BTreeSet<String>,
    /// The names that the variable of that place uses, each with its place; hosts share most of their variables.
    needs: BTreeMap<(usize, usize), Vec<(String, Place)>>,
    told: HashSet<(usize, usize, String)>,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn variable(
        &mut self,
        name: &str,
        scope: &HostScope<'_>,
        one: &Use,
        open: &mut Vec<String>,
        done: &mut HashSet<String>,
    ) {
        // As deep as a template may go; whatever lies deeper is told when it is rendered.
        let deep = open.len() > 40;
        if deep || done.contains(name) || self.set_later.contains(name) || one.guarded.iter().any(|known| known == name)
        {
            return;
        }
        // Most built-in names are costly to compute, and none is a template.
        if built_in().any(|known| known == name) {
            return;
        }
        let Some(Variable::Source(node)) = scope.get(name) else { return };
        if let Some(at) = open.iter().position(|known| known == name) {
            let mut way: Vec<&str> = open.iter().skip(at).map(String::as_str).collect();
            way.push(name);
            let message = format!("variables that need each other: {}", way.join(" → "));
            return self.tell(Problem::new(&node.place, message).related(&one.place, "used here"));
        }
        open.push(name.to_owned());
        for (needed, place) in self.needs_of(&node, one) {
            if self.known.contains(&needed) || one.locals.contains(&needed) || one.guarded.contains(&needed) {
                self.variable(&needed, scope, one, open, done);
            } else {
                let message = format!("`{needed}`, which `{name}` needs, is not defined anywhere");
                self.tell(Problem::new(&place, message).related(&one.place, "used here"));
            }
        }
        open.pop();
        done.insert(name.to_owned());
    }

    fn tell(&mut self, problem: Problem) {
        if self.told.insert((key(&problem.place).0, problem.place.start, problem.message.clone())) {
            self.problems.push(problem);
        }
    }

    fn needs_of(&mut self, node: &Node, one: &Use) -> Vec<(String, Place)> {
        if let Some(known) = self.needs.get(&key(&node.place)) {
            return known.clone();
        }
        if let Some(problem) = self.run.templates.unreadable(node) {
            self.tell(problem.related(&one.place, "used here"));
        }
        let mut needs = Vec::new();
        let mut texts = Vec::new();
        texts_of(node, &mut texts);
        for (text, place) in texts {
            for problem in self.run.templates.faults(&text, &place, false, false) {
                self.tell(problem.related(&one.place, "used here"));
            }
            let names = self.run.templates.undeclared(&text, false);
            needs.extend(names.into_iter().map(|name| {
                let place = self.run.templates.place_of(&name, &text, &place, false);
                (name, place)
            }));
        }
        self.needs.insert(key(&node.place), needs.clone());
        needs
    }
}

/// Which text and where in it: enough to know a place again.
fn key(place: &Place) -> (usize, usize) {
    (std::sync::Arc::as_ptr(&place.source).addr(), place.start)
}

/// The texts with templates in a value, each with its place.
pub(super) fn texts_of(node: &Node, found: &mut Vec<(String, Place)>) {
    if node.tag.is_some() {
        return;
    }
    match &node.value {
        NodeValue::String(text, _) if is_template(text) => found.push((text.clone(), node.place.clone())),
        NodeValue::Sequence(items) => items.iter().for_each(|item| texts_of(item, found)),
        NodeValue::Mapping(entries) => {
            for entry in entries {
                if is_template(&entry.key) {
                    found.push((entry.key.clone(), entry.key_place.clone()));
                }
                texts_of(&entry.value, found);
            }
        }
        _ => {}
    }
}
