//! The control machine, the link or the bastion gone while a member is stopped, swapped, started or waited for: the host ends what was
//! begun, no acknowledged write is lost, and the roll is finished.

use quorate_lab::{BASTION, Ends, Fault, HEALTHY, Lab, Loss};

use super::control::{Control, NEW, OLD};
use super::window::{LOAD, STEPS, Step};

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

#[test]
fn a_link_cut_at_any_step_is_made_anew_and_the_roll_goes_on() {
    let control = five();
    let load = control.lab.load(LOAD).unwrap();
    let mut run = control.start(control.upgrade());
    // Silence both ways, resets, silence one way, and silence behind a bastion that still answers.
    let faults = [
        (Fault::Link(Loss::Both, Ends::Ssh), None),
        (Fault::Link(Loss::Reset, Ends::Ssh), None),
        (Fault::Link(Loss::Out, Ends::Ssh), None),
        (Fault::Link(Loss::Both, Ends::Ssh), Some(())),
    ];
    for (step, (fault, member)) in STEPS.into_iter().zip(faults) {
        let before = control.touched();
        let window = control.next_window(&before, &mut run);
        window.wait(step, &mut run);
        let end = if member.is_some() { window.host.as_str() } else { BASTION };
        control.lab.fault(&fault, end).unwrap();
        assert_eq!(window.outcome(), "done", "cut at {step:?} on {}", window.host);
        assert!(!run.ended(), "{}", run.text());
        control.lab.mend(&fault, end).unwrap();
    }
    run.end().exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}

#[test]
fn a_bastion_killed_at_any_step_leaves_the_host_to_finish_and_an_unknown_end_is_called_unknown() {
    let control = five();
    let load = control.lab.load(LOAD).unwrap();
    let mut command = control.upgrade();
    command.args(["-e", "etcd_start_timeout=10"]);
    let mut run = control.start(command);
    for step in STEPS {
        let before = control.touched();
        let window = control.next_window(&before, &mut run);
        window.wait(step, &mut run);
        control.lab.fault(&Fault::PowerCut, BASTION).unwrap();
        assert_eq!(window.outcome(), "done", "at {step:?} on {}", window.host);
        if step != Step::Gate {
            control.lab.mend(&Fault::PowerCut, BASTION).unwrap();
        }
    }
    // The last time it stays dead until the run gives up.
    let ran = run.end();
    ran.exits(13);
    ran.says(&["the outcome of stop, swap, start is not known", "run the playbook again"]);
    assert_eq!(control.touched().len(), STEPS.len());
    control.lab.mend(&Fault::PowerCut, BASTION).unwrap();
    control.lab.wait_healthy(HEALTHY).unwrap();
    control.run(control.upgrade()).exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
