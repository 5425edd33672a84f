//! The rules about etcd's releases as a dated table: hops, floors, releases to be avoided.
//!
//! They move with each release of etcd, so they are data: `rules/rules.toml`, over which a file of the user's may be laid.

mod page;

use std::sync::LazyLock;

use jiff::civil::Date;
use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer, de};

/// A minor: major and minor number.
pub type Minor = (u64, u64);

/// The minor of a version.
#[must_use]
pub fn minor_of(version: &Version) -> Minor {
    (version.major, version.minor)
}

/// Whether the old binary may come back on one member after it was swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayBack {
    /// At any time: the minor does not change.
    Always,
    /// Until the cluster version has risen, which happens once every member runs the new minor.
    WhileMixed,
    /// Only where the new binary has never opened the data: it changes what the old one cannot read.
    UntilFirstStart,
    /// Never: the old binary cannot read what the new one makes of the data.
    Never,
}

/// What must have been done on the old minor, with all members on it, before the first is taken to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// One write by the v3 API.
    V3Write,
    /// On every member a raft snapshot that is younger than its start on that minor.
    Snapshot,
    /// No key left in the v2 store.
    V2Delete,
    /// The same, with a copy of each in the v3 store.
    V2Migrate,
}

impl First {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::V3Write, Self::Snapshot, Self::V2Delete, Self::V2Migrate];

    /// Its word, in rules and playbooks.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::V3Write => "v3-write",
            Self::Snapshot => "snapshot",
            Self::V2Delete => "v2-delete",
            Self::V2Migrate => "v2-migrate",
        }
    }

    /// What is done, for people.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::V3Write => "one write by the v3 API",
            Self::Snapshot => "a raft snapshot on every member, younger than its start",
            Self::V2Delete => "every key of the v2 store is deleted",
            Self::V2Migrate => "every key of the v2 store is copied into the v3 store, compared, and deleted",
        }
    }
}

/// One step from a minor to the next.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// The minor it starts from.
    #[serde(deserialize_with = "minor")]
    pub from: Minor,
    /// The minor it leads to.
    #[serde(deserialize_with = "minor")]
    pub to: Minor,
    /// Whether and how long the old binary may come back.
    pub way_back: WayBack,
    /// The least patch of the old minor that may come back.
    pub back_from: Option<Version>,
    /// What must be done before it.
    #[serde(default)]
    pub first: Vec<First>,
    /// Why, where there is more to say than that it is the next minor.
    pub why: Option<String>,
    /// Why a cluster with authentication takes it only if told to, or not at all.
    pub auth: Option<String>,
    /// Where that is from.
    pub auth_source: Option<String>,
    /// Whether it cannot be made with authentication on, whatever is said.
    #[serde(default)]
    pub without_auth: bool,
    /// Where the rule is from.
    pub source: String,
    /// When it was read or seen.
    pub date: Date,
}

/// The least patch from which a minor may be left.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The minor.
    #[serde(deserialize_with = "minor")]
    pub minor: Minor,
    /// The least patch.
    pub least: Version,
    /// Whether it holds for another patch of the same minor too.
    #[serde(default)]
    pub within: bool,
    /// Why.
    pub why: String,
    /// Where the rule is from.
    pub source: String,
    /// When it was read or seen.
    pub date: Date,
}

/// A patch from which on something must have been done before, where an earlier one of its minor is left for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The first such patch.
    pub at: Version,
    /// What must be done before it.
    pub first: Vec<First>,
    /// Why.
    pub why: String,
    /// Where the rule is from.
    pub source: String,
    /// When it was read or seen.
    pub date: Date,
}

/// Releases that must not be gone to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Avoid {
    /// Which, as Cargo writes requirements: `>=3.5.0, <3.5.3`.
    pub versions: VersionReq,
    /// Why.
    pub why: String,
    /// Where the rule is from.
    pub source: String,
    /// When it was read or seen.
    pub date: Date,
}

