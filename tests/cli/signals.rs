//! A signal is one for the whole command, however many playbooks it has.

use std::process::Child;
use std::time::{Duration, Instant};

use super::*;

/// Says that it has begun, and waits until it may end.
const WAITS: &str = "
- hosts: all
  connection: local
  tasks:
    - {name: Waits, shell: 'touch {{ dir }}/begun; while ! test -e {{ dir }}/go; do sleep 0.05; done'}
";
const NEXT: &str = "- hosts: all\n  connection: local\n  tasks: [shell: 'touch {{ dir }}/next']\n";

impl Quorate {
    fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
}

fn signalled(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn until(mut so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `WAITS` and then `NEXT`; so many signals come while the first waits, which then ends well, unless it is let go of.
fn stopped(signals: usize) -> (Quorate, Output) {
    let quorate = Quorate::new();
    let dir = format!("dir={}", quorate.folder.path().display());
    quorate.file("a.yml", WAITS).file("b.yml", NEXT).file("c.yml", NEXT);
    let mut command = quorate.command(&["run", "a.yml", "b.yml", "c.yml", "-i", "h1,", "-e", &dir]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| quorate.has("begun"));
    if signals > 0 {
        signalled(&child, "-TERM");
        until(|| stdout(&quorate.run(&["report", "last", "--format", "json"])).contains("asked to stop"));
    }
    if signals > 1 {
        signalled(&child, "-TERM");
        until(|| child.try_wait().unwrap().is_some());
    }
    std::fs::write(quorate.folder.path().join("go"), "").unwrap();
    let output = child.wait_with_output().unwrap();
    (quorate, output)
}

#[test]
fn a_stop_in_the_last_task_of_a_playbook_begins_no_other_playbook() {
    let (quorate, output) = stopped(1);
    assert_eq!((code(&output), quorate.has("next")), (20, false), "{}", stderr(&output));
    assert!(stderr(&output).contains("not begun: b.yml, c.yml"), "{}", stderr(&output));
    assert!(stdout(&output).contains("exit 0"), "the first came to its end: {}", stdout(&output));
}

#[test]
fn a_run_that_is_let_go_of_begins_no_other_playbook() {
    let (quorate, output) = stopped(2);
    assert_eq!((code(&output), quorate.has("next")), (143, false), "{}", stderr(&output));
    assert!(stderr(&output).contains("not begun: b.yml, c.yml"), "{}", stderr(&output));
}

#[test]
fn without_a_signal_all_are_done() {
    let (quorate, output) = stopped(0);
    assert_eq!((code(&output), quorate.has("next")), (0, true), "{}", stderr(&output));
}
