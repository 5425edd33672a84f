//! The first member: a cluster of one out of the backup.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::etcd;
use crate::modules::{Failure, Outcome};
use crate::remote::{Change, RemotePath};

use super::super::client::Client;
use super::super::login::Login;
use super::super::proof::{self, Count};
use super::start::FIRST_START;
use super::stopped::{self, Stopped};
use super::{Restore, Restored, failed, refused};

impl Restore<'_> {
    /// Brings the first host's member up as a cluster of one.
    pub(super) async fn first(&self) -> Result<Outcome, Failure> {
        let all = stopped::whole_cluster(self.call, self.backup).await?;
        let none = || refused(self.host(), "is no host of the play");
        let stopped = all.get(self.host()).ok_or_else(none)?;
        self.room(stopped, true).await?;
        let Some(change) = self.call.change.clone() else { return Ok(self.would()) };
        let archive = self.carry(&change).await?;
        self.begins(format!("move {} aside, unpack the backup, make it a cluster of one", stopped.data_dir))?;
        let aside = self.aside(&change, stopped).await?;
        let restored = self.alone(&change, stopped, &archive).await.map_err(|failure| self.fell(failure, &aside))?;
        Ok(self.done(&restored, &aside))
    }

    async fn alone(&self, change: &Change, stopped: &Stopped, archive: &RemotePath) -> Result<Restored, Failure> {
        self.unpack(change, archive, stopped).await?;
        let opened = self.open_alone(change, stopped).await;
        let ended = self.end_first_start(change).await;
        let found = opened?;
        ended?;
        self.own_start(change, stopped).await?;
        let facts = self.serves(&stopped.unit, 1, 0, "the restored member").await?;
        let view = facts.view().await?;
        let (id, cluster) = (view.id, view.cluster);
        let urls = view.members.iter().find(|member| member.id == id).map(|member| member.peer_urls.clone());
        if sorted(urls.clone().unwrap_or_default()) != sorted(stopped.peer_urls()) {
            let found = urls.unwrap_or_default().join(",");
            return Err(failed(
                self.host(),
                format!("its peer URL is `{found}`, not `{}`", stopped.peer_urls().join(",")),
            ));
        }
        let (run, cluster_id) = (self.call.run.to_owned(), format!("{cluster:x}"));
        Ok(Restored { run, cluster_id, keys: found.keys, index: found.index, initial_cluster: String::new() })
    }

    /// Opens the backup on the loopback only, compares it with its proof, and gives the member the peer URL of its host: the one in it
    /// is etcd's own guess for a forced new cluster, `http://localhost:2380` (etcd v2.0.5 etcdserver/raft.go, read 2026-11-24).
    async fn open_alone(&self, change: &Change, stopped: &Stopped) -> Result<Count, Failure> {
        let [client_port, peer_port] = proof::free_ports(change).await?;
        let (client_url, peer) = (format!("http://127.0.0.1:{client_port}"), format!("http://127.0.0.1:{peer_port}"));
        let urls = stopped.peer_urls();
        let name = stopped.flags.name();
        let cluster: Vec<String> = urls.iter().map(|url| format!("{name}={url}")).collect();
        self.first_start(
            change,
            stopped,
            &[
                "-force-new-cluster".to_owned(),
                "-snapshot-count=1".to_owned(),
                format!("-listen-client-urls={client_url}"),
                format!("-advertise-client-urls={client_url}"),
                format!("-listen-peer-urls={peer}"),
                format!("-initial-cluster={}", cluster.join(",")),
            ],
        )
        .await?;
        let client = Client::new(change.probe(), &client_url, None, Login::of(self.call.fleet, self.host(), 0)?)
            .ok_or_else(|| failed(self.host(), format!("`{client_url}` is no URL")))?;
        let begun = Instant::now();
        let (_, found) = proof::wait_and_count(&client, change.probe(), FIRST_START, self.deadline()).await?;
        proof::same(&self.backup.manifest.proof, found).map_err(|what| failed(self.host(), what))?;
        self.progress(format!("{} keys after {} ms, as proven", found.keys, begun.elapsed().as_millis()))?;
        let view = client.view().await.map_err(|error| failed(self.host(), error))?;
        let told = client.send("PUT", &format!("/v2/members/{:x}", view.id), &json!({ "peerURLs": urls })).await;
        let told = told.map_err(|error| failed(self.host(), error))?;
        if told.status / 100 != 2 {
            let said: String = String::from_utf8_lossy(&told.body).trim().chars().take(200).collect();
            let what = format!("its peer URL {} was not taken: status {} `{said}`", urls.join(","), told.status);
            return Err(failed(self.host(), what));
        }
        let index = client.position().await.map_err(|error| failed(self.host(), error))?.index;
        self.snapshot(stopped, index).await?;
        Ok(found)
    }

    /// Waits for a snapshot of the index. While the change of a member's address stands in the log behind the last snapshot, 2.0 and
    /// 2.1 panic at `-force-new-cluster`, so no backup of this cluster could be brought back (v2.0.5 and v2.1.1 etcdserver/raft.go,
    /// getIDs, read 2026-11-24, and seen in the lab). An idle leader proposes something twice a second, so entries come by themselves.
    async fn snapshot(&self, stopped: &Stopped, index: u64) -> Result<(), Failure> {
        let (begun, folder) = (Instant::now(), stopped.data_dir.join("member/snap"));
        loop {
            let files = self.call.probe.list(&folder).await?;
            if files.iter().filter_map(|file| etcd::snapshot_index(&file.name)).any(|snapshot| snapshot >= index) {
                return Ok(());
            }
            if begun.elapsed() >= self.deadline() {
                let waited = self.deadline().as_secs();
                return Err(failed(self.host(), format!("no snapshot of index {index} in {folder} after {waited} s")));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn sorted(mut urls: Vec<String>) -> Vec<String> {
    urls.sort();
    urls
}
