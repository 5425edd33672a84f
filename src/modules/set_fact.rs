//! `set_fact`: sets variables of the host for the rest of the run.

use serde_json::{Map, Value};

use crate::events::Fault;
use crate::transport::BoxFuture;

use super::table::{Argument, CheckMode, Place, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[Argument::new("cacheable", Shape::Bool, "also set it among the host's facts").default("no")],
    open: true,
    returns: &[("ansible_facts", "what was set")],
    check: CheckMode::Runs,
    place: Place::Control,
    module: Some(&SetFact),
    ..Row::new("set_fact", "sets variables of the host for the rest of the run")
};

struct SetFact;

impl Module for SetFact {
    fn run<'a>(&'a self, mut call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            call.args.remove("cacheable");
            if call.args.is_empty() {
                return Err(Failure::new(Fault::Failed, "set_fact: no variable is given"));
            }
            if let Some(name) = call.args.keys().find(|name| !is_name(name)) {
                let msg = format!("set_fact: `{name}` can't be a variable: letters, digits and `_`, no digit first");
                return Err(Failure::new(Fault::Failed, msg));
            }
            let mut result = Map::new();
            result.insert("ansible_facts".to_owned(), Value::Object(call.args));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
