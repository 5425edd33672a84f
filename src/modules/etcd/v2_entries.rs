//! Whether a member's log still has entries of the v2 store, on which 3.6 panics: looked at once more before 3.5 is stopped for good.
//!
//! The snapshots taken before put those that were there behind them. But where `enable-v2` is on, each `/health` and each v2 write makes
//! new ones (etcd v3.5.35 etcdserver/api/etcdhttp/health.go), and somebody may poll it.

use std::time::Duration;

use semver::Version;

use crate::etcd::minor_of;
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

/// Looks, where the member is to leave 3.5 for 3.6; warns where it cannot be known.
///
/// # Errors
/// A refusal where there are such entries.
pub(super) async fn none(
    call: &Call<'_>,
    change: &Change,
    facts: &Facts,
    from: &Version,
    to: &Version,
) -> Result<(), Failure> {
    if minor_of(from) != (3, 5) || minor_of(to) != (3, 6) {
        return Ok(());
    }
    let scratch = backup::scratch(&format!("{}-v2", call.run));
    let said = look(call, change, facts, from, &scratch).await;
    let cleaned = change.remove(&scratch, true).await;
    let said = match said {
        Err(failure) if failure.fault == Fault::Unreachable => return Err(failure),
        said => said,
    };
    cleaned?;
    let host = call.host;
    let why = match said {
        Ok(Said::None) => return Ok(()),
        // As etcdutl says it (etcd v3.5.35 etcdutl/etcdutl/check_command.go; seen in the lab 2026-11-27).
        Ok(Said::Other(text)) if text.contains("detected custom") => {
            let text = format!(
                "its log has entries of the v2 store behind its last snapshot, on which {to} panics ({text})\n\
                 nothing was stopped: take `enable-v2` out of the members' options, if it is on, and restart them one by one \
                 (playbooks/etcd-restart.yml)\n\
                 then run the playbook again; it begins with a snapshot on each"
            );
            return Err(refused(host, text));
        }
        Ok(Said::Other(text)) => text,
        Err(failure) => failure.msg,
    };
    let why = why.lines().next().unwrap_or_default();
    let why = why.strip_prefix(&format!("{host}: ")).unwrap_or(why);
    let text = format!("{host}: whether its log has entries of the v2 store is not known: {why}");
    (call.say)(Kind::Warning { text })
}

enum Said {
    None,
    Other(String),
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
    Ok(Said::Other(last.map_or_else(|| ran.words(), |line| line.trim().to_owned())))
}
