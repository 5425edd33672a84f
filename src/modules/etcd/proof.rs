//! Proving a backup: restored on a scratch path and opened by an etcd that is thrown away, its keys counted against the live member.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::etcd::{VersionAnswer, unsupported_arch};
use crate::events::Fault;
use crate::modules::{Call, Failure};
use crate::remote::{Change, Probe, RemotePath};

use super::backup;
use super::client::Client;
use super::facts::Facts;

/// How a backup was proven.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Proof {
    /// What opened it.
    pub(super) opened_by: String,
    /// Keys in it.
    pub(super) keys: u64,
    /// Keys of the live member: just before it was taken, or at the very revision of a snapshot; `None` where the member had compacted that
    /// revision away by the time it was asked.
    pub(super) live_keys: Option<u64>,
    /// Index of its store, which grows by one with each write.
    pub(super) index: u64,
    /// Index of the live store just before it was taken.
    pub(super) live_index: u64,
    /// The hash of all keys in it (etcd's HashKV), from 3.3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hash_kv: Option<HashKv>,
}

/// etcd's HashKV of a store: what `etcdctl endpoint hashkv --rev` says of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HashKv {
    /// The revision at which it was taken.
    pub(super) revision: u64,
    /// The hash.
    pub(super) hash: u64,
    /// Up to which revision the store had compacted; -1 before the first time.
    pub(super) compact_revision: i64,
    /// Whether the live member told the same of that revision; `None` where it could not tell it, or had compacted since.
    pub(super) live_same: Option<bool>,
}

impl Proof {
    /// For people.
    pub(super) fn words(&self) -> String {
        let Self { opened_by, keys, live_keys, hash_kv, .. } = self;
        let live = live_keys.map_or_else(
            || "not to be compared, since compacted".to_owned(),
            |keys| format!("{keys} live when it was begun"),
        );
        let same = hash_kv.as_ref().is_some_and(|hash| hash.live_same == Some(true));
        let same = if same { ", and of the same hash" } else { "" };
        format!("restored and opened by etcd {opened_by}: {keys} keys, {live}{same}")
    }
}

/// Keys and index of a store at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) keys: u64,
    pub(super) index: u64,
}

/// Writes of the throw-away etcd itself, which move the index and no key: it removes the other members and publishes its own name and
/// address. Three for a cluster of three in the lab (2.0.5); a cluster of seven has at most two for each member and two more.
const OWN_WRITES: u64 = 16;

/// Counts the keys of a member.
pub(super) async fn count(client: &Client, host: &str, deadline: Duration) -> Result<Count, Failure> {
    let (keys, index) = client
        .keys(deadline)
        .await
        .map_err(|error| Failure::new(Fault::Failed, format!("{host}: count keys: {error}")))?;
    Ok(Count { keys: keys.0, index })
}

/// What the units of throw-away etcds are called; the run's ID follows.
const UNITS: &str = "quorate-proof-";

/// The unit, without its kind, in which the backup of that name is opened on a host.
pub(super) fn unit(name: &str) -> String {
    format!("{UNITS}{}", name.to_lowercase())
}

/// Whether a unit is such a one, of whichever run.
pub(super) fn is_proof(unit: &str) -> bool {
    unit.starts_with(UNITS) && unit.ends_with(".service")
}

/// `$1` archive, `$2` folder to unpack into, `$3` program, `$4` user, `$5` unit, `$6` client port, `$7` peer port, `$8` seconds,
/// `$9` the machine where releases want it named, or empty. The unit has a time limit of its own, so it ends also if nobody comes back for it; and where
/// memory is short the kernel ends it, and never the member beside it (proc_pid_oom_score_adj(5)).
const OPEN: &str = r#"
umask 077
mkdir "$2" && tar -C "$2" --same-owner -xpf "$1" || exit 1
if [ -n "$4" ]; then chmod 711 "$2/.." "$2/../.." "$2/../../.." "$2" && set -- "$@" "--property=User=$4"; fi
[ -z "$9" ] || set -- "$@" "--setenv=ETCD_UNSUPPORTED_ARCH=$9"
data=$2/copy program=$3 unit=$5 client=http://127.0.0.1:$6 peer=http://127.0.0.1:$7 seconds=$8
shift 9
exec systemd-run --unit="$unit" --property=RuntimeMaxSec="$seconds" --property=Restart=no \
    --property=Nice=19 --property=OOMScoreAdjust=1000 "$@" \
    "$program" -name quorate-proof -data-dir "$data" -force-new-cluster \
    -listen-client-urls "$client" -advertise-client-urls "$client" \
    -listen-peer-urls "$peer" -initial-advertise-peer-urls "$peer" -initial-cluster "quorate-proof=$peer"
