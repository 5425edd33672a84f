//! Jump hosts: nested, shared, checked, and blind to what they carry.

use quorate::transport::{ConnectError, Connector, ExecError, Target};
use russh::keys::ssh_key::LineEnding;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::fixture::{Home, command, refused};
use super::server::{Access, Host, Setup, key};

/// A target behind jump hosts, the first to be reached first.
fn behind(home: &Home, host: &Host, jumps: &[&Host]) -> Target {
    let jump = jumps.iter().map(|j| format!("jumper@127.0.0.1:{}", j.port)).collect();
    home.write("config", &format!("IdentityAgent none\nIdentityFile {}\n", home.path("id").display()));
    Target { jump, ..home.target(host) }
}

#[tokio::test]
async fn reaches_a_host_through_two_that_see_only_ciphertext() {
    let home = Home::new();
    let (outer, inner, host) = (home.host().await, home.host().await, home.host().await);
    home.trust(&[&outer, &inner, &host]);
    let session = home.connect(&behind(&home, &host, &[&outer, &inner])).await.unwrap();
    let output = session.exec(command("both")).await.unwrap();
    assert_eq!(output.stdout, b"to stdout");
    assert_eq!(host.commands(), ["both"]);
    for jump in [&outer, &inner] {
        let carried = jump.carried();
        assert!(jump.commands().is_empty());
        assert!(carried.windows(8).any(|w| w == b"SSH-2.0-"), "an SSH connection went by");
        for secret in [&b"to stdout"[..], b"to stderr", b"ssh-userauth", b"ops"] {
            assert!(!carried.windows(secret.len()).any(|w| w == secret), "{}", String::from_utf8_lossy(secret));
        }
    }
}

#[tokio::test]
async fn hosts_behind_the_same_jump_host_share_one_connection_to_it() {
    let home = Home::new();
    let (jump, host) = (home.host().await, home.host().await);
    home.trust(&[&jump, &host]);
    let target = behind(&home, &host, &[&jump]);
    let connector = home.connector();
    let all = futures_util::future::join_all((0..12).map(|_| connector.connect(&target))).await;
    let sessions: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!((jump.connections(), host.connections()), (1, 12));
    let flood = futures_util::future::join_all(sessions.iter().take(4).map(|s| s.exec(command("flood")))).await;
    assert!(flood.iter().all(|r| r.as_ref().is_ok_and(|o| o.stdout == b"done")));
}

#[tokio::test]
async fn a_jump_host_that_rejects_us_is_asked_once_for_all_hosts() {
    let home = Home::new();
    let access = Access { keys: vec![key().public_key().clone()], ..Access::default() };
    let (jump, host) = (Host::start(Setup::new(access)).await, home.host().await);
    home.trust(&[&jump, &host]);
    let target = behind(&home, &host, &[&jump]);
    let connector = home.connector();
    let all = futures_util::future::join_all((0..12).map(|_| connector.connect(&target))).await;
    assert!(all.iter().all(|r| matches!(r, Err(ConnectError::LoginRefused { user, .. }) if user == "jumper")));
    assert_eq!((jump.rejected(), jump.connections()), (1, 1));
}

#[tokio::test]
async fn checks_the_key_of_every_hop_under_its_own_name() {
    let home = Home::new();
    let (jump, host) = (home.host().await, home.host().await);
    let target = behind(&home, &host, &[&jump]);
    home.trust(&[&jump]);
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::HostKey { host, .. } if host == "etcd1"), "{error}");
    home.trust(&[&host]);
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::HostKey { host, .. } if host == "127.0.0.1"), "{error}");
    assert_eq!(host.rejected(), 0);
}

#[tokio::test]
async fn says_which_jump_host_could_not_reach_what() {
    let home = Home::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let jump = home.host().await;
    let strict = Host::start(Setup { forwards: false, ..Setup::new(home.access()) }).await;
    home.trust(&[&jump, &strict]);
    for (via, why) in [(&jump, "connection refused"), (&strict, "forwarding is forbidden")] {
        let target = Target { port: Some(closed), ..behind(&home, via, &[via]) };
        let error = refused(home.connect(&target).await);
        let ConnectError::Unreachable { host, via: Some(via), detail } = &error else { panic!("{error}") };
        assert_eq!((host.as_str(), via.as_str()), ("etcd1", "127.0.0.1"));
        assert!(detail.contains(why), "{detail}");
    }
}

#[tokio::test]
async fn takes_the_jump_host_from_ssh_config_with_its_own_key() {
    let home = Home::new();
    let own = key();
    home.write("jump_id", own.to_openssh(LineEnding::LF).unwrap().as_str());
    let access = Access { keys: vec![own.public_key().clone()], ..Access::default() };
    let (jump, host) = (Host::start(Setup::new(access)).await, home.host().await);
    home.trust(&[&jump, &host]);
    let config = format!(
        "Host bastion\n  HostName 127.0.0.1\n  Port {}\n  User jumper\n  IdentityFile ~/.ssh/jump_%r\nHost *\n  IdentityAgent none\nHost member\n  HostName 127.0.0.1\n  ProxyJump bastion\n",
        jump.port
    );
    home.write("config", &config.replace("jump_%r", "jump_id"));
    let target = Target { address: "member".to_owned(), ..home.target(&host) };
    home.connect(&target).await.unwrap();
    assert_eq!(jump.connections(), 1);
}

#[tokio::test]
async fn a_tunnel_carries_bytes_and_a_refused_one_is_no_lost_host() {
    let (_host, session) = Home::new().session().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap()
    });
    let mut tunnel = session.tunnel("127.0.0.1", port).await.unwrap();
    tunnel.write_all(b"GET /health").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut back = String::new();
    tunnel.read_to_string(&mut back).await.unwrap();
    assert_eq!((back.as_str(), echo.await.unwrap()), ("GET /health", 11));
    drop(tunnel);
    let error = session.tunnel("127.0.0.1", port).await.map(drop).unwrap_err();
    assert!(matches!(&error, ExecError::TunnelRefused { to, .. } if *to == format!("127.0.0.1:{port}")), "{error}");
    assert!(session.exec(command("both")).await.is_ok());
}

#[tokio::test]
async fn a_network_that_refuses_is_no_refused_login() {
    let home = Home::new();
    let host = home.host().await;
    home.trust(&[&host]);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let target = Target { port: Some(closed), ..home.target(&host) };
    // Whoever holds the session tries again: tests/engine/reached.rs.
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::Unreachable { via: None, .. }), "{error}");
}

#[tokio::test]
async fn a_tunnel_keeps_the_connection_that_carries_it() {
    let (_host, session) = Home::new().session().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut tunnel = session.tunnel("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
    drop(session);
    let (mut far, _) = listener.accept().await.unwrap();
    far.write_all(b"still here").await.unwrap();
    drop(far);
    let mut text = String::new();
    tunnel.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "still here");
}
