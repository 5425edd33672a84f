//! Two runs at once: the second is refused, and one whose lock was taken away comes to its end without another member stopped.

use std::fs;

use quorate_lab::{HEALTHY, Lab, wait_until};
use serde_json::Value;

use super::TURNS;
use super::control::{Control, NEW, OLD, Ran, Running};
use super::window::Step;

fn three() -> Control {
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    control.slow_down();
    control
}

fn lock(control: &Control, words: &[&str]) -> Ran {
    let mut command = control.lab.control_command(env!("CARGO_BIN_EXE_quorate"));
    command.arg("lock").args(words).arg("-i").arg(control.lab.inventory()).arg("-F").arg(control.path("ssh_config"));
    command.arg("--state-dir").arg(control.path("other")).arg("--json");
    control.run(command)
}

fn id_of(run: &mut Running) -> String {
    run.wait_for("its ID", |events| events.first().and_then(|first| first["run"].as_str()).map(str::to_owned))
}

#[test]
fn a_second_run_is_refused_and_a_first_whose_lock_was_taken_away_stops_no_other_member() {
    let _turn = TURNS.own();
    let control = three();
    let mut first = control.start(control.upgrade());
    let id = id_of(&mut first);
    let window = control.next_window(&Default::default(), &mut first);
    window.wait(Step::Stop, &mut first);

    let second = control.run(control.upgrade_with("other"));
    second.exits(8);
    second.says(&["etcd1 is locked by run", &id, "last sign of life"]);
    assert!(!second.events.iter().any(|event| event["event"] == "task_started"), "{}", second.text);

    let shown = lock(&control, &["show"]);
    shown.exits(0);
    let held = |row: &Value| row["held"] == true && row["run"] == id.as_str();
    assert_eq!(shown.events.iter().filter(|row| held(row)).count(), 3, "{}", shown.text);

    let unsaid = lock(&control, &["break", "--run", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--reason", "not that one"]);
    unsaid.exits(0);
    assert_eq!(unsaid.changed(), Vec::<&str>::new(), "{}", unsaid.text);
    let broken = lock(&control, &["break", "--run", &id, "--reason", "its machine is said to be dead"]);
    broken.exits(0);
    assert_eq!(broken.changed().len(), 3, "{}", broken.text);

    let first = first.end();
    first.exits(8);
    first.says(&["no longer"]);
    assert_eq!(window.outcome(), "done");
    control.lab.wait_healthy(HEALTHY).unwrap();
    assert_eq!(control.touched().len(), 1, "{}", first.text);
    let why = control.said(&window.host, &["cat", "/var/lib/quorate/locks/etcd.broken"]);
    assert!(why.contains(&id) && why.contains("its machine is said to be dead"), "{why}");

    control.run(control.upgrade_with("other")).exits(0);
    control.all_on(NEW);
    let after = lock(&control, &["show"]);
    assert!(after.events.len() == 3 && after.events.iter().all(|row| row["held"] == false), "{}", after.text);
}

#[test]
fn the_lock_of_a_killed_run_is_taken_over_on_its_own_machine_and_nowhere_else() {
    let _turn = TURNS.own();
    let control = three();
    let mut first = control.start(control.upgrade());
    let id = id_of(&mut first);
    let window = control.next_window(&Default::default(), &mut first);
    window.wait(Step::Start, &mut first);
    first.kill();
    let told = control.receipts();
    let of_host = |told: &str, host: &str| {
        told.lines().find(|line| line.trim_start().starts_with(host)).unwrap_or_default().to_owned()
    };
    assert!(told.starts_with(&format!("run {id}, as the hosts tell it:")), "{told}");
    assert!(of_host(&told, &window.host).contains("at work") && told.contains("next: wait until"), "{told}");
    assert_eq!(window.outcome(), "done");
    let told = control.receipts();
    let line = of_host(&told, &window.host);
    assert!(line.contains(" done ") && line.contains("the new files"), "{told}");
    assert_eq!(told.matches("untouched").count(), 2, "{told}");
    assert!(told.contains(&format!("`quorate lock break --run {id}`")), "{told}");

    let elsewhere = control.run(control.upgrade_with("other"));
    elsewhere.exits(8);
    elsewhere.says(&[&id, "quorate lock break"]);

    let here = control.run(control.upgrade());
    here.exits(0);
    here.says(&[&format!("took over the locks of run {id}, which is over")]);
    control.all_on(NEW);
}

/// A roll that stops nothing, and fails on a host where another is at work.
const ALONE: &str = "
- hosts: etcd
  gather_facts: false
  become: true
  rolling: {guard: etcd}
  tasks:
    - {name: Be alone, shell: mkdir /run/alone && sleep 0.2 && rmdir /run/alone}
";

#[test]
fn of_two_runs_that_begin_at_the_same_time_one_at_most_is_at_work() {
    let _turn = TURNS.own();
    // What the two are to each other 200 times is tried where a lock is taken (`of_two_that_begin_together_never_both_have_it`).
    const ROUNDS: usize = 15;
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    control.lab.wait_healthy(HEALTHY).unwrap();
    let playbook = control.path("alone.yml");
    fs::write(&playbook, ALONE).unwrap();
    let mut refused = 0;
    for round in 0..ROUNDS {
        let start = |state: &str| {
            let mut command = control.quorate_with(state, &playbook);
            command.arg("-F").arg(control.path("ssh_config"));
            control.start(command)
        };
        let (first, second) = (start("first"), start("second"));
        let (first, second) = (first.end(), second.end());
        let codes = [first.code, second.code];
        assert!(
            codes.contains(&Some(0)) && codes.iter().all(|code| matches!(code, Some(0 | 8))),
            "round {round}: {codes:?}\n{}\n{}",
            first.text,
            second.text
        );
        refused += usize::from(codes.contains(&Some(8)));
        let free = || {
            let shown = lock(&control, &["show"]);
            let free = shown.events.iter().all(|row| row["held"] == false);
            if free { Ok(()) } else { Err(shown.text) }
        };
        wait_until("locks that are given back", HEALTHY, free).unwrap();
    }
    assert!(refused > 0, "no two of {ROUNDS} pairs met");
}
