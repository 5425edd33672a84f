//! Who changes files on the members' data disks, as the kernel tells it.
//!
//! A fanotify mark on each data disk's file system, set from outside the hosts: every file that is made, removed, renamed or written, or
//! whose mode or owner changes, with the process that did it. What this process itself does is a fault that it makes, and is left out.
//! Not seen: reads; changes made while a host is without power and its disk
//! not mounted; and, after such a boot, what happens between the mount and the new mark (some tenths of a second, in which etcd's
//! service is not started yet).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use quorate_lab::{HEALTHY, Lab, PROGRAM_DIR, wait_until};

/// The watcher's program.
const SOURCE: &str = include_str!("data_watch.c");

/// Watches; ends when it is dropped.
pub(crate) struct DataWatch {
    child: Child,
    told: PathBuf,
}

impl DataWatch {
    /// Begins, on all members' data disks. `folder` is where the program and what it tells are kept.
    pub(crate) fn begin(lab: &Lab, folder: &Path) -> Self {
        let program = folder.join("data-watch");
        if !program.exists() {
            let source = folder.join("data-watch.c");
            fs::write(&source, SOURCE).unwrap();
            let status = Command::new("gcc").args(["-O1", "-o"]).arg(&program).arg(&source).status().unwrap();
            assert!(status.success(), "gcc: {status}");
        }
        let count = fs::read_dir(folder).unwrap().count();
        let told = folder.join(format!("{count}.changes"));
        let disks = lab.members().into_iter().map(|host| lab.site().host_dir(&host.name).join("data"));
        let mut command = Command::new(&program);
        command.args(disks).stdin(Stdio::null()).stdout(File::create(&told).unwrap());
        let watch = Self { child: command.spawn().unwrap(), told };
        wait_until("the watcher of the data disks", HEALTHY, || {
            let told = fs::read_to_string(&watch.told).unwrap();
            if told.starts_with("watching\n") { Ok(()) } else { Err(told) }
        })
        .unwrap();
        watch
    }

    /// Ends, and gives each change that was made by another program than etcd.
    pub(crate) fn end(self) -> Vec<String> {
        let told = self.told.clone();
        drop(self);
        strangers(&fs::read_to_string(told).unwrap())
    }
}

impl Drop for DataWatch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was told of others than etcd. A process that was etcd once is etcd also in what is told of it after its end.
fn strangers(told: &str) -> Vec<String> {
    let etcd = format!("{PROGRAM_DIR}/etcd");
    let harness = std::env::current_exe().unwrap().display().to_string();
    let own = |program: &str| program == etcd || program.starts_with(&format!("{etcd}.")) || program == harness;
    let fields = |line: &'_ str| line.split_once(' ').map(|(program, rest)| (program.to_owned(), rest.to_owned()));
    let known: BTreeSet<String> = told
        .lines()
        .filter_map(fields)
        .filter(|(program, _)| own(program))
        .filter_map(|(_, rest)| rest.split(' ').next().map(str::to_owned))
        .collect();
    let stranger = |line: &&str| {
        let Some((program, rest)) = fields(line) else { return false };
        let pid = rest.split(' ').next().unwrap_or_default();
        !(own(&program) || program == "?" && known.contains(pid))
    };
    told.lines().filter(stranger).map(str::to_owned).collect()
}

#[test]
fn etcd_is_no_stranger_also_after_its_end_and_everybody_else_is() {
    let told = "watching\n/usr/local/bin/etcd 7 create, 0.wal\n/usr/local/bin/etcd.2.0.5 9 modify, 0.wal\n? 7 modify, 0.wal\n\
                ? 8 delete, 0.wal\n/usr/bin/rm 10 delete, 0.wal\n/usr/local/bin/etcdctl 11 create, x\n";
    let found = strangers(told);
    assert_eq!(found, ["? 8 delete, 0.wal", "/usr/bin/rm 10 delete, 0.wal", "/usr/local/bin/etcdctl 11 create, x"]);
}
