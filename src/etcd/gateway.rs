//! The v3 API as JSON over HTTP (etcd's gRPC gateway, from 3.0 on): where it is, and what it answers.
//!
//! Numbers of 64 bits come as texts of decimal digits, what is zero or empty is left out, and IDs are decimal, unlike in the v2 API
//! (grpc-gateway and etcd embed/serve.go, read 2026-11-24; every minor from 3.0 to 3.7 seen in the lab).

use semver::Version;
use serde_json::{Value, json};

use super::alarm::Alarm;
use super::answer::{AnswerError, KeyCount, MemberEntry, member_list, texts, unforeseen};
use super::strict_json;
use super::version::{ClusterVersion, VersionAnswer};

/// By which API a member is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `/v2/…`, and at the end of a wait `/health`.
    V2,
    /// The gateway, below this prefix.
    V3 {
        /// `/v3alpha` in 3.0 to 3.2, `/v3beta` in 3.3, `/v3` from 3.4 on.
        prefix: &'static str,
    },
}

/// The API that serves on a member which answers so to `/version`.
///
/// A member of 3.0 answers v3 calls "not capable" until the whole cluster has left 2.3 (seen in the lab); until then it is asked as 2.3 is.
/// From 3.0 on `/health` and v2 reads go into the log as entries of the v2 store, which 3.6 will not start on: there nothing but the
/// gateway is asked.
#[must_use]
pub fn api(version: &VersionAnswer) -> Api {
    let server = (version.server.major, version.server.minor);
    let risen = matches!(&version.cluster, ClusterVersion::Is(cluster) if cluster.major >= 3);
    match server {
        (..=2, _) => Api::V2,
        (3, 0) if !risen => Api::V2,
        (3, ..=2) => Api::V3 { prefix: "/v3alpha" },
        (3, 3) => Api::V3 { prefix: "/v3beta" },
        _ => Api::V3 { prefix: "/v3" },
    }
}

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its ID.
    pub id: u64,
    /// The cluster's ID.
    pub cluster: u64,
    /// Whom it holds for the leader; `None` while there is none.
    pub leader: Option<u64>,
    /// The applied raft index.
    pub index: u64,
    /// The raft term.
    pub term: u64,
    /// What it holds of the v3 store.
    pub store: StoreState,
}

/// The v3 store of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreState {
    /// Grows by one with each write; 1 before the first.
    pub revision: u64,
    /// Bytes of the database file.
    pub db_size: u64,
    /// Bytes of it that are in use; not told before 3.4.
    pub db_in_use: Option<u64>,
    /// How many bytes the file may have; not told before 3.6.
    pub quota: Option<u64>,
    /// The version whose format the data has; not told before 3.6.
    pub storage: Option<Version>,
    /// To which version a downgrade that is under way leads; not told before 3.6.
    pub downgrade: Option<String>,
}

/// A number, which may be left out (zero), a text of digits, or a JSON number.
pub(super) fn number(value: &Value, name: &str) -> Option<u64> {
    match value.get(name) {
        None => Some(0),
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(other) => other.as_u64(),
    }
}

pub(super) fn answered(status: u16, body: &[u8]) -> Option<Value> {
    strict_json::parse(body).ok().filter(|_| status == 200).filter(Value::is_object)
}

/// Reads the answer to `maintenance/status` of a member of that version.
///
/// `raftIndex` is the applied index up to 3.3; from 3.4 on it is what is committed, and `raftAppliedIndex` what is applied (etcd
/// v3.3.27 and v3.4.13 etcdserver/api/v3rpc/maintenance.go, read 2026-11-24).
///
/// # Errors
/// When IDs, term or index are missing.
pub fn member_status(version: &Version, status: u16, body: &[u8]) -> Result<MemberStatus, AnswerError> {
    let none = || unforeseen("maintenance/status", "IDs, leader, index and term", status, body);
    let read = || -> Option<MemberStatus> {
        let value = answered(status, body)?;
        let header = value.get("header")?;
        let some = |of: &Value, name: &str| number(of, name).filter(|number| *number != 0);
        let applied = if (version.major, version.minor) < (3, 4) { "raftIndex" } else { "raftAppliedIndex" };
        let storage = value.get("storageVersion").and_then(Value::as_str).and_then(|text| Version::parse(text).ok());
        Some(MemberStatus {
            id: some(header, "member_id")?,
            cluster: some(header, "cluster_id")?,
            leader: some(&value, "leader"),
            // A member that is still replaying its log has applied nothing yet; that is no fault of the answer.
            index: number(&value, applied)?,
            term: some(&value, "raftTerm")?,
            store: StoreState {
                revision: number(header, "revision")?,
                db_size: number(&value, "dbSize")?,
                db_in_use: value.get("dbSizeInUse").and_then(|_| number(&value, "dbSizeInUse")),
                quota: some(&value, "dbSizeQuota"),
                storage,
                downgrade: downgrade(&value),
            },
        })
    };
    read().ok_or_else(none)
}

