//! Reading a run back: what is sound, and what is not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use super::{Journal, JournalError, StateDir, line};
use crate::events::{Event, Kind};

/// The longest line that is read: 64 MiB. An event carries at most a few results of 1 MiB each (the cap on what a host
/// prints); a longer line is a damaged file, and must not fill the memory.
const LONGEST_LINE: u64 = 64 << 20;

/// A run's events, and what is wrong with its journal.
#[derive(Debug, Default)]
pub struct Reading {
    /// The events that are sound, in order.
    pub events: Vec<Event>,
    /// What is not, in order.
    pub problems: Vec<Unsound>,
}

/// Something wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// The last line has no end: the run died while writing it. It is left out.
    #[error("line {line}: the last line is torn and left out; the run ended while writing it")]
    Torn {
        /// Its number, from 1.
        line: usize,
    },
    /// A line is not what was written. It is left out.
    #[error("line {line}: damaged and left out: {detail}")]
    Damaged {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        detail: String,
    },
    /// Events are missing, or come twice.
    #[error("line {line}: event {found} where {expected} was expected")]
    OutOfOrder {
        /// Its number, from 1.
        line: usize,
        /// The number expected.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The journal is another run's.
    #[error("the journal says it is of run {found}")]
    OtherRun {
        /// The run it names.
        found: String,
    },
}

impl Reading {
    /// Whether everything that was written is there, a torn last line excepted.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| matches!(problem, Unsound::Torn { .. }))
    }

    fn take(&mut self, number: usize, text: &[u8], run: &str) {
        let event = match line::to_event(text) {
            Ok(event) => event,
            Err(detail) => return self.problems.push(Unsound::Damaged { line: number, detail }),
        };
        let expected = self.events.last().map_or(0, |last| last.seq + 1);
        if event.seq != expected {
            self.problems.push(Unsound::OutOfOrder { line: number, expected, found: event.seq });
        }
        if let Kind::RunStarted { run: found, .. } = &event.kind
            && found != run
        {
            self.problems.push(Unsound::OtherRun { found: found.clone() });
        }
        self.events.push(event);
    }
}

impl Journal {
    /// Whether somebody writes it now.
    ///
    /// # Errors
    /// When `id` is not a run's ID, or there is no such journal, or the file system knows no locks.
    pub fn is_being_written(state: &StateDir, id: &str) -> Result<bool, JournalError> {
        let path = state.run(id)?.join("journal.jsonl");
        let file = std::fs::File::open(&path).map_err(JournalError::io("open", &path))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(std::fs::TryLockError::WouldBlock) => Ok(true),
            Err(std::fs::TryLockError::Error(error)) => Err(JournalError::io("look at the lock of", &path)(error)),
        }
    }

    /// Reads the journal of a run.
    ///
    /// # Errors
    /// When `id` is not a run's ID, or there is no such journal, or the disk refuses. Damage is no error: see
    /// [`Reading::problems`].
    pub fn read(state: &StateDir, id: &str) -> Result<Reading, JournalError> {
        let path = state.run(id)?.join("journal.jsonl");
        let file = File::open(&path).map_err(JournalError::io("open", &path))?;
        let mut file = BufReader::new(file);
        let mut reading = Reading::default();
        for number in 1.. {
            let mut text = Vec::new();
            (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut text).map_err(JournalError::io("read", &path))?;
            match text.pop() {
                None => break,
                Some(b'\n') => reading.take(number, &text, id),
                Some(_) if text.len() as u64 + 1 == LONGEST_LINE => {
                    let detail = format!("longer than {LONGEST_LINE} bytes; what follows is not read");
                    reading.problems.push(Unsound::Damaged { line: number, detail });
                    break;
                }
                Some(_) => reading.problems.push(Unsound::Torn { line: number }),
            }
        }
        Ok(reading)
    }
}
