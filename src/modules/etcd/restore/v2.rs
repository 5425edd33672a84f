//! The keys of the v2 store back into a cluster that was restored from a snapshot, which knows the v3 store only.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::etcd::{V2Key, V2Made, first_names};
use crate::events::Kind;
use crate::modules::Failure;

use super::super::client::{Client, ClientError};
use super::super::facts::Facts;
use super::{Restore, failed};

/// Keys under way at a time: each is a proposal of its own.
const AT_ONCE: usize = 16;

impl Restore<'_> {
    /// Puts them back through this host's member and reads them again. Clients may have come back by then: what they have written stays,
    /// since it is younger than the backup.
    pub(super) async fn v2_keys(&self) -> Result<(), Failure> {
        let Some(part) = &self.backup.manifest.v2 else { return Ok(()) };
        let facts = Facts::gather(self.call.fleet, &self.call.probe, self.unit()).await?;
        let client = &facts.client;
        // The outer ones first: each is listed behind those that are in it.
        for folder in self.backup.v2.folders.iter().rev() {
            client.v2_make_folder(folder).await.map_err(|error| self.not_put(&folder.key, error))?;
        }
        let keys = &self.backup.v2.keys;
        let put: Vec<_> = keys.iter().map(|key| self.v2_key(client, key)).collect();
        let there: Vec<Option<&V2Key>> = stream::iter(put).buffer_unordered(AT_ONCE).try_collect().await?;
        let there: Vec<&V2Key> = there.into_iter().flatten().collect();
        self.compare(client, &there).await?;
        // An act of its own: a reader that leaves out what is said of one act too often shows this at once.
        let (host, act) = (self.host().to_owned(), "v2 store".to_owned());
        let text = format!("{} keys of the v2 store put back", keys.len() - there.len());
        (self.call.say)(Kind::Progress { host, act, text, done: None, total: None })?;
        if !there.is_empty() {
            self.warn(format!(
                "{} keys of the v2 store were there when they were to be put back, written by clients meanwhile, and were left: {}",
                there.len(),
                first_names(there.iter().map(|key| key.key.as_str()))
            ))?;
        }
        if part.auth {
            self.warn(
                "the v2 store wanted to know who asks when the backup was taken, and now serves everybody: its users and roles are in no \
                 backup; make them anew (`etcdctl user add`, `etcdctl role add`, `etcdctl auth enable`)"
                    .to_owned(),
            )?;
        }
        Ok(())
    }

    /// Puts one back; gives it where there is one of its name.
    async fn v2_key<'k>(&self, client: &Client, key: &'k V2Key) -> Result<Option<&'k V2Key>, Failure> {
        let made = client.v2_make(key).await.map_err(|error| self.not_put(&key.key, error))?;
        Ok((made == V2Made::There).then_some(key))
    }

    fn not_put(&self, name: &str, error: ClientError) -> Failure {
        failed(self.host(), format!("put {name} into the v2 store: {error}"))
    }

    fn warn(&self, text: String) -> Result<(), Failure> {
        (self.call.say)(Kind::Warning { text: format!("{}: {text}", self.host()) })
    }

    /// Says what is not there any more of what was put back and has no end of its own: only a client can have taken it away, since each
    /// put was acknowledged, and that is for people to know.
    async fn compare(&self, client: &Client, there: &[&V2Key]) -> Result<(), Failure> {
        let listing = client.v2_listing().await.map_err(|error| failed(self.host(), error))?;
        let store = listing.map(|listing| listing.store).unwrap_or_default();
        let found: HashSet<&str> = store.keys.iter().chain(there.iter().copied()).map(|key| key.key.as_str()).collect();
        let lasting = self.backup.v2.keys.iter().filter(|key| key.ttl.is_none()).map(|key| key.key.as_str());
        let missing: Vec<&str> = lasting.filter(|key| !found.contains(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.warn(format!(
            "{} keys of the v2 store were put back and are not there any more, so a client has removed them: {}",
            missing.len(),
            first_names(missing.iter().copied())
        ))
    }
}