"#;
/// `$1` unit, `$2` folder. Stops the throw-away etcd and removes what it opened.
const CLOSE: &str = r#"systemctl stop "$1" 2>/dev/null; systemctl reset-failed "$1" 2>/dev/null; rm -rf -- "$2"; chmod 700 "$(dirname "$(dirname "$2")")""#;
/// Two ports of the loopback on which nothing listens, out of a range below the ephemeral ones.
const PORTS: &str = r#"
used=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null); found=0 port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
while [ "$found" -lt 2 ]; do
    case $used in *":$(printf '%04X' "$port") "*) ;; *) echo "$port"; found=$((found + 1)) ;; esac
    port=$((port + 1))
done
"#;

/// Opens the archive with the program that runs, on the host itself, and compares what is in it with what was live.
pub(super) async fn open(
    call: &Call<'_>,
    change: &Change,
    facts: &Facts,
    archive: &RemotePath,
    scratch: &RemotePath,
    live: Count,
    deadline: Duration,
) -> Result<Proof, Failure> {
    let (unit, folder) = (unit(&backup::name(call)), scratch.join("proof"));
    let opened = begin(change, facts, archive, &folder, &unit, deadline).await;
    let counted = match opened {
        Ok(client) => wait_and_count(&client, change.probe(), &format!("{unit}.service"), deadline).await,
        Err(failure) => Err(failure),
    };
    let closed = close(change, &unit, &folder).await;
    let (version, found) = counted?;
    closed?;
    let after = count(&facts.client, call.host, deadline).await?;
    compare(call.host, live, found, after)?;
    Ok(Proof {
        opened_by: version,
        keys: found.keys,
        live_keys: Some(live.keys),
        index: found.index,
        live_index: live.index,
        // The v2 store has none.
        hash_kv: None,
    })
}

/// Stops the throw-away etcd and removes what it opened.
pub(super) async fn close(change: &Change, unit: &str, folder: &RemotePath) -> Result<(), Failure> {
    change.script("close the proof", CLOSE, &[unit, folder.as_str()], None).await?;
    Ok(())
}

/// Two ports of the host's loopback that nobody uses.
pub(super) async fn free_ports(change: &Change) -> Result<[String; 2], Failure> {
    let said = change.script("find free ports", PORTS, &[], None).await?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut ports = said.lines().map(|line| line.trim().to_owned());
    match (ports.next(), ports.next()) {
        (Some(one), Some(other)) => Ok([one, other]),
        _ => Err(Failure::new(Fault::Failed, format!("{}: no free ports on the loopback", change.name()))),
    }
}

async fn begin(
    change: &Change,
    facts: &Facts,
    archive: &RemotePath,
    folder: &RemotePath,
    unit: &str,
    deadline: Duration,
) -> Result<Client, Failure> {
    let [client, peer] = free_ports(change).await?;
    let seconds = (deadline.as_secs() * 2).to_string();
    let user = facts.state.user().unwrap_or_default();
    let program = facts.program.as_str();
    let arch = unsupported_arch(&facts.machine).unwrap_or_default();
    let args = [archive.as_str(), folder.as_str(), program, user, unit, &client, &peer, &seconds, arch];
    let ran = change.script("open the backup", OPEN, &args, None).await?;
    if !ran.success() {
        return Err(Failure::new(Fault::Failed, format!("{}: open the backup: {}", facts.host(), ran.words())));
    }
    let url = format!("http://127.0.0.1:{client}");
    Client::new(change.probe(), &url, None, facts.client.login().clone())
        .ok_or_else(|| Failure::new(Fault::Bug, format!("`{url}` is no URL")))
}

/// `$1` a unit that has ended; prints why it panicked, else its last word.
const LAST_WORD: &str = r#"
said=$(journalctl -u "$1" -n 100 --no-pager -o cat 2>/dev/null)
printf '%s\n' "$said" | grep -m 1 '^panic: ' || printf '%s\n' "$said" | grep -v '^systemd' | tail -n 1
"#;

/// Waits until the throw-away etcd that `unit` runs serves, and counts what is in its v2 store.
pub(super) async fn wait_and_count(
    client: &Client,
    probe: &Probe,
    unit: &str,
    deadline: Duration,
) -> Result<(String, Count), Failure> {
    let version = wait(client, probe, unit, deadline).await?;
    Ok((version.server.to_string(), count(client, probe.name(), deadline).await?))
}

