//! quorate as a sysadmin on the lab's control machine starts it, and what came of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use quorate_lab::Lab;

/// The playbook of the rolls.
pub(crate) fn playbook() -> PathBuf {
    shipped("etcd-upgrade.yml")
}

fn shipped(playbook: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks").join(playbook)
}

/// A run to be, on one lab.
pub(crate) struct Roll {
    command: Command,
}

impl Roll {
    /// Of an inventory's hosts with that ssh_config. Runs and backups are kept in `state`.
    pub(crate) fn new(lab: &Lab, inventory: &Path, config: &Path, state: &Path) -> Self {
        Self::of(("run", &playbook()), lab, inventory, config, state)
    }

    /// The way down.
    pub(crate) fn down(lab: &Lab, state: &Path) -> Self {
        Self::of(("run", &shipped("etcd-downgrade.yml")), lab, &lab.inventory(), &lab.ssh_config(), state)
    }

    /// The same, but only planned.
    pub(crate) fn planned(lab: &Lab, state: &Path) -> Self {
        Self::of(("plan", &playbook()), lab, &lab.inventory(), &lab.ssh_config(), state)
    }

    fn of((verb, playbook): (&str, &Path), lab: &Lab, inventory: &Path, config: &Path, state: &Path) -> Self {
        let mut command = lab.control_command(env!("CARGO_BIN_EXE_quorate"));
        command.env_remove("SSH_AUTH_SOCK").arg(verb).arg(playbook);
        command.arg("-i").arg(inventory).arg("-F").arg(config).arg("--state-dir").arg(state);
        Self { command }
    }

    /// The usual one: with all that the lab wrote down, to 2.1.1 out of its releases.
    pub(crate) fn to_2_1_1(lab: &Lab, state: &Path) -> Self {
        Self::new(lab, &lab.inventory(), &lab.ssh_config(), state).to("2.1.1", lab)
    }

    /// To that version out of the lab's releases.
    pub(crate) fn to(self, version: &str, lab: &Lab) -> Self {
        self.var("etcd_version", version).var("etcd_releases", lab.releases())
    }

    /// One more argument.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.command.arg(flag);
        self
    }

    /// One more option with its value.
    pub(crate) fn with(mut self, option: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.arg(option).arg(value);
        self
    }

    /// One more variable.
    pub(crate) fn var(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut pair = std::ffi::OsString::from(format!("{name}="));
        pair.push(value);
        self.with("-e", pair)
    }

    /// A variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Ran {
        let output = self.command.output().expect("quorate starts");
        Ran {
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stdout).into_owned(),
            complained: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) said: String,
    /// Standard error.
    pub(crate) complained: String,
}

impl Ran {
    /// Stops the test unless the run ended with that code.
    #[track_caller]
    pub(crate) fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Stops the test unless standard output has all of these words.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.said.contains(word), "`{word}` is not in:\n{self}");
        }
        self
    }

    /// The recap's numbers by host and name.
    pub(crate) fn recap(&self) -> BTreeMap<String, BTreeMap<String, u32>> {
        let lines = self.said.lines().filter_map(|line| line.split_once(" : ok="));
        lines.map(|(host, counts)| (host.trim().to_owned(), numbers(&format!("ok={counts}")))).collect()
    }
}

fn numbers(text: &str) -> BTreeMap<String, u32> {
    let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
    pairs.map(|(name, number)| (name.to_owned(), number.parse().expect("a number in the recap"))).collect()
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What stopped it comes first: whoever reads a long log of many tests sees its beginning, if anything.
        writeln!(f, "exit {:?}", self.code)?;
        let mut told = false;
        for line in self.said.lines() {
            told = line.starts_with("fatal:") || line.starts_with("HALTED") || (told && line.starts_with("    "));
            if told {
                writeln!(f, "{line}")?;
            }
        }
        write!(f, "--- stderr\n{}\n--- stdout\n{}", self.complained, self.said)
    }
}
