//! Who may log in and how: host keys, the lab's own identity, known_hosts, ssh_config, sudo.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::act::{ActError, Owner, ROOT, at, feed, own, run, write};
use crate::rootfs::OPS_UID;
use crate::site::{BASTION, Host, Site};
use crate::spec::{Sudo, User};

/// The kinds of host key each host has. RSA is left out: making one takes half a second.
pub(crate) const HOST_KEYS: [&str; 2] = ["ed25519", "ecdsa"];

/// Makes the lab's identity and, for `ops` with a password, that password.
pub(crate) fn make_identity(site: &Site) -> Result<(), ActError> {
    keygen("ed25519", &site.path("identity"), "control@quorate-lab")?;
    if asks_password(site) {
        write(&site.path("become-password"), new_password(), 0o600, ROOT)?;
    }
    Ok(())
}

/// A line that nobody guesses.
pub(crate) fn new_password() -> String {
    let letters = (0..20).map(|_| char::from(rand::Rng::sample(&mut rand::rng(), rand::distr::Alphanumeric)));
    letters.chain(['\n']).collect()
}

/// Sudo wants a password in this lab.
pub(crate) fn asks_password(site: &Site) -> bool {
    site.spec().user == User::Ops && site.spec().sudo == Sudo::Password
}

/// Writes host keys, authorized_keys and sudo's rules into a host's root file system.
pub(crate) fn furnish(site: &Site, host: &Host, root: &Path) -> Result<(), ActError> {
    let ssh = root.join("etc/ssh");
    for kind in HOST_KEYS {
        keygen(kind, &ssh.join(format!("ssh_host_{kind}_key")), &host.name)?;
    }
    let key = site.path("identity.pub");
    let key = fs::read_to_string(&key).map_err(at("read", &key))?;
    let (home, owner) = match site.spec().user {
        User::Root => (root.join("root"), ROOT),
        User::Ops => (root.join("home/ops"), Owner(OPS_UID)),
    };
    write(&home.join(".ssh/authorized_keys"), key, 0o600, owner)?;
    own(&home.join(".ssh"), 0o700, owner)?;
    if site.spec().user == User::Ops {
        let tag = if asks_password(site) { "" } else { "NOPASSWD: " };
        let rule = format!("ops ALL=(ALL:ALL) {tag}ALL\n");
        write(&root.join("etc/sudoers.d/ops"), rule, 0o440, ROOT)?;
    }
    if asks_password(site) {
        let password = site.path("become-password");
        let password = fs::read_to_string(&password).map_err(at("read", &password))?;
        let entry = format!("ops:{}\n", password.trim_end());
        let limit = Duration::from_secs(30);
        // The cheapest hash there is: Debian's own costs 60 ms a sudo, more than all else in a command on the lab's two cores.
        let hash = ["-c", "SHA512", "-s", "1000"];
        feed("chpasswd", &[&hash[..], &["-R", &root.to_string_lossy()]].concat(), &entry, limit)?;
    }
    Ok(())
}

/// Makes a key pair; one that is there goes.
pub(crate) fn keygen(kind: &str, path: &Path, comment: &str) -> Result<(), ActError> {
    let public = path.with_added_extension("pub");
    for old in [path, public.as_path()] {
        if old.exists() {
            fs::remove_file(old).map_err(at("remove", old))?;
        }
    }
    let path = path.to_string_lossy();
    run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", comment, "-f", &path]).map(drop)
}

/// Writes the lab's known_hosts from the keys the hosts have now.
pub(crate) fn write_known_hosts(site: &Site) -> Result<(), ActError> {
    let mut text = String::new();
    for host in site.hosts() {
        for kind in HOST_KEYS {
            let key = site.root_of(&host.name).join(format!("etc/ssh/ssh_host_{kind}_key.pub"));
            let key = fs::read_to_string(&key).map_err(at("read", &key))?;
            let mut words = key.split_whitespace();
            let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let _ = writeln!(text, "{},{} {kind} {key}", host.name, host.address);
        }
    }
    write(&site.path("known_hosts"), text, 0o644, ROOT)
}

/// Writes an ssh_config in which every host is known by its name and by its address.
pub(crate) fn write_ssh_config(site: &Site) -> Result<(), ActError> {
    let mut text = String::new();
    for host in site.hosts() {
        let _ = writeln!(text, "Host {} {}", host.name, host.address);
        let _ = writeln!(text, "    HostName {}", host.address);
        if site.spec().bastions > 0 && host.member {
            let _ = writeln!(text, "    ProxyJump {BASTION}");
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "Host *\n    User {}\n    IdentityFile {}\n    IdentitiesOnly yes\n    \
         UserKnownHostsFile {}\n    StrictHostKeyChecking yes",
        site.spec().user.name(),
        site.path("identity").display(),
        site.path("known_hosts").display()
    );
    write(&site.path("ssh_config"), text, 0o644, ROOT)
}
