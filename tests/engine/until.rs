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
async fn a_time_of_day_is_the_next_one_after_the_run_was_asked_for_however_late_its_play_begins() {
    let now = jiff::Zoned::now();
    let hours = |hours| SignedDuration::from_hours(hours);
    // Asked for two hours ago, with an end one hour ago; what came before the roll took that long.
    let end = now.checked_sub(hours(1)).unwrap().strftime("%H:%M").to_string();
    for until in [end.as_str(), "+1h"] {
        let playbook = ROLL.replace("{guard: etcd}", &format!("{{guard: etcd, until: '{until}'}}"));
        let late = |options: &mut Options| options.began = now.checked_sub(hours(2)).unwrap();
        let done = perform(&playbook, Lab::default(), late, None).await;
        assert_eq!((done.code, done.ends("swap").len()), (20, 0), "{until}");
        assert!(done.halted().unwrap().1.contains("the window closed at"), "{until}");
        assert!(done.what_next().contains("`quorate resume` goes on"), "{}", done.what_next());
    }
    let late = |options: &mut Options| options.until = in_seconds(-1.0);
    let done = perform(ROLL, Lab::default(), late, None).await;
    assert!(done.what_next().contains("`quorate resume --until TIME` goes on"), "{}", done.what_next());
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

impl Done {
    /// What the operator is told to do next.
    fn what_next(&self) -> String {
        let next = self.kinds.iter().find_map(|kind| match kind {
            Kind::Halted { next, .. } => Some(next.clone()),
            _ => None,
        });
        next.unwrap_or_default()
    }
}