/// `{"enabled":true,"targetVersion":"3.6.0"}`; empty while there is none (3.6.16 and 3.7.3 seen in the lab 2026-11-27).
fn downgrade(status: &Value) -> Option<String> {
    let info = status.get("downgradeInfo")?;
    let enabled = info.get("enabled").and_then(Value::as_bool).unwrap_or(false);
    enabled.then(|| info.get("targetVersion").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// The body of a question or an order about a downgrade; `action` is `VALIDATE`, `ENABLE` or `CANCEL` (etcd v3.6.16 api/etcdserverpb/rpc.proto).
#[must_use]
pub fn downgrade_to(action: &str, version: &Version) -> Value {
    json!({ "action": action, "version": format!("{}.{}", version.major, version.minor) })
}

/// Reads the answer to `maintenance/downgrade`.
///
/// # Errors
/// When it was not taken; the answer says why.
pub fn downgrade_taken(status: u16, body: &[u8]) -> Result<(), AnswerError> {
    let value = answered(status, body).filter(|value| value.get("header").is_some());
    value.map(drop).ok_or_else(|| unforeseen("maintenance/downgrade", "that it is taken", status, body))
}

fn entry(value: &Value) -> Option<MemberEntry> {
    let urls = |name: &str| value.get(name).map_or(Some(Vec::new()), |urls| texts(Some(urls)));
    Some(MemberEntry {
        id: number(value, "ID").filter(|id| *id != 0)?,
        // A member that never started has no name yet.
        name: value.get("name").map_or(Some(""), Value::as_str)?.to_owned(),
        peer_urls: urls("peerURLs")?,
        client_urls: urls("clientURLs")?,
        learner: value.get("isLearner").map_or(Some(false), Value::as_bool)?,
    })
}

/// Reads the answer to `cluster/member/list`, sorted by ID.
///
/// # Errors
/// When it is not a list of members with different IDs, names without control characters, and at most 64 of them.
pub fn gateway_members(status: u16, body: &[u8]) -> Result<Vec<MemberEntry>, AnswerError> {
    let none = || unforeseen("cluster/member/list", "a list of members with different IDs", status, body);
    let value = answered(status, body).ok_or_else(none)?;
    let list = value.get("members").and_then(Value::as_array).ok_or_else(none)?;
    member_list(list, entry).ok_or_else(none)
}

/// Reads the answer to `maintenance/alarm` with the action `GET`.
///
/// # Errors
/// When it is no list of alarms. Where there are none, 3.0 to 3.4 answer `{}`, without even a header (seen in the lab).
pub fn alarms(status: u16, body: &[u8]) -> Result<Vec<Alarm>, AnswerError> {
    let none = || unforeseen("maintenance/alarm", "a list of alarms", status, body);
    let value = answered(status, body).ok_or_else(none)?;
    let Some(list) = value.get("alarms") else { return Ok(Vec::new()) };
    let one = |alarm: &Value| {
        // A kind that is left out is the zero of its enumeration, `NONE`; one that a later release adds is an alarm all the same.
        let kind = alarm.get("alarm").map_or(Some("NONE"), Value::as_str)?;
        let kind: String = kind.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        Some(Alarm { kind, member: number(alarm, "memberID")? })
    };
    list.as_array().and_then(|list| list.iter().map(one).collect::<Option<Vec<_>>>()).ok_or_else(none)
}

/// The body of a read of a key that nobody has. It goes through raft: this member and a quorum answer it together.
#[must_use]
pub fn absent_key() -> Value {
    // "quorate-absent-key" in base64.
    json!({ "key": "cXVvcmF0ZS1hYnNlbnQta2V5" })
}

/// Whether the answer to [`absent_key`] shows a read through raft.
///
/// # Errors
/// When it is anything else, such as "not capable" or a time-out.
pub fn gateway_read(status: u16, body: &[u8]) -> Result<(), AnswerError> {
    let none = || unforeseen("kv/range", "a linearized read", status, body);
    answered(status, body).filter(|value| value.get("header").is_some()).map(|_| ()).ok_or_else(none)
}

/// The body that asks a member how many keys it held itself at a revision, without reading them.
#[must_use]
pub fn keys_at(revision: u64) -> Value {
    // From the key of one zero byte to the end of all keys, which is one zero byte as well.
    let (first, end) = ("AA==", "AA==");
    json!({ "key": first, "range_end": end, "revision": revision.to_string(), "count_only": true, "serializable": true })
}

/// Reads the answer to [`keys_at`]; `None` where the member has compacted that revision away.
///
/// # Errors
/// When it is no count.
pub fn gateway_count(status: u16, body: &[u8]) -> Result<Option<KeyCount>, AnswerError> {
    let none = || unforeseen("kv/range", "a count of keys", status, body);
    // etcd api/v3rpc/rpctypes: ErrCompacted, in every minor from 3.0 to 3.7.
    if status != 200 && String::from_utf8_lossy(body).contains("required revision has been compacted") {
        return Ok(None);
    }
    let value = answered(status, body).filter(|value| value.get("header").is_some()).ok_or_else(none)?;
    Ok(Some(KeyCount(number(&value, "count").ok_or_else(none)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(server: &str, cluster: &str) -> VersionAnswer {
        let body = format!(r#"{{"etcdserver":"{server}","etcdcluster":"{cluster}"}}"#);
        super::super::version::from_version_body(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_member_is_asked_by_the_api_that_serves_on_it() {
        let cases = [
            ("2.3.8", "2.3.0", Api::V2),
            ("3.0.17", "2.3.0", Api::V2),
            ("3.0.17", "not_decided", Api::V2),
            ("3.0.17", "3.0.0", Api::V3 { prefix: "/v3alpha" }),
            ("3.2.32", "3.1.0", Api::V3 { prefix: "/v3alpha" }),
            ("3.3.27", "not_decided", Api::V3 { prefix: "/v3beta" }),
            ("3.4.13", "3.3.0", Api::V3 { prefix: "/v3" }),
            ("3.7.3", "3.7.0", Api::V3 { prefix: "/v3" }),
            ("4.0.0", "4.0.0", Api::V3 { prefix: "/v3" }),
        ];
        for (server, cluster, expected) in cases {
            assert_eq!(api(&version(server, cluster)), expected, "{server} {cluster}");
        }
    }

    const HEADER: &str = r#""header":{"cluster_id":"12585971608760269493","member_id":"9372538179322589801","revision":"7","raft_term":"2"}"#;

    #[test]
    fn the_applied_index_goes_by_another_name_from_3_4_on() {
        let old = format!(
            r#"{{{HEADER},"version":"3.3.27","dbSize":"20480","leader":"9372538179322589801","raftIndex":"41","raftTerm":"2"}}"#
        );
        let told = member_status(&Version::new(3, 3, 27), 200, old.as_bytes()).unwrap();
        assert_eq!((told.index, told.term, told.leader), (41, 2, Some(9_372_538_179_322_589_801)));
        assert_eq!((told.store.revision, told.store.db_size, told.store.db_in_use), (7, 20480, None));
        let new = format!(
            r#"{{{HEADER},"version":"3.6.16","dbSize":"20480","leader":"9372538179322589801","raftIndex":"45","raftAppliedIndex":"41","raftTerm":"2","dbSizeInUse":"16384","storageVersion":"3.6.0"}}"#
        );
        let told = member_status(&Version::new(3, 6, 16), 200, new.as_bytes()).unwrap();
        assert_eq!((told.index, told.store.db_in_use), (41, Some(16384)));
        assert_eq!(told.store.storage, Some(Version::new(3, 6, 0)));
    }

    #[test]
    fn a_member_without_a_leader_says_so_by_leaving_it_out() {
        let body =
            format!(r#"{{{HEADER},"version":"3.5.35","raftIndex":"45","raftAppliedIndex":"45","raftTerm":"2"}}"#);
        assert_eq!(member_status(&Version::new(3, 5, 35), 200, body.as_bytes()).unwrap().leader, None);
    }

    #[test]
    fn what_is_no_status_is_refused() {
        let v = Version::new(3, 5, 35);
        let capable = r#"{"error":"etcdserver: not capable","message":"etcdserver: not capable","code":14}"#;
        let fault = member_status(&v, 503, capable.as_bytes()).unwrap_err();
        assert!(fault.to_string().contains("not capable"), "{fault}");
        let twice = format!(r#"{{{HEADER},{HEADER},"raftTerm":"2"}}"#);
        for body in [
            "",
            "[]",
            r#"{"header":{"member_id":"1"},"raftTerm":"2"}"#,
            r#"{"header":{"member_id":"x","cluster_id":"1"},"raftTerm":"2"}"#,
            &twice,
        ] {
            assert!(member_status(&v, 200, body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn members_have_decimal_ids_and_may_be_learners_or_unstarted() {
        let body = format!(
            r#"{{{HEADER},"members":[{{"ID":"13847567121247652255","name":"infra1","peerURLs":["http://10.0.0.1:2380"],"clientURLs":["http://10.0.0.1:2379"]}},{{"ID":"5","peerURLs":["http://10.0.0.2:2380"],"isLearner":true}}]}}"#
        );
        let members = gateway_members(200, body.as_bytes()).unwrap();
        assert_eq!((members[0].id, members[0].name.as_str(), members[0].learner), (5, "", true));
        assert_eq!((members[1].id, members[1].learner), (13_847_567_121_247_652_255, false));
        assert!(gateway_members(200, br#"{"members":[{"ID":"5"},{"ID":"5"}]}"#).is_err());
        assert!(gateway_members(200, br#"{"members":[{"ID":"0"}]}"#).is_err());
        assert!(gateway_members(200, br#"{"members":[{"ID":"5","name":"\u001b[2J"}]}"#).is_err());
    }

    #[test]
    fn a_downgrade_under_way_is_told_and_its_orders_are_taken_or_refused() {
        let store = |info: &str| {
            let body = format!(
                r#"{{"header":{{"cluster_id":"1","member_id":"2","raft_term":"2"}},"raftTerm":"2","downgradeInfo":{info}}}"#
            );
            member_status(&Version::new(3, 6, 16), 200, body.as_bytes()).unwrap().store.downgrade
        };
        assert_eq!(store("{}"), None);
        assert_eq!(store(r#"{"enabled":true, "targetVersion":"3.6.0"}"#), Some("3.6.0".to_owned()));
        let body = downgrade_to("ENABLE", &Version::new(3, 5, 35));
        assert_eq!(body, json!({ "action": "ENABLE", "version": "3.5" }));
        let taken = format!(r#"{{{HEADER}, "version":"3.7"}}"#);
        assert_eq!(downgrade_taken(200, taken.as_bytes()), Ok(()));
        let no = br#"{"code":3, "message":"etcdserver: invalid downgrade target version"}"#;
        assert!(downgrade_taken(400, no).unwrap_err().to_string().contains("invalid downgrade target version"));
    }

    #[test]
    fn alarms_are_named_with_their_member() {
        let none = format!("{{{HEADER}}}");
        assert_eq!(alarms(200, none.as_bytes()), Ok(vec![]));
        let one = format!(r#"{{{HEADER},"alarms":[{{"memberID":"10","alarm":"NOSPACE"}}]}}"#);
        assert_eq!(alarms(200, one.as_bytes()), Ok(vec![Alarm { kind: "NOSPACE".to_owned(), member: 10 }]));
        assert_eq!(alarms(200, b"{}"), Ok(vec![]));
        assert!(alarms(200, b"[]").is_err() && alarms(503, none.as_bytes()).is_err());
    }

    #[test]
    fn a_read_and_a_count_need_a_header() {
        let read = format!("{{{HEADER}}}");
        assert_eq!(gateway_read(200, read.as_bytes()), Ok(()));
        assert!(gateway_read(200, b"{}").is_err());
        assert!(gateway_read(503, read.as_bytes()).is_err());
        assert_eq!(gateway_count(200, read.as_bytes()), Ok(Some(KeyCount(0))));
        let some = format!(r#"{{{HEADER},"count":"12"}}"#);
        assert_eq!(gateway_count(200, some.as_bytes()), Ok(Some(KeyCount(12))));
        let gone = r#"{"error":"etcdserver: mvcc: required revision has been compacted","code":11}"#;
        assert_eq!(gateway_count(400, gone.as_bytes()), Ok(None));
        assert!(gateway_count(503, b"{}").is_err() && gateway_count(200, b"{}").is_err());
    }
}
