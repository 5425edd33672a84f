//! How the unit would start with the files that change with the program: found out and judged before anything is stopped.

use std::collections::BTreeMap;

use semver::Version;

use crate::etcd::{Flags, Rules};
use crate::modules::{Call, Failure};
use crate::remote::{
    Attributes, Content, Probe, ReadAs, RemotePath, ServiceText, Specifiers, environment_of, with_variables,
};

use super::config_file;
use super::facts::{Facts, refused};
use super::files::{Changing, Files, Wanted, wanted};
use super::next_start::{IDENTITY, is_read, same_options, stays_there};
use super::others;
use super::rewriting::{self, Hop};
use super::rules::rules;
use super::seen::Seen;

/// `$1` the start of a process in microseconds since boot, then files. Prints those that were written after it; a second is given, since
/// that is as well as the kernel tells.
const NEWER: &str = r#"
read -r up rest </proc/uptime
start=$(($(date +%s) - ${up%.*} + $1 / 1000000)); shift
for file; do [ "$(stat -c %Y -- "$file")" -le $((start + 1)) ] || printf '%s\n' "$file"; done
"#;

/// With what the unit starts its program.
struct Start {
    command: Vec<String>,
    environment: Vec<(String, String)>,
    environment_files: Vec<(RemotePath, bool)>,
    kind: String,
}

impl Files {
    /// What has to change on the host for the files that the call asks for and for options that the version does not take, or why it
    /// must not.
    pub(super) async fn plan(call: &Call<'_>, facts: &Facts, hop: Hop<'_>) -> Result<Self, Failure> {
        Self::plan_with(call, facts, hop, Vec::new()).await
    }

    /// The same with files of quorate's own.
    pub(super) async fn plan_with(
        call: &Call<'_>,
        facts: &Facts,
        hop: Hop<'_>,
        own: Vec<Wanted>,
    ) -> Result<Self, Failure> {
        let (rules, target) = (&rules(call)?, hop.to);
        let mut all = wanted(call).await?;
        if let Some(twice) = own.iter().find(|own| all.iter().any(|file| file.dest == own.dest)) {
            return Err(refused(call.host, format!("{} is quorate's own file and not to be given", twice.dest)));
        }
        all.extend(own);
        let (mine, rewritten) = rewriting::files(call, facts, rules, hop, &all).await?;
        // What is said otherwise was written into what is there of quorate's own.
        all.retain(|file| !mine.iter().any(|mine| mine.dest == file.dest));
        all.extend(mine);
        if all.is_empty() {
            return Ok(Self::default());
        }
        let units = Units::of(call.host, facts, &all)?;
        let start = units.start(&call.probe, facts, &all).await?;
        let config = facts.config_file();
        for file in all.iter().filter(|file| !units.owns(&file.dest) && file.text.is_some()) {
            if config != Some(&file.dest) && !start.environment_files.iter().any(|(path, _)| *path == file.dest) {
                return Err(refused(call.host, units.not_read(&file.dest, &start)));
            }
        }
        start.judge(&call.probe, facts, (rules, target), &all).await?;
        let mut files = Self { rewritten, ..Self::default() };
        for file in &all {
            files.changing.extend(differs(call, &units, file).await?);
        }
        if files.changing.iter().any(|file| file.wanted.dest == units.fragment) {
            others::file_is_its_own(&call.probe, facts, &units.fragment).await?;
        }
        if files.changing.iter().any(|file| units.owns(&file.wanted.dest)) {
            files.read_as = Some((units.then(), units.now()));
        }
        files.stale = files.changing.is_empty() && stale(&call.probe, facts, &all).await?;
        Ok(files)
    }
}

/// Judges a start of the version that runs with files of quorate's own, and with those that go with the program: before anything is changed.
///
/// # Errors
/// What stands against it, as a refusal.
pub(super) async fn judge_own(
    call: &Call<'_>,
    probe: &Probe,
    facts: &Facts,
    by: (&Rules, &Version),
    own: Vec<Wanted>,
) -> Result<(), Failure> {
    let mut all = wanted(call).await?;
    all.retain(|file| !own.iter().any(|own| own.dest == file.dest));
    all.extend(own);
    let units = Units::of(probe.name(), facts, &all)?;
    units.start(probe, facts, &all).await?.judge(probe, facts, by, &all).await
}

