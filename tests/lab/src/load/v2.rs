//! The v2 interface: `Documentation/api.md` and `error/error.go` of etcd 2.0.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, Error};

use super::driver::{Driver, Entry, Membership, No, Outcome, Reading};
use super::run::LoadError;
use crate::tls;

/// The largest answer that is read: a listing of 20 000 keys of 100 bytes is about 5 MB.
const MOST: u64 = 256 << 20;

/// `EcodeKeyNotFound`.
const NOT_FOUND: u64 = 100;
/// `EcodeTestFailed`: the comparison of a write failed.
const TEST_FAILED: u64 = 101;
/// `EcodeNodeExist`.
const NODE_EXISTS: u64 = 105;

/// One member over HTTP.
#[derive(Debug)]
pub(super) struct V2 {
    agent: Agent,
    base: String,
}

/// An answer, read in full.
struct Answer {
    status: u16,
    applied: Option<u64>,
    cluster: Option<String>,
    body: Value,
}

impl V2 {
    pub(super) fn new(endpoint: &str, tls: Option<&Path>, limit: Duration) -> Result<Self, LoadError> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(limit))
            .proxy(None)
            // An answer is an answer; and one that sends the client elsewhere is no write.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false);
        if let Some(folder) = tls {
            let tls = tls::client_config(folder).ok_or_else(|| LoadError::Certificates(folder.to_owned()))?;
            config = config.tls_config(tls);
        }
        Ok(Self { agent: config.build().new_agent(), base: endpoint.trim_end_matches('/').to_owned() })
    }

    fn write(&self, key: &str, value: &str, condition: (&str, &str)) -> Outcome {
        let url = format!("{}/v2/keys{key}", self.base);
        let (name, wanted) = condition;
        let sent = self.agent.put(&url).query(name, wanted).send_form([("value", value)]);
        match sent.and_then(take) {
            Ok(answer) => written(&answer),
            Err(error) => failed(&error),
        }
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Error> {
        let url = format!("{}{path}", self.base);
        let request = self.agent.get(&url).query_pairs(query.iter().copied());
        request.call().and_then(take)
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
        let answer = match self.get(&format!("/v2/keys{key}"), &[("quorum", "true")]) {
            Ok(answer) => answer,
            Err(error) => return (failed(&error), None),
        };
        if code(&answer) == Some(NOT_FOUND) {
            return (Outcome::Ok(0), None);
        }
        let found = answer.body.get("node").and_then(leaf).filter(|_| answer.status == 200);
        match found {
            Some(entry) => (Outcome::Ok(entry.index), Some(entry.value)),
            None => (strange(&answer), None),
        }
    }

    fn list(&self, folder: &str, reading: Reading) -> Result<BTreeMap<String, Entry>, String> {
        let mut query = vec![("recursive", "true")];
        if reading == Reading::Quorum {
            query.push(("quorum", "true"));
        }
        let answer = self.get(&format!("/v2/keys{folder}"), &query).map_err(|error| error.to_string())?;
        let mut entries = BTreeMap::new();
        if code(&answer) == Some(NOT_FOUND) {
            return Ok(entries);
        }
        let node = answer.body.get("node").filter(|_| answer.status == 200);
        gather(node.ok_or_else(|| said(&answer))?, &mut entries);
        Ok(entries)
    }

    fn applied(&self) -> Result<u64, String> {
        let answer = self.get("/v2/keys/", &[]).map_err(|error| error.to_string())?;
        answer.applied.ok_or_else(|| said(&answer))
    }

    fn membership(&self) -> Result<Membership, String> {
        let answer = self.get("/v2/members", &[]).map_err(|error| error.to_string())?;
        let list = answer.body.get("members").and_then(Value::as_array).ok_or_else(|| said(&answer))?;
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

fn take(mut response: Response<Body>) -> Result<Answer, Error> {
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (applied, cluster) = (header("x-etcd-index"), header("x-etcd-cluster-id"));
    let text = response.body_mut().with_config().limit(MOST).read_to_string()?;
    Ok(Answer {
        status: response.status().as_u16(),
        applied: applied.and_then(|text| text.parse().ok()),
        cluster,
        // What is no JSON is no answer of etcd, and ends as unknown.
        body: serde_json::from_str(&text).unwrap_or_default(),
    })
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
            None => strange(answer),
        };
    }
    match code(answer) {
        Some(NODE_EXISTS) => Outcome::No(No::Exists),
        Some(TEST_FAILED | NOT_FOUND) => Outcome::No(No::Differs),
        _ => strange(answer),
    }
}

fn strange(answer: &Answer) -> Outcome {
    Outcome::Unknown(said(answer))
}

fn said(answer: &Answer) -> String {
    let text: String = answer.body.to_string().chars().take(200).collect();
    format!("status {}: {text}", answer.status)
}

/// Only `connect(2)` says "refused", so nothing was sent. Of any other failure nothing is known.
fn failed(error: &Error) -> Outcome {
    match error {
        Error::Io(source) if source.kind() == io::ErrorKind::ConnectionRefused => Outcome::No(No::Refused),
        other => Outcome::Unknown(other.to_string()),
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
