//! `debug`: shows a text or the value of an expression.

use serde_json::{Map, Value};

use crate::events::Fault;
use crate::inventory::{Node, NodeValue, ScalarStyle};
use crate::transport::BoxFuture;

use super::table::{Argument, CheckMode, Place, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("msg", Shape::Any, "what to show; `Hello world!` if neither this nor `var` is given"),
        Argument::new("var", Shape::Any, "an expression whose value is shown"),
        Argument::new("verbosity", Shape::Int, "shown only with at least so many `-v`").default("0"),
    ],
    one_of: &[(&["msg", "var"], false)],
    returns: &[("msg", "the text"), ("(the expression)", "its value")],
    check: CheckMode::Runs,
    place: Place::Control,
    module: Some(&Debug),
    ..Row::new("debug", "shows a text or the value of an expression")
};

struct Debug;

impl Module for Debug {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let wanted = call.args.get("verbosity").and_then(Value::as_i64).unwrap_or(0);
            let mut result = Map::new();
            if i64::from(call.verbosity) < wanted {
                let why = "Verbosity threshold not met.";
                result.insert("skipped_reason".to_owned(), Value::from(why));
                return Ok(Outcome { skipped: Some(why.to_owned()), result, ..Outcome::default() });
            }
            match call.args.get("var") {
                Some(Value::String(expression)) => {
                    result.insert(expression.clone(), value_of(&call, expression)?);
                }
                // A template that was rendered already: `var: "{{ x }}"` shows x itself.
                Some(value) => {
                    result.insert(value.to_string(), value.clone());
                }
                None => {
                    let msg = call.args.get("msg").cloned().unwrap_or_else(|| Value::from("Hello world!"));
                    result.insert("msg".to_owned(), msg);
                }
            }
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}

/// The expression's value; an undefined name is said, not a failure, as Ansible has it.
fn value_of(call: &Call<'_>, expression: &str) -> Result<Value, Failure> {
    let place = call.written.get("var").map_or(&call.written.place, |node| &node.place);
    let written = call.written.get("var").and_then(Node::as_str);
    if written.is_none_or(super::arguments::is_template) {
        // Already rendered once; a host's text is data and is not evaluated again.
        return Ok(Value::from(expression));
    }
    let text = format!("{{{{ {expression} }}}}");
    let node = Node::new(place, NodeValue::String(text, ScalarStyle::Quoted));
    match call.templates.value(&node, call.scope) {
        Ok(value) => Ok(value),
        Err(problem) if problem.message.contains("undefined") => Ok(Value::from("VARIABLE IS NOT DEFINED!")),
        Err(problem) => Err(Failure::new(Fault::Failed, problem.to_string())),
    }
}
