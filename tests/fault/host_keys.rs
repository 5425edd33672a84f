//! Host keys that are not as known: exit 6, nothing changed, nothing written.

use std::fs;
use std::process::Command;

use quorate_lab::{BASTION, Fault, Lab};

use super::TURNS;
use super::control::{Control, OLD, playbook};

/// What is wrong with the known key.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Unknown,
    Changed,
    Revoked,
    OtherType,
}

/// A key that no host has: its type and itself, as in known_hosts.
fn stranger(control: &Control, kind: &str) -> String {
    let path = control.path(&format!("stranger-{kind}"));
    if !path.exists() {
        let mut keygen = Command::new("ssh-keygen");
        let status = keygen.args(["-q", "-N", "", "-t", kind, "-f"]).arg(&path).status().unwrap();
        assert!(status.success());
    }
    let key = fs::read_to_string(path.with_extension("pub")).unwrap();
    key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// The lab's known_hosts with something wrong about one host.
fn known_hosts(control: &Control, host: &str, wrong: Wrong) -> String {
    let whole = fs::read_to_string(control.lab.known_hosts()).unwrap();
    let (own, others): (Vec<&str>, Vec<&str>) = whole.lines().partition(|line| line.starts_with(&format!("{host},")));
    assert_eq!(own.len(), 2, "{whole}");
    let names = own[0].split(' ').next().unwrap();
    let own: Vec<String> = match wrong {
        Wrong::Unknown => Vec::new(),
        Wrong::Changed => ["ed25519", "ecdsa"].map(|kind| format!("{names} {}", stranger(control, kind))).to_vec(),
        Wrong::Revoked => own.iter().flat_map(|line| [(*line).to_owned(), format!("@revoked {line}")]).collect(),
        Wrong::OtherType => vec![format!("{names} {}", stranger(control, "rsa"))],
    };
    let lines: Vec<String> = others.into_iter().map(str::to_owned).chain(own).collect();
    lines.join("\n") + "\n"
}

/// The same command with a known_hosts of its own.
fn with_known_hosts(control: &Control, mut command: Command, text: &str) -> Command {
    let known = control.path("known_hosts");
    fs::write(&known, text).unwrap();
    let config = fs::read_to_string(control.path("ssh_config")).unwrap();
    let lab = control.lab.known_hosts().display().to_string();
    assert!(config.contains(&lab));
    let path = control.path("ssh_config_keys");
    fs::write(&path, config.replace(&lab, &known.display().to_string())).unwrap();
    command.arg("-F").arg(path);
    command
}

#[test]
fn a_host_key_that_is_not_as_known_ends_the_run_with_exit_6_and_changes_nothing() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    for host in ["etcd2", BASTION] {
        for wrong in [Wrong::Unknown, Wrong::Changed, Wrong::Revoked, Wrong::OtherType] {
            let text = known_hosts(&control, host, wrong);
            let ping = control.quorate(&playbook("playbooks/ping.yml"));
            let ran = control.run(with_known_hosts(&control, ping, &text));
            assert_eq!(ran.code, Some(6), "{wrong:?} {host}: {}", ran.text);
            ran.says(&[host, "SHA256:"]);
            assert_eq!(fs::read_to_string(control.path("known_hosts")).unwrap(), text, "{wrong:?} {host}: written");
        }
    }
    // A host that has other keys overnight, met by the real roll.
    let before = control.lab.status().into_iter().map(|member| member.pid).collect::<Vec<_>>();
    let known = fs::read(control.lab.known_hosts()).unwrap();
    control.lab.fault(&Fault::HostKey, "etcd3").unwrap();
    let ran = control.run(control.upgrade());
    ran.exits(6);
    ran.says(&["etcd3", "SHA256:"]);
    assert_eq!(ran.changed(), [""; 0], "{}", ran.text);
    assert_eq!(control.lab.status().into_iter().map(|member| member.pid).collect::<Vec<_>>(), before);
    assert_eq!(fs::read(control.lab.known_hosts()).unwrap(), known);
    assert!(control.touched().is_empty());
    for host in control.lab.members() {
        assert_eq!(control.said(&host.name, &["sh", "-c", "ls /usr/local/bin"]), "etcd\netcdctl\n");
    }
    control.all_on(OLD);
}
