//! A cluster of 3.x from a snapshot: every member is made of the same file, with its own name and address, and all start together as a
//! new cluster (etcd Documentation/op-guide/recovery.md, read 2026-11-24).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::etcd::{KeyCount, MemberView};
use crate::events::Fault;
use crate::modules::{Failure, Outcome};
use crate::remote::{Change, RemotePath, RunOptions};

use super::super::facts::Facts;
use super::super::tool;
use super::stopped::{self, Stopped};
use super::{Restore, Restored, failed, refused};

const PAUSE: Duration = Duration::from_millis(200);

/// `$1` tool, `$2` snapshot, `$3` data directory, `$4` name, `$5` initial cluster, `$6` token, `$7` peer URLs,
/// `$8` the log's directory or empty.
///
/// The tool wants a directory that is not there yet, and the data directory may be a mount point: so it works beside `member`, which is
/// renamed then. The owner is the directory's.
const MAKE: &str = r#"
umask 077
tool=$1 file=$2 dir=$3 name=$4 cluster=$5 token=$6 urls=$7 log=$8
made=$dir/quorate-restore
rm -rf -- "$made"
ETCDCTL_API=3 "$tool" snapshot restore "$file" --data-dir "$made" --name "$name" --initial-cluster "$cluster" \
    --initial-cluster-token "$token" --initial-advertise-peer-urls "$urls" >&2 || exit 1
