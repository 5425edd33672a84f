//! `quorate plan`: a check run, told as what would be done, with what earlier runs have shown.

use std::io::{IsTerminal as _, stdout};

use super::arguments::Plan as Arguments;
use super::exit::Exit;
use super::run::Prepared;
use super::signals::Signals;
use crate::journal::{Journal, StateDir};
use crate::report::{History, Plan, Style};

/// How many earlier runs are looked at: the last rolls of a cluster are among the last runs of who rolls it.
const RUNS: usize = 50;

/// Plans it.
pub(super) fn run(arguments: &Arguments) -> Exit {
    planned(arguments).unwrap_or_else(|exit| exit)
}

fn planned(arguments: &Arguments) -> Result<Exit, Exit> {
    let Arguments { playbook, connection, output, part, login } = arguments;
    let prepared = Prepared::new(connection, output, part, playbook, |options| {
        "plan".clone_into(&mut options.command);
        options.check = true;
        options.diff = true;
    })?;
    prepared.perform(output, login, &Signals::default(), |prepared, _, _| {
        let history = history(&prepared.state, &prepared.id);
        Box::new(Plan::new(stdout(), Style::for_terminal(stdout().is_terminal()), history))
    })
}

/// What can be read of the runs before this one; a journal that cannot be read is not the plan's business.
pub(super) fn history(state: &StateDir, run: &str) -> History {
    let mut history = History::default();
    for id in state.runs().into_iter().filter(|id| id.as_str() < run).take(RUNS) {
        if let Ok(reading) = Journal::read(state, &id) {
            history.learn(&reading.events);
        }
    }
    history
}