/// Whether one of the files is newer than the process, which then does not run with it.
async fn stale(probe: &Probe, facts: &Facts, all: &[Wanted]) -> Result<bool, Failure> {
    let files = all.iter().filter(|file| file.text.is_some()).map(|file| file.dest.as_str());
    let start = facts.state.get("ExecMainStartTimestampMonotonic");
    let args: Vec<&str> = std::iter::once(start).chain(files).collect();
    let ran = probe.script("compare the files' times", NEWER, &args, None).await?;
    if !ran.success() {
        return Err(refused(probe.name(), format!("when {} was started is not known: {}", facts.unit, ran.words())));
    }
    Ok(!ran.stdout.is_empty())
}

/// What has to change at a file's place, if anything.
async fn differs(call: &Call<'_>, units: &Units, file: &Wanted) -> Result<Option<Changing>, Failure> {
    let dest = &file.dest;
    let Some(stat) = call.probe.stat(dest, false).await? else {
        if file.text.is_none() {
            return Ok(None);
        }
        let folder = call.probe.stat(&dest.parent(), true).await?;
        let made = dest.parent() == units.folder;
        if folder.as_ref().is_none_or(|stat| stat.kind != "directory") && (folder.is_some() || !made) {
            return Err(refused(call.host, format!("{dest}: its folder is not there")));
        }
        return Ok(Some(Changing::new(file.clone(), None)));
    };
    if stat.kind != "file" {
        return Err(refused(call.host, format!("{dest} is a {}; only a regular file is replaced", stat.kind)));
    }
    let attributes =
        Attributes { mode: Some(stat.mode), owner: Some(stat.uid.to_string()), group: Some(stat.gid.to_string()) };
    let changing = Changing::new(file.clone(), Some((call.probe.sha256(dest).await?, attributes)));
    Ok(Some(changing).filter(|file| file.before != file.want))
}

/// The files that systemd reads of the unit.
pub(super) struct Units {
    fragment: RemotePath,
    folder: RemotePath,
    drop_ins: Vec<RemotePath>,
    new: Vec<RemotePath>,
    gone: Vec<RemotePath>,
    touched: bool,
}

impl Units {
    /// With the files that are to go with the program.
    pub(super) fn of(host: &str, facts: &Facts, all: &[Wanted]) -> Result<Self, Failure> {
        let (unit, state) = (&facts.unit, &facts.state);
        let fragment = state.fragment_path().ok_or_else(|| refused(host, format!("{unit} has no file")))?;
        let id = Some(state.get("Id")).filter(|id| !id.is_empty()).unwrap_or(unit);
        let folder = RemotePath::root().join("etc/systemd/system").join(&format!("{id}.d"));
        let drop_ins = state.drop_ins();
        let mut units = Self { fragment, folder, drop_ins, new: Vec::new(), gone: Vec::new(), touched: false };
        let in_order = units.drop_ins.is_sorted_by(|a, b| a.name() < b.name());
        for file in all {
            if file.dest == units.fragment && !units.fragment.as_str().starts_with("/etc/") {
                let what =
                    format!("{} is the vendor's and is not replaced; give a drop-in in {}", file.dest, units.folder);
                return Err(refused(host, what));
            }
            if !units.owns(&file.dest) {
                continue;
            }
            units.touched = true;
            if file.text.is_none() {
                units.gone.push(file.dest.clone());
                continue;
            }
            if file.dest == units.fragment || units.drop_ins.contains(&file.dest) {
                continue;
            }
            if let Some(other) = units.drop_ins.iter().find(|other| other.name() == file.dest.name()) {
                let what = format!(
                    "{} and {other} are drop-ins of one name, of which systemd reads one; name it otherwise",
                    file.dest
                );
                return Err(refused(host, what));
            }
            units.new.push(file.dest.clone());
        }
        if units.touched && !in_order {
            return Err(refused(host, format!("the drop-ins of {unit} are not in the order of their names")));
        }
        Ok(units)
    }

    /// Whether systemd itself reads it: the unit's file, or a drop-in of the host's own.
    pub(super) fn owns(&self, path: &RemotePath) -> bool {
        *path == self.fragment
            || (path.parent() == self.folder && path.name().ends_with(".conf") && path.name() != ".conf")
    }

    /// The unit's own file.
    pub(super) fn fragment(&self) -> &RemotePath {
        &self.fragment
    }

    /// Where the host's own drop-ins of the unit lie.
    pub(super) fn folder(&self) -> &RemotePath {
        &self.folder
    }

    fn now(&self) -> ReadAs {
        ReadAs { fragment: self.fragment.clone(), drop_ins: self.drop_ins.clone() }
    }

