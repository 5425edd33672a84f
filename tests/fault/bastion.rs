//! The bastion gone from one instant to the next while a member is stopped, swapped, started or waited for.

use std::collections::BTreeSet;

use quorate_lab::{BASTION, Fault, Lab, User};

use super::TURNS;
use super::control::{NEW, nothing_lost};
use super::window::{LOAD, Step, five};

#[test]
fn a_bastion_killed_at_any_step_leaves_the_host_to_finish_and_the_roll_goes_on_or_says_that_it_does_not_know() {
    let _turn = TURNS.long();
    // A machine that boots lets nobody in for a while but root, so here the login is not root's.
    let control = five(Lab::builder().user(User::Ops));
    let load = control.lab.load(LOAD).unwrap();
    // The longest that a window may take is what a run waits for at least; the shorter, the sooner it says that it does not know.
    let upgrade = || {
        let mut command = control.upgrade();
        command.args(["-e", "etcd_start_timeout=15"]);
        command
    };
    let mut before = BTreeSet::new();
    let mut run = control.start(upgrade());
    for step in [Step::Stop, Step::Swap, Step::Start] {
        let window = control.next_window(&before, &mut run);
        before.insert(window.host.clone());
        window.wait(step, &mut run);
        control.lab.fault(&Fault::PowerCut, BASTION).unwrap();
        assert_eq!(window.outcome(), "done", "at {step:?} on {}", window.host);
        control.lab.mend(&Fault::PowerCut, BASTION).unwrap();
    }
    let window = control.next_window(&before, &mut run);
    window.wait(Step::Gate, &mut run);
    control.lab.fault(&Fault::PowerCut, BASTION).unwrap();
    assert_eq!(window.outcome(), "done", "at the gate on {}", window.host);
    let ran = run.end();
    ran.exits(13);
    ran.says(&[&window.host, "is not known", "run the playbook again"]);
    assert_eq!(control.touched().len(), 4, "{}", ran.text);
    control.lab.mend(&Fault::PowerCut, BASTION).unwrap();
    control.run(upgrade()).exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
