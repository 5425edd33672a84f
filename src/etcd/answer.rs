//! What a member answers over HTTP (v2), read strictly: anything unforeseen is no answer.

use serde_json::Value;

use super::strict_json;

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, found {found}")]
pub struct AnswerError {
    /// What was asked.
    pub path: &'static str,
    /// What was expected.
    pub expected: &'static str,
    /// The status and the beginning of what came.
    pub found: String,
}

pub(super) fn unforeseen(path: &'static str, expected: &'static str, status: u16, body: &[u8]) -> AnswerError {
    let start: String = String::from_utf8_lossy(body).chars().take(80).collect();
    AnswerError { path, expected, found: format!("status {status}, `{start}`") }
}

/// What `/health` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// 200 and `"health": "true"`.
    Healthy,
    /// 503 and `"health": "false"`.
    Unhealthy,
}

/// Reads `GET /health`: in 2.0 to 3.0 the texts `{"health": "true"}` with 200 and `{"health": "false"}` with 503.
///
/// # Errors
/// When it is anything else, and also when status and text contradict each other.
pub fn health(status: u16, body: &[u8]) -> Result<Health, AnswerError> {
    let none = || unforeseen("/health", r#"200 with {"health": "true"} or 503 with "false""#, status, body);
    let value = strict_json::parse(body).map_err(|_| none())?;
    match (status, value.get("health").and_then(Value::as_str)) {
        (200, Some("true")) => Ok(Health::Healthy),
        (503, Some("false")) => Ok(Health::Unhealthy),
        _ => Err(none()),
    }
}

/// One member as the member list has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberEntry {
    /// Its ID.
    pub id: u64,
    /// Its name; empty until it has started once.
    pub name: String,
    /// Where its peers reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it; empty until it has started once.
    pub client_urls: Vec<String>,
    /// Whether it only learns and has no vote (from 3.4 on).
    pub learner: bool,
}

/// More voters than any etcd cluster has; a longer list is a broken or hostile answer.
const MOST_MEMBERS: usize = 64;

pub(super) fn hex_id(text: &str) -> Option<u64> {
    (!text.is_empty() && text.len() <= 16).then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

pub(super) fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    value.and_then(Value::as_array)?.iter().map(|url| url.as_str().map(str::to_owned)).collect()
}

fn entry(value: &Value) -> Option<MemberEntry> {
    Some(MemberEntry {
        id: hex_id(value.get("id")?.as_str()?)?,
        name: value.get("name")?.as_str()?.to_owned(),
        peer_urls: texts(value.get("peerURLs"))?,
        client_urls: texts(value.get("clientURLs"))?,
        learner: false,
    })
}

/// Reads `GET /v2/members`, sorted by ID.
///
/// # Errors
/// When it is not a list of members with different IDs, names without control characters, and at most 64 of them.
pub fn members(status: u16, body: &[u8]) -> Result<Vec<MemberEntry>, AnswerError> {
    let none = || unforeseen("/v2/members", "a list of members with different IDs", status, body);
    let value = strict_json::parse(body).map_err(|_| none())?;
    let list = value.get("members").and_then(Value::as_array).filter(|_| status == 200).ok_or_else(none)?;
    member_list(list, entry).ok_or_else(none)
}

/// The entries of a member list, sorted by ID; `None` unless they are one to 64 with different IDs and names without control characters.
pub(super) fn member_list(list: &[Value], entry: impl Fn(&Value) -> Option<MemberEntry>) -> Option<Vec<MemberEntry>> {
    if list.is_empty() || list.len() > MOST_MEMBERS {
        return None;
    }
    let mut members: Vec<MemberEntry> = list.iter().map(entry).collect::<Option<_>>()?;
    members.sort();
    let repeated = members.windows(2).any(|pair| matches!(pair, [a, b] if a.id == b.id));
    let sound = !repeated && !members.iter().any(|member| member.name.chars().any(char::is_control));
    sound.then_some(members)
}

/// What a member says of itself in `/v2/stats/self`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfStats {
    /// Its name.
    pub name: String,
    /// Its ID.
    pub id: u64,
    /// Whether it holds itself for the leader.
    pub leads: bool,
    /// Whom it holds for the leader; `None` while there is none.
    pub leader: Option<u64>,
}

