//! etcd's binaries by version: built once from the module registry, checked against pinned sums,
//! and packed as etcd publishes them.

mod archive;
mod build;

use std::fs;
use std::path::{Path, PathBuf};

use crate::act::{at, copy};
use crate::cache;

/// Which Go compiles a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    /// Go 1.19 of Debian 12 (`golang-1.19-go`): what newer ones make of etcd 2.1 to 2.3 panics at start.
    Debian119,
}

/// One version of etcd and where it comes from.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) version: &'static str,
    /// The main module and its version as `go get` wants them.
    pub(crate) module: &'static str,
    pub(crate) module_version: &'static str,
    pub(crate) go: Go,
    /// The sum that `go.sum` must hold for the main module.
    pub(crate) sum: &'static str,
    /// Modules held at a version (`module` → `module version`), where the main module has no
    /// `go.mod` that says so.
    pub(crate) pins: &'static [(&'static str, &'static str)],
}

/// Every version the lab can build. A further one is one more row. Sums as the registry's modules
/// had them on 2026-11-24.
const RELEASES: [Release; 6] = [
    Release {
        version: "2.0.0",
        module: "github.com/coreos/etcd",
        module_version: "v2.0.0+incompatible",
        go: Go::Debian119,
        sum: "h1:WGEMS3fSDEFM5gAudEdpD+yRRd99boPLtzcG+c5ShhU=",
        pins: &[],
    },
    Release {
        version: "2.0.5",
        module: "github.com/coreos/etcd",
        module_version: "v2.0.5+incompatible",
        go: Go::Debian119,
        sum: "h1:gt5T8F6tjS8fRfKVHe2lwjIW06XSlZSIbu78o2mjBYE=",
        pins: &[],
    },
    Release {
        version: "2.0.8",
        module: "github.com/coreos/etcd",
        module_version: "v2.0.8+incompatible",
        go: Go::Debian119,
        sum: "h1:pIiska4FAf9qHxS/8b6KwDBpMgI5wJOBPiJzDOHRuQI=",
        pins: &[],
    },
    Release {
        version: "2.1.1",
        module: "github.com/coreos/etcd",
        module_version: "v2.1.1+incompatible",
        go: Go::Debian119,
        sum: "h1:UZgy34G6qG4gYWmDJb87qRyTpY2f0vqXXlT7jU7i5kM=",
        pins: &[],
    },
    Release {
        version: "2.2.5",
        module: "github.com/coreos/etcd",
        module_version: "v2.2.5+incompatible",
        go: Go::Debian119,
        sum: "h1:pq0lHKlDjqn8BXunXd6Z/n77AiuTNVeoIC45dyZqBc8=",
        pins: &[],
    },
    Release {
        version: "2.3.8",
        module: "github.com/coreos/etcd",
        module_version: "v2.3.8+incompatible",
        go: Go::Debian119,
        sum: "h1:Lkp5dgqMANTjq0UW74OP1H8yCDQT0In4jrw6xfcNlGE=",
        pins: &[],
    },
];

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

/// The first version of the next minor, if any: what an upgrade of `version` goes to.
#[must_use]
pub fn after(version: &str) -> Option<&'static str> {
    let minor = |version: &'static str| version.rsplit_once('.').map_or(version, |(minor, _)| minor);
    let mut later = RELEASES.iter().map(|release| release.version).skip_while(|known| *known != version);
    let here = minor(later.next()?);
    later.find(|known| minor(known) != here)
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

/// The folder with `etcd`, `etcdctl`, the archive and its SHA256SUMS, built first when the cache
/// does not have it.
///
/// # Errors
/// The version is not in the table, its sum is another, or the build fails.
pub fn folder(version: &str) -> Result<PathBuf, crate::LabError> {
    let release = release(version)?;
    let done = cache::folder(&format!("etcd-{version}"), |folder| {
        build::build(release, folder)?;
        archive::pack(release, folder)
    })?;
    Ok(done)
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

/// The two programs of a version.
pub(crate) const PROGRAMS: [&str; 2] = ["etcd", "etcdctl"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_row_is_the_next_minor() {
        assert_eq!(after("2.0.5"), Some("2.1.1"));
        assert_eq!(after("9.9.9"), None);
        assert_eq!(after(known().last().unwrap()), None);
    }

    #[test]
    fn an_unknown_version_names_the_known_ones() {
        let text = release("2.0.2").unwrap_err().to_string();
        assert!(text.contains("2.0.2") && text.contains("2.1.1"), "{text}");
    }
}
