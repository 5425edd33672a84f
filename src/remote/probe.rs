//! What we may ask a host; none of it changes anything.

use super::{RemoteHost, RemotePath};

/// What may be asked of a host.
#[derive(Clone)]
pub struct Probe {
    pub(super) host: RemoteHost,
}

/// How a command on a host ended, with what it printed.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; 128 + n if signal n ended it.
    pub rc: i32,
    /// Standard output: data of the host.
    pub stdout: Vec<u8>,
    /// Standard error: data of the host.
    pub stderr: Vec<u8>,
    /// Whether any of both was cut at the cap.
    pub cut: bool,
}

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
    /// Owner's name, if it has one.
    pub owner: String,
    /// Group's name, if it has one.
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
    /// Bytes free for us.
    pub free: u64,
    /// Inodes free; `None` where the file system has no such limit.
    pub inodes: Option<u64>,
}

/// What systemd says of a unit.
#[derive(Clone, Debug, Default)]
pub struct UnitState {
    /// Every property asked for, as `systemctl show` printed it.
    pub properties: std::collections::BTreeMap<String, String>,
}
