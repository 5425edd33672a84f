//! What each member is: its version, the cluster's, leader or follower, healthy, its unit's state.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use ureq::Agent;

use crate::act::run;
use crate::auth::{self, EtcdUser, Login};
use crate::member::UNIT;
use crate::site::{Host, Site};
use crate::{gateway, network, process, tls, version};

/// A member that is well answers in a millisecond; `/health` of a 2.x without a quorum takes about
/// a second to say so, a read of a 3.x as long as it is let.
const ANSWER: Duration = Duration::from_secs(3);

/// The largest answer that is read. A member's own statistics are a few hundred bytes.
const MOST: u64 = 1 << 20;

/// One member. What could not be learnt is absent, never guessed.
#[derive(Clone, Debug, Serialize)]
pub struct MemberStatus {
    /// The host's name.
    pub host: String,
    /// Its address, without port.
    pub address: String,
    /// The running etcd's version.
    pub version: Option<String>,
    /// The cluster version it knows; 2.0 has none.
    pub cluster_version: Option<String>,
    /// `leader`, `follower` or `candidate`.
    pub role: Option<String>,
    /// It answers a read that the quorum agrees to (from 3.0 on), or its `/health` says true (2.x).
    pub healthy: bool,
    /// systemd's ActiveState of the unit.
    pub unit: Option<String>,
    /// Restarts that systemd counts since the unit was last started by hand.
    pub restarts: Option<u32>,
    /// The main process inside the host.
    pub pid: Option<u32>,
}

