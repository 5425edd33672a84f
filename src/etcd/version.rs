//! Versions, in each form in which etcd tells them.

use semver::Version;

use super::rules::{Minor, minor_of};
use super::strict_json;

/// What a member answers to `GET /version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionAnswer {
    /// The version of the running binary.
    pub server: Version,
    /// The version the whole cluster has settled on. 2.0 knows none.
    pub cluster: ClusterVersion,
}

/// The cluster version as one member sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterVersion {
    /// 2.0: there is no such thing.
    Unknown,
    /// From 2.1 on, until all members have answered the leader.
    NotDecided,
    /// Settled.
    Is(Version),
}

impl ClusterVersion {
    /// Whether it is that minor's or a later one, where there is such a thing: a cluster in which every member runs a minor settles on it
    /// within some five seconds, also a fresh one, which begins with the version before (etcd v2.3.8 and v3.5.35 etcdserver/server.go,
    /// `monitorVersions`; a fresh 2.3.8 at 2.2.0 seen in the lab). Where a member of 2.0 is left, those of 2.1 know none (seen in the lab).
    #[must_use]
    pub fn has_settled(&self, lowest: Minor) -> bool {
        match self {
            Self::Unknown => true,
            Self::NotDecided => lowest < (2, 1),
            Self::Is(version) => minor_of(version) >= lowest,
        }
    }
}

/// Why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct VersionFault {
    /// What was expected.
    pub expected: &'static str,
    /// The beginning of what was there, cut at 60 characters.
    pub found: String,
}

fn fault(expected: &'static str, found: &str) -> VersionFault {
    VersionFault { expected, found: found.chars().take(60).collect() }
}

fn strict(text: &str) -> Result<Version, VersionFault> {
    // A host may say anything: forty digits overflow u64 and are refused by semver itself.
    Version::parse(text).map_err(|_| fault("a version such as 2.1.1", text))
}

/// The answer in the body of `GET /version`, in any of the forms of 2.0 to 3.7.
///
/// 2.0.0 to 2.0.7 give `{"releaseVersion":…,"internalVersion":…}`, 2.0.8 to 2.0.13 the text `etcd 2.0.13`, 2.1 on
/// `{"etcdserver":…,"etcdcluster":…}` (etcd's own sources, read 2026-11-24; 2.0.5 and 2.1.1 seen).
///
/// # Errors
/// When the body is none of these.
pub fn from_version_body(body: &[u8]) -> Result<VersionAnswer, VersionFault> {
    let text = std::str::from_utf8(body).map_err(|_| fault("text", &String::from_utf8_lossy(body)))?.trim();
    if let Some(version) = text.strip_prefix("etcd ") {
        return Ok(VersionAnswer { server: strict(version)?, cluster: ClusterVersion::Unknown });
    }
    let value = strict_json::parse(text.as_bytes()).map_err(|_| fault("the JSON of /version", text))?;
    let field = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    if let Some(release) = field("releaseVersion") {
        return Ok(VersionAnswer { server: strict(release)?, cluster: ClusterVersion::Unknown });
    }
    let server = field("etcdserver").ok_or_else(|| fault("`etcdserver` in the JSON of /version", text))?;
    let cluster = match field("etcdcluster").ok_or_else(|| fault("`etcdcluster` in the JSON of /version", text))? {
        "not_decided" => ClusterVersion::NotDecided,
        settled => ClusterVersion::Is(strict(settled)?),
    };
    Ok(VersionAnswer { server: strict(server)?, cluster })
}

/// The version in what `etcd --version` prints: `etcd version 2.0.5` up to 2.0.10, `etcd Version: 2.1.1` later. On a machine for which it is
/// not tested 3.4 says that before (etcd v3.4.13 etcdmain/etcd.go, `checkSupportArch`, read 2026-11-28).
///
/// # Errors
/// When no line is either.
pub fn from_binary_output(stdout: &[u8]) -> Result<Version, VersionFault> {
    let text = String::from_utf8_lossy(stdout);
    let version = |line: &str| {
        let line = line.trim();
        line.strip_prefix("etcd version ").or_else(|| line.strip_prefix("etcd Version: ")).map(str::to_owned)
    };
    let first = text.lines().next().unwrap_or_default().trim();
    let found = text.lines().find_map(version);
    strict(&found.ok_or_else(|| fault("`etcd version …` or `etcd Version: …`", first))?)
}

