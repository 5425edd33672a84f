//! The checks of tasks and local files on paper.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::inventory::{Entry, Node, NodeValue, Place, Problem, ScalarStyle, Source};
use crate::modules::arguments::{check_args, is_template, written};
use crate::modules::guard::Guards;
use crate::modules::{self, Row, Shape, table};
use crate::playbook::{Directives, Handler, Item, Play, Scope as _, Task, Variable};

use super::connections;
use super::meta;
use super::names;
use super::prepare::did_you_mean;
use super::run::Run;
use super::scope::{HostScope, before_play};
use super::store::Store;
use super::task::starts_at;
use super::turns;

/// What is wrong with tasks, handlers and rolling plays, and with what the operator named.
pub(super) fn tasks(run: &Run) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut found_start = run.options.start_at.is_none();
    let mut names = Vec::new();
    for play in &run.playbook.plays {
        let mut every = |task: &Task| {
            problems.extend(one(task));
            problems.extend(unknown_handlers(play, task));
        };
        each(play, &mut every);
        play.handlers.iter().for_each(|handler| every(&handler.task));
        problems.extend(rolling(play, run.options.guards));
        problems.extend(turns::on_paper(play));
        each(play, &mut |task| {
            found_start |= run.options.start_at.as_deref().is_some_and(|name| starts_at(task, name));
            names.extend(task.name.as_ref().and_then(Node::as_str).map(ToOwned::to_owned));
        });
    }
    if let Some(name) = run.options.start_at.as_ref().filter(|_| !found_start) {
        let mut problem = Problem::new(&command_line("<--start-at-task>", name), format!("there is no task `{name}`"));
        problem.help = did_you_mean(name, names.iter().map(String::as_str));
        problems.push(problem);
    }
    problems.extend(unknown_tags(run));
    problems
}

fn command_line(option: &str, text: &str) -> Place {
    Place::new(&Source::new(option, text), 0, text.len())
}

/// Calls `act` for every task of the play, in order, without its handlers.
pub(super) fn each<'p>(play: &'p Play, act: &mut dyn FnMut(&'p Task)) {
    for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
        each_item(section, act);
    }
}

fn each_item<'p>(items: &'p [Item], act: &mut dyn FnMut(&'p Task)) {
    for item in items {
        match item {
            Item::Task(task) => act(task),
            Item::Block(block) => {
                for list in [&block.block, &block.rescue, &block.always] {
                    each_item(list, act);
                }
            }
        }
    }
}

/// Calls `act` for every task and handler of the play, with what is in force for it: the play's directives, its blocks', its own.
pub(super) fn each_with_directives<'p>(play: &'p Play, act: &mut dyn FnMut(&'p Task, &[&'p Directives])) {
    let chain = [&play.directives];
    for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
        each_item_with_directives(section, &chain, act);
    }
    for handler in &play.handlers {
        act(&handler.task, &[&play.directives, &handler.task.directives]);
    }
}

fn each_item_with_directives<'p>(
    items: &'p [Item],
    chain: &[&'p Directives],
    act: &mut dyn FnMut(&'p Task, &[&'p Directives]),
) {
    for item in items {
        let within = |directives| chain.iter().copied().chain([directives]).collect::<Vec<_>>();
        match item {
            Item::Task(task) => act(task, &within(&task.directives)),
            Item::Block(block) => {
                for list in [&block.block, &block.rescue, &block.always] {
                    each_item_with_directives(list, &within(&block.directives), act);
                }
            }
        }
    }
}

fn one(task: &Task) -> Vec<Problem> {
    let Some(row) = modules::find(&task.module) else {
        let mut problem = Problem::new(&task.module_place, format!("unknown module `{}`", task.module));
        problem.help = did_you_mean(&task.module, table::vocabulary().modules);
        return vec![problem];
    };
    let mut problems = check_args(task, row);
    if row.name == "meta" && !is_template(meta::action(task)) && !modules::meta::ACTIONS.contains(&meta::action(task)) {
        let mut problem = Problem::new(&task.args.place, format!("meta has no action `{}`", meta::action(task)));
        problem.help = did_you_mean(meta::action(task), modules::meta::ACTIONS.iter().copied())
            .or_else(|| Some(format!("it has: {}", modules::meta::ACTIONS.join(", "))));
        problems.push(problem);
    }
    problems
}

