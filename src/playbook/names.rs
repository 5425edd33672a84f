//! Which names a playbook's templates can see, and which it defines: so that a name nobody defines is found before the run.
//!
//! [`undefined`] is the whole check; [`uses`] and [`defines`] are what it is made of.

use std::collections::BTreeSet;

use crate::inventory::{Entry, Node, NodeValue, Place};

use super::{Block, Directives, Expression, Item, Play, Playbook, Task, Templates};

mod undefined;

pub use undefined::undefined;

/// One template or expression.
#[derive(Clone, Debug)]
pub struct Use {
    /// Which play it is in, from 0.
    pub play: usize,
    /// Where it stands.
    pub place: Place,
    /// Its text.
    pub text: String,
    /// Whether it is an expression without braces, as in `when:`; else a text with templates in it.
    pub bare: bool,
    /// Names that are there because of where it stands: `vars:` of task, block and play, and the loop's.
    pub locals: Vec<String>,
    /// Names that an `x is defined` or `x | default(…)` in a condition around it looks after.
    pub guarded: Vec<String>,
}

/// All templates and expressions of a playbook, in order.
///
/// Left out are the names of plays, blocks and tasks, which are shown as they are when they can't be rendered, and what is
/// tagged `!unsafe` or `!vault`.
#[must_use]
pub fn uses(playbook: &Playbook) -> Vec<Use> {
    finder(playbook).uses
}

/// Each task and handler, with the index of its play and, as a use of no text, the names that its arguments see: for files
/// of templates, which only the task's module can find.
#[must_use]
pub fn tasks(playbook: &Playbook) -> Vec<(&Task, Use)> {
    finder(playbook).tasks
}

fn finder(playbook: &Playbook) -> Finder<'_> {
    let (anywhere, templates) = (anywhere(playbook), Templates::new());
    let mut finder = Finder { uses: Vec::new(), tasks: Vec::new(), index: 0, anywhere, turn: Vec::new(), templates };
    for (index, play) in playbook.plays.iter().enumerate() {
        finder.index = index;
        finder.play(play);
    }
    finder
}

/// The names that hosts get while the playbook runs: `register:`, and the keys of `set_fact`.
///
/// They outlive their task, block and play; names that do not are in [`Use::locals`].
#[must_use]
pub fn defines(playbook: &Playbook) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each_task(playbook, &mut |task| {
        names.extend(task.register.clone());
        if task.module == "set_fact" {
            names.extend(task.args.as_mapping().unwrap_or_default().iter().map(|entry| entry.key.clone()));
        }
    });
    names
}

/// All names that are local somewhere. A variable's value, and what a block hands down, are rendered where they are used;
/// that may be in any loop and beneath any `vars:`, so these see all of them.
fn anywhere(playbook: &Playbook) -> Vec<String> {
    let mut names = BTreeSet::from(FAILED.map(str::to_owned));
    for play in &playbook.plays {
        names.extend(keys(&play.directives.vars));
        for items in sections(play) {
            block_names(items, &mut names);
        }
    }
    each_task(playbook, &mut |task| {
        names.extend(keys(&task.directives.vars));
        names.extend(loop_names(task));
    });
    names.into_iter().collect()
}

/// What every task of a rolling play knows of its turn.
pub const TURN: [&str; 4] = ["rolling_round_number", "rolling_rounds", "rolling_first", "rolling_last"];

/// What it knows besides where there are `rounds:`: the item of this round.
pub const ROUND: &str = "rolling_round";

/// What `rescue:` and `always:` know about the failure.
const FAILED: [&str; 2] = ["ansible_failed_task", "ansible_failed_result"];

/// The names and guards in force at a point of the tree.
#[derive(Clone, Default)]
struct Around {
    locals: Vec<String>,
    guarded: Vec<String>,
}

struct Finder<'p> {
    uses: Vec<Use>,
    tasks: Vec<(&'p Task, Use)>,
    /// The play in hand.
    index: usize,
    anywhere: Vec<String>,
    /// What the tasks of the play in hand know of their turn.
    turn: Vec<String>,
    templates: Templates,
}

