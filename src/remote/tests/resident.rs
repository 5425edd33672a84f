//! The loader that stays: what it runs is told apart as what runs alone is, and where it cannot be had nothing is lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::remote::{Fence, Probe, RemoteError, RemoteHost, RemotePath, RunOptions};
use crate::transport::{BoxFuture, ByteStream, Exec, ExecError, LocalSession, Output, Residents, Session};

/// This machine, with a connection on which commands may stay, and a count of those that were begun.
struct Connection {
    inner: LocalSession,
    residents: Arc<Residents>,
    begun: AtomicUsize,
    /// Goes before each command from the n-th on.
    first: Mutex<Option<(usize, &'static str)>>,
}

impl Session for Connection {
    fn host(&self) -> &str {
        "h1"
    }

    fn exec(&self, mut exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst);
        if let Some((from, first)) = *self.first.lock().unwrap()
            && number >= from
        {
            exec.command = format!("{first}\n{}", exec.command);
        }
        self.inner.exec(exec)
    }

    fn tunnel<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        self.inner.tunnel(address, port)
    }

    fn residents(&self) -> Option<Arc<Residents>> {
        Some(Arc::clone(&self.residents))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.residents.close();
        self.inner.close()
    }
}

fn connection() -> (Arc<Connection>, RemoteHost) {
    let connection = Arc::new(Connection {
        inner: LocalSession::new("h1"),
        residents: Arc::default(),
        begun: AtomicUsize::new(0),
        first: Mutex::default(),
    });
    let host = RemoteHost::new(Arc::clone(&connection) as Arc<dyn Session>);
    (connection, host.with_deadline(Duration::from_secs(20)))
}

impl Connection {
    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

/// A probe whose loader stands already: the first command went alone, the second began it.
async fn resident() -> (Arc<Connection>, RemoteHost, Probe) {
    let (connection, host) = connection();
    let probe = Probe::new(host.clone());
    for _ in 0..2 {
        probe.run(&["true"]).await.unwrap();
    }
    assert_eq!(connection.begun(), 2);
    (connection, host, probe)
}

#[tokio::test]
async fn the_first_command_goes_alone_and_all_others_to_one_that_stays() {
    let (connection, _, probe) = resident().await;
    for number in 0..50 {
        let ran = probe.run(&["sh", "-c", &format!("echo out {number}; echo err {number} >&2; exit {number}")]).await;
        let ran = ran.unwrap();
        assert_eq!(ran.stdout, format!("out {number}\n").into_bytes());
        assert_eq!(ran.stderr, format!("err {number}\n").into_bytes());
        assert_eq!(ran.rc, number);
    }
    assert_eq!(connection.begun(), 2);
}

#[tokio::test]
async fn output_is_the_commands_own_byte_for_byte() {
    let (connection, _, probe) = resident().await;
    let text = "printf 'no line feed\\000\\377'; printf '\\n\\n' >&2";
    let ran = probe.script("print bytes", text, &[], None).await.unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"no line feed\0\xff".as_slice(), b"\n\n".as_slice()));
    // More than a pipe holds, on both at once, and more than is kept.
    let much = "head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait";
    let ran = probe.script("print much", much, &[], None).await.unwrap();
    assert!(ran.cut);
    assert_eq!(ran.stdout.len(), 1024 * 1024);
    let ran = probe.run(&["echo", "after it"]).await.unwrap();
    assert_eq!(ran.stdout, b"after it\n");
    assert_eq!(connection.begun(), 2);
}

#[tokio::test]
async fn one_command_leaves_nothing_to_the_next() {
    let (_, host, probe) = resident().await;
    let words = Probe::new(host.clone().with_environment(vec![("GREETING".to_owned(), "it's\nhere".to_owned())]));
    let said = words.script("look", r#"printf %s "$GREETING"; cd /; umask 0; exec 3>&-"#, &[], None).await.unwrap();
    assert_eq!(said.stdout, b"it's\nhere");
    let said = probe.script("look", r#"printf %s "${GREETING-none}"; umask; pwd"#, &[], None).await.unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("none") && !said.contains("0000") && !said.ends_with("\n/\n"), "{said}");
    // Its input is empty, and not the next command.
    let said = probe.script("read", "cat; IFS= read -r line || echo nothing", &[], None).await.unwrap();
    assert_eq!(said.stdout, b"nothing\n");
}

#[tokio::test]
async fn a_signal_that_ends_a_command_is_told_as_a_shell_tells_it_and_nothing_besides() {
    let (connection, _, probe) = resident().await;
    let ran = probe.script("die", "kill -KILL $$", &[], None).await.unwrap();
    assert_eq!((ran.rc, ran.stderr.as_slice()), (137, b"".as_slice()));
    let ran = probe.script("die", "kill -SEGV $$", &[], None).await.unwrap();
    assert_eq!((ran.rc, ran.stdout.as_slice()), (139, b"".as_slice()));
    assert!(!String::from_utf8_lossy(&ran.stderr).contains("Segmentation fault"), "{ran:?}");
    assert_eq!(connection.begun(), 2);
}

#[tokio::test]
async fn what_is_left_behind_prints_into_no_later_command() {
    let (connection, _, probe) = resident().await;
    let text = "(sleep 0.3; echo late; echo late >&2) & echo mine";
    assert_eq!(probe.script("leave something behind", text, &[], None).await.unwrap().stdout, b"mine\n");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let ran = probe.run(&["echo", "next"]).await.unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"next\n".as_slice(), b"".as_slice()));
    assert_eq!(connection.begun(), 2);
}

