//! What the clients did and were answered: one line of JSON an operation, only ever appended.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::driver::{Membership, Outcome};
use super::plan::Plan;
use super::run::LoadError;
use crate::act::at;

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// A write of a key that was not there.
    Create,
    /// A write of a key as it was read before.
    Swap,
    /// A read agreed by the quorum.
    Read,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The client's number.
    pub client: u32,
    /// The endpoint's place in the plan.
    pub endpoint: usize,
    /// What it is.
    pub act: Act,
    /// On which key.
    pub key: String,
    /// Which attempt at the same logical write, from 0.
    pub attempt: u32,
    /// The value that was sent, or read.
    pub value: Option<String>,
    /// The index that a swap presumed.
    pub previous: Option<u64>,
    /// When it began, in nanoseconds of the monotonic clock since the load began.
    pub start: u64,
    /// When its answer was there, on the same clock.
    pub end: u64,
    /// What became of it.
    pub outcome: Outcome,
}

impl Operation {
    /// It is a write.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.act != Act::Read
    }

    /// Its index, if it was answered positively.
    #[must_use]
    pub fn index(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Ok(index) => Some(index),
            _ => None,
        }
    }
}

/// How a load began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// What was to be done.
    pub plan: Plan,
    /// Milliseconds since 1970 at the clock's zero.
    pub unix_ms: u64,
    /// Who belonged to the cluster.
    pub membership: Membership,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    /// The first.
    Start(Start),
    /// One attempt.
    Op(Operation),
    /// All clients have ended; they were asked to at this time.
    Stop(u64),
}

/// A whole history.
#[derive(Clone, Debug)]
pub struct History {
    /// How it began.
    pub start: Start,
    /// What was done, in the order of the answers.
    pub operations: Vec<Operation>,
    /// When the clients were asked to end, on their clock.
    pub stop: u64,
}

impl History {
    /// Reads one that is closed.
    ///
    /// # Errors
    /// It is not there, not closed, or a line is none.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let wrong = |line: usize, why: String| LoadError::History { path: path.to_owned(), line: line + 1, why };
        let file = File::open(path).map_err(at("open", path))?;
        let (mut start, mut stop, mut operations, mut count) = (None, None, Vec::new(), 0);
        for (number, text) in BufReader::new(file).lines().enumerate() {
            let text = text.map_err(at("read", path))?;
            match serde_json::from_str(&text).map_err(|error| wrong(number, error.to_string()))? {
                Line::Start(head) => start = Some(head),
                Line::Op(operation) => operations.push(operation),
                Line::Stop(time) => stop = Some(time),
            }
            count = number;
        }
        let start = start.ok_or_else(|| wrong(0, "no line `start`".to_owned()))?;
        let stop = stop.ok_or_else(|| wrong(count, "the load has not ended, or was killed".to_owned()))?;
        Ok(Self { start, operations, stop })
    }
}

/// Writes a history. Each line is one `write(2)`, so a load that is killed leaves whole lines.
#[derive(Debug)]
pub(super) struct Recorder {
    file: Mutex<File>,
    path: PathBuf,
    zero: Instant,
}

impl Recorder {
    pub(super) fn create(path: &Path, plan: &Plan, membership: Membership) -> Result<Self, LoadError> {
        let file = File::create_new(path).map_err(at("create", path))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let recorder = Self { file: Mutex::new(file), path: path.to_owned(), zero: Instant::now() };
        let unix_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        recorder.append(&Line::Start(Start { plan: plan.clone(), unix_ms, membership }))?;
        Ok(recorder)
    }

    /// Nanoseconds since the load began; 584 years fit.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn operation(&self, operation: Operation) -> Result<(), LoadError> {
        self.append(&Line::Op(operation))
    }

    pub(super) fn stop(&self, asked: u64) -> Result<(), LoadError> {
        self.append(&Line::Stop(asked))
    }

    fn append(&self, line: &Line) -> Result<(), LoadError> {
        let mut text = serde_json::to_string(line).map_err(io::Error::other).map_err(at("write", &self.path))?;
        text.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes()).map_err(at("write", &self.path))?;
        Ok(())
    }
}
