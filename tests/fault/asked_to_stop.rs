//! Somebody asks a roll to stop: it ends at a safe point; asked twice it lets go, and the host comes to its end by itself. A terminal that
//! goes away asks for nothing.

use quorate_lab::{HEALTHY, Lab};

use super::TURNS;
use super::control::{Control, NEW, OLD, nothing_lost};
use super::window::{LOAD, Step};

#[test]
fn a_roll_stops_after_the_member_in_hand_or_lets_go_of_it_and_is_gone_on_with() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    control.slow_down();
    let load = control.lab.load(LOAD).unwrap();

    let before = control.touched();
    let mut run = control.start(control.upgrade());
    let window = control.next_window(&before, &mut run);
    window.wait(Step::Stop, &mut run);
    run.signal("HUP");
    run.signal("TERM");
    let stopped = run.end();
    stopped.exits(20);
    stopped.says(&["asked to stop: what is begun is finished first"]);
    assert_eq!(window.outcome(), "done");
    assert_eq!(control.touched().len(), 1, "{}", stopped.text);
    control.lab.wait_healthy(HEALTHY).unwrap();

    let before = control.touched();
    let mut run = control.start(control.resume());
    let window = control.next_window(&before, &mut run);
    window.wait(Step::Start, &mut run);
    run.signal("TERM");
    run.wait_for("that it was asked", |events| {
        let asked = |text: &str| text.starts_with("asked to stop");
        events.iter().any(|event| event["text"].as_str().is_some_and(asked)).then_some(())
    });
    run.signal("TERM");
    let detached = run.end();
    detached.exits(143);
    let told = format!("let go of {}, where it was begun to stop", window.host);
    detached.says(&[&told, "`quorate resume` sees to it"]);
    assert_eq!(window.outcome(), "done");

    let mut run = control.start(control.resume());
    run.wait_for("its first word", |events| events.first().map(drop));
    run.signal("HUP");
    let done = run.end();
    done.exits(0);
    done.says(&["going on with run", "took over the locks of run"]);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
