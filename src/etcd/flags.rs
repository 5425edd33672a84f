//! What a running etcd was told: its command line and environment, as etcd itself reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use semver::Version;

use super::command_line::{is_true, option_of_variable, spoken};
use super::config_file::{self, Key};
use super::path::ENABLE_V2;

pub use faults::FlagFault;

mod faults;

/// The options of a running etcd, by their long name without dashes.
///
/// A flag wins over the variable `ETCD_NAME` up to 3.3 (etcd-io/etcd pkg/flags, read 2026-11-24).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    options: BTreeMap<String, String>,
    /// Those that stand on the command line.
    spoken: BTreeSet<String>,
    /// Those that stand in the environment.
    environment: BTreeSet<String>,
    /// What the configuration file says, where one takes the place of flags and variables.
    file: Option<Vec<Key>>,
}

/// The variable `ETCD_UNSUPPORTED_ARCH` by an option's name, though it is none.
const UNSUPPORTED: &str = "unsupported-arch";

/// Options that name files of certificates (etcd v2.0.5 etcdmain/config.go, v3.7.1 embed/config.go).
const CERTIFICATES: [&str; 8] = [
    "cert-file",
    "client-cert-file",
    "trusted-ca-file",
    "ca-file",
    "peer-cert-file",
    "peer-client-cert-file",
    "peer-trusted-ca-file",
    "peer-ca-file",
];

impl Flags {
    /// The options of a process with that command line (the program first) and environment.
    #[must_use]
    pub fn from_process(command_line: &[String], environment: &BTreeMap<String, String>) -> Self {
        let mut options = BTreeMap::new();
        for (name, value) in environment {
            options.extend(option_of_variable(name).map(|option| (option, value.clone())));
        }
        let environment = options.keys().cloned().collect();
        let spoken = spoken(command_line);
        options.extend(spoken.iter().map(|option| (option.name.clone(), option.value.clone())));
        let spoken = spoken.into_iter().map(|option| option.name).collect();
        Self { options, spoken, environment, file: None }
    }

    /// The configuration file that takes the place of all else, if one is named: a path on the host.
    #[must_use]
    pub fn config_file(&self) -> Option<&str> {
        self.path("config-file")
    }

    /// The same where the configuration file says this: of flags and variables only its own name holds.
    #[must_use]
    pub fn with_file(self, keys: Vec<Key>) -> Self {
        // etcd looks itself whether the environment names the machine, before it reads any option.
        let name = self.options.into_iter().filter(|(name, _)| name == "config-file" || name == UNSUPPORTED);
        let options = name.chain(keys.iter().map(|key| (key.name.clone(), key.value.clone()))).collect();
        Self { options, file: Some(keys), ..Self::default() }
    }

