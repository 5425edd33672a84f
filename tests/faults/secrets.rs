//! Whether a secret is seen where it must not be: in arguments and environments of processes while it goes on, in files when it has
//! ended.
//!
//! The secrets are real ones that every run uses: the password for sudo, and the key that logs in. Processes of the hosts are processes
//! of this machine too, so all of them are looked at, four times a second; one that lives for less may be missed. systemd's journal is
//! read as bytes, in which it keeps texts of less than 512 bytes as they are (systemd.journal-fields(7), compression).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use quorate_lab::Lab;

use super::evidence::files;

/// Between two looks at all processes; a look takes some 10 ms of one core.
const EVERY: Duration = Duration::from_millis(250);

/// No log and no file of a run is larger, but for programs and backups, which hold no secret of ours by their nature.
const LARGEST: u64 = 64 << 20;

/// Where on a host something could be left.
const PLACES: [&str; 9] = [
    "var/log",
    "run/log",
    "run/quorate",
    "run/systemd/transient",
    "var/lib/quorate",
    "tmp",
    "var/tmp",
    "root",
    "home/ops",
];

/// What must not be seen, with its name.
#[derive(Clone)]
pub(crate) struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    /// Those of a lab.
    pub(crate) fn of(lab: &Lab) -> Self {
        let password = fs::read_to_string(lab.become_password_file().unwrap()).unwrap();
        let key = fs::read_to_string(lab.identity()).unwrap();
        // Its second line is the first of what is secret in it or of its wrapping; the third is the key's own.
        let line = key.lines().nth(2).unwrap();
        assert!(password.trim().len() >= 8 && line.len() >= 40, "secrets that short are met by chance");
        Self(vec![("the password for sudo", password.trim().to_owned()), ("the key", line.to_owned())])
    }

    fn seen_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let text = String::from_utf8_lossy(bytes);
        self.0.iter().find(|(_, secret)| text.contains(secret)).map(|(name, _)| *name)
    }

    /// Looks through texts and files that are left when a cell has ended.
    pub(crate) fn left(&self, lab: &Lab, texts: &[(&str, &str)], folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for (place, text) in texts {
            found.extend(self.seen_in(text.as_bytes()).map(|name| format!("{name} in {place}")));
        }
        let mut paths: Vec<(String, PathBuf)> = vec![("the control machine".to_owned(), folder.to_owned())];
        for host in lab.site().hosts() {
            if let Some(first) = lab.host_pid(&host.name) {
                // By the host's own view, in which /run is its own.
                let root = PathBuf::from(format!("/proc/{first}/root"));
                paths.extend(PLACES.iter().map(|place| (host.name.clone(), root.join(place))));
            }
        }
        for (host, folder) in paths {
            for file in files(&folder) {
                // The key may log in: that is what the file beside the lab's is for, not one here.
                let small = fs::symlink_metadata(&file).is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
                let seen = small.then(|| fs::read(&file).ok()).flatten().and_then(|bytes| self.seen_in(&bytes));
                found.extend(seen.map(|name| format!("{name} in {file} of {host}")));
            }
        }
        found
    }
}

/// Looks at all processes until it is told to end; also at how much memory the run has.
pub(crate) struct Guard {
    stop: Arc<AtomicBool>,
    pid: Arc<AtomicU32>,
    seen: Arc<Mutex<(Vec<String>, u64)>>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    /// Begins.
    pub(crate) fn begin(secrets: &Secrets) -> Self {
        let (stop, pid) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let seen = Arc::new(Mutex::new((Vec::new(), 0)));
        let thread = {
            let (stop, pid, seen, secrets) = (Arc::clone(&stop), Arc::clone(&pid), Arc::clone(&seen), secrets.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let leaks = in_processes(&secrets);
                    let peak = peak_kib(pid.load(Ordering::Relaxed));
                    let mut seen = seen.lock().unwrap();
                    for leak in leaks {
                        if !seen.0.contains(&leak) {
                            seen.0.push(leak);
                        }
                    }
                    seen.1 = seen.1.max(peak);
                    drop(seen);
                    thread::sleep(EVERY);
                }
            })
        };
        Self { stop, pid, seen, thread: Some(thread) }
    }

    /// From now on this is the run's process.
    pub(crate) fn of(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// The most memory of a run in KiB that was seen so far.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.seen.lock().unwrap().1
    }

    /// Ends; gives where a secret was seen, and the most memory of a run in KiB.
    pub(crate) fn end(mut self) -> (Vec<String>, u64) {
        self.join();
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.join();
    }
}

fn in_processes(secrets: &Secrets) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        for (file, what) in [("cmdline", "arguments"), ("environ", "environment")] {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            if let Some(name) = secrets.seen_in(&bytes) {
                let program = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                found.push(format!("{name} in the {what} of {}", program.trim()));
            }
        }
    }
    found
}

/// The kernel's own record of the most that a process had in memory (proc(5), `VmHWM`).
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
