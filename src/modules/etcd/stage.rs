//! `etcd_stage`: puts the new binary beside the old one, hashed on the host, and asks it for its version there.

use serde_json::{Map, Value, json};

use crate::etcd::{from_binary_output, from_tool_output, unsupported_arch};
use crate::events::{Fault, Kind};
use crate::modules::table::Row;
use crate::modules::{Call, Failure, Module, Outcome};
use crate::remote::{Change, Probe, RemotePath};
use crate::transport::BoxFuture;

use super::downgrade::DOWNGRADE;
use super::facts::{Facts, refused, version_argument};
use super::files::{FILES, Files, on_paper};
use super::next_start::next_flags;
use super::place::Place;
use super::ready::{THEN, then_argument};
use super::release::{Binary, Origin, Unpacked};
use super::rewriting::{Hop, KEEP_V2, REWRITE_OPTIONS};
use super::rules::{RULES, rules};
use super::tool::Tool;
use super::usage;
use super::v2_entries;
use super::{BINARY, BINARY_SHA256, ORIGIN, RELEASES, UNIT, VERSION};

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[
        VERSION,
        UNIT,
        RELEASES,
        BINARY,
        BINARY_SHA256,
        FILES,
        DOWNGRADE,
        THEN,
        RULES,
        REWRITE_OPTIONS,
        KEEP_V2,
    ],
    one_of: ORIGIN,
    returns: &[
        ("path", "where it is staged"),
        ("sha256", "its SHA-256"),
        ("etcdctl", "where the etcdctl that goes with it is staged, if one does"),
        ("files", "where the files that change with it are staged"),
    ],
    preflight_local: Some(on_paper),
    begins_anew: true,
    module: Some(&EtcdStage),
    ..Row::new("etcd_stage", "puts the new binary, and the files that go with it, beside the old")
};

struct EtcdStage;

impl Module for EtcdStage {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let version = version_argument(&call)?;
            let facts = Facts::gather(call.fleet, &call.probe, call.text("unit").unwrap_or("etcd")).await?;
            let binary = obtain_unless_running(&call, &facts, &version).await?;
            let place = Place::find(&call.probe, &facts, &version).await?;
            let mut result = Map::new();
            result.insert("path".into(), json!(place.staged.as_str()));
            let want = binary.as_ref().map_or(&place.running, |binary| &binary.sha256);
            result.insert("sha256".into(), json!(want));
            let files = Files::plan(&call, &facts, Hop::to(&version)).await?;
            // Options are said otherwise when the member's turn has come, since each hop says its own.
            let staged = files.changing.iter().filter(|file| !file.wanted.own).map(|file| file.staged().to_string());
            result.insert("files".into(), staged.collect());
            let mut to_put = files.unstaged(&call).await?;
            to_put.retain(|file| !file.wanted.own);
            for file in &to_put {
                let act = format!("stage {} as {}", file.wanted.dest, file.staged());
                begin(&call, act)?;
                if let Some(change) = &call.change {
                    file.stage(&call, change).await?;
                }
            }
            let Some(binary) = binary.filter(|binary| binary.sha256 != place.running) else {
                result.insert("msg".into(), Value::from(format!("{version} runs already")));
                return Ok(Outcome { changed: !to_put.is_empty(), result, ..Outcome::default() });
            };
            let tool = Tool::find(&call, &facts, &version).await?;
            result.extend(tool.as_ref().map(|tool| ("etcdctl".to_owned(), json!(tool.place.staged.as_str()))));
            let parts = parts(&place, &binary, tool.as_ref());
            let missing = missing(&call.probe, parts.clone()).await?;
            if !missing.is_empty() {
                room(&call.probe, &place.staged, &missing).await?;
            }
            match &call.change {
                Some(change) => put(&call, change, &facts, &version, &missing).await?,
                None => missing.iter().try_for_each(|(place, _)| begin(&call, act(&version, place)))?,
            }
            let there = parts.iter().filter(|(place, _)| !missing.iter().any(|(new, _)| new.staged == place.staged));
            for (place, _) in there {
                prove(&call.probe, &facts, place, &version).await?;
            }
            if call.change.is_some() || missing.is_empty() {
                let next = next_flags(&call.probe, &facts).await?;
                if let Some(change) = &call.change {
                    // Here and not in the preflight: a copy is made for it, and a refusal there leaves a host as it was.
                    let found = v2_entries::no_content(&call, change, (&facts, &next), &version).await;
                    found.map_err(|failure| match failure.fault {
                        Fault::Refused if !missing.is_empty() => Failure { fault: Fault::Failed, ..failure },
                        _ => failure,
                    })?;
                }
                usage::compare(&call, [&facts.flags, &next], (&rules(&call)?, &version), &facts, &place).await?;
            }
            Ok(Outcome { changed: !missing.is_empty() || !to_put.is_empty(), result, ..Outcome::default() })
        })
    }
}

/// Says that it begins, or in a check run that it would.
fn begin(call: &Call<'_>, act: String) -> Result<(), Failure> {
    let host = call.host.to_owned();
    (call.say)(if call.change.is_some() { Kind::ActBegins { host, act } } else { Kind::ActPlanned { host, act } })
}

