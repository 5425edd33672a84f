//! Whether it pays to have a member write its database anew, whether its release does that safely, and how long it may take.
//!
//! A database keeps the pages that compaction has freed and fills them again; only `defragment` gives them back to the disk, and the
//! member answers nothing meanwhile (etcd Documentation/op-guide/maintenance.md).

use std::time::Duration;

use semver::Version;

use super::flags::Flags;
use super::gateway::StoreState;

/// When it pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    /// The least share of the file, in percent, that must not be in use.
    pub min_free_percent: u64,
    /// The least size of the file, in bytes.
    pub min_size: u64,
    /// It always does.
    pub force: bool,
}

const MIB: u64 = 1 << 20;

impl Worth {
    /// Whether it pays for this store; under a `NOSPACE` alarm every free page counts, since the quota is one on the file's size.
    ///
    /// # Errors
    /// Why it does not.
    pub fn judge(&self, store: &StoreState, no_space: bool) -> Result<(), String> {
        // Before 3.4 a member does not tell what is in use: nobody can say that it does not pay.
        let Some(used) = store.db_in_use.filter(|_| !self.force) else { return Ok(()) };
        let free = store.db_size.saturating_sub(used);
        let percent = percent(free, store.db_size);
        let (least, size) = if no_space { (1, 0) } else { (self.min_free_percent, self.min_size) };
        if store.db_size < size {
            let (is, least) = (store.db_size / MIB, size / MIB);
            return Err(format!("its database has {is} MiB, and it pays from {least} MiB on"));
        }
        if percent < least {
            return Err(format!("{percent} % of its database are free, and it pays from {least} % on"));
        }
        Ok(())
    }
}

/// How many percent `part` is of `whole`, rounded down.
fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or_default()
}

/// Whether a member of that version may be told to defragment.
///
/// # Errors
/// Why not.
pub fn may_defragment(version: &Version) -> Result<(), String> {
    match (version.major, version.minor, version.patch) {
        (..=2, ..) => {
            Err(format!("etcd {version} keeps its data in the log and in snapshots: it has no database to defragment"))
        }
        // etcd CHANGELOG-3.5 (v3.5.6) and issue 14685.
        (3, 5, ..=5) => Err(format!(
            "a crash while etcd {version} defragments leaves data that differ from the other members'; go to 3.5.6 or later first"
        )),
        _ => Ok(()),
    }
}

/// How many bytes a member's database may have; `None` where that is not known, the greatest number where there is no quota.
///
/// Not set or zero is 2 GiB, less than zero is none (etcd storage/quota.go, the same from 3.0 to 3.7).
#[must_use]
pub fn quota(store: &StoreState, flags: &Flags) -> Option<u64> {
    const DEFAULT: u64 = 2 << 30;
    if let Some(told) = store.quota {
        return Some(told);
    }
    match flags.get("quota-backend-bytes") {
        // A configuration file may say it; what was not read is not known.
        None if flags.config_file().is_some() && flags.keys().is_empty() => None,
        None | Some("") => Some(DEFAULT),
        Some(text) => match text.parse::<i64>().ok()? {
            0 => Some(DEFAULT),
            less if less < 0 => Some(u64::MAX),
            more => u64::try_from(more).ok(),
        },
    }
}

/// How long it may take: a minute, and a second for each 5 MB of the file. An SSD takes some 10 s for a GiB; a disk that does 5 MB/s is
/// as slow as the upgrade guides reckon with (two minutes for 50 MB, which is less still).
#[must_use]
pub fn patience(db_size: u64) -> Duration {
    Duration::from_secs(60 + db_size / 5_000_000)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const USUAL: Worth = Worth { min_free_percent: 30, min_size: 64 * MIB, force: false };

    fn store(size: u64, used: Option<u64>) -> StoreState {
        StoreState { db_size: size * MIB, db_in_use: used.map(|used| used * MIB), ..StoreState::default() }
    }

    #[test]
    fn it_pays_for_a_large_file_with_much_that_is_free() {
        assert_eq!(USUAL.judge(&store(100, Some(70)), false), Ok(()));
        assert!(USUAL.judge(&store(100, Some(71)), false).unwrap_err().contains("29 %"));
        assert_eq!(USUAL.judge(&store(64, Some(1)), false), Ok(()));
        assert!(USUAL.judge(&store(63, Some(1)), false).unwrap_err().contains("63 MiB"));
        assert!(USUAL.judge(&store(0, Some(0)), false).is_err());
        // More in use than there is: an answer from the middle of a write.
        assert!(USUAL.judge(&store(100, Some(101)), false).is_err());
    }

    #[test]
    fn it_pays_where_nobody_can_say_that_it_does_not() {
        assert_eq!(USUAL.judge(&store(1, None), false), Ok(()));
        assert_eq!(Worth { force: true, ..USUAL }.judge(&store(1, Some(1)), false), Ok(()));
    }

    #[test]
    fn under_a_no_space_alarm_every_page_counts() {
        assert_eq!(USUAL.judge(&store(16, Some(15)), true), Ok(()));
        assert!(USUAL.judge(&store(16, Some(16)), true).is_err());
    }

    #[test]
    fn releases_without_a_database_or_with_a_known_loss_are_refused() {
        let may = |text: &str| may_defragment(&Version::parse(text).unwrap());
        for good in ["3.0.17", "3.4.13", "3.5.6", "3.5.35", "3.6.16", "3.7.3"] {
            assert_eq!(may(good), Ok(()), "{good}");
        }
        assert!(may("2.0.5").unwrap_err().contains("no database"));
        assert!(may("2.3.8").is_err());
        assert!(may("3.5.0").is_err() && may("3.5.5").unwrap_err().contains("3.5.6"));
    }

    #[test]
    fn the_quota_is_as_told_or_as_set_or_2_gib() {
        let flags = |words: &[&str]| {
            let words: Vec<String> = std::iter::once("etcd").chain(words.iter().copied()).map(str::to_owned).collect();
            Flags::from_process(&words, &BTreeMap::new())
        };
        let none = StoreState::default();
        assert_eq!(quota(&none, &flags(&[])), Some(2 << 30));
        assert_eq!(quota(&none, &flags(&["--quota-backend-bytes=0"])), Some(2 << 30));
        assert_eq!(quota(&none, &flags(&["--quota-backend-bytes=-1"])), Some(u64::MAX));
        assert_eq!(quota(&none, &flags(&["--quota-backend-bytes", "16777216"])), Some(16 << 20));
        assert_eq!(quota(&none, &flags(&["--quota-backend-bytes=much"])), None);
        assert_eq!(quota(&none, &flags(&["--config-file=/etc/etcd.yml"])), None);
        let told = StoreState { quota: Some(8), ..StoreState::default() };
        assert_eq!(quota(&told, &flags(&["--config-file=/etc/etcd.yml"])), Some(8));
    }

    #[test]
    fn a_larger_database_may_take_longer() {
        assert_eq!(patience(0).as_secs(), 60);
        assert_eq!(patience(1 << 30).as_secs(), 274);
    }
}
