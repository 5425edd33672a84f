//! Asking one member over HTTP, through the tunnel of its own host.

mod asking;
mod v2;
mod view;

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;

use crate::etcd::{self, Alarm, AnswerError, Api, Health, KeyCount, KeyHash, VersionAnswer};
use crate::remote::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, Probe, Scheme, Tls};

use super::login::{Login, Stranger};

/// For one question. A sound member answers within milliseconds; `/health` of 2.0 to 3.0 waits up to 750 ms for its index to move and a
/// read through raft up to one election. Longer than that is silence.
const QUESTION: Duration = Duration::from_secs(3);

/// For a change of the member list, or a downgrade: etcd itself gives up after 5 s and an election (v2.0.5 etcdserver/etcdhttp, read 2026-11-24).
const CHANGE: Duration = Duration::from_secs(10);

/// For the hash or the count of all keys: a member reads its whole database for it, 8 GiB at most (etcd's own advice for the quota), of a page cache or
/// a disk that gives 100 MB/s.
const WHOLE_STORE: Duration = Duration::from_secs(90);

/// The store is listed whole to count its keys: 256 MiB of JSON is five times the 50 MB of data that the upgrade guides hold for much.
const STORE_CAP: usize = 256 * 1024 * 1024;

/// A key that nobody has, asked for to make a read go through raft.
const ABSENT_KEY: &str = "/v2/keys/quorate-absent-key";

/// One member's client address, as its own host reaches it.
#[derive(Clone)]
pub(super) struct Client {
    probe: Probe,
    scheme: Scheme,
    /// Where it listens.
    pub(super) address: String,
    /// Its port.
    pub(super) port: u16,
    tls: Option<Tls>,
    /// The name to call it by, if it does not answer to its address.
    name: Option<String>,
    /// Who we are, should it ask.
    login: Login,
}

/// Whom a member's client port trusts, and the certificate and key that open it.
pub(super) struct ClientTls {
    /// The authority, in PEM, if the member names one.
    pub(super) ca_pem: Option<Vec<u8>>,
    /// The certificate that the member was given for its clients, in PEM.
    pub(super) server_pem: Vec<u8>,
    /// The names by which clients go to it.
    pub(super) names: Vec<String>,
    /// Certificate and key that we show, in PEM.
    pub(super) own: Option<(Vec<u8>, SecretString)>,
}

/// Why a member has not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// No HTTP answer.
    #[error("{}: {}", .0.url, .0.text)]
    Http(Box<HttpError>),
    /// An answer that is none.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// No version.
    #[error("/version: {0}")]
    Version(#[from] etcd::VersionFault),
    /// The cluster is below 3.0, or has not decided yet.
    #[error("the v3 API does not serve yet")]
    NoV3,
    /// It wants to know who we are, and that did not do.
    #[error(transparent)]
    Stranger(#[from] Stranger),
    /// It has given no token, and not for a reason that lasts.
    #[error("auth/authenticate: {0}")]
    NoToken(String),
    /// A header is missing or no number.
    #[error("/v2/keys/: expected a number in the header {header}, found `{found}`")]
    Header {
        /// Which.
        header: &'static str,
        /// What was there.
        found: String,
    },
}

impl ClientError {
    /// Whether the session itself is gone: then it is the host that is unreachable, not the member.
    pub(super) fn lost(&self) -> bool {
        matches!(self, Self::Http(error) if matches!(error.kind, HttpErrorKind::Lost(_)))
    }

    /// Whether certificates, names or keys do not fit.
    pub(super) fn tls(&self) -> bool {
        matches!(self, Self::Http(error) if matches!(error.kind, HttpErrorKind::Tls))
    }

    /// Whether it does not know us, or knows us as somebody who may not; that does not pass.
    pub(super) fn strange(&self) -> bool {
        matches!(self, Self::Stranger(_))
    }
}

/// Raft's place of a member: applied index, term, and the cluster's ID.
pub(super) struct Position {
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) cluster: u64,
}

