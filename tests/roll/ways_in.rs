//! Other ways to the hosts than root with a key file through a bastion.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::time::Duration;

use quorate_lab::load::LoadOptions;
use quorate_lab::{Lab, Sudo, User, wait_until};

use crate::quorate::Roll;
use crate::watched::{Rolled, Writers};
use crate::{long_turn, own_turn};

/// The lab's usual load, with writes enough to lose some.
const WRITERS: Writers = Writers { load: LoadOptions::USUAL, before: 500, in_all: 2_000 };

/// An ssh-agent; it goes when this is dropped.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    /// With this key and no other.
    fn with(identity: &Path, folder: &Path) -> Self {
        let socket = folder.join("agent");
        let mut agent = Command::new("ssh-agent");
        agent.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
        let agent = Self { child: agent.spawn().expect("ssh-agent starts"), socket };
        let there = || if agent.socket.exists() { Ok(()) } else { Err("no socket".to_owned()) };
        wait_until("the agent", Duration::from_secs(10), there).unwrap();
        let added = Command::new("ssh-add").arg("-q").arg(identity).env("SSH_AUTH_SOCK", &agent.socket).status();
        assert!(added.unwrap().success());
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A copy of one of the lab's files without the lines that name a key file.
fn without_key_file(file: &Path, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(file).unwrap();
    let names_key = |line: &&str| {
        let words = ["IdentityFile", "IdentitiesOnly", "ansible_ssh_private_key_file"];
        words.iter().any(|word| line.trim_start().starts_with(word))
    };
    let rest: Vec<&str> = text.lines().filter(|line| !names_key(line)).collect();
    assert!(rest.len() < text.lines().count(), "no key file is named in {}", file.display());
    let copy = folder.join(file.file_name().unwrap());
    fs::write(&copy, rest.join("\n") + "\n").unwrap();
    copy
}

#[test]
fn rolls_five_members_as_a_sudo_user_with_password_agent_and_ini_inventory() {
    let _turn = long_turn();
    let lab = Lab::builder().name(&format!("five-{}", process::id()));
    let lab = lab.members(5).user(User::Ops).sudo(Sudo::Password);
    let folder = tempfile::tempdir().unwrap();
    let mut agent = None;
    let rolled = Rolled::new(lab, &WRITERS, |lab, state| {
        let inventory = without_key_file(&lab.inventory_ini(), folder.path());
        let config = without_key_file(&lab.ssh_config(), folder.path());
        let agent = agent.insert(Agent::with(&lab.identity(), folder.path()));
        Roll::new(lab, &inventory, &config, state)
            .to("2.1.1", lab)
            .env("SSH_AUTH_SOCK", &agent.socket)
            // No key of whoever runs the tests lets anybody in.
            .env("HOME", folder.path())
            .with("--become-password-file", lab.become_password_file().expect("a password"))
    });
    rolled.assert_all_members_are_new();
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();
    let password = fs::read_to_string(rolled.lab.become_password_file().unwrap()).unwrap();
    assert!(!rolled.ran.to_string().contains(password.trim()), "the password was printed");
}

#[test]
fn rolls_three_members_without_a_bastion() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("flat-{}", process::id())).bastion(false);
    let rolled = Rolled::new(lab, &WRITERS, Roll::to_2_1_1);
    rolled.assert_all_members_are_new();
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();
}
