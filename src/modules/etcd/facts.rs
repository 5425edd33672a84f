//! What etcd is on a host: unit, process, options, data, binary, member. From the running process, not from what files say.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use semver::Version;
use serde_json::{Map, json};

use crate::etcd::{self, ClusterVersion, Flags, MemberView, Rules, WalIdentity};
use crate::events::Fault;
use crate::modules::table::{CheckMode, Row};
use crate::modules::{Call, Failure, Fleet, Module, Outcome};

use crate::remote::{Probe, Process, RemotePath, Tls, UnitState, Window};
use crate::transport::BoxFuture;

use super::certificates;
use super::client::{Client, ClientTls, names};
use super::client_certificate::ClientCertificate;
use super::config_file;
use super::data::Data;
use super::login::Login;
use super::quorum;
use super::seen::Seen;
use super::{UNIT, at_work};

/// A certificate or key is a few KiB; a chain of ten some 20.
pub(super) const PEM_CAP: usize = 256 * 1024;

/// Why the facts of a host are not to be had.
pub(super) fn refused(host: &str, what: impl std::fmt::Display) -> Failure {
    Failure::new(Fault::Refused, format!("{host}: {what}"))
}

/// What etcd is on one host.
#[derive(Clone)]
pub(super) struct Facts {
    /// The unit's name.
    pub(super) unit: String,
    /// What systemd says of it.
    pub(super) state: UnitState,
    /// Its options.
    pub(super) flags: Flags,
    /// The folder that the names in its options start from.
    pub(super) cwd: String,
    /// What was read of the files by which its next start is judged.
    pub(super) seen: Seen,
    /// The configuration file, if it has one: its path and its text.
    pub(super) config: Option<(RemotePath, String)>,
    /// Where its data is, and who wrote it.
    pub(super) data: Data,
    /// The program as the unit names it; may be a link.
    pub(super) program: RemotePath,
    /// What `uname -m` says.
    pub(super) machine: String,
    /// How the member is asked.
    pub(super) client: Client,
    /// What opens its client port over TLS.
    pub(super) pair: Pair,
}

/// Whose certificate is shown to a member that asks clients for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pair {
    /// That of the client side of its options.
    #[default]
    Own,
    /// The one for peers, since its own is for servers alone.
    Peers,
    /// The operator's, whose key stays on this machine: a tool on the host shows the member's own.
    Operators,
}

/// What `uname -m` says, by host: no host becomes another machine while a run lasts.
#[derive(Default)]
struct Machines(Mutex<BTreeMap<String, String>>);

impl Facts {
    /// Asks the host.
    ///
    /// # Errors
    /// A refusal when etcd does not run there as a unit whose process, data and log can be found.
    pub(super) async fn gather(fleet: &dyn Fleet, probe: &Probe, unit: &str) -> Result<Self, Failure> {
        let host = probe.name().to_owned();
        let unit = unit_name(unit);
        let state = probe.unit(&unit).await?;
        if !state.exists() {
            return Err(refused(&host, format!("systemd knows no unit {unit} (LoadState {})", state.load_state())));
        }
        let Some(pid) = state.main_pid() else {
            let (active, sub) = (state.active_state(), state.sub_state());
            let mut what = format!("{unit} has no running process: it is {active} ({sub})");
            if probe.window_at_work(&unit).await? {
                let window = Window::runs_as(&unit);
                what.push_str(&format!("; a transaction, {window}, is at work on it: run again when that has ended"));
            }
            return Err(refused(&host, what));
        };
        let process = probe.process(pid).await?;
        let flags = Flags::from_process(&process.cmdline, &process.environ);
        let seen = Seen::default();
        let (flags, config) = config_file::read((probe, &seen), &process.cwd, flags, &[]).await?;
        let program = state.binary().ok_or_else(|| refused(&host, format!("{unit} has no absolute ExecStart")))?;
        let data = Data::find(probe, &process, &flags).await?;
        if let Some(file) = flags.config_file()
            && !data.is_written_by(probe, pid).await?
        {
            let dir = &data.wal_dir;
            let what = format!("{file} names data that the process does not write to: {dir}; it would start on that");
            return Err(refused(&host, what));
        }
        let machine = self::machine(fleet, probe).await?;
        let login = Login::of(fleet, &host, data.identity.cluster)?;
        let shown = ClientCertificate::of(fleet, &host)?;
        let (client, pair) = Self::client(probe, &process, &flags, login, shown).await?;
        let cwd = process.cwd;
        Ok(Self { unit, state, flags, cwd, seen, config, data, program, machine, client, pair })
    }

