//! An etcd member as people set one up: an own user, a unit with `Restart=always`, its flags partly
//! in `/etc/default/etcd` and partly on the command line.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::act::{Owner, ROOT, at, copy_program, folder, own, write};
use crate::binaries;
use crate::lab::LabError;
use crate::rootfs::ETCD_UID;
use crate::site::{Host, Site};
use crate::{tls, version};

/// Where the programs are on a host.
pub const PROGRAM_DIR: &str = "/usr/local/bin";
/// The unit's name.
pub const UNIT: &str = "etcd.service";
/// The data directory on a host; a mount of its own disk, as with a dedicated drive.
pub const DATA_DIR: &str = "/var/lib/etcd";

/// etcd's own defaults, written out because people do. Milliseconds.
const HEARTBEAT: u32 = 100;
const ELECTION: u32 = 1000;

/// Writes binaries, unit, environment file and certificates into a host's root file system.
pub(crate) fn furnish(site: &Site, host: &Host, root: &Path, programs: &Path) -> Result<(), LabError> {
    for program in binaries::release(&site.spec().etcd)?.programs() {
        let to = inside(root, PROGRAM_DIR).join(program);
        copy_program(&programs.join(program), &to)?;
    }
    write(&root.join("etc/default/etcd"), environment(site, host), 0o644, ROOT)?;
    let unit = root.join("etc/systemd/system").join(UNIT);
    write(&unit, unit_text(site, host), 0o644, ROOT)?;
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    folder(&wants, 0o755, ROOT)?;
    let link = wants.join(UNIT);
    symlink(format!("/etc/systemd/system/{UNIT}"), &link).map_err(at("link", &link))?;
    // The mount point; the data disk's own folder is mounted over it.
    let data = inside(root, DATA_DIR);
    folder(&data, 0o700, Owner(ETCD_UID))?;
    if site.spec().tls {
        let place = inside(root, tls::HOST_DIR);
        folder(&place, 0o755, ROOT)?;
        for name in tls::member_files() {
            let from = site.path("tls").join(&host.name).join(name);
            fs::copy(&from, place.join(name)).map_err(at("copy", &from))?;
            own(&place.join(name), 0o600, Owner(ETCD_UID))?;
        }
    }
    Ok(())
}

/// A host's absolute path below its root as seen from this machine.
pub(crate) fn inside(root: &Path, path: &str) -> std::path::PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn unit_text(site: &Site, host: &Host) -> String {
    let scheme = site.scheme();
    let address = host.address;
    // etcd says "ready" to systemd from 2.2 on (`etcdmain/etcd.go`, `sd_notify`); a unit of type
    // notify under an older one never gets active.
    let kind = if speaks_notify(&site.spec().etcd) { "notify" } else { "simple" };
    format!(
        "[Unit]\n\
         Description=etcd key-value store\n\
         Documentation=man:etcd\n\
         After=network.target\n\
         \n\
         [Service]\n\
         Type={kind}\n\
         User=etcd\n\
         EnvironmentFile=/etc/default/etcd\n\
         ExecStart={PROGRAM_DIR}/etcd \\\n    \
             --listen-peer-urls={scheme}://{address}:2380 \\\n    \
             --initial-advertise-peer-urls={scheme}://{address}:2380 \\\n    \
             --heartbeat-interval={HEARTBEAT} --election-timeout={ELECTION}\n\
         Restart=always\n\
         RestartSec=1s\n\
         LimitNOFILE=65536\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

fn speaks_notify(version: &str) -> bool {
    version::minor(version) >= Some((2, 2))
}

fn environment(site: &Site, host: &Host) -> String {
    let scheme = site.scheme();
    let mut cluster = Vec::new();
    for member in site.members() {
        cluster.push(format!("{}={scheme}://{}:2380", member.name, member.address));
    }
    let mut text = "# Settings of etcd; its unit adds what differs in kind.\n".to_owned();
    let urls = format!("{scheme}://{}:2379", host.address);
    for (name, value) in [
        ("NAME", host.name.clone()),
        ("DATA_DIR", DATA_DIR.to_owned()),
        ("LISTEN_CLIENT_URLS", format!("{urls},{scheme}://127.0.0.1:2379")),
        ("ADVERTISE_CLIENT_URLS", urls),
        ("INITIAL_CLUSTER", cluster.join(",")),
        ("INITIAL_CLUSTER_STATE", "new".to_owned()),
        ("INITIAL_CLUSTER_TOKEN", format!("lab-{}", site.spec().name)),
    ] {
        let _ = writeln!(text, "ETCD_{name}=\"{value}\"");
    }
    if site.spec().enable_v2 {
        text.push_str("ETCD_ENABLE_V2=\"true\"\n");
    }
    // The cheapest hash there is, as in `ops`' password: at 10, the default, each login of a client costs 70 ms of the lab's two cores.
    // The option came with 3.4 (etcd CHANGELOG-3.4).
    if site.spec().auth && version::minor(&site.spec().etcd) >= Some((3, 4)) {
        text.push_str("ETCD_BCRYPT_COST=\"4\"\n");
    }
    if site.spec().tls {
        for (name, value) in tls::settings(&site.spec().etcd) {
            let _ = writeln!(text, "ETCD_{name}=\"{value}\"");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn the_unit_is_simple_before_2_2_and_notify_after() {
        for (version, kind) in [("2.0.5", "simple"), ("2.1.1", "simple"), ("2.2.5", "notify"), ("3.7.3", "notify")] {
            let site = Site::new(Spec { etcd: version.to_owned(), ..Spec::default() });
            let host = site.members().remove(0);
            assert!(unit_text(&site, &host).contains(&format!("Type={kind}\n")), "{version}");
        }
    }

    #[test]
    fn the_environment_lists_the_whole_cluster() {
        let site = Site::new(Spec::default());
        let text = environment(&site, &site.members().remove(0));
        for host in site.members() {
            assert!(text.contains(&format!("{}=http://{}:2380", host.name, host.address)));
        }
    }
}