/// An option that a release does not know any more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// Its name, without dashes.
    pub name: String,
    /// The first minor that ends at once when it is given on the command line.
    #[serde(deserialize_with = "minor")]
    pub gone: Minor,
    /// Its new name.
    pub becomes: Option<String>,
    /// The gate in `feature-gates` that it has become.
    pub gate: Option<String>,
    /// The first minor that knows the new name or gate; that in which the old one is gone, if not said.
    #[serde(default, deserialize_with = "some_minor")]
    pub since: Option<Minor>,
    /// What is said in its place where it is true, as `name=value`; where it is false, nothing.
    pub where_true: Option<String>,
    /// What it did besides, and what is therefore said beside the new name, as `name=value`.
    pub also: Option<String>,
    /// Whether nothing is lost by leaving it out.
    #[serde(default)]
    pub drop: bool,
    /// Whether it changes what the cluster is to somebody, so that only its operator can say what becomes of it.
    #[serde(default)]
    pub decide: bool,
    /// What else there is to say.
    pub why: Option<String>,
    /// Where the rule is from.
    pub source: String,
    /// When it was read or seen.
    pub date: Date,
}

/// A step down from a minor, by etcd's own downgrade.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Down {
    /// The minor it starts from.
    #[serde(deserialize_with = "minor")]
    pub from: Minor,
    /// The minor it leads to.
    #[serde(deserialize_with = "minor")]
    pub to: Minor,
    /// What there is to say.
    pub why: Option<String>,
    /// Where the rule is from.
    pub source: String,
    /// When it was read or seen.
    pub date: Date,
}

/// An option that releases before a minor do not know, where no row of an option that is gone says so already.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// Its name, without dashes.
    pub name: String,
    /// The first minor that knows it.
    #[serde(deserialize_with = "minor")]
    pub since: Minor,
    /// Where the rule is from.
    pub source: String,
    /// When it was read or seen.
    pub date: Date,
}

/// A value that a release does not take any more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// The option's name, without dashes.
    pub name: String,
    /// The value.
    pub value: String,
    /// The first minor that ends at it.
    #[serde(deserialize_with = "minor")]
    pub gone: Minor,
    /// The value that is said in its place.
    pub becomes: String,
    /// Why.
    pub why: String,
    /// Where the rule is from.
    pub source: String,
    /// When it was read or seen.
    pub date: Date,
}

/// All rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Steps from minor to minor.
    #[serde(default, rename = "hop")]
    pub hops: Vec<Hop>,
    /// Least patches.
    #[serde(default, rename = "floor")]
    pub floors: Vec<Floor>,
    /// Patches before which something must be done.
    #[serde(default, rename = "patch")]
    pub patches: Vec<Patch>,
    /// Known bad releases.
    #[serde(default, rename = "avoid")]
    pub avoid: Vec<Avoid>,
    /// Options that are gone.
    #[serde(default, rename = "option")]
    pub options: Vec<Gone>,
    /// Steps down.
    #[serde(default, rename = "down")]
    pub downs: Vec<Down>,
    /// Options that are new.
    #[serde(default)]
    pub new: Vec<New>,
    /// Values that are gone.
    #[serde(default, rename = "value")]
    pub values: Vec<Rejected>,
}

/// Why a text holds no rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RulesFault {
    /// Where in the text, in bytes.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

const OURS: &str = include_str!("rules/rules.toml");

/// The rules that came with this quorate; a test reads them, so they are never empty.
static BUILT_IN: LazyLock<Rules> = LazyLock::new(|| Rules::from_text(OURS).unwrap_or_default());

fn minor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Minor, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parts = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parts.ok_or_else(|| de::Error::custom(format!("expected a minor such as \"3.5\", found \"{text}\"")))
}

fn some_minor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Minor>, D::Error> {
    minor(deserializer).map(Some)
}

impl Rules {
    /// Those that came with this quorate.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Reads rules.
    ///
    /// # Errors
    /// When the text is no TOML, a key is unknown or missing, or a value is none.
    pub fn from_text(text: &str) -> Result<Self, RulesFault> {
        toml::from_str(text).map_err(|fault| RulesFault {
            at: fault.span().map_or(0, |span| span.start),
            message: fault.message().to_owned(),
        })
    }

