//! Options said otherwise for the version that a member is taken to: what stands on the host is read, and the files whose texts change
//! go with the program.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use semver::Version;

use crate::etcd::{self, ENABLE_V2, Rules, Step};
use crate::events::Kind;
use crate::modules::table::{Argument, Shape};
use crate::modules::{Call, Failure};
use crate::remote::{Content, Probe, RemotePath, ServiceText, other_commands, variables_in};

use super::facts::{Facts, refused};
use super::files::{Wanted, has_files};
use super::given::{DROP_IN, File, Given, Rewritten};
use super::next_start::{self, next_flags};
use super::seen::Seen;
use super::would_be::{Units, specifiers};

/// The argument.
pub(super) const REWRITE_OPTIONS: Argument = Argument::new(
    "rewrite_options",
    Shape::Bool,
    "whether options that the version does not take are said otherwise, in the unit file, drop-in, environment or configuration file where they stand, \
     or for a vendor's unit in a drop-in of quorate's own; else they are refused",
)
.default("true");

/// The argument.
pub(super) const KEEP_V2: Argument = Argument::new(
    "keep_v2",
    Shape::Bool,
    "whether a member of 3.4 or 3.5 is told to serve the v2 API, as far as its options do not say it; as `etcd_path` has it",
)
.default("false");

/// Files that are no longer there after a boot, or that a program makes anew.
const MADE_ANEW: [&str; 4] = ["/run/", "/proc/", "/sys/", "/dev/"];

/// Where a member goes.
#[derive(Clone, Copy)]
pub(super) struct Hop<'v> {
    /// What it runs.
    pub(super) running: Option<&'v Version>,
    /// What it will run by then; in a check run, which does not take it there, another one.
    pub(super) from: Option<&'v Version>,
    /// The version it is taken to.
    pub(super) to: &'v Version,
}

impl<'v> Hop<'v> {
    /// To that version, from whatever runs by then.
    pub(super) fn to(to: &'v Version) -> Self {
        Self { running: None, from: None, to }
    }

    /// From what runs.
    pub(super) fn from(running: &'v Version, to: &'v Version) -> Self {
        Self { running: Some(running), from: Some(running), to }
    }
}

/// What the run has warned of.
#[derive(Default)]
struct Warned(Mutex<BTreeSet<String>>);

/// Whether the member's options are to be said otherwise with this hop. A restart under the same version is none.
pub(super) fn is_due(call: &Call<'_>, facts: &Facts, rules: &Rules, hop: Hop<'_>) -> bool {
    // What runs by then is not known where a later hop is looked at for the files that go with it, and only they are judged.
    let is_hop = hop.from.map_or_else(|| has_files(call), |from| from != hop.to);
    let told = call.flag(KEEP_V2.name) && lacks_v2(facts, hop.to);
    call.flag(REWRITE_OPTIONS.name) && is_hop && (told || etcd::touches(&facts.flags, rules, hop.to))
}

/// Whether a version would not serve the v2 API because nothing is said of it.
pub(super) fn lacks_v2(facts: &Facts, version: &Version) -> bool {
    etcd::serves_v2_if_told(version) && facts.flags.get(ENABLE_V2.0).is_none()
}

/// The files whose texts change with the program, and what in them, a line each.
///
/// # Errors
/// What stands in the way; with files to go with the program, the start with those is judged instead.
pub(super) async fn files(
    call: &Call<'_>,
    facts: &Facts,
    rules: &Rules,
    hop: Hop<'_>,
    all: &[Wanted],
) -> Result<(Vec<Wanted>, Vec<String>), Failure> {
    if !is_due(call, facts, rules, hop) {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut before = given(&call.probe, facts, all).await?;
    let keep_v2 = call.flag(KEEP_V2.name);
    // A check run looks at a member that was not taken to the versions in between.
    let between = hop.from.filter(|from| hop.running != Some(*from));
    let is_between = between.is_some();
    if let Some(from) = between {
        before = before.rewritten(rules, from, keep_v2).given.started_with();
    }
    let Rewritten { given, lines, left, faults } = before.rewritten(rules, hop.to, keep_v2);
    // Of what files say that are given, only that the v2 API goes on is not seen at the start with them.
    let faults: Vec<String> =
        faults.into_iter().filter(|(name, _)| !has_files(call) || name == ENABLE_V2.0).map(|(_, text)| text).collect();
    if !faults.is_empty() {
        return Err(refused(call.host, faults.join("\n")));
    }
    for text in left.into_iter().filter(|_| hop.from.is_some()).map(|text| format!("{}: {text}", call.host)) {
        // Every task of the run that looks ahead comes to it; once is enough.
        if call.fleet.kept().of::<Warned>().0.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
            (call.say)(Kind::Warning { text })?;
        }
    }
    let wanted = given.changed(&before).into_iter().map(|(dest, text)| {
        let before = before.text(&dest).filter(|_| is_between).map(str::to_owned);
        Wanted { text: Some(text), own: true, before, dest }
    });
    Ok((wanted.collect(), lines))
}

