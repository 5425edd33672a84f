//! Keys of the v2 store of a member of 3.x, beside its snapshot, which holds the v3 store only.
//!
//! They are what the member says of its whole v2 store in one answer, at one index. The stores are not of the same moment: nothing of etcd
//! ties them together either.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::etcd::{Api, MemberView, V2Listing, V2Store, api, v2_store};
use crate::events::Fault;
use crate::modules::Failure;

use super::facts::Facts;
use super::release::hex;

/// The file, here.
pub(super) const FILE: &str = "v2-keys.json";

/// What a manifest says of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct V2Part {
    /// The file, its size and SHA-256: the answer to `GET /v2/keys/?recursive=true`, byte for byte.
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// How many keys and folders are in it.
    pub(super) keys: u64,
    pub(super) folders: u64,
    /// The store's index when it was read.
    pub(super) index: u64,
    /// Whether the v2 store asked who asks. Its users and roles are not in the file.
    pub(super) auth: bool,
}

impl V2Part {
    /// For people.
    pub(super) fn words(&self) -> String {
        format!(
            "beside it {} keys and {} folders of the v2 store, at its index {}",
            self.keys, self.folders, self.index
        )
    }
}

/// Reads the member's v2 store and writes it into the folder here; `None` where its API does not serve, or nothing is in it.
///
/// # Errors
/// When it is not told, or the file can't be written.
pub(super) async fn save(facts: &Facts, view: &MemberView, folder: &Path) -> Result<Option<V2Part>, Failure> {
    let version = &view.version.server;
    if api(&view.version) == Api::V2 || (version.major, version.minor) > (3, 5) {
        return Ok(None);
    }
    let failed = |error: super::client::ClientError| {
        Failure::new(Fault::Failed, format!("{}: read the v2 store: {error}", facts.host()))
    };
    let Some(V2Listing { store, index, body }) = facts.client.v2_listing().await.map_err(failed)? else {
        return Ok(None);
    };
    if store == V2Store::default() {
        return Ok(None);
    }
    let auth = facts.client.v2_auth().await.map_err(failed)?;
    let count = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
    let part = V2Part {
        file: FILE.to_owned(),
        size: count(body.len()),
        sha256: hex(&Sha256::digest(&body)),
        keys: count(store.keys.len()),
        folders: count(store.folders.len()),
        index,
        auth,
    };
    let path = folder.join(FILE);
    write(&path, &body).map_err(|error| Failure::new(Fault::Disk, format!("{}: {error}", path.display())))?;
    Ok(Some(part))
}

fn write(path: &Path, body: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(body)?;
    file.sync_all()
}

/// What is in the file beside a backup, which must be what its manifest says.
///
/// # Errors
/// In words: when it is not.
pub(super) fn read(part: &V2Part, folder: &Path) -> Result<V2Store, String> {
    let path = folder.join(FILE);
    let at = |what: String| format!("{}: {what}", path.display());
    if part.file != FILE {
        return Err(at(format!("manifest.json names it `{}`", part.file)));
    }
    let body = std::fs::read(&path).map_err(|error| at(error.to_string()))?;
    let found = hex(&Sha256::digest(&body));
    if found != part.sha256 {
        let want = &part.sha256;
        return Err(at(format!("not the file that was backed up\nexpected {want} (manifest.json)\nfound    {found}")));
    }
    v2_store(200, &body).map_err(|error| at(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_what_the_manifest_says_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let body = br#"{"action":"get","node":{"dir":true,"nodes":[{"key":"/x","value":"1","modifiedIndex":5}]}}"#;
        let part = V2Part {
            file: FILE.into(),
            size: 0,
            sha256: hex(&Sha256::digest(body)),
            keys: 1,
            folders: 0,
            index: 5,
            auth: false,
        };
        assert!(read(&part, dir.path()).unwrap_err().contains("v2-keys.json"));
        write(&dir.path().join(FILE), body).unwrap();
        assert_eq!(read(&part, dir.path()).unwrap().keys.len(), 1);
        assert!(write(&dir.path().join(FILE), body).is_err(), "one that is there is never written over");
        std::fs::write(dir.path().join(FILE), &body[1..]).unwrap();
        assert!(read(&part, dir.path()).unwrap_err().contains("found "));
        let elsewhere = V2Part { file: "../x".into(), ..part };
        assert!(read(&elsewhere, dir.path()).unwrap_err().contains("`../x`"));
    }
}
