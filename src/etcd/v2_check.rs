//! What `etcdutl check v2store` says of a member's data, and what 3.6 makes of it.

use semver::Version;

use super::flags::Flags;

/// What is left of the v2 store (etcd v3.5.35 etcdutl/etcdutl/check_command.go, read 2026-11-28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum V2Left {
    /// Requests in the log behind the last snapshot, on which 3.6 panics (etcd v3.6.16 etcdserver/apply_v2.go, read 2026-11-28).
    Entries,
    /// Keys, users or roles in the store itself, which each snapshot holds too: 3.6 does not start on it (etcd v3.6.16 storage/util.go,
    /// read 2026-11-28).
    Content,
    /// Both.
    Both,
}

/// Its errors, word by word.
const WORDS: [(&str, V2Left); 3] = [
    ("detected custom v2 content in both v2store and WAL records", V2Left::Both),
    ("detected custom content in v2store", V2Left::Content),
    ("detected custom v2 content in WAL records", V2Left::Entries),
];

/// What one of its errors says is left; `None` where it says something else.
#[must_use]
pub fn v2_left(error: &str) -> Option<V2Left> {
    WORDS.iter().find(|(words, _)| error.contains(words)).map(|(_, left)| *left)
}

/// The option that has 3.6 start on content of the v2 store, and its value.
pub const SKIP_CHECK: (&str, &str) = ("v2-deprecation", "write-only-skip-check");

/// Whether a version knows that value: from 3.6.13 and in 3.5 from 3.5.32 on (etcd CHANGELOG-3.5 and -3.6; v3.5.21 and v3.6.8 have it not,
/// v3.5.35 and v3.6.16 have it: server/config/v2_deprecation.go, read 2026-11-28).
#[must_use]
pub fn knows_skip_check(version: &Version) -> bool {
    match (version.major, version.minor) {
        (3, 5) => version.patch >= 32,
        (3, 6) => version.patch >= 13,
        minor => minor > (3, 6),
    }
}

/// Whether a version that is started so starts on content of the v2 store. Of entries in the log it does not help (etcd v3.6.16
/// etcdserver/apply_v2.go, read 2026-11-28).
#[must_use]
pub fn skips_v2_check(flags: &Flags, version: &Version) -> bool {
    let (name, value) = SKIP_CHECK;
    flags.get(name) == Some(value) && knows_skip_check(version)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_errors_of_etcdutl_are_told_apart() {
        let of = |words: &str| v2_left(&format!("Error: {words}"));
        assert_eq!(of("detected custom content in v2store"), Some(V2Left::Content));
        assert_eq!(of("detected custom v2 content in WAL records"), Some(V2Left::Entries));
        assert_eq!(of("detected custom v2 content in both v2store and WAL records"), Some(V2Left::Both));
        assert_eq!(of("failed to recover v2store from snapshot: x"), None);
    }

    #[test]
    fn the_check_is_skipped_by_a_version_that_knows_how_and_is_told_to() {
        let told = |value: &str| {
            let environment = BTreeMap::from([("ETCD_V2_DEPRECATION".to_owned(), value.to_owned())]);
            Flags::from_process(&["etcd".to_owned()], &environment)
        };
        let skips = |value: &str, version: &str| skips_v2_check(&told(value), &version.parse().unwrap());
        assert!(skips("write-only-skip-check", "3.6.16") && skips("write-only-skip-check", "3.6.13"));
        assert!(!skips("write-only-skip-check", "3.6.8") && !skips("write-only", "3.6.16"));
    }
}
