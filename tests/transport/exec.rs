//! Commands: their output, their end, their input.

use std::time::{Duration, Instant};

use quorate::transport::{Drain, Exec, ExecError, ExitStatus, Prompt, Stdin};
use secrecy::SecretString;
use tokio::io::AsyncReadExt;

use super::answers::{ASK, PASSWORD, READY};
use super::fixture::{Home, command, text};
use super::server::{Host, Setup};

fn sudo(line: &str, password: &str) -> Exec {
    let prompt = Prompt { ask: ASK.to_owned(), reply: SecretString::from(password), ready: READY.to_owned() };
    Exec { stdin: Stdin::Bytes(vec![b'x'; 100_000]), prompt: Some(prompt), ..command(line) }
}

#[tokio::test]
async fn keeps_the_two_outputs_and_the_exit_status_apart() {
    let (_host, session) = Home::new().session().await;
    let output = session.exec(command("both")).await.unwrap();
    assert_eq!(output.status, ExitStatus::Code(3));
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("to stdout", "to stderr"));
    assert_eq!(session.host(), "etcd1");
}

#[tokio::test]
async fn reports_a_signal_and_the_largest_status() {
    let (_host, session) = Home::new().session().await;
    assert_eq!(session.exec(command("signal")).await.unwrap().status, ExitStatus::Signal("TERM".into()));
    let huge = session.exec(command("huge status")).await.unwrap().status;
    assert_eq!(huge, ExitStatus::Code(u32::MAX));
    assert!(!huge.success());
}

#[tokio::test]
async fn a_missing_or_doubtful_end_is_no_end() {
    let (_host, session) = Home::new().session().await;
    for line in ["no status", "two ends"] {
        let error = session.exec(command(line)).await.unwrap_err();
        assert!(matches!(error, ExecError::Lost { started: true, .. }), "{line}: {error}");
    }
    let error = session.exec(command("no shell")).await.unwrap_err();
    assert!(matches!(error, ExecError::Lost { started: false, .. }), "{error}");
}

#[tokio::test]
async fn output_after_the_exit_status_counts() {
    let (_host, session) = Home::new().session().await;
    let output = session.exec(command("status first")).await.unwrap();
    assert_eq!((output.status, text(&output.stdout)), (ExitStatus::Code(0), "late"));
}

#[tokio::test]
async fn a_flood_on_stderr_is_drained_and_cut_at_the_cap() {
    let (_host, session) = Home::new().session().await;
    let output = session.exec(Exec { stderr: Drain::Capture { cap: 1000 }, ..command("flood") }).await.unwrap();
    assert_eq!((output.stderr.len(), output.stderr_dropped), (1000, 512 * 32 * 1024 - 1000));
    assert_eq!(text(&output.stdout), "done");
    let output = session.exec(Exec { stdout: Drain::Capture { cap: 3 }, ..command("both") }).await.unwrap();
    assert_eq!((text(&output.stdout), output.stdout_dropped), ("to ", 6));
}

#[tokio::test]
async fn a_deadline_ends_the_wait_and_frees_the_channel() {
    let (_host, session) = Home::new().session().await;
    let began = Instant::now();
    let hang = || Exec { deadline: Duration::from_millis(300), ..command("hang") };
    let error = session.exec(hang()).await.unwrap_err();
    assert!(matches!(error, ExecError::Deadline { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
    // More than fit at once: each has given its place back.
    let many = futures_util::future::join_all((0..24).map(|_| session.exec(hang()))).await;
    assert!(many.iter().all(|r| matches!(r, Err(ExecError::Deadline { .. }))));
    assert!(session.exec(command("both")).await.is_ok());
}

#[tokio::test]
async fn streams_eight_mebibytes_in() {
    let (_host, session) = Home::new().session().await;
    let size = 8 * 1024 * 1024;
    let stream = Box::new(tokio::io::repeat(b'x').take(size));
    let output = session.exec(Exec { stdin: Stdin::Stream(stream), ..command("count") }).await.unwrap();
    assert_eq!(text(&output.stdout), size.to_string());
    let bytes = vec![0; 8 * 1024 * 1024];
    let output = session.exec(Exec { stdin: Stdin::Bytes(bytes), ..command("count") }).await.unwrap();
    assert_eq!(text(&output.stdout), size.to_string());
}

#[tokio::test]
async fn a_command_that_does_not_read_its_input_ends_all_the_same() {
    let (_host, session) = Home::new().session().await;
    let bytes = vec![0; 8 * 1024 * 1024];
    let output = session.exec(Exec { stdin: Stdin::Bytes(bytes), ..command("deaf") }).await.unwrap();
    assert_eq!(output.status, ExitStatus::Code(7));
}

#[tokio::test]
async fn streams_out_into_a_writer() {
    let (_host, session) = Home::new().session().await;
    let (writer, mut reader) = tokio::io::duplex(16);
    let exec = Exec { stdout: Drain::Stream(Box::new(writer)), ..command("both") };
    let mut got = String::new();
    let (output, read) = tokio::join!(session.exec(exec), reader.read_to_string(&mut got));
    assert!(output.unwrap().stdout.is_empty());
    assert_eq!((read.unwrap(), got.as_str()), (9, "to stdout"));
}

#[tokio::test]
async fn answers_the_question_once_and_feeds_input_only_afterwards() {
    let (_host, session) = Home::new().session().await;
    let output = session.exec(sudo("sudo", PASSWORD)).await.unwrap();
    assert_eq!((output.status, text(&output.stdout)), (ExitStatus::Code(0), "100000"));
    assert_eq!(text(&output.stderr), "lecture\nown words");
}

#[tokio::test]
async fn feeds_input_when_no_password_is_wanted() {
    let (_host, session) = Home::new().session().await;
    let output = session.exec(sudo("sudo cached", "unused")).await.unwrap();
    assert_eq!(text(&output.stdout), "100000");
}

#[tokio::test]
async fn a_second_question_means_that_the_password_is_wrong() {
    let (_host, session) = Home::new().session().await;
    let error = session.exec(sudo("sudo", "guess")).await.unwrap_err();
    assert!(matches!(error, ExecError::BecomeRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_fake_prompt_gets_nothing() {
    let (_host, session) = Home::new().session().await;
    let output = session.exec(sudo("sudo fake", PASSWORD)).await.unwrap();
    assert_eq!(text(&output.stderr), "[sudo] password for root: ");
    assert!(!output.status.success());
}

#[tokio::test]
async fn a_hundred_commands_at_once_take_turns() {
    let (host, session) = Home::new().session().await;
    let all = futures_util::future::join_all((0..100).map(|_| session.exec(command("both")))).await;
    assert!(all.iter().all(|r| r.as_ref().is_ok_and(|o| o.status == ExitStatus::Code(3))));
    assert_eq!((host.commands().len(), host.connections()), (100, 1));
}

#[tokio::test]
async fn waits_for_a_session_while_the_host_still_counts_those_that_ended() {
    let home = Home::new();
    for (full, good) in [(3, true), (usize::MAX, false)] {
        let host = Host::start(Setup { full, ..Setup::new(home.access()) }).await;
        home.trust(&[&host]);
        let session = home.connect(&home.target(&host)).await.unwrap();
        let result = session.exec(command("both")).await;
        assert_eq!(result.is_ok(), good);
        assert!(
            good || matches!(&result, Err(ExecError::Lost { started: false, detail, .. }) if detail.contains("MaxSessions"))
        );
    }
}
