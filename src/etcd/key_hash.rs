//! Whether all members hold the same: the hash of their keys at one revision (etcd's HashKV).

use std::collections::BTreeMap;

use semver::Version;
use serde_json::{Value, json};

use super::answer::{AnswerError, unforeseen};
use super::gateway::{answered, number};
use super::strict_json;

/// From this patch on the gateway serves it below a path of its own; before, `maintenance/hash` answered for two calls (etcd
/// CHANGELOG-3.5, 3.5.10; read 2026-11-24).
const FIRST: Version = Version::new(3, 5, 10);

/// From this minor on members tell it to etcdctl (etcd CHANGELOG-3.3; 3.3.27 and 3.4.23 seen in the lab 2026-11-27).
const FIRST_BY_TOOL: Version = Version::new(3, 3, 0);

/// A member's keys at a revision, as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHash {
    /// The hash.
    pub hash: u64,
    /// Up to which revision it had compacted; -1 before the first time. Hashes of stores that are compacted differently differ.
    pub compacted: i64,
}

/// What the hashes of all members come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// All hold the same.
    Same,
    /// They cannot be compared: a compaction lies between. Asked again they may.
    NotNow,
    /// They differ; by host.
    Differ(String),
}

/// How a member is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashBy {
    /// By the gateway.
    Gateway,
    /// By `etcdctl endpoint hashkv`.
    Tool,
}

/// How a member of that version tells it; `None` where it does not.
#[must_use]
pub fn hash_by(version: &Version) -> Option<HashBy> {
    if *version >= FIRST {
        return Some(HashBy::Gateway);
    }
    (*version >= FIRST_BY_TOOL).then_some(HashBy::Tool)
}

/// etcd api/v3rpc/rpctypes: `ErrFutureRev` and `ErrCompacted` (3.3.27 to 3.7.3 seen in the lab 2026-11-27).
const NOT_THERE: [&str; 2] = ["is a future revision", "has been compacted"];

/// The body of the question.
#[must_use]
pub fn key_hash_at(revision: u64) -> Value {
    json!({ "revision": revision.to_string() })
}

/// Reads the answer to `maintenance/hashkv`; `None` where the member is not at that revision yet or has compacted it away.
///
/// # Errors
/// When it is no hash.
pub fn key_hash(status: u16, body: &[u8]) -> Result<Option<KeyHash>, AnswerError> {
    let none = || unforeseen("maintenance/hashkv", "a hash", status, body);
    let text = String::from_utf8_lossy(body);
    if status != 200 && NOT_THERE.iter().any(|words| text.contains(words)) {
        return Ok(None);
    }
    let value = answered(status, body).ok_or_else(none)?;
    Ok(Some(of_answer(&value).ok_or_else(none)?))
}

fn of_answer(value: &Value) -> Option<KeyHash> {
    value.get("header")?;
    let compacted = match value.get("compact_revision") {
        None => 0,
        Some(Value::String(digits)) => digits.parse().ok()?,
        Some(other) => other.as_i64()?,
    };
    Some(KeyHash { hash: number(value, "hash")?, compacted })
}

/// Reads what `etcdctl endpoint hashkv --write-out=json` says of one member: on standard output where it succeeded, else on standard
/// error; `None` as in [`key_hash`].
///
/// # Errors
/// When it is no hash.
pub fn key_hash_of_tool(succeeded: bool, said: &[u8]) -> Result<Option<KeyHash>, AnswerError> {
    let text = String::from_utf8_lossy(said);
    if !succeeded && NOT_THERE.iter().any(|words| text.contains(words)) {
        return Ok(None);
    }
    let read = || of_answer(strict_json::parse(said).ok().filter(|_| succeeded)?.get(0)?.get("HashKV")?);
    let start: String = text.trim().chars().take(200).collect();
    let none = || AnswerError { path: "etcdctl endpoint hashkv", expected: "a hash", found: format!("`{start}`") };
    read().map(Some).ok_or_else(none)
}

