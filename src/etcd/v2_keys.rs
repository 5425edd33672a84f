//! Keys of the v2 store and their copies in the v3 store, by the gateway.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::{AnswerError, unforeseen};
use super::gateway::{answered, number};

/// A key of the v2 store with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V2Key {
    /// Its path, from the root.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The store's index of its last change.
    pub modified: u64,
    /// Seconds it has to live, where it has not for ever.
    pub ttl: Option<u64>,
}

/// What is in the v2 store, but for what is hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct V2Store {
    /// Its keys.
    pub keys: Vec<V2Key>,
    /// Its folders, each behind those that are in it.
    pub folders: Vec<V2Folder>,
}

/// A folder of the v2 store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V2Folder {
    /// Its path, from the root.
    pub key: String,
    /// Seconds it has to live with all in it, where it has not for ever.
    pub ttl: Option<u64>,
}

/// The whole v2 store at one moment, as a member said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V2Listing {
    /// What is in it.
    pub store: V2Store,
    /// The store's index at that moment: grows by one with each write.
    pub index: u64,
    /// The answer, byte for byte.
    pub body: Vec<u8>,
}

/// Whether the answer to a question below `/v2/keys/` is that of a member that does not serve the v2 API: 404 without an error of that API
/// (3.4 on without `enable-v2`, seen in the lab; 3.2 and 3.3 with `enable-v2=false`: etcd v3.3.27 embed/etcd.go, read 2026-11-28).
#[must_use]
pub fn lacks_v2_api(status: u16, body: &[u8]) -> bool {
    let of_v2 = |value: Value| value.get("errorCode").is_some();
    status == 404 && !serde_json::from_slice(body).is_ok_and(of_v2)
}

/// Reads the answer to `GET /v2/keys/?recursive=true` of a member that may have no v2 API: `index` is the number in its header
/// `X-Etcd-Index`, and `None` is for one that does not serve it.
///
/// # Errors
/// When it is neither.
pub fn v2_listing(status: u16, index: Option<u64>, body: Vec<u8>) -> Result<Option<V2Listing>, AnswerError> {
    if lacks_v2_api(status, &body) {
        return Ok(None);
    }
    let store = v2_store(status, &body)?;
    let none = || unforeseen("/v2/keys/?recursive=true", "a number in the header X-Etcd-Index", status, &body);
    let index = index.ok_or_else(none)?;
    Ok(Some(V2Listing { store, index, body }))
}

/// Reads the answer to `GET /v2/auth/enable` that was asked for without a name: who may not know it is refused, since it is on. Releases
/// before 2.1 have none.
///
/// # Errors
/// When it says neither.
pub fn v2_auth(status: u16, body: &[u8]) -> Result<bool, AnswerError> {
    let enabled = || serde_json::from_slice::<Value>(body).ok()?.get("enabled")?.as_bool();
    match status {
        401 | 403 => Ok(true),
        404 => Ok(false),
        200 => enabled().ok_or_else(|| unforeseen("/v2/auth/enable", "whether it is on", status, body)),
        _ => Err(unforeseen("/v2/auth/enable", "whether it is on", status, body)),
    }
}

/// What became of what was to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum V2Made {
    /// It was.
    Now,
    /// There is something of its name.
    There,
}

/// Reads the answer to `PUT /v2/keys/…` with `prevExist=false`.
///
/// # Errors
/// When it says neither.
pub fn v2_made(status: u16, body: &[u8]) -> Result<V2Made, AnswerError> {
    let none = || unforeseen("PUT /v2/keys/…", "201, or error 105", status, body);
    let value: Value = serde_json::from_slice(body).map_err(|_| none())?;
    match value.get("errorCode").and_then(Value::as_u64) {
        // Key already exists.
        Some(105) => Ok(V2Made::There),
        None if status == 201 && value.get("node").is_some() => Ok(V2Made::Now),
        _ => Err(none()),
    }
}

/// How many keys a message names.
const NAMED: usize = 5;

