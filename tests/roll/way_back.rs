//! A new program that does not come up, at three hops that stand for all: where the old one may come back it does, and from 3.0 to 2.3,
//! where it may not, it comes back only if the new one never opened the data.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use quorate_lab::{Lab, MemberStatus, binaries};
use sha2::{Digest as _, Sha256};

use crate::by_hand::settled;
use crate::own_turn;
use crate::quorate::{Ran, Roll};
use crate::standing::said;

/// What a program does that is started to serve. It does not come up in any case.
#[derive(Clone, Copy)]
enum Made {
    /// Ends at once.
    Exits,
    /// Runs for a second, then ends.
    CrashLoops,
    /// Runs the real program until it has made its database, then ends.
    OpensTheData,
}

/// Where the real program lies on a host for one that runs it.
const REAL: &str = "/usr/local/libexec/etcd";

/// `MADE` is 0, 1 or 2, `VERSION` and `REAL` are texts.
const SOURCE: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void open_the_data(char **argv) {
    pid_t child = fork();
    if (child == 0) {
        execv(REAL, argv);
        _exit(127);
    }
    for (int tries = 0; tries < 3000 && access("/var/lib/etcd/member/snap/db", F_OK) != 0; tries++) usleep(10000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--version") == 0) {
            puts("etcd Version: " VERSION);
            return 0;
        }
    fputs("the last words of the new program\n", stderr);
    if (MADE == 1) sleep(1);
    if (MADE == 2) open_the_data(argv);
    return 1;
}
"#;

/// Builds a program that says it is that version.
fn build(folder: &Path, made: Made, version: &str) -> PathBuf {
    let (source, program) = (folder.join("etcd.c"), folder.join(format!("etcd-{}", made as u8)));
    fs::write(&source, SOURCE).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.arg("-static").arg(format!("-DMADE={}", made as u8)).arg(format!("-DVERSION=\"{version}\""));
    gcc.arg(format!("-DREAL=\"{REAL}\"")).arg("-o").arg(&program).arg(&source);
    assert!(gcc.status().unwrap().success(), "gcc");
    program
}

/// A program that says it is that version and ends at once when it is to serve.
pub(crate) fn ends_at_once(folder: &Path, version: &str) -> PathBuf {
    build(folder, Made::Exits, version)
}

/// The usual roll, but to a program of our own.
fn run(lab: &Lab, made: Made, version: &str) -> Ran {
    let state = tempfile::tempdir().unwrap();
    let program = build(state.path(), made, version);
    let sum: String = Sha256::digest(fs::read(&program).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state.path()).var("etcd_version", version);
    roll.var("etcd_binary", &program).var("etcd_binary_sha256", sum).run()
}

/// Stops the test unless the program was taken back, and the cluster is as it was.
#[track_caller]
fn taken_back(lab: &Lab, made: Made, old: &str, new: &str) {
    let before = settled(lab, old);
    let ran = run(lab, made, new);
    ran.ended(10);
    let words = [
        format!("{new} did not come up"),
        format!("the member is back on {old} and healthy"),
        "the last words of the new program".to_owned(),
        "no later member is touched".to_owned(),
    ];
    ran.says(&words.each_ref().map(String::as_str));
    let after = lab.status();
    for member in &after {
        assert!(member.healthy && member.version.as_deref() == Some(old), "{member:?}\n{ran}");
    }
    let known = |members: Vec<MemberStatus>| -> Vec<_> {
        members.into_iter().map(|member| (member.host, member.cluster_version)).collect()
    };
    assert_eq!(known(after), known(before), "{ran}");
}

fn lab(old: &str) -> Lab {
    let name = format!("back-{}-{}", old.replace('.', ""), process::id());
    Lab::builder().name(&name).bastion(false).etcd(old).start().unwrap()
}

#[test]
fn takes_3_0_back_from_a_3_1_that_ends_at_once() {
    let _turn = own_turn();
    taken_back(&lab("3.0.17"), Made::Exits, "3.0.17", "3.1.20");
}

#[test]
fn takes_3_5_back_from_a_3_6_that_does_not_stay_up() {
    let _turn = own_turn();
    taken_back(&lab("3.5.35"), Made::CrashLoops, "3.5.35", "3.6.16");
}

#[test]
fn takes_2_3_back_from_a_3_0_that_never_opened_the_data_and_from_no_other() {
    let _turn = own_turn();
    let lab = lab("2.3.8");
    taken_back(&lab, Made::Exits, "2.3.8", "3.0.17");

    let real = binaries::folder("3.0.17").unwrap().join("etcd");
    for host in lab.members() {
        let mut put = lab.host_command(&host.name, "sh").unwrap();
        put.args(["-c", &format!("mkdir -p /usr/local/libexec && cat >{REAL} && chmod 755 {REAL}")]);
        assert!(put.stdin(File::open(&real).unwrap()).status().unwrap().success(), "{}", host.name);
    }
    let ran = run(&lab, Made::OpensTheData, "3.0.17");
    ran.ended(11)
        .says(&["the way back is closed or could not be asked, so it is left to start", "2 of 3 members answer reads"]);
    let mut touched = 0;
    for member in lab.status() {
        let says = said(&lab, &member.host, "/usr/local/bin/etcd --version");
        let opened = said(&lab, &member.host, "find /var/lib/etcd/member/snap -name db");
        if says.contains("3.0.17") {
            touched += 1;
            assert_ne!(opened, "", "{}: the data was never opened, this shows nothing\n{ran}", member.host);
        } else {
            assert!(member.healthy && member.version.as_deref() == Some("2.3.8"), "{member:?}\n{ran}");
            assert_eq!(opened, "", "{}\n{ran}", member.host);
        }
    }
    assert_eq!(touched, 1, "{ran}");
}
