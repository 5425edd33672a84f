//! Taking a lab down, whatever became of whoever made it.
//!
//! One short script does it ([`SCRIPT`]). `lab down` and a dropped [`crate::Lab`] run it; and while
//! a lab belongs to a process, a reaper waits at the end of a pipe for that process to die, by panic,
//! by Ctrl-C or by SIGKILL, and then runs it.

use std::fs;
use std::io::Write as _;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::act::{ActError, at, feed};
use crate::site::Site;

const SCRIPT: &str = include_str!("takedown.sh");

/// Three hosts go in under a second; this is for a busy machine and the slowest unmount.
const LIMIT: Duration = Duration::from_secs(120);

/// Takes everything of the lab away.
///
/// # Errors
/// Something would not go; the error names it.
pub(crate) fn take_down(site: &Site) -> Result<(), ActError> {
    let dir = site.dir().to_string_lossy();
    feed("sh", &["-c", SCRIPT, "takedown", &dir, &site.spec().name], "", LIMIT).map(drop)
}

/// Waits for the death of the process that made it.
#[derive(Debug)]
pub(crate) struct Reaper {
    pipe: ChildStdin,
}

impl Reaper {
    /// Starts one for a lab.
    pub(crate) fn start(site: &Site) -> Result<Self, ActError> {
        // A whole line read means that the lab goes on without its maker. Otherwise a small program
        // that the maker had started (a mount, an `ip`) may still be at work; it takes milliseconds.
        let script = format!("trap '' HUP INT TERM\nread -r word && exit\nsleep 0.5\n{SCRIPT}");
        let mut child = Command::new("setsid")
            .args(["--fork", "sh", "-c", &script, "reaper"])
            .arg(site.dir())
            .arg(&site.spec().name)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| ActError::Start { argv: "setsid".to_owned(), source })?;
        let pipe = child.stdin.take();
        child.wait().map_err(|source| ActError::Start { argv: "setsid".to_owned(), source })?;
        let pipe = pipe.ok_or_else(|| ActError::Mismatch {
            what: "pipe to the reaper".to_owned(),
            expected: "open".to_owned(),
            found: "none".to_owned(),
        })?;
        Ok(Self { pipe })
    }

    /// Sends it home: the lab is down already, or is meant to stay.
    pub(crate) fn dismiss(mut self) {
        // If it is gone there is nobody left to send home.
        let _ = self.pipe.write_all(b"done\n");
    }
}

/// The names of the labs that have a folder on this machine.
///
/// # Errors
/// The folder of labs cannot be read.
pub fn names() -> Result<Vec<String>, ActError> {
    let labs = crate::site::labs();
    if !labs.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&labs).map_err(at("read", &labs))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("lab.json").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}