/// The first few of many keys, for a message.
#[must_use]
pub fn first_names<'k>(names: impl IntoIterator<Item = &'k str>) -> String {
    let mut names = names.into_iter();
    let first: Vec<&str> = names.by_ref().take(NAMED).collect();
    let more = if names.next().is_some() { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

/// Reads the answer to `GET /v2/keys/?recursive=true`.
///
/// # Errors
/// When it is no tree of nodes.
pub fn v2_store(status: u16, body: &[u8]) -> Result<V2Store, AnswerError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Node {
        #[serde(default)]
        key: String,
        #[serde(default)]
        value: String,
        #[serde(default)]
        dir: bool,
        #[serde(default)]
        nodes: Vec<Node>,
        #[serde(default)]
        modified_index: u64,
        ttl: Option<i64>,
    }
    #[derive(serde::Deserialize)]
    struct Listing {
        node: Node,
    }
    fn gather(node: Node, store: &mut V2Store) {
        let Node { key, value, dir, nodes, modified_index, ttl } = node;
        for node in nodes {
            gather(node, store);
        }
        // One that ends right now says 0, or less.
        let ttl = ttl.map(|seconds| u64::try_from(seconds).unwrap_or(1).max(1));
        if !dir {
            store.keys.push(V2Key { key, value, modified: modified_index, ttl });
        } else if !matches!(key.as_str(), "" | "/") {
            store.folders.push(V2Folder { key, ttl });
        }
    }
    let none = || unforeseen("/v2/keys/?recursive=true", "a tree of nodes", status, body);
    let listing: Listing = serde_json::from_slice(body).ok().filter(|_| status == 200).ok_or_else(none)?;
    let mut store = V2Store::default();
    gather(listing.node, &mut store);
    Ok(store)
}

/// What became of a key that was to be removed as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// It was changed since it was read, or has got something in it, and is still there.
    Changed,
}

/// Reads the answer to `DELETE /v2/keys/…` with `prevIndex=…` for a key, or `dir=true` for a folder.
///
/// # Errors
/// When it says neither that the key is gone nor that it was changed.
pub fn v2_removed(status: u16, body: &[u8]) -> Result<Removed, AnswerError> {
    let none = || unforeseen("DELETE /v2/keys/…", "200, or error 100, 101 or 108", status, body);
    let value: Value = serde_json::from_slice(body).map_err(|_| none())?;
    match value.get("errorCode").and_then(Value::as_u64) {
        Some(100) => Ok(Removed::Gone),
        // Compare failed; directory not empty (both seen in the lab with 3.3.27).
        Some(101 | 108) => Ok(Removed::Changed),
        None if status == 200 && value.get("node").is_some() => Ok(Removed::Gone),
        _ => Err(none()),
    }
}

fn coded(text: &str) -> String {
    STANDARD.encode(text)
}

/// The body that asks for a lease of so many seconds.
#[must_use]
pub fn lease_of(seconds: u64) -> Value {
    json!({ "TTL": seconds.to_string() })
}

/// Reads the ID of a lease from the answer to `lease/grant`.
///
/// # Errors
/// When none was given.
pub fn lease_granted(status: u16, body: &[u8]) -> Result<u64, AnswerError> {
    let id = answered(status, body).and_then(|value| number(&value, "ID")).filter(|id| *id != 0);
    id.ok_or_else(|| unforeseen("lease/grant", "a lease", status, body))
}

/// The body of `kv/txn` that puts the key with the same name and value into the v3 store, as `etcdctl migrate` does (etcd v3.3.27
/// etcdctl/ctlv3/command/migrate_command.go, read 2026-11-27): if nothing is there, or what it is to replace; else it reads what is.
#[must_use]
pub fn copy_of(key: &V2Key, lease: Option<u64>, replaces: Option<&str>) -> Value {
    let name = coded(&key.key);
    let mut put = json!({ "key": name, "value": coded(&key.value) });
    if let (Some(lease), Some(put)) = (lease, put.as_object_mut()) {
        put.insert("lease".to_owned(), json!(lease.to_string()));
    }
    let compare = match replaces {
        None => json!({ "target": "VERSION", "result": "EQUAL", "key": name, "version": "0" }),
        Some(old) => json!({ "target": "VALUE", "result": "EQUAL", "key": name, "value": coded(old) }),
    };
    json!({
        "compare": [compare],
        "success": [{ "requestPut": put }],
        "failure": [{ "requestRange": { "key": name } }],
    })
}

/// What the v3 store holds of a key after [`copy_of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The copy was put now.
    Now,
    /// The same value was there.
    Before,
    /// Another value is there, and was left.
    Other,
}

