//! Names that nobody defines.

use std::collections::BTreeSet;

use crate::inventory::{Place, Problem, nearest};
use crate::playbook::{Playbook, Templates};

use super::{Use, defines, uses};

/// The names that templates of the playbook use and nobody can have defined by then.
///
/// `known` are the names from elsewhere: inventory, `-e`, `vars_files`, what modules and the engine set. Names that begin with
/// `ansible_` are left alone: facts are known only when a host has been asked. A name counts as defined wherever in the
/// playbook it is registered or set, since which tasks run is not known beforehand.
#[must_use]
pub fn undefined(playbook: &Playbook, templates: &Templates, known: &BTreeSet<String>) -> Vec<Problem> {
    let defined = defines(playbook);
    let mut problems = Vec::new();
    for one in uses(playbook) {
        let there = |name: &String| {
            name.starts_with("ansible_")
                || known.contains(name)
                || defined.contains(name)
                || one.locals.contains(name)
                || one.guarded.contains(name)
        };
        for name in templates.undeclared(&one.text, one.bare) {
            if !there(&name) {
                let candidates = one.locals.iter().chain(&defined).chain(known).map(String::as_str);
                let problem = Problem::new(&spot(&one, &name), format!("undefined variable `{name}`"));
                problems.push(match nearest(&name, candidates) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("define it in the inventory, in `vars:`, or with `-e`"),
                });
            }
        }
    }
    problems
}

/// Where in the use the name stands, if the text reads in the source as it is.
fn spot(one: &Use, name: &str) -> Place {
    let Place { source, start, end } = &one.place;
    let written = source.text.get(*start..*end).unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let whole = |at: &usize| {
        let before = written.get(..*at).and_then(|text| text.chars().next_back());
        let after = written.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(|c| is_word(c) && c != '.')
    };
    match written.match_indices(name).map(|(at, _)| at).find(whole) {
        Some(at) => Place::new(source, start + at, start + at + name.len()),
        None => one.place.clone(),
    }
}
