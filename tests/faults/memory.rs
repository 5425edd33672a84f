//! A control group with little memory, in which a run must do; and no memory at all, where the kernel is to kill it.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use quorate_lab::{HEALTHY, Lab, wait_until};

/// What a run may have.
pub(crate) const MOST: u64 = 256 << 20;

/// The group; goes with this value, and with its lab.
pub(crate) struct Memory {
    group: PathBuf,
    /// The files' names differ between versions 1 and 2 of control groups.
    old: bool,
    /// Kills that were wanted.
    wanted: Cell<u64>,
}

impl Memory {
    /// Makes it, beside those of the lab's hosts, so that whoever takes the lab down takes it away too.
    pub(crate) fn of(lab: &Lab) -> Self {
        let root = PathBuf::from("/sys/fs/cgroup");
        let old = root.join("memory").exists();
        let place = PathBuf::from("quorate-lab").join(&lab.site().spec().name).join("a-run");
        let group = if old { root.join("memory").join(place) } else { root.join(place) };
        fs::create_dir_all(&group).unwrap();
        let memory = Self { group, old, wanted: Cell::new(0) };
        fs::write(memory.limit(), MOST.to_string()).unwrap();
        memory
    }

    fn limit(&self) -> PathBuf {
        self.group.join(if self.old { "memory.limit_in_bytes" } else { "memory.max" })
    }

    /// Puts a process into it.
    pub(crate) fn hold(&self, pid: u32) {
        fs::write(self.group.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// How often the kernel has killed in it for want of memory, unasked.
    pub(crate) fn kills(&self) -> u64 {
        self.all_kills() - self.wanted.get()
    }

    fn all_kills(&self) -> u64 {
        let text = fs::read_to_string(self.group.join(if self.old { "memory.oom_control" } else { "memory.events" }));
        let text = text.unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
        count.unwrap_or_else(|| panic!("no count of kills: {text}"))
    }

    /// Takes all memory there is in it, until the kernel has killed the process that it is told to choose first.
    pub(crate) fn exhaust(&self, pid: u32) {
        let (before, room) = (self.all_kills(), self.limit());
        fs::write(format!("/proc/{pid}/oom_score_adj"), "1000").unwrap();
        let script = "echo $$ >\"$1/cgroup.procs\" && exec tail /dev/zero";
        let mut command = Command::new("sh");
        command.args(["-c", script, "-"]).arg(&self.group).stdin(Stdio::null()).stdout(Stdio::null());
        let glutton = Glutton(command.spawn().unwrap());
        wait_until("the kernel to kill for want of memory", HEALTHY, || {
            if self.all_kills() > before { Ok(()) } else { Err(format!("nobody was killed: {}", room.display())) }
        })
        .unwrap();
        drop(glutton);
        self.wanted.set(self.wanted.get() + self.all_kills() - before);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // What is still in it is the lab's to end.
        let _ = fs::remove_dir(&self.group);
    }
}

struct Glutton(Child);

impl Drop for Glutton {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
