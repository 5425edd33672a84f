//! `quorate runs`: one line a run, made from its journal.

use std::time::{Duration, SystemTime};

use comfy_table::{Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};

use super::arguments::Runs as Arguments;
use super::exit::{self, Exit};
use super::{console, running};
use crate::events::{Standing, State};
use crate::journal::{Journal, JournalError, Reading, StateDir};
use crate::report::{duration, escaped_line, harmless};

/// How a run ended, as far as its journal and the lock on it say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    /// With exit code 0.
    Done,
    /// With another one.
    Failed,
    /// Because somebody asked.
    Stopped,
    /// By a second signal.
    Detached,
    /// It goes on.
    Running,
    /// Without a word.
    Killed,
    /// It may go on, or was killed: nobody can tell.
    Unknown,
}

/// One run.
#[derive(Debug, Serialize)]
struct Listed {
    run: String,
    began: Timestamp,
    /// Seconds: until it ended, until now where it goes on, else until its last event.
    seconds: f64,
    command: String,
    playbook: String,
    check: bool,
    state: Ending,
    exit_code: Option<u8>,
    meaning: Option<&'static str>,
    /// How many hosts have come how far.
    hosts: Map<String, Value>,
    /// What is wrong with its journal.
    damage: Vec<String>,
    /// The head of its journal's chain.
    head: Option<String>,
    /// Where its journal lies.
    journal: String,
}

/// Lists them.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let listed = StateDir::from_environment(arguments.state_dir.as_deref()).and_then(|state| {
        let ids = state.all_runs()?;
        let runs: Vec<Listed> = ids.iter().take(arguments.number).map(|id| Listed::of(&state, id)).collect();
        Ok((runs, ids.len(), state))
    });
    let (runs, all, state) = match listed {
        Ok(listed) => listed,
        Err(error) => return running::refuse(error.fault(), &error.to_string()),
    };
    let text = if arguments.json { as_json(&runs) } else { as_table(&runs) };
    if all == 0 {
        console::say(&format!("no runs in {}", escaped_line(&state.path().display().to_string())));
    } else if all > runs.len() && !arguments.json {
        console::say(&format!("{} of {all} runs; -n shows more", runs.len()));
    }
    console::answer(&text)
}

impl Listed {
    /// What can be known of a run; whatever is wrong with its journal is part of that.
    fn of(state: &StateDir, id: &str) -> Self {
        // Before it is read: a run that ends meanwhile has its last line then, and is not taken for a killed one.
        let written = Journal::is_being_written(state, id);
        let journal = state.run(id).map(|folder| folder.join("journal.jsonl").display().to_string());
        let (reading, mut damage) = match Journal::read(state, id) {
            Ok(reading) => (reading, Vec::new()),
            Err(error) => (Reading::default(), vec![error.to_string()]),
        };
        if !reading.is_sound() {
            damage.extend(reading.problems.iter().map(ToString::to_string));
        }
        let folded = State::of(&reading.events);
        let ending = Ending::of(&folded, &reading, written);
        let began = folded.began.unwrap_or_else(|| begun(id));
        let took = if ending == Ending::Running { since(began) } else { folded.elapsed };
        Self {
            run: id.to_owned(),
            began,
            seconds: took.as_secs_f64(),
            command: folded.command.clone(),
            playbook: folded.playbook.clone(),
            check: folded.check,
            state: ending,
            exit_code: folded.ended,
            meaning: folded.ended.map(exit::meaning),
            hosts: counts(&folded),
            damage,
            head: reading.head,
            journal: journal.unwrap_or_default(),
        }
    }

    fn what(&self) -> String {
        let check = if self.check && self.command != "plan" { " --check" } else { "" };
        let playbook = if self.playbook == self.command { "" } else { &self.playbook };
        escaped_line(format!("{}{check} {playbook}", self.command).trim())
    }

    fn state(&self) -> String {
        let ended = match (self.state, self.exit_code) {
            (Ending::Done, _) => "done".to_owned(),
            (Ending::Running, _) => "running".to_owned(),
            (Ending::Killed, _) => "killed: it ended without a word".to_owned(),
            (Ending::Unknown, _) => "not known: running, or killed".to_owned(),
            (_, Some(code)) => format!("exit {code}: {}", exit::meaning(code)),
            (_, None) => "not known".to_owned(),
        };
        let Some(first) = self.damage.first() else { return ended };
        let more = match self.damage.len() {
            1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        escaped_line(&format!("{ended}; DAMAGED: {first}{more}"))
    }

    fn hosts(&self) -> String {
        let counted = Standing::ALL.iter().filter_map(|standing| {
            let count = self.hosts.get(&key(*standing))?.as_u64().filter(|count| *count > 0)?;
            Some(format!("{count} {}", standing.words()))
        });
        counted.collect::<Vec<_>>().join(", ")
    }
}

impl Ending {
    fn of(state: &State, reading: &Reading, written: Result<bool, JournalError>) -> Self {
        match (state.ended, written) {
            (Some(0), _) => Self::Done,
            (Some(20), _) => Self::Stopped,
            (Some(130 | 143), _) => Self::Detached,
            (Some(_), _) => Self::Failed,
            (None, Ok(true)) => Self::Running,
            (None, Ok(false)) if !reading.is_old => Self::Killed,
            (None, _) => Self::Unknown,
        }
    }
}

/// When the run of that ID was begun, where its journal does not say: an ID begins with its time.
fn begun(id: &str) -> Timestamp {
    let time = ulid::Ulid::from_string(id).map_or(SystemTime::UNIX_EPOCH, |ulid| ulid.datetime());
    Timestamp::try_from(time).unwrap_or_default()
}

fn since(began: Timestamp) -> Duration {
    Duration::try_from(Timestamp::now().duration_since(began)).unwrap_or_default()
}

fn key(standing: Standing) -> String {
    standing.words().replace(' ', "_")
}

fn counts(state: &State) -> Map<String, Value> {
    let all = state.standings();
    let count = |wanted: Standing| all.iter().filter(|(_, standing)| *standing == wanted).count();
    Standing::ALL.iter().map(|standing| (key(*standing), Value::from(count(*standing)))).collect()
}

/// One JSON object a line, in which nothing acts on a terminal.
fn as_json(runs: &[Listed]) -> String {
    runs.iter().filter_map(|run| serde_json::to_string(run).ok()).map(|line| harmless(&line) + "\n").collect()
}

fn as_table(runs: &[Listed]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["run", "began", "took", "what", "state", "hosts"]);
    for run in runs {
        let began = run.began.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
        let took = duration(Duration::try_from_secs_f64(run.seconds).unwrap_or_default());
        table.add_row([run.run.clone(), began, took, run.what(), run.state(), run.hosts()]);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}
