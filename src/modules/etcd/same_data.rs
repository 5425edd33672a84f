//! Whether all members hold the same keys: before the first is stopped, and when the last has come up.

use futures_util::future::join_all;

use crate::etcd::{self, Sameness};

use super::survey::{PAUSE, Survey};

/// A compaction reaches all members within one heartbeat; ten looks with pauses between are five seconds.
const TRIES: u32 = 10;

/// The revision at which all were found to hold the same; `None` where a member is too old to tell.
///
/// # Errors
/// In words: they differ, or one did not tell.
pub(super) async fn same_data(survey: &Survey) -> Result<Option<u64>, String> {
    let mut why = String::new();
    for _ in 0..TRIES {
        match once(survey).await? {
            None => return Ok(None),
            Some((revision, Sameness::Same)) => return Ok(Some(revision)),
            Some((revision, Sameness::Differ(each))) => {
                return Err(format!(
                    "the members do not hold the same keys: their hashes at revision {revision} are {each}"
                ));
            }
            Some((revision, Sameness::NotNow)) => {
                why = format!(
                    "the members' keys at revision {revision} could not be compared: they compact all the time"
                );
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Err(why)
}

async fn once(survey: &Survey) -> Result<Option<(u64, Sameness)>, String> {
    let view = survey.look_at_all().await;
    let mut revision = u64::MAX;
    for (host, told) in &view.hosts {
        let member = told.as_ref().map_err(|reason| format!("{host}: {reason}"))?;
        let store = member.store.as_ref().filter(|_| etcd::tells_key_hash(&member.version.server));
        let Some(store) = store else { return Ok(None) };
        revision = revision.min(store.revision);
    }
    let ask = |(host, facts): (&String, &Result<super::facts::Facts, crate::modules::Failure>)| {
        let (host, facts) = (host.clone(), facts.clone());
        async move {
            let facts = facts.map_err(|failure| failure.msg)?;
            let hash = facts.client.key_hash(revision).await.map_err(|error| format!("{host}: {error}"))?;
            Ok::<_, String>((host, hash))
        }
    };
    let told = join_all(survey.facts.iter().map(ask)).await.into_iter().collect::<Result<_, _>>()?;
    Ok(Some((revision, etcd::sameness(&told))))
}
