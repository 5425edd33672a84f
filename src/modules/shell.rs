//! `shell`: runs a command line through a shell.

use serde_json::Value;

use crate::transport::BoxFuture;

use super::arguments::FREE_FORM;
use super::command::{RETURNS, SHARED, What, line, perform};
use super::table::{Argument, Row, Shape, joined};
use super::{Call, Failure, Module, Outcome};

/// What `key=value` words of the free form text are arguments.
const WORDS: &[&str] = &["chdir", "creates", "executable", "removes", "stdin", "stdin_add_newline", "strip_empty_ends"];

/// Its row.
pub const ROW: Row = Row {
    arguments: &joined::<8>(
        &[
            Argument::new("cmd", Shape::Text, "the command line"),
            Argument::new("executable", Shape::Path, "the shell to use instead of /bin/sh"),
        ],
        &SHARED,
    ),
    one_of: &[(&[FREE_FORM, "cmd"], true)],
    free_form: Some(WORDS),
    returns: RETURNS,
    module: Some(&Shell),
    ..Row::new("shell", "runs a command line through a shell on the host")
};

struct Shell;

impl Module for Shell {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let line = line(&call)?;
            let executable = call.text("executable").map(ToOwned::to_owned);
            perform(call, Value::from(line.as_str()), What::Shell(line, executable)).await
        })
    }
}
