//! Whether all members hold the same keys: before the first is stopped, and when the last has come up.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use semver::Version;

use crate::etcd::{self, HashBy, Sameness};
use crate::events::Kind;
use crate::modules::{Call, Failure};

use super::key_hash::{self, Told};
use super::survey::{PAUSE, Survey};

/// A compaction reaches all members within one heartbeat; ten looks with pauses between are five seconds.
const TRIES: u32 = 10;

/// What is known of it, where nothing is known to differ.
pub(super) enum SameData {
    /// All hold the same.
    Same,
    /// A member's release has no such hash.
    TooOld,
    /// Some could not be asked; why.
    Unknown(String),
}

impl SameData {
    /// Warns where it could have been known and is not.
    pub(super) fn say(self, call: &Call<'_>) -> Result<(), Failure> {
        match self {
            Self::Same | Self::TooOld => Ok(()),
            Self::Unknown(why) => {
                let text = format!("whether all members hold the same keys is not known: {why}");
                (call.say)(Kind::Warning { text })
            }
        }
    }
}

/// Whether all hold the same.
///
/// # Errors
/// In words: they differ, or one did not tell.
pub(super) async fn same_data(survey: &Survey) -> Result<SameData, String> {
    let mut why = String::new();
    for _ in 0..TRIES {
        match once(survey).await? {
            Once::Known(known) => return Ok(known),
            Once::Compared(_, Sameness::Same) => return Ok(SameData::Same),
            Once::Compared(revision, Sameness::Differ(each)) => {
                return Err(format!(
                    "the members do not hold the same keys: their hashes at revision {revision} are {each}"
                ));
            }
            Once::Compared(revision, Sameness::NotNow) => {
                why = format!(
                    "the members' keys at revision {revision} could not be compared: they compact all the time"
                );
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Err(why)
}

/// What one look gives.
enum Once {
    Known(SameData),
    Compared(u64, Sameness),
}

async fn once(survey: &Survey) -> Result<Once, String> {
    let view = survey.look_at_all().await;
    let (mut revision, mut versions) = (u64::MAX, BTreeMap::new());
    for (host, told) in &view.hosts {
        let member = told.as_ref().map_err(|reason| format!("{host}: {reason}"))?;
        let version = member.version.server.clone();
        let store = member.store.as_ref().filter(|_| etcd::hash_by(&version).is_some());
        let Some(store) = store else { return Ok(Once::Known(SameData::TooOld)) };
        revision = revision.min(store.revision);
        versions.insert(host.clone(), version);
    }
    // Whether minors count it alike before 3.5.10 was not tried.
    let minors: BTreeSet<_> = versions.values().map(etcd::minor_of).collect();
    if minors.len() > 1 && versions.values().any(|version| etcd::hash_by(version) == Some(HashBy::Tool)) {
        let why = "the members are of several minors, and hashes are compared within one before 3.5.10".to_owned();
        return Ok(Once::Known(SameData::Unknown(why)));
    }
    let asked = survey.facts.iter().map(|(host, facts)| ask(host, facts, versions.get(host), revision));
    let told: BTreeMap<String, Told> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
    let (mut hashes, mut unknown) = (BTreeMap::new(), None);
    for (host, told) in told {
        match told {
            Told::Hash(hash) => drop(hashes.insert(host, Some(hash))),
            Told::NotNow => drop(hashes.insert(host, None)),
            Told::Unknown(why) => unknown = Some(why),
        }
    }
    // That two differ is known, whatever a third might have told.
    Ok(match (etcd::sameness(&hashes), unknown) {
        (Sameness::Same | Sameness::NotNow, Some(why)) => Once::Known(SameData::Unknown(why)),
        (sameness, _) => Once::Compared(revision, sameness),
    })
}

async fn ask(
    host: &str,
    facts: &Result<super::facts::Facts, Failure>,
    version: Option<&Version>,
    revision: u64,
) -> Result<(String, Told), String> {
    let facts = facts.as_ref().map_err(|failure| failure.msg.clone())?;
    let Some(version) = version else { return Err(format!("{host} was not asked")) };
    let told = key_hash::of_member(facts, version, revision).await.map_err(|error| format!("{host}: {error}"))?;
    Ok((host.to_owned(), told))
}
