//! Questions about processes and the running system.

use std::collections::BTreeMap;

use super::Probe;
use crate::remote::{RemoteError, shell};

/// The parts of /proc/PID, each ended by a mark that nothing in them can hold; the first once more at the end, since the
/// number may meanwhile belong to another process.
const PROCESS: &str = r#"
cd "/proc/$1" 2>/dev/null || { echo "no such process" >&2; exit 1; }
part() { "$@" || exit 1; printf %s "$m"; }
m=$2
part cat stat; part cat status; part cat cmdline; part cat environ
part readlink -n exe; part readlink -n cwd; part cat stat
"#;
/// Kernel's limit for arguments and environment together is 2 MiB by default (execve(2): a quarter of an 8 MiB stack).
const PROCESS_CAP: usize = 4 * 1024 * 1024;

/// What the kernel says of a process; all of it is data of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its arguments, the program's name first.
    pub cmdline: Vec<String>,
    /// Its environment as it was when it started.
    pub environ: BTreeMap<String, String>,
    /// The file it runs; ends in ` (deleted)` if that has been replaced since.
    pub exe: String,
    /// Its folder.
    pub cwd: String,
    /// When it started, in clock ticks since boot: with the number, an identity.
    pub start_ticks: u64,
    /// Its effective user.
    pub uid: u32,
}

impl Probe {
    /// What the process with this number is.
    ///
    /// # Errors
    /// When there is none, or it belongs to somebody whose processes we may not look at.
    pub async fn process(&self, pid: u32) -> Result<Process, RemoteError> {
        let act = format!("look at process {pid}");
        let Some(mark) = shell::nonce() else { return Err(self.host.refused(&act, "no random numbers to be had")) };
        let printed = self.ask(&act, PROCESS, &[&pid.to_string(), &mark], PROCESS_CAP).await?;
        process(&printed, &mark).ok_or_else(|| self.host.answer(&act, "it ended meanwhile, or is a kernel thread"))
    }

    /// The random name of this boot.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub async fn boot_id(&self) -> Result<String, RemoteError> {
        let act = "ask for the boot ID";
        let printed = self.ask(act, "exec cat /proc/sys/kernel/random/boot_id", &[], 4096).await?;
        let text = String::from_utf8_lossy(&printed).trim().to_owned();
        if text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            return Ok(text);
        }
        Err(self.host.answer(act, format!("expected a UUID, found {text:?}")))
    }
}

fn process(printed: &[u8], mark: &str) -> Option<Process> {
    let parts = split(printed, mark.as_bytes());
    let [stat, status, cmdline, environ, exe, cwd, again, _] = parts.as_slice() else { return None };
    let start_ticks = start_ticks(stat)?;
    if start_ticks != self::start_ticks(again)? {
        return None;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = text(status);
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let words = |bytes: &[u8]| -> Vec<String> {
        let whole = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        if bytes.is_empty() { Vec::new() } else { whole.split(|byte| *byte == 0).map(text).collect() }
    };
    let pairs = words(environ);
    Some(Process {
        cmdline: words(cmdline),
        environ: pairs.iter().filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect(),
        exe: text(exe),
        cwd: text(cwd),
        start_ticks,
        uid: uids.split_whitespace().nth(1)?.parse().ok()?,
    })
}

/// Field 22 of /proc/PID/stat (proc_pid_stat(5)); counted after the last `)`, since the name before may hold anything.
fn start_ticks(stat: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(stat);
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

fn split<'a>(mut bytes: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = memchr::memmem::find(bytes, mark) {
        parts.push(bytes.get(..at).unwrap_or_default());
        bytes = bytes.get(at + mark.len()..).unwrap_or_default();
    }
    parts.push(bytes);
    parts
}