    /// These with others laid over them: of two rows with one key the later date counts, and of two dates alike the other's.
    #[must_use]
    pub fn overlaid(mut self, other: Self) -> Self {
        lay(&mut self.hops, other.hops, |a, b| (a.from, a.to) == (b.from, b.to), |row| row.date);
        lay(&mut self.floors, other.floors, |a, b| a.minor == b.minor, |row| row.date);
        lay(&mut self.patches, other.patches, |a, b| a.at == b.at, |row| row.date);
        lay(&mut self.avoid, other.avoid, |a, b| a.versions == b.versions, |row| row.date);
        lay(&mut self.options, other.options, |a, b| (&a.name, a.gone) == (&b.name, b.gone), |row| row.date);
        lay(&mut self.downs, other.downs, |a, b| (a.from, a.to) == (b.from, b.to), |row| row.date);
        lay(&mut self.new, other.new, |a, b| a.name == b.name, |row| row.date);
        let key = |row: &Rejected| (row.name.clone(), row.value.clone(), row.gone);
        lay(&mut self.values, other.values, |a, b| key(a) == key(b), |row| row.date);
        self
    }

    /// The step down that leaves a minor.
    #[must_use]
    pub fn down_from(&self, minor: Minor) -> Option<&Down> {
        self.downs.iter().find(|down| down.from == minor)
    }

    /// The first minor that knows an option, where it is too new for a version; with the name it has there, if any.
    #[must_use]
    pub fn too_new(&self, option: &str, version: &Version) -> Option<(Minor, Option<&str>)> {
        let here = (version.major, version.minor);
        // Where no row says since when, nothing is known against it.
        let renamed = self.options.iter().filter(|gone| gone.becomes.as_deref() == Some(option));
        let renamed = renamed.filter_map(|gone| Some((gone.since?, Some(gone.name.as_str())))).next();
        let new = self.new.iter().find(|new| new.name == option).map(|new| (new.since, None));
        new.or(renamed).filter(|(since, _)| here < *since)
    }

    /// The step that leaves a minor.
    #[must_use]
    pub fn hop_from(&self, minor: Minor) -> Option<&Hop> {
        self.hops.iter().find(|hop| hop.from == minor)
    }

    /// The step that leads to a minor.
    #[must_use]
    pub fn hop_to(&self, minor: Minor) -> Option<&Hop> {
        self.hops.iter().find(|hop| hop.to == minor)
    }

    /// The floor under a minor.
    #[must_use]
    pub fn floor_of(&self, minor: Minor) -> Option<&Floor> {
        self.floors.iter().find(|floor| floor.minor == minor)
    }

    /// The patch between two of one minor before which something must be done, if there is one.
    #[must_use]
    pub fn patch_between(&self, from: &Version, to: &Version) -> Option<&Patch> {
        let between = |patch: &&Patch| minor_of(&patch.at) == minor_of(from) && *from < patch.at && patch.at <= *to;
        self.patches.iter().find(between)
    }

    /// The row of an option that a version does not know any more.
    #[must_use]
    pub fn gone(&self, option: &str, version: &Version) -> Option<&Gone> {
        self.options.iter().find(|gone| gone.name == option && (version.major, version.minor) >= gone.gone)
    }

    /// The row of an option that has another name, or a gate, in a version that knows it by this one too.
    #[must_use]
    pub fn renamed(&self, option: &str, version: &Version) -> Option<&Gone> {
        let here = minor_of(version);
        let is_it = |gone: &&Gone| gone.name == option && here < gone.gone;
        self.options.iter().filter(is_it).find(|gone| gone.since.is_some_and(|since| since <= here))
    }

    /// The row of a value that a version does not take any more.
    #[must_use]
    pub fn rejected(&self, option: &str, value: &str, version: &Version) -> Option<&Rejected> {
        let is_it = |row: &&Rejected| row.name == option && row.value == value;
        self.values.iter().filter(is_it).find(|row| (version.major, version.minor) >= row.gone)
    }

    /// Why a release must not be gone to, if so.
    #[must_use]
    pub fn avoided(&self, version: &Version) -> Option<&Avoid> {
        self.avoid.iter().find(|avoid| avoid.versions.matches(version))
    }
}

