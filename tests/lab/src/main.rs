//! The lab's command, for people and for tests in shell. `lab help` lists what it does.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
