//! The run's journal: what is about to happen is on disk before it happens, and a run can be read back.
//!
//! Each line carries the sum of the one before it, so that a line that was changed, removed or put in later is seen and named; what
//! this cannot see, a journal cut at its end or written anew as a whole, is seen by its head, which the run has shown.

mod folder;
mod line;
mod read;
mod write;

pub use folder::StateDir;
pub use read::{Reading, Unsound, Written};
pub use write::{Head, Journal};

/// Why a journal cannot be made, written or read: exit 7, except for a run that does not exist.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The environment does not say where state belongs.
    #[error("no folder for run journals: neither HOME nor XDG_STATE_HOME is an absolute path; give --state-dir")]
    NoFolder,
    /// Not a run's ID: 26 characters of Crockford's base 32.
    #[error("`{given}` is not a run's ID: expected 26 characters as in 01ARZ3NDEKTSV4RRFFQ69G5FAV")]
    RunId {
        /// What was given.
        given: String,
    },
    /// No run goes by that.
    #[error("no run `{given}` in {}; `quorate runs` lists them", folder.display())]
    NoRun {
        /// What was given.
        given: String,
        /// Where runs are kept.
        folder: std::path::PathBuf,
    },
    /// Too little of an ID.
    #[error("`{given}` is too short for a run: give its ID, six characters or more of its beginning or end, or `last`")]
    ShortId {
        /// What was given.
        given: String,
    },
    /// More than one run goes by that.
    #[error("`{given}` may be any of {} runs: {}{}", runs.len(), few(runs), if runs.len() > FEW { ", ..." } else { "" })]
    Ambiguous {
        /// What was given.
        given: String,
        /// The runs, newest first.
        runs: Vec<String>,
    },
    /// The system refused.
    #[error("{act} {}: {error}", path.display())]
    Io {
        /// What was tried: "create", "write".
        act: &'static str,
        /// On what.
        path: std::path::PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
}

/// So many runs are named of those that may be meant.
const FEW: usize = 3;

fn few(runs: &[String]) -> String {
    runs.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl JournalError {
    /// What kind of failure it is, for the exit code.
    #[must_use]
    pub fn fault(&self) -> crate::events::Fault {
        match self {
            Self::NoFolder
            | Self::RunId { .. }
            | Self::NoRun { .. }
            | Self::ShortId { .. }
            | Self::Ambiguous { .. } => crate::events::Fault::Input,
            Self::Io { .. } => crate::events::Fault::Disk,
        }
    }

    /// For `map_err` on an I/O error.
    fn io(act: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { act, path, error }
    }
}

#[cfg(test)]
mod tests;
