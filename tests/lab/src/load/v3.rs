//! The v3 interface by way of its JSON gateway, of etcd 3.0 to 3.7.
//!
//! A revision is for v3 what an index is for v2: each transaction that writes has one of its own, and it
//! is the `mod_revision` of what it wrote.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::Error;

use super::driver::{Driver, Entry, Membership, No, Outcome, Reading};
use super::plan::Plan;
use super::run::LoadError;
use super::wire::{Answer, Wire, failed};
use crate::{gateway, version};

/// Keys that one call lists. The gateway's own client takes 4 MiB at most up to 3.3 (the default of its gRPC),
/// and a chain's value has up to 4 KiB.
const PAGE: u32 = 500;

/// A path that the member does not serve: its gateway is under another prefix, or it has none. No write
/// of the load gets this status for another reason, since none names a lease.
const NO_SUCH_PATH: u16 = 404;

/// One member by its gateway.
#[derive(Debug)]
pub(super) struct V3 {
    wire: Wire,
    /// Where its gateway was last found. Asked anew after each failure, since that may be an upgrade.
    prefix: Cell<Option<&'static str>>,
}

impl V3 {
    pub(super) fn new(plan: &Plan, endpoint: &str, limit: Duration) -> Result<Self, LoadError> {
        Ok(Self { wire: Wire::new(plan, endpoint, limit)?, prefix: Cell::new(None) })
    }

    /// One call. What was sent to a path that is not served was not done, so it is sent to the right one.
    fn call(&self, name: &str, body: &Value) -> Result<Answer, Outcome> {
        let known = self.prefix.get();
        let prefix = known.map_or_else(|| self.detect(), Ok)?;
        let answer = self.post(prefix, name, body)?;
        if answer.status != NO_SUCH_PATH {
            return Ok(answer);
        }
        self.prefix.set(None);
        let other = if known.is_some() { self.detect()? } else { prefix };
        if other == prefix {
            return Err(Outcome::No(No::Incapable));
        }
        let answer = self.post(other, name, body)?;
        if answer.status == NO_SUCH_PATH { Err(Outcome::No(No::Incapable)) } else { Ok(answer) }
    }

    fn post(&self, prefix: &str, name: &str, body: &Value) -> Result<Answer, Outcome> {
        self.wire.post(prefix, name, body).map_err(|error| self.lost(&error))
    }

    /// Asks the member for its version.
    fn detect(&self) -> Result<&'static str, Outcome> {
        let answer = self.wire.get("/version", &[]).map_err(|error| self.lost(&error))?;
        let (Some(version), _) = version::said(&answer.text) else {
            return Err(answer.strange());
        };
        // Nothing was sent to a member without a gateway.
        let prefix = gateway::prefix(&version).ok_or(Outcome::No(No::Incapable))?;
        self.prefix.set(Some(prefix));
        Ok(prefix)
    }

    fn lost(&self, error: &Error) -> Outcome {
        self.prefix.set(None);
        failed(error)
    }

    /// A write under one condition; `no` is what a condition that does not hold means.
    fn write(&self, key: &str, value: &str, condition: Value, no: No) -> Outcome {
        let put = json!({ "request_put": { "key": encode(key), "value": encode(value) } });
        match self.call("kv/txn", &json!({ "compare": [condition], "success": [put] })) {
            Ok(answer) => written(&answer, no),
            Err(outcome) => outcome,
        }
    }

    fn ask(&self, name: &str, body: &Value) -> Result<Answer, String> {
        match self.call(name, body) {
            Ok(answer) if answer.status == 200 && answer.body.get("header").is_some() => Ok(answer),
            Ok(answer) => Err(answer.said()),
            Err(outcome) => Err(format!("{outcome:?}")),
        }
    }
}

impl Driver for V3 {
    fn create(&self, key: &str, value: &str) -> Outcome {
        let absent = json!({ "key": encode(key), "target": "CREATE", "create_revision": "0" });
        self.write(key, value, absent, No::Exists)
    }

    fn swap(&self, key: &str, value: &str, previous: u64) -> Outcome {
        let unchanged = json!({ "key": encode(key), "target": "MOD", "mod_revision": previous.to_string() });
        self.write(key, value, unchanged, No::Differs)
    }

    fn read(&self, key: &str) -> (Outcome, Option<String>) {
        match self.call("kv/range", &json!({ "key": encode(key) })) {
            Ok(answer) => found(&answer),
            Err(outcome) => (outcome, None),
        }
    }

