//! What a stopped member would run with: from its unit and environment, since no process tells.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use semver::Version;

use crate::etcd::{self, Flags, Rules};
use crate::modules::{Call, Failure};
use crate::remote::{Probe, RemotePath, UnitState};

use super::super::config_file;
use super::super::facts::{refused, unit_name};
use super::super::next_start::{is_read, next_command};
use super::super::seen::Seen;
use super::archive::Backup;
use super::start::FIRST_START;

/// `$1` data directory, `$2` the log's or empty, `$3` program. Prints both directories with links followed and what they are, for a log that is
/// not named two empty lines, and each process of an etcd.
const LOOK: &str = r#"
for named in "$1" "$2"; do
    [ -n "$named" ] || { printf '\n\n'; continue; }
    dir=$(readlink -m -- "$named") || exit 1
    printf '%s\n' "$dir"
    if [ ! -e "$dir" ]; then echo none; elif [ ! -d "$dir" ]; then echo other; elif mountpoint -q -- "$dir"; then echo mount; else echo folder; fi
done
program=$(readlink -f -- "$3")
for process in /proc/[0-9]*; do
    exe=$(readlink "$process/exe") || continue
    exe=${exe%" (deleted)"}
    case $exe in "$program" | */etcd) echo "${process#/proc/}" ;; esac
done 2>/dev/null
exit 0
"#;

/// What a directory of etcd is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not there.
    None,
    /// A folder.
    Folder,
    /// A mount point, which cannot be renamed.
    Mount,
}

/// A member that is stopped.
pub(super) struct Stopped {
    pub(super) unit: String,
    pub(super) state: UnitState,
    /// The command line, variables put in.
    pub(super) argv: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) flags: Flags,
    pub(super) program: RemotePath,
    pub(super) version: Version,
    /// Absolute and without links.
    pub(super) data_dir: RemotePath,
    pub(super) place: Place,
    /// Where its log is, and what that is, where it lies apart from the data.
    pub(super) log: Option<(RemotePath, Place)>,
}

impl Stopped {
    /// Asks the host; refuses a member that runs and one whose settings a restore does not know to handle.
    pub(super) async fn gather(probe: &Probe, unit: &str) -> Result<Self, Failure> {
        let host = probe.name();
        let unit = unit_name(unit);
        let state = probe.unit(&unit).await?;
        if !state.exists() || state.load_state() != "loaded" {
            return Err(refused(
                host,
                format!("systemd has no unit {unit} to start (LoadState {})", state.load_state()),
            ));
        }
        is_read(probe, &unit, &state).await?;
        let seen = Seen::default();
        let (argv, environment) = next_command((probe, &seen), &unit, &state).await?;
        let program = state.binary().ok_or_else(|| refused(host, format!("{unit} has no absolute ExecStart")))?;
        let home = Some(state.get("WorkingDirectory")).filter(|dir| dir.starts_with('/')).unwrap_or("/");
        let flags = config_file::with_file((probe, &seen), home, Flags::from_process(&argv, &environment), &[]).await?;
        let full = |dir: &str| if dir.starts_with('/') { dir.to_owned() } else { format!("{home}/{dir}") };
        let (dir, log) = (full(&flags.data_dir()), flags.wal_dir().map(full));
        let args = [dir.as_str(), log.as_deref().unwrap_or_default(), program.as_str()];
        let looked = probe.script("look for etcd", LOOK, &args, None).await?;
        let text = String::from_utf8_lossy(&looked.stdout).into_owned();
        let mut lines = text.lines();
        let (data_dir, place) = directory(host, &dir, lines.next(), lines.next())?;
        let found = (lines.next(), lines.next());
        let log = log.map(|named| directory(host, &named, found.0, found.1)).transpose()?;
        let running: Vec<&str> = lines.collect();
        Self::is_stopped(host, &unit, &state, &running)?;
        // What the unit says of the machine, without which some releases end before they say their version.
        let arch = environment.get(etcd::UNSUPPORTED_ARCH).map(|arch| format!("{}={arch}", etcd::UNSUPPORTED_ARCH));
        let named = arch.as_deref().map(|arch| ["env", arch]);
        let argv_of_version: Vec<&str> =
            named.iter().flatten().copied().chain([program.as_str(), "--version"]).collect();
        let said = probe.run(&argv_of_version).await?;
        let version = etcd::from_binary_output(&said.stdout).map_err(|e| refused(host, format!("{program}: {e}")))?;
        let stopped = Self { unit, state, argv, environment, flags, program, version, data_dir, place, log };
        stopped.known_settings(host)?;
        Ok(stopped)
    }

