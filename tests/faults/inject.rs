//! When a step is reached, and how a fault is put there.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use quorate_lab::{BASTION, Disk, Ends, Fault, Lab, Loss, PROGRAM_DIR, UNIT};
use serde_json::Value;

use super::control::{Control, Ran, Running};
use super::memory::Memory;
use super::small_disk::SmallDisk;
use super::stand::{OTHER, Stand};
use super::table::{Cell, Inject, Step};
use super::window::{self, Window};

/// Where a roll is when the fault comes.
pub(crate) struct Spot {
    /// The host in hand.
    pub(crate) host: String,
    /// What goes on there by itself.
    pub(crate) window: Option<Window>,
}

/// What a fault leaves to be taken away.
#[derive(Default)]
pub(crate) struct Put {
    mend: Vec<(Fault, String)>,
    /// The host whose data were hidden.
    hidden: Option<String>,
    /// A file that takes room.
    filler: Option<PathBuf>,
    /// What takes a change of a host back: the host, and a script.
    undo: Option<(String, String)>,
    /// The members that the fault itself takes down.
    pub(crate) by_fault: Vec<String>,
}

impl Put {
    fn faults(faults: Vec<(Fault, String)>) -> Self {
        Self { mend: faults, ..Self::default() }
    }

    /// Takes them away again, in reverse.
    pub(crate) fn mend(&mut self, lab: &Lab) {
        for (fault, host) in self.mend.drain(..).rev() {
            lab.mend(&fault, &host).unwrap();
        }
        if let Some(host) = self.hidden.take() {
            let (data, kept) = data_of(lab, &host);
            fs::rename(kept, data).unwrap();
            lab.mend(&Fault::StopEtcd, &host).unwrap();
        }
        if let Some(filler) = self.filler.take() {
            fs::remove_file(filler).unwrap();
        }
        if let Some((host, script)) = self.undo.take() {
            on(lab, &host, &script);
        }
    }
}

/// Runs a script on a host, past its network and its sshd.
fn on(lab: &Lab, host: &str, script: &str) {
    let output = lab.exec(host, &["sh", "-ec", script]).unwrap();
    assert!(output.status.success(), "{host}: {script}: {output:?}");
}

/// What some faults need before the run begins.
#[derive(Default)]
pub(crate) struct Prepared {
    disk: Option<SmallDisk>,
}

/// Puts it there.
pub(crate) fn prepare(cell: &Cell, stand: &Stand) -> Prepared {
    match cell.inject {
        Inject::ControlDiskFull => Prepared { disk: Some(SmallDisk::of(&stand.control)) },
        Inject::StopIgnored => {
            // etcd ends at SIGTERM; at SIGCONT it does nothing.
            for host in stand.control.lab.members() {
                on(&stand.control.lab, &host.name, &drop_in("KillSignal=SIGCONT"));
            }
            Prepared::default()
        }
        Inject::StartLimit => {
            for host in stand.control.lab.members() {
                let lines = "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=1";
                on(&stand.control.lab, &host.name, &drop_in(lines));
            }
            Prepared::default()
        }
        _ => Prepared::default(),
    }
}

/// A script that writes a drop-in of the unit; it lies where the suite's own does, which is taken away before the end.
fn drop_in(lines: &str) -> String {
    let folder = format!("/etc/systemd/system/{UNIT}.d");
    format!("mkdir -p {folder}; printf '[Service]\n%s\n' \"{lines}\" >{folder}/fault.conf; systemctl daemon-reload")
}

/// A script that puts a program before another one of that name, and one that takes it away.
fn instead_of(name: &str, script: &str) -> (String, String) {
    let path = format!("/usr/local/sbin/{name}");
    (format!("printf '%s\\n' '#!/bin/sh' '{script}' >{path}; chmod 755 {path}"), format!("rm {path}"))
}

