//! [`SshConnector`]: connections to hosts, and the jump hosts they share.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Mutex as AsyncMutex;

use super::addresses::Addresses;
use super::config::Files;
use super::detour::{Detours, Failed, of_the_network};
use super::dial::dial;
use super::key_file::KeyRing;
use super::link::{Link, SshSession};
use super::route::{Around, Hop, ways};
use super::watcher::NO_ANSWER;
use crate::transport::local::LocalSession;
use crate::transport::session::{BoxFuture, ConnectError, Connector, Session, Target};

/// Asks the operator for a passphrase; nothing if there is nobody to ask.
pub type Ask = Arc<dyn Fn(&str) -> Option<SecretString> + Send + Sync>;

/// How SSH connections are made.
#[derive(Clone)]
pub struct SshOptions {
    /// `-F`: this file instead of `~/.ssh/config` and `/etc/ssh/ssh_config`; `none`: no file.
    pub config_file: Option<PathBuf>,
    /// Files in the format of known_hosts, read besides those of ssh_config.
    pub known_hosts: Vec<PathBuf>,
    /// What `~` means; without it, the home directory of the user we run as.
    pub home: Option<PathBuf>,
    /// A keepalive is sent after this long without a word from the host, unless ssh_config says otherwise.
    pub keepalive: Duration,
    /// The connection is given up after so many intervals without a word. 15 s × 3: a dead link is noticed within 45 s.
    pub keepalive_count: usize,
    /// For passphrases of keys; without it an encrypted key that no agent holds is not used.
    pub ask: Option<Ask>,
}

impl Default for SshOptions {
    fn default() -> Self {
        Self {
            config_file: None,
            known_hosts: Vec::new(),
            home: None,
            keepalive: Duration::from_secs(15),
            keepalive_count: 3,
            ask: None,
        }
    }
}

/// Connects to hosts over SSH; hosts behind the same jump host share one connection to it.
///
/// Host keys are always checked, and nothing is ever written.
pub struct SshConnector {
    options: SshOptions,
    home: PathBuf,
    files: OnceLock<Result<Files, String>>,
    ring: KeyRing,
    addresses: Addresses,
    jumps: Mutex<HashMap<String, Arc<Shared>>>,
    /// Which of several ways are gone.
    detours: Detours,
    /// Logins that were rejected, by way and endpoint: asking again would lock us out (sshd's `PerSourcePenalties`).
    rejected: Mutex<HashMap<String, ConnectError>>,
    /// Which endpoint a `HostKeyAlias` stands for, and which host first showed a host key.
    aliases: Mutex<HashMap<String, String>>,
    host_keys: Mutex<HashMap<String, String>>,
    warnings: Mutex<BTreeSet<String>>,
}

/// A jump host's connection and the last failure to make it.
#[derive(Default)]
struct Shared {
    /// Counts the attempts, so that those who waited for one share its failure.
    attempts: std::sync::atomic::AtomicU64,
    state: AsyncMutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    failure: Option<ConnectError>,
}

impl SshConnector {
    /// A connector that has not connected to anything yet.
    #[must_use]
    pub fn new(options: SshOptions) -> Self {
        let home = options.home.clone().or_else(std::env::home_dir).unwrap_or_else(|| PathBuf::from("/"));
        Self {
            options,
            home,
            files: OnceLock::new(),
            ring: KeyRing::default(),
            addresses: Addresses::default(),
            jumps: Mutex::default(),
            detours: Detours::default(),
            rejected: Mutex::default(),
            aliases: Mutex::default(),
            host_keys: Mutex::default(),
            warnings: Mutex::default(),
        }
    }

    /// Finds what is wrong on paper with the way to a target, without connecting: names, ssh_config, jump hosts.
    ///
    /// # Errors
    /// [`ConnectError::Config`].
    pub fn check(&self, target: &Target) -> Result<(), ConnectError> {
        if target.local { Ok(()) } else { self.ways(target).map(drop) }
    }

