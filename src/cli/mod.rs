//! The command line: arguments, one file a command, exit codes, and how an error is shown.

use std::process::ExitCode;

/// The whole command.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