/// Reads `GET /v2/stats/self`.
///
/// # Errors
/// When name, ID or state are missing, or the state is neither leader nor follower nor candidate.
pub fn self_stats(status: u16, body: &[u8]) -> Result<SelfStats, AnswerError> {
    let none = || unforeseen("/v2/stats/self", "name, id, state and leaderInfo", status, body);
    let value = strict_json::parse(body).ok().filter(|_| status == 200).ok_or_else(none)?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let id = text("id").and_then(hex_id).ok_or_else(none)?;
    let leads = match text("state").ok_or_else(none)? {
        "StateLeader" => true,
        "StateFollower" | "StateCandidate" => false,
        _ => return Err(none()),
    };
    let leader = value.pointer("/leaderInfo/leader").and_then(Value::as_str).and_then(hex_id).filter(|id| *id != 0);
    Ok(SelfStats { name: text("name").ok_or_else(none)?.to_owned(), id, leads, leader })
}

/// Whether the answer to a quorum read of a key that nobody has shows a real, linearized read: error 100, or the key.
///
/// A v2 read with `quorum=true` goes through raft, so this member and a quorum agree on it. `/health` alone can lie.
///
/// # Errors
/// When it is anything else, such as 300 (no leader) or a time-out.
pub fn read_probe(status: u16, body: &[u8]) -> Result<(), AnswerError> {
    let none = || unforeseen("/v2/keys/…?quorum=true", "a linearized read (the key, or error 100)", status, body);
    let value = strict_json::parse(body).map_err(|_| none())?;
    let absent = status == 404 && value.get("errorCode").and_then(Value::as_u64) == Some(100);
    let present = status == 200 && value.get("node").is_some();
    if absent || present { Ok(()) } else { Err(none()) }
}

/// The keys right below the root, in the answer to `GET /v2/keys/`; hidden ones, which begin with `_`, are never listed.
///
/// # Errors
/// When it is no listing of the root.
pub fn v2_top(status: u16, body: &[u8]) -> Result<Vec<String>, AnswerError> {
    let none = || unforeseen("/v2/keys/", "a listing of the root", status, body);
    let value = strict_json::parse(body).ok().filter(|_| status == 200).ok_or_else(none)?;
    let root =
        value.get("node").filter(|node| node.get("dir").and_then(Value::as_bool) == Some(true)).ok_or_else(none)?;
    let Some(nodes) = root.get("nodes") else { return Ok(Vec::new()) };
    let key = |node: &Value| node.get("key").and_then(Value::as_str).map(str::to_owned);
    nodes.as_array().and_then(|nodes| nodes.iter().map(key).collect()).ok_or_else(none)
}

/// Whether a key is gone after a `DELETE`: removed now, or not there (error 100).
///
/// # Errors
/// When it is not known to be gone.
pub fn v2_deleted(status: u16, body: &[u8]) -> Result<(), AnswerError> {
    let none = || unforeseen("DELETE /v2/keys/…", "200, or error 100", status, body);
    let value = strict_json::parse(body).map_err(|_| none())?;
    let absent = value.get("errorCode").and_then(Value::as_u64) == Some(100);
    if absent || (status == 200 && value.get("node").is_some()) { Ok(()) } else { Err(none()) }
}

/// How many keys a store holds, folders not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCount(
    /// Keys with a value.
    pub u64,
);