fn lay<T>(rows: &mut Vec<T>, others: Vec<T>, same: impl Fn(&T, &T) -> bool, date: impl Fn(&T) -> Date) {
    for other in others {
        match rows.iter_mut().find(|row| same(row, &other)) {
            Some(row) if date(&other) >= date(row) => *row = other,
            Some(_) => {}
            None => rows.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_lead_from_2_0_to_3_7_without_a_gap() {
        let rules = Rules::from_text(OURS).unwrap();
        let mut minor = (2, 0);
        let mut way = vec![minor];
        while let Some(hop) = rules.hop_from(minor) {
            minor = hop.to;
            way.push(minor);
        }
        assert_eq!(way.len(), 12);
        assert_eq!(minor, (3, 7));
        assert_eq!(rules.hops.len(), 11);
        for floor in &rules.floors {
            assert_eq!((floor.least.major, floor.least.minor), floor.minor);
        }
    }

    #[test]
    fn of_each_option_that_is_gone_one_thing_becomes() {
        for row in &Rules::from_text(OURS).unwrap().options {
            let ways = [row.becomes.is_some(), row.gate.is_some(), row.where_true.is_some(), row.drop, row.decide];
            assert_eq!(ways.iter().filter(|way| **way).count(), 1, "{row:?}");
            assert!(!row.decide || row.why.is_some(), "{row:?}");
            for said in row.where_true.iter().chain(&row.also) {
                assert!(
                    said.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty()),
                    "{row:?}"
                );
            }
        }
    }

    #[test]
    fn a_later_row_takes_the_place_of_ours_and_an_older_one_does_not() {
        let row = |date: &str, least: &str| {
            let text = format!("[[floor]]\nminor='3.5'\nleast='{least}'\nwhy='x'\nsource='y'\ndate='{date}'\n");
            Rules::from_text(&text).unwrap()
        };
        let least = |rules: Rules| rules.floor_of((3, 5)).unwrap().least.to_string();
        assert_eq!(least(Rules::built_in().clone().overlaid(row("2027-01-01", "3.5.40"))), "3.5.40");
        assert_eq!(least(Rules::built_in().clone().overlaid(row("2020-01-01", "3.5.40"))), "3.5.32");
        assert_eq!(least(Rules::default().overlaid(row("2020-01-01", "3.5.1"))), "3.5.1");
    }

    #[test]
    fn a_new_name_is_too_new_for_what_came_before_it_and_an_old_one_never() {
        let too_new = |option: &str, version: &str| Rules::built_in().too_new(option, &version.parse().unwrap());
        let experimental = Some(((3, 6), Some("experimental-corrupt-check-time")));
        assert_eq!(too_new("corrupt-check-time", "3.5.35"), experimental);
        assert_eq!(too_new("corrupt-check-time", "3.6.16"), None);
        assert_eq!(too_new("feature-gates", "3.5.35"), Some(((3, 6), None)));
        for (option, version) in [("trusted-ca-file", "2.1.1"), ("data-dir", "2.0.5"), ("log-outputs", "3.4.13")] {
            assert_eq!(too_new(option, version), None, "{option} {version}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_place() {
        let fault = Rules::from_text("[[hop]]\nfrom = '3'\n").unwrap_err();
        assert!(fault.message.contains("a minor such as") && fault.at > 0, "{fault:?}");
        for text in ["[[hope]]", "[[avoid]]\nversions='x'", "[[floor]]\nminor='3.5'\nleast='3.5'", "x"] {
            assert!(Rules::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn known_bad_releases_are_found_and_their_neighbours_are_not() {
        let rules = Rules::built_in();
        for bad in ["3.2.0", "3.3.21", "3.3.24", "3.4.0", "3.4.8", "3.4.12", "3.4.21", "3.5.0", "3.5.5", "3.6.4"] {
            assert!(rules.avoided(&bad.parse().unwrap()).is_some(), "{bad}");
        }
        for good in ["2.1.1", "3.2.32", "3.3.27", "3.4.9", "3.4.13", "3.4.23", "3.5.6", "3.5.35", "3.6.5", "3.7.3"] {
            assert!(rules.avoided(&good.parse().unwrap()).is_none(), "{good}");
        }
    }
}