/// The version in what etcdctl or etcdutl prints of itself: `etcdctl version 2.0.5` in 2.x, `etcdctl version: 3.4.0` later.
///
/// # Errors
/// When the first line is neither.
pub fn from_tool_output(stdout: &[u8]) -> Result<Version, VersionFault> {
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().next().unwrap_or_default().trim();
    let rest = line.strip_prefix("etcdctl version").or_else(|| line.strip_prefix("etcdutl version"));
    let version = rest.and_then(|rest| rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' ')));
    strict(version.ok_or_else(|| fault("`etcdctl version …`", line))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_the_version_body() {
        let cases = [
            (r#"{"releaseVersion":"2.0.5","internalVersion":"2"}"#, "2.0.5", ClusterVersion::Unknown),
            ("etcd 2.0.13", "2.0.13", ClusterVersion::Unknown),
            (r#"{"etcdserver":"2.1.1","etcdcluster":"not_decided"}"#, "2.1.1", ClusterVersion::NotDecided),
            (r#"{"etcdserver":"2.1.1","etcdcluster":"2.1.0"}"#, "2.1.1", ClusterVersion::Is(Version::new(2, 1, 0))),
            (
                r#"{"etcdserver":"3.6.14","etcdcluster":"3.6.0","storage":"3.6.0"}"#,
                "3.6.14",
                ClusterVersion::Is(Version::new(3, 6, 0)),
            ),
        ];
        for (body, server, cluster) in cases {
            let answer = from_version_body(body.as_bytes()).unwrap();
            assert_eq!(answer.server.to_string(), server);
            assert_eq!(answer.cluster, cluster);
        }
    }

    #[test]
    fn refuses_what_is_no_version() {
        for body in [
            "",
            "3.5",
            "[]",
            r#"{"etcdserver":"v3.5.1","etcdcluster":"3.5.0"}"#,
            r#"{"etcdserver":"3.5.1; rm","etcdcluster":"3.5.0"}"#,
            r#"{"etcdserver":"1111111111111111111111111111111111111111.0.0","etcdcluster":"3.5.0"}"#,
            r#"{"etcdserver":"3.5.1"}"#,
            r#"{"etcdserver":"3.5.1","etcdserver":"3.5.2","etcdcluster":"3.5.0"}"#,
        ] {
            assert!(from_version_body(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_cluster_version_below_the_lowest_minor_has_not_settled() {
        assert!(ClusterVersion::Unknown.has_settled((2, 0)));
        assert!(ClusterVersion::NotDecided.has_settled((2, 0)) && !ClusterVersion::NotDecided.has_settled((2, 1)));
        let is = |major, minor| ClusterVersion::Is(Version::new(major, minor, 0));
        assert!(!is(2, 2).has_settled((2, 3)) && is(2, 3).has_settled((2, 3)) && is(3, 0).has_settled((2, 3)));
    }

    #[test]
    fn reads_what_the_binary_prints() {
        assert_eq!(from_binary_output(b"etcd version 2.0.5\n").unwrap(), Version::new(2, 0, 5));
        assert_eq!(from_binary_output(b"etcd Version: 2.1.1\nGit SHA: x\n").unwrap(), Version::new(2, 1, 1));
        assert!(from_binary_output(b"etcdctl version 2.0.5\n").is_err());
        let arm = b"running etcd on unsupported architecture \"arm64\" since ETCD_UNSUPPORTED_ARCH is set\netcd Version: 3.4.13\n";
        assert_eq!(from_binary_output(arm).unwrap(), Version::new(3, 4, 13));
        assert_eq!(from_tool_output(b"etcdctl version 2.0.5\n").unwrap(), Version::new(2, 0, 5));
        let later = from_tool_output(b"etcdctl version: 3.4.0\nAPI version: 3.4\n");
        assert_eq!(later.unwrap(), Version::new(3, 4, 0));
        assert!(from_tool_output(b"etcd version 2.0.5\n").is_err());
    }
}