impl<'p> Finder<'p> {
    /// What is in force beneath these directives.
    fn within(&self, around: &Around, directives: &Directives) -> Around {
        let mut inner = around.clone();
        inner.locals.extend(keys(&directives.vars));
        for when in &directives.when {
            inner.guarded.extend(self.templates.guarded(&when.text, true));
        }
        inner
    }

    fn play(&mut self, play: &'p Play) {
        let mut around = self.within(&Around::default(), &play.directives);
        self.node(&play.hosts, &around);
        [&play.serial, &play.gather_facts].into_iter().flatten().for_each(|node| self.node(node, &around));
        play.vars_files.iter().for_each(|node| self.node(node, &around));
        let rolling = play.rolling.iter();
        let said = rolling.flat_map(|rolling| rolling.rounds.iter().chain(&rolling.until));
        said.for_each(|node| self.node(node, &around));
        // What was looked at so far is rendered before the first turn, what follows in one.
        self.turn = turn_names(play);
        around.locals.extend(self.turn.iter().cloned());
        let single = [&play.any_errors_fatal, &play.max_fail_percentage, &play.force_handlers];
        single.into_iter().flatten().for_each(|node| self.node(node, &around));
        self.inherited(&play.directives, &around);
        for items in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
            self.items(items, &around);
        }
        for handler in &play.handlers {
            self.task(&handler.task, &around);
        }
    }

    fn items(&mut self, items: &'p [Item], around: &Around) {
        for item in items {
            match item {
                Item::Task(task) => self.task(task, around),
                Item::Block(block) => self.block(block, around),
            }
        }
    }

    fn block(&mut self, block: &'p Block, around: &Around) {
        let mut around = self.within(around, &block.directives);
        self.inherited(&block.directives, &around);
        self.items(&block.block, &around);
        around.locals.extend(FAILED.map(str::to_owned));
        self.items(&block.rescue, &around);
        self.items(&block.always, &around);
    }

    fn task(&mut self, task: &'p Task, around: &Around) {
        let mut around = self.within(around, &task.directives);
        for node in [&task.r#loop, &task.retries, &task.delay, &task.loop_control.pause].into_iter().flatten() {
            self.node(node, &around);
        }
        around.locals.extend(loop_names(task));
        self.directives(&task.directives, &around);
        self.arguments(task, &around);
        self.tasks.push((task, self.made(&task.module_place, "", false, &around)));
        task.loop_control.label.iter().for_each(|node| self.node(node, &around));
        self.expressions(&task.until, &around);
        self.expressions(task.changed_when.as_deref().unwrap_or_default(), &around);
        self.expressions(task.failed_when.as_deref().unwrap_or_default(), &around);
        self.lazily(&task.directives, &around);
    }

    /// The arguments; `assert` and `debug` take expressions without braces.
    fn arguments(&mut self, task: &Task, around: &Around) {
        for entry in task.args.as_mapping().unwrap_or_default() {
            match (task.module.as_str(), entry.key.as_str()) {
                ("assert", "that") => self.conditions(&entry.value, around),
                ("debug", "var") => self.conditions(&entry.value, around),
                _ => self.node(&entry.value, around),
            }
        }
    }

    /// One expression or a list of them, each perhaps with braces; those of one list guard each other.
    fn conditions(&mut self, node: &Node, around: &Around) {
        let items = node.as_sequence().unwrap_or(std::slice::from_ref(node));
        let mut around = around.clone();
        for text in items.iter().filter_map(Node::as_str) {
            around.guarded.extend(self.templates.guarded(text, !has_template(text)));
        }
        for item in items {
            let Some(text) = item.as_str().filter(|_| item.tag.is_none()) else { continue };
            self.found(&item.place, text, !has_template(text), &around);
        }
    }

    /// What a play or a block hands down is rendered in each of its tasks.
    fn inherited(&mut self, directives: &Directives, around: &Around) {
        let inner = self.late(around);
        self.directives(directives, &inner);
        self.lazily(directives, &inner);
    }

    fn directives(&mut self, own: &Directives, around: &Around) {
        self.expressions(&own.when, around);
        own.environment.iter().chain(&own.notify).for_each(|node| self.node(node, around));
        let single = [
            &own.r#become,
            &own.become_user,
            &own.become_method,
            &own.connection,
            &own.remote_user,
            &own.port,
            &own.ignore_errors,
            &own.ignore_unreachable,
            &own.no_log,
            &own.check_mode,
            &own.diff,
            &own.run_once,
            &own.delegate_to,
            &own.throttle,
            &own.timeout,
            &own.any_errors_fatal,
        ];
        single.into_iter().flatten().for_each(|node| self.node(node, around));
    }

    /// The values of `vars:`.
    fn lazily(&mut self, own: &Directives, around: &Around) {
        let around = self.late(around);
        own.vars.iter().for_each(|entry| self.node(&entry.value, &around));
    }

    /// The names for what is rendered only where it is used.
    fn late(&self, around: &Around) -> Around {
        let locals = self.anywhere.iter().chain(&self.turn).cloned().collect();
        Around { locals, guarded: around.guarded.clone() }
    }

    fn expressions(&mut self, list: &[Expression], around: &Around) {
        let mut around = around.clone();
        for expression in list {
            around.guarded.extend(self.templates.guarded(&expression.text, true));
        }
        for expression in list {
            self.found(&expression.place, &expression.text, true, &around);
        }
    }

    fn node(&mut self, node: &Node, around: &Around) {
        if node.tag.is_some() {
            return;
        }
        match &node.value {
            NodeValue::String(text, _) if has_template(text) => self.found(&node.place, text, false, around),
            NodeValue::Sequence(items) => items.iter().for_each(|item| self.node(item, around)),
            NodeValue::Mapping(entries) => {
                for entry in entries {
                    if has_template(&entry.key) {
                        self.found(&entry.key_place, &entry.key, false, around);
                    }
                    self.node(&entry.value, around);
                }
            }
            _ => {}
        }
    }

    fn found(&mut self, place: &Place, text: &str, bare: bool, around: &Around) {
        self.uses.push(self.made(place, text, bare, around));
    }

    fn made(&self, place: &Place, text: &str, bare: bool, around: &Around) -> Use {
        let (locals, guarded) = (around.locals.clone(), around.guarded.clone());
        Use { play: self.index, place: place.clone(), text: text.to_owned(), bare, locals, guarded }
    }
}

