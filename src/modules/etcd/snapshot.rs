//! A snapshot of the v3 store: saved from the running member, its checksum verified, restored on a scratch path, and counted there
//! against the live store as that was at the very revision of the snapshot.

use std::time::Duration;

use semver::Version;
use serde::Deserialize;

use crate::etcd::{KeyCount, KeyHash, MemberView, unsupported_arch};
use crate::events::Fault;
use crate::modules::{Call, Failure};
use crate::remote::{Change, RemotePath, RunOptions};

use super::backup::{self, Copy};
use super::client::Client;
use super::facts::Facts;
use super::key_hash::{self, Endpoint, Told};
use super::proof::{self, HashKv, Proof};
use super::tool;

/// The file, on the host and here.
pub(super) const FILE: &str = "snapshot.db";

/// `$1` etcdctl, `$2` file, `$3` endpoint, `$4` to `$6` authority, certificate and key or empty. Prints the SHA-256 of the file.
///
/// The member sends a SHA-256 of all that comes before as the last 32 bytes; the database itself is whole pages (etcd
/// etcdserver/api/v3rpc/maintenance.go and clientv3/snapshot, read 2026-11-24).
const SAVE: &str = r#"
umask 077
tool=$1 file=$2 endpoint=$3 ca=$4 cert=$5 key=$6
set -- --endpoints="$endpoint"
[ -z "$ca" ] || set -- "$@" --cacert="$ca"
[ -z "$cert" ] || set -- "$@" --cert="$cert" --key="$key"
ETCDCTL_API=3 "$tool" "$@" snapshot save "$file" >&2 || exit 1
size=$(stat -c %s "$file") || exit 1
[ $((size % 512)) = 32 ] || { echo "the snapshot has $size bytes: there is no checksum at its end" >&2; exit 1; }
end=$(tail -c 32 "$file" | od -An -v -tx1 | tr -d ' \n')
sum=$(head -c $((size - 32)) "$file" | sha256sum | cut -d' ' -f1)
[ "$sum" = "$end" ] || { echo "the snapshot is not whole: its checksum is $end, its content has $sum" >&2; exit 1; }
sync "$file"
sha256sum <"$file" | cut -d' ' -f1
"#;

/// `$1` tool, `$2` file. Prints JSON with its revision.
const STATUS: &str = r#"ETCDCTL_API=3 exec "$1" snapshot status "$2" -w json"#;

/// `$1` file, `$2` folder to restore into, `$3` tool, `$4` program, `$5` user, `$6` unit, `$7` client port, `$8` peer port, `$9` seconds,
/// `${10}` the machine where releases want it named, or empty. The unit has a time limit of its own, so it ends also if nobody comes back for it; and where
/// memory is short the kernel ends it, and never the member beside it (proc_pid_oom_score_adj(5)).
const OPEN: &str = r#"
umask 077
file=$1 folder=$2 tool=$3 program=$4 user=$5 unit=$6 client=http://127.0.0.1:$7 peer=http://127.0.0.1:$8 seconds=$9 arch=${10}
mkdir "$folder" || exit 1
ETCDCTL_API=3 "$tool" snapshot restore "$file" --data-dir "$folder/data" --name quorate-proof \
    --initial-cluster "quorate-proof=$peer" --initial-advertise-peer-urls "$peer" >&2 || exit 1
set --
if [ -n "$user" ]; then
    chown -R "$user" "$folder" && chmod 711 "$folder/.." "$folder/../.." "$folder/../../.." "$folder" || exit 1
    set -- "--property=User=$user"
fi
[ -z "$arch" ] || set -- "$@" "--setenv=ETCD_UNSUPPORTED_ARCH=$arch"
exec systemd-run --unit="$unit" --property=RuntimeMaxSec="$seconds" --property=Restart=no \
    --property=Nice=19 --property=OOMScoreAdjust=1000 "$@" \
    "$program" --name quorate-proof --data-dir "$folder/data" --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "quorate-proof=$peer"
"#;

/// A snapshot on the host.
pub(super) struct Snapshot {
    pub(super) copy: Copy,
    version: Version,
    /// The store's revision in it.
    revision: u64,
    /// Revision of the live member just before.
    live: u64,
    /// What restores it.
    tool: RemotePath,
    /// What asks members.
    etcdctl: RemotePath,
}

#[derive(Deserialize)]
struct Status {
    revision: u64,
}

