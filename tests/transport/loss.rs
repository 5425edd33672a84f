//! Links that break: at once, in silence, or because we say goodbye.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate::transport::ssh::{SshConnector, SshOptions};
use quorate::transport::{ConnectError, Connector, Exec, ExecError, Session, Target};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fixture::{Home, LONG, command, line, refused};
use super::server::Host;

/// What a wire between client and server does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Whole,
    /// Everything is swallowed, nothing is closed.
    Silent,
    Cut,
}

/// A wire to a host, which can be broken.
pub(crate) async fn wire(host: &Host) -> (u16, watch::Sender<Wire>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, far) = (listener.local_addr().unwrap().port(), host.port);
    let (state, _) = watch::channel(Wire::Whole);
    let states = state.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut state = states.subscribe();
            let mut far = TcpStream::connect(("127.0.0.1", far)).await.unwrap();
            tokio::spawn(async move {
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    _ = state.wait_for(|s| *s != Wire::Whole) => {}
                }
                drop(state.wait_for(|s| *s == Wire::Cut).await);
            });
        }
    });
    (port, state)
}

/// A session over a wire.
async fn wired(home: &Home) -> (Host, Arc<dyn Session>, watch::Sender<Wire>) {
    let host = home.host().await;
    let (port, wire) = wire(&host).await;
    home.write("known_hosts", &line(port, &host.key));
    let options = SshOptions { keepalive: Duration::from_millis(100), ..home.options() };
    let target = Target { port: Some(port), ..home.target(&host) };
    let session = SshConnector::new(options).connect(&target).await.unwrap();
    (host, session, wire)
}

/// Breaks the wire once the host has the command.
async fn broken(session: &Arc<dyn Session>, host: &Host, wire: &watch::Sender<Wire>, how: Wire) -> ExecError {
    let breaking = async {
        while host.commands().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        wire.send_replace(how);
    };
    let (result, ()) = tokio::join!(session.exec(command("hang")), breaking);
    result.unwrap_err()
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_command_is_an_unknown_outcome() {
    let home = Home::new();
    let (host, session, wire) = wired(&home).await;
    let error = broken(&session, &host, &wire, Wire::Cut).await;
    assert!(matches!(error, ExecError::Lost { started: true, .. }), "{error}");
    let error = session.exec(command("both")).await.unwrap_err();
    assert!(matches!(error, ExecError::Lost { started: false, .. }), "{error}");
    let error = session.tunnel("127.0.0.1", host.port).await.map(drop).unwrap_err();
    assert!(matches!(error, ExecError::Lost { started: false, .. }), "{error}");
}

#[tokio::test]
async fn a_silent_link_is_noticed_by_its_keepalives() {
    let home = Home::new();
    let (host, session, wire) = wired(&home).await;
    let began = Instant::now();
    let error = broken(&session, &host, &wire, Wire::Silent).await;
    assert!(matches!(&error, ExecError::Lost { started: true, detail, .. } if detail.contains("keepalive")), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10), "three intervals of 0.1 s took {:?}", began.elapsed());
}

#[tokio::test]
async fn all_commands_of_a_lost_connection_are_told() {
    let home = Home::new();
    let (host, session, wire) = wired(&home).await;
    let others = futures_util::future::join_all((0..20).map(|_| session.exec(command("hang"))));
    let (one, others) = tokio::join!(broken(&session, &host, &wire, Wire::Cut), others);
    assert!(matches!(one, ExecError::Lost { .. }));
    assert!(others.iter().all(|r| matches!(r, Err(ExecError::Lost { .. }))));
}

#[tokio::test]
async fn saying_goodbye_ends_what_runs() {
    let home = Home::new();
    let (host, session) = home.session().await;
    let leaving = async {
        while host.commands().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        session.close().await;
    };
    let (result, ()) = tokio::join!(session.exec(command("hang")), leaving);
    assert!(matches!(result, Err(ExecError::Lost { started: true, .. })));
    assert!(matches!(session.exec(command("both")).await, Err(ExecError::Lost { .. })));
}

#[tokio::test]
async fn a_host_that_never_speaks_costs_one_timeout() {
    let home = Home::new();
    let host = home.host().await;
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mute.local_addr().unwrap().port();
    let target = Target { port: Some(port), connect_timeout: Some(Duration::from_millis(300)), ..home.target(&host) };
    let began = Instant::now();
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::Unreachable { detail, .. } if detail.contains("0.3 s")), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_lost_jump_host_loses_what_it_carried_and_is_made_again() {
    let home = Home::new();
    let (jump, host) = (home.host().await, home.host().await);
    let (port, wire) = wire(&jump).await;
    home.write("known_hosts", &format!("{}\n{}\n", line(port, &jump.key), line(host.port, &host.key)));
    home.write("config", &format!("IdentityAgent none\nIdentityFile {}\n", home.path("id").display()));
    let target = Target { jump: vec![format!("ops@127.0.0.1:{port}")], ..home.target(&host) };
    let connector = home.connector();
    let session = connector.connect(&target).await.unwrap();
    let error = broken(&session, &host, &wire, Wire::Cut).await;
    assert!(matches!(error, ExecError::Lost { started: true, .. }), "{error}");
    wire.send_replace(Wire::Whole);
    let session = connector.connect(&target).await.unwrap();
    assert!(session.exec(Exec { deadline: LONG, ..command("both") }).await.is_ok());
    assert_eq!(jump.connections(), 2);
}

/// A server that says this again and again until its client hangs up.
async fn babbler(first: &'static [u8], then: &'static [u8]) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let talking = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        if stream.write_all(first).await.is_ok() {
            while stream.write_all(then).await.is_ok() {}
        }
    });
    (port, talking)
}

#[tokio::test]
async fn what_is_no_ssh_server_is_left_in_time() {
    let home = Home::new();
    let host = home.host().await;
    for (first, then) in [
        (&b""[..], &b"no banner here\r\n"[..]),
        (b"HTTP/1.1 400 Bad Request\r\n", &[b'x'; 4096]),
        (b"SSH-1.5-old\r\n", b"\r\n"),
        (b"SSH-2.0-x\r\n", &[0x80, 0, 0, 0, 4, 20, 0, 0]),
        (b"SSH-2.0-x\r\n", &[0; 64]),
        (b"SSH-2.0-x\r\n", &[0xff; 64]),
        // An SSH_MSG_IGNORE, for ever.
        (b"SSH-2.0-x\r\n", &[0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let (port, talking) = babbler(first, then).await;
        let target =
            Target { port: Some(port), connect_timeout: Some(Duration::from_millis(700)), ..home.target(&host) };
        let began = Instant::now();
        let error = refused(home.connect(&target).await);
        assert!(matches!(&error, ConnectError::Unreachable { .. }), "{error}");
        tokio::time::timeout(LONG, talking).await.expect("the client hangs up").unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?} took {:?}",
            String::from_utf8_lossy(first),
            began.elapsed()
        );
    }
}