/// What is wrong with local files that tasks name: looked at before any host is contacted, with every template filled that can be
/// filled from what the operator gave.
pub(super) fn local_files(run: &Run) -> Vec<Problem> {
    let (mut problems, dir) = (Vec::new(), run.options.playbook_dir());
    let (store, late) = (Store::default(), names::set_by_tasks(run));
    for (play, planned) in run.playbook.plays.iter().zip(&run.plays) {
        let first = [String::new()];
        let hosts = if planned.hosts.is_empty() { first.as_slice() } else { planned.hosts.as_slice() };
        before_play(play, planned, |shared| {
            each_with_directives(play, &mut |task, chain| {
                let Some((row, check)) = modules::find(&task.module).and_then(|row| Some((row, row.preflight_local?)))
                else {
                    return;
                };
                // A template may name another file for each host; what is wrong for all of them is said once.
                let mut seen: Vec<Value> = Vec::new();
                for host in hosts {
                    let chain = chain.get(1..).unwrap_or_default();
                    let scope = HostScope { play: Some(shared), chain, ..HostScope::new(run, &store, host) };
                    let mut args = filled(run, written(task, row), &scope);
                    as_numbers_were_written(&mut args, row, &scope, &late);
                    let json = args.to_json();
                    if !seen.contains(&json) {
                        for new in check(&args, &dir) {
                            let same =
                                |p: &Problem| p.message == new.message && p.place.to_string() == new.place.to_string();
                            if !problems.iter().any(same) {
                                problems.push(new);
                            }
                        }
                        seen.push(json);
                    }
                }
            });
        });
    }
    problems
}

/// What is wrong with how hosts are reached, the same fault of many hosts only once.
pub(super) fn connections(run: &Run) -> Vec<Problem> {
    let (mut problems, store): (Vec<Problem>, _) = (Vec::new(), Store::default());
    for (play, planned) in run.playbook.plays.iter().zip(&run.plays) {
        before_play(play, planned, |shared| {
            for host in &planned.hosts {
                let scope = HostScope { play: Some(shared), ..HostScope::new(run, &store, host) };
                let Some(problem) = connections::on_paper(&scope) else { continue };
                if !problems.iter().any(|known| known.place.to_string() == problem.place.to_string()) {
                    problems.push(problem);
                }
            }
        });
    }
    problems
}

/// The arguments with every template in them filled that can be; one that comes out as `omit` is left out.
fn filled(run: &Run, mut args: Node, scope: &HostScope<'_>) -> Node {
    let NodeValue::Mapping(entries) = &mut args.value else { return args };
    entries.retain_mut(|entry| {
        if let NodeValue::Sequence(items) = &mut entry.value.value {
            items.iter_mut().for_each(|item| *item = filled(run, item.clone(), scope));
        }
        let Some(text) = entry.value.as_str().filter(|text| is_template(text)) else { return true };
        match run.templates.value(&entry.value, scope) {
            Ok(Value::Null) if text.contains("omit") => return false,
            Ok(value @ (Value::String(_) | Value::Array(_) | Value::Object(_))) => {
                entry.value = placed(&entry.value.place, value);
            }
            // Not to be known yet, or no text: the run will see.
            Ok(_) | Err(_) => {}
        }
        true
    });
    args
}

/// Puts numbers in place of the templates that are nothing but their names, where an argument is text: with the text that was written, of
/// which the number has lost part.
fn as_numbers_were_written(args: &mut Node, row: &Row, scope: &HostScope<'_>, late: &BTreeSet<String>) {
    let NodeValue::Mapping(entries) = &mut args.value else { return };
    let is_text = |entry: &&mut Entry| row.argument(&entry.key).is_some_and(|argument| argument.shape == Shape::Text);
    for entry in entries.iter_mut().filter(is_text) {
        if let Some(number) = number_behind(&entry.value, scope, late) {
            entry.value = number;
        }
    }
}

/// The number that an operator gave a variable, where the template is nothing but that variable's name, and no task sets it.
fn number_behind(node: &Node, scope: &HostScope<'_>, late: &BTreeSet<String>) -> Option<Node> {
    let mut node = node.clone();
    // As deep as a template may go.
    for _ in 0..40 {
        let name = node.as_str()?.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
        let Some(Variable::Source(behind)) = scope.get(name).filter(|_| !late.contains(name)) else { return None };
        if matches!(behind.value, NodeValue::Int(..) | NodeValue::Float(..)) {
            return Some(behind);
        }
        node = behind;
    }
    None
}

