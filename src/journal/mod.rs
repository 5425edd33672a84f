//! The run's journal: what is about to happen is on disk before it happens, and a run can be read back.

mod folder;
mod line;
mod read;
mod write;

pub use folder::StateDir;
pub use read::{Reading, Unsound};
pub use write::Journal;

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

impl JournalError {
    /// What kind of failure it is, for the exit code.
    #[must_use]
    pub fn fault(&self) -> crate::events::Fault {
        match self {
            Self::NoFolder | Self::RunId { .. } => crate::events::Fault::Input,
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
