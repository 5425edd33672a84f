//! etcdctl beside etcd: a release carries both, and people expect them to be of one version.

use semver::Version;

use crate::etcd::from_tool_output;
use crate::events::Fault;
use crate::modules::{Call, Failure};
use crate::remote::{Attributes, Change, RemotePath, Swap};

use super::facts::{Facts, refused};
use super::place::Place;
use super::release::{Binary, Origin};
use super::stage;

/// Its name, on the host and in the archive.
const NAME: &str = "etcdctl";

/// `$1` a path. Prints what the program there says of its version; nothing if there is none, or none that came out of a release: a
/// script of that name is somebody's own. Up to 3.3 it says it by `--version`, from 3.4 on by `version` only; to the other it answers with
/// its whole help on standard output and an exit code (seen in the lab).
const VERSION: &str = r#"
[ -f "$1" ] && [ "$(head -c 4 -- "$1" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] || exit 0
said=$("$1" --version 2>/dev/null) || said=$("$1" version 2>/dev/null)
printf '%s\n' "$said"
exit 0
"#;

/// The tool of that name that fits data of that version, on the host: the one beside the program, else out of the release archive.
///
/// In 2.x the format is one through all minors; from 3.0 on each minor has its own (a 2.3 tool fails on a log of 3.0, etcd issue 7150).
///
/// # Errors
/// When neither is to be had.
pub(super) async fn of(
    call: &Call<'_>,
    change: &Change,
    (program, machine): (&RemotePath, &str),
    name: &'static str,
    version: &Version,
    scratch: &RemotePath,
) -> Result<RemotePath, Failure> {
    let beside = program.parent().join(name);
    let said = call.probe.script(&format!("ask {name} for its version"), VERSION, &[beside.as_str()], None).await?;
    let fits = |found: &Version| found.major == version.major && (version.major < 3 || found.minor == version.minor);
    if from_tool_output(&said.stdout).is_ok_and(|found| fits(&found)) {
        return Ok(beside);
    }
    let line = if version.major < 3 { "2.x".to_owned() } else { format!("{}.{}", version.major, version.minor) };
    let need = |why: String| {
        let text = format!(
            "no {name} of {line} for the data: {beside} does not run as one, and {why}\n\
             put {name} of {version} beside etcd, or the archive of {version} into the folder `releases`"
        );
        refused(call.host, text)
    };
    let Ok(origin @ Origin::Releases(_)) = Origin::from_call(call) else {
        return Err(need("no folder of releases was given".to_owned()));
    };
    let binary = stage::take(call, origin, name, version, machine).await;
    let binary = binary.map_err(|failure| need(failure.msg))?;
    let target = scratch.join(name);
    let file = tokio::fs::File::open(&binary.path).await;
    let file = file.map_err(|e| Failure::new(Fault::Disk, format!("{}: {e}", binary.path.display())))?;
    let attributes = Attributes { mode: Some(0o700), ..Attributes::default() };
    change.upload(&target, file, binary.size, &binary.sha256, &attributes).await?;
    Ok(target)
}

/// An etcdctl that takes the place of an older one together with etcd.
pub(super) struct Tool {
    pub(super) place: Place,
    pub(super) binary: Binary,
    /// The version of the one that stands there.
    from: Version,
}

impl Tool {
    /// The etcdctl to go with etcd of version `to`: where a release is installed, and an older etcdctl stands beside the unit's program.
    pub(super) async fn find(call: &Call<'_>, facts: &Facts, to: &Version) -> Result<Option<Self>, Failure> {
        let Ok(origin @ Origin::Releases(_)) = Origin::from_call(call) else { return Ok(None) };
        let target = facts.program.parent().join(NAME);
        let said = call.probe.script("ask etcdctl for its version", VERSION, &[target.as_str()], None).await?;
        let Ok(from) = from_tool_output(&said.stdout) else { return Ok(None) };
        // One that is newer is left alone, but by who goes down.
        if from == *to || (from > *to && !call.flag("downgrade")) {
            return Ok(None);
        }
        let binary = stage::take(call, origin, NAME, to, &facts.machine).await?;
        let standing = call.probe.sha256(&target).await?;
        let place = Place::at(&call.probe, target, standing, to).await?;
        Ok(Some(Self { place, binary, from }))
    }

    /// The swap to the new one.
    pub(super) fn swap(&self) -> Swap {
        self.place.swap(&self.from, &self.binary.sha256)
    }

    /// The swap back to the old one.
    pub(super) fn swap_back(&self) -> Swap {
        self.place.swap_back(&self.from, &self.binary.sha256)
    }
}
