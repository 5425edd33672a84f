//! The control machine gone while a member is stopped, swapped, started or waited for: the host ends what was begun, no acknowledged
//! write is lost, and the roll is finished.

use quorate_lab::{HEALTHY, Lab, wait_until};
use serde_json::Value;

use super::TURNS;
use super::control::{Control, NEW, OLD, nothing_lost};
use super::window::{LOAD, STEPS, Step, five};

/// What a run says while it waits for what an earlier one began.
const WAITS: &str = "wait for the transaction that an earlier run began";

#[test]
fn a_run_killed_at_any_step_leaves_the_host_to_finish_and_the_next_run_goes_on() {
    let _turn = TURNS.long();
    let control = five(Lab::builder());
    let load = control.lab.load(LOAD).unwrap();
    let mut begun = None;
    for step in STEPS {
        let before = control.touched();
        let mut run = begun.take().unwrap_or_else(|| control.start(control.upgrade()));
        let window = control.next_window(&before, &mut run);
        window.wait(step, &mut run);
        run.kill();
        // What the journal says of it while its host goes on alone.
        let listed = control.of_runs(&["runs", "-n", "1"]);
        assert!(listed.contains("killed: it ended without a word") && listed.contains("1 in doubt"), "{listed}");
        let report = control.of_runs(&["report", "last"]);
        assert!(report.contains(&format!("  {}: in doubt: stop etcd.service, swap", window.host)), "{report}");
        if step == Step::Start {
            // The next run does not wait for anybody to say that the host is done: it sees for itself.
            let mut next = control.start(control.upgrade());
            next.wait_for("that it waits for the earlier transaction", |events| {
                let waits = |event: &Value| {
                    event["host"] == window.host.as_str() && event["text"].as_str().is_some_and(|text| text == WAITS)
                };
                events.iter().any(waits).then_some(())
            });
            begun = Some(next);
        }
        assert_eq!(window.outcome(), "done", "killed at {step:?} on {}", window.host);
        if begun.is_none() {
            control.lab.wait_healthy(HEALTHY).unwrap();
            assert_eq!(control.touched().len(), before.len() + 1, "killed at {step:?}");
        }
    }
    // The last of the runs was killed too; gone on with it is as it was asked for, and a second time nothing is left.
    let resumed = control.run(control.resume());
    resumed.exits(0);
    resumed.says(&["going on with run", "which ended without a word; done: ", "took over the locks of run"]);
    control.all_on(NEW);
    let again = control.run(control.resume());
    again.exits(0);
    assert!(again.events.is_empty(), "{}", again.text);
    again.says(&["is done; nothing is left to do"]);
    nothing_lost(&control, load);
}

#[test]
fn an_etcd_that_a_killed_run_left_to_prove_a_backup_stands_in_nobodys_way() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    let mut run = control.start(control.upgrade());
    let members = control.lab.members();
    let list = "systemctl list-units --no-legend --state=active 'quorate-proof-*'; true";
    let proving = || -> String { members.iter().map(|host| control.said(&host.name, &["sh", "-c", list])).collect() };
    wait_until("a backup to be proven", HEALTHY, || {
        assert!(!run.ended(), "{}", run.text());
        let found = proving();
        if found.is_empty() { Err("none is".to_owned()) } else { Ok(()) }
    })
    .unwrap();
    run.kill();
    // It stays until its time is over, and it runs the very program that is to be swapped.
    assert!(proving().contains("quorate-proof-"));
    control.run(control.resume()).exits(0);
    control.all_on(NEW);
}
