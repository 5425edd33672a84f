//! The lab on which cells are run one after the other, put back before each.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_lab::{Lab, Sudo, UNIT, User};
use tempfile::TempDir;

use super::control::{Control, NEW, playbook};
use super::evidence::Known;
use super::program::{self, Behaviour};
use super::secrets::Secrets;
use super::table::Pair;

/// The second machine's runs.
pub(crate) const OTHER: &str = "other";

/// Three members behind a bastion, logged in to by somebody of whom sudo wants a password: so there is a secret that could be seen.
pub(crate) struct Stand {
    pair: Pair,
    pub(crate) control: Control,
    /// The same lab for those who look on from threads of their own.
    pub(crate) shared: Arc<Lab>,
    pub(crate) known: Known,
    pub(crate) secrets: Secrets,
    /// Of the harness itself, outside of the control machine's folder.
    pub(crate) tools: TempDir,
}

/// Where there is one stand at a time, and one cell or control on it.
pub(crate) struct Place {
    name: &'static str,
    stand: Mutex<Option<Stand>>,
}

/// Where cells are run.
pub(crate) static CELLS: Place = Place { name: "cells", stand: Mutex::new(None) };
/// Where checks are shown what they must catch, which needs no cell to have been run.
pub(crate) static CONTROLS: Place = Place { name: "controls", stand: Mutex::new(None) };

impl Place {
    /// Works on the stand of a pair; one of another pair is taken down first. The lab's reaper takes down the last one when the process ends.
    pub(crate) fn work<T>(&self, pair: &Pair, work: impl FnOnce(&Stand) -> T) -> T {
        let mut held = self.stand.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|stand| stand.pair != *pair) {
            *held = None;
        }
        work(held.get_or_insert_with(|| Stand::new(self.name, pair)))
    }
}

impl Stand {
    fn new(place: &str, pair: &Pair) -> Self {
        let name = format!("{place}-{}-{}", pair.minor().replace('.', ""), std::process::id());
        let lab = Lab::builder().name(&name).etcd(&pair.old).release(&pair.new).user(User::Ops).sudo(Sudo::Password);
        let control = Control::towards(lab.start().unwrap(), &pair.new);
        control.slow_down();
        control.lab.snapshot().unwrap();
        let shared = Arc::new(Lab::open(&name).unwrap());
        let secrets = Secrets::of(&control.lab);
        Self { pair: pair.clone(), control, shared, known: Known::new(pair), secrets, tools: TempDir::new().unwrap() }
    }

    /// Puts everything back to how it was: hosts, links, and the folders of runs.
    pub(crate) fn reset(&self) {
        self.control.lab.revert().unwrap();
        for entry in fs::read_dir(self.control.path("")).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap();
            } else if path != self.control.path("ssh_config") {
                fs::remove_file(&path).unwrap();
            }
        }
    }

    /// Takes away what makes windows slow.
    pub(crate) fn hurry(&self) {
        let script = format!(
            "rm -f /etc/systemd/system/{UNIT}.d/slow.conf /etc/systemd/system/{UNIT}.d/fault.conf /usr/local/sbin/sync; \
             rmdir /etc/systemd/system/{UNIT}.d 2>/dev/null; systemctl daemon-reload"
        );
        for host in self.control.lab.members() {
            self.control.said(&host.name, &["sh", "-c", &script]);
        }
    }

    /// The shipped upgrade, as one who has to give a password for sudo asks for it.
    pub(crate) fn upgrade(&self, state: &str) -> Command {
        self.with_password(self.control.upgrade_with(state))
    }

    /// The same to a program that is none.
    pub(crate) fn upgrade_to(&self, behaviour: Behaviour) -> Command {
        let (program, sum) = program::build(self.tools.path(), behaviour);
        let mut command = self.control.quorate(&playbook("playbooks/etcd-upgrade.yml"));
        command.arg("-F").arg(self.control.path("ssh_config"));
        let binary = format!("etcd_binary={}", program.display());
        let sum = format!("etcd_binary_sha256={sum}");
        for var in [&format!("etcd_version={NEW}"), &binary, &sum, "etcd_catch_up_timeout=5"] {
            command.args(["-e", var]);
        }
        self.with_password(command)
    }

    fn with_password(&self, mut command: Command) -> Command {
        command.arg("--become-password-file").arg(self.control.lab.become_password_file().unwrap());
        command
    }
}
