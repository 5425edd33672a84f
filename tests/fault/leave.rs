//! A host that has prepared everything waits for leave to stop its member. Another member goes down meanwhile: nothing is stopped, since the
//! others are looked at right before. The link goes: nothing is stopped either, and it is begun anew when the link is back.

use quorate_lab::{Ends, Fault, HEALTHY, Lab, Loss};

use super::TURNS;
use super::control::{Control, NEW, OLD, nothing_lost};
use super::window::LOAD;

#[test]
fn nothing_is_stopped_when_another_member_goes_down_while_the_host_prepares() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    // Copies of the programs take more than a second then.
    control.slow_down();
    let load = control.lab.load(LOAD).unwrap();

    let status = control.lab.status();
    let followers = status.into_iter().filter(|member| member.role.as_deref() == Some("follower"));
    let followers: Vec<String> = followers.map(|member| member.host).collect();

    let mut run = control.start(control.upgrade());
    let window = control.first_intent(&mut run);
    // The first turn is a follower's, so one of the two others follows as well.
    let other = followers.iter().find(|host| **host != window.host).unwrap().clone();
    control.lab.fault(&Fault::StopEtcd, &other).unwrap();
    let refused = run.end();
    refused.exits(11);
    assert_eq!(window.outcome(), "refused", "{}", refused.text);
    refused.says(&[&format!("{other} did not answer in full")]);
    let down: Vec<String> =
        control.lab.status().into_iter().filter(|member| member.pid.is_none()).map(|member| member.host).collect();
    assert_eq!(down, std::slice::from_ref(&other));

    control.lab.mend(&Fault::StopEtcd, &other).unwrap();
    control.lab.wait_healthy(HEALTHY).unwrap();
    control.start(control.resume()).end().exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}

#[test]
fn a_host_that_no_leave_reaches_stops_nothing_and_is_begun_anew() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    control.slow_down();
    let load = control.lab.load(LOAD).unwrap();

    let mut run = control.start(control.upgrade());
    let window = control.first_intent(&mut run);
    let cut = Fault::Link(Loss::Both, Ends::Ssh);
    control.lab.fault(&cut, &window.host).unwrap();
    assert_eq!(window.outcome(), "refused");
    control.lab.mend(&cut, &window.host).unwrap();
    let done = run.end();
    done.exits(0);
    done.says(&["no leave to stop etcd.service came within 20 s; nothing was stopped, so it is begun anew"]);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
