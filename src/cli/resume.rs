//! `quorate resume`: a run that did not come to its end is asked for again as it was. What is done it finds out from the hosts, as every
//! run does; the journal says only what there is to look for.

use std::path::PathBuf;

use clap::Parser as _;

use super::arguments::{Cli, Command, Resume as Arguments};
use super::exit::Exit;
use super::run::{self, Resumed};
use super::window::{self, Window};
use super::{console, running};
use crate::events::{Fault, Standing, State};
use crate::journal::{Journal, JournalError, StateDir};
use crate::report::escaped_line;

/// Goes on with it.
pub(super) fn run(arguments: &Arguments) -> Exit {
    resumed(arguments).unwrap_or_else(|exit| exit)
}

/// A run of which there is a journal.
struct Past {
    id: String,
    state: State,
    /// Whether its journal goes beyond its first line.
    begun: bool,
}

fn resumed(arguments: &Arguments) -> Result<Exit, Exit> {
    let fault = |error: JournalError| running::refuse(error.fault(), &error.to_string());
    let state = StateDir::from_environment(arguments.state_dir.as_deref()).map_err(fault)?;
    let Some(past) = meant(&state, arguments.run.as_deref()).map_err(fault)? else {
        console::say(&format!("no run to go on with in {}", escaped_line(&state.path().display().to_string())));
        return Ok(Exit::DONE);
    };
    let Past { id, state: folded, .. } = &past;
    if folded.command != "run" || folded.check {
        let what = if folded.command == "run" { "a check run" } else { "no run of a playbook" };
        return Err(running::refuse(Fault::Input, &format!("run {id} is {what}: there is nothing to go on with")));
    }
    if Journal::is_being_written(&state, id).map_err(fault)? {
        return Err(running::refuse(Fault::Locked, &format!("run {id} is at work; wait for its end")));
    }
    if folded.ended == Some(0) {
        console::say(&format!("run {id} is done; nothing is left to do"));
        return Ok(Exit::DONE);
    }
    let (words, folder) = folded.invoked.clone().filter(|(words, _)| !words.is_empty()).ok_or_else(|| {
        let why = format!("run {id} does not say how it was asked for; run its playbook, {}, again", folded.playbook);
        running::refuse(Fault::Input, &why)
    })?;
    let gone = |error: std::io::Error| {
        running::refuse(Fault::Input, &format!("run {id} was begun in {folder}, where relative paths begin: {error}"))
    };
    // What is given to this command begins in the folder that it was given in.
    let here = std::path::absolute(state.path()).unwrap_or_else(|_| state.path().to_path_buf());
    std::env::set_current_dir(&folder).map_err(gone)?;
    let line = std::iter::once("quorate".to_owned()).chain(words.iter().cloned());
    let Ok(Cli { command: Command::Run(mut asked) }) = Cli::try_parse_from(line) else {
        let why = format!("run {id} was asked for with arguments that this quorate does not take: {}", words.join(" "));
        return Err(running::refuse(Fault::Input, &why));
    };
    // A time that the run was given is past, or another day's by now.
    if let (Some(Window { said, .. }), None, false) = (&asked.part.until, &arguments.until, arguments.no_until) {
        return Err(running::refuse(Fault::Input, &no_window(id, said)));
    }
    let words = window::given_anew(&words, arguments.until.as_ref());
    asked.part.until.clone_from(&arguments.until);
    asked.output.json = arguments.json;
    asked.output.verbose = arguments.verbose;
    asked.output.state_dir = Some(here);
    console::say(&told(&past));
    let left = left(&asked.playbooks, &folded.playbook);
    Ok(run::all(&asked, &left, Some(&Resumed { run: id, arguments: &words })))
}

/// The run that is meant, or the last of those that went on with it; without a name the newest of a playbook.
///
/// One that was killed before it had written down how it was asked for had begun nothing, not even a lock: without a name the one before
/// it is meant, and it only where there is none.
fn meant(state: &StateDir, named: Option<&str>) -> Result<Option<Past>, JournalError> {
    let ids = state.all_runs()?;
    let read = |id: &str| -> Result<Past, JournalError> {
        let events = Journal::read(state, id)?.events;
        Ok(Past { id: id.to_owned(), state: State::of(&events), begun: events.len() > 1 })
    };
    let Some(named) = named else {
        let mut unbegun = None;
        for id in &ids {
            match read(id) {
                Ok(past) if past.state.command != "run" || past.state.check => {}
                Ok(past) if past.begun || Journal::is_being_written(state, id).unwrap_or(false) => {
                    return Ok(Some(past));
                }
                Ok(past) => unbegun = unbegun.or(Some(past)),
                Err(_) => {}
            }
        }
        return Ok(unbegun);
    };
    let mut past = read(&state.find(named)?)?;
    // An ID begins with its time: what went on with a run is newer.
    for id in ids.iter().rev().filter(|id| **id > past.id.clone()).cloned().collect::<Vec<_>>() {
        if let Ok(later) = read(&id)
            && later.state.resumes.as_deref() == Some(&past.id)
        {
            past = later;
        }
    }
    Ok(Some(past))
}

/// The playbook that the run was at, and those after it.
fn left(playbooks: &[PathBuf], at: &str) -> Vec<PathBuf> {
    let first = playbooks.iter().position(|path| path.to_string_lossy() == at).unwrap_or_default();
    playbooks.get(first..).unwrap_or_default().to_vec()
}

/// Why a run that had a window is not gone on with as it was.
fn no_window(id: &str, said: &str) -> String {
    format!(
        "run {id} was given a window, `--until {said}`, which was that run's alone\n  \
         help: say when the window of this one is over, `quorate resume --until TIME {id}`, or that it has none, \
         `quorate resume --no-until {id}`; no host was contacted"
    )
}

/// What the journal knows of the run, before the hosts are asked.
fn told(past: &Past) -> String {
    let Past { id, state, .. } = past;
    let all = state.standings();
    let named = |wanted: Standing| {
        let names: Vec<&str> =
            all.iter().filter(|(_, standing)| *standing == wanted).map(|(host, _)| host.as_str()).collect();
        (!names.is_empty()).then(|| format!("{}: {}", wanted.words(), names.join(", ")))
    };
    let hosts: Vec<String> = Standing::ALL.into_iter().filter_map(named).collect();
    let ended = match state.ended {
        Some(code) => format!("ended with exit code {code}"),
        None => "ended without a word".to_owned(),
    };
    let playbook = &state.playbook;
    escaped_line(&format!("going on with run {id} of {playbook}, which {ended}; {}", hosts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_with_the_playbook_that_the_run_was_at() {
        let all: Vec<PathBuf> = ["a.yml", "b.yml", "c.yml"].map(PathBuf::from).to_vec();
        assert_eq!(left(&all, "b.yml"), all[1..]);
        assert_eq!(left(&all, "elsewhere.yml"), all);
    }
}
