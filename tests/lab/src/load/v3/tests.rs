//! Answers as etcd gives them, and what is not quite one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::*;

fn answer(status: u16, text: &str) -> Answer {
    Answer { status, text: text.to_owned(), body: serde_json::from_str(text).unwrap_or_default(), ..Answer::default() }
}

const DONE: &str = r#"{"header":{"cluster_id":"1","member_id":"2","revision":"7","raft_term":"2"},"succeeded":true,
    "responses":[{"response_put":{"header":{"revision":"7"}}}]}"#;
const NOT_DONE: &str = r#"{"header":{"cluster_id":"1","member_id":"2","revision":"7","raft_term":"2"}}"#;

#[test]
fn only_a_definite_answer_is_definite() {
    assert_eq!(written(&answer(200, DONE), No::Exists), Outcome::Ok(7));
    assert_eq!(written(&answer(200, NOT_DONE), No::Differs), Outcome::No(No::Differs));
    let incapable = r#"{"Error":"etcdserver: not capable","Code":14}"#;
    assert_eq!(written(&answer(503, incapable), No::Exists), Outcome::No(No::Incapable));
    for (status, text) in [
        (200, ""),
        (200, "{}"),
        (200, r#"{"header":{},"succeeded":true}"#),
        (200, r#"{"header":{"revision":7},"succeeded":true}"#),
        (200, r#"{"header":{"revision":"7"},"succeeded":"true"}"#),
        (500, DONE),
        (503, NOT_DONE),
        (500, incapable),
        (503, r#"{"error":"etcdserver: request timed out","code":14}"#),
        (503, r#"{"error":"etcdserver: leader changed","code":14,"message":"etcdserver: leader changed"}"#),
        (504, r#"{"code":4,"message":"context deadline exceeded","details":[]}"#),
    ] {
        let outcome = written(&answer(status, text), No::Exists);
        assert!(matches!(outcome, Outcome::Unknown(_)), "{status} {text}: {outcome:?}");
    }
}

#[test]
fn a_read_is_one_key_none_or_unknown() {
    let one = r#"{"header":{"revision":"9"},"kvs":[{"key":"L2s=","create_revision":"4","mod_revision":"8",
        "version":"2","value":"YV9i"}],"count":"1"}"#;
    assert_eq!(found(&answer(200, one)), (Outcome::Ok(8), Some("a_b".to_owned())));
    assert_eq!(found(&answer(200, NOT_DONE)), (Outcome::Ok(0), None));
    let without_revision = one.replace(r#""mod_revision":"8","#, "");
    for (status, text) in [(200, "{}"), (503, NOT_DONE), (200, &*without_revision), (200, &one.replace("YV9i", "?"))] {
        let (outcome, value) = found(&answer(status, text));
        assert!(matches!(outcome, Outcome::Unknown(_)) && value.is_none(), "{text}: {outcome:?}");
    }
}

#[test]
fn ids_are_told_in_hexadecimal_and_urls_in_order() {
    let one = serde_json::json!({ "ID": "10276657743932975437", "peerURLs": ["http://b:2380", "http://a:2380"] });
    let urls = vec!["http://a:2380".to_owned(), "http://b:2380".to_owned()];
    assert_eq!(member(&one), Some(("8e9e05c52164694d".to_owned(), urls)));
}

/// A member that answers `count` requests, of the version and under the prefix that the turn says.
fn member_that_changes(turns: Vec<(&'static str, &'static str)>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let mut asked = Vec::new();
        for (version, prefix) in turns {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let path = line.split(' ').nth(1).unwrap().to_owned();
            let mut length = 0;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).unwrap();
                if let Some(digits) = header.to_lowercase().strip_prefix("content-length:") {
                    length = digits.trim().parse().unwrap();
                }
                if header.trim().is_empty() {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let (status, body) = if path == "/version" {
                ("200 OK", format!(r#"{{"etcdserver":"{version}","etcdcluster":"3.0.0"}}"#))
            } else if path.starts_with(&format!("{prefix}/")) {
                ("200 OK", DONE.to_owned())
            } else {
                ("404 Not Found", "404 page not found\n".to_owned())
            };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            reader.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
            asked.push(path);
        }
        asked
    });
    (url, served)
}

#[test]
fn the_prefix_is_asked_for_once_and_again_after_an_upgrade() {
    let (old, new) = (("3.2.32", "/v3alpha"), ("3.4.13", "/v3"));
    let (url, served) = member_that_changes(vec![old, old, old, new, new, new]);
    let driver = V3::new(&Plan::new(Vec::new()), &url, Duration::from_secs(5)).unwrap();
    for key in ["/a", "/b", "/c"] {
        assert_eq!(driver.create(key, "v"), Outcome::Ok(7));
    }
    let paths = ["/version", "/v3alpha/kv/txn", "/v3alpha/kv/txn", "/v3alpha/kv/txn", "/version", "/v3/kv/txn"];
    assert_eq!(served.join().unwrap(), paths);
}

#[test]
fn nothing_is_sent_to_a_member_of_2_3() {
    let (url, served) = member_that_changes(vec![("2.3.8", "")]);
    let driver = V3::new(&Plan::new(Vec::new()), &url, Duration::from_secs(5)).unwrap();
    assert_eq!(driver.create("/a", "v"), Outcome::No(No::Incapable));
    assert_eq!(served.join().unwrap(), ["/version"]);
}