    /// What systemd shall have read once the files are there.
    pub(super) fn then(&self) -> ReadAs {
        let stays = |path: &&RemotePath| !self.gone.contains(path);
        let mut drop_ins: Vec<RemotePath> = self.drop_ins.iter().chain(&self.new).filter(stays).cloned().collect();
        drop_ins.sort_by(|a, b| a.name().cmp(b.name()));
        ReadAs { fragment: self.fragment.clone(), drop_ins }
    }

    fn not_read(&self, dest: &RemotePath, start: &Start) -> String {
        let files: Vec<&str> = start.environment_files.iter().map(|(path, _)| path.as_str()).collect();
        let files = if files.is_empty() { "none".to_owned() } else { files.join(", ") };
        format!(
            "{dest} is no file that the unit reads\nunit file {}\ndrop-ins {}/*.conf\nenvironment files {files}",
            self.fragment, self.folder
        )
    }

    /// With what the unit would start its program.
    async fn start(&self, probe: &Probe, facts: &Facts, all: &[Wanted]) -> Result<Start, Failure> {
        if !self.touched {
            let starts = facts.state.exec_start();
            return Ok(Start {
                command: starts.first().map(|start| start.argv.clone()).unwrap_or_default(),
                environment: facts.state.environment(),
                environment_files: facts.state.environment_files(),
                kind: facts.state.kind().to_owned(),
            });
        }
        is_read(probe, &facts.unit, &facts.state).await?;
        let now = service(probe, facts, &self.now(), &[]).await?;
        if now.has_specifiers() {
            as_systemd_reads_it(probe, facts, &now)?;
        }
        let then = service(probe, facts, &self.then(), all).await?;
        let other = now.other_surroundings(&then);
        if !other.is_empty() {
            let what = format!(
                "the new files change {}: as whom etcd runs and which files it sees must stay as they are",
                other.join(", ")
            );
            return Err(refused(probe.name(), what));
        }
        Start::of_text(probe.name(), facts, &then)
    }
}

/// Judges a unit whose files were changed by hand and that systemd has not read anew yet: it must start the same program as the same
/// member on the same data. `unread` are drop-ins that systemd would read besides.
pub(super) async fn judge_unread(
    probe: &Probe,
    facts: &Facts,
    by: (&Rules, &Version),
    unread: Vec<RemotePath>,
) -> Result<(), Failure> {
    let none = || refused(probe.name(), format!("{} has no file", facts.unit));
    let fragment = facts.state.fragment_path().ok_or_else(none)?;
    let mut drop_ins = Vec::new();
    for path in facts.state.drop_ins() {
        // Of two with one name the one is read that comes first in systemd's path, which is the unread one.
        let hidden = unread.iter().any(|new| new.name() == path.name());
        if !hidden && probe.stat(&path, true).await?.is_some() {
            drop_ins.push(path);
        }
    }
    drop_ins.extend(unread);
    drop_ins.sort_by(|a, b| a.name().cmp(b.name()));
    let then = service(probe, facts, &ReadAs { fragment, drop_ins }, &[]).await?;
    Start::of_text(probe.name(), facts, &then)?.judge(probe, facts, by, &[]).await
}

impl Start {
    /// What the texts say, if that starts the program that is started now.
    fn of_text(host: &str, facts: &Facts, then: &ServiceText) -> Result<Self, Failure> {
        let command =
            then.command().map_err(|why| refused(host, format!("{} with the new files: {why}", facts.unit)))?;
        if command.first().map(String::as_str) != Some(facts.program.as_str()) {
            let what = format!(
                "{} would start another program\nexpected {}\nfound    {}",
                facts.unit,
                facts.program,
                command.first().map_or("none", String::as_str)
            );
            return Err(refused(host, what));
        }
        Ok(Self {
            command: command.to_vec(),
            environment: then.environment().to_vec(),
            environment_files: then.environment_files().to_vec(),
            kind: then.kind().to_owned(),
        })
    }
}

/// What the texts of those files say, the new ones in the place of those on the host.
async fn service(probe: &Probe, facts: &Facts, files: &ReadAs, new: &[Wanted]) -> Result<ServiceText, Failure> {
    let mut texts = Vec::new();
    for path in std::iter::once(&files.fragment).chain(&files.drop_ins) {
        texts.push((path, text((probe, &facts.seen), path, new).await?));
    }
    let mut service = ServiceText::of(specifiers(probe, facts, texts.iter().map(|(_, text)| text.as_str())).await?);
    for (path, text) in &texts {
        service.read(text).map_err(|why| unclear(probe, path, &why))?;
    }
    Ok(service)
}

