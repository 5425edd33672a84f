//! A maintenance window that closes.

use jiff::{SignedDuration, Timestamp};

use super::*;

fn in_seconds(seconds: f64) -> Option<Timestamp> {
    Some(Timestamp::now() + SignedDuration::from_secs_f64(seconds))
}

#[tokio::test]
async fn a_host_that_would_not_fit_is_not_begun_and_the_run_can_be_gone_on_with() {
    let slow = ROLL.replace("echo {{ inventory_hostname }}", "sleep 1");
    // The first takes a second or more; half as long again does not fit any more.
    let done = perform(&slow, Lab::default(), |options| options.until = in_seconds(2.3), None).await;
    assert_eq!((done.code, done.ends("swap").len()), (20, 1));
    let (fault, reason) = done.halted().unwrap();
    assert_eq!(fault, Fault::Stopped);
    assert!(reason.contains("the window closes at") && reason.contains("so the next may take"), "{reason}");

    let done = perform(ROLL, Lab::default(), |options| options.until = in_seconds(3600.0), None).await;
    assert_eq!((done.code, done.ends("swap").len()), (0, 3));
}

#[tokio::test]
async fn behind_a_window_nothing_is_begun() {
    let first = format!("- hosts: g\n  tasks:\n  - {{name: first, command: echo first-act}}\n{ROLL}");
    let done = perform(&first, Lab::default(), |options| options.until = in_seconds(-1.0), None).await;
    assert_eq!((done.code, done.ran("first-act")), (20, 0));
    assert!(done.halted().unwrap().1.contains("the window closed at"));
    // A check run has no window: it stops nothing.
    let check = |options: &mut Options| (options.until, options.check) = (in_seconds(-1.0), true);
    assert_eq!(perform(ROLL, Lab::default(), check, None).await.code, 0);
}

#[tokio::test]
async fn the_playbook_says_when_unless_the_command_line_does() {
    let until = |text: &str| ROLL.replace("{guard: etcd}", &format!("{{guard: etcd, until: {text}}}"));
    let over = until("'{{ closes }}'") + "  vars: {closes: '2020-01-01 04:00'}\n";
    let done = run(&over).await;
    assert_eq!((done.code, done.ends("swap").len()), (20, 0));
    let done = perform(&over, Lab::default(), |options| options.until = in_seconds(3600.0), None).await;
    assert_eq!((done.code, done.ends("swap").len()), (0, 3));
    assert_eq!(run(&until("'+1h'")).await.code, 0);

    let problems = prepare(&until("'25:00'"), |_| {}).unwrap_err();
    let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(said.contains("pb.yml:3:33: `25:00` is no time: expected 04:00"), "{said}");
}
