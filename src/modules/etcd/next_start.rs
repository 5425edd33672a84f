//! How the unit would start its program as things stand on the host, and whether that is the member that runs.

use std::collections::BTreeMap;

use crate::etcd::Flags;
use crate::modules::Failure;
use crate::remote::{Probe, UnitState, environment_of, with_variables};

use super::config_file;
use super::facts::{Facts, refused};

/// Whether systemd has read all of the unit's files as they are: else a change that was never tried comes into force with the next
/// reload, which may be anybody's.
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
    if !state.needs_daemon_reload() {
        return Ok(());
    }
    let what =
        format!("{unit} was changed since systemd read it; look at the change and run `systemctl daemon-reload`");
    Err(refused(probe.name(), what))
}

/// The command line and environment with which a unit would start its program now, variables put in.
pub(super) async fn next_command(
    probe: &Probe,
    unit: &str,
    state: &UnitState,
) -> Result<(Vec<String>, BTreeMap<String, String>), Failure> {
    let mut environment: BTreeMap<String, String> = state.environment().into_iter().collect();
    for (file, optional) in state.environment_files() {
        // 64 KiB: an environment file of etcd has some thirty lines.
        match probe.read(&file, 64 * 1024).await {
            Ok(bytes) => environment.extend(environment_of(&String::from_utf8_lossy(&bytes)).value),
            Err(_) if optional => {}
            Err(error) => return Err(refused(probe.name(), format!("{unit} needs {file}: {error}"))),
        }
    }
    let starts = state.exec_start();
    let words = starts.first().map(|start| start.argv.as_slice()).unwrap_or_default();
    // What is not sure is taken as it stands: the process that runs was started so.
    Ok((with_variables(words, &environment).value, environment))
}

/// What the unit would start now must be what runs: same name, same data. Else the next start makes an empty member.
pub(super) async fn next_start(probe: &Probe, facts: &Facts) -> Result<(), Failure> {
    let (argv, environment) = next_command(probe, &facts.unit, &facts.state).await?;
    let next = Flags::from_process(&argv, &environment);
    let next = config_file::with_file(probe, &facts.cwd, next, &[]).await?;
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
