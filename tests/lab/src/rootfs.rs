//! The hosts' root file system: a minimal Debian with systemd and its own sshd, made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::act::{ActError, at, feed, run};
use crate::cache;

/// Debian 12, whose systemd 252 and OpenSSH 9.2 are what its users have. No Python among them:
/// nothing but sshd and a POSIX shell may be asked of a host.
const SUITE: &str = "bookworm";
const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,procps,ca-certificates";

/// Goes up when what is done to the file system below changes, so that an old one is not used.
const EDITION: u32 = 1;

/// debootstrap takes 45 s on two idle cores with a near mirror; a far mirror may take ten minutes.
const DEBOOTSTRAP: Duration = Duration::from_secs(1200);

/// The numeric user and group of the account that runs etcd.
pub(crate) const ETCD_UID: u32 = 901;
/// The numeric user and group of `ops`.
pub(crate) const OPS_UID: u32 = 1001;

/// Timers and mounts that have no meaning in a host that lives for minutes.
const NEEDLESS: [&str; 8] = [
    "getty.target.wants/getty@tty1.service",
    "multi-user.target.wants/e2scrub_reap.service",
    "sysinit.target.wants/systemd-pstore.service",
    "timers.target.wants/apt-daily-upgrade.timer",
    "timers.target.wants/apt-daily.timer",
    "timers.target.wants/dpkg-db-backup.timer",
    "timers.target.wants/e2scrub_all.timer",
    "timers.target.wants/fstrim.timer",
];

/// The folder with the file system, made first when it is not in the cache.
///
/// # Errors
/// debootstrap fails, or the cache cannot be written.
pub(crate) fn base() -> Result<PathBuf, ActError> {
    cache::folder(&format!("debian-{SUITE}-{EDITION}"), make)
}

fn make(root: &Path) -> Result<(), ActError> {
    let place = root.to_string_lossy();
    let include = format!("--include={PACKAGES}");
    feed("debootstrap", &["--variant=minbase", &include, SUITE, &place], "", DEBOOTSTRAP)?;
    add_accounts(&place)?;
    let wants = root.join("etc/systemd/system");
    for unit in NEEDLESS {
        forget(&wants.join(unit))?;
    }
    // Every host gets keys of its own.
    for kind in ["rsa", "ecdsa", "ed25519"] {
        forget(&root.join(format!("etc/ssh/ssh_host_{kind}_key")))?;
        forget(&root.join(format!("etc/ssh/ssh_host_{kind}_key.pub")))?;
    }
    run("chroot", &[&*place, "apt-get", "clean"])?;
    // The archive's package lists: a fifth of the whole, and no host installs anything.
    let lists = root.join("var/lib/apt/lists");
    fs::remove_dir_all(&lists).map_err(at("remove", &lists))
}

fn add_accounts(root: &str) -> Result<(), ActError> {
    let etcd = ETCD_UID.to_string();
    let ops = OPS_UID.to_string();
    for (uid, name, extra) in [
        (&etcd, "etcd", ["--system", "--home-dir=/var/lib/etcd", "--no-create-home"]),
        (&ops, "ops", ["--shell=/bin/bash", "--home-dir=/home/ops", "--create-home"]),
    ] {
        run("chroot", &[root, "groupadd", "--gid", uid, name])?;
        let mut argv = vec![root, "useradd", "--uid", uid, "--gid", uid];
        argv.extend(extra);
        argv.push(name);
        run("chroot", &argv)?;
    }
    Ok(())
}

fn forget(path: &Path) -> Result<(), ActError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}
