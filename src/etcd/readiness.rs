//! `/readyz`: whether a member holds itself for fit to serve.

use semver::Version;

use super::answer::{AnswerError, unforeseen};

/// The first patch of each minor that has it, and from when on every release has (etcd CHANGELOG-3.4 and -3.5).
const FIRST: [Version; 2] = [Version::new(3, 4, 29), Version::new(3, 5, 11)];

/// Whether a member of that version has it. It is a read through raft and no entry in the log, unlike `/health` up to 3.4.28 (the raft
/// index of an idle 3.5.35, 3.6.16 and 3.7.3 stayed over twenty calls; seen in the lab 2026-11-27).
#[must_use]
pub fn tells_ready(version: &Version) -> bool {
    let minor = FIRST.into_iter().find(|first| (first.major, first.minor) == (version.major, version.minor));
    minor.map_or_else(|| (version.major, version.minor) > (3, 5), |first| *version >= first)
}

/// Reads its answer: 200, or 503 with a line for each check, of which `[-]` begins those that failed. With `enable-v2` 3.5 has none and
/// answers 404 (3.5.35 seen in the lab 2026-11-27); then nothing is said either way.
///
/// # Errors
/// With the checks that failed.
pub fn ready(status: u16, body: &[u8]) -> Result<(), AnswerError> {
    if matches!(status, 200 | 404) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(body);
    let failed: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("[-]")).collect();
    let expected = "that it is ready";
    if failed.is_empty() {
        return Err(unforeseen("/readyz", expected, status, body));
    }
    let failed: String = failed.join(", ").chars().filter(|c| !c.is_control()).take(200).collect();
    Err(AnswerError { path: "/readyz", expected, found: format!("`{failed}`") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_decides_whether_it_is_asked() {
        let tells = |text: &str| tells_ready(&text.parse().unwrap());
        for version in ["3.4.29", "3.4.45", "3.5.11", "3.5.35", "3.6.0", "3.7.3", "4.0.0"] {
            assert!(tells(version), "{version}");
        }
        for version in ["2.3.8", "3.3.27", "3.4.28", "3.5.10"] {
            assert!(!tells(version), "{version}");
        }
    }

    #[test]
    fn the_checks_that_failed_are_named() {
        assert_eq!(ready(200, b"ok\n"), Ok(()));
        let body =
            b"[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n[+]linearizable_read ok\n";
        let fault = ready(503, body).unwrap_err().to_string();
        assert!(fault.contains("data_corruption failed: alarm activated: CORRUPT"), "{fault}");
        assert!(!fault.contains("serializable_read"), "{fault}");
        assert_eq!(ready(404, b"404 page not found\n"), Ok(()));
        assert!(ready(500, b"what").unwrap_err().to_string().contains("status 500"));
    }
}