/// Compares what all members told of one revision, by host; `None` is a member that could not tell it.
#[must_use]
pub fn sameness(told: &BTreeMap<String, Option<KeyHash>>) -> Sameness {
    let Some(all) = told.values().copied().collect::<Option<Vec<KeyHash>>>() else { return Sameness::NotNow };
    let Some(first) = all.first() else { return Sameness::Same };
    if all.iter().any(|one| one.compacted != first.compacted) {
        return Sameness::NotNow;
    }
    if all.iter().all(|one| one.hash == first.hash) {
        return Sameness::Same;
    }
    let each: Vec<String> =
        told.iter().filter_map(|(host, hash)| Some(format!("{host} {:08x}", hash.as_ref()?.hash))).collect();
    Sameness::Differ(each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_the_gateway_of_each_minor_writes_it() {
        // 3.5.35 leaves hash_revision out.
        for rest in ["", r#","hash_revision":"2""#] {
            let body = format!(r#"{{"header":{{"revision":"2"}},"hash":3628877040,"compact_revision":"-1"{rest}}}"#);
            assert_eq!(key_hash(200, body.as_bytes()), Ok(Some(KeyHash { hash: 3_628_877_040, compacted: -1 })));
        }
        let body = br#"{"header":{"revision":"9"},"hash":7,"compact_revision":"5"}"#;
        assert_eq!(key_hash(200, body), Ok(Some(KeyHash { hash: 7, compacted: 5 })));
        let future = br#"{"code":11, "message":"etcdserver: mvcc: required revision is a future revision"}"#;
        assert_eq!(key_hash(400, future), Ok(None));
        let gone = br#"{"code":11, "message":"etcdserver: mvcc: required revision has been compacted"}"#;
        assert_eq!(key_hash(400, gone), Ok(None));
        assert!(key_hash(200, b"{}").is_err() && key_hash(503, b"{}").is_err() && key_hash(404, b"Not Found").is_err());
    }

    #[test]
    fn the_patch_decides_how_it_is_told() {
        let by = |text: &str| hash_by(&text.parse().unwrap());
        for version in ["3.5.10", "3.6.0", "3.7.3"] {
            assert_eq!(by(version), Some(HashBy::Gateway), "{version}");
        }
        for version in ["3.5.9", "3.4.43", "3.3.0"] {
            assert_eq!(by(version), Some(HashBy::Tool), "{version}");
        }
        assert!(by("3.2.32").is_none() && by("2.0.5").is_none());
    }

    #[test]
    fn a_hash_is_read_as_etcdctl_writes_it() {
        let body = br#"[{"Endpoint":"http://10.0.0.1:2379","HashKV":{"header":{"cluster_id":1,"member_id":2,"revision":9,"raft_term":2},"hash":7,"compact_revision":-1}}]"#;
        assert_eq!(key_hash_of_tool(true, body), Ok(Some(KeyHash { hash: 7, compacted: -1 })));
        let future = b"Failed to get the hash of endpoint x (etcdserver: mvcc: required revision is a future revision)";
        assert_eq!(key_hash_of_tool(false, future), Ok(None));
        for said in [&b""[..], b"[]", b"null", br#"[{"HashKV":null}]"#, br#"[{"HashKV":{"hash":7}}]"#] {
            assert!(key_hash_of_tool(true, said).is_err() && key_hash_of_tool(false, said).is_err());
        }
        assert!(key_hash_of_tool(false, body).is_err());
    }

    #[test]
    fn hashes_count_only_where_all_tell_them_of_one_compaction() {
        let of = |told: &[(&str, Option<(u64, i64)>)]| {
            let one = |&(host, hash): &(&str, Option<(u64, i64)>)| {
                (host.to_owned(), hash.map(|(hash, compacted)| KeyHash { hash, compacted }))
            };
            sameness(&told.iter().map(one).collect())
        };
        assert_eq!(of(&[("a", Some((1, -1))), ("b", Some((1, -1)))]), Sameness::Same);
        assert_eq!(of(&[("a", Some((1, 3))), ("b", Some((2, 4)))]), Sameness::NotNow);
        assert_eq!(of(&[("a", Some((1, 3))), ("b", None)]), Sameness::NotNow);
        let differ = of(&[("a", Some((1, 3))), ("b", Some((255, 3)))]);
        assert_eq!(differ, Sameness::Differ("a 00000001, b 000000ff".to_owned()));
    }
}
