//! The networks: one namespace a machine, all plugged into bridges in one more namespace.
//!
//! Nothing is added to the machine's own network, and no traffic can leave the lab: there is no
//! route out of it.

use std::fmt::Write as _;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::act::{ActError, at, feed};
use crate::site::{Net, SWITCH, Site};

/// `ip` does a batch in milliseconds; this is for a busy machine.
const BATCH: Duration = Duration::from_secs(30);

/// Makes all namespaces, bridges and cables of a lab.
///
/// # Errors
/// `ip` says no.
pub(crate) fn up(site: &Site) -> Result<(), ActError> {
    let switch = site.netns(SWITCH);
    let mut names = format!("netns add {switch}\n");
    let mut cables = String::new();
    for net in [Net::Front, Net::Back] {
        let bridge = net.bridge();
        let _ = writeln!(cables, "link add {bridge} type bridge\nlink set {bridge} up");
    }
    let plugs = site.plugs();
    for (who, interfaces) in &plugs {
        let netns = site.netns(who);
        let _ = writeln!(names, "netns add {netns}");
        for (number, (net, _)) in interfaces.iter().enumerate() {
            // Interface names have at most 15 characters.
            let port = format!("{who}{number}");
            let bridge = net.bridge();
            let _ = writeln!(
                cables,
                "link add {port} type veth peer name eth{number} netns {netns}\n\
                 link set {port} master {bridge} up"
            );
        }
    }
    feed("ip", &["-batch", "-"], &names, BATCH)?;
    feed("ip", &["-n", &switch, "-batch", "-"], &cables, BATCH)?;
    for (who, interfaces) in &plugs {
        let mut lines = "link set lo up\n".to_owned();
        for (number, (_, address)) in interfaces.iter().enumerate() {
            let _ = writeln!(lines, "addr add {address}/24 dev eth{number}\nlink set eth{number} up");
        }
        feed("ip", &["-n", &site.netns(who), "-batch", "-"], &lines, BATCH)?;
    }
    Ok(())
}

/// Loads a set of nftables rules in a namespace.
///
/// # Errors
/// `nft` says no.
pub(crate) fn filter(site: &Site, who: &str, rules: &str) -> Result<(), ActError> {
    let place = format!("--net={}", site.netns_path(who).display());
    feed("nsenter", &[&place, "nft", "-f", "-"], rules, BATCH).map(drop)
}

/// Runs `work` on a thread that stands in the given network namespace, and gives what it gives.
///
/// # Errors
/// The namespace is not there, or the thread died.
pub(crate) fn inside<T: Send>(netns: &Path, work: impl FnOnce() -> T + Send) -> Result<T, ActError> {
    thread::scope(|scope| {
        let walker = scope.spawn(|| {
            let door = File::open(netns)?;
            move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        });
        walker.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread died inside")))
    })
    .map_err(at("enter", netns))
}
