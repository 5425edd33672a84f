//! A second jump host: taken where the first cannot be reached, and for no other reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quorate::transport::{ConnectError, Connector, Session, Target};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::fixture::{Home, command, line, refused};
use super::loss::{Wire, wire};
use super::server::{Access, Host, Setup, key};

/// A target behind the jump host at the first port, or else at the second.
fn two_ways(home: &Home, host: &Host, ports: [u16; 2]) -> Target {
    let text = format!("IdentityAgent none\nConnectTimeout 4\nIdentityFile {}\n", home.path("id").display());
    home.write("config", &text);
    let [first, second] = ports.map(|port| vec![format!("jumper@127.0.0.1:{port}")]);
    Target { jump: first, fallbacks: vec![second], ..home.target(host) }
}

async fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Something that says these words to whoever connects, and hangs up; how often it did.
async fn curt(words: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream.write_all(words).await);
        }
    });
    (port, count)
}

/// Through which port it is reached, and why by another way than the first.
fn way(session: &Arc<dyn Session>) -> (String, bool, String) {
    let way = session.way().unwrap();
    (way.through.clone(), way.first, way.why.clone())
}

#[tokio::test]
async fn a_jump_host_that_cannot_be_reached_is_passed_over() {
    let home = Home::new();
    let (second, host) = (home.host().await, home.host().await);
    home.trust(&[&second, &host]);
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (first, why) in [
        (closed().await, "refused"),
        (mute.local_addr().unwrap().port(), "no answer within 4 s"),
        (curt(b"").await.0, "127.0.0.1"),
        (curt(b"SSH-2.0-x\r\n").await.0, "127.0.0.1"),
    ] {
        let session = home.connect(&two_ways(&home, &host, [first, second.port])).await.unwrap();
        assert!(session.exec(command("both")).await.is_ok());
        let (through, is_first, said) = way(&session);
        assert_eq!((through, is_first), (format!("127.0.0.1:{}", second.port), false));
        assert!(said.contains(&format!(":{first}")) && said.contains(why), "{said}");
    }
    // Where the first is there, nothing is told and nobody else is asked.
    let (first, before) = (home.host().await, second.connections());
    home.trust(&[&first, &second, &host]);
    let session = home.connect(&two_ways(&home, &host, [first.port, second.port])).await.unwrap();
    assert_eq!(way(&session), (format!("127.0.0.1:{}", first.port), true, String::new()));
    assert_eq!(second.connections(), before);
}

#[tokio::test]
async fn a_host_key_or_a_login_that_is_refused_is_no_reason_for_another_way() {
    let home = Home::new();
    let locked = Access { keys: vec![key().public_key().clone()], ..Access::default() };
    let (first, second, host) = (Host::start(Setup::new(locked)).await, home.host().await, home.host().await);
    let target = two_ways(&home, &host, [first.port, second.port]);
    home.trust(&[&second, &host]);
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::HostKey { .. }), "unknown: {error}");
    home.write("known_hosts", &[line(first.port, &second.key), line(second.port, &second.key)].join("\n"));
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::HostKey { .. }), "changed: {error}");
    home.trust(&[&first, &second, &host]);
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::LoginRefused { .. }), "{error}");
    assert_eq!((first.rejected(), second.connections(), host.connections()), (1, 0, 0));
}

#[tokio::test]
async fn a_target_that_is_silent_behind_a_jump_host_that_is_there_is_no_reason_for_another_way() {
    let home = Home::new();
    let strict = Host::start(Setup { forwards: false, ..Setup::new(home.access()) }).await;
    let (first, second, host) = (home.host().await, home.host().await, home.host().await);
    home.trust(&[&first, &strict, &second, &host]);
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (first, port) in [(&first, closed().await), (&first, mute.local_addr().unwrap().port()), (&strict, host.port)] {
        let target = Target { port: Some(port), ..two_ways(&home, &host, [first.port, second.port]) };
        let error = refused(home.connect(&target).await);
        assert!(matches!(&error, ConnectError::Unreachable { host, via: Some(_), .. } if host == "etcd1"), "{error}");
    }
    assert_eq!(second.connections(), 0);
}

