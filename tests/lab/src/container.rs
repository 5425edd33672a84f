//! A host as a running machine: systemd-nspawn with systemd as its first process.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::act::{ActError, at, run, wait_until, write_program};
use crate::disk;
use crate::process;
use crate::site::{Host, Site};

/// Three hosts boot in under 2 s together on two idle cores; a machine that compiles on both takes
/// several times that.
pub(crate) const BOOT: Duration = Duration::from_secs(60);

/// systemd's own signals to its first process, `systemd(1)`: power off, and reboot.
pub(crate) const POWER_OFF: &str = "RTMIN+4";
pub(crate) const REBOOT: &str = "RTMIN+5";

/// Keeps a host running across its own reboots: nspawn ends with 133 when the machine inside asked
/// for one. First it moves into control groups of its own, because the systemd inside takes the
/// group it finds itself in for the whole machine, and two of them in one group see each other's
/// services.
const KEEPER: &str = r#"#!/bin/sh
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    # cpuset takes no process before its processors are set; nobody needs it here.
    case $hierarchy in */cpuset) continue ;; esac
    [ -w "$hierarchy/cgroup.procs" ] || continue
    mkdir -p "$hierarchy/$QUORATE_LAB_CGROUP"
    echo $$ >"$hierarchy/$QUORATE_LAB_CGROUP/cgroup.procs"
done
while :; do
    systemd-nspawn "$@"
    [ $? -eq 133 ] || exit
done
"#;

