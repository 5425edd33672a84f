//! The backup on the control machine: whole, proven, and meant.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use semver::Version;

use crate::etcd::V2Store;
use crate::events::Fault;
use crate::modules::{Call, Failure};

use super::super::backup::Manifest;
use super::super::release::{digest, hex, local};
use super::super::{snapshot, v2_backup};

/// A manifest has some twenty lines.
const MANIFEST_CAP: u64 = 1024 * 1024;

/// A backup whose sum and content are as its manifest says.
pub(super) struct Backup {
    /// The archive.
    pub(super) tar: PathBuf,
    /// What its manifest says.
    pub(super) manifest: Manifest,
    /// The version that wrote the data.
    pub(super) version: Version,
    /// Bytes it takes once unpacked.
    pub(super) unpacked: u64,
    /// What was in the v2 store of a member of 3.x.
    pub(super) v2: V2Store,
}

fn input(path: &Path, what: impl std::fmt::Display) -> Failure {
    Failure::new(Fault::Input, format!("{}: {what}", path.display()))
}

impl Backup {
    /// The backup that the argument `backup` names.
    pub(super) async fn from_call(call: &Call<'_>) -> Result<Self, Failure> {
        let folder = local(call.playbook_dir, call.text("backup").unwrap_or_default());
        let read = tokio::task::spawn_blocking(move || Self::read(&folder));
        read.await.map_err(|error| Failure::new(Fault::Bug, error.to_string()))?
    }

    fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("manifest.json");
        let mut text = Vec::new();
        let file = File::open(&path).map_err(|error| {
            input(&path, format!("{error}\na backup without a manifest was never completed; take another one"))
        })?;
        file.take(MANIFEST_CAP).read_to_end(&mut text).map_err(|error| input(&path, error))?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|error| input(&path, format!("not the manifest of a proven backup: {error}")))?;
        let mut parts = Path::new(&manifest.file).components();
        let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else {
            return Err(input(&path, format!("`file` is `{}`, no name of a file beside it", manifest.file)));
        };
        let version = Version::parse(&manifest.version)
            .map_err(|_| input(&path, format!("`version` is `{}`, no version", manifest.version)))?;
        let tar = folder.join(name);
        let (_, found) = digest(&tar)?;
        let found = hex(&found);
        if found != manifest.sha256 {
            let (path, want) = (tar.display(), &manifest.sha256);
            let text = format!(
                "{path}: not the file that was backed up\nexpected {want} (manifest.json)\nfound    {found}\n\
                 nothing was changed; take another backup"
            );
            return Err(Failure::new(Fault::Refused, text));
        }
        // A snapshot is one file, whose own checksum was verified when it was saved.
        let unpacked = if name == snapshot::FILE { manifest.size } else { content(&tar)? };
        let v2 = match &manifest.v2 {
            Some(part) => v2_backup::read(part, folder).map_err(|what| {
                Failure::new(Fault::Refused, format!("{what}\nnothing was changed; take another backup"))
            })?,
            None => V2Store::default(),
        };
        Ok(Self { tar, manifest, version, unpacked, v2 })
    }

    /// Whether it is a snapshot of 3.x.
    pub(super) fn is_snapshot(&self) -> bool {
        self.manifest.file == snapshot::FILE
    }

    /// Whether giving up the cluster for this backup was confirmed.
    pub(super) fn confirmed(&self, confirm: Option<&str>) -> Result<(), Failure> {
        let Manifest { cluster_id, host, taken, proof, .. } = &self.manifest;
        let given = confirm.unwrap_or_default().trim();
        if given.eq_ignore_ascii_case(cluster_id) {
            return Ok(());
        }
        let found = if given.is_empty() { "nothing".to_owned() } else { format!("`{given}`") };
        let text = format!(
            "not confirmed, nothing was changed: expected confirm={cluster_id}, found {found}\n\
             this takes the whole cluster {cluster_id} back to how {host} had it at {taken} ({} keys);\n\
             all that was written since is given up, the old data is moved aside on every host\n\
             if that is wanted: -e confirm={cluster_id}",
            proof.keys
        );
        Err(Failure::new(Fault::Refused, text))
    }
}

