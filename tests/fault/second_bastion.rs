//! Two bastions, of which the first is gone: in the middle of a roll, and before a run begins.

use std::collections::BTreeSet;

use quorate_lab::{BASTION, BASTION2, Fault, Lab};
use serde_json::Value;

use super::TURNS;
use super::control::{Control, NEW, OLD, Ran, nothing_lost};
use super::window::{LOAD, Step};

/// The hosts that are said to be reached through the second bastion now, because of the first, in the order in which they are.
fn moved(ran: &Ran) -> Vec<&str> {
    let said = |event: &&Value| {
        let why = event["why"].as_str().unwrap_or_default();
        event["through"] == BASTION2 && why.starts_with(&format!("{BASTION}: "))
    };
    let changes = ran.events.iter().filter(|event| event["event"] == "way_changed");
    changes.inspect(|event| assert!(said(event), "{event}")).map(|event| event["host"].as_str().unwrap()).collect()
}

#[test]
fn a_bastion_that_dies_is_left_for_the_second_and_the_roll_goes_on_without_it() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().bastions(2).etcd(OLD).start().unwrap());
    control.slow_down();
    let load = control.lab.load(LOAD).unwrap();
    let all: BTreeSet<String> = control.lab.members().into_iter().map(|host| host.name).collect();
    let each_once = |ran: &Ran| {
        let moved = moved(ran);
        assert_eq!(moved.iter().map(|host| (*host).to_owned()).collect::<BTreeSet<_>>(), all, "{}", ran.text);
        assert_eq!(moved.len(), all.len(), "each is said once: {}", ran.text);
    };
    let mut run = control.start(control.upgrade());
    let window = control.next_window(&BTreeSet::new(), &mut run);
    window.wait(Step::Stop, &mut run);
    control.lab.fault(&Fault::PowerCut, BASTION).unwrap();
    let ran = run.end();
    ran.exits(0);
    each_once(&ran);
    assert_eq!((control.touched(), window.outcome().as_str()), (all.clone(), "done"));
    // No member was stopped before the one before it was back.
    let mut down = 0;
    for event in &ran.events {
        let stops = event["event"] == "act_begins" && event["act"].as_str().is_some_and(|act| act.starts_with("stop "));
        down += i32::from(stops);
        assert!(down <= 1, "{}", ran.text);
        down -= i32::from(event["event"] == "member_rolled");
    }
    let report = control.of_runs(&["report", "last"]);
    let line = format!("way: [{}] is reached through {BASTION2} now; {BASTION}: ", window.host);
    assert_eq!(report.matches(&line).count(), 1, "{report}");
    control.all_on(NEW);
    // Gone from the start: the next run takes the second at once, and has nothing to do.
    let ran = control.run(control.upgrade());
    ran.exits(0);
    each_once(&ran);
    assert_eq!(control.touched().len(), all.len());
    nothing_lost(&control, load);
}
