//! The shapes that values of keywords have: yes or no, a number, text, a list, an expression.

use crate::inventory::{Entry, Node, NodeValue, Place, Problem, ScalarStyle};

use super::Reader;
use crate::playbook::Expression;

/// Whether a text holds a template.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether a name can be a variable's: what Python takes as an identifier, ASCII only, as Ansible demands.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What a value is, for messages.
pub(super) fn kind(node: &Node) -> &'static str {
    match &node.value {
        NodeValue::Null => "nothing",
        NodeValue::Bool(_) => "a yes or no",
        NodeValue::Int(..) | NodeValue::Float(..) => "a number",
        NodeValue::String(..) => "text",
        NodeValue::Sequence(_) => "a list",
        NodeValue::Mapping(_) => "a mapping",
    }
}

/// A scalar as text, numbers as written.
pub(super) fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        NodeValue::Bool(value) => Some(value.to_string()),
        NodeValue::Int(_, text) | NodeValue::Float(_, text) | NodeValue::String(text, _) => Some(text.clone()),
        NodeValue::Null | NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
    }
}

impl Reader<'_> {
    /// Says that the value of a keyword has the wrong shape.
    pub(super) fn wrong_shape(&mut self, key: &str, node: &Node, wanted: &str) {
        self.problem(&node.place, format!("`{key}` must be {wanted}, found {}", kind(node)));
    }

    /// Text, with its numbers kept as written; may be a template.
    pub(super) fn text(&mut self, entry: &Entry) -> Option<Node> {
        match scalar_text(&entry.value) {
            Some(text) if text.trim().is_empty() => {
                self.problem(&entry.value.place, format!("`{}` is empty", entry.key));
                None
            }
            Some(text) => {
                let style = match entry.value.value {
                    NodeValue::String(_, style) => style,
                    _ => ScalarStyle::Plain,
                };
                Some(Node { value: NodeValue::String(text, style), ..entry.value.clone() })
            }
            None => {
                self.wrong_shape(&entry.key, &entry.value, "text");
                None
            }
        }
    }

    /// Text in which a template would come too late to be rendered.
    pub(super) fn plain_text(&mut self, entry: &Entry) -> Option<String> {
        let node = self.text(entry)?;
        let text = node.as_str()?.to_owned();
        if is_template(&text) {
            self.problem(
                &node.place,
                format!("`{}` can't be a template: it is needed before anything is rendered", entry.key),
            );
            return None;
        }
        Some(text)
    }

    /// A variable's name.
    pub(super) fn identifier(&mut self, entry: &Entry) -> Option<String> {
        let text = self.plain_text(entry)?;
        if is_identifier(&text) {
            return Some(text);
        }
        self.bad_identifier(&text, &entry.value.place);
        None
    }

    /// Says that a name can't be a variable's.
    pub(super) fn bad_identifier(&mut self, name: &str, place: &Place) {
        let message = format!("`{name}` is not a variable's name");
        self.problem_with(place, message, "names are letters, digits and `_`, and don't begin with a digit");
    }

    /// Yes or no, or a template. Words that mean one become a bool whatever their quotes, as Ansible's `boolean` does it.
    pub(super) fn boolean(&mut self, entry: &Entry) -> Option<Node> {
        let value = match &entry.value.value {
            NodeValue::Bool(value) => Some(*value),
            NodeValue::Int(1, _) => Some(true),
            NodeValue::Int(0, _) => Some(false),
            NodeValue::String(text, _) if is_template(text) => return Some(entry.value.clone()),
            NodeValue::String(text, _) => match text.to_ascii_lowercase().as_str() {
                "y" | "yes" | "on" | "1" | "true" | "t" => Some(true),
                "n" | "no" | "off" | "0" | "false" | "f" => Some(false),
                _ => None,
            },
            _ => None,
        };
        match value {
            Some(value) => Some(Node { value: NodeValue::Bool(value), ..entry.value.clone() }),
            None => {
                self.wrong_shape(&entry.key, &entry.value, "yes or no");
                None
            }
        }
    }

    /// A number from `least` on, or a template; `whole` refuses fractions. Quoted numbers become numbers.
    pub(super) fn number(&mut self, entry: &Entry, least: i64, whole: bool) -> Option<Node> {
        let place = &entry.value.place;
        let value = match &entry.value.value {
            NodeValue::String(text, _) if is_template(text) => return Some(entry.value.clone()),
            NodeValue::String(text, _) => match (text.trim().parse::<i64>(), text.trim().parse::<f64>()) {
                (Ok(value), _) => Some(NodeValue::Int(value, text.clone())),
                (_, Ok(value)) if value.is_finite() => Some(NodeValue::Float(value, text.clone())),
                _ => None,
            },
            NodeValue::Int(..) => Some(entry.value.value.clone()),
            NodeValue::Float(value, _) if value.is_finite() => Some(entry.value.value.clone()),
            _ => None,
        };
        let wanted = if whole { "a whole number" } else { "a number" };
        match value {
            Some(NodeValue::Float(..)) if whole => self.problem(place, format!("`{}` must be {wanted}", entry.key)),
            Some(NodeValue::Int(number, _)) if number < least => {
                self.problem(place, format!("`{}` must be {least} or more", entry.key));
            }
            #[expect(clippy::cast_precision_loss, reason = "the bounds are small")]
            Some(NodeValue::Float(number, _)) if number < least as f64 => {
                self.problem(place, format!("`{}` must be {least} or more", entry.key));
            }
            Some(value) => return Some(Node { value, ..entry.value.clone() }),
            None => self.wrong_shape(&entry.key, &entry.value, wanted),
        }
        None
    }

    /// One text or a list of them.
    pub(super) fn texts(&mut self, entry: &Entry) -> Vec<Node> {
        let items = match &entry.value.value {
            NodeValue::Sequence(items) => items.as_slice(),
            NodeValue::Null => &[],
            _ => std::slice::from_ref(&entry.value),
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let single = Entry { value: item.clone(), ..entry.clone() };
            texts.extend(self.text(&single));
        }
        texts
    }

    /// `tags:`: a list, or text with commas.
    pub(super) fn tags(&mut self, entry: &Entry) -> Vec<String> {
        let mut tags = Vec::new();
        for node in self.texts(entry) {
            let text = node.as_str().unwrap_or_default();
            if is_template(text) {
                self.problem(&node.place, "a tag can't be a template: tags choose tasks before anything is rendered");
                continue;
            }
            for tag in text.split(',').map(str::trim) {
                if tag.is_empty() {
                    self.problem(&node.place, "an empty tag");
                } else if !tags.iter().any(|known| known == tag) {
                    tags.push(tag.to_owned());
                }
            }
        }
        tags
    }

    /// `vars:`: names and values.
    pub(super) fn variables(&mut self, entry: &Entry) -> Vec<Entry> {
        let entries = match &entry.value.value {
            NodeValue::Mapping(entries) => entries.clone(),
            NodeValue::Null => Vec::new(),
            _ => {
                self.wrong_shape(&entry.key, &entry.value, "a mapping of names to values");
                return Vec::new();
            }
        };
        for variable in &entries {
            if !is_identifier(&variable.key) {
                self.bad_identifier(&variable.key, &variable.key_place);
            }
        }
        entries
    }

    /// `environment:`: a mapping, a list of them, or a template that gives one.
    pub(super) fn environment(&mut self, entry: &Entry) -> Vec<Node> {
        let items = match &entry.value.value {
            NodeValue::Sequence(items) => items.as_slice(),
            NodeValue::Null => &[],
            _ => std::slice::from_ref(&entry.value),
        };
        let mut maps = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                NodeValue::Mapping(_) => maps.push(item.clone()),
                NodeValue::String(text, _) if is_template(text) => maps.push(item.clone()),
                _ => self.wrong_shape(&entry.key, item, "a mapping or a list of mappings"),
            }
        }
        maps
    }

    /// Conditions: one or a list, all of which must hold. Ansible reads a keyword without a value as if it were not there.
    pub(super) fn expressions(&mut self, entry: &Entry) -> Vec<Expression> {
        let items = match &entry.value.value {
            NodeValue::Sequence(items) => items.as_slice(),
            NodeValue::Null => {
                let message = format!("`{}` without a value has no effect", entry.key);
                self.warn(&entry.key_place, message, "write the condition, or take the line out");
                &[]
            }
            _ => std::slice::from_ref(&entry.value),
        };
        items.iter().filter_map(|item| self.expression(&entry.key, item)).collect()
    }

    fn expression(&mut self, key: &str, node: &Node) -> Option<Expression> {
        let Some(text) = scalar_text(node) else {
            self.wrong_shape(key, node, "an expression or a list of them");
            return None;
        };
        let mut text = text.trim();
        if text.is_empty() {
            self.problem(&node.place, format!("`{key}` is empty"));
            return None;
        }
        let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(inner) = inner.filter(|inner| !is_template(inner) && !inner.contains("}}")) {
            text = inner.trim();
            let message = format!("`{key}` is an expression already: the braces are not needed");
            self.warn(&node.place, message, format!("write `{key}: {text}`"));
        } else if is_template(text) {
            let problem = Problem::new(&node.place, format!("braces inside the expression of `{key}`"));
            self.problems.push(problem.help("write names bare: `x == y`, not `\"{{ x }}\" == y`"));
            return None;
        }
        Some(Expression { place: node.place.clone(), text: text.to_owned() })
    }
}
