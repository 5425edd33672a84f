//! The keys of the v2 store into the v3 store, while the cluster serves: copied, compared one by one, and only then removed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::etcd::{self, Copied, Copy, Removed, V2Key, V2Store};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::client::{Client, ClientError};

/// Keys under way at a time: each is four questions through one session.
const AT_ONCE: usize = 8;
/// How often keys that were written meanwhile are gone over again. Who writes on and on is a client that must be moved first.
const ROUNDS: u32 = 10;

/// The move, and what it has put into the v3 store so far.
pub(super) struct Migration<'c> {
    client: &'c Client,
    prefix: &'static str,
    put: Mutex<HashMap<String, String>>,
}

impl<'c> Migration<'c> {
    pub(super) fn new(client: &'c Client, prefix: &'static str) -> Self {
        Self { client, prefix, put: Mutex::default() }
    }

    /// Moves all keys and removes the folders that are left; gives how many keys, each counted as often as it was written meanwhile.
    ///
    /// # Errors
    /// In words. A key is removed only after its copy was read back through raft, and only as it was read: nothing is lost.
    pub(super) async fn run(&self) -> Result<usize, String> {
        let mut moved = 0;
        for _ in 0..ROUNDS {
            let V2Store { keys, folders } = self.store().await?;
            if keys.is_empty() && folders.is_empty() {
                return Ok(moved);
            }
            // All before the first is put: a name under which there is another value is for people to decide.
            let taken = each(keys.iter().map(|key| self.taken(key)).collect()).await?;
            let taken: Vec<&str> = taken.into_iter().flatten().collect();
            if !taken.is_empty() {
                let (count, of, names) = (taken.len(), keys.len(), etcd::first_names(taken.iter().copied()));
                return Err(format!(
                    "the v3 store has other values under {count} of {of} names of the v2 store ({names}): move or delete those of one store first; nothing was moved"
                ));
            }
            each(keys.iter().map(|key| self.copy(key)).collect()).await?;
            let gone = each(keys.iter().map(|key| self.remove(key)).collect()).await?;
            moved += gone.into_iter().filter(|gone| *gone == Removed::Gone).count();
            for folder in &folders {
                // One that is not empty has got a key meanwhile, and stays for the next round.
                let gone = self.client.v2_remove_folder(folder).await;
                gone.map_err(|error| format!("{}: {error}", folder.key))?;
            }
        }
        let left = self.store().await?.keys;
        if left.is_empty() {
            return Ok(moved);
        }
        let names = etcd::first_names(left.iter().map(|key| key.key.as_str()));
        Err(format!(
            "the v2 store has keys again ({names}): somebody still writes to it, who must be moved to the v3 API first; \
             {moved} keys were moved and compared"
        ))
    }

    async fn store(&self) -> Result<V2Store, String> {
        self.client.v2_store().await.map_err(|error| error.to_string())
    }

    /// The key's name, if under it the v3 store has a value that is neither the key's nor was put there by us.
    async fn taken<'k>(&self, key: &'k V2Key) -> Result<Option<&'k str>, String> {
        if self.put().contains_key(&key.key) {
            return Ok(None);
        }
        Ok(match self.read(key).await? {
            Copy::Other => Some(&key.key),
            Copy::None | Copy::Same => None,
        })
    }

    async fn read(&self, key: &V2Key) -> Result<Copy, String> {
        let failed = |error: ClientError| format!("{}: {error}", key.key);
        let answer = self.client.question(self.prefix, "kv/range", &etcd::copy_read(key)).await.map_err(failed)?;
        etcd::copy_found(key, answer.status, &answer.body).map_err(|error| failed(error.into()))
    }

    async fn copy(&self, key: &V2Key) -> Result<(), String> {
        let failed = |error: ClientError| format!("{}: {error}", key.key);
        let lease = match key.ttl {
            Some(seconds) => Some(self.client.lease(self.prefix, seconds).await.map_err(failed)?),
            None => None,
        };
        // Changed in the v2 store since an earlier round put it here.
        let before = self.put().get(&key.key).cloned();
        let body = etcd::copy_of(key, lease, before.as_deref());
        let answer = self.client.call(self.prefix, "kv/txn", &body).await.map_err(failed)?;
        match etcd::copied(key, answer.status, &answer.body).map_err(|error| failed(error.into()))? {
            Copied::Other => {
                return Err(format!("{}: the v3 store has got another value meanwhile; it was left", key.key));
            }
            Copied::Now => drop(self.put().insert(key.key.clone(), key.value.clone())),
            Copied::Before => {}
        }
        Ok(())
    }

    async fn remove(&self, key: &V2Key) -> Result<Removed, String> {
        let failed = |error: ClientError| format!("{}: {error}", key.key);
        if self.read(key).await? != Copy::Same {
            return Err(format!(
                "{}: its copy in the v3 store is not what it is in the v2 store; it was left there",
                key.key
            ));
        }
        self.client.v2_remove(key).await.map_err(failed)
    }

    fn put(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.put.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does it for all keys, a few at a time.
async fn each<T>(work: Vec<impl Future<Output = Result<T, String>>>) -> Result<Vec<T>, String> {
    stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
}
