//! Which processes of this machine belong to a host, and how to step into it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::Pid;

use crate::site::Site;

/// What a namespace is known by: the device and number of its file.
fn number(path: &Path) -> Option<(u64, u64)> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

fn all() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The processes that stand in a network namespace.
fn in_network(netns: &Path) -> Vec<i32> {
    let Some(wanted) = number(netns) else {
        return Vec::new();
    };
    let stands_there = |pid: &i32| number(Path::new(&format!("/proc/{pid}/ns/net"))) == Some(wanted);
    all().into_iter().filter(stands_there).collect()
}

/// The first process of a host as this machine numbers it; `None` while the host is down.
pub(crate) fn first(site: &Site, host: &str) -> Option<i32> {
    in_network(&site.netns_path(host)).into_iter().find(|pid| is_first_inside(*pid))
}

/// It is process 1 of a process namespace that is not this machine's own (`proc(5)`, `NSpid`).
fn is_first_inside(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let mut numbers = numbers.unwrap_or_default().split_whitespace();
    numbers.next().is_some() && numbers.last() == Some("1")
}

/// Every process of a host, with the keeper and nspawn outside of it: those in its control groups,
/// and whoever else stands in its network namespace.
pub(crate) fn of_host(site: &Site, host: &str) -> Vec<Pid> {
    let mut found: BTreeSet<i32> = in_network(&site.netns_path(host)).into_iter().collect();
    if let Ok(hierarchies) = fs::read_dir("/sys/fs/cgroup") {
        for hierarchy in hierarchies.flatten() {
            in_group(&hierarchy.path().join(site.cgroup(host)), &mut found);
        }
    }
    in_group(&Path::new("/sys/fs/cgroup").join(site.cgroup(host)), &mut found);
    found.into_iter().filter_map(Pid::from_raw).collect()
}

/// The processes of a host as `proc(5)` tells them: name, state and what each waits for in the kernel. For the words of an error.
pub(crate) fn states(site: &Site, host: &str) -> String {
    let told = of_host(site, host).into_iter().map(|pid| {
        let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let status = file("status");
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        format!("{pid} {} {} {}", field("Name:"), field("State:"), file("wchan"))
    });
    told.collect::<Vec<String>>().join(", ")
}

fn in_group(group: &Path, found: &mut BTreeSet<i32>) {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
    let Ok(entries) = fs::read_dir(group) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            in_group(&entry.path(), found);
        }
    }
}

/// `nsenter`'s arguments that put a command into the host whose first process is given.
pub(crate) fn enter(first: i32) -> Vec<String> {
    let mut arguments = vec![format!("--target={first}")];
    let namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "--"];
    arguments.extend(namespaces.map(str::to_owned));
    arguments
}
