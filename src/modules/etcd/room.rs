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
        Some(why) => {
            let Space { mount, device, .. } = space;
            let what = format!(
                "nothing can be written to {path}: {why} ({device} on {mount})\nnext: look for its cause in the kernel's log, then run again"
            );
            Err(refused(probe.name(), what))
        }
    }
}

/// `$1` where something is to be written: gives the nearest folder that is there the time that it has, which is a write and leaves it as it was.
const WRITES: &str = r#"
folder=$1
while [ ! -d "$folder" ]; do folder=${folder%/*}; [ -n "$folder" ] || folder=/; done
touch -c -m -r "$folder" -- "$folder" && sync -- "$folder"
"#;

/// Whether something can be written there, by doing it: below an overlay, or of a file system that only fails when it is written to, nothing else
/// tells (ext4 that had met an error under an overlay, seen in the lab 2026-11-28).
///
/// # Errors
/// When it cannot.
pub(super) async fn takes_writes(change: &Change, path: &RemotePath) -> Result<(), Failure> {
    let ran = change.script("write beside what is to be changed", WRITES, &[path.as_str()], None).await?;
    if ran.success() {
        return Ok(());
    }
    let what = format!(
        "nothing can be written to {path}: {}\nnext: look for its cause in the kernel's log, then run again",
        ran.words()
    );
    Err(refused(change.name(), what))
}
