//! Reading a run back: what is sound, and what is not.

use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

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
    /// The head of its chain: the sum of the last line. None of a journal of format 1, and of one without a line.
    pub head: Option<String>,
    /// Whether it is of format 1, which knew neither a chain nor a lock.
    pub is_old: bool,
}

/// An event that is sound, as it lies in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Written<'l> {
    /// The event.
    pub event: &'l Event,
    /// Its own JSON, byte for byte as it was written: of an event of a newer quorate, more than is known of it here.
    pub json: &'l str,
    /// The sum of its line, which is the head of the chain if it is the last one; none in a journal of format 1.
    pub sum: Option<&'l str>,
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
    /// A line is sound by itself, but was not written after the one that stands before it.
    #[error("line {line}: does not follow the line before it: one of the two was changed after it was written")]
    Unchained {
        /// Its number, from 1.
        line: usize,
    },
    /// The journal is another run's.
    #[error("the journal says it is of run {found}")]
    OtherRun {
        /// The run it names.
        found: String,
    },
    /// The journal is of a format that this version does not know; it is not read.
    #[error("the journal is of format {found}; this quorate reads up to {}, so use a newer one", line::FORMAT)]
    Newer {
        /// The format it names.
        found: u64,
    },
}

impl Reading {
    /// Whether everything that was written is there, a torn last line excepted.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| matches!(problem, Unsound::Torn { .. }))
    }
}

/// Goes through a journal line by line.
struct Reader<'r> {
    run: &'r str,
    found: Reading,
    /// The number of the event that comes next.
    next: u64,
    /// The sum of the line before; none where it is not known, or where something was said of it already.
    prev: Option<line::Sum>,
    /// Whether its lines carry sums: what the first sound one says.
    chained: Option<bool>,
}

impl Reader<'_> {
    /// Takes a line with its newline in; what it carries, if it is sound.
    fn take(&mut self, number: usize, text: &[u8]) -> Option<line::Line> {
        let prev = self.prev.replace(line::sum(text));
        let line = match line::read(text.strip_suffix(b"\n").unwrap_or(text)) {
            Ok(line) => line,
            Err(detail) => {
                self.found.problems.push(Unsound::Damaged { line: number, detail });
                // What follows it was written after another text.
                self.prev = None;
                return None;
            }
        };
        let chained = *self.chained.get_or_insert(line.prev.is_some());
        self.found.is_old = !chained;
        if chained {
            self.found.head.clone_from(&self.prev);
        }
        let seq = line.event.seq;
        // Said once: a line that is missing breaks the numbers and the chain.
        if seq != self.next {
            self.found.problems.push(Unsound::OutOfOrder { line: number, expected: self.next, found: seq });
        } else if line.prev.is_some() != chained || (chained && prev.is_some() && line.prev != prev) {
            self.found.problems.push(Unsound::Unchained { line: number });
        }
        self.next = seq.saturating_add(1);
        if let Kind::RunStarted { run: found, .. } = &line.event.kind
            && found != self.run
        {
            self.found.problems.push(Unsound::OtherRun { found: found.clone() });
        }
        Some(line)
    }
}

impl Journal {
    /// Reads the journal of a run.
    ///
    /// # Errors
    /// When `id` is not a run's ID, or there is no such journal, or the disk refuses. Damage is no error: see
    /// [`Reading::problems`].
    pub fn read(state: &StateDir, id: &str) -> Result<Reading, JournalError> {
        let mut events = Vec::new();
        let reading = Self::follow(state, id, |written| events.push(written.event.clone()))?;
        Ok(Reading { events, ..reading })
    }

    /// The same, each event handed over as it comes and not kept.
    ///
    /// # Errors
    /// As for [`Journal::read`].
    pub fn follow(state: &StateDir, id: &str, take: impl FnMut(Written<'_>)) -> Result<Reading, JournalError> {
        let path = state.run(id)?.join("journal.jsonl");
        let file = File::open(&path).map_err(JournalError::io("open", &path))?;
        Self::follow_in(BufReader::new(file), &path, id, take)
    }

    /// The same in what was opened there.
    fn follow_in(
        mut file: impl BufRead,
        path: &Path,
        id: &str,
        mut take: impl FnMut(Written<'_>),
    ) -> Result<Reading, JournalError> {
        let first = Some(line::first_sum(id));
        let mut reader = Reader { run: id, found: Reading::default(), next: 0, prev: first, chained: None };
        for number in 1.. {
            let mut text = Vec::new();
            (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut text).map_err(JournalError::io("read", path))?;
            let newer = if number == 1 { line::format(&text).filter(|format| *format > line::FORMAT) } else { None };
            if let Some(found) = newer {
                reader.found.problems.push(Unsound::Newer { found });
                break;
            }
            match text.last() {
                None => break,
                Some(b'\n') => {
                    if let Some(line::Line { event, json, prev }) = reader.take(number, &text) {
                        let sum = prev.and(reader.prev.as_deref());
                        take(Written { event: &event, json: &json, sum });
                    }
                }
                Some(_) if text.len() as u64 == LONGEST_LINE => {
                    let detail = format!("longer than {LONGEST_LINE} bytes; what follows is not read");
                    reader.found.problems.push(Unsound::Damaged { line: number, detail });
                    break;
                }
                Some(_) => {
                    reader.found.problems.push(Unsound::Torn { line: number });
                    // Where the run goes on, the rest of the line may be there by now: read for itself it would look like damage.
                    break;
                }
            }
        }
        Ok(reader.found)
    }

    /// Whether somebody writes it now.
    ///
    /// # Errors
    /// When `id` is not a run's ID, or there is no such journal, or the file system knows no locks.
    pub fn is_being_written(state: &StateDir, id: &str) -> Result<bool, JournalError> {
        let path = state.run(id)?.join("journal.jsonl");
        let file = File::open(&path).map_err(JournalError::io("open", &path))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(JournalError::io("look at the lock of", &path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::events::Sink;

    const RUN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    /// A file that grows while it is read: each piece is there only once its reader has come to the end of the one before.
    struct Growing(VecDeque<Vec<u8>>);

    impl Read for Growing {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let Some(piece) = self.0.front_mut() else { return Ok(0) };
            let read = piece.as_slice().read(into)?;
            piece.drain(..read);
            if read == 0 {
                self.0.pop_front();
            }
            Ok(read)
        }
    }

    #[test]
    fn a_journal_that_is_being_written_has_at_most_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::from_environment(Some(folder.path())).unwrap();
        let mut journal = Journal::create(&state, RUN).unwrap();
        for seq in 0..3 {
            let kind = Kind::Warning { text: format!("warning {seq}") };
            let (at, elapsed) = (jiff::Timestamp::UNIX_EPOCH, std::time::Duration::ZERO);
            journal.write(&Event { seq, at, elapsed, kind }).unwrap();
        }
        let path = journal.folder().join("journal.jsonl");
        let whole = std::fs::read(&path).unwrap();
        for size in 1..whole.len() {
            let (head, tail) = whole.split_at(size);
            let file = BufReader::new(Growing([head.to_vec(), tail.to_vec()].into()));
            let mut events = 0;
            let reading = Journal::follow_in(file, &path, RUN, |_| events += 1).unwrap();
            let ends = head.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(events, ends, "at {size}");
            let torn = head.last() != Some(&b'\n');
            let expected = torn.then_some(Unsound::Torn { line: ends + 1 });
            assert_eq!(reading.problems, expected.into_iter().collect::<Vec<_>>(), "at {size}");
        }
    }
}
