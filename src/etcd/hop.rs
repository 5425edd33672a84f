//! From which version to which, by the rules.

use semver::Version;

use super::rules::{Rules, WayBack};

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
        "{to} is lower than the running {from}, and once the cluster version is {}.{} etcd has no way down from there; 2.0 and 2.1 would not \
         even refuse\n\
         as long as `quorate etcd status` shows it lower, since not all members run {}.{} yet, the old program may be put back by hand{}",
        from.major, from.minor, from.major, from.minor, but_from_3_0(from)
    )]
    Downgrade {
        /// From.
        from: Version,
        /// To.
        to: Version,
    },
    /// Not lower than what runs.
    #[error("{to} is not lower than the running {from}: that is no downgrade")]
    NotDown {
        /// From.
        from: Version,
        /// To.
        to: Version,
    },
    /// The source is too old to be left.
    #[error("{from} cannot be rolled from: at least {floor} is needed ({why}); {remedy}")]
    SourceTooOld {
        /// From.
        from: Version,
        /// The least.
        floor: Version,
        /// Why.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A known-bad target.
    #[error("{to} must not be used: {why}")]
    BadTarget {
        /// To.
        to: Version,
        /// Why.
        why: String,
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

/// What stands against putting it back (etcd v2.3.8 etcdserver/server.go, read 2026-11-24; seen in the lab).
fn but_from_3_0(from: &Version) -> &'static str {
    if (from.major, from.minor) == (3, 0) {
        ", but on no member that 3.0 has served on: 2.3 cannot read its data"
    } else {
        ""
    }
}

const STOPPED: &str = "bring all members to the newest patch of its minor while they are stopped, then roll";
const PATCH_FIRST: &str = "roll to the newest patch of its minor first";

/// Whether a version may be rolled from at all, wherever to.
///
/// # Errors
/// When it is below the least that may be left.
pub fn may_be_left(rules: &Rules, from: &Version) -> Result<(), HopRefusal> {
    floor(rules, from, true)
}

fn floor(rules: &Rules, from: &Version, within: bool) -> Result<(), HopRefusal> {
    match rules.floor_of((from.major, from.minor)) {
        Some(floor) if *from < floor.least && (floor.within || !within) => Err(HopRefusal::SourceTooOld {
            from: from.clone(),
            floor: floor.least.clone(),
            why: floor.why.clone(),
            remedy: if floor.within { STOPPED } else { PATCH_FIRST },
        }),
        _ => Ok(()),
    }
}

/// The rules for going from `from` to `to`, which must differ.
///
/// # Errors
/// When that is not allowed; the refusal names the rule.
pub fn judge(rules: &Rules, from: &Version, to: &Version) -> Result<WayBack, HopRefusal> {
    for version in [from, to] {
        if !version.pre.is_empty() || !version.build.is_empty() {
            return Err(HopRefusal::PreRelease { version: version.clone() });
        }
    }
    let (old, new) = ((from.major, from.minor), (to.major, to.minor));
    if to < from {
        return Err(HopRefusal::Downgrade { from: from.clone(), to: to.clone() });
    }
    may_be_left(rules, from)?;
    let leaving = rules.hop_from(old);
    let known = leaving.is_some() || rules.hop_to(old).is_some();
    if let Some(avoid) = rules.avoided(to) {
        return Err(HopRefusal::BadTarget { to: to.clone(), why: format!("{} ({})", avoid.why, avoid.source) });
    }
    if old == new {
        // A patch within a minor that we know from either end; nothing on disk or on the wire changes with it.
        return if known { Ok(WayBack::Always) } else { Err(no_rules(rules, from, to)) };
    }
    let Some(hop) = leaving else { return Err(no_rules(rules, from, to)) };
    if hop.to != new {
        let via = format!("{}.{}", hop.to.0, hop.to.1);
        return Err(HopRefusal::SkipsMinor { from: from.clone(), to: to.clone(), via });
    }
    floor(rules, from, false)?;
    if hop.back_from.as_ref().is_some_and(|least| from < least) {
        return Ok(WayBack::Never);
    }
    Ok(hop.way_back)
}

/// The rules for going down from `from` to `to` by etcd's own downgrade, or within a minor.
///
/// # Errors
/// When there is no such way; the refusal names the rule.
pub fn judge_down(rules: &Rules, from: &Version, to: &Version) -> Result<WayBack, HopRefusal> {
    for version in [from, to] {
        if !version.pre.is_empty() || !version.build.is_empty() {
            return Err(HopRefusal::PreRelease { version: version.clone() });
        }
    }
    let (old, new) = ((from.major, from.minor), (to.major, to.minor));
    if to >= from {
        return Err(HopRefusal::NotDown { from: from.clone(), to: to.clone() });
    }
    if let Some(avoid) = rules.avoided(to) {
        return Err(HopRefusal::BadTarget { to: to.clone(), why: format!("{} ({})", avoid.why, avoid.source) });
    }
    if old == new && (rules.hop_from(old).is_some() || rules.hop_to(old).is_some()) {
        return Ok(WayBack::Always);
    }
    match rules.down_from(old) {
        // Until the last member is down the higher binary may serve in the cluster, as it did while the downgrade began.
        Some(down) if down.to == new => Ok(WayBack::Always),
        Some(down) if new < down.to => {
            let via = format!("{}.{}", down.to.0, down.to.1);
            Err(HopRefusal::SkipsMinor { from: from.clone(), to: to.clone(), via })
        }
        _ => Err(HopRefusal::Downgrade { from: from.clone(), to: to.clone() }),
    }
}

/// Whether a binary by itself refuses to start in a cluster whose version has risen above its own: 2.2.5 and later do (etcd v2.2.5
/// etcdserver/cluster_util.go, read 2026-11-28), 2.0.5 and 2.1.1 start and serve (seen in the lab 2026-11-24).
#[must_use]
pub fn refuses_risen(old: &Version) -> bool {
    *old >= Version::new(2, 2, 5)
}

fn no_rules(rules: &Rules, from: &Version, to: &Version) -> HopRefusal {
    let minors: Vec<String> =
        rules.hops.iter().map(|hop| format!("{}.{} to {}.{}", hop.from.0, hop.from.1, hop.to.0, hop.to.1)).collect();
    HopRefusal::NoRules { from: from.clone(), to: to.clone(), known: minors.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(from: &str, to: &str) -> Result<WayBack, HopRefusal> {
        judge(Rules::built_in(), &from.parse().unwrap(), &to.parse().unwrap())
    }

    #[test]
    fn one_minor_up_is_allowed_and_may_be_undone_while_mixed() {
        assert_eq!(judged("2.0.5", "2.1.1"), Ok(WayBack::WhileMixed));
        assert_eq!(judged("2.0.13", "2.1.3"), Ok(WayBack::WhileMixed));
        assert_eq!(judged("3.5.35", "3.6.16"), Ok(WayBack::WhileMixed));
    }

    #[test]
    fn an_old_binary_refuses_a_cluster_that_has_risen_from_2_2_5_on() {
        let refuses = |old: &str| refuses_risen(&old.parse().unwrap());
        assert!(["2.2.5", "2.3.8", "3.5.35"].into_iter().all(refuses));
        assert!(!["2.0.5", "2.1.1", "2.2.4"].into_iter().any(refuses));
    }

    #[test]
    fn down_there_is_a_way_from_3_6_on_and_within_a_minor() {
        let down = |from: &str, to: &str| judge_down(Rules::built_in(), &from.parse().unwrap(), &to.parse().unwrap());
        for (from, to) in [("3.7.3", "3.6.16"), ("3.6.16", "3.5.35"), ("3.6.16", "3.6.15"), ("3.4.23", "3.4.13")] {
            assert_eq!(down(from, to), Ok(WayBack::Always), "{from} to {to}");
        }
        for (from, to) in [("3.5.35", "3.4.23"), ("3.0.17", "2.3.8")] {
            assert!(matches!(down(from, to), Err(HopRefusal::Downgrade { .. })), "{from} to {to}");
        }
        assert!(matches!(down("3.7.3", "3.5.35"), Err(HopRefusal::SkipsMinor { .. })));
        assert!(matches!(down("3.6.16", "3.5.5"), Err(HopRefusal::BadTarget { .. })));
        assert!(matches!(down("3.6.16", "3.6.16"), Err(HopRefusal::NotDown { .. })));
        assert!(matches!(down("3.6.16", "3.7.3"), Err(HopRefusal::NotDown { .. })));
    }

    #[test]
    fn what_the_new_one_has_opened_the_old_one_may_not_be_able_to_read() {
        assert_eq!(judged("2.3.8", "3.0.17"), Ok(WayBack::UntilFirstStart));
        assert_eq!(judged("3.2.32", "3.3.27"), Ok(WayBack::WhileMixed));
        assert!(matches!(judged("3.2.9", "3.3.27"), Err(HopRefusal::SourceTooOld { .. })));
    }

    #[test]
    fn a_floor_asks_for_a_patch_first_and_lets_that_be_rolled() {
        assert!(
            matches!(judged("3.5.21", "3.6.16"), Err(HopRefusal::SourceTooOld { ref floor, .. }) if floor.patch == 32)
        );
        assert_eq!(judged("3.5.21", "3.5.35"), Ok(WayBack::Always));
        assert!(matches!(judged("3.6.8", "3.7.3"), Err(HopRefusal::SourceTooOld { .. })));
    }

    #[test]
    fn refuses_releases_that_are_known_to_be_bad() {
        assert!(matches!(judged("3.4.13", "3.5.5"), Err(HopRefusal::BadTarget { .. })));
        assert!(matches!(judged("3.5.35", "3.6.4"), Err(HopRefusal::BadTarget { .. })));
        assert!(matches!(judged("3.4.9", "3.4.12"), Err(HopRefusal::BadTarget { .. })));
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
        let words = |from: &str, to: &str| judged(from, to).unwrap_err().to_string();
        let refused = words("3.5.35", "3.4.13");
        assert!(
            !refused.contains("has risen") && refused.contains("once the cluster version is 3.5 etcd has no way down")
        );
        assert!(
            refused.contains("the old program may be put back by hand") && !refused.contains("cannot read its data")
        );
        assert!(words("3.0.17", "2.3.8").contains("2.3 cannot read its data"));
        assert!(matches!(judged("3.7.3", "3.8.0"), Err(HopRefusal::NoRules { .. })));
        assert!(matches!(judged("3.7.3", "4.0.0"), Err(HopRefusal::NoRules { .. })));
        assert!(matches!(judged("2.0.5-rc.1", "2.1.1"), Err(HopRefusal::PreRelease { .. })));
    }
}
