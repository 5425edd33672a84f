//! Whoever reads what a run shows does not hold it up.

use std::io::Read as _;
use std::process::Child;
use std::time::{Duration, Instant};

use super::*;

/// More than a pipe holds (64 KiB, pipe(7)) before the act that must not wait for it.
const LOUD: &str = "
- hosts: all
  connection: local
  tasks:
    - {name: Loud, shell: 'head -c 300000 /dev/zero | tr \"\\\\0\" x'}
    - {name: Quiet, shell: 'touch {{ dir }}/mark'}
";

fn loud(quorate: &Quorate) -> Command {
    let dir = format!("dir={}", quorate.folder.path().display());
    quorate.file("p.yml", LOUD);
    let mut command = quorate.command(&["run", "p.yml", "-i", "h1,", "--json", "-e", &dir]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for its end, which nobody who reads must keep away.
fn ended(child: &mut Child) {
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(since.elapsed() < Duration::from_secs(60), "the run waits for its reader");
}

#[test]
fn a_reader_that_takes_nothing_holds_up_neither_the_run_nor_its_end() {
    let quorate = Quorate::new();
    let mut child = loud(&quorate).spawn().unwrap();
    let unread = child.stdout.take().unwrap();
    ended(&mut child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(quorate.folder.path().join("mark").exists());
    let said = stderr(&output);
    assert!(
        said.contains("json: does not keep up: after 5 s") && said.contains("the run went on without it"),
        "{said}"
    );
    drop(unread);
    // Nothing is lost but the showing.
    let report = quorate.run(&["report", "last", "--format", "json"]);
    assert!(stdout(&report).lines().last().unwrap().contains("run_ended"), "{}", stderr(&report));
}

#[test]
fn a_reader_of_both_outputs_that_takes_nothing_does_not_keep_the_process() {
    let quorate = Quorate::new();
    let (unread, writer) = std::io::pipe().unwrap();
    let mut command = loud(&quorate);
    let mut child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
    ended(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(quorate.folder.path().join("mark").exists());
    drop(unread);
}

#[test]
fn a_reader_that_is_late_gets_all_of_it() {
    let quorate = Quorate::new();
    let mut child = loud(&quorate).spawn().unwrap();
    let mut late = child.stdout.take().unwrap();
    // Every task has ended by then, and nothing was read.
    let since = Instant::now();
    while !quorate.folder.path().join("mark").exists() {
        assert!(since.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut text = String::new();
    late.read_to_string(&mut text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert_eq!(text, stdout(&quorate.run(&["report", "last", "--format", "json"])));
    assert!(text.len() > 600_000, "{}", text.len());
}
