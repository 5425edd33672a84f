//! What etcd is on a host: unit, process, options, data, binary, member. From the running process, not from what files say.

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
use super::login::Login;
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
    /// The configuration file, if it has one: its path and its text.
    pub(super) config: Option<(RemotePath, String)>,
    /// The data directory, absolute and without links.
    pub(super) data_dir: RemotePath,
    /// The directory of the write-ahead log.
    pub(super) wal_dir: RemotePath,
    /// Who wrote it.
    pub(super) identity: WalIdentity,
    /// The program as the unit names it; may be a link.
    pub(super) program: RemotePath,
    /// What `uname -m` says.
    pub(super) machine: String,
    /// How the member is asked.
    pub(super) client: Client,
}

/// KiB that folders take on their disks; one that lies in another is counted once.
const SIZE: &str = r#"du -skc -- "$@" 2>/dev/null | tail -n 1 | cut -f1"#;
/// The directories in which the log may be; prints the first that is there and its newest segment's name, a line each.
const NEWEST_SEGMENT: &str = r#"for dir; do [ -d "$dir" ] || continue; printf '%s\n' "$dir"; ls "$dir" | grep '\.wal$' | tail -n 1; exit 0; done"#;
/// `$1` the segment; prints its first 512 bytes as they are.
const HEAD: &str = r#"exec head -c 512 "$1""#;
/// `$1` a process, `$2` a directory; whether the process holds a file in it open.
const HOLDS: &str = r#"
dir=$(readlink -f -- "$2") || exit 1
for fd in /proc/"$1"/fd/*; do case $(readlink "$fd") in "$dir"/*) exit 0 ;; esac; done
exit 1
"#;
const MACHINE: &str = "exec uname -m";

impl Facts {
    /// Asks the host.
    ///
    /// # Errors
    /// A refusal when etcd does not run there as a unit whose process, data and log can be found.
    pub(super) async fn gather(fleet: &dyn Fleet, probe: &Probe, unit: &str) -> Result<Self, Failure> {
        let host = probe.name().to_owned();
        let unit = if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") };
        let (state, machine) = tokio::join!(probe.unit(&unit), probe.script("uname", MACHINE, &[], None));
        let (state, machine) = (state?, machine?);
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
        let (flags, config) = config_file::read(probe, &process.cwd, flags, &[]).await?;
        let program = state.binary().ok_or_else(|| refused(&host, format!("{unit} has no absolute ExecStart")))?;
        let data_dir = Self::real_dir(probe, &process, &flags.data_dir()).await?;
        let wal_dirs = match flags.wal_dir() {
            Some(dir) => vec![Self::real_dir(probe, &process, dir).await?],
            // Below `member`, or right in the data directory, where the first 2.0 releases had it (2.0.0 seen in the lab).
            None => vec![data_dir.join("member/wal"), data_dir.join("wal")],
        };
        let (wal_dir, identity) = Self::log(probe, &host, &wal_dirs).await?;
        // The file may have been changed since the process read it; what it writes to is its own.
        if let Some(file) = flags.config_file() {
            let args = [pid.to_string(), wal_dir.to_string()];
            let args = args.each_ref().map(String::as_str);
            if !probe.script("look at the process's log", HOLDS, &args, None).await?.success() {
                let what =
                    format!("{file} names data that the process does not write to: {wal_dir}; it would start on that");
                return Err(refused(&host, what));
            }
        }
        let machine = String::from_utf8_lossy(&machine.stdout).trim().to_owned();
        let login = Login::of(fleet, &host, identity.cluster)?;
        let shown = ClientCertificate::of(fleet, &host)?;
        let client = Self::client(probe, &process, &flags, login, shown).await?;
        let cwd = process.cwd;
        Ok(Self { unit, state, flags, cwd, config, data_dir, wal_dir, identity, program, machine, client })
    }

    async fn real_dir(probe: &Probe, process: &Process, dir: &str) -> Result<RemotePath, Failure> {
        let text = if dir.starts_with('/') { dir.to_owned() } else { format!("{}/{dir}", process.cwd) };
        let none = || refused(probe.name(), format!("`{dir}` is no directory that can be named"));
        let path = RemotePath::from_absolute(&text).ok_or_else(none)?;
        probe.canonical(&path).await.map_err(|e| refused(probe.name(), e))
    }

    async fn log(probe: &Probe, host: &str, dirs: &[RemotePath]) -> Result<(RemotePath, WalIdentity), Failure> {
        let none = |dir: &str| {
            let what = format!("no write-ahead log in {dir}: this is not the directory that a member has run from");
            refused(host, what)
        };
        let args: Vec<&str> = dirs.iter().map(RemotePath::as_str).collect();
        let newest = probe.script("find the log", NEWEST_SEGMENT, &args, None).await?;
        let text = String::from_utf8_lossy(&newest.stdout).into_owned();
        let mut lines = text.lines();
        let found = lines.next().and_then(|dir| dirs.iter().find(|known| known.as_str() == dir));
        let dir = found.ok_or_else(|| none(args.first().copied().unwrap_or_default()))?;
        let name = lines.next().filter(|name| !name.contains('/')).ok_or_else(|| none(dir.as_str()))?;
        let file = dir.join(name);
        let head = probe.script("read the log's head", HEAD, &[file.as_str()], None).await?;
        let identity =
            crate::etcd::identity(&head.stdout).map_err(|fault| refused(host, format!("{file}: {fault}")))?;
        Ok((dir.clone(), identity))
    }

    async fn client(
        probe: &Probe,
        process: &Process,
        flags: &Flags,
        login: Login,
        shown: Option<ClientCertificate>,
    ) -> Result<Client, Failure> {
        let host = probe.name();
        let urls = flags.http_urls();
        // Plain HTTP first if it offers any: one thing less that can be wrong.
        let url = urls.iter().find(|url| url.starts_with("http://")).or_else(|| urls.first());
        let url = url.ok_or_else(|| refused(host, "it listens for no clients"))?;
        let tls = if url.starts_with("https://") { Some(Self::tls(probe, process, flags, shown).await?) } else { None };
        Client::new(probe, url, tls, login)
            .map(|client| client.called(flags.host_name()))
            .ok_or_else(|| refused(host, format!("`{url}` is no client URL with host and port")))
    }

    /// The member's own certificates and keys open its own client port, unless the operator gives others; they are read into memory and go nowhere else.
    async fn tls(
        probe: &Probe,
        process: &Process,
        flags: &Flags,
        shown: Option<ClientCertificate>,
    ) -> Result<ClientTls, Failure> {
        let host = probe.name();
        let read = |path| Self::pem(probe, host, process, path);
        let (cert, key, ca) = flags.client_tls();
        let cert = cert.ok_or_else(|| refused(host, "it speaks TLS but no certificate is named in its options"))?;
        let server_pem = read(cert).await?;
        let names = names(&flags.advertise_client_urls());
        // A member that names no authority asks clients for nothing; that it is this member its own certificate says.
        let Some(ca) = ca else { return Ok(ClientTls { ca_pem: None, server_pem, names, own: None }) };
        let ca_pem = read(ca).await?;
        if let Some(ClientCertificate { cert_pem, key }) = shown {
            return Ok(ClientTls { ca_pem: Some(ca_pem), server_pem, names, own: Some((cert_pem, key)) });
        }
        // One for servers alone opens no port that wants clients' certificates. That for peers is for both, since they call each other.
        let peer = flags.peer_tls();
        let (cert_pem, key) = match peer {
            (Some(peer_cert), peer_key) if !Tls::takes_client(&ca_pem, &server_pem) => {
                let peer_pem = read(peer_cert).await?;
                if Tls::takes_client(&ca_pem, &peer_pem) { (peer_pem, peer_key) } else { (server_pem.clone(), key) }
            }
            _ => (server_pem.clone(), key),
        };
        let own = match key {
            Some(key) => {
                let key = String::from_utf8(read(key).await?).map_err(|_| refused(host, "its key is no PEM text"))?;
                Some((cert_pem, SecretString::from(key)))
            }
            None => None,
        };
        Ok(ClientTls { ca_pem: Some(ca_pem), server_pem, names, own })
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
            Err(error) if error.lost() => return Err(Failure::new(Fault::Unreachable, format!("{host}: {error}"))),
            // Which file it is that is over, the handshake does not say.
            Err(error) if error.tls() => {
                certificates::hold(self.client.probe(), self).await?;
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
        if (view.id, view.cluster) != (self.identity.member, self.identity.cluster) {
            let (id, cluster) = (view.id, view.cluster);
            let WalIdentity { member, cluster: logged } = self.identity;
            let what = format!(
                "what answers is member {id:x} of cluster {cluster:x}, but the log in {} is of member {member:x} of cluster {logged:x}",
                self.wal_dir
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

    /// The path of the configuration file, if the member has one.
    pub(super) fn config_file(&self) -> Option<&RemotePath> {
        self.config.as_ref().map(|(path, _)| path)
    }

    /// How large its data is, in bytes on the disk, with its log wherever that is.
    pub(super) async fn data_size(&self, probe: &Probe) -> Result<u64, Failure> {
        let dir = &self.data_dir;
        let ran = probe.script("measure the data", SIZE, &[dir.as_str(), self.wal_dir.as_str()], None).await?;
        let kib: Result<u64, _> = String::from_utf8_lossy(&ran.stdout).trim().parse();
        let kib =
            kib.map_err(|_| Failure::new(Fault::Failed, format!("{}: du {dir}: {}", probe.name(), ran.words())))?;
        Ok(kib.saturating_mul(1024))
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

/// A text as a version; `name` is the argument it is from.
pub(super) fn version(text: &str, name: &str) -> Result<Version, Failure> {
    Version::parse(text.trim_start_matches('v')).map_err(|_| {
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
            let facts = Facts::gather(call.fleet, &call.probe, unit).await?;
            let view = facts.view().await?;
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
                None => facts.data_size(&call.probe).await?,
            };
            let etcd = json!({
                "unit": facts.unit,
                "pid": facts.state.main_pid(),
                "program": facts.program.as_str(),
                "data_dir": facts.data_dir.as_str(),
                "wal_dir": facts.wal_dir.as_str(),
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
