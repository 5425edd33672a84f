//! A host that has become another one overnight: new host keys, another binary.

use std::fs;
use std::path::Path;

use crate::act::{ROOT, at, copy, copy_program};
use crate::lab::{Lab, LabError};
use crate::login::{HOST_KEYS, keygen};
use crate::member::{PROGRAM_DIR, inside};
use crate::site::Host;

/// Gives a host new host keys (the old ones are kept beside the lab's files) or its old ones back,
/// and restarts sshd. Sessions that are open go on.
pub(super) fn host_key(lab: &Lab, host: &Host, on: bool) -> Result<(), LabError> {
    let kept = lab.site().host_dir(&host.name).join("old-keys");
    let ssh = lab.site().root_of(&host.name).join("etc/ssh");
    for kind in HOST_KEYS {
        let name = format!("ssh_host_{kind}_key");
        for (name, mode) in [(name.clone(), 0o600), (format!("{name}.pub"), 0o644)] {
            let (live, old) = (ssh.join(&name), kept.join(&name));
            match (on, old.exists()) {
                (true, false) => copy(&live, &old, mode, ROOT)?,
                (false, true) => copy(&old, &live, mode, ROOT)?,
                _ => {}
            }
        }
        if on {
            keygen(kind, &ssh.join(&name), &host.name)?;
        }
    }
    lab.must(&host.name, &["systemctl", "restart", "ssh.service"])
}

/// Puts a file where etcd's binary is, or the old one back, by rename: the running process keeps
/// the file it was started from.
pub(super) fn binary(lab: &Lab, host: &Host, file: &Path, on: bool) -> Result<(), LabError> {
    let kept = lab.site().host_dir(&host.name).join("old-etcd");
    let place = inside(&lab.site().root_of(&host.name), PROGRAM_DIR);
    let (live, new) = (place.join("etcd"), place.join(".etcd.lab"));
    if on && !kept.exists() {
        copy_program(&live, &kept)?;
    }
    copy_program(if on { file } else { &kept }, &new)?;
    fs::rename(&new, &live).map_err(at("rename", &new))?;
    Ok(())
}
