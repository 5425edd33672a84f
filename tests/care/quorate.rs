//! quorate as a sysadmin on the lab's control machine starts it, and what came of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use quorate_lab::Lab;

/// Runs one of the shipped playbooks on a lab with these arguments more.
pub(crate) fn run(lab: &Lab, playbook: &str, arguments: &[&str]) -> Ran {
    let state = tempfile::tempdir().unwrap();
    let mut command: Command = lab.control_command(env!("CARGO_BIN_EXE_quorate"));
    let playbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks").join(playbook);
    command.env_remove("SSH_AUTH_SOCK").arg("run").arg(playbook).arg("-i").arg(lab.inventory());
    command.arg("-F").arg(lab.ssh_config()).arg("--state-dir").arg(state.path()).args(arguments);
    let output = command.output().expect("quorate starts");
    Ran {
        code: output.status.code(),
        said: String::from_utf8_lossy(&output.stdout).into_owned(),
        complained: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    code: Option<i32>,
    said: String,
    complained: String,
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

    /// The lines of standard output that begin so, without that beginning.
    pub(crate) fn lines(&self, beginning: &str) -> Vec<&str> {
        self.said.lines().filter_map(|line| line.strip_prefix(beginning)).collect()
    }

    /// How many changes the recap counts, by host.
    pub(crate) fn changes(&self) -> BTreeMap<String, u32> {
        let rows = self.said.lines().filter(|line| line.contains(" : ok="));
        let row = |line: &str| {
            let (host, counts) = line.split_once(" : ")?;
            let changed = counts.split_whitespace().find_map(|word| word.strip_prefix("changed="))?;
            Some((host.trim().to_owned(), changed.parse().ok()?))
        };
        rows.map(|line| row(line).expect("a row of the recap")).collect()
    }

    /// Stops the test unless the recap counts so many changes on each of three hosts.
    #[track_caller]
    pub(crate) fn changed(&self, times: u32) -> &Self {
        let changes = self.changes();
        assert!(changes.len() == 3 && changes.values().all(|changed| *changed == times), "{changes:?}: {self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.said, self.complained)
    }
}
