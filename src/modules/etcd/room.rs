//! Room on a host's disks for what is to be written there, and whether anything can be.

use crate::modules::Failure;
use crate::remote::{Change, Probe, RemotePath, Space};

use super::facts::refused;

/// The room at a path where something is to be written.
///
/// # Errors
/// When nothing can be, however much is free; so that it is known before the first member is touched.
pub(super) async fn at(probe: &Probe, path: &RemotePath) -> Result<Space, Failure> {
    let space = probe.space(path).await?;
    match space.refuses {
        None => Ok(space),
        Some(why) => Err(cannot(probe.name(), &format!("{path}: {why} ({} on {})", space.device, space.mount))),
    }
}

fn cannot(host: &str, what: &str) -> Failure {
    let next = "next: look for its cause in the kernel's log, then run again";
    refused(host, format!("nothing can be written to {what}\n{next}"))
}

/// Each parameter is where something is to be written. Gives the nearest folder that is there the time that it has, which is a write and leaves
/// it as it was; prints the one with which that fails.
const WRITES: &str = r#"
for path; do
    folder=$path
    while [ ! -d "$folder" ]; do folder=${folder%/*}; [ -n "$folder" ] || folder=/; done
    touch -c -m -r "$folder" -- "$folder" && sync -- "$folder" || { printf '%s' "$path"; exit 1; }
done
"#;

/// Whether something can be written at each of the paths, by doing it: below an overlay, or of a file system that only fails when it is written
/// to, nothing else tells (ext4 that had met an error under an overlay, seen in the lab 2026-11-28).
///
/// # Errors
/// When it cannot.
pub(super) async fn takes_writes<const N: usize>(change: &Change, paths: [&RemotePath; N]) -> Result<(), Failure> {
    let paths = paths.map(RemotePath::as_str);
    let ran = change.script("write beside what is to be changed", WRITES, &paths, None).await?;
    if ran.success() {
        return Ok(());
    }
    Err(cannot(change.name(), &format!("{}: {}", String::from_utf8_lossy(&ran.stdout), ran.words())))
}
