//! A run that is asked to stop says so, also in its last task, and says what was not done.

use super::*;

const LAST: &str = "
- hosts: g
  tasks:
  - {name: last, command: echo pull}
";

fn one_at_a_time(options: &mut Options) {
    options.forks = 1;
}

fn untouched(done: &Done) -> Vec<String> {
    let left = done.kinds.iter().find_map(|kind| match kind {
        Kind::RunEnded { untouched, .. } => Some(untouched.iter().map(|(host, _)| host.clone()).collect()),
        _ => None,
    });
    left.unwrap_or_default()
}

#[tokio::test]
async fn hosts_that_the_last_task_did_not_begin_on_are_no_success() {
    let done = perform(LAST, Lab::default(), one_at_a_time, None).await;
    assert_eq!((done.code, done.ends("last")), (20, vec!["h1 ok".to_owned()]));
    assert_eq!(untouched(&done), ["h2", "h3"]);
    assert_eq!(done.halted().unwrap().0, Fault::Stopped);
    // Where it was begun on every host, nothing is left that could be stopped.
    let of_one = LAST.replace("echo pull", "'echo {{ inventory_hostname | replace(\"h3\", \"pull\") }}'");
    let done = run(&of_one).await;
    assert_eq!((done.code, done.ends("last").len()), (0, 3));
}

#[tokio::test]
async fn what_failed_before_the_stop_is_not_forgotten() {
    let done =
        perform(&LAST.replace("echo pull", "sh -c 'echo pull; exit 1'"), Lab::default(), one_at_a_time, None).await;
    assert_eq!((done.code, done.ends("last")), (20, vec!["h1 failed".to_owned()]));
    let over = |options: &mut Options| options.forks = 1;
    let limited =
        LAST.replace("tasks:", "max_fail_percentage: 0\n  tasks:").replace("echo pull", "sh -c 'echo pull; exit 1'");
    let done = perform(&limited, Lab::default(), over, None).await;
    let (fault, reason) = done.halted().unwrap();
    assert_eq!((done.code, fault), (20, Fault::Stopped));
    assert!(reason.contains("asked to stop") && reason.contains("1 of 3 hosts failed"), "{reason}");
}

#[tokio::test]
async fn a_loop_that_is_cut_short_is_no_success_and_says_how_far_it_came() {
    let looped =
        LAST.replace("echo pull}", "'echo {{ item }}', loop: [a, pull, b, c, d]}").replace("hosts: g", "hosts: h1");
    let done = run(&looped).await;
    assert_eq!((done.code, done.ends("last")), (20, vec!["h1 failed".to_owned()]));
    let says = &done.message("last")[0];
    assert!(says.contains("2 of 5 items came to their end, the others were not begun"), "{says}");
    let faults = done.kinds.iter().filter_map(|kind| match kind {
        Kind::TaskEnded { fault, .. } => *fault,
        _ => None,
    });
    assert_eq!(faults.collect::<Vec<_>>(), [Fault::Stopped]);
    assert!(done.halted().unwrap().1.contains("2 of 5 items"));
    // Neither what may be ignored nor a rescue goes past a stop.
    let blocks = "- hosts: h1
  tasks:
  - block: [{name: last, command: 'sh -c \"echo {{ item }}; exit 1\"', loop: [a, pull, b], ignore_errors: true}]
    rescue: [{name: saves, debug: {}}]
";
    let done = run(blocks).await;
    assert_eq!((done.code, done.ends("saves").len()), (20, 0));
    // A stop in the last item cuts nothing short.
    let done = run(&looped.replace("a, pull, b, c, d", "a, pull")).await;
    assert_eq!((done.code, done.ends("last")), (0, vec!["h1 ok".to_owned()]));
}

#[tokio::test]
async fn a_pause_between_items_that_is_cut_short_begins_no_other() {
    let looped = "- hosts: h1
  tasks:
  - {name: last, command: 'echo {{ item }}', loop: [pull, b], loop_control: {pause: 60}}
";
    let done = run(looped).await;
    assert_eq!((done.code, done.ran("echo b")), (20, 0));
}

#[tokio::test]
async fn a_run_that_is_asked_to_stop_before_it_begins_contacts_no_host() {
    let interrupt = Interrupt::new();
    interrupt.pull(15);
    let lab = Lab::default();
    lab.0.lock().unwrap().cut.insert("h1".to_owned());
    let done = interrupted(ROLL, lab, |_| {}, None, interrupt).await;
    assert_eq!((done.code, untouched(&done).len()), (20, 3));
}

#[tokio::test]
async fn a_wish_to_stop_lets_the_act_in_hand_end_and_begins_no_other() {
    let playbook = "
- hosts: h1
  tasks:
  - {name: one, command: echo pull}
  - {name: two, command: echo second-act}
";
    let done = run(playbook).await;
    assert_eq!((done.code, done.ends("one"), done.ran("second-act")), (20, vec!["h1 ok".to_owned()], 0));
}

#[tokio::test]
async fn a_second_wish_lets_go_of_what_runs() {
    let playbook = "
- hosts: h1
  tasks:
  - {name: one, command: 'sh -c \"echo pull-pull; sleep 60\"'}
";
    let lab = Lab::default();
    let second = lab.clone();
    let again = tokio::spawn(async move {
        let interrupt = loop {
            let known = second.0.lock().unwrap().interrupt.clone().filter(|i| i.wish() == Wish::Stop);
            match known {
                Some(interrupt) => break interrupt,
                None => tokio::task::yield_now().await,
            }
        };
        interrupt.pull(15);
    });
    let done = perform(playbook, lab, |_| {}, None).await;
    again.await.unwrap();
    assert_eq!(done.code, 143);
    assert!(matches!(done.kinds.last(), Some(Kind::RunEnded { code: 143, .. })));
}