/// Raises an alarm by the gateway, which etcdctl cannot.
fn raise(alarm: &str) -> (String, String) {
    let script = r#"id=$(ETCDCTL_API=3 etcdctl endpoint status -w json | sed 's/.*"member_id":\([0-9]*\).*/\1/')
        exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/2379
            printf "POST /v3/maintenance/alarm HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %s\r\n\r\n%s" ${#0} "$0" >&3
            grep -q ALARM <&3' '{"action":"ACTIVATE","memberID":"'$id'","alarm":"ALARM"}'"#;
    (script.replace("ALARM", alarm), "ETCDCTL_API=3 etcdctl alarm disarm".to_owned())
}

/// What is done on a host by a script, and what takes it back.
fn scripts(cell: &Cell) -> Option<(String, String)> {
    let again = format!("systemctl daemon-reload; systemctl start {UNIT}");
    let both = match cell.inject {
        // sudo passes over files with a dot in their names (sudoers(5)).
        Inject::SudoRefuses => {
            let (rule, away) = ("/etc/sudoers.d/ops", "/etc/sudoers.d/ops.away");
            (format!("mv {rule} {away}"), format!("mv {away} {rule}"))
        }
        Inject::StagedSpoiled => {
            let staged = format!("{PROGRAM_DIR}/etcd.{}", cell.pair.new);
            (format!("printf x | dd of={staged} bs=1 seek=4096 conv=notrunc status=none"), "true".to_owned())
        }
        Inject::NoInodes => {
            let (folder, left) = ("/var/lib/inodes", "$(df --output=iavail / | tail -n 1)");
            let take = format!("mkdir {folder}; cd {folder}; seq {left} | xargs touch || true");
            (format!("{take}; [ {left} -lt 16 ]"), format!("rm -r {folder}"))
        }
        Inject::LittleMemory => {
            let (memory, little) = ("/proc/meminfo", "/run/meminfo");
            let write = format!("sed 's/^MemAvailable:.*/MemAvailable: 10 kB/' {memory} >{little}");
            (format!("{write}; mount --bind {little} {memory}"), format!("umount {memory}; rm {little}"))
        }
        Inject::NoExec => {
            let (mount, options) = (format!("mount --bind {PROGRAM_DIR} {PROGRAM_DIR}"), "remount,bind,noexec");
            (
                format!("{mount}; mount -o {options} {PROGRAM_DIR}"),
                format!("umount -l {PROGRAM_DIR}; systemctl reset-failed {UNIT}; {again}"),
            )
        }
        // As `systemctl mask` leaves it, which does not do it over a file of the administrator's; a mask in /run does not count beside one.
        Inject::Masked => {
            let (unit, away) = (format!("/etc/systemd/system/{UNIT}"), "/etc/systemd/etcd.away");
            (
                format!("mv {unit} {away}; ln -s /dev/null {unit}; systemctl daemon-reload"),
                format!("mv -T {away} {unit}; {again}"),
            )
        }
        Inject::OtherData => {
            let variables = "/etc/default/etcd";
            let other = "s,^ETCD_DATA_DIR=.*,ETCD_DATA_DIR=/var/lib/etcd/other,";
            let change = format!("cp -p {variables} {variables}.away; sed -i '{other}' {variables}");
            (
                format!("{change}; ! cmp -s {variables} {variables}.away"),
                format!("mv {variables}.away {variables}; {again}"),
            )
        }
        Inject::OtherDropIn => {
            let file = format!("/etc/systemd/system/{UNIT}.d/other.conf");
            let start = format!("ExecStart={PROGRAM_DIR}/etcd --data-dir /var/lib/etcd/other");
            let write = format!("mkdir -p $(dirname {file}); printf '[Service]\nExecStart=\n%s\n' '{start}' >{file}");
            let away = format!("rm {file}; rmdir --ignore-fail-on-non-empty $(dirname {file})");
            (format!("{write}; systemctl daemon-reload"), format!("{away}; {again}"))
        }
        Inject::OtherVariable => (
            "systemctl set-environment ETCD_WAL_DIR=/var/lib/etcd/other-wal".to_owned(),
            format!("systemctl unset-environment ETCD_WAL_DIR; {again}"),
        ),
        Inject::OtherProgram => {
            let etcd = format!("{PROGRAM_DIR}/etcd");
            // Once the order to start is given nothing looks at the program any more before systemd runs it; that the process runs another
            // one is seen afterwards, and whoever has put it there restarts it when it is gone.
            let (wait, end) = match cell.step {
                Step::Start => (
                    format!("until [ \"$(systemctl is-active {UNIT})\" = activating ]; do sleep 0.05; done; "),
                    format!("; systemctl restart {UNIT}"),
                ),
                _ => (String::new(), String::new()),
            };
            // A byte behind its end, which nobody reads: it runs, and is another one.
            let change = format!("cp -p {etcd} {etcd}.away; cp -p {etcd} {etcd}.other; printf x >>{etcd}.other");
            let back = format!("if cmp -s {etcd} {etcd}.other; then mv {etcd}.away {etcd}; else rm {etcd}.away; fi");
            (
                format!("{wait}{change}; cp -p {etcd}.other {etcd}.x; mv {etcd}.x {etcd}"),
                format!("{back}; rm {etcd}.other{end}"),
            )
        }
        Inject::RebootScheduled => ("shutdown -r +60".to_owned(), "shutdown -c".to_owned()),
        Inject::ClockAhead => instead_of("date", r#"exec /usr/bin/date -d "+1 hour" "$@""#),
        Inject::Restarted => (format!("systemctl restart --no-block {UNIT}"), "true".to_owned()),
        Inject::AskedHangs => instead_of("df", "exec sleep 3600"),
        Inject::EndlessOutput => instead_of("df", "exec yes"),
        // A title, a cleared screen, colours, a line written over, a template, what sudo asks, and bytes that are no text.
        Inject::HostileWords => instead_of(
            "sha256sum",
            r#"printf "\\033]0;title\\007\\033[2J\\033[31m\\r{{ 7 * 7 }}[sudo] password for ops: \\377\\376\\302\\233" >&2; exec /usr/bin/sha256sum "$@""#,
        ),
        Inject::NoSpaceAlarm => raise("NOSPACE"),
        Inject::CorruptAlarm => raise("CORRUPT"),
        Inject::MemberAdded => {
            let ctl = "etcdctl -C http://127.0.0.1:2379";
            let (url, id) = ("http://10.78.0.99:2380", "sed -n 's/^\\([0-9a-f]*\\).*10[.]78[.]0[.]99.*/\\1/p'");
            // A cluster that has just been told of it may be at an election.
            let remove = format!(
                "for try in 1 2 3 4 5 6; do id=$({ctl} member list | {id}); [ -n \"$id\" ] || exit 0; \
                 {ctl} member remove $id || sleep 2; done; exit 1"
            );
            (format!("{ctl} member add stray {url}"), remove)
        }
        _ => return None,
    };
    Some(both)
}

/// Where a member's data are, and where they are when they are hidden: on the same disk, out of its sight.
fn data_of(lab: &Lab, host: &str) -> (PathBuf, PathBuf) {
    let disk = lab.site().host_dir(host).join("data");
    (disk.join("etcd/member"), disk.join("hidden"))
}

/// Waits until a run is at the step.
pub(crate) fn reach(cell: &Cell, control: &Control, run: &mut Running) -> Spot {
    let step = cell.step;
    let in_window = match step {
        Step::Stop => Some(window::Step::Stop),
        Step::Swap => Some(window::Step::Swap),
        Step::Start => Some(window::Step::Start),
        Step::Gate => Some(window::Step::Gate),
        _ => None,
    };
    if let Some(step) = in_window {
        let window = first_window_to(&cell.pair.new, control, run);
        window.wait(step, run);
        return Spot { host: window.host.clone(), window: Some(window) };
    }
    let found = run.wait_for(&format!("{step:?}"), |events| find((step, &cell.pair.new), events));
    let first = || control.lab.members().remove(0).name;
    Spot { host: found["host"].as_str().map_or_else(first, str::to_owned), window: None }
}

/// Waits for the first window in which a member is taken to that version, whatever windows there were before it: some hops begin with a
/// restart of every member.
fn first_window_to(version: &str, control: &Control, run: &mut Running) -> Window {
    let end = format!("-{}", version.replace('.', "-"));
    control.window(window::NEXT * 2, run, |_, folder| folder.to_string_lossy().ends_with(&end))
}

/// The event with which a step is reached, if it has come.
fn find((step, new): (Step, &str), events: &[Value]) -> Option<Value> {
    let is = |event: &Value, kind: &str, field: &str, begin: &str| {
        event["event"] == kind && event[field].as_str().is_some_and(|text| text.starts_with(begin))
    };
    let at = |event: &&Value| match step {
        Step::Connect => event["event"] == "run_started",
        Step::Lock => event["event"] == "locks_taken",
        Step::Preflight => is(event, "task_started", "module", "etcd_preflight"),
        Step::Upload => is(event, "act_begins", "act", "stage "),
        Step::Checksum => is(event, "task_ended", "task", "Stage the binaries"),
        Step::Backup => is(event, "act_begins", "act", "back up "),
        Step::Leader => event["event"] == "guard_asked",
        // On the new version: some hops begin with a restart of every member.
        Step::Record | Step::Finalise => is(event, "member_rolled", "to", new),
        Step::Stop | Step::Swap | Step::Start | Step::Gate => false,
    };
    // The last of three members.
    let nth = if step == Step::Finalise { 2 } else { 0 };
    events.iter().filter(at).nth(nth).cloned()
}

/// Puts the fault there, and lets the run come to its end. What lasts beyond that is in the answer.
pub(crate) fn put(
    cell: &Cell,
    stand: &Stand,
    prepared: &Prepared,
    memory: &Memory,
    spot: &Spot,
    mut run: Running,
) -> (Ran, Put) {
    let lab = &stand.control.lab;
    let host = spot.host.clone();
    let others = || lab.members().into_iter().map(|member| member.name).filter(|name| *name != spot.host);
    let link = |loss| vec![(Fault::Link(loss, Ends::Ssh), host.clone())];
    let faults = match cell.inject {
        Inject::Kill => return (run.kill(), Put::default()),
        Inject::OutOfMemory => {
            memory.exhaust(run.pid());
            return (run.end(), Put::default());
        }
        Inject::TornJournal => {
            let ran = run.kill();
            tear(&stand.control);
            return (ran, Put::default());
        }
        Inject::Terminate | Inject::HangUp => {
            run.signal(if cell.inject == Inject::HangUp { "HUP" } else { "TERM" });
            return (run.end(), Put::default());
        }
        Inject::SecondRun => {
            let second = stand.control.run(stand.upgrade(OTHER));
            second.exits(8);
            second.says(&["is locked by run"]);
            return (run.end(), Put::default());
        }
        Inject::InterruptTwice => {
            run.signal("INT");
            let asked = |events: &[Value]| {
                let said = |event: &Value| event["text"].as_str().is_some_and(|text| text.starts_with("asked to stop"));
                events.iter().any(said).then_some(())
            };
            run.wait_for("its word that it stops", asked);
            run.signal("INT");
            return (run.end(), Put::default());
        }
        Inject::LockLeft => {
            let ran = run.kill();
            let second = stand.control.run(stand.upgrade(OTHER));
            second.exits(8);
            second.says(&["is locked by run", "lock break"]);
            return (ran, Put::default());
        }
        Inject::ControlDiskFull => {
            let disk = prepared.disk.as_ref().unwrap();
            disk.fill(&run);
            let ran = run.end();
            disk.free();
            return (ran, Put::default());
        }
        Inject::Exits
        | Inject::CrashLoops
        | Inject::NeverJoins
        | Inject::AnswersForAnother
        | Inject::OtherMachine
        | Inject::Mislabelled
        | Inject::StopIgnored
        | Inject::StartLimit => {
            return (run.end(), Put::default());
        }
        Inject::SudoRefuses
        | Inject::StagedSpoiled
        | Inject::Masked
        | Inject::NoInodes
        | Inject::LittleMemory
        | Inject::NoExec
        | Inject::OtherData
        | Inject::OtherDropIn
        | Inject::OtherVariable
        | Inject::OtherProgram
        | Inject::Restarted
        | Inject::AskedHangs
        | Inject::EndlessOutput
        | Inject::HostileWords
        | Inject::NoSpaceAlarm
        | Inject::CorruptAlarm
        | Inject::MemberAdded
        | Inject::RebootScheduled
        | Inject::ClockAhead => {
            let (script, back) = scripts(cell).unwrap();
            // At a member that is not in hand: the one in hand may not answer, and its own host is not the one that is meant to reboot.
            let host = match cell.inject {
                Inject::NoSpaceAlarm | Inject::CorruptAlarm | Inject::RebootScheduled => others().next().unwrap(),
                _ => host,
            };
            on(lab, &host, &script);
            let mut put = Put { undo: Some((host, back)), ..Put::default() };
            last(cell, &mut put, lab);
            return (run.end(), put);
        }
        Inject::EmptyData => {
            let (data, hidden) = data_of(lab, &host);
            fs::rename(data, hidden).unwrap();
            return (run.end(), Put { hidden: Some(host), ..Put::default() });
        }
        Inject::DataDiskLow => {
            let filler = data_of(lab, &host).1.with_file_name("filler");
            let disk = rustix::fs::statvfs(filler.parent().unwrap()).unwrap();
            let more = disk.f_bavail * disk.f_frsize - (40 << 20);
            // By this process itself, which is no stranger to the disk.
            let file = fs::File::create(&filler).unwrap();
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, more).unwrap();
            return (run.end(), Put { filler: Some(filler), ..Put::default() });
        }
        Inject::PowerCut => {
            lab.fault(&Fault::PowerCut, &host).unwrap();
            lab.mend(&Fault::PowerCut, &host).unwrap();
            return (run.end(), Put::default());
        }
        Inject::Reboot => vec![(Fault::Reboot, host.clone())],
        Inject::Reset => link(Loss::Reset),
        Inject::Blackhole => link(Loss::Both),
        Inject::Slow => link(Loss::Slow),
        Inject::HalfOpen => link(Loss::Out),
        Inject::BastionDies => vec![(Fault::PowerCut, BASTION.to_owned())],
        Inject::SshdRefuses => vec![(Fault::StopSshd, host.clone())],
        Inject::DataDiskFull => vec![(Fault::FillDisk(Disk::Data), host.clone())],
        Inject::SystemDiskFull => vec![(Fault::FillDisk(Disk::System), host.clone())],
        Inject::DataReadOnly => vec![(Fault::ReadOnly(Disk::Data), host.clone())],
        Inject::SystemReadOnly => vec![(Fault::ReadOnly(Disk::System), host.clone())],
        Inject::StandsStill => vec![(Fault::FreezeEtcd, host.clone())],
        Inject::MemberKilled => vec![(Fault::KillEtcd, host.clone())],
        Inject::HostKey => vec![(Fault::HostKey, host.clone()), (Fault::KillSshd, host.clone())],
        Inject::OtherDown => others().next_back().into_iter().map(|other| (Fault::StopEtcd, other)).collect(),
        Inject::LeaderStands => {
            let leads = |member: &quorate_lab::MemberStatus| member.role.as_deref() == Some("leader");
            let leader = lab.status().into_iter().find(leads).unwrap().host;
            vec![(Fault::FreezeEtcd, leader)]
        }
        Inject::QuorumGone => others().map(|other| (Fault::StopEtcd, other)).collect(),
    };
    let mut put = Put::faults(faults);
    if cell.inject == Inject::DataDiskFull {
        // Once there is room again somebody starts the member, as the run's end says.
        put.undo = Some((host.clone(), format!("systemctl reset-failed {UNIT}; systemctl start {UNIT}")));
    }
    for (fault, host) in &put.mend {
        lab.fault(fault, host).unwrap();
        if *fault == Fault::StopEtcd || cell.inject == Inject::LeaderStands {
            put.by_fault.push(host.clone());
        }
    }
    last(cell, &mut put, lab);
    (run.end(), put)
}

/// Takes a fault away while the run goes on, where it does not last.
fn last(cell: &Cell, put: &mut Put, lab: &Lab) {
    if let Some(seconds) = cell.lasts {
        thread::sleep(Duration::from_secs(seconds));
        put.mend(lab);
    }
}

/// Leaves half of the last record of the newest journal, as a power cut in the middle of a write does.
fn tear(control: &Control) {
    let runs = fs::read_dir(control.path("state/runs")).unwrap().flatten();
    let folder = runs.map(|run| run.path()).max().unwrap();
    let path = folder.join("journal.jsonl");
    let text = fs::read(&path).unwrap();
    let end = text.iter().rposition(|byte| *byte == b'\n').unwrap();
    let begin = text[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    File::options().write(true).open(&path).unwrap().set_len((begin + (end - begin) / 2) as u64).unwrap();
    let mut report = Command::new(env!("CARGO_BIN_EXE_quorate"));
    let told = report.args(["report", "last", "--state-dir"]).arg(control.path("state")).output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("the last line is torn and left out"), "the torn record is passed over in silence: {told}");
}