    /// The same for who wants to hear at once that the connection to the host is lost.
    pub(super) fn once(self) -> Self {
        Self { client: self.client.once(), ..self }
    }

    async fn client(
        probe: &Probe,
        process: &Process,
        flags: &Flags,
        login: Login,
        shown: Option<ClientCertificate>,
    ) -> Result<(Client, Pair), Failure> {
        let host = probe.name();
        let urls = flags.http_urls();
        // Plain HTTP first if it offers any: one thing less that can be wrong.
        let url = urls.iter().find(|url| url.starts_with("http://")).or_else(|| urls.first());
        let url = url.ok_or_else(|| refused(host, "it listens for no clients"))?;
        let (tls, pair) = match url.starts_with("https://") {
            true => Self::tls(probe, process, flags, shown).await.map(|(tls, pair)| (Some(tls), pair))?,
            false => (None, Pair::Own),
        };
        Client::new(probe, url, tls, login)
            .map(|client| (client.called(flags.host_name()), pair))
            .ok_or_else(|| refused(host, format!("`{url}` is no client URL with host and port")))
    }

    /// The member's own certificates and keys open its own client port, unless the operator gives others; they are read into memory and go nowhere else.
    async fn tls(
        probe: &Probe,
        process: &Process,
        flags: &Flags,
        shown: Option<ClientCertificate>,
    ) -> Result<(ClientTls, Pair), Failure> {
        let host = probe.name();
        let read = |path| Self::pem(probe, host, process, path);
        let (cert, key, ca) = flags.client_tls();
        let cert = cert.ok_or_else(|| refused(host, "it speaks TLS but no certificate is named in its options"))?;
        let server_pem = read(cert).await?;
        let names = names(&flags.advertise_client_urls());
        // A member that names no authority asks clients for nothing; that it is this member its own certificate says.
        let Some(ca) = ca else { return Ok((ClientTls { ca_pem: None, server_pem, names, own: None }, Pair::Own)) };
        let ca_pem = read(ca).await?;
        if let Some(ClientCertificate { cert_pem, key }) = shown {
            let tls = ClientTls { ca_pem: Some(ca_pem), server_pem, names, own: Some((cert_pem, key)) };
            return Ok((tls, Pair::Operators));
        }
        // One for servers alone opens no port that wants clients' certificates. That for peers is for both, since they call each other.
        let (own_pem, key) = match flags.clients_pair() {
            Some((cert, key)) => (read(cert).await?, Some(key)),
            None => (server_pem.clone(), key),
        };
        let (cert_pem, key, pair) = match flags.peer_tls() {
            (Some(peer_cert), peer_key) if !Tls::takes_client(&ca_pem, &own_pem) => {
                let peer_pem = read(peer_cert).await?;
                match Tls::takes_client(&ca_pem, &peer_pem) {
                    true => (peer_pem, peer_key, Pair::Peers),
                    false => (own_pem, key, Pair::Own),
                }
            }
            _ => (own_pem, key, Pair::Own),
        };
        let own = match key {
            Some(key) => {
                let key = String::from_utf8(read(key).await?).map_err(|_| refused(host, "its key is no PEM text"))?;
                Some((cert_pem, SecretString::from(key)))
            }
            None => None,
        };
        Ok((ClientTls { ca_pem: Some(ca_pem), server_pem, names, own }, pair))
    }

    async fn pem(probe: &Probe, host: &str, process: &Process, path: &str) -> Result<Vec<u8>, Failure> {
        let text = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", process.cwd) };
        let path = RemotePath::from_absolute(&text).ok_or_else(|| refused(host, format!("`{path}` is no path")))?;
        probe.read(&path, PEM_CAP).await.map_err(|e| refused(host, e))
    }

