//! `assert`: fails unless all conditions hold.

use serde_json::{Map, Value};

use crate::events::Fault;
use crate::inventory::{Node, NodeValue};
use crate::playbook::Expression;
use crate::transport::BoxFuture;

use super::table::{Argument, CheckMode, Place, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("that", Shape::Any, "a condition or a list of conditions, all of which must hold").required(),
        Argument::new("fail_msg", Shape::Any, "what to say if one does not hold").aliases(&["msg"]),
        Argument::new("success_msg", Shape::Any, "what to say if all hold"),
        Argument::new("quiet", Shape::Bool, "say nothing of conditions that hold").default("no"),
    ],
    returns: &[("assertion", "the condition that does not hold"), ("evaluated_to", "its value")],
    check: CheckMode::Runs,
    place: Place::Control,
    module: Some(&Assert),
    ..Row::new("assert", "fails unless all conditions hold")
};

struct Assert;

impl Module for Assert {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            for condition in conditions(call.written.get("that")) {
                let holds = call.templates.holds(std::slice::from_ref(&condition), call.scope);
                let holds = holds.map_err(|problem| Failure::new(Fault::Failed, problem.to_string()))?;
                if !holds {
                    return Err(refused(&call, &condition));
                }
            }
            let mut result = Map::new();
            let said = call.args.get("success_msg").cloned();
            result.insert("msg".to_owned(), said.unwrap_or_else(|| Value::from("All assertions passed")));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}

fn refused(call: &Call<'_>, condition: &Expression) -> Failure {
    let said = call.args.get("fail_msg");
    let words = match said {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "Assertion failed".to_owned(),
    };
    let mut result = Map::new();
    result.insert("evaluated_to".to_owned(), Value::from(false));
    result.insert("assertion".to_owned(), Value::from(condition.text.as_str()));
    Failure::new(Fault::Failed, words).with(result)
}

/// The conditions as written: an expression is evaluated, never the text that a template in it gave.
fn conditions(that: Option<&Node>) -> Vec<Expression> {
    let Some(that) = that else { return Vec::new() };
    let nodes = that.as_sequence().unwrap_or(std::slice::from_ref(that));
    nodes
        .iter()
        .map(|node| {
            let text = match &node.value {
                NodeValue::String(text, _) => text.clone(),
                NodeValue::Bool(b) => b.to_string(),
                _ => node.to_json().to_string(),
            };
            Expression { place: node.place.clone(), text }
        })
        .collect()
}
