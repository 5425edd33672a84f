//! What a running etcd was told: its command line and environment, as etcd itself reads them.

// The addresses alone; what opens sockets is in `std`.
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use semver::Version;

use super::command_line::{option_of_variable, spoken, variable_of_option};
use super::config_file::{self, Key};
use super::rules::{Gone, Rules};

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

/// What in the options stands in the way of a roll.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagFault {
    /// The member would forget its cluster at each start.
    #[error(
        "`force-new-cluster` is set: at the next start this member would leave its cluster and form one of its own"
    )]
    ForceNewCluster,
    /// A value the target rejects.
    #[error("`{name}` is {value}, which {target} rejects: {why}")]
    Rejected {
        /// The option.
        name: String,
        /// Its value.
        value: String,
        /// The version.
        target: Version,
        /// Why.
        why: String,
    },
    /// An option that the target does not know, at which it ends at once.
    #[error("`--{name}` stands on the command line, and {target} ends at an option that it does not know{advice}")]
    Gone {
        /// The option.
        name: String,
        /// The version.
        target: Version,
        /// What to say in its place.
        advice: String,
    },
    /// An option said twice.
    #[error(
        "`--{name}` stands on the command line and as {variable} in the environment, at which etcd ends from 3.4 on; say it once"
    )]
    Twice {
        /// The option.
        name: String,
        /// The variable.
        variable: String,
    },
    /// Something in the configuration file that the target wants written otherwise.
    #[error("`{name}` in the configuration file is in the way of {target}: {why}")]
    InFile {
        /// The option.
        name: String,
        /// The version.
        target: Version,
        /// Why.
        why: &'static str,
    },
    /// Nothing by which a member could be asked.
    #[error(
        "`enable-grpc-gateway` is off, and by the gateway quorate asks members from 3.0 on; {target} would not answer: set it to `true`"
    )]
    NoGateway {
        /// The version.
        target: Version,
    },
    /// A proxy has no data and no vote.
    #[error("this etcd runs as a proxy, not as a member")]
    Proxy,
}

