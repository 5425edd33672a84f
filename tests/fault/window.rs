//! A window as it can be seen from outside its host, and hosts on which its steps take long enough to be hit.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_lab::load::LoadOptions;
use quorate_lab::{LabBuilder, PROGRAM_DIR, UNIT, wait_until};
use serde_json::Value;

use super::control::{Control, OLD, Running};

/// Light beside two labs of five members on two cores, and still dozens of writes for each second that a member is down.
pub(crate) const LOAD: LoadOptions = LoadOptions { clients: Some(6), rate: Some(30.0), ..LoadOptions::USUAL };

/// Where windows leave their traces.
const FOLDER: &str = "/var/lib/quorate/windows";
/// Until the next window begins: everything before it is done anew on every host. A machine that also compiles took more than three minutes.
pub(crate) const NEXT: Duration = Duration::from_secs(300);
/// Until a window has ended by itself: slow stop and start, and the soak of 10 s that nobody cuts short.
const ALONE: Duration = Duration::from_secs(90);

/// Where a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// All is prepared and leave is asked for.
    Ready,
    Stop,
    Swap,
    Start,
    Gate,
    Ended,
}

pub(crate) const STEPS: [Step; 4] = [Step::Stop, Step::Swap, Step::Start, Step::Gate];

/// Five members: one for each step, and one for the run that finishes.
pub(crate) fn five(lab: LabBuilder) -> Control {
    let control = Control::new(lab.members(5).etcd(OLD).start().unwrap());
    control.slow_down();
    control
}

/// One window on one host.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) host: String,
    folder: PathBuf,
}

impl Window {
    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Where it is, by the last line of its log.
    pub(crate) fn step(&self) -> Option<Step> {
        if self.folder.join("result").exists() {
            return Some(Step::Ended);
        }
        let log = self.log();
        let last = log.lines().last()?;
        let words = [("ready", Step::Ready), ("stopping", Step::Stop), ("stopped", Step::Swap)];
        let more = [("swapped", Step::Swap), ("starting", Step::Start), ("process", Step::Gate), ("done", Step::Ended)];
        let step =
            words.iter().chain(&more).find(|(word, _)| last.split(' ').nth(1).is_some_and(|w| w.starts_with(word)));
        Some(step.unwrap_or_else(|| panic!("an unknown step: {last}")).1)
    }

    /// Waits until it is at the step, which it must not have passed.
    pub(crate) fn wait(&self, step: Step, run: &mut Running) {
        let found = wait_until("the step", ALONE, || match self.step() {
            Some(found) if found >= step => Ok(Some(found)),
            _ if run.ended() => Ok(None),
            found => Err(format!("{found:?}")),
        });
        assert_eq!(found.unwrap(), Some(step), "{}: {}", self.host, self.log());
    }

    /// Waits until the run has said that it lost the link to this host, or the window has ended by itself.
    pub(crate) fn until_seen_or_over(&self, run: &mut Running) {
        let lost = |event: &Value| {
            let text = event["text"].as_str().unwrap_or_default();
            event["host"] == self.host.as_str() && text.starts_with("the link is lost")
        };
        run.wait_for("the loss of the link", |events| {
            (events.iter().any(lost) || self.step() == Some(Step::Ended)).then_some(())
        });
    }

    /// Waits until it has ended, and gives its outcome.
    pub(crate) fn outcome(&self) -> String {
        let result = self.folder.join("result");
        let text = wait_until("the end of the window", ALONE, || fs::read_to_string(&result).map_err(|_| self.log()));
        let text = text.unwrap();
        text.lines().find_map(|line| line.strip_prefix("outcome=")).unwrap_or_else(|| panic!("{text}")).to_owned()
    }
}

impl Control {
    /// Makes every step of a window take some two seconds: stop and start by commands of the unit, the swap by a `sync` that is slow for
    /// a window's own folder of programs.
    pub(crate) fn slow_down(&self) {
        for host in self.lab.members() {
            let name = host.name.as_str();
            let sync = self.on_host(name, "/usr/local/sbin/sync");
            let script = format!(
                "#!/bin/sh\ncase $PWD:$* in {FOLDER}/*:{PROGRAM_DIR}) sleep 1.5 ;; esac\nexec /bin/sync \"$@\"\n"
            );
            fs::create_dir_all(sync.parent().unwrap()).unwrap();
            fs::write(&sync, script).unwrap();
            fs::set_permissions(&sync, fs::Permissions::from_mode(0o755)).unwrap();
            let folder = self.on_host(name, &format!("/etc/systemd/system/{UNIT}.d"));
            fs::create_dir_all(&folder).unwrap();
            let unit = "[Service]\nExecStartPre=/bin/sleep 2\nExecStopPost=/bin/sleep 2\nTimeoutStopSec=5\n";
            fs::write(folder.join("slow.conf"), unit).unwrap();
            self.said(name, &["systemctl", "daemon-reload"]);
        }
    }

    fn windows(&self) -> BTreeSet<(String, PathBuf)> {
        let mut found = BTreeSet::new();
        for host in self.lab.members() {
            let folders = fs::read_dir(self.on_host(&host.name, FOLDER)).into_iter().flatten().flatten();
            found.extend(folders.map(|folder| (host.name.clone(), folder.path())));
        }
        found
    }

    /// The hosts on which a window was ever begun.
    pub(crate) fn touched(&self) -> BTreeSet<String> {
        self.windows().into_iter().map(|(host, _)| host).collect()
    }

    /// Waits for the next window, on a host that had none before.
    pub(crate) fn next_window(&self, before: &BTreeSet<String>, run: &mut Running) -> Window {
        self.window(NEXT, run, |host, _| !before.contains(host))
    }

    /// Waits for a window that is wanted, by its host and its folder, for so long.
    pub(crate) fn window(&self, limit: Duration, run: &mut Running, wanted: impl Fn(&str, &Path) -> bool) -> Window {
        self.window_with("log", limit, run, wanted)
    }

    /// The first window, as soon as it is at work and before it is ready.
    pub(crate) fn first_intent(&self, run: &mut Running) -> Window {
        self.window_with("intent", NEXT, run, |_, _| true)
    }

    fn window_with(
        &self,
        file: &str,
        limit: Duration,
        run: &mut Running,
        wanted: impl Fn(&str, &Path) -> bool,
    ) -> Window {
        let found = wait_until("the next window", limit, || {
            let next = self.windows().into_iter().find(|(host, folder)| {
                wanted(host, folder) && fs::read_to_string(folder.join(file)).is_ok_and(|text| text.ends_with('\n'))
            });
            match next {
                Some((host, folder)) => Ok(Some(Window { host, folder })),
                None if run.ended() => Ok(None),
                None => Err("none yet".to_owned()),
            }
        });
        found.unwrap().unwrap_or_else(|| panic!("the run ended early:\n{}", run.text()))
    }
}
