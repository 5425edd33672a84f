//! `quorate completions`: made from the table of arguments.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::arguments::Cli;
use super::console;
use super::exit::Exit;

/// The shell's script on standard output.
pub(super) fn run(shell: Shell) -> Exit {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "quorate", &mut script);
    console::answer(&String::from_utf8_lossy(&script))
}
