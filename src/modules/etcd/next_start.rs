//! How the unit would start its program as things stand on the host, and whether that is the member that runs.

use std::collections::BTreeMap;

use semver::Version;

use crate::etcd::{FlagFault, Flags, Rules};
use crate::modules::Failure;
use crate::remote::{Content, Probe, RemotePath, UnitState, environment_of, with_variables};

use super::config_file;
use super::facts::{Facts, refused};
use super::seen::Seen;

/// Options that say who the member is and where its data lies; a configuration file may say all of them.
pub(super) const IDENTITY: [&str; 4] = ["name", "data-dir", "wal-dir", "config-file"];

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

/// The options with which the unit would start its program now.
pub(super) async fn next_flags(probe: &Probe, facts: &Facts) -> Result<Flags, Failure> {
    let on = (probe, &facts.seen);
    let (argv, environment) = next_command(on, &facts.unit, &facts.state).await?;
    config_file::with_file(on, &facts.cwd, Flags::from_process(&argv, &environment), &[]).await
}

/// What the unit would start now must be what runs: same name, same data, in the same cluster. Else the next start makes an empty member,
/// or a cluster of its own. Gives the options of that start.
pub(super) async fn next_start(probe: &Probe, facts: &Facts) -> Result<Flags, Failure> {
    let next = next_flags(probe, facts).await?;
    same_options(&facts.unit, &facts.flags, &next, &IDENTITY).map_err(|what| refused(probe.name(), what))?;
    stays_member(&facts.unit, &next).map_err(|what| refused(probe.name(), what))?;
    stays_there(facts, &next).map_err(|what| refused(probe.name(), what))?;
    Ok(next)
}

/// It must answer where it is asked now, or it would be taken for a member that did not come back.
pub(super) fn stays_there(facts: &Facts, next: &Flags) -> Result<(), String> {
    let asked = facts.client.url();
    if next.http_urls().iter().any(|url| is_found(&asked, url)) {
        return Ok(());
    }
    Err(format!(
        "{} would not listen where its member is asked: expected {}, found {}\n\
         let it listen there too until all members have been restarted, then take that out in a second round",
        facts.unit,
        asked,
        next.http_urls().join(",")
    ))
}

/// The options that say which member it is must be those of the running process.
pub(super) fn same_options(unit: &str, now: &Flags, next: &Flags, options: &[&str]) -> Result<(), String> {
    for &option in options {
        let (now, then) = (now.get(option), next.get(option));
        if now.unwrap_or_default().trim_end_matches('/') != then.unwrap_or_default().trim_end_matches('/') {
            let show = |value: Option<&str>| value.map_or_else(|| "not set".to_owned(), |v| format!("`{v}`"));
            return Err(format!(
                "{unit} would start with another {option} than the process has\nexpected {}\nfound    {}",
                show(now),
                show(then)
            ));
        }
    }
    Ok(())
}

/// Whether who is asked at the one URL is found there by listening at the other.
fn is_found(asked: &str, listens: &str) -> bool {
    let parts = |url: &str| -> Option<(String, String, String)> {
        let (scheme, rest) = url.split_once("://")?;
        let (address, port) = rest.split('/').next()?.rsplit_once(':')?;
        let address = address.trim_matches(['[', ']']);
        let address = if address == "localhost" { "127.0.0.1" } else { address };
        Some((scheme.to_owned(), address.to_owned(), port.to_owned()))
    };
    let (Some(asked), Some(listens)) = (parts(asked), parts(listens)) else { return false };
    let everywhere = matches!(listens.1.as_str(), "0.0.0.0" | "::" | "");
    (&asked.0, &asked.2) == (&listens.0, &listens.2) && (everywhere || asked.1 == listens.1)
}

/// No start may take the member out of its cluster, whatever else is said otherwise with it: the old files are the way back.
fn stays_member(unit: &str, next: &Flags) -> Result<(), String> {
    let faults: Vec<String> = next.leaves_cluster().iter().map(ToString::to_string).collect();
    if faults.is_empty() { Ok(()) } else { Err(format!("{unit} must not start so: {}", faults.join("\n"))) }
}

/// What the options say against a version: those of the process, and those of its next start, into which somebody may have put others since.
pub(super) fn faults(now: &Flags, next: &Flags, rules: &Rules, target: &Version) -> Vec<FlagFault> {
    let mut all = now.faults(rules, target);
    let of_next: Vec<FlagFault> = next.faults(rules, target).into_iter().filter(|fault| !all.contains(fault)).collect();
    all.extend(of_next);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &[&str], environment: &[(&str, &str)]) -> Flags {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Flags::from_process(&words, &environment)
    }

    #[test]
    fn what_was_put_into_the_files_after_the_start_and_would_take_the_member_out_of_its_cluster_is_seen() {
        assert_eq!(stays_member("etcd.service", &flags(&["etcd", "--name=a", "--proxy=off"], &[])), Ok(()));
        for next in [
            flags(&["etcd", "--name=a"], &[("ETCD_FORCE_NEW_CLUSTER", "true")]),
            flags(&["etcd", "--name=a", "--force-new-cluster"], &[]),
            flags(&["etcd", "--name=a", "--proxy=on"], &[]),
        ] {
            let what = stays_member("etcd.service", &next).unwrap_err();
            assert!(what.starts_with("etcd.service must not start so"), "{what}");
        }
    }

    #[test]
    fn a_start_that_listens_elsewhere_is_not_found_where_its_member_is_asked() {
        for (asked, listens) in [
            ("http://10.0.0.1:2379", "http://10.0.0.1:2379"),
            ("http://127.0.0.1:2379", "http://0.0.0.0:2379"),
            ("http://127.0.0.1:2379", "http://localhost:2379"),
            ("https://[fd00::1]:2379", "https://[::]:2379"),
            ("http://localhost:4001", "http://localhost:4001/"),
        ] {
            assert!(is_found(asked, listens), "{asked} {listens}");
        }
        for (asked, listens) in [
            ("http://127.0.0.1:2379", "http://10.0.0.1:2379"),
            ("http://10.0.0.1:2379", "https://10.0.0.1:2379"),
            ("http://10.0.0.1:2379", "http://10.0.0.1:4001"),
            ("http://10.0.0.1:2379", "unix://10.0.0.1:2379"),
            ("http://10.0.0.1:2379", "10.0.0.1"),
        ] {
            assert!(!is_found(asked, listens), "{asked} {listens}");
        }
    }

    #[test]
    fn another_configuration_file_is_another_start() {
        let now = flags(&["etcd", "--config-file=/etc/etcd.yml"], &[]);
        assert_eq!(same_options("etcd.service", &now, &now, &IDENTITY), Ok(()));
        for next in [flags(&["etcd", "--config-file=/etc/other.yml"], &[]), flags(&["etcd"], &[])] {
            let what = same_options("etcd.service", &now, &next, &IDENTITY).unwrap_err();
            assert!(what.contains("another config-file"), "{what}");
        }
    }

    #[test]
    fn an_option_that_only_the_next_start_has_is_judged_and_one_of_both_is_told_once() {
        let now = flags(&["etcd", "--debug"], &[]);
        let next = flags(&["etcd", "--debug", "--log-package-levels=x"], &[]);
        let names = |target: &str| {
            let all = faults(&now, &next, Rules::built_in(), &target.parse().unwrap());
            all.iter().map(|fault| fault.subject().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("3.5.35"), ["debug", "log-package-levels"]);
        assert!(names("3.4.13").is_empty());
    }
}
