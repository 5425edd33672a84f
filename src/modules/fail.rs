//! `fail`: fails, with the operator's words.

use crate::events::Fault;
use crate::transport::BoxFuture;

use super::table::{Argument, CheckMode, Place, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[Argument::new("msg", Shape::Text, "what to say")
        .aliases(&["message"])
        .default("Failed as requested from task")],
    check: CheckMode::Runs,
    place: Place::Control,
    module: Some(&Fail),
    ..Row::new("fail", "fails, with a message")
};

struct Fail;

impl Module for Fail {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move { Err(Failure::new(Fault::Failed, call.text("msg").unwrap_or_default())) })
    }
}
