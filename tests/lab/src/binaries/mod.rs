//! etcd's programs by version: made once from modules with pinned sums or from Debian's packages, and
//! packed as etcd publishes them.

mod archive;
mod build;
mod debian;
mod table;
mod toolchain;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::act::{ActError, at, copy, run_command};
use crate::cache;
use crate::version::minor;
pub(crate) use table::Release;
use table::{RELEASES, Source};

/// Goes up when what is done with the module files or packages changes, so that what was made before
/// is not taken for what would be made now.
const EDITION: u32 = 2;

/// A version that the table does not have.
#[derive(Debug, thiserror::Error)]
#[error("no etcd {version} here; there is {}", known().join(", "))]
pub struct UnknownVersion {
    version: String,
}

/// The versions that can be had, oldest first.
#[must_use]
pub fn known() -> Vec<&'static str> {
    RELEASES.iter().map(|release| release.version).collect()
}

/// The newest version of the next minor, if any: what an upgrade of `version` goes to. etcd's upgrade
/// guides want the newest patch of it.
#[must_use]
pub fn after(version: &str) -> Option<&'static str> {
    let known = known();
    let place = known.iter().position(|known| *known == version)?;
    let later = known.get(place..)?;
    let next = later.iter().find(|other| minor(other) != minor(version))?;
    later.iter().rfind(|other| minor(other) == minor(next)).copied()
}

/// Finds a version's row.
///
/// # Errors
/// There is none.
pub(crate) fn release(version: &str) -> Result<&'static Release, UnknownVersion> {
    RELEASES
        .iter()
        .find(|release| release.version == version)
        .ok_or_else(|| UnknownVersion { version: version.to_owned() })
}

/// The folder with `etcd`, `etcdctl` (from 3.5 on `etcdutl` too), the archive and its SHA256SUMS, made
/// first when the cache does not have it.
///
/// # Errors
/// The version is not in the table, a sum is another, or the build fails.
pub fn folder(version: &str) -> Result<PathBuf, crate::LabError> {
    let release = release(version)?;
    let done = cache::folder(&cache_name(release), |folder| {
        match &release.source {
            Source::Modules(modules) => build::build(release, modules, folder)?,
            Source::Debian => debian::fetch(release, folder)?,
        }
        check_version(release, folder)?;
        archive::pack(release, folder)
    })?;
    Ok(done)
}

/// Another recipe is another folder.
fn cache_name(release: &Release) -> String {
    let mut recipe = Sha256::new_with_prefix(EDITION.to_le_bytes());
    if let Source::Modules(modules) = &release.source {
        recipe.update(modules.manifest);
        recipe.update(modules.sums);
    }
    let mut name = format!("etcd-{}-", release.version);
    for byte in recipe.finalize().iter().take(4) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

fn check_version(release: &Release, folder: &Path) -> Result<(), ActError> {
    let mut command = Command::new(folder.join("etcd"));
    command.arg("--version");
    let said = run_command(command, "", Duration::from_secs(20))?;
    let first = said.lines().next().unwrap_or_default();
    // `etcd version 2.0.5`, or `etcd Version: 2.1.1` from 2.1 on.
    if first.split_whitespace().last() == Some(release.version) {
        return Ok(());
    }
    Err(ActError::Mismatch {
        what: "version that etcd says of itself".to_owned(),
        expected: release.version.to_owned(),
        found: first.to_owned(),
    })
}

/// Puts the archives of several versions into one folder with one SHA256SUMS over all of them.
///
/// # Errors
/// As [`folder`], or the folder cannot be written.
pub(crate) fn collect(versions: &[String], into: &Path) -> Result<(), crate::LabError> {
    fs::create_dir_all(into).map_err(at("make folder", into))?;
    let mut sums = String::new();
    for version in versions {
        let from = folder(version)?;
        let name = archive::name(version);
        copy(&from.join(&name), &into.join(&name), 0o644, crate::act::ROOT)?;
        let lines = from.join("SHA256SUMS");
        sums.push_str(&fs::read_to_string(&lines).map_err(at("read", &lines))?);
    }
    let path = into.join("SHA256SUMS");
    fs::write(&path, sums).map_err(at("write", &path))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_the_newest_of_the_next_minor() {
        for (version, next) in [("2.0.0", "2.1.1"), ("2.0.5", "2.1.1"), ("2.3.8", "3.0.17"), ("3.3.27", "3.4.23")] {
            assert_eq!(after(version), Some(next));
        }
        assert_eq!(after("3.5.21"), Some("3.6.16"));
        assert_eq!(after("9.9.9"), None);
        assert_eq!(after(known().last().unwrap()), None);
    }

    #[test]
    fn an_unknown_version_names_the_known_ones() {
        let text = release("2.0.2").unwrap_err().to_string();
        assert!(text.contains("2.0.2") && text.contains("2.1.1"), "{text}");
    }

    #[test]
    fn no_two_recipes_share_a_folder() {
        let names: std::collections::BTreeSet<String> = RELEASES.iter().map(cache_name).collect();
        assert_eq!(names.len(), RELEASES.len());
    }
}
