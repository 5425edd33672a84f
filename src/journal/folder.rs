//! Where runs keep their state on this machine.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::JournalError;

/// Fewer characters of an ID are not taken for one: six of its beginning say when it began to 17 minutes.
const SHORTEST: usize = 6;

/// The folder under which every run has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// The folder given (`--state-dir`), else `$QUORATE_STATE_DIR`, else `/var/lib/quorate` for root, else `quorate` in
    /// the user's state folder.
    ///
    /// The state folder is `$XDG_STATE_HOME`, or `$HOME/.local/state`; a relative path in either counts as unset
    /// (XDG Base Directory Specification 0.8).
    ///
    /// # Errors
    /// When the environment does not say where.
    pub fn from_environment(given: Option<&Path>) -> Result<Self, JournalError> {
        let named = std::env::var_os("QUORATE_STATE_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        if let Some(path) = given.map(Path::to_path_buf).or(named) {
            return Ok(Self(path));
        }
        if acts_as_root() {
            return Ok(Self(PathBuf::from("/var/lib/quorate")));
        }
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        Ok(Self(state.ok_or(JournalError::NoFolder)?.join("quorate")))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of that run, which need not exist.
    ///
    /// # Errors
    /// When it is not a run's ID, so that no ID can lead out of the folder.
    pub fn run(&self, id: &str) -> Result<PathBuf, JournalError> {
        match ulid::Ulid::from_string(id) {
            Ok(ulid) if ulid.to_string() == id => Ok(self.0.join("runs").join(id)),
            _ => Err(JournalError::RunId { given: id.to_owned() }),
        }
    }

    /// The IDs of all runs, newest first: an ID begins with its time. None where the folder is not there or not ours to read.
    #[must_use]
    pub fn runs(&self) -> Vec<String> {
        self.all_runs().unwrap_or_default()
    }

    /// The same; a folder that is not there has no runs.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn all_runs(&self) -> Result<Vec<String>, JournalError> {
        let runs = self.0.join("runs");
        let entries = match fs::read_dir(&runs) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(JournalError::io("read", &runs))?,
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut ids: Vec<String> = names.filter(|name| self.run(name).is_ok()).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// The run that is meant by an ID, by at least six characters at the beginning or the end of one, or by `last`, the newest.
    ///
    /// # Errors
    /// When no run is meant, or more than one, or the folder cannot be read.
    pub fn find(&self, given: &str) -> Result<String, JournalError> {
        let ids = self.all_runs()?;
        let none = || JournalError::NoRun { given: given.to_owned(), folder: self.0.clone() };
        if given == "last" {
            return ids.first().cloned().ok_or_else(none);
        }
        let part = given.to_ascii_uppercase();
        if part.len() < SHORTEST {
            return Err(JournalError::ShortId { given: given.to_owned() });
        }
        let mut meant: Vec<String> =
            ids.into_iter().filter(|id| id.starts_with(&part) || id.ends_with(&part)).collect();
        match meant.len() {
            0 => Err(none()),
            1 => Ok(meant.remove(0)),
            _ => Err(JournalError::Ambiguous { given: given.to_owned(), runs: meant }),
        }
    }

    /// Makes the folder of a new run, readable by nobody else, with what `fill` puts into it. It has the run's name only once that is
    /// there, so that a run which is killed while it begins is none; both names are durable then.
    pub(super) fn create_run<T>(
        &self,
        id: &str,
        fill: impl FnOnce(&Path) -> Result<T, JournalError>,
    ) -> Result<(PathBuf, T), JournalError> {
        let run = self.run(id)?;
        let runs = self.0.join("runs");
        let new = runs.join(format!(".{id}.new"));
        DirBuilder::new().recursive(true).mode(0o700).create(&runs).map_err(JournalError::io("create", &runs))?;
        DirBuilder::new().mode(0o700).create(&new).map_err(JournalError::io("create", &new))?;
        let named = fill(&new).and_then(|filled| {
            sync_folder(&new)?;
            fs::rename(&new, &run).map_err(JournalError::io("create", &run))?;
            sync_folder(&runs)?;
            Ok((run, filled))
        });
        if named.is_err() {
            // Nothing was begun, and nothing is to be read of it.
            let _ = fs::remove_dir_all(&new);
        }
        named
    }
}

/// A new name in a folder is durable only once the folder itself is (fsync(2)).
fn sync_folder(path: &Path) -> Result<(), JournalError> {
    fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(JournalError::io("sync", path))
}

/// `/proc/self` belongs to the effective user (proc(5)).
fn acts_as_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}
