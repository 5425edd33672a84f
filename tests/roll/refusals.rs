//! What is refused before anything is changed: exit code 3, the reason in words, and every host as it was.
//!
//! What no lab can show is tested on recorded answers in `src/etcd/`: two members that are sound by their own word and name
//! different leaders, and 2.0.2, of which there is no binary; 2.0.0 stands for it here.

use std::fs;
use std::path::{Path, PathBuf};

use quorate_lab::{Disk, Ends, Fault, HEALTHY, Lab, Loss, binaries, wait_until};
use sha2::{Digest as _, Sha256};

use crate::quorate::{Ran, Roll};
use crate::standing::{Standing, said};
use crate::unrolled::{changes_nothing, lab};
use crate::{own_turn, turn};

/// A change on a host that a test takes back, also when it fails.
struct Undone<'a>(Box<dyn Fn() + 'a>);

impl Drop for Undone<'_> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Puts a fault on a host for as long as the answer lives.
fn with_fault<'a>(lab: &'a Lab, fault: Fault, host: &'a str) -> Undone<'a> {
    lab.fault(&fault, host).unwrap();
    Undone(Box::new(move || lab.mend(&fault, host).unwrap()))
}

/// Runs a script on a host, and another one to take it back.
fn with_script<'a>(lab: &'a Lab, host: &'a str, script: &str, back: &'a str) -> Undone<'a> {
    let undone = Undone(Box::new(move || drop(said(lab, host, back))));
    said(lab, host, script);
    undone
}

/// Stops the test unless the run was refused with all of these words.
#[track_caller]
fn refused(ran: &Ran, words: &[&str]) {
    ran.ended(3).says(words).says(&["refused before any change"]);
}

/// The usual roll, which must be refused.
#[track_caller]
fn roll_is_refused(lab: &Lab, words: &[&str]) {
    refused(&changes_nothing(lab, |state| Roll::to_2_1_1(lab, state)), words);
}

/// A roll to 2.1.1 with this program, whose sum is right, which must be refused.
#[track_caller]
fn program_is_refused(lab: &Lab, program: &Path, words: &[&str]) {
    let sum = sum(&fs::read(program).unwrap());
    refused(&changes_nothing(lab, |state| with_program(lab, state, program, &sum)), words);
}

fn with_program(lab: &Lab, state: &Path, program: &Path, sum: &str) -> Roll {
    let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state).var("etcd_version", "2.1.1");
    roll.var("etcd_binary", program).var("etcd_binary_sha256", sum)
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn program(version: &str) -> PathBuf {
    binaries::folder(version).unwrap().join("etcd")
}

#[test]
fn refuses_while_a_member_is_down() {
    let _turn = turn();
    let lab = lab();
    let _fault = with_fault(lab, Fault::StopEtcd, "etcd2");
    roll_is_refused(lab, &["etcd2: etcd.service has no running process: it is inactive (dead)"]);
}

#[test]
fn refuses_while_a_cut_off_leader_still_takes_itself_for_one() {
    let _turn = turn();
    let lab = lab();
    let leader = |lab: &Lab| {
        let leaders = lab.status().into_iter().filter(|member| member.role.as_deref() == Some("leader"));
        leaders.map(|member| member.host).collect::<Vec<_>>()
    };
    let old = leader(lab).remove(0);
    let _fault = with_fault(lab, Fault::Link(Loss::Both, Ends::Peers), &old);
    wait_until("a second leader", quorate_lab::HEALTHY, || {
        let leaders = leader(lab);
        if leaders.len() == 2 { Ok(()) } else { Err(format!("{leaders:?}")) }
    })
    .unwrap();
    roll_is_refused(lab, &[&old]);
}

#[test]
fn refuses_files_of_variables_that_only_the_next_start_would_look_for() {
    let _turn = turn();
    let lab = lab();
    let folder = "/etc/systemd/system/etcd.service.d";
    let write = format!("mkdir {folder} && printf '[Service]\\nEnvironmentFile=-/etc/etcd/*.env\\n' >{folder}/a.conf");
    let back = format!("rm -r {folder}; systemctl daemon-reload");
    let _fault = with_script(lab, "etcd2", &format!("{write} && systemctl daemon-reload"), &back);
    roll_is_refused(lab, &["etcd2: etcd.service reads variables from /etc/etcd/*.env, a pattern"]);
}

#[test]
fn refuses_a_wrong_checksum_in_the_playbook() {
    let _turn = turn();
    let lab = lab();
    let (new, wrong) = (program("2.1.1"), sum(b"something else"));
    let ran = changes_nothing(lab, |state| with_program(lab, state, &new, &wrong));
    refused(&ran, &["wrong checksum", &format!("expected {wrong} (binary_sha256)"), &sum(&fs::read(&new).unwrap())]);
}

