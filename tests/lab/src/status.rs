//! What each member is: its version, the cluster's, leader or follower, healthy, its unit's state.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use ureq::Agent;

use crate::act::run;
use crate::member::UNIT;
use crate::network;
use crate::process;
use crate::site::{Host, Site};
use crate::tls;

/// A member that is well answers in a millisecond; `/health` of a 2.x without a quorum takes about
/// a second to say so.
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
    /// `/health` says true.
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
    let asked = network::inside(&site.netns_path(&host.name), || ask(site));
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

fn ask(site: &Site) -> Option<Answers> {
    let agent = agent(site)?;
    let base = format!("{}://127.0.0.1:2379", site.scheme());
    let version = get(&agent, &format!("{base}/version"))?;
    let (version, cluster_version) = versions(&version);
    // Statistics of 2.0 to 3.5; later ones have only the gateway's status.
    let role = get(&agent, &format!("{base}/v2/stats/self"))
        .as_deref()
        .and_then(role_of_statistics)
        .or_else(|| role_of_gateway(&agent, &base));
    let health = get(&agent, &format!("{base}/health")).unwrap_or_default();
    Some(Answers { version, cluster_version, role, healthy: says_healthy(&health) })
}

/// `/version`: `{"releaseVersion":…}` (2.0), the text `etcd 2.0.13` (2.0.8 on), or
/// `{"etcdserver":…,"etcdcluster":…}` (2.1 on).
fn versions(text: &str) -> (Option<String>, Option<String>) {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        let version = text.strip_prefix("etcd ").map(|rest| rest.trim().to_owned());
        return (version, None);
    };
    let word = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    (word("etcdserver").or_else(|| word("releaseVersion")), word("etcdcluster"))
}

fn role_of_statistics(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let state = value.get("state")?.as_str()?;
    Some(state.trim_start_matches("State").to_lowercase())
}

fn role_of_gateway(agent: &Agent, base: &str) -> Option<String> {
    let url = format!("{base}/v3/maintenance/status");
    let mut answer = agent.post(&url).send("{}").ok()?;
    let text = answer.body_mut().with_config().limit(MOST).read_to_string().ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let leader = value.get("leader")?.as_str()?;
    let own = value.get("header")?.get("member_id")?.as_str()?;
    let role = if leader == own { "leader" } else { "follower" };
    (leader != "0").then(|| role.to_owned())
}

/// `{"health": "true"}`, in later versions with more beside it.
fn says_healthy(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    match value.get("health") {
        Some(Value::String(word)) => word == "true",
        Some(Value::Bool(healthy)) => *healthy,
        _ => false,
    }
}

fn get(agent: &Agent, url: &str) -> Option<String> {
    let mut answer = agent.get(url).call().ok()?;
    answer.body_mut().with_config().limit(MOST).read_to_string().ok()
}

fn agent(site: &Site) -> Option<Agent> {
    let config = Agent::config_builder().timeout_global(Some(ANSWER)).proxy(None);
    let config = if site.spec().tls { config.tls_config(tls::client_config(&site.path("tls"))?) } else { config };
    Some(config.build().new_agent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_version() {
        let old = versions(r#"{"releaseVersion":"2.0.5","internalVersion":"2"}"#);
        assert_eq!(old, (Some("2.0.5".to_owned()), None));
        assert_eq!(versions("etcd 2.0.13\n"), (Some("2.0.13".to_owned()), None));
        let new = versions(r#"{"etcdserver":"2.1.1","etcdcluster":"2.1.0"}"#);
        assert_eq!(new, (Some("2.1.1".to_owned()), Some("2.1.0".to_owned())));
    }

    #[test]
    fn only_a_clear_yes_is_healthy() {
        assert!(says_healthy(r#"{"health": "true"}"#));
        for text in ["", "true", r#"{"health":"false"}"#, "{}"] {
            assert!(!says_healthy(text), "{text}");
        }
    }
}
