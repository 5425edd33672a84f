//! The v2 interface: `Documentation/api.md` and `error/error.go` of etcd 2.0.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::driver::{Driver, Entry, Membership, No, Outcome, Reading};
use super::plan::Plan;
use super::run::LoadError;
use super::wire::{Answer, Wire, failed};

/// `EcodeKeyNotFound`.
const NOT_FOUND: u64 = 100;
/// `EcodeTestFailed`: the comparison of a write failed.
const TEST_FAILED: u64 = 101;
/// `EcodeNodeExist`.
const NODE_EXISTS: u64 = 105;

/// One member by its v2 interface.
#[derive(Debug)]
pub(super) struct V2 {
    wire: Wire,
}

impl V2 {
    pub(super) fn new(plan: &Plan, endpoint: &str, limit: Duration) -> Result<Self, LoadError> {
        Ok(Self { wire: Wire::new(plan, endpoint, limit)? })
    }

    fn write(&self, key: &str, value: &str, condition: (&str, &str)) -> Outcome {
        match self.wire.put(&format!("/v2/keys{key}"), condition, ("value", value)) {
            Ok(answer) => written(&answer),
            Err(error) => failed(&error),
        }
    }
}

impl Driver for V2 {
    fn create(&self, key: &str, value: &str) -> Outcome {
        self.write(key, value, ("prevExist", "false"))
    }

    fn swap(&self, key: &str, value: &str, previous: u64) -> Outcome {
        self.write(key, value, ("prevIndex", &previous.to_string()))
    }

    fn read(&self, key: &str) -> (Outcome, Option<String>) {
        let answer = match self.wire.get(&format!("/v2/keys{key}"), &[("quorum", "true")]) {
            Ok(answer) => answer,
            Err(error) => return (failed(&error), None),
        };
        if code(&answer) == Some(NOT_FOUND) {
            return (Outcome::Ok(0), None);
        }
        let found = answer.body.get("node").and_then(leaf).filter(|_| answer.status == 200);
        match found {
            Some(entry) => (Outcome::Ok(entry.index), Some(entry.value)),
            None => (answer.strange(), None),
        }
    }

    fn list(&self, folder: &str, reading: Reading) -> Result<BTreeMap<String, Entry>, String> {
        let mut query = vec![("recursive", "true")];
        if reading == Reading::Quorum {
            query.push(("quorum", "true"));
        }
        let answer = self.wire.get(&format!("/v2/keys{folder}"), &query).map_err(|error| error.to_string())?;
        let mut entries = BTreeMap::new();
        if code(&answer) == Some(NOT_FOUND) {
            return Ok(entries);
        }
        let node = answer.body.get("node").filter(|_| answer.status == 200);
        gather(node.ok_or_else(|| answer.said())?, &mut entries);
        Ok(entries)
    }

    fn applied(&self) -> Result<u64, String> {
        let answer = self.wire.get("/v2/keys/", &[]).map_err(|error| error.to_string())?;
        answer.index.ok_or_else(|| answer.said())
    }

    fn membership(&self) -> Result<Membership, String> {
        let answer = self.wire.get("/v2/members", &[]).map_err(|error| error.to_string())?;
        let list = answer.body.get("members").and_then(Value::as_array).ok_or_else(|| answer.said())?;
        let members = list.iter().filter_map(member).collect();
        Ok(Membership { cluster: answer.cluster, members })
    }
}

fn member(value: &Value) -> Option<(String, Vec<String>)> {
    let id = value.get("id")?.as_str()?.to_owned();
    let urls = value.get("peerURLs")?.as_array()?;
    let mut urls: Vec<String> = urls.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    urls.sort();
    Some((id, urls))
}

/// etcd's own error code, if the answer is one of its errors.
fn code(answer: &Answer) -> Option<u64> {
    answer.body.get("errorCode").and_then(Value::as_u64)
}

fn written(answer: &Answer) -> Outcome {
    if matches!(answer.status, 200 | 201) {
        let node = answer.body.get("node");
        return match node.and_then(|node| node.get("modifiedIndex")).and_then(Value::as_u64) {
            Some(index) => Outcome::Ok(index),
            None => answer.strange(),
        };
    }
    match code(answer) {
        Some(NODE_EXISTS) => Outcome::No(No::Exists),
        Some(TEST_FAILED | NOT_FOUND) => Outcome::No(No::Differs),
        _ => answer.strange(),
    }
}

fn leaf(node: &Value) -> Option<Entry> {
    let value = node.get("value")?.as_str()?.to_owned();
    Some(Entry { value, index: node.get("modifiedIndex")?.as_u64()? })
}

fn gather(node: &Value, entries: &mut BTreeMap<String, Entry>) {
    if let Some(nodes) = node.get("nodes").and_then(Value::as_array) {
        for node in nodes {
            gather(node, entries);
        }
    } else if let (Some(key), Some(entry)) = (node.get("key").and_then(Value::as_str), leaf(node)) {
        entries.insert(key.to_owned(), entry);
    }
}
