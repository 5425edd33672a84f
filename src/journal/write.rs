//! Writing: one `write` call an event, and on the disk before anything is done that the event announces.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::{JournalError, StateDir, line};
use crate::events::{Event, Fault, Kind, Sink, SinkError, Status};

/// Room that is taken on the disk before anything is begun, so that a disk that fills up meanwhile does not end a run. A roll of three
/// members over one minor writes 57 KiB (seen in the lab 2026-11-27), so this is for a cluster of dozens, over all minors.
const ROOM: u64 = 4 << 20;

/// The journal of the run that is going on.
///
/// Its file is locked (flock(2)) as long as this lives: who looks on can tell a run that goes on from one that was killed, since the
/// kernel takes the lock away with the process, however it ends.
pub struct Journal {
    folder: PathBuf,
    file: File,
    /// Whether nothing is written yet.
    empty: bool,
    /// The sum of the last line.
    prev: line::Sum,
    head: Head,
    broken: Option<SinkError>,
}

/// The head of a journal's chain: the sum of its last line, once the run's end is written.
#[derive(Clone, Debug, Default)]
pub struct Head(Arc<Mutex<Option<String>>>);

impl Head {
    /// SHA-256 in hex; nothing while the run goes on, and where its end could not be written.
    #[must_use]
    pub fn sum(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is(&self, sum: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sum.to_owned());
    }
}

impl Journal {
    /// Makes the folder of a new run (mode 0700) and its empty journal (mode 0600), with room for a usual run.
    ///
    /// # Errors
    /// When `id` is not a run's ID, or the disk refuses, or has no room.
    pub fn create(state: &StateDir, id: &str) -> Result<Self, JournalError> {
        let (folder, file) = state.create_run(id, |folder| {
            let path = folder.join("journal.jsonl");
            let file = OpenOptions::new()
                .append(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(JournalError::io("create", &path))?;
            // Nobody else has it yet; who looks whether it is locked finds it by its run's name only.
            file.lock().map_err(JournalError::io("lock", &path))?;
            take_room(&file).map_err(JournalError::io("take room for", &path))?;
            Ok(file)
        })?;
        Ok(Self { folder, file, empty: true, prev: line::first_sum(id), head: Head::default(), broken: None })
    }

    /// The run's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tells the head of the chain once it is known.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head.clone()
    }

    fn append(&mut self, event: &Event) -> Result<(), SinkError> {
        let failed = |act: &str, why: &dyn std::fmt::Display, folder: &Path| SinkError {
            sink: "journal",
            detail: format!("{act} {}: {why}", folder.join("journal.jsonl").display()),
            fault: Fault::Disk,
        };
        let line = line::of_event(event, &self.prev, self.empty)
            .map_err(|error| failed("encode for", &error, &self.folder))?;
        self.file.write_all(&line).map_err(|error| failed("write", &error, &self.folder))?;
        self.empty = false;
        self.prev = line::sum(&line);
        if must_be_on_disk(&event.kind) {
            self.file.sync_data().map_err(|error| failed("sync", &error, &self.folder))?;
        }
        if matches!(event.kind, Kind::RunEnded { .. }) {
            self.head.is(&self.prev);
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

impl Drop for Journal {
    /// Gives back the room that was not needed: cutting a file to its own size frees what was taken beyond it (ext4, xfs, tmpfs).
    fn drop(&mut self) {
        let _ = self.file.metadata().and_then(|meta| self.file.set_len(meta.len()));
    }
}

/// Takes room beyond the file's end, which stays where it is. Where the file system cannot do that, the run goes without.
fn take_room(file: &File) -> std::io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, ROOM) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What a later reader must be able to trust: intents, and what they came to.
fn must_be_on_disk(kind: &Kind) -> bool {
    match kind {
        // The beginning of a play, a round or a batch is on the disk with the first task's, which comes after it.
        // A task's start is the intent of every module that says no more of what it does.
        Kind::RunStarted { .. }
        | Kind::Invoked { .. }
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
