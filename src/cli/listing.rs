//! `--list-hosts`, `--list-tasks`, `--list-tags`, `--syntax-check`: what a run would do, in Ansible's layout.

use std::collections::BTreeSet;
use std::path::Path;

use super::arguments::{Part, Run as Arguments};
use crate::engine::{Run, Tags};
use crate::inventory::Node;
use crate::playbook::{Item, Play, Task};
use crate::report::escaped_line;

/// The tags asked for.
pub(super) fn tags(part: &Part) -> Tags {
    Tags { only: part.tags.clone(), skip: part.skip_tags.clone() }
}

/// The listing, if one was asked for instead of a run.
pub(super) fn asked_for(arguments: &Arguments, path: &Path, run: &Run) -> Option<String> {
    let Arguments { list_hosts, list_tasks, list_tags, syntax_check, .. } = *arguments;
    if !(list_hosts || list_tasks || list_tags || syntax_check) {
        return None;
    }
    let mut text = format!("\nplaybook: {}\n", escaped_line(&path.to_string_lossy()));
    if !(list_hosts || list_tasks || list_tags) {
        return Some(text);
    }
    let wanted = tags(&arguments.part);
    for (number, (play, planned)) in run.playbook().plays.iter().zip(run.plays()).enumerate() {
        let (hosts, name) = (words(&play.hosts), escaped_line(&planned.name));
        let own = play.directives.tags.join(",");
        text.push_str(&format!("\n  play #{} ({hosts}): {name}\tTAGS: [{}]\n", number + 1, escaped_line(&own)));
        if list_hosts {
            text.push_str(&format!("    pattern: ['{hosts}']\n    hosts ({}):\n", planned.hosts.len()));
            text.extend(planned.hosts.iter().map(|host| format!("      {}\n", escaped_line(host))));
        }
        if list_tasks || list_tags {
            text.push_str(&of_tasks(&chosen(play, &wanted, list_tags), list_tasks, list_tags));
        }
    }
    Some(text)
}

/// A task that runs, with all tags that it has or inherits.
type Chosen<'p> = (&'p Task, BTreeSet<&'p str>);

/// With `--list-tags` also what is tagged `never`, unless only some tags were asked for: who asks which tags there are means
/// all that can be asked for. So does Ansible.
fn chosen<'p>(play: &'p Play, wanted: &Tags, list_tags: bool) -> Vec<Chosen<'p>> {
    let inherited: BTreeSet<&str> = play.directives.tags.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for items in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
        collect(items, &inherited, &mut found);
    }
    let never_too = list_tags && wanted.only.is_empty();
    found.retain(|(_, tags)| {
        wanted.select(&tags.iter().filter(|tag| !never_too || **tag != "never").collect::<Vec<_>>())
    });
    found
}

fn collect<'p>(items: &'p [Item], inherited: &BTreeSet<&'p str>, found: &mut Vec<Chosen<'p>>) {
    for item in items {
        let directives = match item {
            Item::Task(task) => &task.directives,
            Item::Block(block) => &block.directives,
        };
        let mut tags = inherited.clone();
        tags.extend(directives.tags.iter().map(String::as_str));
        match item {
            Item::Task(task) => found.push((task, tags)),
            Item::Block(block) => {
                for part in [&block.block, &block.rescue, &block.always] {
                    collect(part, &tags, found);
                }
            }
        }
    }
}

fn of_tasks(tasks: &[Chosen<'_>], names: bool, all_tags: bool) -> String {
    let list = |tags: &BTreeSet<&str>| escaped_line(&tags.iter().copied().collect::<Vec<_>>().join(", "));
    let mut text = String::new();
    if names {
        text.push_str("    tasks:\n");
        for (task, tags) in tasks {
            let name = task.name.as_ref().map_or_else(|| escaped_line(&task.module), words);
            text.push_str(&format!("      {name}\tTAGS: [{}]\n", list(tags)));
        }
    }
    if all_tags {
        let all = tasks.iter().flat_map(|(_, tags)| tags.iter().copied()).collect();
        text.push_str(&format!("      TASK TAGS: [{}]\n", list(&all)));
    }
    text
}

/// A node's text as written; a list's items with commas.
fn words(node: &Node) -> String {
    match node.as_sequence() {
        Some(items) => items.iter().map(words).collect::<Vec<_>>().join(","),
        None => escaped_line(&node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned)),
    }
}
