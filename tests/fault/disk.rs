//! The control machine's disk full in the middle of a roll: the member in hand is waited for, and no other is begun.

use quorate_lab::{HEALTHY, Lab};
use serde_json::Value;

use super::TURNS;
use super::control::{Control, NEW, OLD, nothing_lost};
use super::small_disk::SmallDisk;
use super::window::{LOAD, Step};

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

    disk.free();
    control.run(control.upgrade()).exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
