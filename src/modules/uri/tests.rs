use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::tests::Bench;
use super::request::Target;
use super::*;

/// Answers every request with what `answer` makes of its text; the port, and what was asked.
async fn listen(answer: fn(&str) -> String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut text, mut chunk) = (String::new(), [0; 4096]);
            let whole = |text: &str| {
                let (head, body) = text.split_once("\r\n\r\n")?;
                let size =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                (body.len() >= size.unwrap_or(0)).then_some(())
            };
            while whole(&text).is_none() {
                let read = stream.read(&mut chunk).await.unwrap();
                if read == 0 {
                    break;
                }
                text.push_str(&String::from_utf8_lossy(&chunk[..read]));
            }
            let reply = answer(&text);
            kept.lock().unwrap().push(text);
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    (port, asked)
}

fn reply(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nX-Raft-Index: 7\r\nChanged: 1\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn an_answer_comes_with_status_json_and_headers() {
    let (port, _) = listen(|_| reply("200 OK", "application/json; charset=utf-8", r#"{"health": "true"}"#)).await;
    let bench = Bench::new();
    let done = bench.ok(&ROW, &format!("{{url: 'http://127.0.0.1:{port}/health'}}")).await;
    assert_eq!((&done.result["status"], &done.result["json"]["health"]), (&json!(200), &json!("true")));
    assert_eq!((&done.result["x_raft_index"], done.result.get("changed")), (&json!("7"), None));
    assert!(!done.changed && !done.result.contains_key("content"));
    let done = bench.ok(&ROW, &format!("{{url: 'http://127.0.0.1:{port}/', return_content: yes}}")).await;
    assert_eq!(done.result["content"], json!(r#"{"health": "true"}"#));
}

#[tokio::test]
async fn a_status_that_was_not_expected_fails_with_its_body() {
    let (port, _) = listen(|_| reply("404 Not Found", "text/plain", "nothing here")).await;
    let bench = Bench::new();
    let failure = bench.fails(&ROW, &format!("{{url: 'http://127.0.0.1:{port}/'}}")).await;
    assert!(failure.msg.contains("status code was 404 and not [200]"), "{}", failure.msg);
    assert_eq!((&failure.result["status"], &failure.result["content"]), (&json!(404), &json!("nothing here")));
    bench.ok(&ROW, &format!("{{url: 'http://127.0.0.1:{port}/', status_code: '200,404'}}")).await;
    bench.ok(&ROW, &format!("{{url: 'http://127.0.0.1:{port}/', status_code: [200, 404]}}")).await;
}

#[tokio::test]
async fn no_answer_is_status_minus_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let failure = Bench::new().fails(&ROW, &format!("{{url: 'http://127.0.0.1:{port}/'}}")).await;
    assert_eq!((failure.fault, &failure.result["status"]), (Fault::Failed, &json!(-1)));
}

#[tokio::test]
async fn bodies_are_written_as_asked() {
    let (port, asked) = listen(|_| reply("201 Created", "text/plain", "")).await;
    let bench = Bench::new();
    let url = format!("url: 'http://127.0.0.1:{port}/k?a=b', method: put, status_code: 201");
    bench.ok(&ROW, &format!("{{{url}, body: {{a: 1}}, body_format: json, headers: {{X-Own: 5}}}}")).await;
    bench.ok(&ROW, &format!("{{{url}, body: {{value: 'a b&c', n: [1, 2]}}, body_format: form-urlencoded}}")).await;
    bench.ok(&ROW, &format!("{{{url}, body: plain}}")).await;
    let asked = asked.lock().unwrap();
    assert!(asked[0].starts_with("PUT /k?a=b HTTP/1.1") && asked[0].ends_with(r#"{"a":1}"#), "{}", asked[0]);
    assert!(asked[0].contains("application/json") && asked[0].to_lowercase().contains("x-own: 5"), "{}", asked[0]);
    assert!(asked[1].ends_with("value=a+b%26c&n=1&n=2") && asked[1].contains("x-www-form-urlencoded"), "{}", asked[1]);
    assert!(asked[2].ends_with("\r\n\r\nplain"), "{}", asked[2]);
}

#[tokio::test]
async fn a_password_is_sent_when_it_is_asked_for_or_forced() {
    let answer = |text: &str| {
        let known = text.contains("Basic dTpw");
        reply(if known { "200 OK" } else { "401 Unauthorized" }, "text/plain", "")
    };
    let (port, asked) = listen(answer).await;
    let bench = Bench::new();
    let done = bench.ok(&ROW, &format!("{{url: 'http://u:p@127.0.0.1:{port}/'}}")).await;
    assert_eq!(done.result["url"], json!(format!("http://127.0.0.1:{port}/")), "no password in the result");
    let user = "url_username: u, url_password: p";
    bench.ok(&ROW, &format!("{{url: 'http://127.0.0.1:{port}/', {user}, force_basic_auth: yes}}")).await;
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[test]
fn certificates_can_not_be_left_unchecked() {
    let bench = Bench::new();
    bench.file("ca.pem", "");
    assert_eq!(bench.preflight(&ROW, "{url: 'https://a/', ca_path: ca.pem}").len(), 0);
    for wrong in ["validate_certs: no", "validate_certs: 'false'", "ca_path: none.pem", "client_key: none.pem"] {
        assert_eq!(bench.preflight(&ROW, &format!("{{url: 'https://a/', {wrong}}}")).len(), 1, "{wrong}");
    }
    assert_eq!(bench.preflight(&ROW, "{url: 'ftp://a/'}").len(), 1);
}

#[test]
fn a_url_is_read_whole_or_refused() {
    for bad in ["", "a", "/a", "ftp://a/", "http://", "http:///x", "http://a:99999/", "http://a b/"] {
        assert!(Target::from_url(bad).is_err(), "{bad:?}");
    }
    for good in ["http://a", "https://[::1]:2379/v2/keys?x=1#y", "http://u:p%40@a:1/b"] {
        assert!(Target::from_url(good).is_ok(), "{good:?}");
    }
}