    /// What was left out of ssh_config, and hosts that show the same host key, a line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        held(&self.warnings).iter().cloned().collect()
    }

    fn ways(&self, target: &Target) -> Result<Vec<Vec<Hop>>, ConnectError> {
        let fault = |detail: &str| ConnectError::Config { host: target.name.clone(), detail: detail.to_owned() };
        let read = || Files::read(self.options.config_file.as_deref(), &self.home);
        let files = self.files.get_or_init(read).as_ref().map_err(|e| fault(e))?;
        let local_user = local_user();
        let around = Around {
            files,
            home: &self.home,
            local_user: &local_user,
            known_hosts: &self.options.known_hosts,
            alive: (self.options.keepalive, self.options.keepalive_count),
        };
        let (ways, warnings) = ways(&around, target)?;
        held(&self.warnings).extend(warnings);
        for hop in ways.iter().flatten() {
            let Some(alias) = &hop.alias else { continue };
            let endpoint = format!("{}:{}", hop.host, hop.port);
            let first = held(&self.aliases).entry(alias.clone()).or_insert_with(|| endpoint.clone()).clone();
            if first != endpoint {
                return Err(fault(&format!(
                    "HostKeyAlias {alias} stands for {first} and for {endpoint}: two hosts with one identity"
                )));
            }
        }
        Ok(ways)
    }

    async fn open(&self, target: &Target) -> Result<Arc<dyn Session>, ConnectError> {
        if target.local {
            return Ok(Arc::new(LocalSession::new(&target.name)));
        }
        let ways = self.ways(target)?;
        let several = ways.len() > 1;
        let mut attempt = self.detours.attempt(&ways);
        let mut left: VecDeque<(usize, &[Hop])> = attempt.order().collect();
        while let Some((number, hops)) = left.pop_front() {
            let error = match self.along(target, hops, several).await {
                Ok(link) => {
                    let way = several.then(|| attempt.went(number));
                    return Ok(Arc::new(SshSession::new(Arc::new(link), way)));
                }
                Err(Failed::Target(error)) => return Err(error),
                Err(Failed::Jump(error)) if !several => return Err(error),
                Err(Failed::Jump(error)) => error,
                Err(Failed::Silent(error)) => {
                    attempt.is_silent(number, &error);
                    left.push_back((number, hops));
                    continue;
                }
            };
            if let Some(error) = attempt.at_a_jump(&target.name, number, error) {
                return Err(error);
            }
        }
        Err(attempt.nowhere(&target.name))
    }

    /// One way to its end. Where there are `others`, it is made sure that a jump host is there before its target is called silent.
    async fn along(&self, target: &Target, hops: &[Hop], others: bool) -> Result<Link, Failed> {
        let Some((last, jumps)) = hops.split_last() else {
            let (host, detail) = (target.name.clone(), "no hop".to_owned());
            return Err(Failed::Target(ConnectError::Config { host, detail }));
        };
        let mut via: Option<Arc<Link>> = None;
        let mut way = String::new();
        for jump in jumps {
            way = format!("{way}{}>", jump.endpoint());
            if others && let Some(silent) = self.let_go_if_silent(&way).await {
                return Err(Failed::Silent(silent));
            }
            via = Some(self.jump(jump, via.as_ref(), &way).await.map_err(Failed::Jump)?);
        }
        let dialled = self.dial(last, via.as_ref(), &format!("{way}{}", last.endpoint())).await;
        match (dialled, via) {
            (Err(error), Some(via)) if others && of_the_network(&error) && !via.answers().await => {
                let detail = format!("its connection is lost: {}", via.why(&"no answer"));
                Err(Failed::Jump(ConnectError::Unreachable { host: via.label.clone(), via: None, detail }))
            }
            (dialled, _) => dialled.map_err(Failed::Target),
        }
    }

    /// Forgets a jump host's connection over which nothing comes any more; whoever still waits for an answer over it goes on waiting.
    async fn let_go_if_silent(&self, way: &str) -> Option<ConnectError> {
        let shared = held(&self.jumps).get(way).cloned()?;
        // Whoever holds it makes the connection just now.
        let link = shared.state.try_lock().ok()?.link.clone()?;
        if !link.fell_silent().await {
            return None;
        }
        let mut state = shared.state.lock().await;
        if state.link.as_ref().is_some_and(|held| Arc::ptr_eq(held, &link)) {
            state.link = None;
        }
        let detail = format!("its connection is lost: {NO_ANSWER}");
        Some(ConnectError::Unreachable { host: link.label.clone(), via: None, detail })
    }

    /// The shared connection to a jump host; made by the first that wants it, while the others wait.
    async fn jump(&self, hop: &Hop, via: Option<&Arc<Link>>, way: &str) -> Result<Arc<Link>, ConnectError> {
        use std::sync::atomic::Ordering::SeqCst;
        let shared = Arc::clone(held(&self.jumps).entry(way.to_owned()).or_default());
        let attempts = shared.attempts.load(SeqCst);
        let mut state = shared.state.lock().await;
        if let Some(link) = state.link.as_ref().filter(|l| l.alive()) {
            return Ok(Arc::clone(link));
        }
        if let Some(failure) = state.failure.as_ref().filter(|_| shared.attempts.load(SeqCst) != attempts) {
            return Err(failure.clone());
        }
        let dialled = self.dial(hop, via, way).await;
        shared.attempts.fetch_add(1, SeqCst);
        match dialled {
            Ok(link) => {
                let link = Arc::new(link);
                *state = State { link: Some(Arc::clone(&link)), failure: None };
                Ok(link)
            }
            Err(failure) => {
                *state = State { link: None, failure: Some(failure.clone()) };
                Err(failure)
            }
        }
    }

    async fn dial(&self, hop: &Hop, via: Option<&Arc<Link>>, way: &str) -> Result<Link, ConnectError> {
        if let Some(rejected) = held(&self.rejected).get(way) {
            return Err(rejected.clone());
        }
        match dial(hop, via, &self.ring, &self.addresses, self.options.ask.as_ref()).await {
            Ok(link) => {
                self.remember(hop, &link);
                Ok(link)
            }
            Err(error) => {
                if matches!(error, ConnectError::LoginRefused { .. }) {
                    held(&self.rejected).insert(way.to_owned(), error.clone());
                }
                Err(error)
            }
        }
    }

    /// Cloned machines share their host key: whoever breaks into one can pose as the other.
    fn remember(&self, hop: &Hop, link: &Link) {
        let Some(key) = link.seen.host_key.get() else { return };
        let endpoint = format!("{}:{}", hop.host, hop.port);
        let first = held(&self.host_keys).entry(key.clone()).or_insert_with(|| endpoint.clone()).clone();
        if first != endpoint {
            held(&self.warnings)
                .insert(format!("{first} and {endpoint} show the same host key {key}; are they cloned?"));
        }
    }
}

impl Connector for SshConnector {
    fn connect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Arc<dyn Session>, ConnectError>> {
        Box::pin(self.open(target))
    }
}

/// A poisoned lock holds nothing half-done here: every change is one insertion.
fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the user we run as: by /etc/passwd as `ssh` does, else as the environment says (LDAP, containers).
fn local_user() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let passwd = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    named
        .or_else(|| std::env::var("USER").ok())
        .or_else(|| std::env::var("LOGNAME").ok())
        .unwrap_or_else(|| "root".to_owned())
}
