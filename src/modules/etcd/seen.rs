//! What was read on a host while a start of the unit was judged by it: the window looks at the same files again right before it stops the
//! unit, and once more before it starts it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::remote::{Content, Judged, Probe, RemoteError, RemotePath};

use super::files::CAP;
use super::release::sha256;

/// Each file once, as it was when it was first read: what is judged and what is compared later are the same bytes.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<BTreeMap<RemotePath, Content>>>);

impl Seen {
    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<RemotePath, Content>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads those that were not read yet, in one question.
    ///
    /// # Errors
    /// As [`Probe::texts`].
    pub(super) async fn read(&self, probe: &Probe, paths: &[RemotePath]) -> Result<(), RemoteError> {
        let mut missing: Vec<RemotePath> = paths.to_vec();
        missing.retain(|path| !self.files().contains_key(path));
        missing.sort();
        missing.dedup();
        let found = probe.texts(&missing, CAP).await?;
        let mut files = self.files();
        for (path, content) in missing.into_iter().zip(found) {
            files.entry(path).or_insert(content);
        }
        Ok(())
    }

    /// What stands at a path, links followed.
    ///
    /// # Errors
    /// As [`Probe::texts`].
    pub(super) async fn content(&self, probe: &Probe, path: &RemotePath) -> Result<Content, RemoteError> {
        self.read(probe, std::slice::from_ref(path)).await?;
        Ok(self.files().get(path).cloned().unwrap_or(Content::None))
    }

    /// The bytes of a file that must be there.
    ///
    /// # Errors
    /// As [`Probe::read`].
    pub(super) async fn bytes(&self, probe: &Probe, path: &RemotePath) -> Result<Vec<u8>, RemoteError> {
        match self.content(probe, path).await? {
            Content::Bytes(bytes) => Ok(bytes),
            // In the host's own words, why not.
            Content::None | Content::Other => probe.read(path, CAP).await,
        }
    }

    /// All of them, as a window compares them.
    pub(super) fn judged(&self) -> Vec<Judged> {
        let holds = |content: &Content| match content {
            Content::None => "none".to_owned(),
            Content::Other => "other".to_owned(),
            Content::Bytes(bytes) => sha256(bytes),
        };
        self.files().iter().map(|(path, content)| Judged { path: path.clone(), holds: holds(content) }).collect()
    }
}