/// Saves a snapshot of the member into the scratch folder.
///
/// # Errors
/// When there is no tool for it, the member does not give one, or what came is not whole.
pub(super) async fn save(
    call: &Call<'_>,
    change: &Change,
    facts: &Facts,
    view: &MemberView,
    scratch: &RemotePath,
    deadline: Duration,
) -> Result<Snapshot, Failure> {
    let (version, of) = (view.version.server.clone(), (&facts.program, facts.machine.as_str()));
    let etcdctl = tool::of(call, change, of, "etcdctl", &version, scratch).await?;
    // What restores a snapshot went from etcdctl to etcdutl, which 3.5 has both (etcd CHANGELOG-3.5 and -3.6; seen in the lab).
    let tool = if (version.major, version.minor) >= (3, 6) {
        tool::of(call, change, of, "etcdutl", &version, scratch).await?
    } else {
        etcdctl.clone()
    };
    let file = scratch.join(FILE);
    let endpoint = facts.flags.advertise_client_urls().into_iter().next().unwrap_or_default();
    let (ca, cert, key) = facts.tool_tls();
    let text = |path: Option<&str>| path.filter(|_| endpoint.starts_with("https:")).unwrap_or_default().to_owned();
    let (ca, cert, key) = (text(ca), text(cert), text(key));
    let args = [etcdctl.as_str(), file.as_str(), &endpoint, &ca, &cert, &key];
    let options = RunOptions { deadline: Some(deadline), ..RunOptions::default() };
    let login = facts.client.login().for_etcdctl().filter(|_| facts.client.has_auth());
    let saving = login.as_ref().map_or_else(|| change.clone(), |login| change.with_variable("ETCDCTL_USER", login));
    let ran = saving.script_with("save a snapshot", SAVE, &args, options).await?;
    if !ran.success() {
        let mut text = format!("{}: save a snapshot: {}{}", call.host, ran.words(), facts.tool_words());
        // 3.2.32 seen in the lab 2026-11-27; 3.1 and 3.3 on heed name and password.
        if text.contains("user not found") && (version.major, version.minor) == (3, 2) {
            text.push_str(
                "\n3.2 takes the common name of the member's certificate for the user, whatever password is given\n\
                 add a user of that name with the role root, and take it away again on 3.3",
            );
        }
        return Err(Failure::new(Fault::Failed, text));
    }
    let sha256 = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    let status = change.script("read the snapshot", STATUS, &[tool.as_str(), file.as_str()], None).await?;
    let read: Option<Status> = serde_json::from_slice(&status.stdout).ok().filter(|_| status.success());
    let Some(Status { revision }) = read else {
        return Err(Failure::new(Fault::Failed, format!("{}: read the snapshot: {}", call.host, status.words())));
    };
    // A store in which nothing was ever written is at revision 1, and the tools say 0 of it (3.5.35 seen in the lab).
    let revision = revision.max(1);
    let live = view.store.as_ref().map_or(0, |store| store.revision);
    let copy = Copy { path: file, file: FILE, sha256, made_by: "etcdctl snapshot save" };
    Ok(Snapshot { copy, version, revision, live, tool, etcdctl })
}

impl Snapshot {
    /// Restores it into a folder of its own, opens that with the program that runs, and counts.
    ///
    /// # Errors
    /// When it does not open, or does not hold what the live store held at its revision.
    pub(super) async fn prove(
        &self,
        call: &Call<'_>,
        change: &Change,
        facts: &Facts,
        scratch: &RemotePath,
        deadline: Duration,
    ) -> Result<Proof, Failure> {
        let (unit, folder) = (proof::unit(&backup::name(call)), scratch.join("proof"));
        let counted = match self.open(change, facts, &folder, &unit, deadline).await {
            Ok((client, url)) => self.counted(&client, &url, change, &format!("{unit}.service"), deadline).await,
            Err(failure) => Err(failure),
        };
        let closed = proof::close(change, &unit, &folder).await;
        let (found, hash) = counted?;
        closed?;
        let live = self.live_count(call, facts).await?;
        let hash_kv = match hash {
            Some(hash) => Some(self.compared(call, facts, hash).await?),
            None => None,
        };
        let KeyCount(keys) = found;
        let (host, revision) = (call.host, self.revision);
        if revision < self.live {
            let text =
                format!("{host}: the snapshot is of revision {revision}, and the member was at {} before", self.live);
            return Err(Failure::new(Fault::Failed, text));
        }
        if let Some(KeyCount(live)) = live
            && live != keys
        {
            let text = format!(
                "{host}: the snapshot is not what the member has\nlive: {live} keys at revision {revision}; in the snapshot: {keys}"
            );
            return Err(Failure::new(Fault::Failed, text));
        }
        let live_keys = live.map(|KeyCount(live)| live);
        let opened_by = self.version.to_string();
        Ok(Proof { opened_by, keys, live_keys, index: revision, live_index: self.live, hash_kv })
    }

