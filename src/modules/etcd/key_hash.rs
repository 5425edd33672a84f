//! The hash of one member's keys at a revision, asked by its gateway, or before 3.5.10 by an etcdctl on its own host.

use std::time::Duration;

use semver::Version;

use crate::etcd::{self, HashBy, KeyHash};
use crate::remote::{Probe, RemotePath, RunOptions};

use super::client::Client;
use super::facts::Facts;

/// As long as a member may take to read all of its database.
const DEADLINE: Duration = Duration::from_secs(90);

/// `$1` etcdctl, `$2` endpoint, `$3` revision, `$4` to `$6` authority, certificate and key or empty. Ends with 3 where there is no etcdctl
/// that knows the question. That of 3.3 has to be told the API (3.3.27, 3.4.13 and 3.4.23 seen in the lab 2026-11-27).
const ASK: &str = r#"
tool=$1 endpoint=$2 revision=$3 ca=$4 cert=$5 key=$6
export ETCDCTL_API=3
[ -f "$tool" ] && [ "$(head -c 4 -- "$tool" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] || exit 3
# One of 2.x answers any words with its usage, and with 0 (2.3.8 seen in the lab 2026-11-27).
"$tool" endpoint hashkv --help 2>&1 | grep -q "endpoint hashkv" || exit 3
set -- --endpoints="$endpoint" --write-out=json --command-timeout=80s
[ -z "$ca" ] || set -- "$@" --cacert="$ca"
[ -z "$cert" ] || set -- "$@" --cert="$cert" --key="$key"
exec "$tool" "$@" endpoint hashkv --rev="$revision"
"#;

/// What came of the question.
pub(super) enum Told {
    /// The hash.
    Hash(KeyHash),
    /// The member is not at that revision yet, or has compacted it away.
    NotNow,
    /// It cannot be asked; why.
    Unknown(String),
}

impl From<Option<KeyHash>> for Told {
    fn from(hash: Option<KeyHash>) -> Self {
        hash.map_or(Self::NotNow, Self::Hash)
    }
}

/// Whom to ask for it by etcdctl.
pub(super) struct Endpoint<'a> {
    pub(super) probe: &'a Probe,
    pub(super) tool: RemotePath,
    pub(super) url: String,
    /// Authority, certificate and key, as paths on the host.
    pub(super) tls: (Option<&'a str>, Option<&'a str>, Option<&'a str>),
}

/// What a running member's keys come to at a revision.
///
/// # Errors
/// In words: it has answered something else.
pub(super) async fn of_member(facts: &Facts, version: &Version, revision: u64) -> Result<Told, String> {
    of_member_by(facts, &facts.program.parent().join("etcdctl"), version, revision).await
}

/// The same by another etcdctl than the one beside the program.
///
/// # Errors
/// As [`of_member`].
pub(super) async fn of_member_by(
    facts: &Facts,
    tool: &RemotePath,
    version: &Version,
    revision: u64,
) -> Result<Told, String> {
    let endpoint = Endpoint {
        probe: facts.client.probe(),
        tool: tool.clone(),
        url: facts.flags.advertise_client_urls().into_iter().next().unwrap_or_default(),
        tls: facts.tool_tls(),
    };
    let by_tool = matches!(etcd::hash_by(version), Some(HashBy::Tool));
    let words = if by_tool { facts.tool_words() } else { "" };
    of(&facts.client, endpoint, version, revision).await.map_err(|why| format!("{why}{words}"))
}

/// The same of any member.
///
/// # Errors
/// As [`of_member`].
pub(super) async fn of(
    client: &Client,
    endpoint: Endpoint<'_>,
    version: &Version,
    revision: u64,
) -> Result<Told, String> {
    match etcd::hash_by(version) {
        None => Ok(Told::Unknown(format!("etcd {version} does not tell the hash of its keys"))),
        Some(HashBy::Gateway) => client.key_hash(revision).await.map(Told::from).map_err(|error| error.to_string()),
        Some(HashBy::Tool) => by_tool(client, endpoint, revision).await,
    }
}

async fn by_tool(client: &Client, endpoint: Endpoint<'_>, revision: u64) -> Result<Told, String> {
    let Endpoint { probe, tool, url, tls: (ca, cert, key) } = endpoint;
    let login = client.login().for_etcdctl().filter(|_| client.has_auth());
    let probe = login
        .map_or_else(|| probe.clone(), |login| Probe::new(probe.host().clone().with_variable("ETCDCTL_USER", &login)));
    let text = |path: Option<&str>| path.filter(|_| url.starts_with("https:")).unwrap_or_default().to_owned();
    let (ca, cert, key, at) = (text(ca), text(cert), text(key), revision.to_string());
    let args = [tool.as_str(), &url, &at, &ca, &cert, &key];
    let options = RunOptions { deadline: Some(DEADLINE), ..RunOptions::default() };
    let ran = probe.script_with("ask for the hash of all keys", ASK, &args, options).await;
    let ran = ran.map_err(|error| error.to_string())?;
    if ran.rc == 3 {
        return Ok(Told::Unknown(format!("{}: {tool} is no etcdctl of 3.3 or later", probe.name())));
    }
    let said = if ran.success() { &ran.stdout } else { &ran.stderr };
    etcd::key_hash_of_tool(ran.success(), said).map(Told::from).map_err(|error| error.to_string())
}
