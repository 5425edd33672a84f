//! A small disk of the control machine that can be filled to the last block.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use quorate_lab::{HEALTHY, wait_until};

use super::control::{Control, Running};

/// A small disk of the control machine; let go of at the test's end.
pub(crate) struct SmallDisk(PathBuf);

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

impl SmallDisk {
    /// In place of the folder in which runs are kept. Blocks of 1 KiB, so that no more than that is left to write when it is full.
    pub(crate) fn of(control: &Control) -> Self {
        let (image, folder) = (control.path("small.img"), control.path("state"));
        File::create(&image).unwrap().set_len(64 << 20).unwrap();
        fs::create_dir(&folder).unwrap();
        run("mkfs.ext4", &["-q", "-F", "-m0", "-b1024", image.to_str().unwrap()]);
        run("mount", &["-o", "loop", image.to_str().unwrap(), folder.to_str().unwrap()]);
        Self(folder)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all that is free, and what the journal has put aside for itself: while the run stands still, its file is cut to its own size.
    pub(crate) fn fill(&self, run_in_hand: &Running) {
        let pid = run_in_hand.pid().to_string();
        run("kill", &["-STOP", &pid]);
        let stopped = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ");
        wait_until("the run to stand still", HEALTHY, || if stopped() { Ok(()) } else { Err("it runs".to_owned()) })
            .unwrap();
        let runs = fs::read_dir(self.0.join("runs")).unwrap();
        for journal in runs.map(|run| run.unwrap().path().join("journal.jsonl")) {
            let file = File::options().write(true).open(journal).unwrap();
            file.set_len(file.metadata().unwrap().len()).unwrap();
        }
        let mut filler = File::create(self.filler()).unwrap();
        let mut size = 1 << 20;
        while size >= 1 {
            match filler.write_all(&vec![0; size]).and_then(|()| filler.sync_data()) {
                Ok(()) => {}
                Err(_) => size /= 2,
            }
        }
        run("kill", &["-CONT", &pid]);
    }
}

impl SmallDisk {
    /// Gives back all that was taken.
    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A test that failed may leave a run that holds it; it goes with that run.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
