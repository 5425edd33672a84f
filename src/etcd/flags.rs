//! What a running etcd was told: its command line and environment, as etcd itself reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use semver::Version;

/// The options of a running etcd, by their long name without dashes.
///
/// A flag wins over the variable `ETCD_NAME` up to 3.3 (etcd-io/etcd pkg/flags, read 2026-11-24).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    options: BTreeMap<String, String>,
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
        name: &'static str,
        /// Its value.
        value: String,
        /// The version.
        target: Version,
        /// Why.
        why: &'static str,
    },
    /// A proxy has no data and no vote.
    #[error("this etcd runs as a proxy, not as a member")]
    Proxy,
}

/// Options that may stand alone, so the next word is not their value (etcd v2.0.5 and v2.1.1 etcdmain/config.go, read 2026-11-24).
const BOOLS: &[&str] = &["force-new-cluster", "version", "debug", "client-cert-auth", "peer-client-cert-auth"];

impl Flags {
    /// The options of a process with that command line (the program first) and environment.
    #[must_use]
    pub fn from_process(command_line: &[String], environment: &BTreeMap<String, String>) -> Self {
        let mut options = BTreeMap::new();
        for (name, value) in environment {
            if let Some(option) = name.strip_prefix("ETCD_") {
                options.insert(option.to_lowercase().replace('_', "-"), value.clone());
            }
        }
        let mut words = command_line.iter().skip(1).peekable();
        while let Some(word) = words.next() {
            // Go's flag package ends at the first word that is no flag, and at `--`.
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|f| !f.is_empty())
            else {
                break;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None if BOOLS.contains(&flag) => (flag, "true".to_owned()),
                None => (flag, words.next().cloned().unwrap_or_default()),
            };
            options.insert(name.to_owned(), value);
        }
        Self { options }
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

    /// Certificate and key of the peers' side, as paths on the host.
    #[must_use]
    pub fn peer_tls(&self) -> (Option<&str>, Option<&str>) {
        (self.path("peer-cert-file"), self.path("peer-key-file"))
    }

    fn path(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|path| !path.is_empty())
    }

    /// What stands in the way of starting `target` with these options; all of it.
    #[must_use]
    pub fn faults(&self, target: &Version) -> Vec<FlagFault> {
        let mut faults = Vec::new();
        if self.get("force-new-cluster").is_some_and(|value| !matches!(value, "false" | "0" | "f" | "F" | "")) {
            faults.push(FlagFault::ForceNewCluster);
        }
        if self.get("proxy").is_some_and(|value| !matches!(value, "off" | "")) {
            faults.push(FlagFault::Proxy);
        }
        if (target.major, target.minor) >= (2, 1) && self.election_timeout() > Duration::from_millis(50_000) {
            faults.push(FlagFault::Rejected {
                name: "election-timeout",
                value: self.get("election-timeout").unwrap_or_default().to_owned(),
                target: target.clone(),
                why: "2.1 on accepts at most 50000 ms (etcd v2.1.3 etcdmain/config.go, read 2026-11-24)",
            });
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(f.faults(&Version::new(2, 1, 1)), [FlagFault::ForceNewCluster]);
    }

    #[test]
    fn the_default_data_directory_is_named_after_the_member() {
        assert_eq!(flags(&["etcd", "-name=m1"], &[]).data_dir(), "m1.etcd");
        assert_eq!(flags(&["etcd"], &[]).data_dir(), "default.etcd");
    }

    #[test]
    fn an_election_timeout_that_2_1_rejects_is_seen_beforehand() {
        let f = flags(&["etcd"], &[("ETCD_ELECTION_TIMEOUT", "60000")]);
        assert!(matches!(f.faults(&Version::new(2, 1, 1))[..], [FlagFault::Rejected { .. }]));
        assert!(f.faults(&Version::new(2, 0, 13)).is_empty());
    }
}
