//! What was begun on a host and not seen to end.

use super::*;

/// An act that is announced and does not come to its end: no lock is broken, since the command is not run.
const ACT: &str = "
- hosts: h1
  tasks:
  - {name: act, quorate_lock: {break_run: 01TEST, reason: hang}, timeout: 1, ignore_errors: true}
  - {name: later, command: echo later}
";

#[tokio::test]
async fn an_act_that_a_timeout_lets_go_of_has_an_unknown_outcome() {
    let done = run(ACT).await;
    assert_eq!((done.code, done.ends("act"), done.ran("later")), (13, vec!["h1 failed".to_owned()], 0));
    let (fault, reason) = done.halted().unwrap();
    assert_eq!(fault, Fault::OutcomeUnknown);
    assert!(reason.contains("timeout of 1 s: on h1 it was begun to break the lock"), "{reason}");
    assert!(done.message("act")[0].contains("`quorate resume` sees to it"), "{:?}", done.message("act"));
}

#[tokio::test]
async fn a_full_journal_does_not_hide_what_is_graver() {
    // 0 run, 1 how it was asked for, 2 play, 3 task, 4 the act, 5 the task's end.
    let done = perform(ACT, Lab::default(), |_| {}, Some(5)).await;
    let (fault, reason) = done.halted().unwrap();
    assert_eq!((done.code, fault), (13, Fault::OutcomeUnknown));
    assert!(reason.contains("begun to break the lock") && reason.contains("no space left"), "{reason}");
    // The act is not begun without its intent: then the journal is all that is wrong.
    let done = perform(ACT, Lab::default(), |_| {}, Some(4)).await;
    assert_eq!((done.code, done.ran("hang")), (7, 0));
    // The end of an item counts like that of a task.
    let looped = ACT.replace("ignore_errors: true", "loop: [1, 2]");
    let done = perform(&looped, Lab::default(), |_| {}, Some(5)).await;
    assert_eq!((done.code, done.ran("hang")), (13, 1));
    assert!(done.halted().unwrap().1.contains("begun to break the lock"));
}
