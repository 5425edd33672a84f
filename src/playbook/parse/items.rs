//! Lists of tasks and blocks.

use crate::inventory::{Entry, Node, NodeValue};

use super::Reader;
use super::keywords::Home;
use super::{imports, keyword_name};
use crate::playbook::{Block, Item};

impl Reader<'_> {
    /// The tasks under a keyword such as `tasks:`.
    pub(super) fn items(&mut self, entry: &Entry) -> Vec<Item> {
        self.item_list(&entry.value, &format!("`{}`", entry.key))
    }

    /// A list of tasks; `what` is what messages call it.
    pub(super) fn item_list(&mut self, node: &Node, what: &str) -> Vec<Item> {
        match &node.value {
            NodeValue::Null => Vec::new(),
            NodeValue::Sequence(items) => items.iter().filter_map(|item| self.item(item)).collect(),
            _ => {
                let found = super::shapes::kind(node);
                self.problem_with(
                    &node.place,
                    format!("{what} must be a list of tasks, found {found}"),
                    "each task begins with `- `",
                );
                Vec::new()
            }
        }
    }

    fn item(&mut self, node: &Node) -> Option<Item> {
        let NodeValue::Mapping(entries) = &node.value else {
            let found = super::shapes::kind(node);
            self.problem(&node.place, format!("a task must be a mapping, found {found}"));
            return None;
        };
        let has = |name: &str| entries.iter().find(|entry| keyword_name(&entry.key) == name);
        if has("block").is_some() {
            return Some(Item::Block(Box::new(self.block(node, entries))));
        }
        if let Some(orphan) = has("rescue").or_else(|| has("always")) {
            self.problem(&orphan.key_place, format!("`{}` without a `block` that it belongs to", orphan.key));
            return None;
        }
        if let Some(import) = has("import_tasks") {
            return self.import_tasks(node, entries, import).map(|block| Item::Block(Box::new(block)));
        }
        if let Some(import) = has(imports::PLAYBOOK) {
            self.problem(&import.key_place, "`import_playbook` stands beside plays, not among tasks");
            return None;
        }
        self.task(node, entries, Home::Task).map(|(task, _)| Item::Task(Box::new(task)))
    }

    fn block(&mut self, node: &Node, entries: &[Entry]) -> Block {
        let mut block = Block::new(&node.place);
        for entry in entries {
            match self.keyword(entry, Home::Block) {
                Some(true) => {}
                Some(false) => continue,
                None => {
                    match self.module(&entry.key) {
                        Some(name) => {
                            let message = format!("a block calls no module itself: `{name}`");
                            self.problem_with(&entry.key_place, message, "make it a task of the block");
                        }
                        None => self.unknown_keyword(entry, Home::Block),
                    }
                    continue;
                }
            }
            if self.directive(entry, &mut block.directives) {
                continue;
            }
            match entry.key.as_str() {
                "name" => block.name = self.text(entry),
                "block" => block.block = self.items(entry),
                "rescue" => block.rescue = self.items(entry),
                "always" => block.always = self.items(entry),
                _ => {}
            }
        }
        if block.block.is_empty() && matches!(node.get("block").map(|node| &node.value), Some(NodeValue::Null)) {
            self.problem(&block.place, "the block is empty");
        }
        block
    }
}