#[tokio::test]
async fn what_is_to_go_alone_or_has_an_input_does() {
    let (connection, _, probe) = resident().await;
    let options = RunOptions { alone: true, ..RunOptions::default() };
    probe.script_with("alone", "echo alone", &[], options).await.unwrap();
    let input = RunOptions { stdin: Some(b"its input".to_vec()), ..RunOptions::default() };
    assert_eq!(probe.script_with("read", "cat", &[], input).await.unwrap().stdout, b"its input");
    assert_eq!(connection.begun(), 4);
    // The one that stays is still the same.
    probe.run(&["true"]).await.unwrap();
    assert_eq!(connection.begun(), 4);
}

#[tokio::test]
async fn a_second_at_the_same_time_goes_alone() {
    let (connection, _, probe) = resident().await;
    let (slow, quick) = tokio::join!(probe.run(&["sleep", "1"]), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        probe.run(&["echo", "quick"]).await
    });
    assert!(slow.unwrap().success());
    assert_eq!(quick.unwrap().stdout, b"quick\n");
    assert_eq!(connection.begun(), 3);
    probe.run(&["true"]).await.unwrap();
    assert_eq!(connection.begun(), 3);
}

#[tokio::test]
async fn one_that_does_not_answer_in_time_is_ended_and_another_begun() {
    let (connection, host, probe) = resident().await;
    let hasty = Probe::new(host.with_deadline(Duration::from_millis(300)));
    let error = hasty.run(&["sleep", "3"]).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Late { .. }), "{error}");
    assert_eq!(probe.run(&["echo", "again"]).await.unwrap().stdout, b"again\n");
    assert_eq!(connection.begun(), 3);
}

#[tokio::test]
async fn one_whose_caller_goes_away_is_ended_and_another_begun() {
    let (connection, _, probe) = resident().await;
    let text = "echo mine; sleep 3";
    let cut = tokio::time::timeout(Duration::from_millis(300), probe.script("sleep", text, &[], None)).await;
    assert!(cut.is_err());
    assert_eq!(probe.run(&["echo", "again"]).await.unwrap().stdout, b"again\n");
    assert_eq!(connection.begun(), 3);
}

#[tokio::test]
async fn one_that_is_killed_while_it_waits_is_begun_anew() {
    let (connection, _, probe) = resident().await;
    let parent = probe.script("who", "ps -o ppid= -p $PPID", &[], None).await.unwrap();
    let parent = String::from_utf8(parent.stdout).unwrap();
    assert!(std::process::Command::new("kill").args(["-KILL", parent.trim()]).status().unwrap().success());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(probe.run(&["echo", "again"]).await.unwrap().stdout, b"again\n");
    assert_eq!(connection.begun(), 3);
}

#[tokio::test]
async fn one_that_is_killed_at_work_leaves_it_unknown_how_that_ended() {
    let (connection, _, probe) = resident().await;
    let text = r#"kill -KILL "$(ps -o ppid= -p $PPID | tr -d ' ')""#;
    let error = probe.script("kill it", text, &[], None).await.unwrap_err();
    let lost = matches!(&error, RemoteError::Exec(ExecError::Lost { started: true, .. }));
    assert!(lost, "{error}");
    assert_eq!(probe.run(&["echo", "again"]).await.unwrap().stdout, b"again\n");
    assert_eq!(connection.begun(), 3);
}

#[tokio::test]
async fn where_none_may_stay_each_command_goes_alone() {
    let (connection, host) = connection();
    *connection.first.lock().unwrap() = Some((1, "exit 3"));
    let probe = Probe::new(host);
    probe.run(&["true"]).await.unwrap();
    let error = probe.run(&["true"]).await.unwrap_err();
    // The one that should stay was tried, and the command then alone: that says what is wrong.
    assert!(error.to_string().contains("login shell did not run"), "{error}");
    assert_eq!(connection.begun(), 3);
    *connection.first.lock().unwrap() = None;
    for _ in 0..3 {
        probe.run(&["true"]).await.unwrap();
    }
    assert_eq!(connection.begun(), 6);
}

#[tokio::test]
async fn noise_of_the_login_shell_is_cut_there_too() {
    let (connection, host) = connection();
    *connection.first.lock().unwrap() = Some((0, "echo Welcome; echo 'You have mail' >&2"));
    let probe = Probe::new(host);
    for _ in 0..3 {
        let ran = probe.run(&["echo", "mine"]).await.unwrap();
        assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"mine\n".as_slice(), b"".as_slice()));
    }
    assert_eq!(connection.begun(), 2);
}

#[tokio::test]
async fn the_fence_and_the_folder_hold_there_too() {
    let (connection, host, probe) = resident().await;
    let folder = tempfile::tempdir().unwrap();
    let path = RemotePath::from_absolute(folder.path().to_str().unwrap()).unwrap();
    let fence = Fence { path: path.join("lock"), run: "run-1".to_owned() };
    let fenced = Probe::new(host.fenced(Some(fence)));
    let error = fenced.run(&["touch", path.join("made").as_str()]).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Fenced { .. }), "{error}");
    assert!(!folder.path().join("made").exists());
    let options = RunOptions { chdir: Some(path.join("not there")), ..RunOptions::default() };
    let error = probe.run_with(&["true"], options).await.unwrap_err();
    assert!(error.to_string().contains("change to its folder"), "{error}");
    let options = RunOptions { chdir: Some(path.clone()), ..RunOptions::default() };
    assert_eq!(probe.run_with(&["pwd"], options).await.unwrap().stdout, format!("{path}\n").into_bytes());
    assert_eq!(connection.begun(), 2);
}

#[tokio::test]
async fn a_connection_that_is_closed_keeps_none() {
    let (connection, _, probe) = resident().await;
    connection.residents.close();
    for _ in 0..2 {
        probe.run(&["true"]).await.unwrap();
    }
    assert_eq!(connection.begun(), 4);
}
