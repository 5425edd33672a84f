//! The control machine's disk full in the middle of a roll: the member in hand is waited for, and no other is begun.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use quorate_lab::{HEALTHY, Lab, wait_until};
use serde_json::Value;

use super::TURNS;
use super::control::{Control, NEW, OLD, Running, nothing_lost};
use super::window::{LOAD, Step};

/// A small disk of the control machine; let go of at the test's end.
struct SmallDisk(PathBuf);

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

impl SmallDisk {
    /// In place of the folder in which runs are kept. Blocks of 1 KiB, so that no more than that is left to write when it is full.
    fn of(control: &Control) -> Self {
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
    fn fill(&self, run_in_hand: &Running) {
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

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A test that failed may leave a run that holds it; it goes with that run.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_roll_lets_the_member_in_hand_end_and_begins_no_other() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().members(3).etcd(OLD).start().unwrap());
    control.slow_down();
    let disk = SmallDisk::of(&control);
    let load = control.lab.load(LOAD).unwrap();
    let mut begun = control.start(control.upgrade());
    let window = control.next_window(&control.touched(), &mut begun);
    window.wait(Step::Stop, &mut begun);
    disk.fill(&begun);
    let ran = begun.end();
    ran.exits(7);
    ran.says(&["No space left on device"]);
    // The gate was waited for, and the operator was told.
    let of = |kind: &str| ran.events.iter().filter(|event| event["event"] == kind).collect::<Vec<&Value>>();
    assert_eq!(of("member_rolled").len(), 1, "{}", ran.text);
    assert_eq!(
        (&of("member_rolled")[0]["host"], &of("halted")[0]["fault"]),
        (&window.host.as_str().into(), &"disk".into())
    );
    assert_eq!(of("run_ended")[0].get("head"), None, "its journal has no end");
    assert_eq!(window.outcome(), "done");
    assert!(control.touched().iter().eq([&window.host]), "{:?}", control.touched());
    control.lab.wait_healthy(HEALTHY).unwrap();
    assert_eq!(control.versions().iter().filter(|version| *version == NEW).count(), 1);

    // Nothing can be begun on a full disk, and what is there is read all the same.
    let again = control.run(control.upgrade());
    again.exits(7);
    assert!(again.events.is_empty(), "{}", again.text);
    let listed = control.of_runs(&["runs"]);
    assert!(listed.contains("killed: it ended without a word"), "{listed}");
    let report = control.of_runs(&["report", "last"]);
    assert!(report.contains(&format!("  {}: in doubt: stop etcd.service, swap", window.host)), "{report}");
    assert_eq!(report.matches(": untouched\n").count(), 2, "{report}");

    fs::remove_file(disk.filler()).unwrap();
    control.run(control.upgrade()).exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
