//! The keywords that plays, blocks and tasks share.

use crate::inventory::{Entry, Node};

use super::Reader;
use super::shapes::is_template;
use crate::playbook::Directives;

/// Connections there are, and what `smart` means here.
const CONNECTIONS: [&str; 3] = ["ssh", "smart", "local"];

impl Reader<'_> {
    /// Reads the entry into the directives; `false` if it is not one of them.
    pub(super) fn directive(&mut self, entry: &Entry, into: &mut Directives) -> bool {
        match entry.key.as_str() {
            "when" => into.when = self.expressions(entry),
            "tags" => into.tags = self.tags(entry),
            "vars" => into.vars = self.variables(entry),
            "environment" => into.environment = self.environment(entry),
            "notify" => into.notify = self.texts(entry),
            "become" => into.r#become = self.boolean(entry),
            "become_user" => into.become_user = self.text(entry),
            "become_method" => into.become_method = self.one_of(entry, &["sudo"]),
            "connection" => into.connection = self.one_of(entry, &CONNECTIONS),
            "remote_user" => into.remote_user = self.text(entry),
            "port" => into.port = self.port(entry),
            "ignore_errors" => into.ignore_errors = self.boolean(entry),
            "ignore_unreachable" => into.ignore_unreachable = self.boolean(entry),
            "no_log" => into.no_log = self.boolean(entry),
            "check_mode" => into.check_mode = self.boolean(entry),
            "diff" => into.diff = self.boolean(entry),
            "run_once" => into.run_once = self.boolean(entry),
            "delegate_to" => into.delegate_to = self.text(entry),
            "throttle" => into.throttle = self.number(entry, 0, true),
            "timeout" => into.timeout = self.number(entry, 0, true),
            "any_errors_fatal" => into.any_errors_fatal = self.boolean(entry),
            _ => return false,
        }
        true
    }

    /// One of a few names, or a template.
    pub(super) fn one_of(&mut self, entry: &Entry, known: &[&str]) -> Option<Node> {
        let node = self.text(entry)?;
        let name = node.as_str()?;
        if is_template(name) || known.contains(&name) {
            return Some(node);
        }
        let message = format!("`{}: {name}` is not supported by quorate yet", entry.key);
        self.problem_with(&node.place, message, format!("what is supported: {}", super::listed(known)));
        None
    }

    /// A TCP port.
    fn port(&mut self, entry: &Entry) -> Option<Node> {
        use crate::inventory::NodeValue;
        let node = self.number(entry, 1, true)?;
        match &node.value {
            // `port: 022` is 18 to YAML, which nobody means.
            NodeValue::Int(number, text) if *number > 65535 || (text.len() > 1 && text.starts_with('0')) => {
                self.problem(&node.place, "`port` must be a decimal number from 1 to 65535");
                None
            }
            _ => Some(node),
        }
    }
}
