//! A release archive and its SHA256SUMS, of the shape etcd publishes: `etcd-v2.1.1-linux-amd64.tar.gz`
//! with one folder of that name and the programs in it.

use std::env::consts::ARCH;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::Release;
use crate::act::{ActError, at};

/// Processors as Go and etcd's release names call them.
pub(super) fn processor() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

fn stem(version: &str) -> String {
    format!("etcd-v{version}-linux-{}", processor())
}

/// The archive's file name.
pub(super) fn name(version: &str) -> String {
    format!("{}.tar.gz", stem(version))
}

/// Packs the programs of a folder into the archive beside them, and writes SHA256SUMS.
pub(super) fn pack(release: &Release, folder: &Path) -> Result<(), ActError> {
    let name = name(release.version);
    let path = folder.join(&name);
    write_archive(release, folder, &path).map_err(at("write", &path))?;
    let sums = folder.join("SHA256SUMS");
    let line = sums_line(&path, &name)?;
    fs::write(&sums, line).map_err(at("write", &sums))
}

fn write_archive(release: &Release, folder: &Path, path: &Path) -> io::Result<()> {
    let top = stem(release.version);
    let mut tar = tar::Builder::new(GzEncoder::new(File::create(path)?, Compression::fast()));
    let mut entry = |name: &str, kind, mode, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        // The same bytes on every machine, so that sums can be compared.
        header.set_mtime(1_420_070_400);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, format!("{top}/{name}"), content)
    };
    entry("", tar::EntryType::Directory, 0o755, &[])?;
    for program in release.programs() {
        let content = fs::read(folder.join(program))?;
        entry(program, tar::EntryType::Regular, 0o755, &content)?;
    }
    let readme = format!("etcd {} as quorate's lab made it; no release of the etcd project.\n", release.version);
    entry("README.md", tar::EntryType::Regular, 0o644, readme.as_bytes())?;
    tar.into_inner()?.finish()?.sync_all()
}

/// The line `sha256sum` would print for a file.
///
/// # Errors
/// The file cannot be read.
fn sums_line(path: &Path, name: &str) -> Result<String, ActError> {
    let content = fs::read(path).map_err(at("read", path))?;
    let mut line = String::new();
    for byte in Sha256::digest(&content) {
        line.push_str(&format!("{byte:02x}"));
    }
    line.push_str("  ");
    line.push_str(name);
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_sha256sum_prints_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "abc").unwrap();
        let line = sums_line(&path, "x").unwrap();
        assert!(line.starts_with("ba7816bf") && line.ends_with("15ad  x\n"), "{line}");
    }
}