    fn is_stopped(host: &str, unit: &str, state: &UnitState, running: &[&str]) -> Result<(), Failure> {
        let active = state.active_state();
        if !matches!(active, "inactive" | "failed") {
            let sub = state.sub_state();
            return Err(refused(
                host,
                format!("{unit} is {active} ({sub}); `systemctl stop {unit}` if it shall be given up"),
            ));
        }
        if running.is_empty() {
            return Ok(());
        }
        let pids = running.join(", ");
        Err(refused(
            host,
            format!(
                "{unit} is stopped, but an etcd runs all the same: process {pids}\n\
                 one that an interrupted restore has left: `systemctl stop {FIRST_START}`"
            ),
        ))
    }

    fn known_settings(&self, host: &str) -> Result<(), Failure> {
        let unit = &self.unit;
        let moved = if self.place == Place::Mount { self.data_dir.join("member") } else { self.data_dir.clone() };
        if let Some((log, Place::Mount)) = &self.log
            && log.as_str().starts_with(&format!("{moved}/"))
        {
            let what =
                format!("{log} is a mount point in {moved}, with which it would be moved aside; unmount it first");
            return Err(refused(host, what));
        }
        let set = |name: &str| self.flags.get(name).is_some_and(|value| !value.is_empty());
        let why = if set("discovery") || set("discovery-srv") {
            format!(
                "{unit} finds its cluster by discovery, which has none of a restored one; name it by initial-cluster"
            )
        } else if let Some(fault) = self.flags.faults(Rules::built_in(), &self.version).first() {
            format!("{unit}: {fault}")
        } else {
            return Ok(());
        };
        Err(refused(host, why))
    }

    /// Whether it will serve the v2 API.
    fn serves_v2(&self) -> bool {
        self.flags.tells_v2().unwrap_or(!etcd::serves_v2_if_told(&self.version))
    }

    /// Where its peers shall reach it.
    pub(super) fn peer_urls(&self) -> Vec<String> {
        let urls = self.flags.get("initial-advertise-peer-urls");
        // etcd v2.0.5 etcdmain/config.go, read 2026-11-24.
        let old = "http://localhost:2380,http://localhost:7001";
        let urls = urls.unwrap_or(if self.version.major < 3 { old } else { "http://localhost:2380" });
        urls.split(',').map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned).collect()
    }

    /// The peer URLs that its unit names as its cluster.
    fn initial_cluster(&self) -> BTreeSet<String> {
        let pairs = self.flags.get("initial-cluster").unwrap_or_default().split(',');
        pairs.filter_map(|pair| pair.split_once('=')).map(|(_, url)| url.trim().to_owned()).collect()
    }
}

/// What the host says of a directory.
fn directory(host: &str, named: &str, path: Option<&str>, kind: Option<&str>) -> Result<(RemotePath, Place), Failure> {
    let path = path.and_then(RemotePath::from_absolute);
    let path = path.ok_or_else(|| refused(host, format!("`{named}` is no directory that can be named")))?;
    match kind {
        Some("none") => Ok((path, Place::None)),
        Some("folder") => Ok((path, Place::Folder)),
        Some("mount") => Ok((path, Place::Mount)),
        _ => Err(refused(host, format!("{path} is no directory"))),
    }
}