/// What specifiers stand for in these texts of the unit's files.
pub(super) async fn specifiers(
    probe: &Probe,
    facts: &Facts,
    mut texts: impl Iterator<Item = &str>,
) -> Result<Specifiers, Failure> {
    let id = Some(facts.state.get("Id")).filter(|id| !id.is_empty()).unwrap_or(&facts.unit);
    let specifiers = Specifiers::of(id);
    if !texts.any(Specifiers::may_ask_for_host) {
        return Ok(specifiers);
    }
    let ran = probe.script("ask for the host's name", "exec uname -n", &[], None).await?;
    let name = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    Ok(if ran.success() { specifiers.on(&name) } else { specifiers })
}

/// Whether texts that systemd has read say what it says of them itself: it may know another name of the host, say, than that of now.
fn as_systemd_reads_it(probe: &Probe, facts: &Facts, now: &ServiceText) -> Result<(), Failure> {
    let sorted = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
    let argv = facts.state.exec_start().into_iter().next().map(|start| start.argv).unwrap_or_default();
    let same = now.command().is_ok_and(|command| command == argv)
        && sorted(now.environment()) == sorted(&facts.state.environment())
        && now.environment_files() == facts.state.environment_files();
    if same {
        return Ok(());
    }
    let what = format!(
        "{}: its files have specifiers (%), and read with them they are not what systemd says of them\n\
         what is not understood for sure is not started; write it in a plainer way",
        facts.unit
    );
    Err(refused(probe.name(), what))
}

fn unclear(probe: &Probe, path: &RemotePath, why: &str) -> Failure {
    let what = format!("{path}: {why}\nwhat is not understood for sure is not started; write it in a plainer way");
    refused(probe.name(), what)
}

/// The new text of a file, or the one on the host.
async fn text((probe, seen): (&Probe, &Seen), path: &RemotePath, new: &[Wanted]) -> Result<String, Failure> {
    if let Some(file) = new.iter().find(|file| file.dest == *path) {
        return Ok(file.text.clone().unwrap_or_default());
    }
    let bytes = seen.bytes(probe, path).await?;
    String::from_utf8(bytes).map_err(|_| unclear(probe, path, "is no UTF-8 text"))
}

impl Start {
    /// The same member on the same data, with options that the target knows.
    async fn judge(
        &self,
        probe: &Probe,
        facts: &Facts,
        (rules, target): (&Rules, &Version),
        all: &[Wanted],
    ) -> Result<(), Failure> {
        let (host, unit) = (probe.name(), &facts.unit);
        let mut environment: BTreeMap<String, String> = self.environment.iter().cloned().collect();
        for (path, optional) in &self.environment_files {
            let new = all.iter().any(|file| file.dest == *path && file.text.is_some());
            if *optional && !new && !matches!(facts.seen.content(probe, path).await?, Content::Bytes(_)) {
                continue;
            }
            let text = text((probe, &facts.seen), path, all).await?;
            environment.extend(environment_of(&text).certain().map_err(|why| unclear(probe, path, &why))?);
        }
        let argv = with_variables(&self.command, &environment);
        let argv = argv.certain().map_err(|why| refused(host, format!("ExecStart of {unit}: {why}")))?;
        let flags = Flags::from_process(&argv, &environment);
        let flags = config_file::with_file((probe, &facts.seen), &facts.cwd, flags, all).await?;
        same_options(unit, &facts.flags, &flags, &IDENTITY).map_err(|what| refused(host, what))?;
        stays_there(facts, &flags).map_err(|what| refused(host, what))?;
        let faults = flags.faults(rules, target).into_iter().chain(flags.lacks_arch(&facts.machine, target));
        let faults: Vec<String> = faults.map(|fault| fault.to_string()).collect();
        if !faults.is_empty() {
            return Err(refused(host, format!("with the new files: {}", faults.join("\n"))));
        }
        match self.kind.as_str() {
            // etcd calls sd_notify from 2.2 on (etcd v2.1.1 and v2.2.5 etcdmain, read 2026-11-24).
            "notify" if (target.major, target.minor) < (2, 2) => {
                let what = format!("{unit} would be Type=notify, but etcd {target} never says that it is ready");
                Err(refused(host, what))
            }
            "simple" | "exec" | "notify" => Ok(()),
            kind if kind == facts.state.kind() => Ok(()),
            kind => Err(refused(host, format!("{unit} would be Type={kind}; expected simple, exec or notify"))),
        }
    }
}
