//! Whether what is swapped is this unit's alone: a program that another process runs too, or a template's file that other instances go by, would
//! be another one for those with their next start, and nobody has judged that.

use crate::events::Fault;
use crate::modules::Failure;
use crate::remote::{Probe, RemotePath};

use super::facts::{Facts, refused};
use super::proof;

/// `$1` a program, `$2` a control group, `$3` a process. Prints the processes that run this very file, or one that stood in its place before, and
/// that are neither that process nor in that group: for each its number and the last part of its own group, which systemd names after the unit.
const RUNNING: &str = r#"
program=$(readlink -e -- "$1") || { echo "$1 leads nowhere" >&2; exit 1; }
for process in /proc/[0-9]*; do
    exe=$(readlink "$process/exe") || continue
    [ "$process/exe" -ef "$program" ] || [ "$exe" = "$program (deleted)" ] || continue
    own= unit=
    [ "${process#/proc/}" != "$3" ] || own=yes
    while read -r line; do
        group=${line#*:*:}
        case $line in 0::* | *:name=systemd:*) ;; *) continue ;; esac
        [ "$group" = / ] || unit=${group##*/}
        [ -z "$2" ] || case $group/ in "$2"/*) own=yes ;; esac
    done <"$process/cgroup"
    [ -n "$own" ] || printf '%s %s\n' "${process#/proc/}" "$unit"
done 2>/dev/null
exit 0
"#;

/// `$1` a pattern of units' names; prints the units that systemd has loaded.
const LOADED: &str = r#"exec systemctl --no-pager --no-legend --plain --all list-units -- "$1""#;

/// No process but the unit's own runs the program that is to be swapped.
///
/// # Errors
/// A refusal that names them; or the host does not say.
pub(super) async fn program_is_its_own(probe: &Probe, facts: &Facts) -> Result<(), Failure> {
    let (program, unit, pid) = (&facts.program, &facts.unit, facts.state.main_pid().unwrap_or_default());
    let others = running(probe, program, facts.state.get("ControlGroup"), pid).await?;
    if others.is_empty() {
        return Ok(());
    }
    let others = others.join(", ");
    let what = format!(
        "{program} is the program of {unit} (process {pid}) and of {others}: with its next start that would be swapped too\n\
         give each a program file of its own, or stop what is not needed; nothing was changed"
    );
    Err(refused(probe.name(), what))
}

async fn running(probe: &Probe, program: &RemotePath, group: &str, pid: u32) -> Result<Vec<String>, Failure> {
    const ACT: &str = "look who runs the program";
    let ran = probe.script(ACT, RUNNING, &[program.as_str(), group, &pid.to_string()], None).await?;
    if !ran.success() {
        return Err(Failure::new(Fault::Failed, format!("{}: {ACT}: {}", probe.name(), ran.words())));
    }
    Ok(told(&String::from_utf8_lossy(&ran.stdout)))
}

/// Each process for people, but for etcds that prove a backup: a run that was killed leaves one to its time limit, and it starts no second time.
fn told(printed: &str) -> Vec<String> {
    let named = |line: &str| match line.split_once(' ') {
        Some((_, unit)) if proof::is_proof(unit) => None,
        Some((pid, unit)) if !unit.is_empty() => Some(format!("process {pid} ({unit})")),
        _ => Some(format!("process {}", line.trim())),
    };
    printed.lines().filter_map(named).collect()
}

/// No other instance of a template goes by the unit's file.
///
/// # Errors
/// A refusal that names them; or the host does not say.
pub(super) async fn file_is_its_own(probe: &Probe, facts: &Facts, fragment: &RemotePath) -> Result<(), Failure> {
    let Some((stem, kind)) = fragment.name().split_once("@.") else { return Ok(()) };
    let ran = probe.script("look for instances", LOADED, &[&format!("{stem}@*.{kind}")], None).await?;
    if !ran.success() {
        return Err(refused(probe.name(), format!("which instances {fragment} has is not known: {}", ran.words())));
    }
    let id = Some(facts.state.get("Id")).filter(|id| !id.is_empty()).unwrap_or(&facts.unit);
    let mut others = loaded(&String::from_utf8_lossy(&ran.stdout));
    others.retain(|unit| unit != id);
    if others.is_empty() {
        return Ok(());
    }
    let (unit, others) = (&facts.unit, others.join(", "));
    let what = format!(
        "{fragment} is the file of {unit} and of {others}, which would start with it too; give {unit} a drop-in of its own"
    );
    Err(refused(probe.name(), what))
}

/// The units of a list that are loaded.
fn loaded(list: &str) -> Vec<String> {
    let unit = |line: &str| {
        // A mark before the name says that it has failed.
        let mut words = line.split_whitespace().skip_while(|word| !word.contains('.'));
        let (name, load) = (words.next()?, words.next()?);
        (load == "loaded").then(|| name.to_owned())
    };
    list.lines().filter_map(unit).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::remote::RemoteHost;
    use crate::transport::LocalSession;

    #[test]
    fn an_etcd_that_a_run_left_to_prove_a_backup_stands_in_nobodys_way() {
        let left = format!("{}.service", proof::unit("01M8HS6WQ08EXVMQRVG7FNWYX6"));
        let printed = format!("12 {left}\n13 etcd-events.service\n14 \n");
        assert_eq!(told(&printed), ["process 13 (etcd-events.service)", "process 14"]);
    }

    #[tokio::test]
    async fn who_else_runs_the_program_is_found_by_the_file_and_not_by_its_name() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let path = |name: &str| RemotePath::from_absolute(at(name).to_str().unwrap()).unwrap();
        for name in ["etcd-2.0.5", "other"] {
            std::fs::copy("/bin/sleep", at(name)).unwrap();
        }
        std::os::unix::fs::symlink("etcd-2.0.5", at("etcd")).unwrap();
        let start = |name: &str| loop {
            // A thread that starts another program holds the copy open for an instant (execve(2), ETXTBSY).
            if let Ok(child) = std::process::Command::new(at(name)).arg("60").spawn() {
                return child;
            }
        };
        let mut children = [start("etcd"), start("etcd-2.0.5"), start("other")];
        let probe = Probe::new(RemoteHost::new(Arc::new(LocalSession::new("h1"))));
        let pids = children.each_ref().map(std::process::Child::id);
        let group = std::fs::read_to_string(format!("/proc/{}/cgroup", pids[0])).unwrap();
        let found = running(&probe, &path("etcd"), "/nowhere", pids[0]).await;
        // What was replaced since is the same to whoever starts it anew.
        std::fs::copy("/bin/sleep", at("new")).unwrap();
        std::fs::rename(at("new"), at("etcd-2.0.5")).unwrap();
        let replaced = running(&probe, &path("etcd"), "/nowhere", pids[0]).await;
        let groups = group.lines().filter(|line| line.starts_with("0::") || line.contains(":name=systemd:"));
        let groups: Vec<&str> = groups.filter_map(|line| line.splitn(3, ':').nth(2)).collect();
        let mut of_group = Vec::new();
        for group in groups.iter().filter(|group| **group != "/") {
            of_group.extend(running(&probe, &path("etcd"), group, 0).await.unwrap());
        }
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        for found in [found.unwrap(), replaced.unwrap()] {
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&format!("process {}", pids[1])), "{found:?}");
        }
        assert_eq!(of_group, Vec::<String>::new());
        assert!(running(&probe, &path("none"), "", 0).await.is_err());
    }

    #[test]
    fn instances_count_where_they_are_loaded() {
        let list = "etcd@a.service loaded active running etcd a\n\u{25cf} etcd@b.service loaded failed failed etcd b\n\
                    etcd@c.service not-found inactive dead etcd@c.service\n\n";
        assert_eq!(loaded(list), ["etcd@a.service", "etcd@b.service"]);
    }
}
