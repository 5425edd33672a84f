//! `/readyz` and `/livez`: whether a member holds itself for fit to serve, and if not, for alive.

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
    let expected = "that it is ready";
    let Some(failed) = failed_checks(body) else { return Err(unforeseen("/readyz", expected, status, body)) };
    Err(AnswerError { path: "/readyz", expected, found: format!("`{failed}`") })
}

fn failed_checks(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let failed: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("[-]")).collect();
    let failed = Some(failed.join(", ")).filter(|failed| !failed.is_empty())?;
    Some(failed.chars().filter(|c| !c.is_control()).take(200).collect())
}

/// What a member that is not ready answers to `/livez`, put behind why it is not: one that is alive may get ready by itself, one that does not
/// even read its own store does not, and no more than that is asked (`serializable_read` is the only check that 3.5.35, 3.6.16 and 3.7.3
/// list with `?verbose`; seen in the lab 2026-11-28). It never makes a member fit: alive it is also without a quorum.
#[must_use]
pub fn not_ready(why: AnswerError, livez_status: u16, livez_body: &[u8]) -> AnswerError {
    let alive = match (livez_status, failed_checks(livez_body)) {
        (200, _) => "alive it is, by /livez".to_owned(),
        (_, Some(failed)) => format!("nor is it alive, by /livez: `{failed}`; a restart may be what helps"),
        (status, None) => format!("/livez answers with status {status}"),
    };
    AnswerError { found: format!("{}; {alive}", why.found), ..why }
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
        let with =
            |status, body: &[u8]| not_ready(ready(503, b"[-]x failed: y\n").unwrap_err(), status, body).to_string();
        assert!(with(200, b"ok\n").contains("x failed: y`; alive it is, by /livez"));
        assert!(
            with(503, b"[-]serializable_read failed: range error\n")
                .contains("nor is it alive, by /livez: `serializable_read failed")
        );
        assert!(with(500, b"what").contains("/livez answers with status 500"));
        assert_eq!(ready(404, b"404 page not found\n"), Ok(()));
        assert!(ready(500, b"what").unwrap_err().to_string().contains("status 500"));
    }
}
