//! One task.

use crate::inventory::{Entry, Node, NodeValue, Place, Problem};

use super::Reader;
use super::keywords::Home;
use super::module::Call;
use super::shapes::{is_identifier, is_template};
use crate::playbook::{Directives, LoopControl, Task};

/// The keywords of a task as they come, before it is known which module they belong to.
#[derive(Default)]
struct Draft {
    name: Option<Node>,
    calls: Vec<Call>,
    args: Vec<Entry>,
    local: Option<Place>,
    directives: Directives,
    register: Option<String>,
    r#loop: Option<(Node, Place)>,
    with_items: Option<(Node, Place)>,
    loop_control: LoopControl,
    until: Vec<crate::playbook::Expression>,
    retries: Option<Node>,
    delay: Option<Node>,
    changed_when: Option<Vec<crate::playbook::Expression>>,
    failed_when: Option<Vec<crate::playbook::Expression>>,
    listen: Vec<String>,
}

impl Reader<'_> {
    /// Reads a task, and what a handler listens to.
    pub(super) fn task(&mut self, node: &Node, entries: &[Entry], home: Home) -> Option<(Task, Vec<String>)> {
        let mut draft = Draft::default();
        let mut strangers = Vec::new();
        let before = self.problems.len();
        for entry in entries {
            match self.keyword(entry, home) {
                Some(true) => self.task_keyword(entry, &mut draft),
                Some(false) => {}
                None => match self.module(&entry.key) {
                    Some(name) => {
                        let call = self.call(name, entry);
                        draft.calls.push(call);
                    }
                    None => strangers.push(entry),
                },
            }
        }
        self.unknown_keys(&strangers, !draft.calls.is_empty(), home);
        let wrong_already = self.problems.len() > before;
        self.finished(draft, node, wrong_already)
    }

    fn task_keyword(&mut self, entry: &Entry, draft: &mut Draft) {
        if self.directive(entry, &mut draft.directives) {
            return;
        }
        match entry.key.as_str() {
            "name" => draft.name = self.text(entry),
            "action" => draft.calls.extend(self.action(entry)),
            "local_action" => {
                draft.calls.extend(self.action(entry));
                draft.local = Some(entry.key_place.clone());
            }
            "args" => match &entry.value.value {
                NodeValue::Mapping(args) => draft.args.clone_from(args),
                NodeValue::Null => {}
                _ => self.wrong_shape("args", &entry.value, "a mapping"),
            },
            "register" => draft.register = self.identifier(entry),
            "loop" => draft.r#loop = self.loop_list(entry).map(|list| (list, entry.key_place.clone())),
            "with_items" => draft.with_items = self.loop_list(entry).map(|list| (list, entry.key_place.clone())),
            "loop_control" => draft.loop_control = self.loop_control(entry),
            "until" => draft.until = self.expressions(entry),
            "retries" => draft.retries = self.number(entry, 0, true),
            "delay" => draft.delay = self.number(entry, 0, false),
            "changed_when" => draft.changed_when = Some(self.expressions(entry)).filter(|list| !list.is_empty()),
            "failed_when" => draft.failed_when = Some(self.expressions(entry)).filter(|list| !list.is_empty()),
            "listen" => draft.listen = self.listened(entry),
            // What is read and not named here is read by the caller: `block:`, `import_tasks:`.
            _ => {}
        }
    }

    fn finished(&mut self, draft: Draft, node: &Node, wrong_already: bool) -> Option<(Task, Vec<String>)> {
        let mut calls = draft.calls.into_iter();
        let Some(call) = calls.next() else {
            if !wrong_already {
                self.problem_with(&node.place, "the task calls no module", "add one, such as `command: …`");
            }
            return None;
        };
        for second in calls {
            let message = format!("a task calls one module, this one calls `{}` and `{}`", call.module, second.module);
            let problem = Problem::new(&second.place, message).help("make two tasks of it, or a `block:`");
            self.problems.push(problem.related(&call.place, "the first is here"));
        }
        if let (Some((_, first)), Some((_, second))) = (&draft.r#loop, &draft.with_items) {
            let problem = Problem::new(second, "a task has one loop, this one has `loop` and `with_items`");
            self.problems.push(problem.related(first, "the first is here"));
        }
        let mut directives = draft.directives;
        if let Some(place) = &draft.local {
            if let Some(other) = &directives.delegate_to {
                let problem = Problem::new(&other.place, "`local_action` says already where the task runs");
                self.problems.push(problem.related(place, "here"));
            }
            directives.delegate_to =
                Some(Node::new(place, NodeValue::String("localhost".to_owned(), crate::inventory::ScalarStyle::Plain)));
        }
        let with_items = draft.with_items.is_some();
        let task = Task {
            place: node.place.clone(),
            name: draft.name,
            module: call.module,
            module_place: call.place,
            args: with_args(call.args, draft.args),
            directives,
            register: draft.register,
            r#loop: draft.r#loop.or(draft.with_items).map(|(list, _)| list),
            with_items,
            loop_control: draft.loop_control,
            until: draft.until,
            retries: draft.retries,
            delay: draft.delay,
            changed_when: draft.changed_when,
            failed_when: draft.failed_when,
        };
        self.check_facts(&task);
        Some((task, draft.listen))
    }

    /// A list, or a template that gives one; `with_items` takes a single item too.
    fn loop_list(&mut self, entry: &Entry) -> Option<Node> {
        match &entry.value.value {
            NodeValue::Sequence(_) => Some(entry.value.clone()),
            NodeValue::String(text, _) if is_template(text) => Some(entry.value.clone()),
            NodeValue::String(..) | NodeValue::Int(..) if entry.key == "with_items" => {
                Some(Node::new(&entry.value.place, NodeValue::Sequence(vec![entry.value.clone()])))
            }
            NodeValue::String(text, _) => {
                let message = format!("`{}` must be a list, found text", entry.key);
                self.problem_with(&entry.value.place, message, format!("if it names a variable: \"{{{{ {text} }}}}\""));
                None
            }
            _ => {
                self.wrong_shape(&entry.key, &entry.value, "a list or a template that gives one");
                None
            }
        }
    }

    fn loop_control(&mut self, entry: &Entry) -> LoopControl {
        let mut control = LoopControl::default();
        let NodeValue::Mapping(entries) = &entry.value.value else {
            self.wrong_shape("loop_control", &entry.value, "a mapping");
            return control;
        };
        self.check_keys(entries, &["loop_var", "index_var", "label", "pause", "extended"], "`loop_control`");
        for entry in entries {
            match entry.key.as_str() {
                "loop_var" => control.loop_var = self.identifier(entry),
                "index_var" => control.index_var = self.identifier(entry),
                "label" => control.label = Some(entry.value.clone()),
                "pause" => control.pause = self.number(entry, 0, false),
                "extended" => match self.boolean(entry).map(|node| node.value) {
                    Some(NodeValue::Bool(extended)) => control.extended = extended,
                    Some(_) => self.problem(&entry.value.place, "`extended` can't be a template"),
                    None => {}
                },
                _ => {}
            }
        }
        control
    }

    /// What a handler listens to: names, known before the run.
    fn listened(&mut self, entry: &Entry) -> Vec<String> {
        let mut names = Vec::new();
        for node in self.texts(entry) {
            match node.as_str() {
                Some(name) if is_template(name) => self.problem(&node.place, "`listen` can't be a template"),
                Some(name) => names.push(name.to_owned()),
                None => {}
            }
        }
        names
    }

    /// Facts become variables, so their names must be such.
    fn check_facts(&mut self, task: &Task) {
        if task.module != "set_fact" {
            return;
        }
        for entry in task.args.as_mapping().unwrap_or_default() {
            if !is_identifier(&entry.key) {
                self.bad_identifier(&entry.key, &entry.key_place);
            }
        }
    }
}

/// The arguments with those of `args:` behind them; the module's own win.
fn with_args(mut node: Node, more: Vec<Entry>) -> Node {
    if let NodeValue::Mapping(own) = &mut node.value {
        for entry in more {
            if !own.iter().any(|known| known.key == entry.key) {
                own.push(entry);
            }
        }
    }
    node
}
