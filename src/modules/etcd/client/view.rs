//! What one member tells of itself and of its cluster, all of it at once.

use semver::Version;
use serde_json::json;

use crate::etcd::{self, Api, Health, MemberView, VersionAnswer};

use super::{Client, ClientError};

/// Why a read has failed, for the view; not that we are strangers, which no waiting helps.
fn told(read: Result<(), ClientError>) -> Result<Result<(), String>, ClientError> {
    match read {
        Err(error) if error.strange() => Err(error),
        read => Ok(read.map_err(|error| error.to_string())),
    }
}

impl Client {
    /// Everything at once: what the verdicts are made of, by the API that serves on this member now.
    pub(in crate::modules::etcd) async fn view(&self) -> Result<MemberView, ClientError> {
        let version = self.version().await?;
        match etcd::api(&version) {
            Api::V2 => self.view_by_v2(version).await,
            Api::V3 { prefix } => self.view_by_gateway(version, prefix).await,
        }
    }

    /// `/readyz`, where the version has it: it reads through raft too, and fails where the member knows of damaged data.
    async fn ready(&self, version: &Version) -> Result<(), ClientError> {
        if !etcd::tells_ready(version) {
            return Ok(());
        }
        let answer = self.get("/readyz").await?;
        let Err(why) = etcd::ready(answer.status, &answer.body) else { return Ok(()) };
        // What people must know then: whether it may get ready by itself.
        Err(match self.get("/livez").await {
            Ok(alive) => etcd::not_ready(why, alive.status, &alive.body),
            Err(_) => why,
        }
        .into())
    }

    async fn view_by_v2(&self, version: VersionAnswer) -> Result<MemberView, ClientError> {
        // Side by side, since the look must be short.
        let (members, stats, position, vars, read) = tokio::join!(
            self.get("/v2/members"),
            self.get("/v2/stats/self"),
            self.position(),
            self.get("/debug/vars"),
            self.read_v2(),
        );
        let (members, stats, position) = (members?, stats?, position?);
        let stats = etcd::self_stats(stats.status, &stats.body)?;
        let leader = if stats.leads { Some(stats.id) } else { stats.leader };
        Ok(MemberView {
            id: stats.id,
            name: stats.name,
            cluster: position.cluster,
            version,
            // What `/health` is made of, without waiting for it: a leader, and an applied index that moves, which `read` shows at once.
            health: if leader.is_some() { Health::Healthy } else { Health::Unhealthy },
            members: etcd::members(members.status, &members.body)?,
            leader,
            index: position.index,
            term: position.term,
            // 2.0 has none, and somebody may have shut it off: then the indices alone are compared.
            raft: vars.ok().and_then(|vars| etcd::raft_status(vars.status, &vars.body)),
            read: told(read)?,
            alarms: Vec::new(),
            store: None,
        })
    }

    async fn view_by_gateway(&self, version: VersionAnswer, prefix: &str) -> Result<MemberView, ClientError> {
        let (empty, list) = (json!({}), json!({ "action": "GET" }));
        let (status, members, alarms, vars, read, ready) = tokio::join!(
            self.question(prefix, "maintenance/status", &empty),
            // Not `linearizable`: each member's own list is wanted, to be compared.
            self.question(prefix, "cluster/member/list", &empty),
            self.question(prefix, "maintenance/alarm", &list),
            self.get("/debug/vars"),
            self.read_v3(prefix),
            self.ready(&version.server),
        );
        let (status, members, alarms) = (status?, members?, alarms?);
        let status = etcd::member_status(&version.server, status.status, &status.body)?;
        let members = etcd::gateway_members(members.status, &members.body)?;
        let alarms = etcd::alarms(alarms.status, &alarms.body)?;
        let name = members.iter().find(|entry| entry.id == status.id).map(|entry| entry.name.clone());
        // Of damaged data `/readyz` says no more than the alarm does, and whether the member reads is another question.
        let read = if alarms.is_empty() { read.and(ready) } else { read };
        Ok(MemberView {
            id: status.id,
            name: name.unwrap_or_default(),
            cluster: status.cluster,
            // What `/health` is made of from 3.3 on, without asking it: up to 3.4.28 each call is an entry in the log.
            health: if status.leader.is_some() && alarms.is_empty() { Health::Healthy } else { Health::Unhealthy },
            version,
            members,
            leader: status.leader,
            index: status.index,
            term: status.term,
            raft: vars.ok().and_then(|vars| etcd::raft_status(vars.status, &vars.body)),
            read: told(read)?,
            alarms,
            store: Some(status.store),
        })
    }
}
