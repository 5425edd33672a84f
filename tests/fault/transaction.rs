//! The transaction's own shell killed on its host, as for want of memory: systemd has it ended all the same.

use quorate_lab::Lab;

use super::TURNS;
use super::control::{Control, NEW, OLD, nothing_lost};
use super::window::{LOAD, Step, Window};

fn three() -> Control {
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    control.slow_down();
    control
}

/// SIGKILL to the shell alone; what it had begun goes on or not, as after a kill by the kernel.
fn kill(control: &Control, window: &Window) {
    let unit = "quorate-window-etcd.service";
    control.said(&window.host, &["systemctl", "kill", "--kill-who=main", "--signal=KILL", unit]);
}

#[test]
fn a_transaction_whose_shell_is_killed_takes_back_what_is_half_done_and_ends_what_is_not() {
    let _turn = TURNS.own();
    let control = three();
    let load = control.lab.load(LOAD).unwrap();
    let mut run = control.start(control.upgrade());
    let first = control.next_window(&Default::default(), &mut run);
    first.wait(Step::Stop, &mut run);
    kill(&control, &first);
    assert_eq!(first.outcome(), "rolled-back");
    let ran = run.end();
    ran.exits(10);
    ran.says(&["the transaction itself was killed on the host", "is back on", "no later member is touched"]);
    control.all_on(OLD);
    let told = control.receipts();
    assert!(told.contains("rolled back") && told.contains("the old files"), "{told}");

    let mut run = control.start(control.resume());
    let mut before = control.touched();
    for step in [Step::Start, Step::Gate] {
        let window = control.next_window(&before, &mut run);
        before.insert(window.host.clone());
        window.wait(step, &mut run);
        kill(&control, &window);
        assert_eq!(window.outcome(), "done", "killed at {step:?} on {}", window.host);
    }
    run.end().exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
