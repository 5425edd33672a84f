//! `etcd_backup`: a copy of a member's data, proven and off the host, while the member runs.
//!
//! Of 2.x the copy is made by `etcdctl backup`, which gives it identities of its own, so that it can bring back a dead cluster and can
//! never be put under a living one by mistake (etcd v2.3.8 Documentation/admin_guide.md, read 2026-11-24); of 3.x it is a snapshot, and
//! beside it what is in the v2 store.

mod carry;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::etcd::{self, Api, MemberView};
use crate::events::{Fault, Kind};
use crate::modules::table::{Argument, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::remote::{Attributes, Change, Probe, RemotePath, RunOptions};
use crate::transport::BoxFuture;

use super::facts::{Facts, refused};
use super::proof::{self, Proof};
use super::room;
use super::snapshot;
use super::tool;
use super::v2_backup::{self, V2Part};
use super::{RELEASES, UNIT};
use carry::carry_off;

/// Where copies are made on the host until they are carried off: never inside the data directory, root's alone.
const FOLDER: &str = "/var/lib/quorate/backups";
/// Runs whose backups stay, unless `keep` says otherwise.
const KEEP: usize = 5;

/// What lies beside a backup, so that it explains itself in ten years.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The run that took it.
    pub(super) run: String,
    /// When, by the control machine.
    pub(super) taken: jiff::Timestamp,
    /// The inventory's host.
    pub(super) host: String,
    /// The member.
    pub(super) member: String,
    /// Its ID and the cluster's, in hex.
    pub(super) member_id: String,
    pub(super) cluster_id: String,
    /// The version that ran.
    pub(super) version: String,
    /// How it was made and what it is good for.
    pub(super) kind: String,
    /// The file, its size and SHA-256.
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// Owner, group and mode of the data directory, which a restore must give again.
    pub(super) owner: String,
    pub(super) mode: String,
    /// How it was proven; a manifest without proof does not exist.
    pub(super) proof: Proof,
    /// The keys of the v2 store of a member of 3.x, which are not in a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) v2: Option<V2Part>,
}

impl Manifest {
    /// How it was proven and what lies beside it, for people.
    fn words(&self) -> String {
        let beside = self.v2.iter().map(V2Part::words);
        std::iter::once(self.proof.words()).chain(beside).collect::<Vec<_>>().join("; ")
    }
}

/// A copy on the host, ready to be carried off.
pub(super) struct Copy {
    /// Where it lies there.
    pub(super) path: RemotePath,
    /// Its name here.
    pub(super) file: &'static str,
    /// What it must be when it has come.
    pub(super) sha256: String,
    /// What made it, for people.
    pub(super) made_by: &'static str,
}

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[
        UNIT,
        RELEASES,
        Argument::new(
            "dest",
            Shape::Path,
            "the folder on the control machine, from where quorate is started; else `backups` beside the runs",
        ),
        Argument::new("keep", Shape::Int, "how many backups of a host stay").default("5"),
    ],
    returns: &[
        ("path", "where it lies on the control machine"),
        ("size", "its bytes"),
        ("sha256", "its SHA-256"),
        ("proof", "how it was proven"),
    ],
    begins_anew: true,
    module: Some(&EtcdBackup),
    ..Row::new("etcd_backup", "copies a running member, proves the copy by opening it, and carries it off")
};

struct EtcdBackup;

impl Module for EtcdBackup {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let facts = Facts::gather(call.fleet, &call.probe, call.text("unit").unwrap_or("etcd")).await?;
            let view = facts.view().await?;
            let into = folder(&call)?.join(format!("{:x}", view.cluster)).join(call.run);
            let size = facts.data.size(&call.probe).await?;
            room(&call.probe, size, 0).await?;
            let path = into.join(name_of(&into, call.host, &view.version.server));
            let mut result = Map::new();
            result.insert("path".into(), json!(path.display().to_string()));
            let act = format!("back up {} of {}", facts.data.dir, view.name);
            let Some(change) = call.change.clone() else {
                (call.say)(Kind::ActPlanned { host: call.host.to_owned(), act })?;
                return Ok(Outcome { changed: true, result, ..Outcome::default() });
            };
            let host = call.host.to_owned();
            (call.say)(Kind::ActBegins { host, act })?;
            let scratch = scratch(&name(&call));
            let made = take(&call, &change, &facts, view, &scratch, &path, size).await;
            // The scratch copy goes, whatever came out of it.
            let cleaned = change.remove(&scratch, true).await;
            let (manifest, path) = made?;
            cleaned?;
            let keep = call.args.get("keep").and_then(serde_json::Value::as_u64).and_then(|n| usize::try_from(n).ok());
            if let Some(cluster) = into.parent() {
                retain(cluster, call.host, keep.unwrap_or(KEEP))?;
            }
            result.insert("sha256".into(), json!(manifest.sha256));
            result.insert("size".into(), json!(manifest.size));
            let (host, proof) = (call.host.to_owned(), manifest.words());
            result.insert("proof".into(), json!(proof));
            let path = path.display().to_string();
            (call.say)(Kind::BackupTaken { host, path, size: manifest.size, proof })?;
            Ok(Outcome { changed: true, result, ..Outcome::default() })
        })
    }
}

