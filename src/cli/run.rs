//! `quorate run`: playbooks, one after the other.

use std::path::Path;

use super::arguments::{Connection, EtcdLogin, Output, Part, Run as Arguments};
use super::exit::Exit;
use super::signals::Signals;
use super::{console, diagnostic, listing, running};
use crate::engine::{Options, Run};
use crate::events::Sink;
use crate::inventory::{Entry, Node, NodeValue, Place, ScalarStyle, Source};
use crate::journal::StateDir;
use crate::report::{Head, Look, Terminal};

/// A roll is not broken off for a sshd that restarts or a link that blinks: 15 s of waiting in all. Who asks a question
/// (`exec`, `etcd status`) can ask again.
const CONNECT_TRIES: u32 = 5;

/// A run that is gone on with.
pub(super) struct Resumed<'a> {
    /// Its ID.
    pub(super) run: &'a str,
    /// Its arguments, with the window of this one.
    pub(super) arguments: &'a [String],
}

/// How a playbook stands among those of its command.
struct Row<'a> {
    /// When the command was given: a night's work has one window, however many playbooks it is.
    began: jiff::Zoned,
    /// Which it is, from 1.
    number: u64,
    /// The run of the one before.
    follows: Option<String>,
    /// What the first of them goes on with.
    resumed: Option<&'a Resumed<'a>>,
}

/// Runs them until one does not end well.
pub(super) fn run(arguments: &Arguments) -> Exit {
    all(arguments, 0, None)
}

/// Runs its playbooks from the `first` on, counted from 0, which goes on with a run.
pub(super) fn all(arguments: &Arguments, first: usize, resumed: Option<&Resumed<'_>>) -> Exit {
    let signals = Signals::default();
    let mut row = Row { began: jiff::Zoned::now(), number: 0, follows: None, resumed };
    let mut left = arguments.playbooks.get(first..).unwrap_or_default();
    while let Some((path, rest)) = left.split_first() {
        row.number = (arguments.playbooks.len() - rest.len()) as u64;
        let exit = one(arguments, path, &mut row, &signals).unwrap_or_else(|exit| exit);
        left = rest;
        // A stop is one of the whole command, also where the run that it came in had nothing left to do.
        let stopped = signals.stop(left);
        if exit != Exit::DONE {
            return exit;
        }
        if let Some(stopped) = stopped {
            return stopped;
        }
    }
    Exit::DONE
}

fn one(arguments: &Arguments, path: &Path, row: &mut Row<'_>, signals: &Signals) -> Result<Exit, Exit> {
    let output = &arguments.output;
    let prepared = Prepared::new(&arguments.connection, output, &arguments.part, path, |options| {
        options.check = arguments.check;
        options.diff = arguments.diff;
        options.start_at.clone_from(&arguments.start_at_task);
        options.force_handlers = arguments.force_handlers;
        options.began = row.began.clone();
        options.number = Some(row.number);
        options.follows.clone_from(&row.follows);
        if let Some(resumed) = row.resumed {
            options.arguments = resumed.arguments.to_vec();
            options.resumes = row.follows.is_none().then(|| resumed.run.to_owned());
        }
    })?;
    if let Some(text) = listing::asked_for(arguments, path, &prepared.run) {
        return Ok(console::answer(&text));
    }
    row.follows = Some(prepared.id.clone());
    prepared.perform(output, &arguments.login, signals, |_, journal, head| {
        Box::new(Terminal::on_stdout(Look::of_stdout(output.verbose, Some(journal), head)))
    })
}

/// A playbook with which nothing is wrong on paper.
pub(super) struct Prepared<'a> {
    connection: &'a Connection,
    run: Run,
    /// Where runs are kept.
    pub(super) state: StateDir,
    /// The run's ID.
    pub(super) id: String,
}

impl<'a> Prepared<'a> {
    /// Everything that can be wrong on paper is said before passwords are asked for or a host is contacted.
    pub(super) fn new(
        connection: &'a Connection,
        output: &Output,
        part: &Part,
        path: &Path,
        set: impl FnOnce(&mut Options),
    ) -> Result<Self, Exit> {
        let extra = running::extra_vars(connection)?;
        let text = running::source(path)?;
        let playbook = running::playbook(&text, connection)?;
        let (state, id) = running::new_run(output)?;
        let mut options = options((connection, part), path, extra, (&state, &id))?;
        options.verbosity = output.verbose;
        set(&mut options);
        let inventory = running::inventory(connection, Some(&options.playbook_dir()))?;
        let run = Run::prepare(playbook, inventory, options).map_err(|problems| diagnostic::refuse(&problems))?;
        Ok(Self { connection, run, state, id })
    }

    /// Runs it. `people` makes what they read, unless JSON was asked for; it is given what is run, its journal, and what tells the head of that.
    pub(super) fn perform(
        self,
        output: &Output,
        login: &EtcdLogin,
        signals: &Signals,
        people: impl FnOnce(&Self, String, Head) -> Box<dyn Sink>,
    ) -> Result<Exit, Exit> {
        running::somebody(&self.run)?;
        let gate = running::gate(self.connection, &self.run)?;
        let passwords = running::passwords(self.connection)?.with_etcd(login)?;
        let (journal, path) = running::journal(&self.state, &self.id)?;
        let readers = running::reader(output, running::head(&journal), |head| people(&self, path, head));
        let interrupt = signals.caught()?;
        Ok(running::perform(&self.run, &self.state, &gate, passwords, interrupt, (Box::new(journal), readers)))
    }
}

fn options(
    (connection, part): (&Connection, &Part),
    path: &Path,
    mut extra: Vec<Entry>,
    place: (&StateDir, &str),
) -> Result<Options, Exit> {
    if part.accept_downtime {
        extra.push(switched_on("accept_downtime"));
    }
    if let Some(file) = &part.etcd_rules {
        // From where quorate was started; tasks look for files beside the playbook.
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        extra.push(variable("etcd_rules", &file.to_string_lossy()));
    }
    let mut options = running::options(path, connection, extra, place)?;
    options.connect_tries = CONNECT_TRIES;
    options.until = part.until.as_ref().map(|window| window.ends);
    options.limit.clone_from(&part.limit);
    options.tags = listing::tags(part);
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