#[test]
fn refuses_a_wrong_checksum_in_sha256sums() {
    let _turn = turn();
    let lab = lab();
    let releases = tempfile::tempdir().unwrap();
    let mut found = String::new();
    for entry in fs::read_dir(lab.releases()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        if name.contains("2.1.1") {
            // One bit of the archive's last byte: what a bad disk or a bad mirror gives.
            *bytes.last_mut().unwrap() ^= 1;
            found = sum(&bytes);
        }
        fs::write(releases.path().join(name), bytes).unwrap();
    }
    let ran = changes_nothing(lab, |state| {
        let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state).var("etcd_version", "2.1.1");
        roll.var("etcd_releases", releases.path())
    });
    refused(&ran, &["wrong checksum", "(SHA256SUMS)", &format!("found    {found}")]);
}

#[test]
fn refuses_a_program_that_says_another_version() {
    let _turn = turn();
    let lab = lab();
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(program("2.0.5")).unwrap();
    // Behind the end of an ELF program nothing is read: it runs as before, with another sum.
    bytes.push(0);
    let path = folder.path().join("etcd");
    fs::write(&path, bytes).unwrap();
    // Only the host can tell, so the program was there for a moment, beside the one that runs.
    let sum = sum(&fs::read(&path).unwrap());
    let (state, standing) = (tempfile::tempdir().unwrap(), Standing::of(lab).without_folder_times());
    let ran = with_program(lab, state.path(), &path, &sum).run();
    standing.assert_same(&Standing::of(lab).without_folder_times());
    refused(&ran, &["says another version", "expected 2.1.1", "found    2.0.5"]);
}

#[test]
fn refuses_the_running_program_under_another_version() {
    let _turn = turn();
    let lab = lab();
    program_is_refused(
        lab,
        &program("2.0.5"),
        &["is the program that runs already", "expected 2.1.1", "found    2.0.5"],
    );
}

#[test]
fn refuses_a_program_for_another_machine() {
    let _turn = turn();
    let lab = lab();
    let folder = tempfile::tempdir().unwrap();
    // Class and e_machine of the ELF header (elf(5)).
    for (class, machine, name) in [(1, 3_u16, "i686"), (2, 183, "aarch64")] {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, 1, 1];
        bytes.resize(18, 0);
        bytes.extend(machine.to_le_bytes());
        bytes.resize(4096, 0);
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        program_is_refused(lab, &path, &["built for another machine", "expected x86_64", &format!("found    {name}")]);
    }
}

#[test]
fn refuses_when_there_is_no_room_to_stage() {
    let _turn = turn();
    let lab = lab();
    let _fault = with_fault(lab, Fault::FillDisk(Disk::System), "etcd3");
    roll_is_refused(lab, &["etcd3: / has 0 MiB free, staging /usr/local/bin/etcd.2.1.1 needs"]);
}

#[test]
fn refuses_when_there_is_room_to_stage_but_not_to_back_up() {
    let _turn = turn();
    let lab = lab();
    let fill = "free=$(df --output=avail -B1M / | tail -1); fallocate -l $((free - 60))M /var/tmp/ballast";
    let _fault = with_script(lab, "etcd1", fill, "rm -f /var/tmp/ballast");
    roll_is_refused(lab, &["etcd1: / has ", " MiB free, backing up "]);
}

#[test]
fn refuses_when_the_next_start_would_use_another_data_directory() {
    let _turn = turn();
    let lab = lab();
    let edit = "cp -p /etc/default/etcd /root/etcd.before && sed -i 's,^ETCD_DATA_DIR=.*,ETCD_DATA_DIR=/srv/etcd,' /etc/default/etcd";
    let _fault = with_script(lab, "etcd2", edit, "mv /root/etcd.before /etc/default/etcd");
    let words =
        ["etcd2: etcd.service would start with another data-dir", "expected `/var/lib/etcd`", "found    `/srv/etcd`"];
    roll_is_refused(lab, &words);
}

#[test]
fn refuses_a_next_start_that_leaves_the_cluster_or_is_not_found_where_its_member_is_asked() {
    let _turn = turn();
    let lab = lab();
    let back = "mv /root/etcd.before /etc/default/etcd";
    for (edit, words) in [
        (
            "echo ETCD_FORCE_NEW_CLUSTER=true >>/etc/default/etcd",
            ["etcd2: `force-new-cluster` is set", "at the next start this member would leave its cluster"],
        ),
        (
            "sed -i '/^ETCD_LISTEN_CLIENT_URLS=/s,:2379,:2390,g' /etc/default/etcd",
            ["would not listen where its member is asked", ":2390"],
        ),
    ] {
        let edit = format!("cp -p /etc/default/etcd /root/etcd.before && {edit}");
        let _fault = with_script(lab, "etcd2", &edit, back);
        roll_is_refused(lab, &words);
    }
}

#[test]
fn refuses_a_unit_that_takes_no_orders() {
    let _turn = turn();
    let lab = lab();
    let folder = "/etc/systemd/system/etcd.service.d";
    let edit = format!("mkdir -p {folder} && printf '[Unit]\\nRefuseManualStop=yes\\n' >{folder}/orders.conf");
    let back = format!("rm -r {folder}; systemctl daemon-reload");
    let _fault = with_script(lab, "etcd2", &format!("{edit} && systemctl daemon-reload"), &back);
    roll_is_refused(lab, &["etcd2: systemd refuses an order to stop etcd.service (RefuseManualStop=yes)"]);
}

