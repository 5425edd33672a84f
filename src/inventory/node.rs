//! A value as the operator wrote it, with its place: what YAML files and INI lines are read into.

use super::Place;

/// How a scalar was written; a quoted `"no"` is never a bool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    /// Bare, so resolved by YAML 1.1's rules as PyYAML has them.
    Plain,
    /// In quotes, or a block (`|`, `>`): always text.
    Quoted,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// The YAML tag if one was written: `!vault`, `!unsafe`.
    pub tag: Option<String>,
    /// The value.
    pub value: NodeValue,
}

/// The value of a [`Node`].
#[derive(Clone, Debug)]
pub enum NodeValue {
    /// `~`, `null`, or nothing at all.
    Null,
    /// `yes`, `True`, `off`, …
    Bool(bool),
    /// A whole number, with its text as written (`0644` is 420 and still `0644`).
    Int(i64, String),
    /// A number with a fraction, with its text as written (`3.10` is 3.1 and still `3.10`).
    Float(f64, String),
    /// Text.
    String(String, ScalarStyle),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in written order; keys are unique.
    Mapping(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// A node of that value without a tag.
    #[must_use]
    pub fn new(place: &Place, value: NodeValue) -> Self {
        Self { place: place.clone(), tag: None, value }
    }

    /// Where something in it, or all of it, carries that tag.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Option<&Place> {
        if self.tag.as_deref() == Some(tag) {
            return Some(&self.place);
        }
        match &self.value {
            NodeValue::Sequence(items) => items.iter().find_map(|item| item.tagged(tag)),
            NodeValue::Mapping(entries) => entries.iter().find_map(|entry| entry.value.tagged(tag)),
            _ => None,
        }
    }

    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String(text, _) => Some(text),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&[Entry]> {
        match &self.value {
            NodeValue::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if it is a sequence.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            NodeValue::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The value under `key`, if it is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The same value as JSON, templates in it untouched.
    ///
    /// An infinite or not-a-number float has no JSON form and becomes its text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(b) => Value::Bool(*b),
            NodeValue::Int(i, _) => Value::from(*i),
            NodeValue::Float(f, text) => {
                serde_json::Number::from_f64(*f).map_or_else(|| Value::String(text.clone()), Value::Number)
            }
            NodeValue::String(text, _) => Value::String(text.clone()),
            NodeValue::Sequence(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            NodeValue::Mapping(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect())
            }
        }
    }
}
