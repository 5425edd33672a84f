//! `etcd_stage`: puts the new binary beside the old one, hashed on the host, and asks it for its version there.

use serde_json::{Map, Value, json};

use crate::etcd::from_binary_output;
use crate::events::{Fault, Kind};
use crate::modules::table::Row;
use crate::modules::{Call, Failure, Module, Outcome};
use crate::remote::{Probe, RemotePath};
use crate::transport::BoxFuture;

use super::facts::{Facts, refused, version_argument};
use super::place::Place;
use super::release::{Binary, Origin, Unpacked, on_paper};
use super::{BINARY, BINARY_SHA256, ORIGIN, RELEASES, UNIT, VERSION};

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[VERSION, UNIT, RELEASES, BINARY, BINARY_SHA256],
    one_of: ORIGIN,
    returns: &[("path", "where it is staged"), ("sha256", "its SHA-256")],
    preflight_local: Some(on_paper),
    module: Some(&EtcdStage),
    ..Row::new("etcd_stage", "puts the new binary beside the old one, hashed on the host")
};

struct EtcdStage;

impl Module for EtcdStage {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let version = version_argument(&call)?;
            let facts = Facts::gather(&call.probe, call.text("unit").unwrap_or("etcd")).await?;
            let binary = obtain(&call, "etcd", &version, &facts.machine).await?;
            let place = Place::find(&call.probe, &facts, &version).await?;
            let mut result = Map::new();
            result.insert("path".into(), json!(place.staged.as_str()));
            result.insert("sha256".into(), json!(binary.sha256));
            if place.running == binary.sha256 {
                result.insert("msg".into(), Value::from(format!("{version} runs already")));
                return Ok(Outcome { result, ..Outcome::default() });
            }
            let there = is_there(&call.probe, &place.staged, &binary).await?;
            let Some(change) = call.change.as_ref().filter(|_| !there) else {
                if there {
                    prove(&call.probe, &facts, &place.staged, &version).await?;
                }
                return Ok(Outcome { changed: !there, result, ..Outcome::default() });
            };
            room(&call.probe, &place.staged, binary.size).await?;
            let act = format!("stage {version} as {}", place.staged);
            (call.say)(Kind::ActBegins { host: call.host.to_owned(), act })?;
            let file = tokio::fs::File::open(&binary.path).await;
            let file = file.map_err(|e| Failure::new(Fault::Disk, format!("{}: {e}", binary.path.display())))?;
            let uploaded = change.upload(&place.staged, file, binary.size, &binary.sha256, &place.attributes).await;
            uploaded?;
            if let Err(failure) = prove(&call.probe, &facts, &place.staged, &version).await {
                // Refused means that the host is as it was.
                change.remove(&place.staged, false).await?;
                return Err(failure);
            }
            Ok(Outcome { changed: true, result, ..Outcome::default() })
        })
    }
}

/// The program of that version, verified on this machine.
pub(super) async fn obtain(
    call: &Call<'_>,
    name: &'static str,
    version: &semver::Version,
    machine: &str,
) -> Result<Binary, Failure> {
    take(call, Origin::from_call(call)?, name, version, machine).await
}

/// The same out of a given origin.
pub(super) async fn take(
    call: &Call<'_>,
    origin: Origin,
    name: &'static str,
    version: &semver::Version,
    machine: &str,
) -> Result<Binary, Failure> {
    let unpacked = call.kept.of::<Unpacked>();
    let (version, machine, into) = (version.clone(), machine.to_owned(), call.run_dir.join("binaries"));
    let work = tokio::task::spawn_blocking(move || origin.obtain(name, &version, &machine, &into, &unpacked));
    work.await.map_err(|error| Failure::new(Fault::Bug, format!("unpacking: {error}")))?
}

/// Whether the staged file is there and is the one.
pub(super) async fn is_there(probe: &Probe, staged: &RemotePath, binary: &Binary) -> Result<bool, Failure> {
    let stat = probe.stat(staged, false).await?;
    if stat.is_none_or(|stat| stat.kind != "file" || stat.size != binary.size) {
        return Ok(false);
    }
    Ok(probe.sha256(staged).await? == binary.sha256)
}

/// Room for the new binary and as much again: the file is written beside its temporary name, and a full disk is etcd's end.
pub(super) async fn room(probe: &Probe, staged: &RemotePath, size: u64) -> Result<(), Failure> {
    let space = probe.space(staged).await?;
    let needed = size.saturating_mul(2);
    if space.free < needed {
        let what = format!(
            "{} has {} MiB free, staging {staged} needs {} MiB",
            space.mount,
            space.free >> 20,
            (needed >> 20) + 1
        );
        return Err(refused(probe.name(), what));
    }
    if space.inodes.is_some_and(|inodes| inodes < 16) {
        return Err(refused(probe.name(), format!("{} has no inodes free for {staged}", space.mount)));
    }
    Ok(())
}

/// `$1` user or empty, `$2` the program. Run as the unit's user, so that a `noexec` mount or a label shows now and not in the window.
const ASK_VERSION: &str = r#"
cd / || exit 1
if [ -n "$1" ] && command -v runuser >/dev/null; then exec runuser -u "$1" -- "$2" --version; fi
exec "$2" --version
"#;

/// Asks the staged file for its version, on the host, as the unit's user.
pub(super) async fn prove(
    probe: &Probe,
    facts: &Facts,
    staged: &RemotePath,
    version: &semver::Version,
) -> Result<(), Failure> {
    let user = facts.state.user().unwrap_or_default();
    let ran = probe.script(&format!("ask {staged} for its version"), ASK_VERSION, &[user, staged.as_str()], None).await;
    let ran = ran?;
    if !ran.success() {
        return Err(refused(
            probe.name(),
            format!("{staged} --version does not run as user `{user}`: {}", ran.words()),
        ));
    }
    match from_binary_output(&ran.stdout) {
        Ok(found) if found == *version => Ok(()),
        Ok(found) => {
            Err(refused(probe.name(), format!("{staged} says another version\nexpected {version}\nfound    {found}")))
        }
        Err(fault) => Err(refused(probe.name(), format!("{staged} --version: {fault}"))),
    }
}