#[test]
fn refuses_a_program_that_another_unit_runs_too() {
    let _turn = turn();
    let lab = lab();
    let urls = "-listen-client-urls http://127.0.0.1:4990 -advertise-client-urls http://127.0.0.1:4990 \
                -listen-peer-urls http://127.0.0.1:4991 -initial-advertise-peer-urls http://127.0.0.1:4991";
    let start = format!(
        "systemd-run --unit=second /usr/local/bin/etcd -name second -data-dir /run/second {urls} \
         -initial-cluster second=http://127.0.0.1:4991"
    );
    let _fault = with_script(lab, "etcd2", &start, "systemctl stop second; rm -rf /run/second");
    roll_is_refused(lab, &["etcd2: /usr/local/bin/etcd is the program of etcd.service", "(second.service)"]);
}

#[test]
fn refuses_where_nothing_can_be_written_beside_the_program() {
    let _turn = turn();
    let lab = lab();
    let seal = "mount --bind /usr/local/bin /usr/local/bin && mount -o remount,bind,ro /usr/local/bin";
    let _fault = with_script(lab, "etcd2", seal, "umount -l /usr/local/bin");
    roll_is_refused(lab, &["etcd2: nothing can be written to /usr/local/bin/etcd.2.1.1: it is mounted read-only"]);
}

#[test]
fn refuses_variables_that_systemd_itself_was_told() {
    let _turn = turn();
    let lab = lab();
    let tell = "systemctl set-environment ETCD_WAL_DIR=/srv/wal TZ=UTC";
    let _fault = with_script(lab, "etcd1", tell, "systemctl unset-environment ETCD_WAL_DIR TZ");
    let words = "etcd1: systemd itself was told variables with which etcd.service would start, and not by a file";
    roll_is_refused(lab, &[words, "systemctl unset-environment ETCD_WAL_DIR"]);
}

#[test]
fn refuses_a_unit_that_systemd_has_not_read_since_it_was_changed() {
    let _turn = turn();
    let lab = lab();
    let unit = "/etc/systemd/system/etcd.service";
    let edit = format!("cp -p {unit} /root/unit.before && sed -i 's/^RestartSec=.*/RestartSec=2s/' {unit}");
    let back = format!("mv /root/unit.before {unit}");
    let _fault = with_script(lab, "etcd3", &edit, &back);
    roll_is_refused(lab, &["etcd3: etcd.service was changed since systemd read it", "systemctl daemon-reload"]);
}

#[test]
fn refuses_a_drop_in_in_a_new_folder_that_systemd_has_not_read() {
    let _turn = turn();
    let lab = lab();
    let folder = "/etc/systemd/system/etcd.service.d";
    let edit = format!("mkdir {folder} && printf '[Service]\\nEnvironment=ETCD_NAME=other\\n' >{folder}/name.conf");
    let back = format!("rm -r {folder}");
    let _fault = with_script(lab, "etcd2", &edit, &back);
    // systemd itself does not see it.
    let says = said(lab, "etcd2", "systemctl show -p NeedDaemonReload etcd");
    assert_eq!(says.trim(), "NeedDaemonReload=no");
    let words = format!("etcd2: etcd.service has a drop-in that systemd has not read: {folder}/name.conf");
    roll_is_refused(lab, &[&words, "systemctl daemon-reload"]);
}

#[test]
fn refuses_a_unit_of_type_notify_before_2_2() {
    let _turn = turn();
    let lab = lab();
    let folder = "/etc/systemd/system/etcd.service.d";
    let edit =
        format!("mkdir {folder} && printf '[Service]\\nType=notify\\n' >{folder}/type.conf && systemctl daemon-reload");
    let back = format!("rm -rf {folder} && systemctl daemon-reload");
    let _fault = with_script(lab, "etcd1", &edit, &back);
    roll_is_refused(lab, &["etcd1: etcd.service is Type=notify", "it needs Type=simple"]);
}

#[test]
fn refuses_to_skip_a_minor() {
    let _turn = turn();
    let lab = lab();
    // Without a 2.1 in the folder there is no way.
    let releases = binaries::folder("2.2.5").unwrap();
    let ran = changes_nothing(lab, |state| {
        let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state);
        roll.var("etcd_version", "2.2.5").var("etcd_releases", &releases)
    });
    refused(&ran, &["from 2.0.5 to 2.2.5 there must be a release of 2.1", "one minor at a time", "there is none"]);
}

#[test]
fn refuses_a_source_that_may_panic_while_the_cluster_is_mixed() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("early-{}", std::process::id())).etcd("2.0.0").release("2.1.1");
    let lab = lab.start().unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
    roll_is_refused(&lab, &["2.0.0", "may panic while the cluster is mixed"]);
}
