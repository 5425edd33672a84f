//! The data directory and a log apart from it: the old ones moved aside, the backup unpacked or empty ones made. Nothing is ever lost of them.

use std::time::Duration;

use crate::modules::Failure;
use crate::remote::{Attributes, Change, RemotePath, RunOptions};

use super::super::facts::refused;
use super::super::room;
use super::stopped::{Place, Stopped};
use super::{Backup, Restore, failed};

/// Where the archive lies on the host until it is unpacked; root's alone.
const FOLDER: &str = "/var/lib/quorate/restore";

/// `$1` data directory, `$2` whether it is a mount, `$3` suffix, `$4` owner and `$5` mode for one that is not there. Prints where the
/// old data is now.
///
/// A folder is renamed as a whole. A mount point cannot be, so `member` in it is. Beside a `member` etcd 2.0 and 2.1 take other names
/// with a word in their log; alone such a name is "unknown wal version" (2.0.5; coreos/etcd#2571), so a `member`, though an empty
/// one, is always made there.
const ASIDE: &str = r#"
umask 077
dir=$1 mount=$2 aside=$3 owner=$4 mode=$5
fresh() { mkdir -- "$1" && chown -- "$2" "$1" && chmod -- "$3" "$1"; }
if [ "$mount" = yes ]; then
    if [ -e "$dir/member" ]; then
        [ ! -e "$dir/member$aside" ] || { echo "$dir/member$aside is there already" >&2; exit 1; }
        mv -T -- "$dir/member" "$dir/member$aside" || exit 1
        printf '%s' "$dir/member$aside"
    fi
    fresh "$dir/member" "$(stat -c %u:%g -- "$dir")" 0700 || exit 1
    sync "$dir"
else
    if [ -e "$dir" ]; then
        [ ! -e "$dir$aside" ] || { echo "$dir$aside is there already" >&2; exit 1; }
        owner=$(stat -c %u:%g -- "$dir") mode=$(stat -c %a -- "$dir")
        mv -T -- "$dir" "$dir$aside" || exit 1
        printf '%s' "$dir$aside"
    fi
    fresh "$dir" "$owner" "$mode" && fresh "$dir/member" "$owner" 0700 || exit 1
    sync "$(dirname "$dir")"
fi
"#;

/// `$1` the log's directory, `$2` whether it is a mount, `$3` suffix, `$4` data directory, `$5` where to, for what is in a mount. Prints where the
/// old log is now.
///
/// A mount point must be emptied, since whatever lies in it is a log to etcd 2.x (etcd wal/util.go, `Exist`, read 2026-11-28): what is in it
/// goes to the data's disk. A folder right on a disk's root may have one that belongs to the file system.
const LOG_ASIDE: &str = r#"
umask 077
log=$1 mount=$2 aside=$3 data=$4 to=$5
if [ "$mount" = yes ]; then
    if [ -n "$(find "$log" -mindepth 1 -maxdepth 1 ! -name lost+found -print -quit)" ]; then
        mkdir -- "$to" && chown --reference="$data" -- "$to" || exit 1
        find "$log" -mindepth 1 -maxdepth 1 ! -name lost+found -exec mv -t "$to" -- {} + || exit 1
        sync -f "$to" && sync -f "$log" || exit 1
        printf '%s' "$to"
    fi
else
    if [ -e "$log" ]; then
        [ ! -e "$log$aside" ] || { echo "$log$aside is there already" >&2; exit 1; }
        mv -T -- "$log" "$log$aside" || exit 1
        printf '%s' "$log$aside"
    fi
    mkdir -- "$log" && chown --reference="$data" -- "$log" && chmod 0700 -- "$log" && sync "$(dirname "$log")"
fi
"#;
/// Bytes that a folder takes.
const TAKES: &str = r#"du -skx -- "$1" | cut -f1"#;