/// A value that a template gave, at the place where the template stands.
fn placed(place: &Place, value: Value) -> Node {
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(bool) => NodeValue::Bool(bool),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => NodeValue::Int(whole, number.to_string()),
            None => NodeValue::Float(number.as_f64().unwrap_or(f64::NAN), number.to_string()),
        },
        Value::String(text) => NodeValue::String(text, ScalarStyle::Quoted),
        Value::Array(items) => NodeValue::Sequence(items.into_iter().map(|item| placed(place, item)).collect()),
        Value::Object(entries) => NodeValue::Mapping(
            entries
                .into_iter()
                .map(|(key, value)| Entry { key, key_place: place.clone(), value: placed(place, value) })
                .collect(),
        ),
    };
    Node::new(place, value)
}

/// Handlers that a task names and the play does not have; names with templates in them are left to the run.
fn unknown_handlers(play: &Play, task: &Task) -> Vec<Problem> {
    let known: Vec<&str> = play.handlers.iter().flat_map(names_of).collect();
    if known.iter().any(|name| is_template(name)) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for node in &task.directives.notify {
        for one in node.as_sequence().unwrap_or(std::slice::from_ref(node)) {
            let Some(name) = one.as_str().filter(|name| !is_template(name) && !known.contains(name)) else { continue };
            let mut problem = Problem::new(&one.place, format!("there is no handler `{name}`"));
            problem.help = did_you_mean(name, known.iter().copied());
            problems.push(problem);
        }
    }
    problems
}

fn names_of(handler: &Handler) -> Vec<&str> {
    let name = handler.task.name.as_ref().and_then(Node::as_str).unwrap_or(&handler.task.module);
    std::iter::once(name).chain(handler.listen.iter().map(String::as_str)).collect()
}

fn rolling(play: &Play, guards: Guards) -> Vec<Problem> {
    let Some(rolling) = &play.rolling else { return Vec::new() };
    let mut problems: Vec<Problem> = super::until::on_paper(rolling).into_iter().collect();
    if guards.find(&rolling.guard).is_none() {
        let known: Vec<&str> = guards.names().collect();
        let mut problem = Problem::new(&rolling.place, format!("there is no guard `{}`", rolling.guard));
        problem.help = did_you_mean(&rolling.guard, known.iter().copied())
            .or_else(|| Some(format!("guards: {}", known.join(", "))));
        problems.push(problem);
    }
    let one = |node: &Node| {
        matches!(&node.value, NodeValue::Int(1, _)) || matches!(&node.value, NodeValue::String(t, _) if t.trim() == "1")
    };
    if let Some(serial) = play.serial.as_ref().filter(|serial| !one(serial)) {
        let message = "a rolling play takes one host at a time, so `serial` can only be 1";
        problems.push(Problem::new(&serial.place, message).related(&rolling.place, "rolling here"));
    }
    problems
}

/// Tags asked for that no task has: Ansible runs nothing in silence.
fn unknown_tags(run: &Run) -> Vec<Problem> {
    let mut known: BTreeSet<&str> = ["all", "always", "never", "tagged", "untagged"].into();
    for play in &run.playbook.plays {
        known.extend(play.directives.tags.iter().map(String::as_str));
        for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
            tags_of(section, &mut known);
        }
    }
    let asked = run.options.tags.only.iter().map(|tag| ("<--tags>", tag));
    let asked = asked.chain(run.options.tags.skip.iter().map(|tag| ("<--skip-tags>", tag)));
    asked
        .filter(|(_, tag)| !known.contains(tag.as_str()))
        .map(|(option, tag)| {
            let mut problem = Problem::new(&command_line(option, tag), format!("no task has the tag `{tag}`"));
            problem.help = did_you_mean(tag, known.iter().copied());
            problem
        })
        .collect()
}

fn tags_of<'p>(items: &'p [Item], known: &mut BTreeSet<&'p str>) {
    for item in items {
        match item {
            Item::Task(task) => known.extend(task.directives.tags.iter().map(String::as_str)),
            Item::Block(block) => {
                known.extend(block.directives.tags.iter().map(String::as_str));
                for list in [&block.block, &block.rescue, &block.always] {
                    tags_of(list, known);
                }
            }
        }
    }
}