fn has_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

fn keys(entries: &[Entry]) -> impl Iterator<Item = String> + '_ {
    entries.iter().map(|entry| entry.key.clone())
}

fn turn_names(play: &Play) -> Vec<String> {
    let Some(rolling) = &play.rolling else { return Vec::new() };
    TURN.into_iter().chain(rolling.rounds.as_ref().map(|_| ROUND)).map(str::to_owned).collect()
}

fn loop_names(task: &Task) -> Vec<String> {
    if task.r#loop.is_none() {
        return Vec::new();
    }
    let control = &task.loop_control;
    let mut names = vec![control.loop_var.clone().unwrap_or_else(|| "item".to_owned()), "ansible_loop_var".to_owned()];
    if let Some(index) = &control.index_var {
        names.extend([index.clone(), "ansible_index_var".to_owned()]);
    }
    if control.extended {
        names.push("ansible_loop".to_owned());
    }
    names
}

fn sections(play: &Play) -> [&[Item]; 3] {
    [&play.pre_tasks, &play.tasks, &play.post_tasks]
}

fn block_names(items: &[Item], names: &mut BTreeSet<String>) {
    for item in items {
        if let Item::Block(block) = item {
            names.extend(keys(&block.directives.vars));
            for items in [&block.block, &block.rescue, &block.always] {
                block_names(items, names);
            }
        }
    }
}

fn each_task<'p>(playbook: &'p Playbook, visit: &mut impl FnMut(&'p Task)) {
    for play in &playbook.plays {
        for items in sections(play) {
            each_in(items, visit);
        }
        play.handlers.iter().for_each(|handler| visit(&handler.task));
    }
}

fn each_in<'p>(items: &'p [Item], visit: &mut impl FnMut(&'p Task)) {
    for item in items {
        match item {
            Item::Task(task) => visit(task),
            Item::Block(block) => {
                for items in [&block.block, &block.rescue, &block.always] {
                    each_in(items, visit);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
