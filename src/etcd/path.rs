//! The way from one version to another: one minor at a time, the patches that rules ask for on the way, and what must be done between.

use std::collections::BTreeSet;

use jiff::civil::Date;
use semver::Version;

use super::hop::{HopRefusal, judge, judge_down};
use super::rules::{First, Minor, Rules, WayBack, minor_of};

/// One round over all members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// From which version.
    pub from: Version,
    /// To which; the same where members are only restarted to take a snapshot.
    pub to: Version,
    /// What must be done once all members run it, before the next step.
    pub then: Vec<First>,
    /// Why this step, for people: the rule behind it.
    pub why: String,
    /// Where that rule is from, and the day it was read or seen.
    pub source: Option<String>,
    /// Whether the old binary may come back.
    pub back: WayBack,
    /// Whether its members are to serve the v2 API, which from 3.4 on they do only where they are told to.
    pub keep_v2: bool,
}

impl Step {
    /// A step without a rule of its own behind it.
    #[must_use]
    pub fn new(from: Version, to: Version, back: WayBack, why: impl Into<String>) -> Self {
        Self { from, to, then: Vec::new(), why: why.into(), source: None, back, keep_v2: false }
    }

    fn by(self, source: &str, date: Date) -> Self {
        Self { source: Some(format!("{source} ({date})")), ..self }
    }

    /// What can be undone in this step and from where on nothing can, in words.
    #[must_use]
    pub fn back_in_words(&self) -> String {
        let Self { from, to, .. } = self;
        let (major, minor) = (to.major, to.minor);
        if to < from {
            return format!("a member may go back to {from} until the last one runs {to}; then an upgrade leads there");
        }
        // etcd's own way down begins with 3.6 (etcd website, v3.6 downgrades; etcd CHANGELOG-3.6).
        let after = match (major, minor) >= (3, 6) {
            true => format!("then only etcd's own downgrade leads below {major}.{minor}"),
            false => format!("then nothing below {major}.{minor} may come back"),
        };
        match self.back {
            WayBack::Always => format!("every member may go back to {from} at any time"),
            WayBack::WhileMixed => format!("a member may go back to {from} until the last one runs {to}; {after}"),
            WayBack::UntilFirstStart => {
                format!("a member may go back to {from} only if {to} never opened its data; {after}")
            }
            WayBack::Never => format!("no member may go back to {from} once it was started as {to}"),
        }
    }
}

/// The minors that serve the v2 API only where they are told to (etcd CHANGELOG-3.4: `--enable-v2=false` by default; CHANGELOG-3.6: gone).
const V2_IF_TOLD: std::ops::RangeInclusive<Minor> = (3, 4)..=(3, 5);

/// What tells them to.
pub const ENABLE_V2: (&str, &str) = ("enable-v2", "true");

/// Whether a version serves the v2 API only where it is told to.
#[must_use]
pub fn serves_v2_if_told(version: &Version) -> bool {
    V2_IF_TOLD.contains(&minor_of(version))
}

/// The number of the first of the steps after which the v2 API does not serve any more; `told` says whether the members are told to
/// serve it as long as they can.
#[must_use]
pub fn end_of_v2(steps: &[Step], told: bool) -> Option<usize> {
    let ends = |to: &Version| minor_of(to) > *V2_IF_TOLD.end() || (!told && serves_v2_if_told(to));
    steps.iter().position(|step| step.from != step.to && ends(&step.to))
}

/// Keeps the steps as far as the v2 API serves, with members that are told to where that is needed; whether any was left out.
pub fn stop_with_v2(steps: &mut Vec<Step>) -> bool {
    let end = end_of_v2(steps, true);
    if let Some(end) = end {
        let from = steps.get(end).map(|step| step.from.clone());
        steps.truncate(end);
        match (steps.last_mut(), from) {
            // What the step that is not made would need is not done either.
            (Some(last), _) => last.then.clear(),
            (None, Some(at)) => {
                steps.push(Step::new(at.clone(), at, WayBack::Always, "the v2 API ends with the next minor"));
            }
            (None, None) => {}
        }
    }
    for step in steps {
        step.keep_v2 = serves_v2_if_told(&step.to);
    }
    end.is_some()
}

