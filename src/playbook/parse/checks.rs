//! What is wrong only in its surroundings: found when the whole tree is there.

use crate::inventory::{Node, NodeValue};

use super::Reader;
use super::shapes::{is_template, scalar_text};
use crate::playbook::{Directives, Item, Play, Task};

/// Modules whose failure means that the next member must not be touched; none may be told to look away.
const GATES: [&str; 10] = [
    "etcd_backup",
    "etcd_defrag",
    "etcd_downgrade",
    "etcd_health",
    "etcd_member",
    "etcd_preflight",
    "etcd_ready",
    "etcd_restart",
    "etcd_restore",
    "etcd_stage",
];

/// Modules that take a member down, or have it do what must come to its end; none may be left in the middle of it.
const TRANSACTIONS: [&str; 6] =
    ["etcd_defrag", "etcd_downgrade", "etcd_member", "etcd_ready", "etcd_restart", "etcd_restore"];

const NO_TIME_LIMIT: &str = "what it has begun on the host would go on unseen; its own arguments bound its waits, and `timeout: 0` here \
    lifts a play's";

/// What is inherited and would make a gate look away, or leave a transaction.
#[derive(Clone, Copy, Default)]
struct Inherited<'p> {
    ignore_errors: Option<&'p Node>,
    ignore_unreachable: Option<&'p Node>,
    timeout: Option<&'p Node>,
}

impl<'p> Inherited<'p> {
    fn with(self, own: &'p Directives) -> Self {
        Self {
            ignore_errors: own.ignore_errors.as_ref().or(self.ignore_errors),
            ignore_unreachable: own.ignore_unreachable.as_ref().or(self.ignore_unreachable),
            timeout: own.timeout.as_ref().or(self.timeout),
        }
    }
}

impl Reader<'_> {
    /// Checks the plays of the whole playbook.
    pub(super) fn check_plays(&mut self, plays: &[Play]) {
        for play in plays {
            self.check_one_at_a_time(play);
            self.check_notified(play);
            let inherited = Inherited::default().with(&play.directives);
            for items in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
                self.check_gates(items, inherited);
            }
            for handler in &play.handlers {
                self.check_gate(&handler.task, inherited);
            }
        }
    }

    /// A guard speaks about one member at a time, so `serial` may say nothing else.
    fn check_one_at_a_time(&mut self, play: &Play) {
        let (Some(rolling), Some(serial)) = (&play.rolling, &play.serial) else { return };
        let sizes = match &serial.value {
            NodeValue::Sequence(sizes) => sizes.as_slice(),
            _ => std::slice::from_ref(serial),
        };
        for size in sizes {
            let text = scalar_text(size).unwrap_or_default();
            if text.trim() != "1" && !is_template(&text) {
                let message = format!("`serial: {text}` in a play that is guarded: one host at a time");
                let problem = crate::inventory::Problem::new(&size.place, message);
                self.problems.push(
                    problem
                        .help("leave `serial` out: `rolling` takes one after the other")
                        .related(&rolling.place, "guarded here"),
                );
            }
        }
    }

    fn check_gates(&mut self, items: &[Item], inherited: Inherited<'_>) {
        for item in items {
            match item {
                Item::Task(task) => self.check_gate(task, inherited),
                Item::Block(block) => {
                    let inherited = inherited.with(&block.directives);
                    for items in [&block.block, &block.rescue, &block.always] {
                        self.check_gates(items, inherited);
                    }
                }
            }
        }
    }

    fn check_gate(&mut self, task: &Task, inherited: Inherited<'_>) {
        if !GATES.contains(&task.module.as_str()) {
            return;
        }
        let Inherited { ignore_errors, ignore_unreachable, timeout } = inherited.with(&task.directives);
        for (keyword, node) in [("ignore_errors", ignore_errors), ("ignore_unreachable", ignore_unreachable)] {
            // A template might say yes, and would say so too late.
            let Some(node) = node.filter(|node| !matches!(node.value, NodeValue::Bool(false))) else { continue };
            let message = format!("`{keyword}` is not allowed on `{}`", task.module);
            self.refuse_gate(node, message, task);
        }
        for expression in task.failed_when.iter().flatten() {
            if matches!(expression.text.as_str(), "false" | "False") {
                let message = format!("`failed_when: false` is not allowed on `{}`", task.module);
                self.refuse_gate(&Node::new(&expression.place, NodeValue::Null), message, task);
            }
        }
        if let Some(node) = timeout.filter(|_| TRANSACTIONS.contains(&task.module.as_str())) {
            self.check_no_time_limit(node, task);
        }
    }

    /// What is begun on a member goes on there without us, so a time limit would only make its outcome unknown; 0 is none.
    fn check_no_time_limit(&mut self, node: &Node, task: &Task) {
        if matches!(node.value, NodeValue::Int(0, _)) {
            return;
        }
        let message = format!("`timeout` is not allowed on `{}`", task.module);
        let problem = crate::inventory::Problem::new(&node.place, message)
            .help(NO_TIME_LIMIT)
            .related(&task.module_place, "called here");
        self.problems.push(problem);
    }

    fn refuse_gate(&mut self, node: &Node, message: String, task: &Task) {
        let problem = crate::inventory::Problem::new(&node.place, message)
            .help("its failure is what keeps the next member from being touched")
            .related(&task.module_place, "called here");
        self.problems.push(problem);
    }
}