/// The name of a host's backup in the folder of its run: the host's, and where a run takes several, on its way over several releases, of
/// the later ones with the version.
fn name_of(run: &Path, host: &str, version: &semver::Version) -> String {
    let of_version = |path: &Path| -> Option<String> {
        let manifest: Manifest = serde_json::from_slice(&std::fs::read(path.join("manifest.json")).ok()?).ok()?;
        Some(manifest.version)
    };
    match of_version(&run.join(host)) {
        Some(first) if first != version.to_string() => format!("{host}@{version}"),
        _ => host.to_owned(),
    }
}

/// Whether a folder's name is that of a backup of the host, finished or not.
fn is_of(name: &str, host: &str) -> bool {
    name.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with('@') || rest == ".partial")
}

/// The folder of all backups on the control machine: `dest`, else beside the runs.
fn folder(call: &Call<'_>) -> Result<PathBuf, Failure> {
    if let Some(dest) = call.text("dest") {
        return Ok(PathBuf::from(dest));
    }
    let state = call.run_dir.parent().and_then(Path::parent);
    state.map(|state| state.join("backups")).ok_or_else(|| Failure::new(Fault::Bug, "the run has no state folder"))
}

/// What a call's copies are called on the host. What a lost call began may still write to its own.
pub(super) fn name(call: &Call<'_>) -> String {
    name_of_attempt(call.run, call.attempt)
}

/// Those of the calls before it that were lost.
pub(super) fn lost_names(call: &Call<'_>) -> impl Iterator<Item = String> {
    (1..call.attempt).map(|attempt| name_of_attempt(call.run, attempt))
}

fn name_of_attempt(run: &str, attempt: u32) -> String {
    if attempt == 1 { run.to_owned() } else { format!("{run}-{attempt}") }
}

/// Where the copies of that name are made on the host.
pub(super) fn scratch(run: &str) -> RemotePath {
    RemotePath::root().join(FOLDER).join(run)
}

/// Room for the copies, the archive and the unpacked proof: never more than three of them at a time, each at most as large as the data;
/// `before` bytes will be taken by then.
pub(super) async fn room(probe: &Probe, size: u64, before: u64) -> Result<(), Failure> {
    let space = room::at(probe, &scratch("x")).await?;
    let needed = size.saturating_mul(3).saturating_add(64 << 20).saturating_add(before);
    if space.free >= needed {
        return Ok(());
    }
    let (free, needed) = (space.free >> 20, needed >> 20);
    Err(refused(
        probe.name(),
        format!("{} has {free} MiB free, backing up {} MiB of data needs {needed} MiB", space.mount, size >> 20),
    ))
}