/// Reads the answer to [`copy_of`].
///
/// # Errors
/// When it is none.
pub fn copied(key: &V2Key, status: u16, body: &[u8]) -> Result<Copied, AnswerError> {
    let none = || unforeseen("kv/txn", "the outcome of a transaction", status, body);
    let value = answered(status, body).filter(|value| value.get("header").is_some()).ok_or_else(none)?;
    if value.get("succeeded").and_then(Value::as_bool) == Some(true) {
        return Ok(Copied::Now);
    }
    // Written `responseRange` by some gateways and `response_range` by others.
    let response = value.pointer("/responses/0").ok_or_else(none)?;
    let range = response.get("response_range").or_else(|| response.get("responseRange")).ok_or_else(none)?;
    let found = range.pointer("/kvs/0").ok_or_else(none)?;
    Ok(if holds(found, key) { Copied::Before } else { Copied::Other })
}

/// An empty value is left out.
fn holds(found: &Value, key: &V2Key) -> bool {
    let value = found.get("value").and_then(Value::as_str).unwrap_or_default();
    value == coded(&key.value)
}

/// The body of `kv/range` that reads a key's copy through raft.
#[must_use]
pub fn copy_read(key: &V2Key) -> Value {
    json!({ "key": coded(&key.key) })
}

/// What the v3 store has under a key's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// Nothing.
    None,
    /// The same value.
    Same,
    /// Another value.
    Other,
}

