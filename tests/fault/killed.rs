//! The control machine gone while a member is stopped, swapped, started or waited for: the host ends what was begun, no acknowledged
//! write is lost, and the roll is finished.

use quorate_lab::HEALTHY;

use super::control::{NEW, nothing_lost};
use super::window::{LOAD, STEPS, five};

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
