//! Whether all members hold the same: the hash of their keys at one revision (etcd's HashKV).

use std::collections::BTreeMap;

use semver::Version;
use serde_json::{Value, json};

use super::answer::{AnswerError, unforeseen};
use super::gateway::{answered, number};

/// From this patch on the gateway serves it below a path of its own; before, `maintenance/hash` answered for two calls (etcd
/// CHANGELOG-3.5, 3.5.10; read 2026-11-24).
const FIRST: Version = Version::new(3, 5, 10);

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

/// Whether a member of that version tells it.
#[must_use]
pub fn tells_key_hash(version: &Version) -> bool {
    *version >= FIRST
}

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
    // etcd api/v3rpc/rpctypes: ErrFutureRev and ErrCompacted (3.5.35, 3.6.16, 3.7.3 seen in the lab 2026-11-27).
    if status != 200 && ["is a future revision", "has been compacted"].iter().any(|words| text.contains(words)) {
        return Ok(None);
    }
    let value = answered(status, body).filter(|value| value.get("header").is_some()).ok_or_else(none)?;
    let hash = number(&value, "hash").ok_or_else(none)?;
    let compacted = match value.get("compact_revision") {
        None => Some(0),
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(other) => other.as_i64(),
    };
    Ok(Some(KeyHash { hash, compacted: compacted.ok_or_else(none)? }))
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
    fn the_patch_decides_whether_it_is_told() {
        let tells = |text: &str| tells_key_hash(&text.parse().unwrap());
        assert!(tells("3.5.10") && tells("3.6.0") && tells("3.7.3"));
        assert!(!tells("3.5.9") && !tells("3.4.43") && !tells("2.0.5"));
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
