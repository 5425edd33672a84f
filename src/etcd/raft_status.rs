//! What raft says of itself in `/debug/vars`, from etcd 2.1 on.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::hex_id;

/// Raft as one member sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftStatus {
    /// The highest index that a quorum has in its log; may be ahead of what is applied.
    pub commit: u64,
    /// How far each member is, by its ID; only the leader knows.
    pub progress: BTreeMap<u64, Progress>,
}

/// How far the leader knows a member to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The highest index that the member is known to have in its log.
    pub matched: u64,
    /// Whether a whole snapshot is being sent to it, since it lags too far behind the leader's log.
    pub snapshot: bool,
}

/// Reads `GET /debug/vars`; `None` where it is not served (2.0) or holds no raft status.
///
/// IDs are in hex, states `ProgressStateProbe`, `…Replicate` and `…Snapshot` (etcd v2.1.1 raft/progress.go; seen so in the lab on
/// 2026-11-26).
#[must_use]
pub fn raft_status(status: u16, body: &[u8]) -> Option<RaftStatus> {
    let vars: Value = serde_json::from_slice(body).ok().filter(|_| status == 200)?;
    let raft = vars.get("raft.status")?;
    let one = |(id, of): (&String, &Value)| {
        let matched = of.get("match")?.as_u64()?;
        let snapshot = of.get("state")?.as_str()?.ends_with("Snapshot");
        Some((hex_id(id)?, Progress { matched, snapshot }))
    };
    let progress = raft.get("progress")?.as_object()?.iter().map(one).collect::<Option<_>>()?;
    Some(RaftStatus { commit: raft.get("commit")?.as_u64()?, progress })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a leader and a follower of 2.1.1 answered in the lab, the other variables left out.
    const LEADER: &str = r#"{"file_descriptor_limit": 20000,
        "raft.status": {"id":"25d609791cacc1b0","term":3,"vote":"25d609791cacc1b0","commit":12004,"lead":"25d609791cacc1b0","raftState":"StateLeader","progress":{"ced2815d45b9c4c3":{"match":11004,"next":11005,"state":"ProgressStateSnapshot"},"25d609791cacc1b0":{"match":12004,"next":12005,"state":"ProgressStateProbe"}}}}"#;
    const FOLLOWER: &str = r#"{"raft.status": {"id":"6ae2ffa07e0f3480","term":3,"vote":"25d609791cacc1b0","commit":12004,"lead":"25d609791cacc1b0","raftState":"StateFollower","progress":{}}}"#;

    #[test]
    fn the_leader_knows_how_far_each_member_is() {
        let leader = raft_status(200, LEADER.as_bytes()).unwrap();
        assert_eq!(leader.commit, 12004);
        assert_eq!(leader.progress[&0xced2_815d_45b9_c4c3], Progress { matched: 11004, snapshot: true });
        assert!(!leader.progress[&0x25d6_0979_1cac_c1b0].snapshot);
        let follower = raft_status(200, FOLLOWER.as_bytes()).unwrap();
        assert_eq!((follower.commit, follower.progress.len()), (12004, 0));
    }

    #[test]
    fn what_is_not_a_raft_status_is_none() {
        for (status, body) in
            [(404, LEADER), (200, "404 page not found"), (200, r#"{"raft.status":{"commit":1}}"#), (200, "{}")]
        {
            assert_eq!(raft_status(status, body.as_bytes()), None, "{status} {body}");
        }
    }
}
