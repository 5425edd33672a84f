//! The link to a host cut while its member is stopped, swapped, started or waited for.

use std::collections::BTreeSet;

use quorate_lab::{BASTION, Ends, Fault, Lab, Loss};

use super::TURNS;
use super::control::{NEW, nothing_lost};
use super::window::{LOAD, Step, five};

#[test]
fn a_link_cut_at_any_step_is_made_anew_and_the_roll_goes_on() {
    let _turn = TURNS.long();
    let control = five(Lab::builder());
    let load = control.lab.load(LOAD).unwrap();
    let mut run = control.start(control.upgrade());
    let mut before = BTreeSet::new();
    let cut = |loss| Fault::Link(loss, Ends::Ssh);
    let cuts = [
        (Step::Stop, cut(Loss::Both), None),
        (Step::Swap, cut(Loss::Reset), Some(BASTION)),
        (Step::Start, cut(Loss::Out), Some(BASTION)),
        (Step::Gate, cut(Loss::Both), None),
        // The link is there, and whoever connects hears nothing.
        (Step::Swap, Fault::FreezeSshd, Some(BASTION)),
    ];
    for (step, fault, place) in cuts {
        let window = control.next_window(&before, &mut run);
        before.insert(window.host.clone());
        window.wait(step, &mut run);
        let place = place.unwrap_or(&window.host);
        control.lab.fault(&fault, place).unwrap();
        // Either the run has seen it, or the host was done before: whatever comes first, the roll must go on from there.
        window.until_seen_or_over(&mut run);
        control.lab.mend(&fault, place).unwrap();
        assert_eq!(window.outcome(), "done", "{fault:?} at {step:?} on {}", window.host);
    }
    let ran = run.end();
    ran.exits(0);
    assert_eq!(control.touched().len(), 5);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
