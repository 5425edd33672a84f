//! This machine as a host, by the same rules.

use std::time::{Duration, Instant};

use quorate::transport::{Connector, Drain, Exec, ExecError, ExitStatus, LocalSession, Prompt, Session, Stdin, Target};
use secrecy::SecretString;
use tokio::io::AsyncReadExt;

use super::fixture::{Home, LONG, command};

fn session() -> LocalSession {
    LocalSession::new("here")
}

#[tokio::test]
async fn keeps_outputs_status_and_signal_apart() {
    let output = session().exec(command("printf out; printf err >&2; exit 3")).await.unwrap();
    assert_eq!((output.stdout, output.stderr), (b"out".to_vec(), b"err".to_vec()));
    assert_eq!(output.status, ExitStatus::Code(3));
    let output = session().exec(command("kill -TERM $$")).await.unwrap();
    assert_eq!(output.status, ExitStatus::Signal("TERM".into()));
}

#[tokio::test]
async fn is_what_a_local_target_gets() {
    let home = Home::new();
    let host = home.host().await;
    let target = Target { local: true, ..home.target(&host) };
    let session = home.connector().connect(&target).await.unwrap();
    assert_eq!(session.exec(command("printf $((6*7))")).await.unwrap().stdout, b"42");
    assert_eq!(host.connections(), 0);
}

#[tokio::test]
async fn feeds_input_drains_floods_and_cuts_at_the_cap() {
    let stream = Box::new(tokio::io::repeat(b'x').take(8 * 1024 * 1024));
    let output = session().exec(Exec { stdin: Stdin::Stream(stream), ..command("wc -c") }).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "8388608");
    let flood = Exec { stderr: Drain::Capture { cap: 10 }, ..command("head -c 1000000 /dev/zero >&2; echo done") };
    let output = session().exec(flood).await.unwrap();
    assert_eq!((output.stderr.len(), output.stderr_dropped, output.stdout), (10, 999_990, b"done\n".to_vec()));
    let deaf = Exec { stdin: Stdin::Bytes(vec![0; 1_000_000]), ..command("exit 7") };
    assert_eq!(session().exec(deaf).await.unwrap().status, ExitStatus::Code(7));
    let (writer, mut reader) = tokio::io::duplex(4);
    let exec = Exec { stdout: Drain::Stream(Box::new(writer)), ..command("printf streamed") };
    let mut got = String::new();
    let session = session();
    let (output, read) = tokio::join!(session.exec(exec), reader.read_to_string(&mut got));
    assert!(output.is_ok() && read.is_ok());
    assert_eq!(got, "streamed");
}

#[tokio::test]
async fn the_deadline_kills_the_whole_group() {
    let home = Home::new();
    let mark = home.path("child");
    let line = format!("sleep 600 & echo $! > {}; wait", mark.display());
    let began = Instant::now();
    let error = session().exec(Exec { deadline: Duration::from_millis(500), ..command(&line) }).await.unwrap_err();
    assert!(matches!(error, ExecError::Deadline { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
    let child = std::fs::read_to_string(&mark).unwrap();
    let alive = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        stat.is_ok_and(|s| !s.contains(") Z "))
    };
    while alive() {
        assert!(began.elapsed() < LONG, "the child of the command still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn plays_the_become_dialogue() {
    let line = "printf 'ask-1:' >&2; read a; [ \"$a\" = secret ] || { printf 'ask-1:' >&2; read a; exit 1; }; printf 'ready-2' >&2; cat";
    let sudo = |password: &str| Exec {
        stdin: Stdin::Bytes(b"input".to_vec()),
        prompt: Some(Prompt { ask: "ask-1:".into(), reply: SecretString::from(password), ready: "ready-2".into() }),
        ..command(line)
    };
    let output = session().exec(sudo("secret")).await.unwrap();
    assert_eq!((output.stdout, output.stderr), (b"input".to_vec(), Vec::new()));
    let error = session().exec(sudo("guess")).await.unwrap_err();
    assert!(matches!(error, ExecError::BecomeRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_session_runs_nothing() {
    let session = session();
    let (result, ()) = tokio::join!(session.exec(command("sleep 600")), session.close());
    assert!(matches!(result, Err(ExecError::Lost { .. })));
    assert!(matches!(session.exec(command("true")).await, Err(ExecError::Lost { started: false, .. })));
}

#[tokio::test]
async fn a_tunnel_is_a_connection_from_here() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(session().tunnel("127.0.0.1", port).await.is_ok());
    drop(listener);
    let error = session().tunnel("127.0.0.1", port).await.map(drop).unwrap_err();
    assert!(matches!(error, ExecError::TunnelRefused { .. }), "{error}");
}
