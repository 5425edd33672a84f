//! `quorate resume`: a run that did not come to its end is asked for again as it was. What is done it finds out from the hosts, as every
//! run does; the journal says only what there is to look for.

mod past;

use std::path::PathBuf;

use super::arguments::Resume as Arguments;
use super::exit::Exit;
use super::run::{self, Resumed};
use super::window::{self, Window};
use super::{console, running};
use crate::events::{Fault, Standing};
use crate::journal::{Journal, JournalError, StateDir};
use crate::report::escaped_line;
use past::{Meant, Past};

/// So many runs that were passed over are named.
const NAMED: usize = 3;

/// Goes on with it.
pub(super) fn run(arguments: &Arguments) -> Exit {
    resumed(arguments).unwrap_or_else(|exit| exit)
}

fn resumed(arguments: &Arguments) -> Result<Exit, Exit> {
    let fault = |error: JournalError| running::refuse(error.fault(), &error.to_string());
    let state = StateDir::from_environment(arguments.state_dir.as_deref()).map_err(fault)?;
    let meant = match &arguments.run {
        Some(name) => past::named(&state, name).map(Some),
        None => past::newest(&state),
    };
    let Some(Meant { past, later }) = meant.map_err(fault)? else {
        console::say(&format!("no run to go on with in {}", escaped_line(&state.path().display().to_string())));
        return Ok(Exit::DONE);
    };
    if !later.is_empty() {
        console::say(&passed_over(&past, &later));
    }
    let Past { id, state: folded, .. } = &past;
    if folded.command != "run" || folded.check {
        let what = if folded.command == "run" { "a check run" } else { "no run of a playbook" };
        return Err(running::refuse(Fault::Input, &format!("run {id} is {what}: there is nothing to go on with")));
    }
    if Journal::is_being_written(&state, id).map_err(fault)? {
        return Err(running::refuse(Fault::Locked, &format!("run {id} is at work; wait for its end")));
    }
    if past.is_done() {
        console::say(&format!("run {id} is done; nothing is left to do"));
        return Ok(Exit::DONE);
    }
    gone_on_with(past, &state, arguments)
}

/// Asks for it again.
fn gone_on_with(mut past: Past, state: &StateDir, arguments: &Arguments) -> Result<Exit, Exit> {
    let (first, said) = (past.first_left(), told(&past));
    let Past { id, state: folded, asked, .. } = &mut past;
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
    let Some(mut asked) = asked.take() else {
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
    console::say(&said);
    Ok(run::all(&asked, first, Some(&Resumed { run: id, arguments: &words })))
}

/// Why a run that had a window is not gone on with as it was.
fn no_window(id: &str, said: &str) -> String {
    format!(
        "run {id} was given a window, `--until {said}`, which was that run's alone\n  \
         help: say when the window of this one is over, `quorate resume --until TIME {id}`, or that it has none, \
         `quorate resume --no-until {id}`; no host was contacted"
    )
}

/// Which run is meant, where it is not the newest.
fn passed_over(meant: &Past, later: &[Past]) -> String {
    let named = |past: &Past| format!("{} of {}", past.id, past.state.playbook);
    let names: Vec<String> = later.iter().take(NAMED).map(named).collect();
    let more = later.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let runs = if later.len() == 1 { "run" } else { "runs" };
    let names = names.join(", ");
    escaped_line(&format!("run {} is meant; of later ones nothing is left to do: {runs} {names}{more}", named(meant)))
}

/// What the journal knows of the run, before the hosts are asked.
fn told(past: &Past) -> String {
    let Past { id, state, .. } = past;
    let playbook = &state.playbook;
    if state.ended == Some(0) {
        let left: Vec<String> = past.left().iter().map(|path: &PathBuf| path.display().to_string()).collect();
        let left = left.join(", ");
        return escaped_line(&format!("run {id} of {playbook} is done; going on with what its command left: {left}"));
    }
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
    escaped_line(&format!("going on with run {id} of {playbook}, which {ended}; {}", hosts.join("; ")))
}
