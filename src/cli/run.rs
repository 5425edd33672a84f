//! `quorate run`: playbooks, one after the other.

use std::path::Path;

use super::arguments::Run as Arguments;
use super::exit::Exit;
use super::{console, diagnostic, listing, running};
use crate::engine::{Options, Run};
use crate::inventory::{Entry, Node, NodeValue, Place, ScalarStyle, Source};
use crate::journal::StateDir;
use crate::report::{Look, Terminal};

/// A roll is not broken off for a sshd that restarts or a link that blinks: 15 s of waiting in all. Who asks a question
/// (`exec`, `etcd status`) can ask again.
const CONNECT_TRIES: u32 = 5;

/// Runs them until one does not end well.
pub(super) fn run(arguments: &Arguments) -> Exit {
    for path in &arguments.playbooks {
        let exit = one(arguments, path).unwrap_or_else(|exit| exit);
        if exit != Exit::DONE {
            return exit;
        }
    }
    Exit::DONE
}

/// Everything that can be wrong on paper is said before passwords are asked for or a host is contacted.
fn one(arguments: &Arguments, path: &Path) -> Result<Exit, Exit> {
    let (connection, output) = (&arguments.connection, &arguments.output);
    let extra = running::extra_vars(connection)?;
    let text = running::source(path)?;
    let playbook = running::playbook(&text, connection)?;
    let (state, id) = running::new_run(output)?;
    let options = options(arguments, path, extra, (&state, &id))?;
    let inventory = running::inventory(connection, Some(&options.playbook_dir()))?;
    let run = Run::prepare(playbook, inventory, options).map_err(|problems| diagnostic::refuse(&problems))?;
    if let Some(text) = listing::asked_for(arguments, path, &run) {
        return Ok(console::answer(&text));
    }
    running::somebody(&run)?;
    let gate = running::gate(connection, &run)?;
    let passwords = running::passwords(connection)?.with_etcd(&arguments.login)?;
    let (journal, path) = running::journal(&state, &id)?;
    let terminal = || Box::new(Terminal::on_stdout(Look::of_stdout(output.verbose, Some(path)))) as _;
    Ok(running::perform(&run, &gate, passwords, Box::new(journal), running::reader(output, terminal)))
}

fn options(
    arguments: &Arguments,
    path: &Path,
    mut extra: Vec<Entry>,
    place: (&StateDir, &str),
) -> Result<Options, Exit> {
    let connection = &arguments.connection;
    if arguments.accept_downtime {
        extra.push(switched_on("accept_downtime"));
    }
    if let Some(file) = &arguments.etcd_rules {
        // From where quorate was started; tasks look for files beside the playbook.
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        extra.push(variable("etcd_rules", &file.to_string_lossy()));
    }
    let mut options = running::options(path, connection, extra, place)?;
    options.check = arguments.check;
    options.diff = arguments.diff;
    options.connect_tries = CONNECT_TRIES;
    options.limit.clone_from(&arguments.limit);
    options.tags = listing::tags(arguments);
    options.start_at.clone_from(&arguments.start_at_task);
    options.force_handlers = arguments.force_handlers;
    options.verbosity = arguments.output.verbose;
    Ok(options)
}

/// A variable that an option stands for.
fn switched_on(name: &str) -> Entry {
    of_option(name, NodeValue::Bool(true))
}

fn variable(name: &str, value: &str) -> Entry {
    of_option(name, NodeValue::String(value.to_owned(), ScalarStyle::Quoted))
}

fn of_option(name: &str, value: NodeValue) -> Entry {
    let source = Source::new("<command line>", name);
    let place = Place::new(&source, 0, name.len());
    Entry { key: name.to_owned(), key_place: place.clone(), value: Node::new(&place, value) }
}
