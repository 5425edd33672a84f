//! The command line: arguments, one file a command, exit codes, and how an error is shown.

mod answers;
mod arguments;
mod completions;
mod console;
mod diagnostic;
mod doc;
mod etcd_status;
mod exec;
mod exit;
pub mod inventory;
mod listing;
mod lock;
mod plan;
mod receipts;
mod report;
mod resume;
mod run;
mod running;
mod runs;
mod secret;
mod show_inventory;
mod signals;
mod window;

use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use self::arguments::{Cli, Command, Etcd, Lock};
use self::exit::Exit;
use crate::events::Fault;
use crate::report::escaped;

/// The whole command.
#[must_use]
pub fn main() -> ExitCode {
    let exit = match Cli::try_parse() {
        // A panic is a bug, and has its own exit code; the run's journal and the hosts' own transactions outlive it.
        Ok(cli) => catch_unwind(|| dispatch(cli.command)).unwrap_or(Fault::Bug.into()),
        Err(error) => usage(&error),
    };
    exit.into()
}

fn dispatch(command: Command) -> Exit {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Exec(arguments) => exec::run(&arguments),
        Command::Runs(arguments) => runs::run(&arguments),
        Command::Resume(arguments) => resume::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Inventory(arguments) => show_inventory::run(&arguments),
        Command::Etcd { command: Etcd::Status(arguments) } => etcd_status::run(&arguments),
        Command::Lock { command: Lock::Show(arguments) } => lock::show(&arguments),
        Command::Lock { command: Lock::Break(arguments) } => lock::r#break(&arguments),
        Command::Receipts(arguments) => receipts::run(&arguments),
        Command::Doc { module } => doc::run(module.as_deref()),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Shows `--help`, `--version`, or what is wrong with the arguments, which may be anybody's bytes.
fn usage(error: &clap::Error) -> Exit {
    let text = escaped(&error.render().to_string());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => console::answer(&text),
        _ => {
            console::say(&text);
            let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            if error.kind() == ErrorKind::UnknownArgument && argument.contains("pass") {
                console::say("Passwords are never arguments: use -K, -k, --become-password-file FILE, or -e @FILE.");
            }
            Exit::INPUT
        }
    }
}
