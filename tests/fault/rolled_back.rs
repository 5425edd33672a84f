//! A new binary that does not come up.

use std::process::Command;

use quorate_lab::{DATA_DIR, Lab};

use super::control::{Control, NEW, OLD, playbook};
use super::program::{self, Behaviour};

/// The shipped upgrade, but to a program of our own.
fn upgrade_to(control: &Control, behaviour: Behaviour, more: &[&str]) -> Command {
    let (program, sum) = program::build(&control.path(""), behaviour);
    let mut command = control.quorate(&playbook("playbooks/etcd-upgrade.yml"));
    command.arg("-F").arg(control.path("ssh_config"));
    let binary = format!("etcd_binary={}", program.display());
    for var in [&format!("etcd_version={NEW}"), &binary, &format!("etcd_binary_sha256={sum}")] {
        command.args(["-e", var]);
    }
    for var in more {
        command.args(["-e", var]);
    }
    command
}

/// Which directory and which log are there, by inode: another one would be another.
fn data(control: &Control) -> Vec<String> {
    let script = format!("stat -c '%n %i %U %a' {DATA_DIR} {DATA_DIR}/member/wal {DATA_DIR}/member/wal/*-*.wal");
    let hosts = control.lab.members().into_iter();
    hosts.map(|host| control.said(&host.name, &["sh", "-c", &script])).collect()
}

/// Each member's process number: one that was restarted has another.
fn processes(control: &Control) -> Vec<Option<u32>> {
    control.lab.status().into_iter().map(|member| member.pid).collect()
}

#[test]
fn a_new_binary_that_does_not_come_up_is_taken_back_and_the_roll_stops() {
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    let load = control.lab.load(super::window::LOAD).unwrap();
    let before = data(&control);
    // Whoever sees first that the stranger never joins takes it back: the host by its time-out for the start, or the gate.
    let gate: &[&str] = &["etcd_catch_up_timeout=5", "etcd_start_timeout=20"];
    for (behaviour, more) in
        [(Behaviour::Exits, &[] as &[&str]), (Behaviour::CrashLoops, &[]), (Behaviour::NeverJoins, gate)]
    {
        let ran_before = processes(&control);
        let ran = control.run(upgrade_to(&control, behaviour, more));
        assert_eq!(ran.code, Some(10), "{behaviour:?}: {}", ran.text);
        ran.says(&["did not come up", "the last words of the new program", "no other member was touched"]);
        let rolled: Vec<_> = ran.events.iter().filter(|event| event["event"] == "member_rolled").collect();
        assert_eq!(rolled.len(), 1, "{}", ran.text);
        assert_eq!(rolled[0]["outcome"], "rolled back");
        let down = rolled[0]["down"]["secs"].as_u64().unwrap();
        assert!(down < 45, "{behaviour:?}: {down} s down");
        control.all_on(OLD);
        let ran_after = processes(&control);
        let restarted = ran_before.iter().zip(&ran_after).filter(|(before, after)| before != after);
        assert_eq!(restarted.count(), 1, "{behaviour:?}: another member was touched");
        assert_eq!(data(&control), before, "{behaviour:?}");
    }
    load.stop().unwrap();
    let report = control.lab.check_load().unwrap();
    assert!(report.ok, "{report:?}");
    // What was wrong was the binary: with a good one the same cluster goes up.
    control.run(control.upgrade()).exits(0);
    control.all_on(NEW);
}
