//! A new binary that does not come up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quorate_lab::{DATA_DIR, Fault, HEALTHY, Lab, PROGRAM_DIR, UNIT, wait_until};
use serde_json::Value;

use super::TURNS;
use super::control::{Control, NEW, OLD, Ran, nothing_lost, playbook};
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

/// Every member's unit waits as long between two starts as etcd's own unit does, or as long as the lab's again.
fn stock_pause(control: &Control, on: bool) {
    for host in control.lab.members() {
        let folder = control.on_host(&host.name, &format!("/etc/systemd/system/{UNIT}.d"));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("pause.conf");
        if on {
            fs::write(file, "[Service]\nRestartSec=10s\n").unwrap();
        } else {
            fs::remove_file(file).unwrap();
        }
        control.said(&host.name, &["systemctl", "daemon-reload"]);
    }
}

/// Makes every member's program a link, as where versions lie side by side.
fn link_programs(control: &Control) {
    for host in control.lab.members() {
        let script = format!("mv {PROGRAM_DIR}/etcd {PROGRAM_DIR}/etcd-own && ln -s etcd-own {PROGRAM_DIR}/etcd");
        control.said(&host.name, &["sh", "-c", &script]);
    }
}

/// A run to a program that does not come up: all that must be true after it, whoever took the program back.
fn taken_back(control: &Control, behaviour: Behaviour, more: &[&str]) -> Ran {
    let (data_before, before) = (data(control), processes(control));
    let ran = control.run(upgrade_to(control, behaviour, more));
    assert_eq!(ran.code, Some(10), "{behaviour:?}: {}", ran.text);
    ran.says(&["did not come up", "the last words of the new program", "no later member is touched"]);
    assert_eq!(rolled(&ran)["outcome"], "rolled back");
    control.all_on(OLD);
    let after = processes(control);
    let restarted = before.iter().zip(&after).filter(|(before, after)| before != after);
    assert_eq!(restarted.count(), 1, "{behaviour:?}: another member was touched");
    assert_eq!(data(control), data_before, "{behaviour:?}");
    ran
}

/// The one event about a member that was rolled.
fn rolled(ran: &Ran) -> &Value {
    let rolled: Vec<_> = ran.events.iter().filter(|event| event["event"] == "member_rolled").collect();
    assert_eq!(rolled.len(), 1, "{}", ran.text);
    rolled[0]
}

/// How long the run says that the member was out, in hundredths of a second, as a host counts.
fn down(ran: &Ran) -> u64 {
    let down = &rolled(ran)["down"];
    let whole = down["secs"].as_u64().unwrap() * 100;
    whole + (down["nanos"].as_u64().unwrap() + 5_000_000) / 10_000_000
}

/// The windows of this run on the host that was rolled: the one to the new program, and the way back if there was a second.
fn windows(control: &Control, ran: &Ran) -> Vec<PathBuf> {
    let host = rolled(ran)["host"].as_str().unwrap();
    let home = control.on_host(host, "/var/lib/quorate/windows");
    let run = ran.events[0]["run"].as_str().unwrap();
    let there = [format!("{run}-{host}-2-1-1"), format!("{run}-{host}-2-1-1-back")].map(|name| home.join(name));
    there.into_iter().filter(|folder| folder.exists()).collect()
}

/// A field of a window's receipt.
fn receipt(folder: &Path, name: &str) -> String {
    let text = fs::read_to_string(folder.join("result")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}: {text}")).to_owned()
}

/// A time of a receipt in hundredths of a second.
fn at(folder: &Path, name: &str) -> u64 {
    receipt(folder, name).replace('.', "").parse().unwrap()
}

#[test]
fn a_new_binary_that_does_not_come_up_is_taken_back_and_the_roll_stops() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    let load = control.lab.load(super::window::LOAD).unwrap();
    // The host itself gives it up, long before the minute that it might take is over: also with ten seconds between two starts.
    for (behaviour, stock) in [(Behaviour::Exits, true), (Behaviour::CrashLoops, false)] {
        if stock {
            stock_pause(&control, true);
        }
        let ran = taken_back(&control, behaviour, &[]);
        if stock {
            stock_pause(&control, false);
        }
        let windows = windows(&control, &ran);
        assert_eq!(windows.len(), 1, "{behaviour:?}: {windows:?}");
        assert_eq!(receipt(&windows[0], "outcome"), "rolled-back");
        ran.says(&["was started 3 times and does not stay up; its program ended with exit code 1"]);
        assert_eq!(down(&ran), at(&windows[0], "serving") - at(&windows[0], "stopped"), "{behaviour:?}");
    }
    // For the host it serves; that it is no member is seen by the gate, which takes it back by a second window.
    for linked in [false, true] {
        if linked {
            link_programs(&control);
        }
        let ran = taken_back(&control, Behaviour::NeverJoins, &["etcd_catch_up_timeout=5"]);
        ran.says(&["not caught up after 5 s"]);
        let windows = windows(&control, &ran);
        assert_eq!(windows.len(), 2, "{windows:?}");
        for window in &windows {
            assert_eq!(receipt(window, "outcome"), "done", "{window:?}");
        }
        // From the first stop until the old program answers: the time in which the stranger answered counts too.
        assert_eq!(down(&ran), at(&windows[1], "serving") - at(&windows[0], "stopped"));
    }
    nothing_lost(&control, load);
    // What was wrong was the binary: with a good one the same cluster goes up, also where systemd has counted restarts before.
    let host = "etcd1";
    for count in 1..=3 {
        control.lab.fault(&Fault::KillEtcd, host).unwrap();
        wait_until("the restart", HEALTHY, || {
            let counted = control.said(host, &["systemctl", "show", "-p", "NRestarts", UNIT]);
            if counted.trim() == format!("NRestarts={count}") { Ok(()) } else { Err(counted) }
        })
        .unwrap();
        control.all_on(OLD);
    }
    control.run(control.upgrade()).exits(0);
    control.all_on(NEW);
}