    fn list(&self, folder: &str, reading: Reading) -> Result<BTreeMap<String, Entry>, String> {
        // `0` is the character after `/`.
        let (mut from, end) = (encode(&format!("{folder}/")), encode(&format!("{folder}0")));
        let (mut entries, mut revision) = (BTreeMap::new(), None);
        loop {
            let mut range = json!({ "key": from, "range_end": end, "limit": PAGE.to_string() });
            if let Some(object) = range.as_object_mut() {
                // All pages are of the first one's moment.
                object.extend(revision.map(|revision: u64| ("revision".to_owned(), json!(revision.to_string()))));
                object.extend((reading == Reading::Local).then(|| ("serializable".to_owned(), json!(true))));
            }
            let answer = self.ask("kv/range", &range)?;
            let page = listed(&answer.body).ok_or_else(|| answer.said())?;
            let Some((last, _)) = page.last().filter(|_| answer.body.get("more") == Some(&Value::Bool(true))) else {
                entries.extend(page);
                return Ok(entries);
            };
            from = encode(&format!("{last}\0"));
            revision = revision.or(head(&answer.body, "revision"));
            entries.extend(page);
        }
    }

    fn applied(&self) -> Result<u64, String> {
        let answer = self.ask("kv/range", &json!({ "key": encode("/"), "serializable": true }))?;
        head(&answer.body, "revision").ok_or_else(|| answer.said())
    }

    fn membership(&self) -> Result<Membership, String> {
        let answer = self.ask("cluster/member/list", &json!({}))?;
        let list = answer.body.get("members").and_then(Value::as_array).ok_or_else(|| answer.said())?;
        // In hexadecimal, as v2, the logs and etcdctl write them.
        let cluster = head(&answer.body, "cluster_id").map(|id| format!("{id:x}"));
        Ok(Membership { cluster, members: list.iter().filter_map(member).collect() })
    }
}

/// Keys and values are bytes, which JSON has not.
fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

/// `None` if it is not what this load writes.
fn decode(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// A field of the answer's header.
fn head(body: &Value, name: &str) -> Option<u64> {
    gateway::number(body.get("header")?, name)
}

fn written(answer: &Answer, no: No) -> Outcome {
    let body = &answer.body;
    // Said before anything is proposed (etcd v3.0.17, etcdserver/api/v3rpc/interceptor.go).
    if answer.status == 503 && gateway::complaint(body) == Some(gateway::NOT_CAPABLE) {
        return Outcome::No(No::Incapable);
    }
    let revision = head(body, "revision").filter(|revision| answer.status == 200 && *revision > 0);
    let Some(revision) = revision else {
        return answer.strange();
    };
    match body.get("succeeded") {
        Some(Value::Bool(true)) => Outcome::Ok(revision),
        // A false is left out.
        None | Some(Value::Bool(false)) => Outcome::No(no),
        Some(_) => answer.strange(),
    }
}

fn found(answer: &Answer) -> (Outcome, Option<String>) {
    let whole = answer.status == 200 && head(&answer.body, "revision").is_some_and(|revision| revision > 0);
    match listed(&answer.body).filter(|_| whole).as_deref() {
        Some([]) => (Outcome::Ok(0), None),
        Some([(_, entry)]) => (Outcome::Ok(entry.index), Some(entry.value.clone())),
        _ => (answer.strange(), None),
    }
}

/// The keys of a range in their order; `None` if any of them is not as etcd writes it.
fn listed(body: &Value) -> Option<Vec<(String, Entry)>> {
    let Some(pairs) = body.get("kvs") else { return Some(Vec::new()) };
    pairs.as_array()?.iter().map(pair).collect()
}

fn pair(pair: &Value) -> Option<(String, Entry)> {
    let text = |name: &str| decode(pair.get(name)?.as_str()?);
    let index = gateway::number(pair, "mod_revision").filter(|revision| *revision > 0)?;
    Some((text("key")?, Entry { value: text("value")?, index }))
}

fn member(value: &Value) -> Option<(String, Vec<String>)> {
    let urls = value.get("peerURLs")?.as_array()?;
    let mut urls: Vec<String> = urls.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    urls.sort();
    Some((format!("{:x}", gateway::number(value, "ID")?), urls))
}

#[cfg(test)]
mod tests;