/// Bytes of what is in the archive, which holds nothing but a member's files.
fn content(tar: &Path) -> Result<u64, Failure> {
    let fault = |error: std::io::Error| input(tar, format!("no sound archive: {error}"));
    let mut archive = tar::Archive::new(File::open(tar).map_err(fault)?);
    let (mut size, mut logs) = (0u64, 0);
    for entry in archive.entries().map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let path = entry.path().map_err(fault)?.into_owned();
        let kind = entry.header().entry_type();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || !path.starts_with("copy") || !(kind.is_dir() || kind.is_file()) {
            return Err(input(tar, format!("holds `{}`, which is no part of a member's data", path.display())));
        }
        if kind.is_file() && path.starts_with("copy/member/wal") {
            logs += 1;
        }
        size = size.saturating_add(entry.size());
    }
    if logs == 0 {
        return Err(input(tar, "no write-ahead log in it"));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::etcd::proof::Proof;

    fn backup(entries: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(File::create(dir.path().join("copy.tar")).unwrap());
        for (path, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            builder.append_data(&mut header, path, *bytes).unwrap();
        }
        builder.finish().unwrap();
        let (size, sum) = digest(&dir.path().join("copy.tar")).unwrap();
        let proof =
            Proof { opened_by: "2.0.5".into(), keys: 3, live_keys: Some(3), index: 9, live_index: 9, hash_kv: None };
        let manifest = Manifest {
            run: "01X".into(),
            taken: jiff::Timestamp::UNIX_EPOCH,
            host: "h1".into(),
            member: "m1".into(),
            member_id: "1".into(),
            cluster_id: "65bc3a05a25d06dd".into(),
            version: "2.0.5".into(),
            kind: String::new(),
            file: "copy.tar".into(),
            size,
            sha256: hex(&sum),
            owner: "etcd:etcd".into(),
            mode: "0700".into(),
            proof,
            v2: None,
        };
        std::fs::write(dir.path().join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
        dir
    }

    const SOUND: &[(&str, &[u8])] = &[("copy/member/wal/0-0.wal", b"12345")];

    #[test]
    fn a_whole_backup_is_read_and_takes_its_cluster_id_as_confirmation() {
        let dir = backup(SOUND);
        let backup = Backup::read(dir.path()).unwrap();
        assert_eq!((backup.unpacked, backup.version.clone()), (5, Version::new(2, 0, 5)));
        assert!(backup.confirmed(Some("65BC3A05A25D06DD")).is_ok());
        for wrong in [None, Some(""), Some("yes"), Some("65bc3a05a25d06de")] {
            let failure = backup.confirmed(wrong).unwrap_err();
            assert_eq!(failure.fault, Fault::Refused);
            assert!(failure.msg.contains("-e confirm=65bc3a05a25d06dd"));
        }
    }

    #[test]
    fn one_changed_byte_is_refused() {
        let dir = backup(SOUND);
        let path = dir.path().join("copy.tar");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[600] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Backup::read(dir.path()).err().unwrap().fault, Fault::Refused);
    }

    #[test]
    fn a_backup_without_manifest_is_no_backup() {
        let dir = backup(SOUND);
        std::fs::remove_file(dir.path().join("manifest.json")).unwrap();
        assert_eq!(Backup::read(dir.path()).err().unwrap().fault, Fault::Input);
    }

    #[test]
    fn an_archive_with_anything_but_a_members_data_is_refused() {
        for entries in [&[("etc/passwd", &b"x"[..])][..], &[("copy/member/snap/1.snap", b"x")]] {
            assert_eq!(Backup::read(backup(entries).path()).err().unwrap().fault, Fault::Input);
        }
    }
}