fn act(version: &semver::Version, place: &Place) -> String {
    format!("stage {version} as {}", place.staged)
}

/// A program of a release and its place on the host.
pub(super) type Part<'p> = (&'p Place, &'p Binary);

/// What is swapped together.
pub(super) fn parts<'p>(place: &'p Place, binary: &'p Binary, tool: Option<&'p Tool>) -> Vec<Part<'p>> {
    [(place, binary)].into_iter().chain(tool.map(|tool| (&tool.place, &tool.binary))).collect()
}

/// Those that are not staged yet.
pub(super) async fn missing<'p>(probe: &Probe, parts: Vec<Part<'p>>) -> Result<Vec<Part<'p>>, Failure> {
    let mut missing = Vec::new();
    for (place, binary) in parts {
        if !is_there(probe, &place.staged, binary).await? {
            missing.push((place, binary));
        }
    }
    Ok(missing)
}

/// Stages them and asks each for its version; takes all of them away again if one does not do. Refused means that the host is as it was.
async fn put(
    call: &Call<'_>,
    change: &Change,
    facts: &Facts,
    version: &semver::Version,
    parts: &[Part<'_>],
) -> Result<(), Failure> {
    for (number, (place, binary)) in parts.iter().enumerate() {
        begin(call, act(version, place))?;
        let file = tokio::fs::File::open(&binary.path).await;
        let file = file.map_err(|e| Failure::new(Fault::Disk, format!("{}: {e}", binary.path.display())))?;
        change.upload(&place.staged, file, binary.size, &binary.sha256, &place.attributes).await?;
        if let Err(failure) = prove(&call.probe, facts, place, version).await {
            for (place, _) in parts.iter().take(number + 1) {
                change.remove(&place.staged, false).await?;
            }
            return Err(failure);
        }
    }
    Ok(())
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

/// The same; `None` where that version runs already and there is nothing to install: its release is not at hand, or the round is for what
/// the next hop needs and its members at most restart. A single program that was given is of the version behind that hop.
pub(super) async fn obtain_unless_running(
    call: &Call<'_>,
    facts: &Facts,
    version: &semver::Version,
) -> Result<Option<Binary>, Failure> {
    let lacking = match Origin::from_call(call)? {
        Origin::Plain(..) => !then_argument(call)?.is_empty(),
        origin @ Origin::Releases(_) => !origin.versions(&facts.machine)?.contains(version),
    };
    if lacking && facts.view().await?.version.server == *version {
        return Ok(None);
    }
    obtain(call, "etcd", version, &facts.machine).await.map(Some)
}

/// The same out of a given origin.
pub(super) async fn take(
    call: &Call<'_>,
    origin: Origin,
    name: &'static str,
    version: &semver::Version,
    machine: &str,
) -> Result<Binary, Failure> {
    let unpacked = call.fleet.kept().of::<Unpacked>();
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

/// Room for what is missing and as much again, since a full disk is etcd's end; gives its bytes.
pub(super) async fn room(probe: &Probe, staged: &RemotePath, missing: &[Part<'_>]) -> Result<u64, Failure> {
    // All of them lie in one folder, and the swap writes there too.
    let space = super::room::at(probe, staged).await?;
    let size = missing.iter().map(|(_, binary)| binary.size).sum::<u64>();
    if missing.is_empty() {
        return Ok(0);
    }
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
    Ok(size)
}

/// `$1` user or empty, `$2` the program, `$3` the machine where releases want it named, or empty. Run as the unit's user, so that a `noexec` mount or a label shows now and not in the window.
const ASK_VERSION: &str = r#"
cd / || exit 1
[ -z "$3" ] || export ETCD_UNSUPPORTED_ARCH="$3"
if [ -n "$1" ] && command -v runuser >/dev/null; then exec runuser -u "$1" -- "$2" --version; fi
said=$("$2" --version 2>&1) && { printf '%s\n' "$said"; exit 0; }
# etcdctl from 3.4 on says it by a command.
exec "$2" version
"#;

/// Asks the staged file for its version, on the host: etcd as the unit's user, etcdctl as whoever calls it.
async fn prove(probe: &Probe, facts: &Facts, place: &Place, version: &semver::Version) -> Result<(), Failure> {
    let is_etcd = place.target == facts.program;
    let (staged, user) = (&place.staged, facts.state.user().filter(|_| is_etcd).unwrap_or_default());
    let args = [user, staged.as_str(), unsupported_arch(&facts.machine).unwrap_or_default()];
    let ran = probe.script(&format!("ask {staged} for its version"), ASK_VERSION, &args, None).await?;
    if !ran.success() {
        let user = if user.is_empty() { String::new() } else { format!(" as user `{user}`") };
        return Err(refused(probe.name(), format!("{staged} --version does not run{user}: {}", ran.words())));
    }
    match if is_etcd { from_binary_output(&ran.stdout) } else { from_tool_output(&ran.stdout) } {
        Ok(found) if found == *version => Ok(()),
        Ok(found) => {
            Err(refused(probe.name(), format!("{staged} says another version\nexpected {version}\nfound    {found}")))
        }
        Err(fault) => Err(refused(probe.name(), format!("{staged} --version: {fault}"))),
    }
}
