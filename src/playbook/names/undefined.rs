//! Names that nobody defines.

use std::collections::BTreeSet;

use crate::inventory::{Problem, nearest};
use crate::playbook::Templates;

use super::{ROUND, TURN, Use};

/// How Ansible's own names begin: facts, connection variables, magic variables.
const ANSIBLE: &str = "ansible_";

/// The names that those templates use and nobody can have defined by then.
///
/// `known` are the names from elsewhere: inventory, `-e`, `vars_files`, what tasks register and set, what modules and the
/// engine set. A name counts as defined wherever in the playbook it is registered or set, since which tasks run is not known
/// beforehand.
#[must_use]
pub fn undefined(uses: &[Use], templates: &Templates, known: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for one in uses {
        for name in templates.undeclared(&one.text, one.bare) {
            if known.contains(&name) || one.locals.contains(&name) || one.guarded.contains(&name) {
                continue;
            }
            let place = templates.place_of(&name, &one.text, &one.place, one.bare);
            let problem = Problem::new(&place, format!("`{name}` is not defined anywhere"));
            // All of Ansible's own names begin alike, which says nothing of how near they are.
            let (prefix, rest) = name.split_at(if name.starts_with(ANSIBLE) { ANSIBLE.len() } else { 0 });
            let candidates = one.locals.iter().chain(known).filter_map(|known| known.strip_prefix(prefix));
            problems.push(match nearest(rest, candidates) {
                _ if name == ROUND => {
                    problem.help("the tasks of a rolling play with `rounds:` have it, and nothing else")
                }
                _ if TURN.contains(&name.as_str()) => {
                    problem.help("the tasks of a rolling play have it, and nothing else")
                }
                Some(near) => problem.help(format!("did you mean `{prefix}{near}`?")),
                None if prefix == ANSIBLE => {
                    problem.help("quorate gathers no facts of hosts: ask with `command` and `register`")
                }
                None => problem.help(format!("define it, or say what it is without: `{name} | default(…)`")),
            });
        }
    }
    problems
}