/// Waits until the throw-away etcd that `unit` runs serves reads.
pub(super) async fn wait(
    client: &Client,
    probe: &Probe,
    unit: &str,
    deadline: Duration,
) -> Result<VersionAnswer, Failure> {
    let (begun, host) = (Instant::now(), probe.name());
    loop {
        let error = match client.version().await {
            Ok(answer) => match client.read().await {
                Ok(()) => return Ok(answer),
                Err(error) => error,
            },
            Err(error) => error,
        };
        if error.lost() {
            return Err(Failure::lost(format!("{host}: {error}")));
        }
        if probe.unit(unit).await?.main_pid().is_none() {
            return Err(died(probe, unit).await?);
        }
        if begun.elapsed() >= deadline {
            let text = format!("{host}: the backup does not open: after {} s {error}", deadline.as_secs());
            return Err(Failure::new(Fault::Failed, text));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the etcd that was to open a backup has said at its end.
async fn died(probe: &Probe, unit: &str) -> Result<Failure, Failure> {
    let ran = probe.script("read its last word", LAST_WORD, &[unit], None).await?;
    let said: String = String::from_utf8_lossy(&ran.stdout).trim().chars().take(300).collect();
    let mut text = format!("{}: the backup does not open: etcd ended: {said}", probe.name());
    // 2.0.5 and 2.1.1 etcdserver/raft.go, getIDs, read 2026-11-24, and seen in the lab.
    if said.contains("ConfChange Type should be either") {
        text.push_str(
            "\nits log holds the change of a member's address, with which this etcd cannot form a new cluster\n\
             it can once a snapshot was made after that change: by default every 10000 writes",
        );
    }
    Ok(Failure::new(Fault::Failed, text))
}

/// The backup must lie between the live store before and after it. Each write moves the index by one and the number of keys by at
/// most one, so a backup that lacks keys is told from one that is merely some writes older or younger.
fn compare(host: &str, before: Count, found: Count, after: Count) -> Result<(), Failure> {
    let lacks = |what: String| {
        let text = format!(
            "{host}: the backup is not what the member has: {what}\nlive before: {} keys at index {}; in the backup: {} keys at index {}; live after: {} keys at index {}",
            before.keys, before.index, found.keys, found.index, after.keys, after.index
        );
        Err(Failure::new(Fault::Failed, text))
    };
    if found.index < before.index || found.index > after.index + OWN_WRITES {
        return lacks("its index is outside of what the live store had".to_owned());
    }
    let writes = found.index.min(after.index) - before.index;
    if found.keys.abs_diff(before.keys) > writes {
        return lacks(format!("{writes} writes cannot make that difference in keys"));
    }
    Ok(())
}

/// A backup that is opened again must be what was proven, but for keys whose time to live has ended since: each that goes moves the
/// index by one.
pub(super) fn same(proof: &Proof, found: Count) -> Result<(), String> {
    let gone = found.index.saturating_sub(proof.index);
    if found.keys <= proof.keys && proof.keys - found.keys <= gone {
        return Ok(());
    }
    let Proof { keys, index, .. } = proof;
    Err(format!(
        "what was restored is not what was proven\nexpected {keys} keys at index {index}\nfound    {} keys at index {}",
        found.keys, found.index
    ))
}

/// A store that has gone on from `opened`: a write moves the index by one and the number of keys by at most one.
pub(super) fn since(opened: Count, found: Count) -> Result<(), String> {
    if found.index >= opened.index && found.keys.abs_diff(opened.keys) <= found.index - opened.index {
        return Ok(());
    }
    Err(format!(
        "its store is not the restored one\nexpected {} keys at index {} or what writes have made of them\nfound    {} keys at index {}",
        opened.keys, opened.index, found.keys, found.index
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(keys: u64, index: u64) -> Count {
        Count { keys, index }
    }

    #[test]
    fn a_backup_is_between_before_and_after() {
        assert!(compare("h", at(100, 500), at(100, 500), at(100, 500)).is_ok());
        assert!(compare("h", at(100, 500), at(110, 512), at(120, 530)).is_ok());
        assert!(compare("h", at(100, 500), at(90, 510), at(90, 510)).is_ok());
        assert!(compare("h", at(100, 500), at(100, 503), at(100, 500)).is_ok());
    }

    #[test]
    fn a_backup_that_lacks_keys_or_writes_is_refused() {
        assert!(compare("h", at(100, 500), at(99, 500), at(100, 500)).is_err());
        assert!(compare("h", at(100, 500), at(0, 0), at(100, 500)).is_err());
        assert!(compare("h", at(100, 500), at(100, 499), at(100, 500)).is_err());
        assert!(compare("h", at(100, 500), at(99, 503), at(100, 500)).is_err());
        assert!(compare("h", at(100, 500), at(100, 517), at(100, 500)).is_err());
    }

    #[test]
    fn what_is_restored_is_what_was_proven_but_for_keys_that_expired() {
        let proof = Proof {
            opened_by: "2.0.5".into(),
            keys: 100,
            live_keys: Some(100),
            index: 500,
            live_index: 497,
            hash_kv: None,
        };
        assert!(same(&proof, at(100, 500)).is_ok() && same(&proof, at(98, 502)).is_ok());
        assert!(same(&proof, at(99, 500)).is_err() && same(&proof, at(101, 501)).is_err());
    }

    #[test]
    fn a_store_may_go_on_from_what_was_opened_but_not_lose_it() {
        assert!(since(at(100, 500), at(100, 500)).is_ok() && since(at(100, 500), at(120, 530)).is_ok());
        assert!(since(at(100, 500), at(0, 3)).is_err() && since(at(100, 500), at(99, 500)).is_err());
    }
}