/// Every host of the play, all stopped and of one mind about who the cluster is.
pub(super) async fn whole_cluster(call: &Call<'_>, backup: &Backup) -> Result<BTreeMap<String, Stopped>, Failure> {
    let unit = call.text("unit").unwrap_or("etcd");
    let ask = |host: String| async move {
        let stopped = async { Stopped::gather(&call.fleet.probe(&host).await?, unit).await }.await;
        (host, stopped)
    };
    let mut all = BTreeMap::new();
    let mut refusals = Vec::new();
    for (host, stopped) in join_all(call.fleet.hosts().into_iter().map(ask)).await {
        match stopped {
            Ok(stopped) => drop(all.insert(host, stopped)),
            Err(failure) => refusals.push(failure),
        }
    }
    // What is the host's and not the member's first: unreachable, host key, login.
    refusals.sort_by_key(|failure| failure.fault == crate::events::Fault::Refused);
    if let Some(first) = refusals.first().cloned() {
        let lines: Vec<&str> = refusals.iter().map(|failure| failure.msg.as_str()).collect();
        return Err(Failure { msg: format!("{}\nnothing was changed", lines.join("\n")), ..first });
    }
    agree(&all, backup)?;
    Ok(all)
}

fn agree(all: &BTreeMap<String, Stopped>, backup: &Backup) -> Result<(), Failure> {
    let known: BTreeSet<String> = all.values().flat_map(Stopped::peer_urls).collect();
    let (mut names, mut urls) = (BTreeMap::new(), BTreeMap::new());
    let mut minors = BTreeSet::new();
    for (host, stopped) in all {
        if let Some(file) = stopped.flags.config_file().filter(|_| !backup.is_snapshot()) {
            // The first start of a member of 2.x says what it is by flags, which etcd passes over then.
            let what = format!(
                "{} is started with a configuration file, {file}; such a member is restored by hand from a backup of 2.x",
                stopped.unit
            );
            return Err(refused(host, what));
        }
        let minor = (stopped.version.major, stopped.version.minor);
        minors.insert(minor);
        let written = (backup.version.major, backup.version.minor);
        // From 3.0 on each minor has a format of its own, and what restores a snapshot is of the minor that took it.
        if minor.0 != written.0 || minor < written || (backup.is_snapshot() && minor != written) {
            let what =
                format!("{} is {}, which cannot open data of {}", stopped.program, stopped.version, backup.version);
            return Err(refused(host, what));
        }
        if let Some(v2) = backup.manifest.v2.as_ref().filter(|_| !stopped.serves_v2()) {
            let ((name, value), keys) = (etcd::ENABLE_V2, v2.keys);
            let what = format!(
                "the backup has {keys} keys of the v2 store, whose API {} of {} would not serve\n\
                 next: have it started with `{name}={value}` (an option, a variable or a line of its configuration file), then run again",
                stopped.unit, stopped.version
            );
            return Err(refused(host, what));
        }
        if let Some(other) = names.insert(stopped.flags.name(), host) {
            return Err(refused(host, format!("has the member name `{}`, as {other} has", stopped.flags.name())));
        }
        for url in stopped.peer_urls() {
            if all.len() > 1 && (url.contains("//localhost:") || url.contains("//127.")) {
                return Err(refused(host, format!("no other member reaches its peer URL {url}")));
            }
            if let Some(other) = urls.insert(url.clone(), host) {
                return Err(refused(host, format!("has the peer URL {url}, as {other} has")));
            }
        }
        if let Some(missing) = stopped.initial_cluster().difference(&known).next() {
            let what = format!(
                "its unit names the peer {missing}, which is no host of this play: it may be living\n\
                 restore onto all members at once, or take those that are gone out of initial-cluster"
            );
            return Err(refused(host, what));
        }
    }
    if minors.len() > 1 {
        let found: Vec<String> = all.iter().map(|(host, s)| format!("{host} {}", s.version)).collect();
        return Err(refused("the hosts", format!("have programs of different minors: {}", found.join(", "))));
    }
    Ok(())
}
