//! A host whose power goes while its member is between two programs.

use quorate_lab::{Fault, HEALTHY, Lab};

use super::TURNS;
use super::control::{Control, NEW, OLD, nothing_lost};
use super::window::{LOAD, Step};

#[test]
fn a_host_without_power_in_the_middle_comes_back_on_one_binary_and_the_next_run_goes_on() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    control.slow_down();
    let load = control.lab.load(LOAD).unwrap();
    for step in [Step::Stop, Step::Start] {
        let before = control.touched();
        let mut run = control.start(control.upgrade());
        let window = control.next_window(&before, &mut run);
        window.wait(step, &mut run);
        control.lab.fault(&Fault::PowerCut, &window.host).unwrap();
        control.lab.mend(&Fault::PowerCut, &window.host).unwrap();
        let ran = run.end();
        ran.exits(13);
        ran.says(&[
            &format!("{}: the outcome of stop, swap, start is not known", window.host),
            "quorate-window-etcd.service is gone without a receipt",
            "then run the playbook again",
        ]);
        assert_eq!(control.touched().len(), before.len() + 1, "{}", ran.text);
        let told = control.receipts();
        let line = told.lines().find(|line| line.trim_start().starts_with(&window.host)).unwrap_or_default();
        let files = if step == Step::Stop { "the old files" } else { "the new files" };
        assert!(line.contains("in doubt: it began") && line.contains(files), "{told}");
        control.lab.wait_healthy(HEALTHY).unwrap();
        let versions = control.versions();
        assert!(versions.iter().all(|version| version == OLD || version == NEW), "{step:?}: {versions:?}");
    }
    control.run(control.upgrade()).exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