/// Reads the answer to [`copy_read`].
///
/// # Errors
/// When it is no answer to a read.
pub fn copy_found(key: &V2Key, status: u16, body: &[u8]) -> Result<Copy, AnswerError> {
    let value = answered(status, body).filter(|value| value.get("header").is_some());
    let value = value.ok_or_else(|| unforeseen("kv/range", "a key", status, body))?;
    Ok(match value.pointer("/kvs/0") {
        None => Copy::None,
        Some(found) if holds(found, key) => Copy::Same,
        Some(_) => Copy::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> V2Key {
        V2Key { key: "/a/b".to_owned(), value: value.to_owned(), modified: 7, ttl: None }
    }

    #[test]
    fn keys_are_read_out_of_their_folders() {
        let body = r#"{"action":"get","node":{"dir":true,"nodes":[
            {"key":"/x","value":"1","modifiedIndex":5,"createdIndex":5},
            {"key":"/d","dir":true,"ttl":9,"modifiedIndex":6,"nodes":[
                {"key":"/d/z","dir":true},{"key":"/d/y","value":"","ttl":30,"expiration":"2026-11-27T10:00:00Z","modifiedIndex":9}]},
            {"key":"/e","dir":true}]}}"#;
        let of = |key: &str, value: &str, modified, ttl| V2Key { key: key.into(), value: value.into(), modified, ttl };
        let store = v2_store(200, body.as_bytes()).unwrap();
        assert_eq!(store.keys, [of("/x", "1", 5, None), of("/d/y", "", 9, Some(30))]);
        let folder = |key: &str, ttl| V2Folder { key: key.into(), ttl };
        assert_eq!(store.folders, [folder("/d/z", None), folder("/d", Some(9)), folder("/e", None)]);
        assert_eq!(v2_store(200, br#"{"action":"get","node":{"dir":true}}"#), Ok(V2Store::default()));
        assert!(v2_store(404, b"404 page not found").is_err());
    }

    #[test]
    fn of_many_names_the_first_are_told() {
        assert_eq!(first_names(["/a", "/b"]), "/a, /b");
        assert_eq!(first_names(["1", "2", "3", "4", "5"]), "1, 2, 3, 4, 5");
        assert_eq!(first_names(["1", "2", "3", "4", "5", "6"]), "1, 2, 3, 4, 5, …");
    }

    #[test]
    fn a_listing_is_whole_or_there_is_no_such_api() {
        let body = br#"{"action":"get","node":{"dir":true,"nodes":[{"key":"/x","value":"1","modifiedIndex":5}]}}"#;
        let listing = v2_listing(200, Some(7), body.to_vec()).unwrap().unwrap();
        assert_eq!((listing.store.keys.len(), listing.index, listing.body.as_slice()), (1, 7, &body[..]));
        assert!(v2_listing(200, None, body.to_vec()).is_err());
        assert_eq!(v2_listing(404, None, b"404 page not found\n".to_vec()), Ok(None));
        assert!(lacks_v2_api(404, b"404 page not found\n") && !lacks_v2_api(200, b"{}"));
        assert!(!lacks_v2_api(404, br#"{"errorCode":100,"message":"Key not found"}"#));
        assert_eq!(v2_listing(404, None, br#"{"error":"Not Found","code":5}"#.to_vec()), Ok(None));
        assert!(v2_listing(404, None, br#"{"errorCode":100,"message":"Key not found"}"#.to_vec()).is_err());
        assert!(v2_listing(401, None, br#"{"message":"Insufficient credentials"}"#.to_vec()).is_err());
    }

    #[test]
    fn what_is_there_is_not_made_and_who_may_not_ask_knows_that_auth_is_on() {
        assert_eq!(v2_made(201, br#"{"action":"create","node":{"key":"/a"}}"#), Ok(V2Made::Now));
        assert_eq!(v2_made(412, br#"{"errorCode":105,"message":"Key already exists"}"#), Ok(V2Made::There));
        assert!(v2_made(500, br#"{"errorCode":300}"#).is_err() && v2_made(404, b"404 page not found").is_err());
        assert_eq!(v2_auth(200, br#"{"enabled":false}"#), Ok(false));
        assert_eq!(v2_auth(200, br#"{"enabled":true}"#), Ok(true));
        assert_eq!((v2_auth(401, b""), v2_auth(404, b"404 page not found")), (Ok(true), Ok(false)));
        assert!(v2_auth(200, b"{}").is_err() && v2_auth(503, b"").is_err());
    }

    #[test]
    fn a_key_is_gone_or_was_changed_and_nothing_else_counts() {
        assert_eq!(v2_removed(200, br#"{"action":"compareAndDelete","node":{"key":"/a"}}"#), Ok(Removed::Gone));
        assert_eq!(v2_removed(404, br#"{"errorCode":100,"message":"Key not found"}"#), Ok(Removed::Gone));
        assert_eq!(v2_removed(412, br#"{"errorCode":101,"message":"Compare failed"}"#), Ok(Removed::Changed));
        assert_eq!(v2_removed(403, br#"{"errorCode":108,"message":"Directory not empty"}"#), Ok(Removed::Changed));
        assert!(v2_removed(403, br#"{"errorCode":102}"#).is_err() && v2_removed(503, b"{}").is_err());
    }

    #[test]
    fn a_copy_is_put_where_nothing_is_and_compared_where_something_is() {
        let body = copy_of(&key("v"), Some(12), None);
        assert_eq!(body.pointer("/success/0/requestPut/lease"), Some(&json!("12")));
        assert_eq!(body.pointer("/success/0/requestPut/key"), Some(&json!("L2EvYg==")));
        assert!(copy_of(&key("v"), None, None).pointer("/success/0/requestPut/lease").is_none());
        let again = copy_of(&key("w"), None, Some("v"));
        assert_eq!(again.pointer("/compare/0/value"), Some(&json!("dg==")));
        let put = br#"{"header":{"revision":"3"},"succeeded":true,"responses":[{}]}"#;
        assert_eq!(copied(&key("v"), 200, put), Ok(Copied::Now));
        for name in ["response_range", "responseRange"] {
            let found = |value: &str| {
                format!(r#"{{"header":{{}},"responses":[{{"{name}":{{"kvs":[{{"key":"L2EvYg=="{value}}}]}}}}]}}"#)
            };
            let same = found(r#","value":"dg==""#);
            assert_eq!(copied(&key("v"), 200, same.as_bytes()), Ok(Copied::Before));
            assert_eq!(copied(&key("w"), 200, same.as_bytes()), Ok(Copied::Other));
            assert_eq!(copied(&key(""), 200, found("").as_bytes()), Ok(Copied::Before));
        }
        assert!(copied(&key("v"), 503, put).is_err() && copied(&key("v"), 200, br#"{"header":{}}"#).is_err());
    }

    #[test]
    fn only_the_same_value_is_a_copy() {
        let body = br#"{"header":{},"kvs":[{"key":"L2EvYg==","value":"dg=="}],"count":"1"}"#;
        assert_eq!(copy_found(&key("v"), 200, body), Ok(Copy::Same));
        assert_eq!(copy_found(&key("w"), 200, body), Ok(Copy::Other));
        assert_eq!(copy_found(&key("v"), 200, br#"{"header":{}}"#), Ok(Copy::None));
        assert!(copy_found(&key("v"), 200, b"{}").is_err());
        assert_eq!(lease_granted(200, br#"{"header":{},"ID":"7587864","TTL":"30"}"#), Ok(7_587_864));
        assert!(lease_granted(200, br#"{"header":{}}"#).is_err());
    }
}