rmdir -- "$dir/member" && mv -T -- "$made/member" "$dir/member" && rmdir -- "$made" || exit 1
chown -R --reference="$dir" "$dir/member" && chmod 0700 "$dir/member" || exit 1
# A log is the same wherever it lies, and early tools have no option for it (3.0.17 seen).
if [ -n "$log" ]; then mv -t "$log" -- "$dir"/member/wal/* && rmdir -- "$dir/member/wal" && sync -f "$log" || exit 1; fi
sync -f "$dir/member"
"#;

impl Restore<'_> {
    /// Makes this host's member of the snapshot and starts it; with the last one the cluster is whole, and is waited for.
    pub(super) async fn of_snapshot(&self, before: &[String]) -> Result<Outcome, Failure> {
        let (stopped, cluster) = if before.is_empty() {
            let mut all = stopped::whole_cluster(self.call, self.backup).await?;
            let cluster = initial_cluster(&all);
            let none = || refused(self.host(), "is no host of the play");
            (all.remove(self.host()).ok_or_else(none)?, cluster)
        } else {
            let stopped = Stopped::gather(&self.call.probe, self.unit()).await?;
            // A check run has restored nothing before.
            let cluster = self.call.change.as_ref().map(|_| self.restored(before)).transpose()?;
            (stopped, cluster.map(|restored| restored.initial_cluster).unwrap_or_default())
        };
        self.room(&stopped, true).await?;
        let Some(change) = self.call.change.clone() else { return Ok(self.would()) };
        let file = self.carry(&change).await?;
        let tool = self.tool(&change, &stopped, &file.parent()).await?;
        self.begins(format!("move {} aside, make {} of the snapshot", stopped.data_dir, stopped.flags.name()))?;
        let aside = self.aside(&change, &stopped).await?;
        let made = self.make(&change, &stopped, (&tool, &file), &cluster).await;
        made.map_err(|failure| self.fell(failure, &aside))?;
        let (run, proof) = (self.call.run.to_owned(), &self.backup.manifest.proof);
        let mut restored =
            Restored { run, cluster_id: String::new(), keys: proof.keys, index: proof.index, initial_cluster: cluster };
        if self.last {
            let hosts = self.call.fleet.hosts();
            let view = self.all_serve(&hosts).await.map_err(|failure| self.fell(failure, &aside))?;
            restored.cluster_id = format!("{:x}", view.cluster);
            self.v2_keys().await.map_err(|failure| self.fell(failure, &aside))?;
        }
        Ok(self.done(&restored, &aside))
    }

    /// What restores it, out of the very release that will run: each minor has a format of its own.
    async fn tool(&self, change: &Change, stopped: &Stopped, scratch: &RemotePath) -> Result<RemotePath, Failure> {
        let version = &stopped.version;
        let name = if (version.major, version.minor) >= (3, 6) { "etcdutl" } else { "etcdctl" };
        let machine = self.call.probe.run(&["uname", "-m"]).await?;
        let machine = String::from_utf8_lossy(&machine.stdout).trim().to_owned();
        tool::of(self.call, change, (&stopped.program, &machine), name, version, scratch).await
    }

    async fn make(
        &self,
        change: &Change,
        stopped: &Stopped,
        (tool, file): (&RemotePath, &RemotePath),
        cluster: &str,
    ) -> Result<(), Failure> {
        let token = format!("quorate-{}", self.call.run);
        let (dir, name, urls) = (stopped.data_dir.as_str(), stopped.flags.name(), stopped.peer_urls().join(","));
        let log = stopped.log.as_ref().map_or("", |(log, _)| log.as_str());
        let args = [tool.as_str(), file.as_str(), dir, name, cluster, &token, &urls, log];
        let options = RunOptions { deadline: Some(self.deadline()), ..RunOptions::default() };
        let ran = change.script_with("make a member of the snapshot", MAKE, &args, options).await?;
        if !ran.success() {
            return Err(failed(self.host(), format!("make a member of the snapshot: {}", ran.words())));
        }
        change.remove(&file.parent(), true).await?;
        self.own_start(change, stopped).await
    }

    /// Waits until every member serves in one cluster of them all, and wants the keys of the snapshot on each.
    async fn all_serve(&self, hosts: &[String]) -> Result<MemberView, Failure> {
        let (begun, mut said) = (Instant::now(), String::new());
        loop {
            let why = match self.served(hosts).await {
                Ok(view) => return Ok(view),
                Err(failure) if failure.fault != Fault::Refused => return Err(failure),
                Err(failure) => failure.msg,
            };
            if begun.elapsed() >= self.deadline() {
                let waited = self.deadline().as_secs();
                return Err(failed(self.host(), format!("the cluster does not serve after {waited} s: {why}")));
            }
            if why != said {
                said.clone_from(&why);
                self.progress(why)?;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn served(&self, hosts: &[String]) -> Result<MemberView, Failure> {
        let mut first: Option<MemberView> = None;
        let mut all = Vec::new();
        for host in hosts {
            let facts = Facts::gather(self.call.fleet, &self.call.fleet.probe(host).await?, self.unit()).await?;
            let view = facts.view().await?;
            if let Err(reason) = &view.read {
                return Err(refused(host, format!("no read through raft: {reason}")));
            }
            if view.members.len() != hosts.len() || view.members.iter().any(|member| member.name.is_empty()) {
                let what = format!("it knows {} members of {}", view.members.len(), hosts.len());
                return Err(refused(host, what));
            }
            if first.as_ref().is_some_and(|first| first.cluster != view.cluster) {
                return Err(failed(host, "it is of another cluster than the other members"));
            }
            first.get_or_insert(view);
            all.push((host, facts));
        }
        let proof = &self.backup.manifest.proof;
        for (host, facts) in all {
            let counted = facts.client.keys_at(proof.index).await.map_err(|error| refused(host, error))?;
            if counted != Some(KeyCount(proof.keys)) {
                let found = counted.map_or_else(|| "none, it was compacted away".to_owned(), |keys| keys.0.to_string());
                let what = format!(
                    "what was restored is not what was proven\nexpected {} keys at revision {}\nfound    {found}",
                    proof.keys, proof.index
                );
                return Err(failed(host, what));
            }
        }
        first.ok_or_else(|| refused(self.host(), "there is no host"))
    }
}

/// All members with their peer URLs, as each of them must be given it.
fn initial_cluster(all: &BTreeMap<String, Stopped>) -> String {
    let pairs = all.values().flat_map(|stopped| {
        let name = stopped.flags.name().to_owned();
        stopped.peer_urls().into_iter().map(move |url| format!("{name}={url}"))
    });
    pairs.collect::<Vec<_>>().join(",")
}
