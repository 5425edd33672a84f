//! A command that stays on a connection, and is told one thing after the other.

use std::sync::Arc;
use std::time::Duration;

use quorate::transport::{ExecError, ExitStatus, Leave, Marks, Output, Resident, Session, Unanswered};

use super::fixture::{Home, LONG, command, text};
use super::server::{Host, Setup};

const CAPS: [usize; 2] = [1000, 1000];

fn marks(name: &str) -> Marks {
    Marks { begin: format!("{name}-begin\n"), end: format!("{name}-end ") }
}

async fn say(resident: &mut Resident, mark: &str, words: &str) -> Result<Output, Unanswered> {
    resident.ask(format!("{mark} {words}\n").as_bytes(), &marks(mark), CAPS, LONG).await
}

/// Leave to have one: a command has run before.
fn leave(session: &Arc<dyn Session>) -> Leave {
    let residents = session.residents().unwrap();
    assert!(residents.turn("root").is_none(), "nothing has run yet");
    residents.may_begin("root");
    match residents.turn("root") {
        Some((leave, None)) => leave,
        _ => panic!("one may be begun"),
    }
}

#[tokio::test]
async fn answers_one_thing_after_the_other_over_one_channel() {
    let (host, session) = Home::new().session().await;
    let mut resident = Resident::begin(Arc::clone(&session), "stay".to_owned(), None);
    for number in 0..100 {
        let output = say(&mut resident, &format!("m{number}"), &format!("words {number}")).await.unwrap();
        let expected = format!("m{number}-begin\nwords {number}");
        assert_eq!((text(&output.stdout), text(&output.stderr)), (expected.as_str(), expected.as_str()));
        assert_eq!(output.status, ExitStatus::Code(7));
    }
    assert_eq!(host.commands(), ["stay"]);
}

#[tokio::test]
async fn what_is_over_the_cap_is_counted() {
    let (_host, session) = Home::new().session().await;
    let mut resident = Resident::begin(session, "stay".to_owned(), None);
    let words = "w".repeat(5000);
    let output = say(&mut resident, "m", &words).await.unwrap();
    assert_eq!((output.stdout.len(), output.stdout_dropped), (1000, 5000 + "m-begin\n".len() as u64 - 1000));
}

#[tokio::test]
async fn one_that_ends_before_it_begins_has_done_nothing_and_one_that_is_gone_is_not_used_again() {
    let (host, session) = Home::new().session().await;
    let leave = leave(&session);
    let mut resident = Resident::begin(Arc::clone(&session), "stay".to_owned(), None);
    assert!(matches!(say(&mut resident, "m", "die").await, Err(Unanswered::NotBegun)));
    leave.give_back(resident);
    let residents = session.residents().unwrap();
    assert!(matches!(residents.turn("root"), Some((_, None))));
    assert_eq!(host.commands().len(), 1);
}

#[tokio::test]
async fn silence_is_given_up_after_the_deadline() {
    let (_host, session) = Home::new().session().await;
    let mut resident = Resident::begin(session, "hang".to_owned(), None);
    let answer = resident.ask(b"m words\n", &marks("m"), CAPS, Duration::from_millis(200)).await;
    assert!(matches!(answer, Err(Unanswered::Lost(ExecError::Deadline { .. }))));
}

#[tokio::test]
async fn a_connection_that_ends_under_it_leaves_it_unknown() {
    let (_host, session) = Home::new().session().await;
    let mut resident = Resident::begin(Arc::clone(&session), "hang".to_owned(), None);
    let closing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        session.close().await;
    };
    let marks = marks("m");
    let (answer, ()) = tokio::join!(resident.ask(b"m words\n", &marks, CAPS, LONG), closing);
    assert!(matches!(answer, Err(Unanswered::Lost(ExecError::Lost { started: true, .. }))));
}

#[tokio::test]
async fn one_user_has_one_and_who_finds_it_at_work_goes_without() {
    let (_host, session) = Home::new().session().await;
    let leave = leave(&session);
    let residents = session.residents().unwrap();
    assert!(residents.turn("root").is_none());
    residents.may_begin("root");
    assert!(residents.turn("root").is_none());
    leave.give_back(Resident::begin(Arc::clone(&session), "stay".to_owned(), None));
    let Some((leave, Some(_))) = residents.turn("root") else { panic!("it waits") };
    leave.never_again();
    residents.may_begin("root");
    assert!(residents.turn("root").is_none());
}

#[tokio::test]
async fn another_user_takes_the_place_of_one_that_waits_and_of_none_at_work() {
    let (_host, session) = Home::new().session().await;
    let residents = session.residents().unwrap();
    let begin = |user: &str| {
        residents.may_begin(user);
        match residents.turn(user) {
            Some((_, Some(_))) => panic!("{user} has one"),
            turn => turn.map(|(leave, _)| leave),
        }
    };
    let stay = || Resident::begin(Arc::clone(&session), "stay".to_owned(), None);
    let (root, etcd) = (begin("root").unwrap(), begin("etcd").unwrap());
    assert!(begin("postgres").is_none(), "two are at work");
    root.give_back(stay());
    let postgres = begin("postgres").unwrap();
    assert!(begin("root").is_none(), "its place is taken");
    etcd.give_back(stay());
    postgres.give_back(stay());
    // One that waits is no bar to itself.
    assert!(matches!(residents.turn("etcd"), Some((_, Some(_)))));
}

#[tokio::test]
async fn gives_up_its_session_where_the_host_has_only_one() {
    let home = Home::new();
    let host = Host::start(Setup { sessions: 1, ..Setup::new(home.access()) }).await;
    home.trust(&[&host]);
    let session = home.connect(&home.target(&host)).await.unwrap();
    let leave = leave(&session);
    let mut resident = Resident::begin(Arc::clone(&session), "stay".to_owned(), None);
    say(&mut resident, "m", "words").await.unwrap();
    leave.give_back(resident);
    let output = session.exec(command("both")).await.unwrap();
    assert_eq!(output.status, ExitStatus::Code(3));
    let residents = session.residents().unwrap();
    residents.may_begin("root");
    assert!(residents.turn("root").is_none(), "the host gives too few sessions for one");
}