/// Asks all members at once.
pub(crate) fn all(site: &Site) -> Vec<MemberStatus> {
    let members = site.members();
    thread::scope(|scope| {
        let asked: Vec<_> = members.iter().map(|host| scope.spawn(move || one(site, host))).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

/// `Ok` when every member is healthy, exactly one leads and the rest follow.
pub(crate) fn verdict(members: &[MemberStatus]) -> Result<(), String> {
    let role = |wanted: &str| {
        let has = |member: &&MemberStatus| member.role.as_deref() == Some(wanted);
        members.iter().filter(has).count()
    };
    let healthy = members.iter().all(|member| member.healthy);
    if healthy && role("leader") == 1 && role("follower") + 1 == members.len() {
        return Ok(());
    }
    let mut saw = Vec::new();
    for member in members {
        let (role, unit) = (member.role.as_deref(), member.unit.as_deref());
        saw.push(format!(
            "{} {} healthy={} unit={}",
            member.host,
            role.unwrap_or("silent"),
            member.healthy,
            unit.unwrap_or("unknown")
        ));
    }
    Err(saw.join("; "))
}

fn one(site: &Site, host: &Host) -> MemberStatus {
    let unit = unit(site, &host.name);
    let mut status = MemberStatus {
        host: host.name.clone(),
        address: host.address.to_string(),
        version: None,
        cluster_version: None,
        role: None,
        healthy: false,
        unit: unit.get("ActiveState").cloned(),
        restarts: unit.get("NRestarts").and_then(|text| text.parse().ok()),
        pid: unit.get("MainPID").and_then(|text| text.parse().ok()).filter(|pid| *pid != 0),
    };
    // From inside the host, so that a cut network does not look like a dead member.
    let asked = network::inside(&site.netns_path(&host.name), || ask(site, host));
    if let Ok(Some(answers)) = asked {
        status.version = answers.version;
        status.cluster_version = answers.cluster_version;
        status.role = answers.role;
        status.healthy = answers.healthy;
    }
    status
}

fn unit(site: &Site, host: &str) -> BTreeMap<String, String> {
    let Some(pid) = process::first(site, host) else {
        return BTreeMap::new();
    };
    let mut argv = process::enter(pid);
    argv.extend(["systemctl", "show", UNIT, "--property=ActiveState,NRestarts,MainPID"].map(str::to_owned));
    let text = run("nsenter", &argv).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

struct Answers {
    version: Option<String>,
    cluster_version: Option<String>,
    role: Option<String>,
    healthy: bool,
}

fn ask(site: &Site, host: &Host) -> Option<Answers> {
    let base = format!("{}://127.0.0.1:2379", site.scheme());
    let user = site.spec().auth.then(|| EtcdUser::of(site, auth::ROOT_USER));
    let login = user.map(|user| Login::new(user, &host.name, &base));
    let member = Member { agent: agent(site)?, base, login };
    let (version, cluster_version) = version::said(&member.get("/version")?);
    let prefix = version.as_deref().and_then(gateway::prefix);
    let (role, healthy) = match prefix {
        Some(prefix) => member.state_by_gateway(prefix, version.as_deref()),
        None => member.state_by_statistics(),
    };
    Some(Answers { version, cluster_version, role, healthy })
}

/// One member, asked over HTTP.
struct Member {
    agent: Agent,
    base: String,
    login: Option<Login>,
}

impl Member {
    /// 2.0 to 3.0: what it knows of itself, and `/health`, which up to 3.0 watches the applied index and
    /// writes nothing (etcd v3.0.17, etcdserver/api/v2http/client.go).
    fn state_by_statistics(&self) -> (Option<String>, bool) {
        let role = self.get("/v2/stats/self").as_deref().and_then(role_of_statistics);
        let health = self.get("/health").unwrap_or_default();
        (role, says_healthy(&health))
    }

    /// 3.0 on: the v3 status, and a read agreed by the quorum for health. Not `/health`: from 3.1 to 3.4.28
    /// each call is a proposal that stays in the log as a v2 entry (etcd v3.4.13, etcdserver/api/etcdhttp/metrics.go).
    fn state_by_gateway(&self, prefix: &str, version: Option<&str>) -> (Option<String>, bool) {
        let status = self.post(prefix, "maintenance/status", "{}").unwrap_or_default();
        // Beside members of 2.3 a 3.0 answers v2 only.
        let beside_2_3 = version.and_then(version::minor) == Some((3, 0));
        if beside_2_3 && gateway::complaint(&status) == Some(gateway::NOT_CAPABLE) {
            return self.state_by_statistics();
        }
        // A key that nobody writes: base64 of "quorate-lab".
        let range = self.post(prefix, "kv/range", r#"{"key":"cXVvcmF0ZS1sYWI="}"#);
        (role_of_gateway(&status), range.as_ref().is_some_and(has_revision))
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut answer = self.agent.get(format!("{}{path}", self.base)).call().ok()?;
        answer.body_mut().with_config().limit(MOST).read_to_string().ok()
    }

    fn post(&self, prefix: &str, name: &str, body: &str) -> Option<Value> {
        let path = format!("{prefix}/{name}");
        let asked_with = self.login.as_ref().and_then(Login::token);
        let answer = self.post_once(&path, body)?;
        match &self.login {
            Some(login)
                if auth::wants_token(&answer, asked_with.as_deref())
                    && login.renew(&self.agent, prefix, asked_with.as_deref()) =>
            {
                self.post_once(&path, body)
            }
            _ => Some(answer),
        }
    }

    fn post_once(&self, path: &str, body: &str) -> Option<Value> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = match &self.login {
            Some(login) => login.sign(path, request),
            None => request,
        };
        let mut answer = request.send(body).ok()?;
        let text = answer.body_mut().with_config().limit(MOST).read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }
}

fn role_of_statistics(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let state = value.get("state")?.as_str()?;
    Some(state.trim_start_matches("State").to_lowercase())
}

/// A member without a leader leaves `leader` out.
fn role_of_gateway(status: &Value) -> Option<String> {
    let leader = gateway::number(status, "leader").filter(|leader| *leader != 0)?;
    let own = gateway::number(status.get("header")?, "member_id")?;
    Some(if leader == own { "leader" } else { "follower" }.to_owned())
}

/// An answer to a read; an error has no header, and an empty store has revision 1.
fn has_revision(range: &Value) -> bool {
    range.get("header").and_then(|header| gateway::number(header, "revision")).is_some_and(|revision| revision > 0)
}

/// `{"health": "true"}`.
fn says_healthy(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    value.get("health").and_then(Value::as_str) == Some("true")
}

fn agent(site: &Site) -> Option<Agent> {
    let config = Agent::config_builder().timeout_global(Some(ANSWER)).proxy(None).http_status_as_error(false);
    let config = if site.spec().tls { config.tls_config(tls::client_config(&site.path("tls"))?) } else { config };
    Some(config.build().new_agent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_is_learnt_from_either_interface() {
        let statistics = r#"{"name":"etcd1","id":"9","state":"StateFollower","leaderInfo":{"leader":"8"}}"#;
        assert_eq!(role_of_statistics(statistics).as_deref(), Some("follower"));
        let status = |leader: Value| serde_json::json!({ "header": { "member_id": "9" }, "leader": leader });
        assert_eq!(role_of_gateway(&status("9".into())).as_deref(), Some("leader"));
        assert_eq!(role_of_gateway(&status("8".into())).as_deref(), Some("follower"));
        assert_eq!(role_of_gateway(&status("0".into())), None);
        assert_eq!(role_of_gateway(&serde_json::json!({ "header": { "member_id": "9" } })), None);
    }

    #[test]
    fn only_an_answered_read_is_healthy() {
        assert!(has_revision(&serde_json::json!({ "header": { "revision": "1" } })));
        for answer in ["{}", r#"{"header":{}}"#, r#"{"error":"etcdserver: no leader","code":14}"#, "null"] {
            assert!(!has_revision(&serde_json::from_str(answer).unwrap()), "{answer}");
        }
    }

    #[test]
    fn only_a_clear_yes_is_healthy() {
        assert!(says_healthy(r#"{"health": "true"}"#));
        for text in ["", "true", r#"{"health":"false"}"#, "{}"] {
            assert!(!says_healthy(text), "{text}");
        }
    }
}
