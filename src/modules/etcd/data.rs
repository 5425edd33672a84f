//! Where a member's data and log lie, and which member wrote them: one question to the host, asked before each look at the cluster.

use crate::etcd::{Flags, WalIdentity, identity};
use crate::events::Fault;
use crate::modules::Failure;
use crate::remote::{Probe, Process, RemotePath};

use super::facts::refused;

/// A member's data on its host.
#[derive(Clone)]
pub(super) struct Data {
    /// The data directory, absolute and without links.
    pub(super) dir: RemotePath,
    /// The directory of the write-ahead log.
    pub(super) wal_dir: RemotePath,
    /// Who wrote it.
    pub(super) identity: WalIdentity,
}

/// `$1` the data directory, `$2` the log's, empty where none is named: then it is below `member`, or right in the data directory, where the
/// first 2.0 releases had it (2.0.0 seen in the lab). Prints both, without links, and the newest segment's name, each ended by NUL, and then
/// the segment's first 512 bytes; the data directory alone if there is no log. Names of segments sort by their number.
const LOOK: &str = r#"
real() { readlink -e -- "$1" || { printf '%s leads nowhere\n' "$1" >&2; return 1; }; }
data=$(real "$1") || exit 1
if [ -n "$2" ]; then log=$(real "$2") || exit 1; set -- "$log"; else set -- "$data/member/wal" "$data/wal"; fi
printf '%s\0' "$data"
for log; do
    [ -d "$log" ] || continue
    newest=
    for file in "$log"/*.wal; do [ ! -e "$file" ] || newest=${file##*/}; done
    printf '%s\0' "$log" "$newest"
    [ -z "$newest" ] || head -c 512 -- "$log/$newest"
    exit
done
"#;
/// KiB that folders take on their disks; one that lies in another is counted once.
const SIZE: &str = r#"du -skc -- "$@" 2>/dev/null | tail -n 1 | cut -f1"#;
/// `$1` a process, `$2` a directory; whether the process holds a file in it open.
const HOLDS: &str = r#"
dir=$(readlink -f -- "$2") || exit 1
for fd in /proc/"$1"/fd/*; do case $(readlink "$fd") in "$dir"/*) exit 0 ;; esac; done
exit 1
"#;

impl Data {
    /// Looks for what a process with these options has as its data.
    ///
    /// # Errors
    /// A refusal when there is no log of a member there.
    pub(super) async fn find(probe: &Probe, process: &Process, flags: &Flags) -> Result<Self, Failure> {
        let host = probe.name();
        let named = |dir: &str| {
            let text = if dir.starts_with('/') { dir.to_owned() } else { format!("{}/{dir}", process.cwd) };
            let none = || refused(host, format!("`{dir}` is no directory that can be named"));
            RemotePath::from_absolute(&text).ok_or_else(none)
        };
        let dir = named(&flags.data_dir())?;
        let log = flags.wal_dir().map(named).transpose()?;
        let args = [dir.as_str(), log.as_ref().map_or("", RemotePath::as_str)];
        let ran = probe.script("look at the data", LOOK, &args, None).await?;
        if !ran.success() {
            return Err(refused(host, format!("look at the data: {}", ran.words())));
        }
        let mut parts = ran.stdout.splitn(4, |byte| *byte == 0);
        let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok()).map(str::to_owned);
        let (found, wal_dir, segment) = (text(), text(), text());
        let head = parts.next().unwrap_or_default();
        let path = |text: Option<String>| text.as_deref().and_then(RemotePath::from_absolute);
        let dir = path(found).ok_or_else(|| refused(host, format!("{dir} leads to no directory that can be named")))?;
        let none = || {
            let dir = log.clone().unwrap_or_else(|| dir.join("member/wal"));
            refused(host, format!("no write-ahead log in {dir}: this is not the directory that a member has run from"))
        };
        let wal_dir = path(wal_dir).ok_or_else(none)?;
        let file = segment.and_then(|name| wal_dir.child(&name)).ok_or_else(none)?;
        let identity = identity(head).map_err(|fault| refused(host, format!("{file}: {fault}")))?;
        Ok(Self { dir, wal_dir, identity })
    }

    /// Whether the process has a file of the log open: options and files may have been changed since it started, what it writes to is its own.
    ///
    /// # Errors
    /// As [`Probe::script`].
    pub(super) async fn is_written_by(&self, probe: &Probe, pid: u32) -> Result<bool, Failure> {
        let args = [pid.to_string(), self.wal_dir.to_string()];
        let args = args.each_ref().map(String::as_str);
        Ok(probe.script("look at the process's log", HOLDS, &args, None).await?.success())
    }

    /// How large it is, in bytes on the disk, with its log wherever that is.
    ///
    /// # Errors
    /// When `du` does not say.
    pub(super) async fn size(&self, probe: &Probe) -> Result<u64, Failure> {
        let dir = &self.dir;
        let ran = probe.script("measure the data", SIZE, &[dir.as_str(), self.wal_dir.as_str()], None).await?;
        let kib: Result<u64, _> = String::from_utf8_lossy(&ran.stdout).trim().parse();
        let kib =
            kib.map_err(|_| Failure::new(Fault::Failed, format!("{}: du {dir}: {}", probe.name(), ran.words())))?;
        Ok(kib.saturating_mul(1024))
    }
}