    /// The member as it answers now, with its identity checked against its log.
    ///
    /// # Errors
    /// When it does not answer in full, or answers as another member or cluster.
    pub(super) async fn view(&self) -> Result<MemberView, Failure> {
        let host = self.host();
        let view = match self.client.view().await {
            Ok(view) => view,
            Err(error) if error.lost() => return Err(Failure::lost(format!("{host}: {error}"))),
            // Which file it is that is over, the handshake does not say.
            Err(error) if error.tls() => {
                let probe = self.client.probe();
                certificates::hold(probe, self, probe.outlook().await?.clock, None).await?;
                return Err(refused(&host, error));
            }
            // The first releases lack what is asked for; then the release is the reason, not what was missing.
            Err(error) => {
                let left = self
                    .client
                    .version()
                    .await
                    .ok()
                    .map(|version| etcd::may_be_left(Rules::built_in(), &version.server));
                let gateway =
                    self.client.version().await.ok().filter(|version| self.flags.lacks_gateway(&version.server));
                if let Some(version) = gateway {
                    return Err(self.without_gateway(&version.server));
                }
                return Err(match left {
                    Some(Err(refusal)) => refused(&host, format!("{refusal}\n{error}")),
                    _ => refused(&host, error),
                });
            }
        };
        if (view.id, view.cluster) != (self.data.identity.member, self.data.identity.cluster) {
            let (id, cluster) = (view.id, view.cluster);
            let WalIdentity { member, cluster: logged } = self.data.identity;
            let what = format!(
                "what answers is member {id:x} of cluster {cluster:x}, but the log in {} is of member {member:x} of cluster {logged:x}",
                self.data.wal_dir
            );
            return Err(refused(&host, what));
        }
        Ok(view)
    }

    /// What a member is not asked without.
    fn without_gateway(&self, version: &Version) -> Failure {
        let place = self.flags.config_file().unwrap_or("its options");
        let what = format!(
            "etcd {version} runs without its gRPC gateway, by which quorate asks members of 3.x\n\
             3.4 has it with a configuration file only where `enable-grpc-gateway: true` stands there (seen in the lab 2026-11-27)\n\
             say so in {place}, and restart the members by hand, one after the other"
        );
        refused(&self.host(), what)
    }

    /// Authority, certificate and key by which a tool on the host asks it: paths there.
    pub(super) fn tool_tls(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        let (ca, cert, key) = self.flags.client_tls_shown();
        match (self.pair, self.flags.peer_tls()) {
            (Pair::Peers, (Some(peer_cert), Some(peer_key))) if cert.is_some() => (ca, Some(peer_cert), Some(peer_key)),
            _ => (ca, cert, key),
        }
    }

    /// What is to be said where such a tool was turned away.
    pub(super) fn tool_words(&self) -> &'static str {
        match self.pair {
            Pair::Operators => {
                "\nit was asked with the member's own certificate: the key of `etcd_client_cert` stays on this machine, and no tool on the \
                 host can show it; give the member a pair for clients (`client-cert-file`, `client-key-file`, 3.5 on)"
            }
            Pair::Own | Pair::Peers => "",
        }
    }

    /// The path of the configuration file, if the member has one.
    pub(super) fn config_file(&self) -> Option<&RemotePath> {
        self.config.as_ref().map(|(path, _)| path)
    }

    /// Whether another host can ask it without TLS.
    pub(super) fn in_the_clear(&self) -> bool {
        self.flags.http_urls_from_afar().iter().any(|url| url.starts_with("http://"))
    }

    /// The host's name.
    pub(super) fn host(&self) -> String {
        self.client.host().to_owned()
    }

    /// How long its stop may take: the unit's own time-out, after which systemd kills, and 15 s for that (reliability R4).
    pub(super) fn stop_deadline(&self) -> Duration {
        // systemd's default; also for `infinity`, where nothing would ever end the wait.
        self.state.timeout_stop().unwrap_or(Duration::from_secs(90)).min(Duration::from_secs(600))
            + Duration::from_secs(15)
    }
}

/// A unit's full name: one without its kind is a service, as systemctl takes it.
pub(super) fn unit_name(unit: &str) -> String {
    if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") }
}

