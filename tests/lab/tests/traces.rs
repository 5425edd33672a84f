//! A lab that is gone has left nothing: after `down`, after a panic, after SIGKILL of its maker.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use quorate_lab::{Lab, Sudo, User, labs, wait_until};

/// Everything on this machine that still bears the lab's name.
fn traces(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let folder = labs().join(name).display().to_string();
    if Path::new(&folder).exists() {
        found.push(folder.clone());
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    found.extend(mounts.lines().filter(|line| line.contains(&format!("{folder}/"))).map(str::to_owned));
    for (program, argument) in [("ip", "netns"), ("losetup", "--all")] {
        let output = Command::new(program).arg(argument).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let ours = |line: &&str| line.contains(&format!("quorate-lab.{name}.")) || line.contains(&format!("{folder}/"));
        found.extend(text.lines().filter(ours).map(str::to_owned));
    }
    for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let group = hierarchy.path().join("quorate-lab").join(name);
        if group.exists() {
            found.push(group.display().to_string());
        }
    }
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&format!("{folder}/")) {
            found.push(line);
        }
    }
    found
}

fn gone(name: &str) {
    wait_until("no trace of the lab", Duration::from_secs(60), || match traces(name).as_slice() {
        [] => Ok(()),
        left => Err(left.join("\n")),
    })
    .unwrap();
}

#[test]
fn down_leaves_nothing_of_a_lab_with_tls_and_a_sudo_user() {
    let lab = Lab::builder().members(3).bastion(false).tls(true).user(User::Ops).sudo(Sudo::Password).start().unwrap();
    let name = lab.site().spec().name.clone();
    let password = fs::read_to_string(lab.become_password_file().unwrap()).unwrap();
    let sudo = |line: &str| {
        let mut ssh = lab.control_command("sh");
        ssh.arg("-c").arg(format!("printf '%s\\n' \"$1\" | ssh -F {} etcd1 sudo {line}", lab.ssh_config().display()));
        ssh.args(["sh", password.trim()]).output().unwrap()
    };
    let with = sudo("-S id -un");
    assert_eq!(String::from_utf8_lossy(&with.stdout).trim(), "root", "{with:?}");
    assert!(!sudo("-n id -un").status.success());
    assert!(!traces(&name).is_empty());
    lab.down().unwrap();
    assert_eq!(traces(&name), Vec::<String>::new());
}

#[test]
fn a_panic_takes_its_lab_down() {
    let name = format!("panic-{}", std::process::id());
    let caught = std::panic::catch_unwind(|| {
        let _lab = Lab::builder().name(&name).members(1).start().expect("a lab");
        panic!("on purpose");
    });
    assert!(caught.is_err());
    assert_eq!(traces(&name), Vec::<String>::new());
}

#[test]
fn a_killed_maker_is_cleaned_up_after() {
    let name = format!("killed-{}", std::process::id());
    let mut maker =
        Command::new(env!("CARGO_BIN_EXE_lab")).args(["up", "--name", &name]).stdout(Stdio::null()).spawn().unwrap();
    let console = labs().join(&name).join("hosts/etcd1/console.log");
    wait_until("the first host to start", Duration::from_secs(120), || {
        if console.exists() { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .unwrap();
    maker.kill().unwrap();
    maker.wait().unwrap();
    gone(&name);
}
