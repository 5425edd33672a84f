//! The control machine of a lab, with an ssh_config and a state folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use quorate_lab::load::Load;
use quorate_lab::{HEALTHY, Lab, wait_until};
use serde_json::Value;
use tempfile::TempDir;

/// The version that the labs begin with, and the one that they are taken to.
pub(crate) const OLD: &str = "2.0.5";
pub(crate) const NEW: &str = "2.1.1";

/// The longest that any run here may take: five members, each behind a link that is lost for a minute, on a machine that also compiles.
const RUN: Duration = Duration::from_secs(420);

/// Where quorate is run.
pub(crate) struct Control {
    pub(crate) lab: Lab,
    folder: TempDir,
    /// The version that members are taken to.
    to: String,
}

/// A run that ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// Both outputs, for messages and for texts that must be in them.
    pub(crate) text: String,
    pub(crate) events: Vec<Value>,
}

/// A run that goes on.
pub(crate) struct Running {
    child: Child,
    events: PathBuf,
    errors: PathBuf,
}

/// A playbook of this repository.
pub(crate) fn playbook(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Ends the load and checks that no write that was acknowledged is gone.
pub(crate) fn nothing_lost(control: &Control, load: Load) {
    load.stop().unwrap();
    let report = control.lab.check_load().unwrap();
    assert!(report.ok && report.acked > 100, "{report:?}");
}

impl Control {
    pub(crate) fn new(lab: Lab) -> Self {
        Self::towards(lab, NEW)
    }

    /// The same for a roll to another version.
    pub(crate) fn towards(lab: Lab, to: &str) -> Self {
        let folder = TempDir::new().unwrap();
        // A dead link is noticed in a few seconds here, not in 45.
        let alive = "Host *\n    ServerAliveInterval 1\n    ServerAliveCountMax 3\n    ConnectTimeout 5\n\n";
        let config = fs::read_to_string(lab.ssh_config()).unwrap();
        fs::write(folder.path().join("ssh_config"), format!("{alive}{config}")).unwrap();
        Self { lab, folder, to: to.to_owned() }
    }

    /// A file of this control machine.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `quorate run PLAYBOOK` with this lab's inventory.
    pub(crate) fn quorate(&self, playbook: &Path) -> Command {
        self.quorate_with("state", playbook)
    }

    /// The same with another state folder, as if on another machine: it knows nothing of this one's runs.
    pub(crate) fn quorate_with(&self, state: &str, playbook: &Path) -> Command {
        let mut command = self.lab.control_command(env!("CARGO_BIN_EXE_quorate"));
        command.arg("run").arg(playbook).arg("-i").arg(self.lab.inventory());
        command.arg("--state-dir").arg(self.path(state)).arg("--json").stdin(Stdio::null());
        command
    }

    /// `quorate VERB` on what is kept of runs; its standard output.
    pub(crate) fn of_runs(&self, verb: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(verb).arg("--state-dir").arg(self.path("state")).stdin(Stdio::null());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    /// `quorate receipts` from a machine that knows of no run: what the hosts themselves tell.
    pub(crate) fn receipts(&self) -> String {
        let mut command = self.lab.control_command(env!("CARGO_BIN_EXE_quorate"));
        command.arg("receipts").arg("-i").arg(self.lab.inventory()).arg("-F").arg(self.path("ssh_config"));
        let output = command.arg("--state-dir").arg(self.path("other")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `quorate resume`: goes on with the newest run.
    pub(crate) fn resume(&self) -> Command {
        let mut command = self.lab.control_command(env!("CARGO_BIN_EXE_quorate"));
        command.args(["resume", "--state-dir"]).arg(self.path("state")).arg("--json").stdin(Stdio::null());
        command
    }

    /// The shipped upgrade to the new version, out of the lab's releases.
    pub(crate) fn upgrade(&self) -> Command {
        self.upgrade_with("state")
    }

    /// The same with another state folder.
    pub(crate) fn upgrade_with(&self, state: &str) -> Command {
        let mut command = self.quorate_with(state, &playbook("playbooks/etcd-upgrade.yml"));
        command.arg("-F").arg(self.path("ssh_config"));
        command.args(["-e", &format!("etcd_version={}", self.to)]);
        command.args(["-e", &format!("etcd_releases={}", self.lab.releases().display())]);
        command
    }

    /// Starts it.
    pub(crate) fn start(&self, mut command: Command) -> Running {
        let count = fs::read_dir(self.folder.path()).unwrap().count();
        let (events, errors) = (self.path(&format!("{count}.events")), self.path(&format!("{count}.errors")));
        command.stdout(File::create(&events).unwrap()).stderr(File::create(&errors).unwrap());
        Running { child: command.spawn().unwrap(), events, errors }
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, command: Command) -> Ran {
        self.start(command).end()
    }

    /// Each member's version, in the order of the members; nothing for a member that does not answer.
    pub(crate) fn versions(&self) -> Vec<String> {
        self.lab.status().into_iter().map(|member| member.version.unwrap_or_default()).collect()
    }

    /// Every member is healthy, one leads, and all run `version`.
    pub(crate) fn all_on(&self, version: &str) {
        self.lab.wait_healthy(HEALTHY).unwrap();
        let versions = self.versions();
        assert!(versions.iter().all(|found| found == version), "{versions:?}, expected {version}");
    }

    /// What a command says inside a host.
    pub(crate) fn said(&self, host: &str, argv: &[&str]) -> String {
        let output = self.lab.exec(host, argv).unwrap();
        assert!(output.status.success(), "{host}: {argv:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A file of a host, as seen from outside it.
    pub(crate) fn on_host(&self, host: &str, path: &str) -> PathBuf {
        self.lab.site().root_of(host).join(path.trim_start_matches('/'))
    }
}

impl Running {
    /// The lines that are whole.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.events).unwrap();
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap());
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn text(&self) -> String {
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        format!("{}{}", read(&self.events), read(&self.errors))
    }

    /// Waits until what the run has said so far holds what `find` looks for.
    pub(crate) fn wait_for<T>(&mut self, what: &str, find: impl Fn(&[Value]) -> Option<T>) -> T {
        let found = wait_until(what, RUN, || {
            let ended = self.ended();
            match find(&self.events()) {
                Some(found) => Ok(Some(found)),
                None if ended => Ok(None),
                None => Err("not yet".to_owned()),
            }
        });
        found.unwrap().unwrap_or_else(|| panic!("the run ended before {what}:\n{}", self.text()))
    }

    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its process: what puts it where the control machine is becomes quorate itself.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success(), "{name}");
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Ran {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), None, "the run had ended before it was killed:\n{}", self.text());
        Ran { code: None, text: self.text(), events: self.events() }
    }

    pub(crate) fn end(mut self) -> Ran {
        let status = wait_until("the end of the run", RUN, || {
            self.child.try_wait().unwrap().ok_or_else(|| "it goes on".to_owned())
        });
        let status = status.unwrap_or_else(|error| panic!("{error}:\n{}", self.text()));
        Ran { code: status.code(), text: self.text(), events: self.events() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, where the test came to its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ran {
    /// It ended with that code.
    pub(crate) fn exits(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}", self.text);
    }

    /// It says all of these words.
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.text.contains(word), "not said: {word}\n{}", self.text);
        }
    }

    /// The hosts on which a task of this module ended with `changed`.
    pub(crate) fn changed(&self) -> Vec<&str> {
        let ended = self.events.iter().filter(|event| event["event"] == "task_ended" && event["changed"] == true);
        ended.filter_map(|event| event["host"].as_str()).collect()
    }
}