    /// Keys of the opened copy, and their hash where its version tells one.
    async fn counted(
        &self,
        client: &Client,
        url: &str,
        change: &Change,
        unit: &str,
        deadline: Duration,
    ) -> Result<(KeyCount, Option<KeyHash>), Failure> {
        let keys = self.count(client, change, unit, deadline).await?;
        let endpoint = Endpoint {
            probe: change.probe(),
            tool: self.etcdctl.clone(),
            url: url.to_owned(),
            tls: (None, None, None),
        };
        let told = key_hash::of(client, endpoint, &self.version, self.revision).await;
        match told
            .map_err(|error| Failure::new(Fault::Failed, format!("{}: the copy's hash: {error}", change.name())))?
        {
            Told::Hash(hash) => Ok((keys, Some(hash))),
            Told::NotNow | Told::Unknown(_) => Ok((keys, None)),
        }
    }

    /// The copy's hash beside that of the live member at the same revision.
    async fn compared(&self, call: &Call<'_>, facts: &Facts, found: KeyHash) -> Result<HashKv, Failure> {
        let (host, revision) = (call.host, self.revision);
        let told = key_hash::of_member_by(facts, &self.etcdctl, &self.version, revision).await;
        let told = told.map_err(|error| Failure::new(Fault::Failed, format!("{host}: hash of its keys: {error}")))?;
        let live_same = match told {
            // Hashes of stores that are compacted differently differ.
            Told::Hash(live) if live.compacted == found.compacted => Some(live.hash == found.hash),
            Told::Hash(_) | Told::NotNow | Told::Unknown(_) => None,
        };
        if let (Told::Hash(live), Some(false)) = (&told, live_same) {
            let text = format!(
                "{host}: the snapshot is not what the member has: their hashes at revision {revision} differ\nlive: {:08x}; in the snapshot: {:08x}",
                live.hash, found.hash
            );
            return Err(Failure::new(Fault::Failed, text));
        }
        Ok(HashKv { revision, hash: found.hash, compact_revision: found.compacted, live_same })
    }

    async fn open(
        &self,
        change: &Change,
        facts: &Facts,
        folder: &RemotePath,
        unit: &str,
        deadline: Duration,
    ) -> Result<(Client, String), Failure> {
        let [client, peer] = proof::free_ports(change).await?;
        let seconds = (deadline.as_secs() * 2).to_string();
        let (user, program) = (facts.state.user().unwrap_or_default(), facts.program.as_str());
        let (file, tool) = (self.copy.path.as_str(), self.tool.as_str());
        let arch = unsupported_arch(&facts.machine).unwrap_or_default();
        let args = [file, folder.as_str(), tool, program, user, unit, &client, &peer, &seconds, arch];
        let options = RunOptions { deadline: Some(deadline), ..RunOptions::default() };
        let ran = change.script_with("open the snapshot", OPEN, &args, options).await?;
        if !ran.success() {
            return Err(Failure::new(Fault::Failed, format!("{}: open the snapshot: {}", facts.host(), ran.words())));
        }
        let url = format!("http://127.0.0.1:{client}");
        let client = Client::new(change.probe(), &url, None, facts.client.login().clone())
            .ok_or_else(|| Failure::new(Fault::Bug, format!("`{url}` is no URL")))?;
        Ok((client, url))
    }

    /// Keys of the opened copy at the snapshot's revision: leases may end in it meanwhile.
    async fn count(
        &self,
        client: &Client,
        change: &Change,
        unit: &str,
        deadline: Duration,
    ) -> Result<KeyCount, Failure> {
        let version = proof::wait(client, change.probe(), unit, deadline).await?;
        let failed = |what: String| Failure::new(Fault::Failed, format!("{}: count keys: {what}", change.name()));
        if version.server != self.version {
            return Err(failed(format!("{} opened the snapshot, {} was asked to", version.server, self.version)));
        }
        match client.keys_at(self.revision).await.map_err(|error| failed(error.to_string()))? {
            Some(keys) => Ok(keys),
            None => Err(failed(format!("the copy does not know its own revision {}", self.revision))),
        }
    }

    /// Keys of the live member as it was at that revision; `None` where it has compacted that away meanwhile.
    async fn live_count(&self, call: &Call<'_>, facts: &Facts) -> Result<Option<KeyCount>, Failure> {
        let counted = facts.client.keys_at(self.revision).await;
        counted.map_err(|error| Failure::new(Fault::Failed, format!("{}: count keys: {error}", call.host)))
    }
}
