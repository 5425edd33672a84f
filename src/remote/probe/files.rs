//! Questions about files, folders and file systems.

use std::time::Duration;

use tokio::io::AsyncWrite;

use super::{Probe, Streamed};
use crate::remote::{Attributes, RemoteError, RemotePath};

/// GNU find's own fields, numbers first; what can hold any byte stands between NULs.
/// With `follow`, `-H` follows the path itself; a link that leads nowhere then still shows as a link.
const STAT: &str = r#"
exec find "$2" "$1" -maxdepth 0 -printf '%y %m %U %G %s %T@ %i %D %n\0%u\0%g\0\0%l\0'
"#;
const LIST: &str = r#"
exec find "$1/" -mindepth 1 -maxdepth 1 -printf '%y %m %U %G %s %T@ %i %D %n\0%u\0%g\0%f\0%l\0'
"#;
/// A pipe or device would block or never end.
const READ: &str = r#"
[ -e "$1" ] || { ls -dL -- "$1" >/dev/null; exit 1; }
[ -f "$1" ] || { echo "not a regular file" >&2; exit 1; }
exec cat -- "$1"
"#;
const SUM: &str = r#"
[ -e "$2" ] || { ls -dL -- "$2" >/dev/null; exit 1; }
[ -f "$2" ] || { echo "not a regular file" >&2; exit 1; }
exec "$1" < "$2"
"#;
const CANONICAL: &str = r#"exec readlink -n -e -- "$1""#;
/// `df` of the nearest folder that exists, a line; the options of its mount, a line; whether it may be written to.
const SPACE: &str = r#"
p=$1
while [ ! -e "$p" ]; do p=${p%/*}; [ -n "$p" ] || p=/; done
df -B1 --output=avail,itotal,iavail,target -- "$p" && df --output=source -- "$p" || exit 1
options=$(findmnt -nro OPTIONS --target "$p" 2>/dev/null | tail -n 1); printf '%s\n' "$options"
if [ -w "$p" ]; then echo yes; else echo no; fi
"#;
const DIFFERS: &str = r#"
p=$1 mode=$2 owner=$3 group=$4 depth=$5
set -- "$p" -maxdepth "$depth" '('
[ -z "$mode" ] || set -- "$@" '(' ! -type l ! -perm "$mode" ')' -o
[ -z "$owner" ] || set -- "$@" ! -user "$owner" -o
[ -z "$group" ] || set -- "$@" ! -group "$group" -o
exec find "$@" -false ')' -printf y -quit
"#;

/// The longest list of a folder: some 50,000 names.
const LIST_CAP: usize = 8 * 1024 * 1024;
/// The slowest link that we wait for when a file is carried; and the least time given to it.
pub(in crate::remote) const SLOWEST_BYTES_PER_S: u64 = 64 * 1024;
pub(in crate::remote) const SHORTEST_CARRY: Duration = Duration::from_secs(60);

/// What `stat` says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `file`, `directory`, `link`, `fifo`, `socket`, `char`, `block`.
    pub kind: &'static str,
    /// Permission bits, setuid, setgid and sticky included.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Owner's name; empty if it has none.
    pub owner: String,
    /// Group's name; empty if it has none.
    pub group: String,
    /// Bytes.
    pub size: u64,
    /// Seconds since the epoch.
    pub mtime: i64,
    /// Inode number.
    pub inode: u64,
    /// Device number.
    pub device: u64,
    /// Hard links.
    pub links: u64,
    /// Where a link points.
    pub target: Option<String>,
}

/// One name in a folder.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The name: data of the host.
    pub name: String,
    /// What it is.
    pub stat: Stat,
}

/// Room on the file system that a path is (or would be) on.
#[derive(Clone, Debug)]
pub struct Space {
    /// Where it is mounted.
    pub mount: RemotePath,
    /// What is mounted there: data of the host.
    pub device: String,
    /// Bytes free for us.
    pub free: u64,
    /// Inodes free; `None` where the file system has no such limit.
    pub inodes: Option<u64>,
    /// Why nothing can be written there, however much is free; `None` where it seems that it can.
    pub refuses: Option<&'static str>,
}

impl Probe {
    /// What is at `path`, or nothing; of a link, what it leads to if `follow`.
    ///
    /// # Errors
    /// When it can't be known: no permission to look, or no answer.
    pub async fn stat(&self, path: &RemotePath, follow: bool) -> Result<Option<Stat>, RemoteError> {
        let act = format!("stat {path}");
        let ran = self.script(&act, STAT, &[path.as_str(), if follow { "-H" } else { "-P" }], None).await?;
        if !ran.success() {
            let said = String::from_utf8_lossy(&ran.stderr);
            let none = said.contains("No such file or directory") || said.contains("Not a directory");
            return if none { Ok(None) } else { Err(self.host.failed(&act, ran.words())) };
        }
        let found = entries(&ran.stdout).and_then(|found| found.into_iter().next());
        let Some(found) = found else { return Err(self.host.answer(&act, "not what find prints")) };
        Ok((!follow || found.stat.kind != "link").then_some(found.stat))
    }

    /// What is in a folder, in the order of names.
    ///
    /// # Errors
    /// When it is no folder, can't be read, or holds more than 8 MiB of names.
    pub async fn list(&self, folder: &RemotePath) -> Result<Vec<Listing>, RemoteError> {
        let act = format!("list {folder}");
        let printed = self.ask(&act, LIST, &[folder.as_str()], LIST_CAP).await?;
        let found = entries(&printed);
        let mut found = found.ok_or_else(|| self.host.answer(&act, "not what find prints"))?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The bytes of a regular file.
    ///
    /// # Errors
    /// When it can't be read, is no regular file, or is longer than `cap` bytes.
    pub async fn read(&self, path: &RemotePath, cap: usize) -> Result<Vec<u8>, RemoteError> {
        self.ask(&format!("read {path}"), READ, &[path.as_str()], cap).await
    }

    /// The SHA-256 of a regular file, in hex.
    ///
    /// # Errors
    /// When it can't be read or is no regular file.
    pub async fn sha256(&self, path: &RemotePath) -> Result<String, RemoteError> {
        self.sum("sha256sum", 64, path).await
    }

    /// The SHA-1 of a regular file, in hex: Ansible's `checksum`. Nothing is trusted because of it.
    ///
    /// # Errors
    /// When it can't be read or is no regular file.
    pub async fn sha1(&self, path: &RemotePath) -> Result<String, RemoteError> {
        self.sum("sha1sum", 40, path).await
    }

    async fn sum(&self, program: &str, digits: usize, path: &RemotePath) -> Result<String, RemoteError> {
        let act = format!("{program} {path}");
        let printed = self.ask(&act, SUM, &[program, path.as_str()], 4096).await?;
        let text = String::from_utf8_lossy(&printed);
        let sum = text.split_whitespace().next().unwrap_or_default();
        if sum.len() == digits && sum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(sum.to_owned());
        }
        Err(self.host.answer(&act, format!("expected {digits} hex digits, found {text:?}")))
    }

    /// The path with every link in it followed.
    ///
    /// # Errors
    /// When it leads nowhere.
    pub async fn canonical(&self, path: &RemotePath) -> Result<RemotePath, RemoteError> {
        let act = format!("follow {path}");
        let ran = self.script(&act, CANONICAL, &[path.as_str()], None).await?;
        if !ran.success() {
            return Err(self.host.failed(&act, "leads nowhere"));
        }
        let text = String::from_utf8(ran.stdout).ok();
        let path = text.as_deref().and_then(RemotePath::from_absolute);
        path.ok_or_else(|| self.host.answer(&act, "no absolute path"))
    }

    /// The room on the file system that `path` is on, or would be on once made.
    ///
    /// # Errors
    /// When `df` can't say.
    pub async fn space(&self, path: &RemotePath) -> Result<Space, RemoteError> {
        let act = format!("df {path}");
        let printed = self.ask(&act, SPACE, &[path.as_str()], 64 * 1024).await?;
        let text = String::from_utf8_lossy(&printed);
        space(&text).ok_or_else(|| self.host.answer(&act, format!("not what df prints: {text:?}")))
    }

    /// Whether mode, owner or group of `path` (of anything in it, if `recurse`) are not as asked. Links count for owner and
    /// group only, since Linux gives them no mode.
    ///
    /// # Errors
    /// When it can't be looked at, or there is no such user or group.
    pub async fn differs(&self, path: &RemotePath, want: &Attributes, recurse: bool) -> Result<bool, RemoteError> {
        let act = format!("compare attributes of {path}");
        let owner = want.owner.as_deref().unwrap_or_default();
        let group = want.group.as_deref().unwrap_or_default();
        let mode = super::octal(want);
        let depth = if recurse { "2147483647" } else { "0" };
        Ok(!self.ask(&act, DIFFERS, &[path.as_str(), &mode, owner, group, depth], 4096).await?.is_empty())
    }

    /// Carries a regular file of `size` bytes here, into `sink`, which is shut down at the end; answers its SHA-256 as it came. What is longer
    /// than was told before is cut off where it is too long, so that no host fills a disk here.
    ///
    /// # Errors
    /// When it can't be read, is no regular file, has more or fewer bytes, or does not come within its size at 64 KiB/s (at least 60 s).
    pub async fn download(
        &self,
        path: &RemotePath,
        size: u64,
        sink: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<String, RemoteError> {
        let act = format!("download {path}");
        let Streamed { ran, bytes, sha256 } =
            self.stream(&act, READ, &[path.as_str()], sink, carry_deadline(size), size).await?;
        if !ran.success() {
            return Err(self.host.failed(&act, ran.words()));
        }
        if bytes < size {
            return Err(self.host.answer(&act, format!("expected {size} bytes, found {bytes}")));
        }
        Ok(sha256)
    }
}

/// How long carrying `size` bytes may take.
pub(in crate::remote) fn carry_deadline(size: u64) -> Duration {
    Duration::from_secs(size / SLOWEST_BYTES_PER_S).max(SHORTEST_CARRY)
}

/// Five fields an entry, each ended by NUL.
fn entries(printed: &[u8]) -> Option<Vec<Listing>> {
    let mut fields: Vec<&[u8]> = printed.split(|byte| *byte == 0).collect();
    // What is after the last NUL: nothing.
    fields.pop().filter(|rest| rest.is_empty())?;
    if !fields.len().is_multiple_of(5) {
        return None;
    }
    fields.chunks_exact(5).map(entry).collect()
}

fn entry(fields: &[&[u8]]) -> Option<Listing> {
    let [numbers, owner, group, name, target] = fields else { return None };
    let numbers = std::str::from_utf8(numbers).ok()?;
    let numbers: Vec<&str> = numbers.split(' ').collect();
    let [kind, mode, uid, gid, size, mtime, inode, device, links] = numbers.as_slice() else { return None };
    let kind = match *kind {
        "f" => "file",
        "d" => "directory",
        "l" => "link",
        "p" => "fifo",
        "s" => "socket",
        "c" => "char",
        "b" => "block",
        _ => return None,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // find prints the number where there is no name.
    let named = |bytes: &[u8], id: &str| if bytes == id.as_bytes() { String::new() } else { text(bytes) };
    let stat = Stat {
        kind,
        mode: u32::from_str_radix(mode, 8).ok()?,
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        owner: named(owner, uid),
        group: named(group, gid),
        size: size.parse().ok()?,
        mtime: mtime.split('.').next()?.parse().ok()?,
        inode: inode.parse().ok()?,
        device: device.parse().ok()?,
        links: links.parse().ok()?,
        target: (kind == "link").then(|| text(target)),
    };
    Some(Listing { name: text(name), stat })
}

/// The second line of each `df`: numbers and mount point, then the device.
fn space(text: &str) -> Option<Space> {
    let lines: Vec<&str> = text.lines().collect();
    let [_, numbers, _, device, options, writable] = lines.as_slice() else { return None };
    let (free, rest) = numbers.trim_start().split_once(' ')?;
    let (total, rest) = rest.trim_start().split_once(' ')?;
    let (inodes, mount) = rest.trim_start().split_once(' ')?;
    Some(Space {
        mount: RemotePath::from_absolute(mount.trim_start())?,
        device: device.trim().to_owned(),
        free: free.parse().ok()?,
        refuses: refuses(options, writable),
        // btrfs counts none in all; df prints `-` where there is no count.
        inodes: if matches!(total, "0" | "-") { None } else { Some(inodes.parse().ok()?) },
    })
}

/// Of ext4 that met an error and was mounted with `errors=remount-ro`, root is told that he may write, from Linux 6.15 on: only an option of
/// the mount says otherwise (6.18 seen in the lab 2026-11-28).
fn refuses(options: &str, writable: &str) -> Option<&'static str> {
    let is = |option: &str| options.trim().split(',').any(|one| one == option);
    if is("emergency_ro") {
        return Some("its file system has met an error and takes no more writes");
    }
    if is("shutdown") {
        return Some("its file system was shut down");
    }
    if is("ro") {
        return Some("it is mounted read-only");
    }
    (writable.trim() == "no").then_some("it cannot be written to")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_takes_no_writes_is_told_by_its_mount_or_by_the_kernel() {
        let of = |options: &str, writable: &str| {
            let text =
                format!("Avail Inodes IFree Mounted on\n 5 6 7 /data\nFilesystem\n/dev/sdb1\n{options}\n{writable}\n");
            space(&text).unwrap().refuses
        };
        assert_eq!((of("rw,relatime,errors=remount-ro", "yes"), of("", "yes")), (None, None));
        assert!(of("ro,relatime", "no").unwrap().contains("read-only"));
        assert!(of("rw,relatime,emergency_ro", "yes").unwrap().contains("met an error"));
        assert!(of("rw,shutdown", "yes").unwrap().contains("shut down"));
        // Where findmnt is not to be had, and of a folder that was made immutable.
        assert!(of("", "no").unwrap().contains("cannot be written to"));
        assert!(space("Avail Inodes IFree Mounted on\n 5 6 7 /data\nFilesystem\n/dev/sdb1\n").is_none());
    }
}
