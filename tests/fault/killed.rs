//! The control machine gone while a member is stopped, swapped, started or waited for: the host ends what was begun, no acknowledged
//! write is lost, and the roll is finished.

use quorate_lab::{HEALTHY, Lab};

use super::control::{Control, NEW, OLD};
use super::window::{LOAD, STEPS};

/// Five members: one for each step, and one for the run that finishes.
fn five() -> Control {
    let control = Control::new(Lab::builder().members(5).etcd(OLD).start().unwrap());
    control.slow_down();
    control
}

/// Ends the load and checks it.
fn nothing_lost(control: &Control, load: quorate_lab::load::Load) {
    load.stop().unwrap();
    let report = control.lab.check_load().unwrap();
    assert!(report.ok && report.acked > 100, "{report:?}");
}

#[test]
fn a_run_killed_at_any_step_leaves_the_host_to_finish_and_the_next_run_goes_on() {
    let control = five();
    let load = control.lab.load(LOAD).unwrap();
    for step in STEPS {
        let before = control.touched();
        let mut run = control.start(control.upgrade());
        let window = control.next_window(&before, &mut run);
        window.wait(step, &mut run);
        run.kill();
        assert_eq!(window.outcome(), "done", "killed at {step:?} on {}", window.host);
        control.lab.wait_healthy(HEALTHY).unwrap();
        assert_eq!(control.touched().len(), before.len() + 1, "killed at {step:?}");
    }
    control.run(control.upgrade()).exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