    /// What the configuration file says; nothing where there is none.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        self.file.as_deref().unwrap_or_default()
    }

    /// Whether a version that is started so has no gateway, by which members of 3.x are asked.
    #[must_use]
    pub fn lacks_gateway(&self, version: &Version) -> bool {
        config_file::lacks_gateway(self.get(config_file::GATEWAY), self.file.is_some(), version)
    }

    /// What of the configuration file a version wants written otherwise.
    #[must_use]
    pub fn reshapes(&self, version: &Version) -> Vec<config_file::Reshape> {
        self.file.as_ref().map(|keys| config_file::reshapes(keys, version)).unwrap_or_default()
    }

    /// Whether the option stands on the command line.
    #[must_use]
    pub fn is_spoken(&self, name: &str) -> bool {
        self.spoken.contains(name)
    }

    /// Whether it stands in the environment.
    #[must_use]
    pub fn is_variable(&self, name: &str) -> bool {
        self.environment.contains(name)
    }

    /// The names of all options that were set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.options.keys().map(String::as_str)
    }

    /// The value of an option, if it was set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    fn list(&self, name: &str, default: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or(default);
        text.split(',').map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned).collect()
    }

    /// The member's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.get("name").unwrap_or("default")
    }

    /// The data directory as given or by default, relative to the working directory of the process.
    #[must_use]
    pub fn data_dir(&self) -> String {
        self.get("data-dir")
            .filter(|dir| !dir.is_empty())
            .map_or_else(|| format!("{}.etcd", self.name()), str::to_owned)
    }

    /// The log's directory, where it is not inside the data directory (from 2.2 on).
    #[must_use]
    pub fn wal_dir(&self) -> Option<&str> {
        self.get("wal-dir").filter(|dir| !dir.is_empty())
    }

    /// Where it listens for clients.
    #[must_use]
    pub fn listen_client_urls(&self) -> Vec<String> {
        self.list("listen-client-urls", "http://localhost:2379,http://localhost:4001")
    }

    /// Where it answers HTTP: all of it moves there from the clients' port where `listen-client-http-urls` is set (3.4.25 and 3.5.8 on).
    #[must_use]
    pub fn http_urls(&self) -> Vec<String> {
        let apart = self.list("listen-client-http-urls", "");
        if apart.is_empty() { self.listen_client_urls() } else { apart }
    }

    /// Where it tells clients to come.
    #[must_use]
    pub fn advertise_client_urls(&self) -> Vec<String> {
        self.list("advertise-client-urls", "http://localhost:2379,http://localhost:4001")
    }

    /// The election timeout, 1 s unless said otherwise.
    #[must_use]
    pub fn election_timeout(&self) -> Duration {
        Duration::from_millis(self.get("election-timeout").and_then(|text| text.parse().ok()).unwrap_or(1000))
    }

    /// Certificate, key and CA of the client side, as paths on the host.
    #[must_use]
    pub fn client_tls(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        // `ca-file` is the name of 2.0; 2.1 knows both.
        let ca = self.path("trusted-ca-file").or_else(|| self.path("ca-file"));
        (self.path("cert-file"), self.path("key-file"), ca)
    }

    /// Certificate and key that it has for where it is a client itself (3.5 on), as paths on the host.
    #[must_use]
    pub fn clients_pair(&self) -> Option<(&str, &str)> {
        self.path("client-cert-file").zip(self.path("client-key-file"))
    }

    /// Authority, and certificate and key where clients must show some, as etcdctl takes them: paths on the host. A member that names no
    /// authority asks clients for nothing, and its own certificate stands for one: Go takes a certificate that is among the roots itself
    /// (crypto/x509 `Certificate.Verify` of Go 1.19 and 1.26, read 2026-11-28).
    #[must_use]
    pub fn client_tls_shown(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        let (cert, key, ca) = self.client_tls();
        match (ca, self.clients_pair()) {
            (None, _) => (cert, None, None),
            (ca, Some((cert, key))) => (ca, Some(cert), Some(key)),
            (ca, None) => (ca, cert, key),
        }
    }

    /// Whether the way to that version takes localhost:4001 from a member of which nothing is said: 3.0 does not listen there (etcd v2.3.8
    /// and v3.0.17 etcdmain/config.go, read 2026-11-28).
    #[must_use]
    pub fn loses_4001(&self, from: &Version, to: &Version) -> bool {
        from.major < 3 && to.major >= 3 && self.path("listen-client-urls").is_none()
    }

    /// Certificate and key of the peers' side, as paths on the host.
    #[must_use]
    pub fn peer_tls(&self) -> (Option<&str>, Option<&str>) {
        (self.path("peer-cert-file"), self.path("peer-key-file"))
    }

    /// Whether it is told to serve the v2 API or not to, as Go reads it; `None` where nothing is said.
    #[must_use]
    pub fn tells_v2(&self) -> Option<bool> {
        self.path(ENABLE_V2.0).map(is_true)
    }

    /// Every file of certificates that it reads, as paths on the host, each with its option.
    #[must_use]
    pub fn certificate_files(&self) -> Vec<(&'static str, &str)> {
        CERTIFICATES.iter().filter_map(|name| Some((*name, self.path(name)?))).collect()
    }

    fn path(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|path| !path.is_empty())
    }
}

#[cfg(test)]
mod tests;
