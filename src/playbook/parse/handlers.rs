//! Handlers, and whether those that are notified exist.

use crate::inventory::{Entry, Node, NodeValue, Problem, nearest};

use super::Reader;
use super::keywords::Home;
use super::shapes::is_template;
use crate::playbook::{Handler, Item, Play};

impl Reader<'_> {
    /// The handlers of a play.
    pub(super) fn handlers(&mut self, entry: &Entry) -> Vec<Handler> {
        let items = match &entry.value.value {
            NodeValue::Null => return Vec::new(),
            NodeValue::Sequence(items) => items,
            _ => {
                self.wrong_shape("handlers", &entry.value, "a list of handlers");
                return Vec::new();
            }
        };
        items.iter().filter_map(|item| self.handler(item)).collect()
    }

    fn handler(&mut self, node: &Node) -> Option<Handler> {
        let NodeValue::Mapping(entries) = &node.value else {
            let found = super::shapes::kind(node);
            self.problem(&node.place, format!("a handler must be a mapping, found {found}"));
            return None;
        };
        for grouped in ["block", "import_tasks"] {
            if let Some(entry) = entries.iter().find(|entry| super::keyword_name(&entry.key) == grouped) {
                let message = format!("`{grouped}` among handlers is not supported by quorate yet");
                self.problem_with(&entry.key_place, message, "write its tasks as handlers of their own");
                return None;
            }
        }
        let (task, listen) = self.task(node, entries, Home::Handler)?;
        if task.name.is_none() && listen.is_empty() {
            self.problem_with(&node.place, "a handler that nothing can notify", "give it a `name:` or a `listen:`");
        }
        Some(Handler { listen, task })
    }

    /// Says which handlers are notified that the play does not have.
    ///
    /// Ansible says so only when the task has changed something, and then ends the run.
    pub(super) fn check_notified(&mut self, play: &Play) {
        let mut known: Vec<&str> = Vec::new();
        for handler in &play.handlers {
            known.extend(handler.listen.iter().map(String::as_str));
            match handler.task.name.as_ref().and_then(Node::as_str) {
                // A name that is made at run time may be any.
                Some(name) if is_template(name) => return,
                Some(name) => known.push(name),
                None => {}
            }
        }
        let mut notified = Vec::new();
        for items in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
            collect(items, &mut notified);
        }
        notified.extend(play.handlers.iter().flat_map(|handler| &handler.task.directives.notify));
        for node in notified {
            let Some(name) = node.as_str().filter(|name| !is_template(name) && !known.contains(name)) else { continue };
            let problem = Problem::new(&node.place, format!("the play has no handler `{name}`"));
            self.problems.push(match nearest(name, known.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
}

fn collect<'t>(items: &'t [Item], into: &mut Vec<&'t Node>) {
    for item in items {
        match item {
            Item::Task(task) => into.extend(&task.directives.notify),
            Item::Block(block) => {
                into.extend(&block.directives.notify);
                for items in [&block.block, &block.rescue, &block.always] {
                    collect(items, into);
                }
            }
        }
    }
}
