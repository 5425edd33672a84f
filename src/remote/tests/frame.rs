//! Login shells that do more than what they are told.

use std::sync::{Arc, Mutex};

use super::Bench;
use crate::remote::{Probe, RemoteError, RemoteHost};
use crate::transport::{BoxFuture, ByteStream, Exec, ExecError, LocalSession, Output, Session};

/// This machine, with a login shell that runs these lines first.
pub(super) struct Login {
    inner: LocalSession,
    shell: &'static str,
    first: &'static str,
    commands: Mutex<Vec<String>>,
}

impl Session for Login {
    fn host(&self) -> &str {
        "h1"
    }

    fn exec(&self, mut exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        self.commands.lock().unwrap().push(exec.command.clone());
        let command = crate::remote::shell::quote(&format!("{}\n{}", self.first, exec.command));
        exec.command = format!("exec {} -c {command}", self.shell);
        self.inner.exec(exec)
    }

    fn tunnel<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        self.inner.tunnel(address, port)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

pub(super) fn login(shell: &'static str, first: &'static str) -> (Arc<Login>, Probe) {
    let session = Arc::new(Login { inner: LocalSession::new("h1"), shell, first, commands: Mutex::default() });
    let host = RemoteHost::new(Arc::clone(&session) as Arc<dyn Session>);
    (session, Probe::new(host.with_deadline(std::time::Duration::from_secs(20))))
}

#[tokio::test]
async fn noise_of_the_login_shell_is_cut() {
    let (_, probe) = login("/bin/sh", "echo Welcome; echo 'You have mail' >&2; PATH=/nowhere; alias printf=false");
    let ran = probe.run(&["echo", "mine"]).await.unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"mine\n".as_slice(), b"".as_slice()));
}

#[tokio::test]
async fn noise_is_cut_from_a_stream_too() {
    let (_, probe) = login("/bin/bash", "echo Welcome");
    let sink = tokio::fs::File::from_std(tempfile::tempfile().unwrap());
    let deadline = std::time::Duration::from_secs(20);
    let streamed = probe.stream("count", "seq 1 100000", &[], sink, deadline, 588_895).await.unwrap();
    assert_eq!(streamed.bytes, 588_895);
    assert_eq!(streamed.ran.rc, 0);
}

#[tokio::test]
async fn a_login_shell_that_eats_our_text_runs_nothing() {
    let (_, probe) = login("/bin/sh", "read -r answer");
    let error = probe.run(&["echo", "mine"]).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Answer { .. }), "{error}");
    assert!(error.to_string().contains("did not arrive whole"), "{error}");
}

#[tokio::test]
async fn a_login_shell_that_runs_something_else_is_no_answer() {
    for first in ["exec true", "exit 0", "exec echo fine"] {
        let (_, probe) = login("/bin/sh", first);
        let error = probe.run(&["true"]).await.unwrap_err();
        assert!(matches!(&error, RemoteError::Answer { .. }), "{first}: {error}");
    }
}

#[tokio::test]
async fn more_noise_than_we_take_is_no_answer() {
    let (_, probe) = login("/bin/sh", "head -c 10000000 /dev/zero >&2");
    let error = probe.run(&["true"]).await.unwrap_err();
    assert!(error.to_string().contains("flooded"), "{error}");
    let (_, probe) = login("/bin/sh", "head -c 10000000 /dev/zero");
    assert!(matches!(probe.run(&["true"]).await, Err(RemoteError::Answer { .. })));
}

#[tokio::test]
async fn no_two_commands_share_a_mark() {
    let (session, probe) = login("/bin/sh", "");
    probe.run(&["true"]).await.unwrap();
    probe.run(&["true"]).await.unwrap();
    let commands = session.commands.lock().unwrap();
    let nonces: Vec<&str> = commands.iter().map(|command| command.rsplit(' ').next().unwrap()).collect();
    assert_ne!(nonces[0], nonces[1]);
    assert!(nonces.iter().all(|nonce| nonce.len() == 32));
}

#[tokio::test]
async fn output_that_holds_marks_of_another_command_is_output() {
    let ran = Bench::new().probe().run(&["echo", "00000000000000000000000000000000-start"]).await.unwrap();
    assert_eq!(ran.stdout, b"00000000000000000000000000000000-start\n");
}

#[tokio::test]
async fn a_text_cut_short_is_not_run() {
    let bench = Bench::new();
    let mark = bench.local("ran");
    let program = crate::remote::shell::Program {
        argv: vec!["touch", mark.to_str().unwrap()],
        environment: &[],
        chdir: None,
        deadline: std::time::Duration::from_secs(5),
        fence: None,
    };
    let framed = program.framed(None, "abc");
    for length in 0..framed.text.len() - 1 {
        let exec = Exec {
            command: framed.command.clone(),
            stdin: crate::transport::Stdin::Bytes(framed.text[..length].to_vec()),
            stdout: crate::transport::Drain::Capture { cap: 1000 },
            stderr: crate::transport::Drain::Capture { cap: 1000 },
            deadline: std::time::Duration::from_secs(5),
            prompt: None,
        };
        LocalSession::new("h1").exec(exec).await.unwrap();
        assert!(!mark.exists(), "ran with {length} of {} bytes", framed.text.len());
    }
}

#[tokio::test]
async fn a_scripted_host_hears_what_was_meant_and_is_understood() {
    use crate::transport::{Connector as _, Scripted, Target};
    let scripted = Scripted::new(|_, command, stdin| {
        let heard = crate::remote::Heard::from_exec(command, stdin).unwrap();
        assert_eq!(heard.stdin, b"its input");
        Ok(heard.answer(3, format!("{:?}", heard.argv).as_bytes(), b"words"))
    });
    let target = Target {
        name: "h1".into(),
        local: false,
        address: "h1".into(),
        port: None,
        user: None,
        identity: None,
        password: None,
        jump: Vec::new(),
        fallbacks: Vec::new(),
        connect_timeout: None,
    };
    let host = RemoteHost::new(scripted.connect(&target).await.unwrap());
    let environment = vec![("A".to_owned(), "'\nset it".to_owned())];
    let probe = Probe::new(host.with_environment(environment));
    let options = crate::remote::RunOptions { stdin: Some(b"its input".to_vec()), ..Default::default() };
    let ran = probe.run_with(&["it's", "a\nb", ""], options).await.unwrap();
    assert_eq!(
        (ran.rc, ran.stdout.as_slice(), ran.stderr.as_slice()),
        (3, br#"["it's", "a\nb", ""]"#.as_slice(), b"words".as_slice())
    );
}