/// What on a whole way stands against saying the options of a member otherwise, hop by hop; of each option once.
pub(super) async fn walk(probe: &Probe, facts: &Facts, rules: &Rules, steps: &[Step]) -> Result<Vec<String>, Failure> {
    let mut faults: Vec<(String, String)> = Vec::new();
    let mut at: Option<Given> = None;
    let next = next_flags(probe, facts).await?;
    for step in steps.iter().filter(|step| step.from != step.to) {
        let told = step.keep_v2 && lacks_v2(facts, &step.to);
        if at.is_none() && !told && !etcd::touches(&facts.flags, rules, &step.to) {
            let against = next_start::faults(&facts.flags, &next, rules, &step.to);
            once(&mut faults, against.iter().map(|fault| (fault.subject().to_owned(), fault.to_string())));
            continue;
        }
        let before = match at.take() {
            Some(before) => before,
            None => given(probe, facts, &[]).await?,
        };
        let after = before.rewritten(rules, &step.to, step.keep_v2);
        once(&mut faults, after.faults);
        at = Some(after.given.started_with());
    }
    Ok(faults.into_iter().map(|(_, text)| text).collect())
}

/// Adds what is about options of which nothing was said.
fn once(faults: &mut Vec<(String, String)>, more: impl IntoIterator<Item = (String, String)>) {
    for fault in more {
        if !faults.iter().any(|(known, _)| *known == fault.0) {
            faults.push(fault);
        }
    }
}

/// What stands on the host, files that go with the program in the place of those that are there.
async fn given(probe: &Probe, facts: &Facts, all: &[Wanted]) -> Result<Given, Failure> {
    let units = Units::of(probe.name(), facts, all)?;
    let read_as = units.then();
    let mut files = Vec::new();
    for path in std::iter::once(&read_as.fragment).chain(&read_as.drop_ins) {
        let vendors = path.as_str().starts_with("/usr/") || path.as_str().starts_with("/lib/");
        let fixed = if vendors || units.owns(path) && path.as_str().starts_with("/etc/") {
            None
        } else {
            Some("it is made anew by something else, or is no file of this unit alone".to_owned())
        };
        files.push(File { vendors, ..file((probe, &facts.seen), path, fixed, all).await? });
    }
    let commands = files.iter().flat_map(|file| other_commands(&file.text));
    let used_elsewhere = commands.flat_map(|command| variables_in(&command)).collect();
    let drop_in = units.folder().join(DROP_IN);
    let later = |path: &&RemotePath| {
        **path != drop_in && path.name() >= DROP_IN && !path.name().starts_with("zz-quorate-snapshots")
    };
    let drop_in = match read_as.drop_ins.iter().find(later) {
        _ if all.iter().any(|file| file.dest == drop_in && !file.own) => {
            Err(format!("{drop_in} is one of the files that go with the program; say it there"))
        }
        Some(later) => {
            Err(format!("{later} is read behind {drop_in}, in which it would be said anew; name it otherwise"))
        }
        None => Ok(drop_in),
    };
    let specifiers = specifiers(probe, facts, files.iter().map(|file| file.text.as_str())).await?;
    let mut service = ServiceText::of(specifiers.clone());
    let read =
        files.iter().try_for_each(|file| service.read(&file.text).map_err(|why| format!("{}: {why}", file.path)));
    let read = read.and_then(|()| service.command().map(|_| ()).map_err(|why| format!("{}: {why}", units.fragment())));
    let names = match &read {
        Ok(()) => service.environment_files().to_vec(),
        Err(_) => facts.state.environment_files(),
    };
    let mut environment_files = Vec::new();
    for (path, optional) in names {
        let new = all.iter().any(|file| file.dest == path && file.text.is_some());
        if optional && !new && !matches!(facts.seen.content(probe, &path).await?, Content::Bytes(_)) {
            continue;
        }
        environment_files.push(file((probe, &facts.seen), &path, made_anew(&path), all).await?);
    }
    let config = match facts.config_file() {
        Some(path) => Some(file((probe, &facts.seen), path, made_anew(path), all).await?),
        None => None,
    };
    let argv = facts.state.exec_start().into_iter().next().map(|start| start.argv).unwrap_or_default();
    Ok(Given {
        units: read.map(|()| files),
        environment_files,
        used_elsewhere,
        drop_in,
        specifiers,
        config,
        of_systemd: (argv, facts.state.environment()),
        running: facts.flags.clone(),
    })
}

fn made_anew(path: &RemotePath) -> Option<String> {
    let anew = MADE_ANEW.iter().any(|folder| path.as_str().starts_with(folder));
    anew.then(|| "it is made anew by something else".to_owned())
}

async fn file(
    (probe, seen): (&Probe, &Seen),
    path: &RemotePath,
    fixed: Option<String>,
    all: &[Wanted],
) -> Result<File, Failure> {
    if let Some(file) = all.iter().find(|file| file.dest == *path) {
        let fixed = if file.own {
            fixed
        } else {
            Some("it is one of the files that go with the program; change it there".to_owned())
        };
        return Ok(File { path: path.clone(), text: file.text.clone().unwrap_or_default(), fixed, vendors: false });
    }
    let bytes = seen.bytes(probe, path).await?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(File { path: path.clone(), text, fixed, vendors: false }),
        Err(_) => Err(refused(probe.name(), format!("{path} is no UTF-8 text"))),
    }
}
