//! Writing: one `write` call an event, and on the disk before anything is done that the event announces.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::folder::sync_folder;
use super::{JournalError, StateDir, line};
use crate::events::{Event, Fault, Kind, Sink, SinkError, Status};

/// The journal of the run that is going on.
pub struct Journal {
    folder: PathBuf,
    file: File,
    broken: Option<SinkError>,
}

impl Journal {
    /// Makes the folder of a new run (mode 0700) and its empty journal (mode 0600).
    ///
    /// # Errors
    /// When `id` is not a run's ID, or the disk refuses.
    pub fn create(state: &StateDir, id: &str) -> Result<Self, JournalError> {
        let folder = state.create_run(id)?;
        let path = folder.join("journal.jsonl");
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(JournalError::io("create", &path))?;
        // Waits at most for somebody who only looks whether it is locked.
        file.lock().map_err(JournalError::io("lock", &path))?;
        sync_folder(&folder)?;
        Ok(Self { folder, file, broken: None })
    }

    /// The run's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn append(&mut self, event: &Event) -> Result<(), SinkError> {
        let failed = |act: &str, why: &dyn std::fmt::Display, folder: &Path| SinkError {
            sink: "journal",
            detail: format!("{act} {}: {why}", folder.join("journal.jsonl").display()),
            fault: Fault::Disk,
        };
        let line = line::of_event(event).map_err(|error| failed("encode for", &error, &self.folder))?;
        self.file.write_all(&line).map_err(|error| failed("write", &error, &self.folder))?;
        if must_be_on_disk(&event.kind) {
            self.file.sync_data().map_err(|error| failed("sync", &error, &self.folder))?;
        }
        Ok(())
    }
}

impl Sink for Journal {
    /// After a failure nothing more is written: the last line may be torn, and what follows it could not be told apart.
    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        if self.broken.is_none() {
            self.broken = self.append(event).err();
        }
        self.broken.clone().map_or(Ok(()), Err)
    }
}

/// What a later reader must be able to trust: intents, and what they came to.
fn must_be_on_disk(kind: &Kind) -> bool {
    match kind {
        // The beginning of a play, a round or a batch is on the disk with the first task's, which comes after it.
        // A task's start is the intent of every module that says no more of what it does.
        Kind::RunStarted { .. }
        | Kind::TaskStarted { .. }
        | Kind::ActBegins { .. }
        | Kind::MemberRolled { .. }
        | Kind::ClusterUpgraded { .. }
        | Kind::ClusterDowngraded { .. }
        | Kind::MemberDefragmented { .. }
        | Kind::BackupTaken { .. }
        | Kind::Halted { .. }
        | Kind::RunEnded { .. } => true,
        Kind::TaskEnded { changed, status, .. } => *changed || matches!(status, Status::Failed | Status::Unreachable),
        _ => false,
    }
}

#[cfg(test)]
impl Journal {
    /// The same journal on a disk without room.
    pub(super) fn onto_full_disk(mut self) -> Self {
        self.file = OpenOptions::new().write(true).open("/dev/full").expect("every Linux has /dev/full");
        self
    }
}
