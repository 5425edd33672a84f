//! What is made once and used by every lab: the hosts' file system and etcd's binaries.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process;

use crate::act::{ActError, at};

/// The cache, unless `QUORATE_LAB_CACHE` names another folder.
const CACHE: &str = "/var/cache/quorate-lab";

/// The cache's folder.
#[must_use]
pub fn dir() -> PathBuf {
    env::var_os("QUORATE_LAB_CACHE").map_or_else(|| PathBuf::from(CACHE), PathBuf::from)
}

/// The named folder of the cache, made first if it is not there. `make` gets a temporary folder
/// that is renamed when it is complete, so a folder under its own name is always whole. Labs that
/// start at the same time wait for the one that makes it.
///
/// # Errors
/// The cache cannot be written, or `make` fails; what it left is removed.
pub(crate) fn folder(name: &str, make: impl FnOnce(&Path) -> Result<(), ActError>) -> Result<PathBuf, ActError> {
    let cache = dir();
    let done = cache.join(name);
    if done.is_dir() {
        return Ok(done);
    }
    fs::create_dir_all(&cache).map_err(at("make folder", &cache))?;
    let lock_path = cache.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).map_err(at("open", &lock_path))?;
    lock.lock().map_err(at("lock", &lock_path))?;
    if done.is_dir() {
        return Ok(done);
    }
    // A name of its own: a program that outlived a killed lab may still write into that one's.
    let partial = cache.join(format!("{name}.partial-{}", process::id()));
    remove(&partial)?;
    fs::create_dir_all(&partial).map_err(at("make folder", &partial))?;
    if let Err(error) = make(&partial) {
        // The first error is the one to tell.
        let _ = remove(&partial);
        return Err(error);
    }
    fs::rename(&partial, &done).map_err(at("rename", &partial))?;
    Ok(done)
}

fn remove(path: &Path) -> Result<(), ActError> {
    if !path.exists() {
        return Ok(());
    }
    fs::remove_dir_all(path).map_err(at("remove", path))
}