impl FlagFault {
    /// The option that it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::ForceNewCluster => "force-new-cluster",
            Self::Proxy => "proxy",
            Self::NoGateway { .. } => config_file::GATEWAY,
            Self::InFile { name, .. } => name,
            Self::Rejected { name, .. } | Self::Gone { name, .. } | Self::Twice { name, .. } => name,
        }
    }
}

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
        let name = self.options.into_iter().filter(|(name, _)| name == "config-file");
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

    /// Authority, and certificate and key where clients must show some, as etcdctl takes them: paths on the host.
    #[must_use]
    pub fn client_tls_shown(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        let (cert, key, ca) = self.client_tls();
        (ca, ca.and(cert), ca.and(key))
    }

    /// Certificate and key of the peers' side, as paths on the host.
    #[must_use]
    pub fn peer_tls(&self) -> (Option<&str>, Option<&str>) {
        (self.path("peer-cert-file"), self.path("peer-key-file"))
    }

    /// Every file of certificates that it reads, as paths on the host, each with its option.
    #[must_use]
    pub fn certificate_files(&self) -> Vec<(&'static str, &str)> {
        CERTIFICATES.iter().filter_map(|name| Some((*name, self.path(name)?))).collect()
    }

    fn path(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|path| !path.is_empty())
    }

    /// What stands in the way of starting `target` with these options; all of it.
    #[must_use]
    pub fn faults(&self, rules: &Rules, target: &Version) -> Vec<FlagFault> {
        let mut faults = Vec::new();
        let minor = (target.major, target.minor);
        // With a configuration file etcd reads neither (etcd v3.0.17 etcdmain/config.go, read 2026-11-24).
        let spoken = self.spoken.iter().filter(|_| self.get("config-file").is_none());
        for name in spoken {
            if let Some(gone) = rules.gone(name, target) {
                faults.push(FlagFault::Gone { name: name.clone(), target: target.clone(), advice: advice(gone) });
            }
            if let Some(((major, minor), before)) = rules.too_new(name, target) {
                let advice = before.map(|before| format!("; before it was `--{before}`")).unwrap_or_default();
                let advice = format!("{advice} (it is known from {major}.{minor} on)");
                faults.push(FlagFault::Gone { name: name.clone(), target: target.clone(), advice });
            }
            // etcd v3.4.13 pkg/flags/flag.go, read 2026-11-24.
            if minor >= (3, 4) && self.environment.contains(name) {
                faults.push(FlagFault::Twice { name: name.clone(), variable: variable_of_option(name) });
            }
        }
        faults.extend(self.values(rules, target));
        let reshapes = self.reshapes(target);
        faults.extend(reshapes.iter().map(|reshape| FlagFault::InFile {
            name: reshape.subject().to_owned(),
            target: target.clone(),
            why: reshape.why(),
        }));
        if self.get(config_file::GATEWAY).is_some() && self.lacks_gateway(target) {
            faults.push(FlagFault::NoGateway { target: target.clone() });
        }
        faults.extend(self.leaves_cluster());
        faults
    }

    /// What in the options would make no member of its cluster of it, whatever the version.
    #[must_use]
    pub fn leaves_cluster(&self) -> Vec<FlagFault> {
        let forced = self.get("force-new-cluster").is_some_and(|v| !matches!(v, "false" | "0" | "f" | "F" | ""));
        let proxy = self.get("proxy").is_some_and(|value| !matches!(value, "off" | ""));
        [(forced, FlagFault::ForceNewCluster), (proxy, FlagFault::Proxy)]
            .into_iter()
            .filter_map(|(is, fault)| is.then_some(fault))
            .collect()
    }

    /// Options with a value that the target rejects.
    fn values(&self, rules: &Rules, target: &Version) -> Vec<FlagFault> {
        let minor = (target.major, target.minor);
        let mut faults = Vec::new();
        let mut rejected = |name: &str, value: &str, why: &str| {
            let (name, value, why) = (name.to_owned(), value.to_owned(), why.to_owned());
            faults.push(FlagFault::Rejected { name, value, target: target.clone(), why });
        };
        if minor >= (2, 1) && self.election_timeout() > Duration::from_millis(50_000) {
            let why = "2.1 on accepts at most 50000 ms (etcd v2.1.3 etcdmain/config.go, read 2026-11-24)";
            rejected("election-timeout", self.get("election-timeout").unwrap_or_default(), why);
        }
        if minor >= (3, 2) {
            let why =
                "3.2 on listens on IP addresses and `localhost` only (etcd v3.2.32 embed/config.go, read 2026-11-24)";
            for name in ["listen-client-urls", "listen-peer-urls"] {
                for url in self.list(name, "").iter().filter(|url| !listens(url)) {
                    rejected(name, url, why);
                }
            }
        }
        for (name, value) in &self.options {
            if let Some(row) = rules.rejected(name, value, target) {
                rejected(name, value, &format!("{} ({}, read {})", row.why, row.source, row.date));
            }
        }
        faults
    }
}

/// Whether 3.2 and later can listen at a URL.
fn listens(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return true };
    // A unix socket has no host.
    if url.starts_with("unix") {
        return true;
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    host.is_empty() || host == "localhost" || host.parse::<IpAddr>().is_ok()
}

