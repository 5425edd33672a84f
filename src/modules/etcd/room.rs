//! Room on a host's disks for what is to be written there, and whether anything can be; and in its memory, for a second etcd.

use crate::modules::Failure;
use crate::remote::{Change, Probe, RemotePath, Space};

use super::data::Data;
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

/// What a member's own disk must have free: its log goes on in the next file once one is full, and that file's room is taken at once, 64 MB
/// (segments of 3.x; those of 2.x grow as far). A log that finds no room ends the process; 2.0.5 then leaves half a record in
/// it and never starts again (seen in the lab 2026-11-28).
const SEGMENT: u64 = 64 << 20;

/// Whether the member itself has room to go on writing once it is started again.
///
/// # Errors
/// When its disk, or that of its log, is nearly full or takes no writes: a roll is no time for that, and no older program helps there.
pub(super) async fn for_the_member(probe: &Probe, data: &Data) -> Result<(), Failure> {
    for dir in [&data.dir, &data.wal_dir] {
        let space = at(probe, dir).await?;
        enough(dir, &space).map_err(|what| refused(probe.name(), what))?;
    }
    Ok(())
}

fn enough(dir: &RemotePath, space: &Space) -> Result<(), String> {
    let next = "a member that cannot write its log ends, with whichever program\nnext: make room, then run again";
    if space.free < SEGMENT {
        let (free, needed) = (space.free >> 20, SEGMENT >> 20);
        return Err(format!("{dir} has {free} MiB free on {}, and its member needs {needed} MiB\n{next}", space.mount));
    }
    // A snapshot, a segment, and the file that each is written under first.
    if space.inodes.is_some_and(|inodes| inodes < 16) {
        return Err(format!("{dir} has hardly any inodes free on {}\n{next}", space.mount));
    }
    Ok(())
}

/// `$1` a member's data directory. Prints the KiB of memory that the kernel holds to be available, and those of its largest database or
/// snapshot, which lie right in the data directory with the first 2.0 releases.
const MEMORY: &str = r#"
sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo
find "$1/member/snap" "$1/snap" -type f -printf '%k\n' 2>/dev/null | sort -n | tail -n 1
"#;

/// What is to be said where the host has little memory for a second etcd, which proves the backup beside the member: 1.5 times its database
/// (reliability F33). No refusal: of a database that is mapped into memory more is in use than is needed, and should it come to that, it
/// is the second one that the kernel ends (`OOMScoreAdjust=` of its unit).
pub(super) async fn little_memory(probe: &Probe, data: &Data) -> Result<Option<String>, Failure> {
    let ran = probe.script("look at the memory", MEMORY, &[data.dir.as_str()], None).await?;
    let told = String::from_utf8_lossy(&ran.stdout);
    let mut kib = told.lines().map(|line| line.trim().parse::<u64>().ok());
    // A kernel older than 3.14 does not say what is available.
    let (Some(Some(available)), Some(Some(largest))) = (kib.next(), kib.next()) else { return Ok(None) };
    let (needed, host) = (largest.saturating_mul(3) / 2, probe.name());
    Ok((available < needed).then(|| {
        format!(
            "{host}: {} MiB of memory are available, and the etcd that proves its backup may need {} MiB; where that is not to be had \
             the kernel ends that one, and the run stops before any member is touched",
            available >> 10,
            needed >> 10
        )
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_on_which_a_log_cannot_go_on_is_not_enough() {
        let dir = RemotePath::from_absolute("/var/lib/etcd").unwrap();
        let of = |free: u64, inodes: Option<u64>| {
            let space = Space { mount: dir.clone(), device: "/dev/vdb".to_owned(), free, inodes, refuses: None };
            enough(&dir, &space)
        };
        assert_eq!((of(64 << 20, Some(16)), of(1 << 40, None)), (Ok(()), Ok(())));
        let what = of(12 << 20, None).unwrap_err();
        assert!(
            what.starts_with("/var/lib/etcd has 12 MiB free on /var/lib/etcd, and its member needs 64 MiB\n"),
            "{what}"
        );
        assert!(of(1 << 30, Some(3)).unwrap_err().contains("inodes"));
    }
}
