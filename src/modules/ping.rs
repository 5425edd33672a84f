//! `ping`: whether a host is reached, lets us in, and runs a command.

use serde_json::{Map, Value};

use crate::transport::BoxFuture;

use super::table::{Argument, CheckMode, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[Argument::new("data", Shape::Text, "what to answer").default("pong")],
    returns: &[("ping", "the data")],
    check: CheckMode::Runs,
    module: Some(&Ping),
    ..Row::new("ping", "connects, logs in, becomes the user asked for, and says pong")
};

struct Ping;

impl Module for Ping {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let mut result = Map::new();
            result.insert("ping".to_owned(), Value::from(call.text("data").unwrap_or_default()));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}
