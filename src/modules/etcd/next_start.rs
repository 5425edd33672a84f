//! How the unit would start its program as things stand on the host, and whether that is the member that runs.

use std::collections::BTreeMap;

use crate::etcd::Flags;
use crate::modules::Failure;
use crate::remote::{Content, Probe, RemotePath, UnitState, environment_of, with_variables};

use super::config_file;
use super::facts::{Facts, refused};
use super::seen::Seen;

/// How the variables begin by which etcd takes its options (etcd-io/etcd pkg/flags, read 2026-11-24).
pub(super) const VARIABLES: &str = "ETCD_";

/// Whether systemd has read all of the unit's files as they are, and starts it by them alone: else a change that was never tried comes into
/// force with the next reload, which may be anybody's.
pub(super) async fn is_read(probe: &Probe, unit: &str, state: &UnitState) -> Result<(), Failure> {
    // Named first, since systemd's own word for it names no file; it may have it too, once anything made it look for units again.
    let unread: Vec<String> = probe.unread_drop_ins(state).await?.iter().map(ToString::to_string).collect();
    if !unread.is_empty() {
        let files = unread.join(", ");
        let what = format!(
            "{unit} has a drop-in that systemd has not read: {files}\nlook at it and run `systemctl daemon-reload`"
        );
        return Err(refused(probe.name(), what));
    }
    if state.needs_daemon_reload() {
        let what =
            format!("{unit} was changed since systemd read it; look at the change and run `systemctl daemon-reload`");
        return Err(refused(probe.name(), what));
    }
    of_its_files_alone(probe, unit).await
}

/// Whether systemd has no variables of etcd by itself: it gives those that it was told to each program that it starts (systemctl(1),
/// `set-environment`), so they decide on the next start, and are gone after a reboot.
async fn of_its_files_alone(probe: &Probe, unit: &str) -> Result<(), Failure> {
    let ran = probe.run(&["systemctl", "show-environment"]).await?;
    let text = String::from_utf8_lossy(&ran.stdout);
    if !ran.success() {
        return Err(refused(probe.name(), format!("systemctl show-environment: {}", ran.words())));
    }
    let named = |line: &str| line.split_once('=').map(|(name, _)| name.to_owned());
    let names: Vec<String> = text.lines().filter(|line| line.starts_with(VARIABLES)).filter_map(named).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names = names.join(" ");
    let what = format!(
        "systemd itself was told variables with which {unit} would start, and not by a file: {names}\n\
         put them into the unit's files if they are meant, and in any case run `systemctl unset-environment {names}`"
    );
    Err(refused(probe.name(), what))
}

/// Reads all files of the unit that systemd knows of, in one question.
pub(super) async fn see(probe: &Probe, facts: &Facts) -> Result<(), Failure> {
    let variables = facts.state.environment_files().into_iter().map(|(path, _)| path);
    let paths: Vec<RemotePath> = facts.state.fragment_path().into_iter().chain(facts.state.drop_ins()).collect();
    let paths: Vec<RemotePath> = paths.into_iter().chain(variables.filter(|path| !is_pattern(path))).collect();
    Ok(facts.seen.read(probe, &paths).await?)
}

/// `EnvironmentFile=` takes patterns (systemd.exec(5)), and looks only at the start what they match then.
fn is_pattern(path: &RemotePath) -> bool {
    path.as_str().contains(['*', '?', '['])
}

/// Each file of variables that the unit reads now, with its text, in their order; without those that are not there and need not be.
pub(super) async fn variables(
    (probe, seen): (&Probe, &Seen),
    unit: &str,
    files: &[(RemotePath, bool)],
) -> Result<Vec<(RemotePath, String)>, Failure> {
    let mut texts = Vec::new();
    for (path, optional) in files {
        if is_pattern(path) {
            let what = format!(
                "{unit} reads variables from {path}, a pattern, and what that will match at its start is not known; name the files themselves"
            );
            return Err(refused(probe.name(), what));
        }
        if *optional && !matches!(seen.content(probe, path).await?, Content::Bytes(_)) {
            continue;
        }
        let bytes = seen.bytes(probe, path).await;
        let bytes = bytes.map_err(|error| refused(probe.name(), format!("{unit} needs {path}: {error}")))?;
        texts.push((path.clone(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(texts)
}

/// The command line and environment with which a unit would start its program now, variables put in.
pub(super) async fn next_command(
    on: (&Probe, &Seen),
    unit: &str,
    state: &UnitState,
) -> Result<(Vec<String>, BTreeMap<String, String>), Failure> {
    let mut environment: BTreeMap<String, String> = state.environment().into_iter().collect();
    for (_, text) in variables(on, unit, &state.environment_files()).await? {
        environment.extend(environment_of(&text).value);
    }
    let starts = state.exec_start();
    let words = starts.first().map(|start| start.argv.as_slice()).unwrap_or_default();
    // What is not sure is taken as it stands: the process that runs was started so.
    Ok((with_variables(words, &environment).value, environment))
}

/// What the unit would start now must be what runs: same name, same data. Else the next start makes an empty member.
pub(super) async fn next_start(probe: &Probe, facts: &Facts) -> Result<(), Failure> {
    let on = (probe, &facts.seen);
    let (argv, environment) = next_command(on, &facts.unit, &facts.state).await?;
    let next = Flags::from_process(&argv, &environment);
    let next = config_file::with_file(on, &facts.cwd, next, &[]).await?;
    same_options(probe.name(), facts, &next, &["name", "data-dir", "wal-dir"])
}

/// The options that say which member it is must be those of the running process.
pub(super) fn same_options(host: &str, facts: &Facts, next: &Flags, options: &[&str]) -> Result<(), Failure> {
    for &option in options {
        let (now, then) = (facts.flags.get(option), next.get(option));
        if now.unwrap_or_default().trim_end_matches('/') != then.unwrap_or_default().trim_end_matches('/') {
            let show = |value: Option<&str>| value.map_or_else(|| "not set".to_owned(), |v| format!("`{v}`"));
            let what = format!(
                "{} would start with another {option} than the process has\nexpected {}\nfound    {}",
                facts.unit,
                show(now),
                show(then)
            );
            return Err(refused(host, what));
        }
    }
    Ok(())
}