/// A number in a header of an answer.
fn header(answer: &HttpResponse, header: &'static str, radix: u32) -> Result<u64, ClientError> {
    let value = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(header));
    let text = value.map(|(_, value)| value.as_str()).unwrap_or_default();
    let found = || text.chars().take(40).collect();
    u64::from_str_radix(text, radix).map_err(|_| ClientError::Header { header, found: found() })
}

/// Host and port of a URL without its scheme.
fn place(rest: &str) -> Option<(&str, &str)> {
    let (address, port) = rest.split('/').next()?.rsplit_once(':')?;
    Some((address.trim_start_matches('[').trim_end_matches(']'), port))
}

/// The hosts that https URLs name.
pub(super) fn names(urls: &[String]) -> Vec<String> {
    let hosts = urls.iter().filter_map(|url| place(url.strip_prefix("https://")?));
    hosts.map(|(host, _)| host.to_owned()).collect()
}

impl Client {
    /// The member that listens at `url` on the host of `probe`; `None` if it is no URL with host and port.
    pub(super) fn new(probe: &Probe, url: &str, tls: Option<ClientTls>, login: Login) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let (address, port) = place(rest)?;
        // A member that listens on all addresses is asked on its own loopback.
        let address = if matches!(address, "0.0.0.0" | "::" | "") { "127.0.0.1" } else { address };
        let tls = tls.map(|ClientTls { ca_pem, server_pem, names, own }| {
            let (cert_pem, key_pem) = own.unzip();
            // Clients elsewhere go by the advertised name and check that; where it listens may be in the certificate or not.
            let server_names = names.into_iter().chain([address.to_owned()]).collect();
            Tls { ca_pem, known_pem: Some(server_pem), cert_pem, key_pem, server_names }
        });
        let tls = if scheme == Scheme::Https { tls } else { None };
        let port = port.parse().ok()?;
        Some(Self { probe: probe.clone(), scheme, address: address.to_owned(), port, tls, name: None, login })
    }

    /// The same, called by that name.
    pub(super) fn called(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// The same for who wants to hear at once that the connection to its host is lost.
    pub(super) fn once(self) -> Self {
        Self { probe: self.probe.once(), ..self }
    }

    /// Where it is asked, as a URL.
    pub(super) fn url(&self) -> String {
        let scheme = if self.secure() { "https" } else { "http" };
        let address = if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() };
        format!("{scheme}://{address}:{}", self.port)
    }

    /// The host it is on.
    pub(super) fn host(&self) -> &str {
        self.probe.name()
    }

    /// What may be asked of that host.
    pub(super) fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Whether it speaks TLS.
    pub(super) fn secure(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Who we are to it.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// Whether it has asked who we are.
    pub(super) fn has_auth(&self) -> bool {
        self.login.asked(&self.member())
    }

    /// Whether it is shown name and password with each question of the v2 API.
    pub(super) fn shows_password(&self) -> bool {
        self.login.basic(&self.member()).is_some()
    }

    /// Whether the certificate that we show it has a common name.
    pub(super) fn shows_common_name(&self) -> bool {
        let shown = self.tls.as_ref().and_then(|tls| etcd::certificates(tls.cert_pem.as_ref()?).ok());
        shown.is_some_and(|chain| chain.first().is_some_and(|own| own.common_name.is_some()))
    }

    /// The common name of the certificate that it was given itself.
    pub(super) fn own_common_name(&self) -> Option<String> {
        let own = etcd::certificates(self.tls.as_ref()?.known_pem.as_ref()?).ok()?;
        own.into_iter().next()?.common_name
    }

    /// Its name among the members that gave tokens.
    fn member(&self) -> String {
        format!("{} {}:{}", self.host(), self.address, self.port)
    }

    fn request(&self, method: &str, path: &str, deadline: Duration) -> HttpRequest {
        let mut request = HttpRequest::get(self.scheme, &self.address, self.port, path);
        request.method = method.to_owned();
        request.question = matches!(method, "GET" | "HEAD");
        request.deadline = deadline;
        request.tls = self.tls.clone();
        request
    }

    async fn ask(&self, path: &str, deadline: Duration, cap: usize) -> Result<HttpResponse, ClientError> {
        let mut request = self.request("GET", path, deadline);
        request.cap = cap;
        self.perform(request).await
    }

    async fn get(&self, path: &str) -> Result<HttpResponse, ClientError> {
        self.ask(path, QUESTION, 1024 * 1024).await
    }

    /// Sends JSON; for changes of the member list, which a member answers once the others have agreed.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<HttpResponse, ClientError> {
        self.json(method, path, body, CHANGE).await
    }

    async fn json(
        &self,
        method: &str,
        path: &str,
        body: &serde_json::Value,
        deadline: Duration,
    ) -> Result<HttpResponse, ClientError> {
        self.perform(self.with_json(method, path, body, deadline)).await
    }

    fn with_json(&self, method: &str, path: &str, body: &serde_json::Value, deadline: Duration) -> HttpRequest {
        let mut request = self.request(method, path, deadline);
        request.headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        request.body = body.to_string().into_bytes();
        request
    }

    /// `/version`.
    pub(super) async fn version(&self) -> Result<VersionAnswer, ClientError> {
        Ok(etcd::from_version_body(&self.get("/version").await?.body)?)
    }

    /// `/health`, for members that are asked by the v2 API. It answers after a quarter of a second at the soonest, since it waits for the
    /// applied index to move (etcd v2.0.5, v2.2.5, v2.3.8 etcdserver/etcdhttp/client.go and api/v2http/client.go, read 2026-11-28): it is
    /// asked once at the end of a wait and is no part of a look.
    pub(super) async fn health(&self) -> Result<Health, ClientError> {
        let answer = self.get("/health").await?;
        Ok(etcd::health(answer.status, &answer.body)?)
    }

    /// Index and term in the headers of the root of the store. Its body may be long, so only the headers are asked for.
    pub(super) async fn position(&self) -> Result<Position, ClientError> {
        let answer = self.perform(self.request("HEAD", "/v2/keys/", QUESTION)).await?;
        Ok(Position {
            index: header(&answer, "X-Raft-Index", 10)?,
            term: header(&answer, "X-Raft-Term", 10)?,
            cluster: header(&answer, "X-Etcd-Cluster-Id", 16)?,
        })
    }

    /// One call of the gateway. A member that has not started in full accepts the connection and does not answer.
    pub(super) async fn call(
        &self,
        prefix: &str,
        method: &str,
        body: &serde_json::Value,
    ) -> Result<HttpResponse, ClientError> {
        self.json("POST", &format!("{prefix}/{method}"), body, QUESTION).await
    }

    /// The same of what changes nothing: it may be asked again where it was lost with its connection.
    pub(super) async fn question(
        &self,
        prefix: &str,
        method: &str,
        body: &serde_json::Value,
    ) -> Result<HttpResponse, ClientError> {
        let mut request = self.with_json("POST", &format!("{prefix}/{method}"), body, QUESTION);
        request.question = true;
        self.perform(request).await
    }

    /// Whether there is a user of that name who may all.
    pub(super) async fn has_root(&self, user: &str) -> Result<bool, ClientError> {
        let Api::V3 { prefix } = etcd::api(&self.version().await?) else { return Err(ClientError::NoV3) };
        let answer = self.question(prefix, "auth/user/get", &json!({ "name": user })).await?;
        Ok(etcd::has_root(answer.status, &answer.body))
    }

    /// Has the member write its database anew; it answers nothing else meanwhile, and this only at the end.
    pub(super) async fn defragment(&self, prefix: &str, deadline: Duration) -> Result<HttpResponse, ClientError> {
        self.json("POST", &format!("{prefix}/maintenance/defragment"), &json!({}), deadline).await
    }

    /// Takes an alarm back, in the whole cluster.
    pub(super) async fn disarm(&self, prefix: &str, alarm: &Alarm) -> Result<HttpResponse, ClientError> {
        let body = json!({ "action": "DEACTIVATE", "memberID": alarm.member.to_string(), "alarm": alarm.kind });
        self.send("POST", &format!("{prefix}/maintenance/alarm"), &body).await
    }

    /// Asks about a downgrade to the version's minor, or orders it.
    pub(super) async fn downgrade(&self, action: &str, version: &semver::Version) -> Result<(), ClientError> {
        let Api::V3 { prefix } = etcd::api(&self.version().await?) else { return Err(ClientError::NoV3) };
        let (path, body) = (format!("{prefix}/maintenance/downgrade"), etcd::downgrade_to(action, version));
        let answer = self.json("POST", &path, &body, CHANGE).await?;
        Ok(etcd::downgrade_taken(answer.status, &answer.body)?)
    }

    /// A read through raft: this member and a quorum answer it together.
    pub(super) async fn read(&self) -> Result<(), ClientError> {
        match etcd::api(&self.version().await?) {
            Api::V2 => self.read_v2().await,
            Api::V3 { prefix } => self.read_v3(prefix).await,
        }
    }

    async fn read_v2(&self) -> Result<(), ClientError> {
        let answer = self.get(&format!("{ABSENT_KEY}?quorum=true")).await?;
        Ok(etcd::read_probe(answer.status, &answer.body)?)
    }

    async fn read_v3(&self, prefix: &str) -> Result<(), ClientError> {
        let answer = self.question(prefix, "kv/range", &etcd::absent_key()).await?;
        Ok(etcd::gateway_read(answer.status, &answer.body)?)
    }

    /// The keys that this member's v3 store had at a revision; `None` where it has compacted that away.
    pub(super) async fn keys_at(&self, revision: u64) -> Result<Option<KeyCount>, ClientError> {
        let Api::V3 { prefix } = etcd::api(&self.version().await?) else { return Err(ClientError::NoV3) };
        let answer = self.json("POST", &format!("{prefix}/kv/range"), &etcd::keys_at(revision), WHOLE_STORE).await?;
        Ok(etcd::gateway_count(answer.status, &answer.body)?)
    }

    /// What this member's keys come to at a revision; `None` where it cannot say. It reads all of them.
    pub(super) async fn key_hash(&self, revision: u64) -> Result<Option<KeyHash>, ClientError> {
        let Api::V3 { prefix } = etcd::api(&self.version().await?) else { return Err(ClientError::NoV3) };
        let (path, body) = (format!("{prefix}/maintenance/hashkv"), etcd::key_hash_at(revision));
        let answer = self.json("POST", &path, &body, WHOLE_STORE).await?;
        Ok(etcd::key_hash(answer.status, &answer.body)?)
    }

    /// A lease of the v3 store, by its ID.
    pub(super) async fn lease(&self, prefix: &str, seconds: u64) -> Result<u64, ClientError> {
        let answer = self.call(prefix, "lease/grant", &etcd::lease_of(seconds)).await?;
        Ok(etcd::lease_granted(answer.status, &answer.body)?)
    }

    /// The keys of the whole v2 store, and the store's index at that very moment: both are read under one lock (etcd v2.0.5 store/store.go,
    /// `Get`, read 2026-11-28). Of a look at the index before, under load, the keys are some writes ahead.
    pub(super) async fn keys(&self, deadline: Duration) -> Result<(KeyCount, u64), ClientError> {
        let answer = self.ask("/v2/keys/?recursive=true&sorted=false", deadline, STORE_CAP).await?;
        Ok((etcd::count_keys(answer.status, &answer.body)?, header(&answer, "X-Etcd-Index", 10)?))
    }
}
