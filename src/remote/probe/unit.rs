//! What systemd says of a unit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Probe;
use crate::remote::job::Job;
use crate::remote::{RemoteError, RemoteHost, RemotePath};

/// What we ask for: names as systemd 219 (RHEL 7) to 257 have them; one that a systemd does not know is left out of its answer.
const PROPERTIES: &str = "--property=Id,Names,LoadState,LoadError,ActiveState,SubState,Result,MainPID,NRestarts,InvocationID,\
FragmentPath,DropInPaths,NeedDaemonReload,ExecStart,ExecMainCode,ExecMainStatus,ExecMainStartTimestampMonotonic,\
ActiveEnterTimestampMonotonic,Type,User,Group,Environment,EnvironmentFiles,EnvironmentFile,UnitFileState,WorkingDirectory,Restart,\
RestartUSec,TimeoutStartUSec,TimeoutStopUSec,CanReload,CanStart,CanStop,RefuseManualStart,RefuseManualStop,ControlGroup,Job,Description";

/// What systemd says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitState {
    /// Every property asked for, as `systemctl show` printed it; one that is printed more than once has a line for each.
    pub properties: BTreeMap<String, String>,
}

/// One command of a unit's `ExecStart`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecStart {
    /// The program.
    pub path: String,
    /// Its arguments, the program's name first, with variables not yet put in. systemd prints them joined by spaces, so
    /// an argument that holds a space comes apart: what a running process really got, [`Probe::process`] says.
    pub argv: Vec<String>,
}

impl Probe {
    /// What systemd says of a unit; [`UnitState::exists`] is false for one it does not know.
    ///
    /// # Errors
    /// When the name is none, or systemd does not answer.
    pub async fn unit(&self, name: &str) -> Result<UnitState, RemoteError> {
        let act = format!("systemctl show {name}");
        check_unit_name(&self.host, &act, name)?;
        let job = Job::new(&act, vec!["systemctl", "--no-pager", PROPERTIES, "show", "--", name]);
        let ran = self.host.perform(job).await?;
        if !ran.success() {
            return Err(self.host.failed(&act, ran.words()));
        }
        let state = UnitState::from_show(&String::from_utf8_lossy(&ran.stdout));
        if ran.cut || state.load_state().is_empty() || state.active_state().is_empty() {
            return Err(self.host.answer(&act, format!("no LoadState and ActiveState: {}", ran.words())));
        }
        Ok(state)
    }
}

/// systemd.unit(5): letters, digits and `:-_.\@`, at most 255.
pub(in crate::remote) fn check_unit_name(host: &RemoteHost, act: &str, name: &str) -> Result<(), RemoteError> {
    let sound = |c: char| c.is_ascii_alphanumeric() || r":-_.\@".contains(c);
    if !name.is_empty() && name.len() <= 255 && name.chars().all(sound) {
        return Ok(());
    }
    Err(host.refused(act, format!("{name:?} is no name of a unit")))
}