/// `$1` etcdctl, `$2` data directory, `$3` scratch folder, `$4` log directory.
///
/// `etcdctl backup` leaves out the log's open segment of a running member, since that is locked (seen with 2.0.5: a young cluster's backup
/// was empty). So snapshots and log are copied first and the tool reads the copy. That is sound for 2.x, which has no database file: the
/// log only grows, and the tool stops at a torn last record; whether all of it is there, the proof says.
const COPY: &str = r#"
umask 077
etcdctl=$1 data=$2 scratch=$3 wal=$4
live=$scratch/live/member copy=$scratch/copy
mkdir -p "$live/snap" "$live/wal" || exit 1
cp -p "$data"/member/snap/*.snap "$live/snap/" 2>/dev/null
cp -p "$wal"/*.wal "$live/wal/" || exit 1
# Early tools (2.0.5 seen) look for snap and wal right below the directory that they are given, later ones below member.
if ! said=$("$etcdctl" backup --data-dir "$scratch/live" --backup-dir "$copy" 2>&1); then
    rm -rf "$copy" && mkdir -p "$copy/member" || exit 1
    "$etcdctl" backup --data-dir "$live" --backup-dir "$copy/member" >&2 || { echo "before: $said" >&2; exit 1; }
fi
[ -n "$(ls "$copy/member/wal" 2>/dev/null)" ] || { echo "etcdctl said nothing, but there is no log in the copy" >&2; exit 1; }
rm -rf "$scratch/live"
chown -R --reference="$data" "$copy" && chmod --reference="$data" "$copy" || exit 1
tar -C "$scratch" --numeric-owner -cf "$scratch/copy.tar" copy && sync "$scratch/copy.tar" && rm -rf "$copy" || exit 1
sha256sum <"$scratch/copy.tar" | cut -d' ' -f1
"#;

/// `$1` folder of the scratch copies, `$2` a run that is over, or whose call was lost, `$3` the unit in which it opened a backup: whatever it was
/// begun for goes, with its further attempts.
const LEFT: &str = r#"
systemctl stop "$3" "$3-*" 2>/dev/null
rm -rf -- "$1/$2" "$1/$2"-*
"#;

/// `$1` folder of the scratch copies. Those that killed runs have left go after a day: longer than any backup takes, and not sooner,
/// since a run from another control machine may be at work.
const SWEEP: &str = r#"exec find "$1" -mindepth 1 -maxdepth 1 -type d -mmin +1440 -exec rm -rf -- {} +"#;

async fn take(
    call: &Call<'_>,
    change: &Change,
    facts: &Facts,
    view: MemberView,
    scratch: &RemotePath,
    path: &Path,
    size: u64,
) -> Result<(Manifest, PathBuf), Failure> {
    let private = Attributes { mode: Some(0o700), ..Attributes::default() };
    // Of the run that this one goes on with, and of a call that was lost, it is known that nobody comes back for it. Before this call has
    // anything there itself.
    let lost = (call.attempt > 1).then_some(call.run);
    for run in call.resumes.into_iter().chain(lost) {
        let ran =
            change.script("remove what was left of a backup", LEFT, &[FOLDER, run, &proof::unit(run)], None).await?;
        if !ran.success() {
            return Err(Failure::new(
                Fault::Failed,
                format!("{}: what was left of a backup: {}", call.host, ran.words()),
            ));
        }
    }
    change.mkdir(&scratch.parent(), &private, true).await?;
    // Left by a run that was killed in the middle; it was of this run only if this run is tried again.
    change.remove(scratch, true).await?;
    change.mkdir(scratch, &private, false).await?;
    let swept = change.script("remove old scratch copies", SWEEP, &[FOLDER], None).await?;
    if !swept.success() {
        (call.say)(Kind::Warning {
            text: format!("{}: old scratch copies in {FOLDER}: {}", call.host, swept.words()),
        })?;
    }
    // 5 MiB/s is what an old disk under etcd's load still gives (reliability, step 6); three passes over the data.
    let deadline = Duration::from_secs(120 + 3 * size / (5 << 20));
    let partial = path.with_file_name(format!("{}.partial", call.host));
    let (copy, size, proof, v2) = match etcd::api(&view.version) {
        Api::V2 => {
            let live = proof::count(&facts.client, &facts.host(), deadline).await?;
            let copy = by_tool(call, change, facts, &view.version.server, scratch, deadline).await?;
            let size = carry_off(&call.probe, &copy, &partial).await?;
            let proof = proof::open(call, change, facts, &copy.path, scratch, live, deadline).await?;
            (copy, size, proof, None)
        }
        Api::V3 { .. } => {
            let snapshot = snapshot::save(call, change, facts, &view, scratch, deadline).await?;
            let size = carry_off(&call.probe, &snapshot.copy, &partial).await?;
            let v2 = v2_backup::save(facts, &view, &partial).await?;
            let proof = snapshot.prove(call, change, facts, scratch, deadline).await?;
            (snapshot.copy, size, proof, v2)
        }
    };
    let stat = call.probe.stat(&facts.data.dir, true).await?;
    let manifest = Manifest {
        run: call.run.to_owned(),
        taken: jiff::Timestamp::now(),
        host: call.host.to_owned(),
        member: view.name,
        member_id: format!("{:x}", view.id),
        cluster_id: format!("{:x}", view.cluster),
        version: view.version.server.to_string(),
        kind: format!(
            "{} of the running member: brings back a dead cluster by etcd_restore; never for one member of a living one",
            copy.made_by
        ),
        file: copy.file.to_owned(),
        size,
        sha256: copy.sha256,
        owner: stat.as_ref().map(|s| format!("{}:{}", s.owner, s.group)).unwrap_or_default(),
        mode: stat.map(|s| format!("{:04o}", s.mode)).unwrap_or_default(),
        proof,
        v2,
    };
    let path = complete(&partial, path, &manifest).map_err(|e| disk(&partial, &e))?;
    Ok((manifest, path))
}

/// `etcdctl backup` of a copy of the log: for the releases whose data are in the v2 store.
async fn by_tool(
    call: &Call<'_>,
    change: &Change,
    facts: &Facts,
    version: &semver::Version,
    scratch: &RemotePath,
    deadline: Duration,
) -> Result<Copy, Failure> {
    let etcdctl = tool::of(call, change, (&facts.program, &facts.machine), "etcdctl", version, scratch).await?;
    let wal = facts.data.wal_dir.as_str();
    let argv = ["/bin/sh", "-c", COPY, "quorate", etcdctl.as_str(), facts.data.dir.as_str(), scratch.as_str(), wal];
    let options = RunOptions { deadline: Some(deadline), ..RunOptions::default() };
    let ran = change.run(&argv, options).await?;
    if !ran.success() {
        return Err(Failure::new(Fault::Failed, format!("{}: etcdctl backup: {}", call.host, ran.words())));
    }
    let sha256 = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    Ok(Copy { path: scratch.join("copy.tar"), file: "copy.tar", sha256, made_by: "etcdctl backup" })
}

fn disk(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Fault::Disk, format!("{}: {error}", path.display()))
}

/// Writes the manifest and gives the folder its name: from here on the backup counts.
fn complete(partial: &Path, path: &Path, manifest: &Manifest) -> std::io::Result<PathBuf> {
    let text = serde_json::to_vec_pretty(manifest).map_err(std::io::Error::other)?;
    let file = partial.join("manifest.json");
    std::fs::write(&file, text)?;
    std::fs::File::open(&file)?.sync_all()?;
    if path.exists() {
        std::fs::remove_dir_all(path)?;
    }
    std::fs::rename(partial, path)?;
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(path.to_owned())
}

/// Removes the host's backups beyond the newest `keep`; at least one stays, and only complete ones count. What runs before the newest
/// one have left unfinished goes too: nobody comes back for it.
fn retain(cluster: &Path, host: &str, keep: usize) -> Result<(), Failure> {
    let runs = std::fs::read_dir(cluster).map_err(|e| disk(cluster, &e))?;
    // Runs are named by ULIDs, so names in order are times in order.
    let mut runs: Vec<PathBuf> = runs.flatten().map(|run| run.path()).collect();
    runs.sort();
    let complete: Vec<&PathBuf> = runs.iter().filter(|run| run.join(host).join("manifest.json").is_file()).collect();
    let surplus = complete.len().saturating_sub(keep.max(1));
    let mut going: Vec<PathBuf> = Vec::new();
    for run in complete.iter().take(surplus) {
        let here = std::fs::read_dir(run).map_err(|e| disk(run, &e))?;
        let of_host = |entry: &std::fs::DirEntry| is_of(&entry.file_name().to_string_lossy(), host);
        going.extend(here.flatten().filter(of_host).map(|entry| entry.path()));
    }
    let before = runs.iter().filter(|run| complete.last().is_some_and(|newest| run < newest));
    let partial = before.map(|run| run.join(format!("{host}.partial"))).filter(|path| path.is_dir());
    for path in going.into_iter().chain(partial.collect::<Vec<_>>()) {
        // One that goes as a whole is named twice.
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|e| disk(&path, &e))?;
        }
        // Only an empty folder goes: other hosts' backups of that run have their own turn.
        path.parent().map(std::fs::remove_dir);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_on_the_host_is_a_path() {
        assert_eq!(scratch("01X").as_str(), "/var/lib/quorate/backups/01X");
    }

    #[test]
    fn retention_keeps_the_newest_and_never_the_last_one_away() {
        let dir = tempfile::tempdir().unwrap();
        for run in ["01A", "01B", "01C"] {
            let path = dir.path().join(run).join("h1");
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("manifest.json"), "{}").unwrap();
            std::fs::create_dir_all(dir.path().join(run).join("h1@3.0.17")).unwrap();
        }
        for unfinished in ["01B/h2.partial", "01A0/h1.partial", "01D/h1.partial"] {
            std::fs::create_dir_all(dir.path().join(unfinished)).unwrap();
        }
        let left = |dir: &Path| ["01A", "01B", "01C"].map(|run| dir.join(run).join("h1").exists());
        retain(dir.path(), "h1", 2).unwrap();
        assert_eq!(left(dir.path()), [false, true, true]);
        retain(dir.path(), "h1", 0).unwrap();
        assert_eq!(left(dir.path()), [false, false, true]);
        assert!(dir.path().join("01C/h1@3.0.17").exists());
        assert!(!dir.path().join("01A").exists() && !dir.path().join("01A0").exists());
        // A younger run may be at work, and another host's is not ours to judge.
        assert!(dir.path().join("01D/h1.partial").exists() && dir.path().join("01B/h2.partial").exists());
    }
}