/// Counts the keys in the answer to `GET /v2/keys/?recursive=true`.
///
/// It may have 256 MiB, of which only what is counted is kept; strict JSON would make a tree of all of it, several times as large. A key that
/// counts is refused all the same where it is said twice: what serde reads into a struct takes none of its fields twice.
///
/// # Errors
/// When it is no tree of nodes.
pub fn count_keys(status: u16, body: &[u8]) -> Result<KeyCount, AnswerError> {
    #[derive(serde::Deserialize)]
    struct Tree {
        #[serde(default)]
        dir: bool,
        #[serde(default)]
        nodes: Vec<Tree>,
    }
    #[derive(serde::Deserialize)]
    struct Listing {
        node: Tree,
    }
    fn leaves(tree: &Tree) -> u64 {
        if tree.dir { tree.nodes.iter().map(leaves).sum() } else { 1 }
    }
    let none = || unforeseen("/v2/keys/?recursive=true", "a tree of nodes", status, body);
    let listing: Listing = serde_json::from_slice(body).ok().filter(|_| status == 200).ok_or_else(none)?;
    Ok(KeyCount(leaves(&listing.node)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_true_only_when_status_and_text_agree() {
        assert_eq!(health(200, br#"{"health": "true"}"#), Ok(Health::Healthy));
        assert_eq!(health(503, br#"{"health": "false"}"#), Ok(Health::Unhealthy));
        for (status, body) in [
            (200, r#"{"health":true}"#),
            (200, r#"{"health":"TRUE"}"#),
            (200, r#"{"health":"true "}"#),
            (200, r#"{"health":null}"#),
            (200, "[]"),
            (503, r#"{"health":"true"}"#),
            (200, r#"{"health":"false"}"#),
            (200, r#"{"health":"false","health":"true"}"#),
            (302, r#"{"health":"true"}"#),
        ] {
            assert!(health(status, body.as_bytes()).is_err(), "{status} {body}");
        }
    }

    #[test]
    fn member_list_needs_different_ids_and_printable_names() {
        let one = r#"{"id":"272e204152","name":"etcd1","peerURLs":["http://10.0.0.1:2380"],"clientURLs":[]}"#;
        let list = members(200, format!(r#"{{"members":[{one}]}}"#).as_bytes()).unwrap();
        assert_eq!(list[0].id, 0x0027_2e20_4152);
        assert!(members(200, format!(r#"{{"members":[{one},{one}]}}"#).as_bytes()).is_err());
        assert!(members(200, br#"{"members":[]}"#).is_err());
        let escape = one.replace("etcd1", "\\u001b[2J");
        assert!(members(200, format!(r#"{{"members":[{escape}]}}"#).as_bytes()).is_err());
        assert!(members(503, format!(r#"{{"members":[{one}]}}"#).as_bytes()).is_err());
    }

    #[test]
    fn stats_name_the_leader_or_none() {
        let body = r#"{"name":"etcd1","id":"924e2e83e93f2560","state":"StateFollower","leaderInfo":{"leader":"6e3bd23ae5f1eae0","uptime":"1s"}}"#;
        let stats = self_stats(200, body.as_bytes()).unwrap();
        assert_eq!((stats.leads, stats.leader), (false, Some(0x6e3b_d23a_e5f1_eae0)));
        let alone = r#"{"name":"etcd1","id":"92","state":"StateFollower","leaderInfo":{"leader":"","uptime":"1s"}}"#;
        assert_eq!(self_stats(200, alone.as_bytes()).unwrap().leader, None);
        assert!(self_stats(200, br#"{"name":"etcd1","id":"92","state":"StateGod"}"#).is_err());
    }

    #[test]
    fn a_read_through_raft_is_told_from_a_refusal() {
        assert!(read_probe(404, br#"{"errorCode":100,"message":"Key not found","cause":"/x","index":7}"#).is_ok());
        assert!(read_probe(500, br#"{"errorCode":300,"message":"Raft Internal Error","index":7}"#).is_err());
        assert!(read_probe(404, b"404 page not found").is_err());
    }

    #[test]
    fn lists_the_top_of_the_store_and_tells_a_removed_key_from_one_that_is_left() {
        let body = r#"{"action":"get","node":{"dir":true,"nodes":[{"key":"/a","value":"1"},{"key":"/d","dir":true}]}}"#;
        assert_eq!(v2_top(200, body.as_bytes()), Ok(vec!["/a".to_owned(), "/d".to_owned()]));
        assert_eq!(v2_top(200, br#"{"action":"get","node":{"dir":true}}"#), Ok(vec![]));
        assert!(v2_top(404, b"404 page not found").is_err());
        assert!(v2_deleted(200, br#"{"action":"delete","node":{"key":"/a"}}"#).is_ok());
        assert!(v2_deleted(404, br#"{"errorCode":100,"message":"Key not found"}"#).is_ok());
        assert!(v2_deleted(403, br#"{"errorCode":102,"message":"Not a file"}"#).is_err());
        assert!(v2_deleted(403, br#"{"errorCode":102,"errorCode":100,"message":"Not a file"}"#).is_err());
        assert!(v2_top(200, br#"{"node":{"dir":true,"nodes":[{"key":"/a"}],"nodes":[]}}"#).is_err());
    }

    #[test]
    fn counts_keys_and_not_folders() {
        let body = r#"{"action":"get","node":{"dir":true,"nodes":[{"key":"/a","value":"1"},{"key":"/d","dir":true,"nodes":[{"key":"/d/x","value":""}]},{"key":"/e","dir":true}]}}"#;
        assert_eq!(count_keys(200, body.as_bytes()), Ok(KeyCount(2)));
        for twice in [
            r#"{"node":{"dir":true,"nodes":[{"key":"/a"}],"nodes":[]}}"#,
            r#"{"node":{"dir":true,"dir":false}}"#,
            r#"{"node":{"key":"/a"},"node":{"dir":true}}"#,
        ] {
            assert!(count_keys(200, twice.as_bytes()).is_err(), "{twice}");
        }
    }
}
