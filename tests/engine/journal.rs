//! What becomes of a run whose journal cannot be written any more.

use super::*;

#[tokio::test]
async fn a_journal_that_cannot_be_written_stops_before_the_next_task() {
    let playbook = "
- hosts: h1
  tasks:
  - {name: one, command: echo first-act}
  - {name: two, command: echo second-act}
";
    // 0 run, 1 how it was asked for, 2 play, 3 task, 4 its end.
    let done = perform(playbook, Lab::default(), |_| {}, Some(4)).await;
    assert_eq!(done.code, 7);
    assert_eq!((done.ran("first-act"), done.ran("second-act")), (1, 0));
    let done = perform(playbook, Lab::default(), |_| {}, Some(3)).await;
    assert_eq!((done.code, done.ran("first-act")), (7, 0), "no act whose intent is not on disk");
}

#[tokio::test]
async fn no_host_is_begun_once_the_end_of_another_could_not_be_written() {
    let playbook = "
- hosts: g
  tasks:
  - {name: one, command: echo an-act}
";
    let one_at_a_time = |options: &mut Options| options.forks = 1;
    // 0 run, 1 how it was asked for, 2 play, 3 task, 4 the first host's end.
    let done = perform(playbook, Lab::default(), one_at_a_time, Some(4)).await;
    assert_eq!((done.code, done.ran("an-act")), (7, 1));
    let done = perform(playbook, Lab::default(), one_at_a_time, Some(5)).await;
    assert_eq!((done.code, done.ran("an-act")), (7, 2));
    let loops = playbook.replace("an-act}", "an-act, loop: [1, 2, 3]}");
    let done = perform(&loops, Lab::default(), one_at_a_time, Some(4)).await;
    assert_eq!((done.code, done.ran("an-act")), (7, 1), "nor another item");
}

/// Says how it waits before it lets the first host go.
struct Talks;

impl Guard for Talks {
    fn next<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Choice, Failure>> {
        Box::pin(async move {
            let host = ask.remaining.first().expect("never empty").clone();
            let (act, text) = ("guard".to_owned(), "waits".to_owned());
            (ask.say)(Kind::Progress { host: host.clone(), act, text, done: None, total: None })?;
            let verdict = Verdict { may: true, reason: String::new() };
            Ok(Choice { host, verdict, fault: Fault::MemberDown })
        })
    }
}

static TALKS: Talks = Talks;
const TALKING: Guards = Guards(&[("etcd", &TALKS)]);

#[tokio::test]
async fn a_journal_that_fails_while_the_guard_speaks_is_no_refusal_of_the_guard() {
    let talks = |options: &mut Options| options.guards = TALKING;
    // 0 run, 1 how it was asked for, 2 play, 3 what the guard says.
    let done = perform(ROLL, Lab::default(), talks, Some(3)).await;
    assert_eq!((done.code, done.ran("echo")), (7, 0));
    let done = perform(ROLL, Lab::default(), talks, None).await;
    assert_eq!((done.code, done.ends("swap").len()), (0, 3));
}
