use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Scope, Templates, Variable};
use crate::inventory::{Entry, Node, NodeValue, Place, Problem, ScalarStyle, Source};
use crate::playbook::Expression;

mod budget;
mod conditions;
mod filters;
mod names;
mod paper;
mod places;
mod undefined;
mod values;
mod variables;

/// A scope for tests.
#[derive(Default)]
struct Vars(BTreeMap<String, Variable>);

impl Scope for Vars {
    fn get(&self, name: &str) -> Option<Variable> {
        self.0.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl Vars {
    fn data(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), Variable::Data(value));
        self
    }

    fn source(mut self, name: &str, value: &Value) -> Self {
        let source = Source::new("vars.yml", format!("{name}: {value}"));
        let place = Place::new(&source, name.len() + 2, usize::MAX);
        self.0.insert(name.to_owned(), Variable::Source(node(value, &place)));
        self
    }
}

/// A node as if written at that place, all texts in quotes.
fn node(value: &Value, place: &Place) -> Node {
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(b) => NodeValue::Bool(*b),
        Value::Number(n) => match n.as_i64() {
            Some(i) => NodeValue::Int(i, i.to_string()),
            None => NodeValue::Float(n.as_f64().unwrap(), n.to_string()),
        },
        Value::String(s) => NodeValue::String(s.clone(), ScalarStyle::Quoted),
        Value::Array(items) => NodeValue::Sequence(items.iter().map(|i| node(i, place)).collect()),
        Value::Object(entries) => NodeValue::Mapping(
            entries
                .iter()
                .map(|(key, value)| Entry { key: key.clone(), key_place: place.clone(), value: node(value, place) })
                .collect(),
        ),
    };
    Node::new(place, value)
}

/// A scalar that is a whole source.
fn place(text: &str) -> Place {
    Place::new(&Source::new("site.yml", text), 0, usize::MAX)
}

fn when(text: &str) -> Expression {
    Expression { place: place(text), text: text.to_owned() }
}

fn value(template: &Value, vars: &Vars) -> Result<Value, Problem> {
    Templates::new().value(&node(template, &place("?")), vars)
}

fn eval(expression: &str, vars: &Vars) -> Result<Value, Problem> {
    Templates::new().evaluate(&when(expression), vars)
}

fn text(template: &str, vars: &Vars) -> Result<String, Problem> {
    Templates::new().text(template, &place(template), vars)
}

/// The variables of the filters' tables.
fn sample() -> Vars {
    let people = json!([{"n": "x", "s": {"e": true}}, {"n": "y"}, {"n": "z", "s": {"e": false}}]);
    let result = json!({"changed": true, "failed": false, "rc": 0, "stdout": "abc", "stdout_lines": ["abc"]});
    Vars::default()
        .data("foo", json!({"a": 1, "d": {"x": "y"}}))
        .data("l", json!([3, 1, 2]))
        .data("s", json!("Hello World"))
        .data("n", json!(null))
        .data("empty", json!(""))
        .data("zero", json!(0))
        .data("people", people)
        .data("r", result)
        .data("nested", json!({"a": {"b": 1, "l": [1]}, "k": "v"}))
        .data("multi", json!("l1\nl2\n\nl3"))
        .data("groups", json!({"etcd": ["h1", "h2"], "all": ["h1", "h2", "h3"]}))
}