/// `$1` archive, `$2` data directory, `$3` the log's or empty. The owner is the directory's: a number of another host means nothing here.
const UNPACK: &str = r#"
umask 077
tar -C "$2" --strip-components=1 --no-same-owner -xpf "$1" copy/member || exit 1
chown -R --reference="$2" "$2/member" || exit 1
if [ -n "$3" ]; then mv -t "$3" -- "$2"/member/wal/* && rmdir -- "$2/member/wal" && sync -f "$3" || exit 1; fi
sync -f "$2/member"
"#;

impl Restore<'_> {
    /// Room for the archive and for what is in it, and a segment of 64 MiB of the log.
    pub(super) async fn room(&self, stopped: &Stopped, first: bool) -> Result<(), Failure> {
        let segment = 64u64 << 20;
        let (data, archive) = (self.backup.unpacked.saturating_add(segment), self.backup.manifest.size);
        let on_data = room::at(&self.call.probe, &stopped.data_dir).await?;
        let on_scratch = room::at(&self.call.probe, &RemotePath::root().join(FOLDER)).await?;
        let same = on_data.mount == on_scratch.mount;
        let mut wanted = vec![(&on_data, if first && same { data.saturating_add(archive) } else { data })];
        if first && !same {
            wanted.push((&on_scratch, archive.saturating_add(segment)));
        }
        let mut on_log = None;
        if let Some((log, place)) = &stopped.log {
            if *place == Place::Mount {
                // The old log comes to the data's disk.
                let takes = self.call.probe.script("measure the old log", TAKES, &[log.as_str()], None).await?;
                let kib: Result<u64, _> = String::from_utf8_lossy(&takes.stdout).trim().parse();
                let kib = kib.map_err(|_| refused(self.host(), format!("du {log}: {}", takes.words())))?;
                wanted.extend(wanted.first().map(|(space, needed)| (*space, needed.saturating_add(kib << 10))));
            }
            on_log = Some(room::at(&self.call.probe, log).await?);
        }
        if let Some(space) = on_log.as_ref().filter(|space| space.mount != on_data.mount) {
            // A segment, and the next one, which etcd makes beforehand; of 2.x also what is in the backup, of which the log is the most.
            let old = if self.backup.is_snapshot() { 0 } else { self.backup.unpacked };
            wanted.push((space, old.saturating_add(2 * segment)));
        }
        for (space, needed) in wanted {
            if space.free < needed {
                let (free, needed) = (space.free >> 20, needed >> 20);
                let what = format!("{} has {free} MiB free, the restore needs {needed} MiB", space.mount);
                return Err(refused(self.host(), what));
            }
        }
        Ok(())
    }

    /// Moves the old data aside, and a log apart from it, and makes empty directories; answers where the old data is, empty if there was none.
    pub(super) async fn aside(&self, change: &Change, stopped: &Stopped) -> Result<String, Failure> {
        let mount = if stopped.place == Place::Mount { "yes" } else { "no" };
        let suffix = format!(".before-{}", self.call.run);
        let manifest = &self.backup.manifest;
        let owner = match (stopped.state.user(), stopped.state.group()) {
            (Some(user), Some(group)) => format!("{user}:{group}"),
            // The user's own group: chown(1) on a colon with nothing behind it.
            (Some(user), None) => format!("{user}:"),
            _ => manifest.owner.clone(),
        };
        let args = [stopped.data_dir.as_str(), mount, &suffix, &owner, &manifest.mode];
        let ran = change.script("move the old data aside", ASIDE, &args, None).await?;
        if !ran.success() {
            return Err(failed(self.host(), format!("move {} aside: {}", stopped.data_dir, ran.words())));
        }
        let data = String::from_utf8_lossy(&ran.stdout).into_owned();
        let Some((log, place)) = &stopped.log else { return Ok(data) };
        let old = self.log_aside(change, stopped, log, *place, &suffix).await.map_err(|f| self.fell(f, &data))?;
        Ok([data, old].iter().filter(|old| !old.is_empty()).cloned().collect::<Vec<_>>().join(" and "))
    }

    async fn log_aside(
        &self,
        change: &Change,
        stopped: &Stopped,
        log: &RemotePath,
        place: Place,
        suffix: &str,
    ) -> Result<String, Failure> {
        let (dir, mount) = (&stopped.data_dir, if place == Place::Mount { "yes" } else { "no" });
        let to = match stopped.place {
            Place::Mount => format!("{dir}/member{suffix}-wal"),
            Place::None | Place::Folder => format!("{dir}{suffix}-wal"),
        };
        let args = [log.as_str(), mount, suffix, dir.as_str(), &to];
        let options = RunOptions { deadline: Some(self.deadline()), ..RunOptions::default() };
        let ran = change.script_with("move the old log aside", LOG_ASIDE, &args, options).await?;
        if !ran.success() {
            return Err(failed(self.host(), format!("move {log} aside: {}", ran.words())));
        }
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    /// Carries the archive to the host.
    pub(super) async fn carry(&self, change: &Change) -> Result<RemotePath, Failure> {
        let Backup { tar, manifest, .. } = self.backup;
        let scratch = RemotePath::root().join(FOLDER).join(self.call.run);
        let private = Attributes { mode: Some(0o700), ..Attributes::default() };
        change.mkdir(&scratch, &private, true).await?;
        let archive = scratch.join(&manifest.file);
        let file =
            tokio::fs::File::open(tar).await.map_err(|e| failed(self.host(), format!("{}: {e}", tar.display())))?;
        let ours = Attributes { mode: Some(0o600), ..Attributes::default() };
        change.upload(&archive, file, manifest.size, &manifest.sha256, &ours).await?;
        Ok(archive)
    }

    /// Unpacks it into the empty data directory, and removes the archive from the host.
    pub(super) async fn unpack(&self, change: &Change, archive: &RemotePath, stopped: &Stopped) -> Result<(), Failure> {
        let deadline = Some(Duration::from_secs(60) + self.deadline());
        let log = stopped.log.as_ref().map_or("", |(log, _)| log.as_str());
        let args = [archive.as_str(), stopped.data_dir.as_str(), log];
        let options = RunOptions { deadline, ..RunOptions::default() };
        let ran = change.script_with("unpack the backup", UNPACK, &args, options).await?;
        if !ran.success() {
            return Err(failed(self.host(), format!("unpack the backup into {}: {}", stopped.data_dir, ran.words())));
        }
        change.remove(&archive.parent(), true).await?;
        Ok(())
    }
}