/// Starts a host; it boots while this returns.
pub(crate) fn start(site: &Site, host: &Host) -> Result<(), ActError> {
    let dir = site.host_dir(&host.name);
    let keeper = dir.join("keeper");
    write_program(&keeper, KEEPER)?;
    let console = dir.join("console.log");
    let log = fs::File::options().create(true).append(true).open(&console).map_err(at("open", &console))?;
    let err = log.try_clone().map_err(at("open", &console))?;
    let mut command = Command::new("setsid");
    command
        .arg("--fork")
        .arg(&keeper)
        .args(nspawn_arguments(site, host))
        .env_clear()
        .env("PATH", PATH)
        .env("QUORATE_LAB_CGROUP", site.cgroup(&host.name))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(err);
    let status = command.status().map_err(|source| ActError::Start { argv: "setsid".to_owned(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(ActError::Program {
        argv: format!("setsid {}", keeper.display()),
        status: status.to_string(),
        said: String::new(),
    })
}

/// What a host's root has as PATH.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn nspawn_arguments(site: &Site, host: &Host) -> Vec<String> {
    let mut arguments = vec![
        "--quiet".to_owned(),
        "--register=no".to_owned(),
        "--keep-unit".to_owned(),
        format!("--machine={}-{}", site.spec().name, host.name),
        format!("--directory={}", site.root_of(&host.name).display()),
        format!("--network-namespace-path={}", site.netns_path(&host.name).display()),
        "--resolv-conf=off".to_owned(),
        "--timezone=off".to_owned(),
        "--link-journal=no".to_owned(),
        "--console=read-only".to_owned(),
    ];
    if host.member {
        let data = disk::data_folder(site, &host.name);
        arguments.push(format!("--bind={}:/var/lib/etcd", data.display()));
    }
    arguments.push("--boot".to_owned());
    arguments
}

/// Waits until a host's systemd has finished booting and sshd runs.
///
/// # Errors
/// It has not by the deadline; the error carries what systemd says and the end of the console.
pub(crate) fn wait_booted(site: &Site, host: &str) -> Result<(), ActError> {
    wait_until(&format!("{host} to boot"), BOOT, || {
        let pid = process::first(site, host).ok_or_else(|| console_end(site, host))?;
        // Its socket is there once systemd takes questions; asking earlier only costs time.
        if !Path::new(&format!("/proc/{pid}/root/run/systemd/private")).exists() {
            return Err("systemd does not answer yet".to_owned());
        }
        let mut argv = process::enter(pid);
        argv.extend(["systemctl", "is-active", "multi-user.target", "ssh.service"].map(str::to_owned));
        run("nsenter", &argv).map(drop).map_err(|error| error.to_string())
    })
}

fn console_end(site: &Site, host: &str) -> String {
    let text = fs::read(site.host_dir(host).join("console.log")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let skip = lines.len().saturating_sub(5);
    format!("no systemd; console: {}", lines.get(skip..).unwrap_or_default().join(" | "))
}

/// Sends a signal to a host's systemd.
pub(crate) fn signal(site: &Site, host: &str, signal: &str) -> Result<(), ActError> {
    let pid = process::first(site, host).ok_or_else(|| down(host))?;
    run("kill", &["-s", signal, &pid.to_string()]).map(drop)
}

/// Waits until no process of a host is left.
pub(crate) fn wait_gone(site: &Site, host: &str) -> Result<(), ActError> {
    wait_until(&format!("{host} to go down"), BOOT, || match process::of_host(site, host).as_slice() {
        [] => Ok(()),
        left => Err(format!("{} processes", left.len())),
    })
}

/// Kills every process of a host, with what keeps it running. On a host that stands still they die
/// without another instruction of their own.
pub(crate) fn kill(site: &Site, host: &str) -> Result<(), ActError> {
    wait_until(&format!("{host} to die"), BOOT, || {
        let left = process::of_host(site, host);
        if left.is_empty() {
            return Ok(());
        }
        let count = left.len();
        for pid in left {
            // One that is gone already is what we want.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        // Under control groups of version 1 the signal waits until they may move again.
        freeze(site, host, false).map_err(|error| error.to_string())?;
        Err(format!("{count} processes"))
    })
}

/// How long a group may be on its way to standing still before it is let go for an instant and told again: most stand at the first look.
const FREEZE_AGAIN: Duration = Duration::from_millis(100);

/// Stops every process of a host between two instructions, or lets them go on.
///
/// A group of version 1 stayed `FREEZING` for a minute once (6.18, 2026-11-28; why is not known, and 150 tries did not show it again). runc knows
/// such groups, and lets them go and tells them again; so does this.
///
/// # Errors
/// The control group cannot be written, or does not stand still in time; the processes that do not are named.
pub(crate) fn freeze(site: &Site, host: &str, on: bool) -> Result<(), ActError> {
    // Control groups of version 1 have a freezer hierarchy, version 2 a file in each group.
    let group = site.cgroup(host);
    let old = Path::new("/sys/fs/cgroup/freezer").join(&group);
    let new = Path::new("/sys/fs/cgroup").join(&group);
    let (write, word, release, read, line) = match (old.exists(), on) {
        (true, true) => (old.join("freezer.state"), "FROZEN", "THAWED", old.join("freezer.state"), "FROZEN"),
        (true, false) => (old.join("freezer.state"), "THAWED", "THAWED", old.join("freezer.state"), "THAWED"),
        (false, true) => (new.join("cgroup.freeze"), "1", "0", new.join("cgroup.events"), "frozen 1"),
        (false, false) => (new.join("cgroup.freeze"), "0", "0", new.join("cgroup.events"), "frozen 0"),
    };
    let tell = |word: &str| fs::write(&write, word).map_err(at("write", &write));
    tell(word)?;
    let mut told = Instant::now();
    let stood = wait_until(&format!("{host} to be {line}"), BOOT, || {
        let text = fs::read_to_string(&read).map_err(|error| error.to_string())?;
        if text.lines().any(|found| found == line) {
            return Ok(());
        }
        if told.elapsed() >= FREEZE_AGAIN {
            tell(release).and_then(|()| tell(word)).map_err(|error| error.to_string())?;
            told = Instant::now();
        }
        Err(text)
    });
    stood.map_err(|error| match error {
        ActError::Late { what, waited, saw } => {
            let saw = format!("{}; {}", saw.trim_end(), process::states(site, host));
            ActError::Late { what, waited, saw }
        }
        other => other,
    })
}

/// The error for a host that is not running.
pub(crate) fn down(host: &str) -> ActError {
    ActError::Mismatch { what: format!("state of {host}"), expected: "running".to_owned(), found: "down".to_owned() }
}
