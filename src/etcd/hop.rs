//! From which version to which: the rules as a dated table.

use semver::Version;

/// Whether the old binary may come back on one member after it was swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// Until the cluster version has risen, which happens once every member runs the new minor.
    WhileMixed,
    /// At any time: the minor does not change.
    Always,
}

/// One step from a minor to the next, with what is known about it.
#[derive(Debug)]
pub struct Hop {
    /// The minor it starts from.
    pub from: (u64, u64),
    /// The minor it leads to.
    pub to: (u64, u64),
    /// The least version of the source that may be left, and why.
    pub floor: (Version, &'static str),
    /// Targets that must not be used, and why.
    pub avoid: &'static [(Version, &'static str)],
    /// Whether and how long the old binary may come back.
    pub way_back: WayBack,
    /// Where the rule is from and when it was read.
    pub source: &'static str,
}

/// Every hop that quorate rolls today.
pub const HOPS: &[Hop] = &[Hop {
    from: (2, 0),
    to: (2, 1),
    floor: (Version::new(2, 0, 3), "2.0.0 and 2.0.2 may panic while the cluster is mixed"),
    avoid: &[],
    way_back: WayBack::WhileMixed,
    source: "etcd v2.1.3 Documentation/upgrade_2_1.md, read 2026-11-24; forward and back seen in the lab with 2.0.5 and 2.1.1",
}];

/// Why a version may not be reached from another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HopRefusal {
    /// More than one minor at once.
    #[error("{from} to {to} skips a minor: etcd rolls one minor at a time; go to {via} first")]
    SkipsMinor {
        /// From.
        from: Version,
        /// To.
        to: Version,
        /// The next minor.
        via: String,
    },
    /// Lower than what runs.
    #[error(
        "{to} is lower than the running {from}: once the cluster version has risen etcd has no way down, and 2.0 and 2.1 would not even refuse"
    )]
    Downgrade {
        /// From.
        from: Version,
        /// To.
        to: Version,
    },
    /// The source is too old to be left.
    #[error(
        "{from} cannot be rolled from: at least {floor} is needed ({why}); bring all members to the newest patch of its minor while they are stopped, then roll"
    )]
    SourceTooOld {
        /// From.
        from: Version,
        /// The least.
        floor: Version,
        /// Why.
        why: &'static str,
    },
    /// A known-bad target.
    #[error("{to} must not be used: {why}")]
    BadTarget {
        /// To.
        to: Version,
        /// Why.
        why: &'static str,
    },
    /// Not in the table.
    #[error("{from} to {to}: this version of quorate has no rules for that hop (it knows {known})")]
    NoRules {
        /// From.
        from: Version,
        /// To.
        to: Version,
        /// The hops it has.
        known: String,
    },
    /// A pre-release.
    #[error("{version} is a pre-release or a private build; only releases are rolled")]
    PreRelease {
        /// Which.
        version: Version,
    },
}

/// Whether a version may be rolled from at all, wherever to.
///
/// # Errors
/// When it is below the least that may be left.
pub fn may_be_left(from: &Version) -> Result<(), HopRefusal> {
    let hop = HOPS.iter().find(|hop| hop.from == (from.major, from.minor) && *from < hop.floor.0);
    hop.map_or(Ok(()), |hop| {
        let (floor, why) = hop.floor.clone();
        Err(HopRefusal::SourceTooOld { from: from.clone(), floor, why })
    })
}

/// The rules for going from `from` to `to`, which must differ.
///
/// # Errors
/// When that is not allowed; the refusal names the rule.
pub fn judge(from: &Version, to: &Version) -> Result<WayBack, HopRefusal> {
    for version in [from, to] {
        if !version.pre.is_empty() || !version.build.is_empty() {
            return Err(HopRefusal::PreRelease { version: version.clone() });
        }
    }
    let (old, new) = ((from.major, from.minor), (to.major, to.minor));
    if to < from {
        return Err(HopRefusal::Downgrade { from: from.clone(), to: to.clone() });
    }
    let leaving = HOPS.iter().find(|hop| hop.from == old);
    may_be_left(from)?;
    if old == new {
        // A patch within a minor that we know from either end; nothing on disk or on the wire changes with it.
        return match leaving.or_else(|| HOPS.iter().find(|hop| hop.to == old)) {
            Some(_) => Ok(WayBack::Always),
            None => Err(no_rules(from, to)),
        };
    }
    if let Some(hop) = leaving {
        if hop.to != new {
            return Err(HopRefusal::SkipsMinor {
                from: from.clone(),
                to: to.clone(),
                via: format!("{}.{}", hop.to.0, hop.to.1),
            });
        }
        if let Some((bad, why)) = hop.avoid.iter().find(|(bad, _)| bad == to) {
            return Err(HopRefusal::BadTarget { to: bad.clone(), why });
        }
        return Ok(hop.way_back);
    }
    if old.0 == new.0 && new.1 > old.1 + 1 {
        let via = format!("{}.{}", old.0, old.1 + 1);
        return Err(HopRefusal::SkipsMinor { from: from.clone(), to: to.clone(), via });
    }
    Err(no_rules(from, to))
}

fn no_rules(from: &Version, to: &Version) -> HopRefusal {
    let known: Vec<String> =
        HOPS.iter().map(|hop| format!("{}.{} to {}.{}", hop.from.0, hop.from.1, hop.to.0, hop.to.1)).collect();
    HopRefusal::NoRules { from: from.clone(), to: to.clone(), known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(from: &str, to: &str) -> Result<WayBack, HopRefusal> {
        judge(&from.parse().unwrap(), &to.parse().unwrap())
    }

    #[test]
    fn one_minor_up_is_allowed_and_may_be_undone_while_mixed() {
        assert_eq!(judged("2.0.5", "2.1.1"), Ok(WayBack::WhileMixed));
        assert_eq!(judged("2.0.13", "2.1.3"), Ok(WayBack::WhileMixed));
    }

    #[test]
    fn a_patch_may_always_be_undone() {
        assert_eq!(judged("2.0.5", "2.0.13"), Ok(WayBack::Always));
        assert_eq!(judged("2.1.1", "2.1.3"), Ok(WayBack::Always));
    }

    #[test]
    fn refuses_to_skip_a_minor_and_names_the_stop_over() {
        let refusal = judged("2.0.5", "2.2.5").unwrap_err();
        assert!(matches!(refusal, HopRefusal::SkipsMinor { ref via, .. } if via == "2.1"), "{refusal}");
        assert!(matches!(judged("2.1.1", "2.3.8"), Err(HopRefusal::SkipsMinor { ref via, .. }) if via == "2.2"));
    }

    #[test]
    fn refuses_sources_that_may_panic() {
        for from in ["2.0.0", "2.0.2"] {
            assert!(matches!(judged(from, "2.1.1"), Err(HopRefusal::SourceTooOld { .. })), "{from}");
            // Within the minor the cluster is as mixed while it is rolled.
            assert!(matches!(judged(from, "2.0.8"), Err(HopRefusal::SourceTooOld { .. })), "{from}");
        }
        assert!(judged("2.0.3", "2.1.1").is_ok());
    }

    #[test]
    fn refuses_to_go_down_and_to_go_where_no_rule_is() {
        assert!(matches!(judged("2.1.1", "2.0.5"), Err(HopRefusal::Downgrade { .. })));
        assert!(matches!(judged("2.1.1", "2.2.5"), Err(HopRefusal::NoRules { .. })));
        assert!(matches!(judged("2.0.5-rc.1", "2.1.1"), Err(HopRefusal::PreRelease { .. })));
    }
}
