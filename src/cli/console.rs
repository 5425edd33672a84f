//! This process's standard output and error: what is printed there must not be able to end a run.

use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::exit::Exit;
use crate::events::Fault;

/// How long somebody may take to read a line: as long as a run waits at its end for whoever reads what it shows.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Says a line on standard error; if that is gone too, nobody is left to be told. Who reads no further (`2>&1 | less`) does not keep this process
/// for longer than a moment.
pub(super) fn say(text: &str) {
    let mut text = text.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let (said, done) = channel();
    let write = move || {
        let _ = stderr().lock().write_all(text.as_bytes());
        let _ = said.send(());
    };
    // Without room for a thread it is not said.
    if std::thread::Builder::new().spawn(write).is_ok() {
        let _ = done.recv_timeout(PATIENCE);
    }
}

/// Whether standard error is a terminal.
pub(super) fn error_is_terminal() -> bool {
    stderr().is_terminal()
}
