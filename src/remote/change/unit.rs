//! Starting, stopping and enabling units.

use super::Change;
use crate::remote::RemoteError;
use crate::remote::job::Job;
use crate::remote::probe::check_unit_name;

/// What systemd can be told about a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitAction {
    /// Start it if it is not running.
    Start,
    /// Stop it.
    Stop,
    /// Stop it if it runs, then start it.
    Restart,
    /// Let it read its settings again.
    Reload,
    /// Start it at boot.
    Enable,
    /// Do not start it at boot.
    Disable,
    /// Make starting it impossible.
    Mask,
    /// Undo that.
    Unmask,
    /// Read all unit files again; concerns no single unit.
    DaemonReload,
    /// Forget that it failed, and its count of starts.
    ResetFailed,
}

impl UnitAction {
    /// systemctl's word for it.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Mask => "mask",
            Self::Unmask => "unmask",
            Self::DaemonReload => "daemon-reload",
            Self::ResetFailed => "reset-failed",
        }
    }
}

impl Change {
    /// Does it to the unit; `name` is not looked at for [`UnitAction::DaemonReload`]. With `no_block` systemd is only told to,
    /// and its end has to be looked for.
    ///
    /// # Errors
    /// When the name is none, or systemd says that it failed.
    pub async fn unit(&self, name: &str, action: UnitAction, no_block: bool) -> Result<(), RemoteError> {
        let host = &self.probe.host;
        let whole = action == UnitAction::DaemonReload;
        let act =
            if whole { "systemctl daemon-reload".to_owned() } else { format!("systemctl {} {name}", action.verb()) };
        let mut argv = vec!["systemctl", "--no-pager", "--no-ask-password"];
        if no_block {
            argv.push("--no-block");
        }
        argv.push(action.verb());
        if !whole {
            check_unit_name(host, &act, name)?;
            argv.extend(["--", name]);
        }
        let ran = host.perform(Job::new(&act, argv)).await?;
        if ran.success() { Ok(()) } else { Err(host.failed(&act, ran.words())) }
    }
}