fn advice(gone: &Gone) -> String {
    let new = match (&gone.becomes, &gone.gate, &gone.where_true) {
        (Some(new), _, _) => format!("; it is `--{new}` now"),
        (None, Some(gate), _) => format!("; it is `--feature-gates={gate}=true` now"),
        (None, None, Some(new)) => format!("; say `--{new}` in its place"),
        (None, None, None) if gone.drop => "; take it out".to_owned(),
        (None, None, None) => String::new(),
    };
    format!("{new}{}", gone.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::Shape;

    fn flags(words: &[&str], environment: &[(&str, &str)]) -> Flags {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Flags::from_process(&words, &environment)
    }

    #[test]
    fn reads_flags_in_each_spelling_and_the_environment_below_them() {
        let f = flags(
            &[
                "/usr/local/bin/etcd",
                "-name",
                "etcd1",
                "--data-dir=/var/lib/etcd",
                "-force-new-cluster",
                "-proxy",
                "off",
            ],
            &[
                ("ETCD_NAME", "other"),
                ("ETCD_LISTEN_CLIENT_URLS", "http://10.0.0.1:2379, http://127.0.0.1:2379"),
                ("HOME", "/"),
            ],
        );
        assert_eq!((f.name(), f.data_dir().as_str()), ("etcd1", "/var/lib/etcd"));
        assert_eq!(f.listen_client_urls(), ["http://10.0.0.1:2379", "http://127.0.0.1:2379"]);
        assert_eq!(f.faults(Rules::built_in(), &Version::new(2, 1, 1)), [FlagFault::ForceNewCluster]);
    }

    #[test]
    fn the_default_data_directory_is_named_after_the_member() {
        assert_eq!(flags(&["etcd", "-name=m1"], &[]).data_dir(), "m1.etcd");
        assert_eq!(flags(&["etcd"], &[]).data_dir(), "default.etcd");
    }

    #[test]
    fn an_election_timeout_that_2_1_rejects_is_seen_beforehand() {
        let f = flags(&["etcd"], &[("ETCD_ELECTION_TIMEOUT", "60000")]);
        assert!(matches!(f.faults(Rules::built_in(), &Version::new(2, 1, 1))[..], [FlagFault::Rejected { .. }]));
        assert!(f.faults(Rules::built_in(), &Version::new(2, 0, 13)).is_empty());
    }

    #[test]
    fn options_that_a_release_does_not_know_are_seen_beforehand() {
        let faults = |words: &[&str], environment: &[(&str, &str)], version: &str| {
            let faults = flags(words, environment).faults(Rules::built_in(), &version.parse().unwrap());
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let old = ["etcd", "-debug", "--enable-v2=true", "--experimental-initial-corrupt-check"];
        assert!(faults(&old, &[], "3.4.13").is_empty());
        assert!(matches!(&faults(&old, &[], "3.5.35")[..], [debug] if debug.contains("log-level=debug")));
        assert!(matches!(&faults(&old, &[], "3.6.16")[..], [_, v2] if v2.contains("enable-v2")));
        let all = faults(&old, &[], "3.7.3");
        assert!(all.iter().any(|fault| fault.contains("InitialCorruptCheck=true")), "{all:?}");
        // A variable that is not known only warns.
        assert!(faults(&["etcd"], &[("ETCD_ENABLE_V2", "true")], "3.6.16").is_empty());
        // A configuration file takes the place of all of them.
        assert!(faults(&["etcd", "--debug"], &[("ETCD_CONFIG_FILE", "/etc/etcd.yml")], "3.5.35").is_empty());
    }

    #[test]
    fn a_configuration_file_takes_the_place_of_flags_and_variables() {
        let key = |name: &str, value: &str, shape| Key { name: name.to_owned(), value: value.to_owned(), shape };
        let keys = vec![
            key("data-dir", "/d", Shape::Text),
            key("auto-compaction-retention", "1", Shape::Number),
            key("logger", "capnslog", Shape::Text),
        ];
        let f = flags(&["etcd", "--name=a", "--config-file=/c.yml"], &[("ETCD_DEBUG", "1")]).with_file(keys);
        assert_eq!((f.name(), f.data_dir().as_str(), f.config_file()), ("default", "/d", Some("/c.yml")));
        assert!(!f.is_spoken("name") && f.get("debug").is_none());
        let faults = |version: &str| f.faults(Rules::built_in(), &version.parse().unwrap());
        assert!(faults("3.2.32").is_empty());
        assert!(matches!(&faults("3.3.27")[..], [FlagFault::InFile { .. }]));
        let names: Vec<_> = faults("3.4.13").iter().map(|fault| fault.subject().to_owned()).collect();
        assert_eq!(names, ["auto-compaction-retention", "enable-grpc-gateway"]);
        assert!(matches!(&faults("3.5.35")[..], [FlagFault::Rejected { .. }, FlagFault::InFile { .. }]));
        let off = f.with_file(vec![key("enable-grpc-gateway", "false", Shape::Text)]);
        assert!(matches!(&off.faults(Rules::built_in(), &Version::new(3, 4, 13))[..], [FlagFault::NoGateway { .. }]));
    }

    #[test]
    fn an_option_said_twice_and_a_host_name_to_listen_on_are_seen_beforehand() {
        let twice = flags(&["etcd", "--name=a"], &[("ETCD_NAME", "a")]);
        assert!(twice.faults(Rules::built_in(), &Version::new(3, 3, 27)).is_empty());
        assert!(matches!(twice.faults(Rules::built_in(), &Version::new(3, 4, 13))[..], [FlagFault::Twice { .. }]));
        let named =
            flags(&["etcd", "--listen-client-urls=http://etcd1:2379,http://localhost:2379,http://[::1]:2379"], &[]);
        assert!(named.faults(Rules::built_in(), &Version::new(3, 1, 20)).is_empty());
        assert!(
            matches!(&named.faults(Rules::built_in(), &Version::new(3, 2, 32))[..], [FlagFault::Rejected { value, .. }] if value == "http://etcd1:2379")
        );
    }
}
