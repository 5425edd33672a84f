//! This process's standard output and error: what is printed there must not be able to end a run.

use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};

use super::exit::Exit;
use crate::events::Fault;

/// Prints the whole answer of a command that only answers.
///
/// A reader that went away (`| head`) has what it wanted; any other failure is exit 7.
pub(super) fn answer(text: &str) -> Exit {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("quorate: standard output: {error}"));
            Fault::Disk.into()
        }
        _ => Exit::DONE,
    }
}

/// Says a line on standard error; if that is gone too, nobody is left to be told.
pub(super) fn say(text: &str) {
    let mut text = text.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let _ = stderr().lock().write_all(text.as_bytes());
}

/// Whether standard error is a terminal.
pub(super) fn error_is_terminal() -> bool {
    stderr().is_terminal()
}
