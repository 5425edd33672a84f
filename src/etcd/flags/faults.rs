//! What in the options of a member stands in the way of a version.

// The addresses alone; what opens sockets is in `std`.
use core::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use semver::Version;

use super::super::binary::{UNSUPPORTED_ARCH, wants_arch};
use super::super::command_line::{names_option, variable_of_option};
use super::super::config_file;
use super::super::rewrite::GATES;
use super::super::rules::{Gone, Rules};
use super::super::v2_check::{SKIP_CHECK, knows_skip_check};
use super::{Flags, UNSUPPORTED};

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
    /// A machine for which the target is not tested.
    #[error(
        "{target} ends at once on {arch} unless `{UNSUPPORTED_ARCH}={arch}` is in its environment; put it there (`Environment=`)"
    )]
    Architecture {
        /// The machine, as Go calls it.
        arch: &'static str,
        /// The version.
        target: Version,
    },
    /// An option by its old and by its new name.
    #[error("`{name}` and `{new}` are both said, at which {target} ends; say `{new}` alone")]
    BothNames {
        /// The old name.
        name: String,
        /// The new one.
        new: String,
        /// The version.
        target: Version,
    },
    /// An option that is taken for the value of the one before it.
    #[error("`--{name}` stands without a value, so etcd takes `{value}`, which follows it, for that; give it one")]
    Swallows {
        /// The option.
        name: String,
        /// What is taken for its value.
        value: String,
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
            Self::Architecture { .. } => UNSUPPORTED,
            Self::InFile { name, .. } => name,
            Self::Rejected { name, .. }
            | Self::Gone { name, .. }
            | Self::Twice { name, .. }
            | Self::Swallows { name, .. }
            | Self::BothNames { name, .. } => name,
        }
    }
}

impl Flags {
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
            if let Some(value) = self.get(name).filter(|value| names_option(value)) {
                faults.push(FlagFault::Swallows { name: name.clone(), value: value.to_owned() });
            }
            // etcd v3.4.13 pkg/flags/flag.go, read 2026-11-24.
            if minor >= (3, 4) && self.environment.contains(name) {
                faults.push(FlagFault::Twice { name: name.clone(), variable: variable_of_option(name) });
            }
        }
        let both = self.by_both_names(rules, target).into_iter();
        faults.extend(both.map(|(name, new)| FlagFault::BothNames { name, new, target: target.clone() }));
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

    /// Whether the environment lacks what `target` wants on that machine, which is named as `uname -m` does.
    #[must_use]
    pub fn lacks_arch(&self, machine: &str, target: &Version) -> Option<FlagFault> {
        let arch = wants_arch(machine, target).filter(|arch| self.get(UNSUPPORTED) != Some(arch))?;
        Some(FlagFault::Architecture { arch, target: target.clone() })
    }

    /// Options that are said by their old name and by their new one or its gate, at which a version ends that knows both (etcd v3.6.16
    /// embed/config.go, `experimentalFlagMigrationMap` and `SetFeatureGatesFromExperimentalFlags`, read 2026-11-28): both names.
    #[must_use]
    pub fn by_both_names(&self, rules: &Rules, target: &Version) -> Vec<(String, String)> {
        let said = |name: &str| self.is_spoken(name) || self.get(name).is_some_and(|value| !value.is_empty());
        let gates = self.get(GATES).unwrap_or_default();
        let both = |name: &str| match rules.renamed(name, target) {
            Some(Gone { becomes: Some(new), .. }) if said(name) && said(new) => Some(new.clone()),
            // As etcd itself looks for it: anywhere in the value.
            Some(Gone { gate: Some(gate), .. }) if said(name) && gates.contains(gate.as_str()) => {
                Some(GATES.to_owned())
            }
            _ => None,
        };
        self.names().filter_map(|name| Some((name.to_owned(), both(name)?))).collect()
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
        for name in URLS {
            for url in self.list(name, "") {
                // Of `initial-cluster` what is behind the member's name.
                let url =
                    url.split_once('=').filter(|_| name == "initial-cluster").map_or(url.as_str(), |(_, url)| url);
                if minor >= (3, 4) && name.contains("advertise") && host_of(url).is_some_and(str::is_empty) {
                    rejected(
                        name,
                        url,
                        "3.4 on end at an address to advertise without a host (etcd v3.4.13 embed/config.go, read 2026-11-28)",
                    );
                }
                if refuses_bracketed(target) && host_of(url).is_some_and(is_bracketed_ipv4) {
                    rejected(
                        name,
                        url,
                        "an IPv4 address stands in no brackets, and the Go of this release ends at it (cilium issue 42818)",
                    );
                }
            }
        }
        let (skip, check) = SKIP_CHECK;
        let skips = self.get(skip) == Some(check) && self.file.is_none();
        if skips && matches!(minor, (3, 5) | (3, 6)) && !knows_skip_check(target) {
            let why = "it is known from 3.5.32 and 3.6.13 on (server/etcdmain/config.go of v3.6.8 and v3.6.16, read 2026-11-28)";
            rejected(skip, check, why);
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

/// Options that hold URLs; those of the last have a member's name before each.
const URLS: [&str; 7] = [
    "listen-client-urls",
    "listen-peer-urls",
    "listen-client-http-urls",
    "listen-metrics-urls",
    "advertise-client-urls",
    "initial-advertise-peer-urls",
    "initial-cluster",
];

/// The host of a URL as it is written, brackets and all; `None` for what has none.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://").filter(|(scheme, _)| !scheme.starts_with("unix"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    Some(authority.rsplit_once(':').map_or(authority, |(host, _)| host))
}

fn is_bracketed_ipv4(host: &str) -> bool {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some_and(|host| host.parse::<Ipv4Addr>().is_ok())
}

/// Whether a release is built by a Go that takes no IPv4 address in brackets (1.24.10, 1.25.4: go.dev/issue/75678): 3.4.39, 3.5.25 and 3.6.6
/// on (etcd CHANGELOG-3.4, -3.5 and -3.6; cilium issue 42818).
fn refuses_bracketed(target: &Version) -> bool {
    match (target.major, target.minor) {
        (3, 4) => target.patch >= 39,
        (3, 5) => target.patch >= 25,
        (3, 6) => target.patch >= 6,
        minor => minor > (3, 6),
    }
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
