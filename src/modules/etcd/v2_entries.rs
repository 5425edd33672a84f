//! Whether a member's log still has entries of the v2 store, on which 3.6 panics: looked at once more before 3.5 is stopped for good; and
//! whether the store itself has content, on which it does not start: looked at before the run restarts anything, too.
//!
//! The snapshots taken before put those that were there behind them. But where `enable-v2` is on, each `/health` and each v2 write makes
//! new ones (etcd v3.5.35 etcdserver/api/etcdhttp/health.go), and somebody may poll it.

use std::time::Duration;

use semver::Version;

use crate::etcd::{self, ENABLE_V2, Flags, V2Left, minor_of};
use crate::events::{Fault, Kind};
use crate::modules::{Call, Failure};
use crate::remote::{Attributes, Change, RemotePath, RunOptions};

use super::backup;
use super::facts::{Facts, refused};
use super::tool;

/// A copy at 5 MiB/s of 64 MiB for each of five segments, and the reading of it.
const DEADLINE: Duration = Duration::from_secs(120);

/// `$1` etcdutl, `$2` data directory, `$3` directory of the log, `$4` a folder for a copy of both. The tool wants a directory that nobody
/// uses; snapshots are copied first, so that the log's copy reaches at least as far. A torn last record it takes for the log's end.
const CHECK: &str = r#"
umask 077
tool=$1 data=$2 wal=$3 copy=$4
mkdir -p "$copy/member/snap" "$copy/member/wal" || exit 1
cp -p "$data"/member/snap/*.snap "$copy/member/snap/" 2>/dev/null
cp -p "$wal"/*.wal "$copy/member/wal/" || exit 1
exec "$tool" check v2store --data-dir "$copy" 2>&1
"#;

/// The first patch of 3.5 whose etcdutl looks at all that 3.6 does (etcd CHANGELOG-3.5; etcdutl v3.5.21 does not look at the log).
const LOOKS_AT_ALL: Version = Version::new(3, 5, 32);

/// Looks, where the member is to leave 3.5 for 3.6; warns where it cannot be known. `next` are the options of its next start.
///
/// # Errors
/// A refusal where there is something on which the new one does not start.
pub(super) async fn none(
    call: &Call<'_>,
    change: &Change,
    (facts, next): (&Facts, &Flags),
    from: &Version,
    to: &Version,
) -> Result<(), Failure> {
    if !leaves_v2_behind(from, to) {
        return Ok(());
    }
    match looked(call, change, facts, from).await? {
        Said::None => Ok(()),
        Said::Left(left, text) => judged(call, left, etcd::skips_v2_check(next, to), to, &text),
        Said::Unknown(why) => {
            let text = format!("{}: whether its log has entries of the v2 store is not known: {why}", call.host);
            (call.say)(Kind::Warning { text })
        }
    }
}

/// The same for content of the store itself, which no snapshot on the way cures, before anything is restarted: where a member runs 3.5 and
/// 3.6 is staged for it. What cannot be known now is looked at again when the member's turn has come: so where
/// the v2 API is served, since what lies on the disk may be deleted since, and only the next snapshot has it so (seen in the lab 2026-11-28).
///
/// # Errors
/// As [`none`].
pub(super) async fn no_content(
    call: &Call<'_>,
    change: &Change,
    (facts, next): (&Facts, &Flags),
    to: &Version,
) -> Result<(), Failure> {
    if minor_of(to) != (3, 6) {
        return Ok(());
    }
    let runs = facts.view().await?.version.server;
    if !leaves_v2_behind(&runs, to) || runs < LOOKS_AT_ALL || facts.flags.tells_v2() == Some(true) {
        return Ok(());
    }
    match looked(call, change, facts, &runs).await? {
        Said::Left(left, text) if left != V2Left::Entries => {
            judged(call, V2Left::Content, etcd::skips_v2_check(next, to), to, &text)
        }
        Said::None | Said::Left(..) | Said::Unknown(_) => Ok(()),
    }
}

/// Whether a hop is the one from 3.5 to 3.6.
fn leaves_v2_behind(from: &Version, to: &Version) -> bool {
    minor_of(from) == (3, 5) && minor_of(to) == (3, 6)
}

/// What is left stands against the hop, but for content on which the new one was told to start.
fn judged(call: &Call<'_>, left: V2Left, skipped: bool, to: &Version, text: &str) -> Result<(), Failure> {
    let host = call.host;
    match left {
        V2Left::Content if skipped => {
            let ((name, value), text) = (etcd::SKIP_CHECK, text.trim_start_matches("Error: "));
            let text = format!(
                "{host}: its v2 store has content ({text}), and {to} starts on it all the same, since `{name}` is `{value}`"
            );
            (call.say)(Kind::Warning { text })
        }
        V2Left::Content | V2Left::Both if !skipped => Err(refused(host, content(to, text))),
        V2Left::Content | V2Left::Entries | V2Left::Both => Err(refused(host, entries(to, text))),
    }
}

fn content(to: &Version, text: &str) -> String {
    let (name, value) = ENABLE_V2;
    format!(
        "its v2 store has content, on which {to} does not start ({text}); no snapshot helps, since each holds it too\n\
         nothing was stopped: put `{name}={value}` into the members' options and restart them one by one (playbooks/etcd-restart.yml); \
         delete the keys of the v2 store, hidden ones too, and its users and roles\n\
         then run the playbook again; it begins with a snapshot on each"
    )
}

fn entries(to: &Version, text: &str) -> String {
    format!(
        "its log has entries of the v2 store behind its last snapshot, on which {to} panics ({text})\n\
         nothing was stopped: take `enable-v2` out of the members' options, if it is on, and restart them one by one \
         (playbooks/etcd-restart.yml)\n\
         then run the playbook again; it begins with a snapshot on each"
    )
}

/// Looks, and takes the copy away again.
async fn looked(call: &Call<'_>, change: &Change, facts: &Facts, version: &Version) -> Result<Said, Failure> {
    let folder = |name: String| backup::scratch(&format!("{name}-v2"));
    for lost in backup::lost_names(call) {
        change.remove(&folder(lost), true).await?;
    }
    let scratch = folder(backup::name(call));
    let said = look(call, change, facts, version, &scratch).await;
    let cleaned = change.remove(&scratch, true).await;
    let said = match said {
        Err(failure) if failure.fault == Fault::Unreachable => return Err(failure),
        Err(failure) => Said::Unknown(failure.msg),
        Ok(said) => said,
    };
    cleaned?;
    let Said::Unknown(why) = said else { return Ok(said) };
    let why = why.lines().next().unwrap_or_default();
    Ok(Said::Unknown(why.strip_prefix(&format!("{}: ", call.host)).unwrap_or(why).to_owned()))
}

enum Said {
    /// There is nothing.
    None,
    /// That, in its own words.
    Left(V2Left, String),
    /// Something else; what.
    Unknown(String),
}

async fn look(
    call: &Call<'_>,
    change: &Change,
    facts: &Facts,
    version: &Version,
    scratch: &RemotePath,
) -> Result<Said, Failure> {
    let private = Attributes { mode: Some(0o700), ..Attributes::default() };
    change.mkdir(scratch, &private, true).await?;
    let of = (&facts.program, facts.machine.as_str());
    let etcdutl = tool::of(call, change, of, "etcdutl", version, scratch).await?;
    let copy = scratch.join("copy");
    let args = [etcdutl.as_str(), facts.data.dir.as_str(), facts.data.wal_dir.as_str(), copy.as_str()];
    let options = RunOptions { deadline: Some(DEADLINE), ..RunOptions::default() };
    let ran = change.script_with("look for entries of the v2 store", CHECK, &args, options).await?;
    if ran.success() {
        return Ok(Said::None);
    }
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    // Its log comes before, a line a word of JSON.
    let last = text.lines().rev().find(|line| line.starts_with("Error")).or_else(|| text.lines().last());
    let text = last.map_or_else(|| ran.words(), |line| line.trim().to_owned());
    Ok(match etcd::v2_left(&text) {
        Some(left) => Said::Left(left, text),
        None => Said::Unknown(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hop_to_3_6_is_told_from_the_round_for_snapshots_and_from_others() {
        let hop = |from: &str, to: &str| leaves_v2_behind(&from.parse().unwrap(), &to.parse().unwrap());
        assert!(hop("3.5.35", "3.6.16"));
        assert!(
            ![("3.5.35", "3.5.35"), ("3.6.16", "3.7.3"), ("3.4.13", "3.5.35")].iter().any(|(from, to)| hop(from, to))
        );
    }

    #[test]
    fn each_kind_of_what_is_left_has_its_own_cure() {
        let to = Version::new(3, 6, 16);
        let of_store = content(&to, "Error: detected custom content in v2store");
        assert!(of_store.contains("`enable-v2=true`") && of_store.contains("users and roles"), "{of_store}");
        assert!(of_store.contains("no snapshot helps"), "{of_store}");
        let of_log = entries(&to, "Error: detected custom v2 content in WAL records");
        assert!(of_log.contains("take `enable-v2` out") && !of_log.contains("no snapshot helps"), "{of_log}");
    }
}