/// Why a step down is there.
const BY_ETCD: &str = "etcd itself takes its data down a minor before a lower binary may open it";

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// A rule forbids a step.
    #[error(transparent)]
    Refused(#[from] HopRefusal),
    /// No release for a part of the way.
    #[error(transparent)]
    Missing(#[from] Box<Missing>),
}

/// A release that is not at hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("from {from} to {to} there must be a release of {}.{}{}: {why}; there is {found}", minor.0, minor.1, at_least(least.as_ref()))]
pub struct Missing {
    /// From.
    pub from: Version,
    /// To.
    pub to: Version,
    /// Of which minor.
    pub minor: Minor,
    /// At least which patch.
    pub least: Option<Version>,
    /// Why.
    pub why: String,
    /// What there is of that minor.
    pub found: String,
}

fn at_least(least: Option<&Version>) -> String {
    least.map(|least| format!(", at least {least}")).unwrap_or_default()
}

/// The newest of the releases of a minor that are good enough to go on from.
fn best(rules: &Rules, available: &BTreeSet<Version>, of: Minor, least: Option<&Version>) -> Option<Version> {
    let good = |version: &&Version| {
        minor_of(version) == of
            && version.pre.is_empty()
            && rules.avoided(version).is_none()
            && least.is_none_or(|least| *version >= least)
    };
    available.iter().rev().find(good).cloned()
}

/// The steps from `from` to `to` with the releases that are at hand; never none: where both are the same the one step is to look whether
/// anything is left to do.
///
/// A minor on the way is passed by its newest release at hand that is not to be avoided. Another patch of the minor that is left comes
/// first only where a rule asks for it.
///
/// # Errors
/// When a rule forbids it, or a release is missing.
pub fn path(
    rules: &Rules,
    from: &Version,
    to: &Version,
    available: &BTreeSet<Version>,
) -> Result<Vec<Step>, PathFault> {
    let mut available = available.clone();
    available.insert(to.clone());
    if to < from {
        judge(rules, from, to)?;
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut at = from.clone();
    while minor_of(&at) != minor_of(to) {
        let here = minor_of(&at);
        let Some(hop) = rules.hop_from(here) else {
            // Its words say which hops there are.
            judge(rules, &at, to)?;
            break;
        };
        if let Some(floor) = rules.floor_of(here).filter(|floor| at < floor.least && !floor.within) {
            let missing = || Missing {
                from: from.clone(),
                to: to.clone(),
                minor: here,
                least: Some(floor.least.clone()),
                why: floor.why.clone(),
                found: found(&available, here),
            };
            let patch = best(rules, &available, here, Some(&floor.least)).ok_or_else(|| Box::new(missing()))?;
            let step = Step::new(at.clone(), patch.clone(), WayBack::Always, floor.why.clone());
            steps.push(step.by(&floor.source, floor.date));
            at = patch;
        }
        let next = if hop.to == minor_of(to) {
            to.clone()
        } else {
            let least = rules.floor_of(hop.to).map(|floor| &floor.least);
            let missing = || Missing {
                from: from.clone(),
                to: to.clone(),
                minor: hop.to,
                least: least.cloned(),
                why: "etcd is taken one minor at a time".to_owned(),
                found: found(&available, hop.to),
            };
            // One that is too old to be left will do where it is not the last of its minor: the patch comes next.
            best(rules, &available, hop.to, least).ok_or_else(|| Box::new(missing()))?
        };
        let back = judge(rules, &at, &next)?;
        match steps.last_mut() {
            Some(last) => last.then.clone_from(&hop.first),
            // What must be done on the very first version is a round of its own: members that only restart.
            None if !hop.first.is_empty() => {
                let why = hop.why.clone().unwrap_or_default();
                let step = Step::new(at.clone(), at.clone(), WayBack::Always, why).by(&hop.source, hop.date);
                steps.push(Step { then: hop.first.clone(), ..step });
            }
            None => {}
        }
        let why = hop.why.clone().unwrap_or_else(|| "the next minor".to_owned());
        steps.push(Step::new(at.clone(), next.clone(), back, why).by(&hop.source, hop.date));
        at = next;
    }
    if at != *to {
        let back = judge(rules, &at, to)?;
        if let Some(patch) = rules.patch_between(&at, to) {
            let step = Step::new(at.clone(), at.clone(), WayBack::Always, patch.why.clone());
            steps.push(Step { then: patch.first.clone(), ..step.by(&patch.source, patch.date) });
        }
        steps.push(Step::new(at, to.clone(), back, "another patch of its minor"));
    }
    if steps.is_empty() {
        steps.push(Step::new(to.clone(), to.clone(), WayBack::Always, "it runs already"));
    }
    Ok(steps)
}

/// The steps down from `from` to `to`, one minor at a time over the newest releases that are at hand.
///
/// # Errors
/// When there is no way down, or a release is missing.
pub fn path_down(
    rules: &Rules,
    from: &Version,
    to: &Version,
    available: &BTreeSet<Version>,
) -> Result<Vec<Step>, PathFault> {
    let mut steps: Vec<Step> = Vec::new();
    let mut at = from.clone();
    while at > *to {
        // None within a minor, and where there is no way: then the rules say why not.
        let down = rules.down_from(minor_of(&at)).filter(|down| minor_of(to) <= down.to);
        let next = match down {
            Some(down) if down.to != minor_of(to) => {
                let missing = || Missing {
                    from: from.clone(),
                    to: to.clone(),
                    minor: down.to,
                    least: None,
                    why: "etcd is taken one minor at a time".to_owned(),
                    found: found(available, down.to),
                };
                best(rules, available, down.to, None).ok_or_else(|| Box::new(missing()))?
            }
            _ => to.clone(),
        };
        let back = judge_down(rules, &at, &next)?;
        steps.push(match down {
            Some(down) => Step::new(at, next.clone(), back, BY_ETCD).by(&down.source, down.date),
            None => Step::new(at, next.clone(), back, "another patch of its minor"),
        });
        at = next;
    }
    if steps.is_empty() {
        if at != *to {
            judge_down(rules, &at, to)?;
        }
        steps.push(Step::new(to.clone(), to.clone(), WayBack::Always, "it runs already"));
    }
    Ok(steps)
}

fn found(available: &BTreeSet<Version>, of: Minor) -> String {
    let of: Vec<String> = available.iter().filter(|version| minor_of(version) == of).map(ToString::to_string).collect();
    if of.is_empty() { "none".to_owned() } else { of.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 12] = [
        "2.0.5", "2.1.1", "2.2.5", "2.3.8", "3.0.17", "3.1.20", "3.2.32", "3.3.27", "3.4.13", "3.5.35", "3.6.16",
        "3.7.3",
    ];

    fn walked(from: &str, to: &str, available: &[&str]) -> Result<Vec<String>, PathFault> {
        let available = available.iter().map(|version| version.parse().unwrap()).collect();
        let steps = path(Rules::built_in(), &from.parse().unwrap(), &to.parse().unwrap(), &available)?;
        let then = |step: &Step| step.then.iter().map(|first| format!(" {first:?}")).collect::<String>();
        Ok(steps.iter().map(|step| format!("{}>{}{}", step.from, step.to, then(step))).collect())
    }

    #[test]
    fn eleven_hops_with_what_each_needs_done_before() {
        let steps = walked("2.0.5", "3.7.3", &ALL).unwrap();
        assert_eq!(
            steps,
            [
                "2.0.5>2.1.1",
                "2.1.1>2.2.5",
                "2.2.5>2.3.8",
                "2.3.8>3.0.17 V3Write",
                "3.0.17>3.1.20 V3Write",
                "3.1.20>3.2.32",
                "3.2.32>3.3.27",
                "3.3.27>3.4.13 Snapshot",
                "3.4.13>3.5.35 Snapshot",
                "3.5.35>3.6.16 Snapshot",
                "3.6.16>3.7.3",
            ]
        );
    }

    #[test]
    fn a_patch_comes_first_where_a_rule_asks_for_it_and_only_there() {
        assert_eq!(walked("3.5.21", "3.6.16", &ALL).unwrap(), ["3.5.21>3.5.35 Snapshot", "3.5.35>3.6.16"]);
        assert_eq!(walked("2.0.5", "2.1.1", &["2.0.8"]).unwrap(), ["2.0.5>2.1.1"]);
        assert_eq!(walked("2.0.5", "2.0.8", &[]).unwrap(), ["2.0.5>2.0.8"]);
    }

    #[test]
    fn what_the_first_hop_needs_is_a_round_of_its_own() {
        assert_eq!(walked("3.6.16", "3.7.3", &ALL).unwrap(), ["3.6.16>3.6.16 Snapshot", "3.6.16>3.7.3"]);
        assert_eq!(walked("3.7.3", "3.7.3", &ALL).unwrap(), ["3.7.3>3.7.3"]);
    }

    #[test]
    fn a_patch_that_needs_a_write_before_it_has_a_round_of_its_own_for_that() {
        assert_eq!(walked("3.1.5", "3.1.20", &ALL).unwrap(), ["3.1.5>3.1.5 V3Write", "3.1.5>3.1.20"]);
        assert_eq!(walked("3.1.5", "3.1.17", &ALL).unwrap(), ["3.1.5>3.1.5 V3Write", "3.1.5>3.1.17"]);
        assert_eq!(walked("3.1.5", "3.1.16", &ALL).unwrap(), ["3.1.5>3.1.16"]);
        assert_eq!(walked("3.1.17", "3.1.20", &ALL).unwrap(), ["3.1.17>3.1.20"]);
    }

    #[test]
    fn down_one_minor_at_a_time() {
        let down = |from: &str, to: &str, available: &[&str]| {
            let available = available.iter().map(|version| version.parse().unwrap()).collect();
            let steps = path_down(Rules::built_in(), &from.parse().unwrap(), &to.parse().unwrap(), &available)?;
            let names = steps.iter().map(|step| format!("{}>{} {}", step.from, step.to, step.source.is_some()));
            Ok::<_, PathFault>(names.collect::<Vec<_>>())
        };
        assert_eq!(down("3.7.3", "3.5.35", &ALL).unwrap(), ["3.7.3>3.6.16 true", "3.6.16>3.5.35 true"]);
        assert_eq!(down("3.7.3", "3.6.16", &[]).unwrap(), ["3.7.3>3.6.16 true"]);
        assert_eq!(down("3.6.16", "3.6.8", &[]).unwrap(), ["3.6.16>3.6.8 false"]);
        assert_eq!(down("3.6.16", "3.6.16", &[]).unwrap(), ["3.6.16>3.6.16 false"]);
        assert!(matches!(down("3.7.3", "3.5.35", &[]), Err(PathFault::Missing(missing)) if missing.minor == (3, 6)));
        for (from, to) in [("3.7.3", "3.4.13"), ("3.5.35", "3.4.13"), ("2.1.1", "2.0.5"), ("3.5.35", "3.6.16")] {
            assert!(matches!(down(from, to, &ALL), Err(PathFault::Refused(_))), "{from} to {to}");
        }
    }

    #[test]
    fn the_v2_api_serves_to_3_5_where_members_are_told_to() {
        let steps = |from: &str, to: &str| {
            let all = ALL.iter().map(|version| version.parse().unwrap()).collect();
            path(Rules::built_in(), &from.parse().unwrap(), &to.parse().unwrap(), &all).unwrap()
        };
        let way = steps("3.2.32", "3.7.3");
        assert_eq!((end_of_v2(&way, false), end_of_v2(&way, true)), (Some(1), Some(3)));
        let stopped = |from: &str, to: &str| {
            let mut steps = steps(from, to);
            let cut = stop_with_v2(&mut steps);
            let told = |step: &Step| format!("{}>{} {} {}", step.from, step.to, step.then.len(), step.keep_v2);
            (steps.iter().map(told).collect::<Vec<_>>(), cut)
        };
        let kept = ["3.2.32>3.3.27 0 false", "3.3.27>3.4.13 1 true", "3.4.13>3.5.35 0 true"];
        assert_eq!(stopped("3.2.32", "3.7.3"), (kept.map(str::to_owned).to_vec(), true));
        assert!(!stopped("3.2.32", "3.5.35").1);
        // Where the first step of all would end it, the members stay as they are.
        assert_eq!(stopped("3.5.35", "3.6.16"), (vec!["3.5.35>3.5.35 0 true".to_owned()], true));
    }

    #[test]
    fn the_newest_good_release_is_taken_on_the_way() {
        let steps = walked("3.3.27", "3.5.35", &["3.4.9", "3.4.12", "3.4.13", "3.4.21"]).unwrap();
        assert_eq!(steps, ["3.3.27>3.4.13 Snapshot", "3.4.13>3.5.35"]);
    }

    #[test]
    fn says_which_release_is_missing_and_why() {
        let fault = walked("2.0.5", "2.2.5", &[]).unwrap_err();
        assert!(matches!(&fault, PathFault::Missing(missing) if missing.minor == (2, 1)), "{fault}");
        let fault = walked("3.5.21", "3.6.16", &["3.5.31"]).unwrap_err().to_string();
        assert!(fault.contains("at least 3.5.32") && fault.contains("3.5.31"), "{fault}");
        let fault = walked("3.4.13", "3.6.16", &["3.5.31"]).unwrap_err().to_string();
        assert!(fault.contains("at least 3.5.32"), "{fault}");
    }

    #[test]
    fn rules_are_kept_at_every_step() {
        assert!(matches!(walked("2.0.0", "2.1.1", &ALL), Err(PathFault::Refused(HopRefusal::SourceTooOld { .. }))));
        assert!(matches!(walked("3.7.3", "3.6.16", &ALL), Err(PathFault::Refused(HopRefusal::Downgrade { .. }))));
        assert!(matches!(walked("3.4.13", "3.5.5", &ALL), Err(PathFault::Refused(HopRefusal::BadTarget { .. }))));
        assert!(matches!(walked("3.7.3", "3.9.0", &ALL), Err(PathFault::Refused(HopRefusal::NoRules { .. }))));
    }
}
