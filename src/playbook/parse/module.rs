//! Which module a task calls, and with which arguments.

use crate::inventory::{Entry, Node, NodeValue, Place, Problem, ScalarStyle, nearest};

use super::arguments::{self, from_line};
use super::keywords::{Home, nearest_keyword};
use super::shapes::{is_template, kind};
use super::{Reader, without_collection};

/// A module's name in a task.
pub(super) struct Call {
    pub(super) module: String,
    pub(super) place: Place,
    pub(super) args: Node,
}

impl Reader<'_> {
    /// The table's spelling of a module's name, if there is such a module.
    pub(super) fn module(&self, name: &str) -> Option<&'static str> {
        let name = without_collection(name);
        self.vocabulary.modules.iter().find(|known| **known == name).copied()
    }

    /// The call that a key of a task is: `copy: …`.
    pub(super) fn call(&mut self, name: &'static str, entry: &Entry) -> Call {
        let args = self.arguments(name, &entry.value, &entry.key_place);
        Call { module: name.to_owned(), place: entry.key_place.clone(), args }
    }

    /// The call that `action:` or `local_action:` holds.
    pub(super) fn action(&mut self, entry: &Entry) -> Option<Call> {
        match &entry.value.value {
            NodeValue::String(text, _) => {
                let text = text.trim_start();
                let (name, line) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
                let Some(module) = self.module(name) else {
                    self.unknown_module(name, &entry.value.place);
                    return None;
                };
                let value = NodeValue::String(line.to_owned(), ScalarStyle::Quoted);
                let args = self.arguments(module, &Node::new(&entry.value.place, value), &entry.value.place);
                Some(Call { module: module.to_owned(), place: entry.value.place.clone(), args })
            }
            NodeValue::Mapping(entries) => {
                let Some(named) = entries.iter().find(|inner| inner.key == "module") else {
                    self.problem(&entry.value.place, format!("`{}` names no module", entry.key));
                    return None;
                };
                let name = named.value.as_str().unwrap_or_default();
                let Some(module) = self.module(name) else {
                    self.unknown_module(name, &named.value.place);
                    return None;
                };
                let rest = entries.iter().filter(|inner| inner.key != "module").cloned().collect();
                let args = Node { value: NodeValue::Mapping(rest), ..entry.value.clone() };
                Some(Call { module: module.to_owned(), place: named.value.place.clone(), args })
            }
            _ => {
                self.wrong_shape(&entry.key, &entry.value, "a module with its arguments");
                None
            }
        }
    }

    /// Says that there is no such module.
    pub(super) fn unknown_module(&mut self, name: &str, place: &Place) {
        let problem = Problem::new(place, format!("unknown module `{name}`"));
        let help = match nearest(without_collection(name), self.vocabulary.modules.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if without_collection(name).contains('.') => {
                "modules of collections are not supported by quorate".to_owned()
            }
            None => "`quorate doc` lists the modules there are".to_owned(),
        };
        self.problems.push(problem.help(help));
    }

    /// Says what is wrong with keys that are neither keywords nor modules. `called`: whether the task calls a module beside.
    pub(super) fn unknown_keys(&mut self, entries: &[&Entry], called: bool, home: Home) {
        // In a task without a module, the likeliest of its strangers was meant to be one.
        let module = if called {
            None
        } else {
            entries.iter().max_by(|a, b| self.moduleness(a, home).total_cmp(&self.moduleness(b, home)))
        };
        for entry in entries {
            if module.is_some_and(|module| module.key == entry.key) && self.moduleness(entry, home) > 0.0 {
                self.unknown_module(&entry.key, &entry.key_place);
            } else {
                self.unknown_keyword(entry, home);
            }
        }
    }

    /// How much a stranger looks like a module: above zero if more than like a keyword.
    fn moduleness(&self, entry: &Entry, home: Home) -> f64 {
        let likeness = |name: Option<&'static str>| name.map_or(0.0, |name| strsim::jaro_winkler(&entry.key, name));
        let module = likeness(nearest(without_collection(&entry.key), self.vocabulary.modules.iter().copied()));
        let keyword = likeness(nearest_keyword(&entry.key, home));
        let shaped = match &entry.value.value {
            NodeValue::Mapping(_) => true,
            NodeValue::String(text, _) => from_line(text, false).is_ok_and(|line| !line.pairs.is_empty()),
            _ => false,
        };
        module - keyword + if shaped { 0.5 } else { 0.01 } + if entry.key.contains('.') { 1.0 } else { 0.0 }
    }

    /// A module's arguments as a mapping, whatever form they are written in.
    fn arguments(&mut self, module: &str, value: &Node, place: &Place) -> Node {
        match &value.value {
            NodeValue::Mapping(_) => value.clone(),
            NodeValue::Null => Node::new(place, NodeValue::Mapping(Vec::new())),
            NodeValue::String(text, _) => {
                let entries = self.argument_line(module, text, &value.place);
                Node::new(&value.place, NodeValue::Mapping(entries))
            }
            NodeValue::Bool(_) | NodeValue::Int(..) | NodeValue::Float(..) if self.free_form(module) => {
                let text = super::shapes::scalar_text(value).unwrap_or_default();
                let entries = self.argument_line(module, &text, &value.place);
                Node::new(&value.place, NodeValue::Mapping(entries))
            }
            _ => {
                let message = format!("the arguments of `{module}` must be a mapping, found {}", kind(value));
                self.problem(&value.place, message);
                Node::new(place, NodeValue::Mapping(Vec::new()))
            }
        }
    }

    fn free_form(&self, module: &str) -> bool {
        self.vocabulary.free_form.contains(&module)
    }

    /// Arguments in one line.
    fn argument_line(&mut self, module: &str, text: &str, place: &Place) -> Vec<Entry> {
        let free_form = self.free_form(module);
        let arguments::Line { pairs, text: free, text_at } = match from_line(text, free_form) {
            Ok(line) => line,
            Err(at) => {
                let message = "a quote or a template that is never closed";
                self.problem_with(
                    &within(place, text, at..at + 1),
                    message,
                    "write the arguments as a mapping instead",
                );
                return Vec::new();
            }
        };
        let mut entries: Vec<Entry> = Vec::new();
        for (key, value, range) in pairs {
            let place = within(place, text, range);
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let problem = Problem::new(&place, format!("the argument `{key}` is given twice"));
                self.problems.push(problem.related(&first.key_place, "first given here"));
                continue;
            }
            let value = Node::new(&place, NodeValue::String(value, ScalarStyle::Quoted));
            entries.push(Entry { key, key_place: place, value });
        }
        if let Some(at) = text_at {
            let place = within(place, text, at);
            if free_form {
                let value = Node::new(&place, NodeValue::String(free, ScalarStyle::Quoted));
                entries.push(Entry { key: "_raw_params".to_owned(), key_place: place, value });
            } else if is_template(text) && entries.is_empty() {
                self.problem(&place, format!("the arguments of `{module}` can't be a template as a whole"));
            } else {
                let message = format!("`{module}` takes no free text");
                self.problem_with(&place, message, "write `key=value`, or a mapping of arguments");
            }
        }
        entries
    }
}

/// The place of a part of a scalar, where the scalar stands in the source as it reads; else the scalar's own.
fn within(place: &Place, text: &str, part: std::ops::Range<usize>) -> Place {
    let Some(written) = place.source.text.get(place.start..place.end) else { return place.clone() };
    // `action: copy src=a` hands on the end of the scalar only.
    match written.find(text) {
        Some(at) if !text.is_empty() => {
            Place::new(&place.source, place.start + at + part.start, place.start + at + part.end)
        }
        _ => place.clone(),
    }
}
