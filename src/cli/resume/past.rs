//! Which run `quorate resume` means, and what of it is left to do, as far as journals know.

use std::path::{Path, PathBuf};

use clap::Parser as _;

use crate::cli::arguments::{Cli, Command, Run};
use crate::events::State;
use crate::journal::{Journal, JournalError, StateDir};

/// A run of which there is a journal.
pub(super) struct Past {
    pub(super) id: String,
    pub(super) state: State,
    /// Whether its journal goes beyond its first line.
    begun: bool,
    /// How it was asked for, where its journal says so and this quorate takes that.
    pub(super) asked: Option<Box<Run>>,
}

/// The run that is meant.
pub(super) struct Meant {
    pub(super) past: Past,
    /// Later runs, of which nothing is left to do; newest first.
    pub(super) later: Vec<Past>,
}

impl Past {
    fn read(state: &StateDir, id: &str) -> Result<Self, JournalError> {
        let events = Journal::read(state, id)?.events;
        let state = State::of(&events);
        let asked = state.invoked.as_ref().and_then(|(words, _)| asked_for(words));
        Ok(Self { id: id.to_owned(), begun: events.len() > 1, asked, state })
    }

    /// Which of its command's playbooks is to be done first, counted from 0: the one that it was at, or, where that ended well, the one
    /// behind.
    pub(super) fn first_left(&self) -> usize {
        let playbooks = self.asked.as_ref().map_or(&[][..], |asked| &asked.playbooks);
        let State { playbook, number, ended, .. } = &self.state;
        first_left(playbooks, (playbook, *number), *ended == Some(0))
    }

    /// What is left of its command, where that is known.
    pub(super) fn left(&self) -> &[PathBuf] {
        self.asked.as_ref().and_then(|asked| asked.playbooks.get(self.first_left()..)).unwrap_or_default()
    }

    /// Whether it came to its end, and with it its command.
    pub(super) fn is_done(&self) -> bool {
        self.state.ended == Some(0) && self.left().is_empty()
    }

    /// Whether it goes on where the other ended: with the same playbook, or with the next of its command.
    fn goes_on_with(&self, earlier: &Self) -> bool {
        [&self.state.resumes, &self.state.follows].into_iter().any(|id| id.as_deref() == Some(&earlier.id))
    }

    /// The tasks that it was told to keep to: tags, those to leave out, and the one to begin at.
    fn tasks(&self) -> (&[String], &[String], Option<&str>) {
        let part = self
            .asked
            .as_ref()
            .map(|asked| (&*asked.part.tags, &*asked.part.skip_tags, asked.start_at_task.as_deref()));
        part.unwrap_or_default()
    }

    /// Whether it was told to keep to some of the tasks, and the other was not told the same.
    fn is_less_than(&self, other: &Self) -> bool {
        let tasks = self.tasks();
        tasks != Default::default() && tasks != other.tasks()
    }

    /// Whether it ran well what the other left: the same playbook, no fewer of its tasks, on all of its hosts, or the next playbook of its command.
    fn did(&self, earlier: &Self) -> bool {
        let (here, there) = (&self.state, &earlier.state);
        let left = earlier.left().first().map_or_else(|| there.playbook.clone(), |path| path.display().to_string());
        let of_another = there.ended == Some(0);
        here.ended == Some(0)
            && !self.is_less_than(earlier)
            && lies(here, &here.playbook) == lies(there, &left)
            && (of_another || there.hosts.iter().all(|host| here.hosts.contains(host)))
    }

    fn is_settled_by(&self, later: &[Self]) -> bool {
        self.is_done() || later.iter().any(|other| other.goes_on_with(self) || other.did(self))
    }
}

/// Where a playbook lies that a run of that state names.
fn lies(state: &State, playbook: &str) -> PathBuf {
    let folder = state.invoked.as_ref().map(|(_, folder)| folder.as_str()).unwrap_or_default();
    Path::new(folder).join(playbook)
}

fn asked_for(words: &[String]) -> Option<Box<Run>> {
    let line = std::iter::once("quorate").chain(words.iter().map(String::as_str));
    match Cli::try_parse_from(line).ok()?.command {
        Command::Run(asked) => Some(asked),
        _ => None,
    }
}

/// From the playbook of that path and number on, or from behind it where it ended well.
fn first_left(playbooks: &[PathBuf], (playbook, number): (&str, Option<u64>), ended_well: bool) -> usize {
    // Journals of before it was written down tell it only by the playbook's path.
    let at = match number {
        Some(number) => usize::try_from(number).ok().and_then(|number| number.checked_sub(1)),
        None => playbooks.iter().position(|path| path.to_string_lossy() == playbook),
    };
    match (at, ended_well) {
        (Some(at), true) => at + 1,
        (Some(at), false) => at,
        (None, true) => playbooks.len(),
        (None, false) => 0,
    }
}

/// The run that goes by that name, or the last of those that went on with it.
pub(super) fn named(state: &StateDir, name: &str) -> Result<Meant, JournalError> {
    let mut past = Past::read(state, &state.find(name)?)?;
    // An ID begins with its time: what went on with a run is newer.
    for id in state.all_runs()?.iter().rev().filter(|id| **id > past.id.clone()).cloned().collect::<Vec<_>>() {
        if let Ok(later) = Past::read(state, &id)
            && later.goes_on_with(&past)
        {
            past = later;
        }
    }
    Ok(Meant { past, later: Vec::new() })
}

/// The newest run of a playbook of which something is left to do; where there is none, the newest.
///
/// One that was killed before it had written down how it was asked for had begun nothing, not even a lock: it is meant only where there is
/// no other.
pub(super) fn newest(state: &StateDir) -> Result<Option<Meant>, JournalError> {
    let (mut later, mut unbegun) = (Vec::new(), None);
    for id in state.all_runs()? {
        match Past::read(state, &id) {
            Ok(past) if past.state.command != "run" || past.state.check => {}
            Ok(past) if !past.begun && !Journal::is_being_written(state, &id).unwrap_or(false) => {
                unbegun = unbegun.or(Some(past));
            }
            Ok(past) if past.is_settled_by(&later) => later.push(past),
            Ok(past) => return Ok(Some(Meant { past, later })),
            Err(_) => {}
        }
    }
    let newest = later.into_iter().next().or(unbegun);
    Ok(newest.map(|past| Meant { past, later: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_with_the_playbook_that_the_run_was_at() {
        let all: Vec<PathBuf> = ["a.yml", "b.yml", "c.yml"].map(PathBuf::from).to_vec();
        let left = |at: &str| all[first_left(&all, (at, None), false)..].to_vec();
        assert_eq!(left("b.yml"), all[1..]);
        assert_eq!(left("elsewhere.yml"), all);
    }

    #[test]
    fn behind_a_playbook_that_ended_well_the_next_one_of_its_command_is_left() {
        let all: Vec<PathBuf> = ["a.yml", "a.yml", "c.yml"].map(PathBuf::from).to_vec();
        let left = |at, number, ended_well| all[first_left(&all, (at, number), ended_well)..].to_vec();
        assert_eq!(left("a.yml", Some(1), true), all[1..]);
        assert_eq!(left("a.yml", Some(2), true), all[2..]);
        assert_eq!(left("a.yml", Some(2), false), all[1..]);
        assert_eq!(left("c.yml", Some(3), true), all[3..]);
        assert_eq!(left("c.yml", None, true), all[3..]);
        assert_eq!(left("elsewhere.yml", None, true), all[3..]);
    }
}