impl UnitState {
    /// Reads what `systemctl show` printed.
    #[must_use]
    pub fn from_show(text: &str) -> Self {
        let mut properties: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            properties
                .entry(name.to_owned())
                .and_modify(|old| {
                    old.push('\n');
                    old.push_str(value);
                })
                .or_insert_with(|| value.to_owned());
        }
        Self { properties }
    }

    /// A property as printed; empty if systemd did not say.
    #[must_use]
    pub fn get(&self, property: &str) -> &str {
        self.properties.get(property).map_or("", String::as_str)
    }

    /// Whether systemd has the unit loaded (or would, were it not masked or broken).
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.load_state(), "" | "not-found")
    }

    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    #[must_use]
    pub fn load_state(&self) -> &str {
        self.get("LoadState")
    }

    /// `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`.
    #[must_use]
    pub fn active_state(&self) -> &str {
        self.get("ActiveState")
    }

    /// `running`, `dead`, `auto-restart`, … of this type of unit.
    #[must_use]
    pub fn sub_state(&self) -> &str {
        self.get("SubState")
    }

    /// How it ended last: `success`, `exit-code`, `signal`, `timeout`, `start-limit-hit`, ….
    #[must_use]
    pub fn result(&self) -> &str {
        self.get("Result")
    }

    /// The main process, if one runs.
    #[must_use]
    pub fn main_pid(&self) -> Option<u32> {
        self.get("MainPID").parse().ok().filter(|pid| *pid != 0)
    }

    /// How often systemd has restarted it by itself since it was last started by hand (systemd 235 on).
    #[must_use]
    pub fn n_restarts(&self) -> Option<u32> {
        self.get("NRestarts").parse().ok()
    }

    /// The random name of this run of the unit (systemd 232 on).
    #[must_use]
    pub fn invocation_id(&self) -> Option<&str> {
        Some(self.get("InvocationID")).filter(|id| !id.is_empty())
    }

    /// The unit's file.
    #[must_use]
    pub fn fragment_path(&self) -> Option<RemotePath> {
        RemotePath::from_absolute(self.get("FragmentPath"))
    }

    /// Files that add to it.
    #[must_use]
    pub fn drop_ins(&self) -> Vec<RemotePath> {
        self.get("DropInPaths").split_whitespace().filter_map(RemotePath::from_absolute).collect()
    }

    /// Whether files changed since systemd read them.
    #[must_use]
    pub fn needs_daemon_reload(&self) -> bool {
        self.get("NeedDaemonReload") == "yes"
    }

    /// The commands that start it, in order.
    #[must_use]
    pub fn exec_start(&self) -> Vec<ExecStart> {
        self.get("ExecStart").lines().filter_map(exec_start).collect()
    }

    /// The program of the first command.
    #[must_use]
    pub fn binary(&self) -> Option<RemotePath> {
        self.exec_start().first().and_then(|command| RemotePath::from_absolute(&command.path))
    }

    /// `simple`, `notify`, `exec`, `forking`, `oneshot`, …; empty for what is no service.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.get("Type")
    }

    /// As whom it runs; `None` is root.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        Some(self.get("User")).filter(|user| !user.is_empty())
    }

    /// The same for its group.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        Some(self.get("Group")).filter(|group| !group.is_empty())
    }

    /// `Environment=`: names and values, quotes and escapes undone.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let words = shlex::split(self.get("Environment")).unwrap_or_default();
        words.iter().filter_map(|word| word.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// `EnvironmentFile=`: each path, and whether it may be missing.
    #[must_use]
    pub fn environment_files(&self) -> Vec<(RemotePath, bool)> {
        let lines = self.get("EnvironmentFiles").lines().chain(self.get("EnvironmentFile").lines());
        let files = lines.filter_map(|line| {
            let (path, ignore) = line.rsplit_once(" (ignore_errors=").unwrap_or((line, "no)"));
            Some((RemotePath::from_absolute(path)?, ignore == "yes)"))
        });
        files.collect()
    }

    /// `enabled`, `disabled`, `static`, `masked`, `generated`, …; empty if it has no file.
    #[must_use]
    pub fn unit_file_state(&self) -> &str {
        self.get("UnitFileState")
    }

    /// How long a start may take; `None` is for ever, or not said.
    #[must_use]
    pub fn timeout_start(&self) -> Option<Duration> {
        span(self.get("TimeoutStartUSec"))
    }

    /// How long a stop may take before SIGKILL; `None` is for ever, or not said.
    #[must_use]
    pub fn timeout_stop(&self) -> Option<Duration> {
        span(self.get("TimeoutStopUSec"))
    }
}

/// `{ path=/usr/bin/etcd ; argv[]=/usr/bin/etcd --name a ; ignore_errors=no ; … }`
fn exec_start(line: &str) -> Option<ExecStart> {
    let (_, rest) = line.split_once("path=")?;
    let (path, rest) = rest.split_once(" ; argv[]=")?;
    let end = rest.rfind(" ; ignore_errors=").or_else(|| rest.rfind(" ; flags="))?;
    let argv = rest.get(..end)?;
    let argv = shlex::split(argv).unwrap_or_else(|| argv.split_whitespace().map(str::to_owned).collect());
    Some(ExecStart { path: path.to_owned(), argv })
}

/// A span as systemd prints it: `1min 30s`, `500ms`, `infinity` (systemd.time(7)).
fn span(text: &str) -> Option<Duration> {
    if text.is_empty() || text == "infinity" {
        return None;
    }
    text.split_whitespace().try_fold(Duration::ZERO, |sum, word| {
        let at = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        let (number, unit) = word.split_at_checked(at)?;
        let seconds = match unit {
            "us" | "" => 0.000_001,
            "ms" => 0.001,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "month" => 2_629_800.0,
            "y" => 31_557_600.0,
            _ => return None,
        };
        let one = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum.checked_add(one)
    })
}
