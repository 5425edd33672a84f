//! Snapshots more often than by default while another hop is to follow: two files beside the unit, or a line in the configuration file,
//! put there with one swap of the program and taken away with the next.

use crate::etcd::First;
use crate::modules::{Call, Failure};
use crate::remote::{Change, RemoteError, RemotePath};

use super::config_file::{with_snapshots, without_snapshots};
use super::facts::{Facts, refused};
use super::files::{Files, Wanted, besides};

/// Entries between two snapshots. etcd's own default is 10 000 to 100 000, which a cluster that is walked through several releases would
/// have to be written full with; and each snapshot costs two fsyncs, so a cluster that takes 500 writes a second makes five of them.
pub(super) const EVERY: u64 = 100;

/// Last in the order of names, since drop-ins are read in it.
const NAME: &str = "zz-quorate-snapshots";

/// The variable that etcd reads, in every release.
const VARIABLE: &str = "ETCD_SNAPSHOT_COUNT";

/// The drop-in, and the file of variables that it names: that one is read after all others and so wins over them.
fn places(facts: &Facts) -> (RemotePath, RemotePath) {
    let id = Some(facts.state.get("Id")).filter(|id| !id.is_empty()).unwrap_or(&facts.unit);
    let folder = RemotePath::root().join("etc/systemd/system").join(&format!("{id}.d"));
    (folder.join(&format!("{NAME}.conf")), folder.join(&format!("{NAME}.env")))
}

/// Whether a file is one of the two.
fn is_own(path: &RemotePath) -> bool {
    path.name().starts_with(NAME)
}

/// Takes away what was staged and kept of the two, where they are gone themselves and the member is well without them.
///
/// # Errors
/// When the host does not do it.
pub(super) async fn clear(change: &Change, files: &Files) -> Result<(), RemoteError> {
    for file in files.changing.iter().filter(|file| is_own(&file.wanted.dest) && file.wanted.text.is_none()) {
        for left in [file.staged(), file.kept()] {
            change.remove(&left, false).await?;
        }
    }
    Ok(())
}

/// The same where a run that was killed did not come to it: whoever goes on finds nothing to swap, and the two files gone.
///
/// # Errors
/// When the host does not do it.
pub(super) async fn clear_left(call: &Call<'_>, change: &Change, facts: &Facts) -> Result<(), RemoteError> {
    let (drop_in, variables) = places(facts);
    for dest in [drop_in, variables] {
        if call.probe.stat(&dest, false).await?.is_none() {
            for left in besides(&dest) {
                change.remove(&left, false).await?;
            }
        }
    }
    Ok(())
}

/// Why the files would not reach the member's snapshot count, if so. A way with a round for snapshots in it is refused for that before its
/// first hop.
pub(super) fn unreached(facts: &Facts) -> Option<String> {
    let why = if facts.flags.is_spoken("snapshot-count") {
        "`--snapshot-count` stands on its command line; take it out, or say it as ETCD_SNAPSHOT_COUNT in a file of variables"
    } else if facts.config.as_ref().is_some_and(|(path, text)| with_snapshots(path, text, EVERY).is_none()) {
        "its configuration file is no plain mapping with a key a line, into which quorate could write it"
    } else {
        return None;
    };
    Some(format!(
        "every member must take a raft snapshot on the way, for which quorate lowers its snapshot count for a while\n{why}"
    ))
}

/// The two files as they shall be with a member that is started now.
///
/// # Errors
/// When the host does not say what is there, or the option stands where a variable does not reach it.
pub(super) async fn files(call: &Call<'_>, facts: &Facts, then: &[First]) -> Result<Vec<Wanted>, Failure> {
    let (drop_in, variables) = places(facts);
    if facts.config.is_none() && !then.contains(&First::Snapshot) {
        let mut gone = Vec::new();
        for dest in [drop_in, variables] {
            if call.probe.stat(&dest, false).await?.is_some() {
                gone.push(Wanted::own(dest, None));
            }
        }
        return Ok(gone);
    }
    put_there(facts, then)
}

/// The files with which a member takes snapshots more often.
///
/// # Errors
/// When they would not reach it.
pub(super) fn more_often(facts: &Facts) -> Result<Vec<Wanted>, Failure> {
    put_there(facts, &[First::Snapshot])
}

fn put_there(facts: &Facts, then: &[First]) -> Result<Vec<Wanted>, Failure> {
    let host = facts.host();
    if let Some((path, text)) = &facts.config {
        return in_config_file(&host, facts, path, text, then);
    }
    if let Some(why) = unreached(facts) {
        return Err(refused(&host, why));
    }
    let (drop_in, variables) = places(facts);
    let unit = drop_in_text(&variables);
    let text = format!("# As zz-quorate-snapshots.conf says.\n{VARIABLE}={EVERY}\n");
    Ok(vec![Wanted::own(drop_in, Some(unit)), Wanted::own(variables, Some(text))])
}

/// The drop-in's text. The `-` before the file's name lets the unit start without it (systemd.exec(5), `EnvironmentFile=`): of the two files
/// one is swapped before the other, and a host whose power goes in between must come up. Without it systemd refuses the start, also by
/// hand: "unavailable resources" (seen in the lab 2026-11-27).
fn drop_in_text(variables: &RemotePath) -> String {
    format!(
        "# Put here by quorate until the next hop of an upgrade, which needs a young raft snapshot of every member.\n\
         [Service]\nEnvironmentFile=-{variables}\n"
    )
}

/// The same where a configuration file takes the place of variables: a line in it.
fn in_config_file(
    host: &str,
    facts: &Facts,
    path: &RemotePath,
    text: &str,
    then: &[First],
) -> Result<Vec<Wanted>, Failure> {
    let new = match then.contains(&First::Snapshot) {
        true => with_snapshots(path, text, EVERY),
        false => Some(without_snapshots(text)),
    };
    match (new, unreached(facts)) {
        (Some(new), _) if new == text => Ok(Vec::new()),
        (Some(new), _) => Ok(vec![Wanted::own(path.clone(), Some(new))]),
        (None, why) => Err(refused(host, why.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_starts_with_the_drop_in_alone() {
        let variables =
            RemotePath::from_absolute("/etc/systemd/system/etcd.service.d/zz-quorate-snapshots.env").unwrap();
        let line = format!("EnvironmentFile=-{variables}");
        assert!(drop_in_text(&variables).lines().any(|found| found == line));
    }
}