#[tokio::test]
async fn every_key_is_checked_by_whatever_way() {
    let home = Home::new();
    let (second, host) = (home.host().await, home.host().await);
    let target = two_ways(&home, &host, [closed().await, second.port]);
    home.trust(&[&second]);
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::HostKey { host, .. } if host == "etcd1"), "{error}");
    home.trust(&[&host]);
    let error = refused(home.connect(&target).await);
    assert!(matches!(&error, ConnectError::HostKey { host, .. } if host == "127.0.0.1"), "{error}");
    assert_eq!((host.rejected(), second.rejected()), (0, 0));
}

#[tokio::test]
async fn all_hosts_share_the_connection_of_the_other_way_and_do_not_ask_for_the_first_again() {
    let home = Home::new();
    let (second, host) = (home.host().await, home.host().await);
    home.trust(&[&second, &host]);
    let (first, asked) = curt(b"").await;
    let target = two_ways(&home, &host, [first, second.port]);
    let connector = home.connector();
    let all = futures_util::future::join_all((0..12).map(|_| connector.connect(&target))).await;
    assert!(all.iter().all(|session| session.as_ref().is_ok_and(|session| !way(session).1)));
    let later = connector.connect(&target).await.unwrap();
    assert!(way(&later).2.contains(&first.to_string()), "the reason stays known");
    assert_eq!((asked.load(Ordering::SeqCst), second.connections(), host.connections()), (1, 1, 13));
}

#[tokio::test]
async fn where_no_way_leads_anywhere_all_are_named() {
    let home = Home::new();
    let host = home.host().await;
    let ports = [closed().await, closed().await];
    let error = refused(home.connect(&two_ways(&home, &host, ports)).await);
    assert!(matches!(&error, ConnectError::Unreachable { .. }), "{error}");
    assert!(ports.iter().all(|port| error.to_string().contains(&format!(":{port}"))), "{error}");
}

#[tokio::test]
async fn a_jump_host_that_falls_silent_is_left_for_the_other_and_gone_back_to() {
    let home = Home::new();
    let (first, second, host) = (home.host().await, home.host().await, home.host().await);
    let (port, to_first) = wire(&first).await;
    let (other, to_second) = wire(&second).await;
    let known = [line(port, &first.key), line(other, &second.key), line(host.port, &host.key)].join("\n");
    home.write("known_hosts", &known);
    let connector = home.connector();
    let target = two_ways(&home, &host, [port, other]);
    let session = connector.connect(&target).await.unwrap();
    assert!(way(&session).1);
    // No keepalive has failed yet: the connection is dead and does not know it.
    to_first.send_replace(Wire::Silent);
    let session = connector.connect(&target).await.unwrap();
    assert_eq!(way(&session).0, format!("127.0.0.1:{other}"));
    assert!(session.exec(command("both")).await.is_ok());
    to_first.send_replace(Wire::Whole);
    to_second.send_replace(Wire::Cut);
    let session = connector.connect(&target).await.unwrap();
    let (through, is_first, why) = way(&session);
    assert_eq!((through, is_first), (format!("127.0.0.1:{port}"), true));
    assert!(why.contains(&other.to_string()), "{why}");
}

#[tokio::test]
async fn a_login_that_the_other_way_refuses_is_asked_for_once_and_the_first_may_come_back() {
    let home = Home::new();
    let locked = Access { keys: vec![key().public_key().clone()], ..Access::default() };
    let (first, second, host) = (home.host().await, Host::start(Setup::new(locked)).await, home.host().await);
    let (port, to_first) = wire(&first).await;
    let known = [line(port, &first.key), line(second.port, &second.key), line(host.port, &host.key)].join("\n");
    home.write("known_hosts", &known);
    let connector = home.connector();
    let target = two_ways(&home, &host, [port, second.port]);
    to_first.send_replace(Wire::Cut);
    for _ in 0..2 {
        let error = refused(connector.connect(&target).await);
        assert!(matches!(&error, ConnectError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("login as jumper refused"), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
    assert_eq!((second.rejected(), host.connections()), (1, 0));
    to_first.send_replace(Wire::Whole);
    assert!(way(&connector.connect(&target).await.unwrap()).1);
}
