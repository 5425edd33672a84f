//! `quorate report`: a run as it was shown, out of its journal.

use std::io::{IsTerminal as _, stdout};

use super::arguments::{Format, Report as Arguments};
use super::exit::Exit;
use super::{console, plan, running};
use crate::events::{Fault, Sink, SinkError, State};
use crate::journal::{Journal, JournalError, Reading, StateDir};
use crate::report::{Folded, Head, JsonLines, Look, Plan, Style, Terminal, escaped_line};

/// So many faults of a journal are named; who wants to see all of them looks at the file.
const NAMED: usize = 10;

/// Shows it.
pub(super) fn run(arguments: &Arguments) -> Exit {
    match shown(arguments) {
        Ok((text, reading)) => {
            let told = console::answer(&String::from_utf8_lossy(&text));
            complain(&reading);
            if told == Exit::DONE && !reading.is_sound() { Fault::Disk.into() } else { told }
        }
        Err(error) => running::refuse(error.fault(), &error.to_string()),
    }
}

fn shown(arguments: &Arguments) -> Result<(Vec<u8>, Reading), JournalError> {
    let state = StateDir::from_environment(arguments.state_dir.as_deref())?;
    let id = state.find(&arguments.run)?;
    let mut out = Vec::new();
    let reading = match arguments.format {
        Format::Json => as_json(&state, &id, &mut out)?,
        Format::Terminal => {
            // Before it is read: a run that ends meanwhile has its last line then.
            let goes_on = Journal::is_being_written(&state, &id).unwrap_or(false);
            let reading = Journal::read(&state, &id)?;
            // Memory takes whatever is written.
            let _ = as_people_read((&state, &id), &reading, goes_on, arguments.verbose, &mut out);
            reading
        }
    };
    Ok((out, reading))
}

/// The lines that `--json` had: each event's own text, so that no byte can differ.
fn as_json(state: &StateDir, id: &str, out: &mut Vec<u8>) -> Result<Reading, JournalError> {
    Journal::follow(state, id, |written| {
        let sum = written.sum.map(str::to_owned);
        let _ = JsonLines::new(&mut *out, Head::of(move || sum.clone())).write_as_read(written.event, written.json);
    })
}

/// What people read of a run of its command. `exec` and `plan` end with what they show, so one that was broken off is shown as a run is.
fn as_people_read(
    (state, id): (&StateDir, &str),
    reading: &Reading,
    goes_on: bool,
    verbosity: u8,
    out: &mut Vec<u8>,
) -> Result<(), SinkError> {
    if reading.events.is_empty() {
        return Ok(());
    }
    let folded = State::of(&reading.events);
    let style = Style::for_terminal(stdout().is_terminal());
    match folded.command.as_str() {
        "exec" if folded.is_over() => all(&mut Folded::new(out, style), reading),
        "plan" if folded.is_over() => all(&mut Plan::new(out, style, plan::history(state, id)), reading),
        _ => {
            let journal = state.run(id).ok().map(|folder| folder.join("journal.jsonl").display().to_string());
            let head = reading.head.clone();
            let look = Look::of_stdout(verbosity, journal, Head::of(move || head.clone()));
            let mut terminal = Terminal::plain(out, look);
            all(&mut terminal, reading)?;
            if folded.is_over() {
                return Ok(());
            }
            terminal.leave_open(goes_on)
        }
    }
}

fn all(sink: &mut dyn Sink, reading: &Reading) -> Result<(), SinkError> {
    reading.events.iter().try_for_each(|event| sink.write(event))
}

/// Says what is wrong with the journal, after what could be read of it.
fn complain(reading: &Reading) {
    for problem in reading.problems.iter().take(NAMED) {
        console::say(&format!("[WARNING]: journal: {}", escaped_line(&problem.to_string())));
    }
    if reading.problems.len() > NAMED {
        console::say(&format!("[WARNING]: journal: {} more like these", reading.problems.len() - NAMED));
    }
}