/// The machine that the host is, asked once in a run.
async fn machine(fleet: &dyn Fleet, probe: &Probe) -> Result<String, Failure> {
    let machines = fleet.kept().of::<Machines>();
    let known = || machines.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(machine) = known().get(probe.name()) {
        return Ok(machine.clone());
    }
    let ran = probe.script("uname", "exec uname -m", &[], None).await?;
    if !ran.success() {
        return Err(refused(probe.name(), format!("uname -m: {}", ran.words())));
    }
    let machine = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    known().insert(probe.name().to_owned(), machine.clone());
    Ok(machine)
}

/// The cluster version as text.
pub(super) fn cluster_text(version: &ClusterVersion) -> Option<String> {
    match version {
        ClusterVersion::Unknown => None,
        ClusterVersion::NotDecided => Some("not_decided".to_owned()),
        ClusterVersion::Is(version) => Some(version.to_string()),
    }
}

/// A version argument.
pub(super) fn version_argument(call: &Call<'_>) -> Result<Version, Failure> {
    version(call.text("version").unwrap_or_default(), "version")
}

/// A text as a full version.
pub(super) fn parsed(text: &str) -> Option<Version> {
    Version::parse(text.trim_start_matches('v')).ok()
}

/// A text as a version; `name` is the argument it is from.
pub(super) fn version(text: &str, name: &str) -> Result<Version, Failure> {
    parsed(text).ok_or_else(|| {
        let what = format!("{name}: expected a full version such as 2.1.1 (in quotes), found `{text}`");
        Failure::new(Fault::Input, what)
    })
}

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[UNIT],
    returns: &[("ansible_facts.etcd", "unit, process, data, member, version, leader, indices, members")],
    facts: &["etcd"],
    check: CheckMode::Runs,
    module: Some(&EtcdFacts),
    ..Row::new("etcd_facts", "what etcd is on the host: unit, process, data and member, from what runs")
};

struct EtcdFacts;

impl Module for EtcdFacts {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let unit = call.text("unit").unwrap_or("etcd");
            at_work::wait(&call, unit).await?;
            let asked = async {
                let facts = Facts::gather(call.fleet, &call.probe, unit).await?;
                facts.view().await.map(|view| (facts, view))
            };
            let (facts, view) = quorum::or_lost(call.fleet, unit, asked.await).await?;
            let alarms: Vec<String> = view.alarms.iter().map(ToString::to_string).collect();
            let note = view
                .read
                .as_ref()
                .err()
                .cloned()
                .or_else(|| (!alarms.is_empty()).then(|| format!("alarm {}", alarms.join(", "))));
            let store = view.store.as_ref();
            // Before 3.0 there is no database; then it is the data directory as a whole.
            let size = match store {
                Some(store) => store.db_size,
                None => facts.data.size(&call.probe).await?,
            };
            let etcd = json!({
                "unit": facts.unit,
                "pid": facts.state.main_pid(),
                "program": facts.program.as_str(),
                "data_dir": facts.data.dir.as_str(),
                "wal_dir": facts.data.wal_dir.as_str(),
                "member": view.name,
                "role": if view.leader == Some(view.id) { "leader" } else { "follower" },
                "healthy": view.health == crate::etcd::Health::Healthy && view.read.is_ok(),
                "note": note,
                "id": format!("{:x}", view.id),
                "cluster_id": format!("{:x}", view.cluster),
                "version": view.version.server.to_string(),
                "cluster_version": cluster_text(&view.version.cluster),
                "leader": view.leader == Some(view.id),
                "leader_id": view.leader.map(|id| format!("{id:x}")),
                "raft_index": view.index,
                "raft_term": view.term,
                "db_size": size,
                "db_in_use": store.and_then(|store| store.db_in_use),
                "revision": store.map(|store| store.revision),
                "storage_version": store.and_then(|store| store.storage.as_ref()).map(ToString::to_string),
                "alarms": alarms,
                "raft_commit": view.raft.as_ref().map(|raft| raft.commit),
                "members": view.members.iter().map(|m| json!({"id": format!("{:x}", m.id), "name": m.name, "peer_urls": m.peer_urls, "client_urls": m.client_urls})).collect::<Vec<_>>(),
                "machine": facts.machine,
            });
            let mut result = Map::new();
            result.insert("ansible_facts".to_owned(), json!({ "etcd": etcd }));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}
