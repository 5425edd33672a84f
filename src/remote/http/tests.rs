//! HTTP against raw TCP servers that break its rules, and TLS against certificates that do not fit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, Scheme};
use crate::remote::{Probe, RemoteHost};
use crate::transport::LocalSession;

mod tls;

fn probe() -> Probe {
    Probe::new(RemoteHost::new(Arc::new(LocalSession::new("h1"))))
}

/// A server that reads a request's head, and goes on with the stream as it likes.
async fn server<F>(serve: impl FnOnce(TcpStream, String) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        serve(stream, String::from_utf8(head).unwrap()).await;
    });
    port
}

/// Answers with these bytes and closes.
async fn says(answer: impl Into<Vec<u8>>) -> Result<HttpResponse, HttpError> {
    let answer = answer.into();
    let port = server(|mut stream, _| async move {
        let _ = stream.write_all(&answer).await;
    })
    .await;
    probe().http(get(port)).await
}

fn get(port: u16) -> HttpRequest {
    HttpRequest::get(Scheme::Http, "127.0.0.1", port, "/health")
}

/// Answers with `first`, then `again` without end.
async fn endless(first: &'static str, again: &'static [u8], every: Duration, cap: usize) -> (HttpError, Duration) {
    let port = server(move |mut stream, _| async move {
        let _ = stream.write_all(first.as_bytes()).await;
        while stream.write_all(again).await.is_ok() {
            tokio::time::sleep(every).await;
        }
    })
    .await;
    let begun = Instant::now();
    let request = HttpRequest { deadline: Duration::from_millis(700), cap, ..get(port) };
    (probe().http(request).await.unwrap_err(), begun.elapsed())
}

fn is_protocol(answer: Result<HttpResponse, HttpError>) -> bool {
    matches!(answer, Err(HttpError { kind: HttpErrorKind::Protocol, .. }))
}

#[tokio::test]
async fn an_answer_has_status_headers_and_body() {
    let answer =
        says("HTTP/1.1 200 OK\r\nX-Etcd-Index: 7\r\nContent-Length: 17\r\n\r\n{\"health\":\"true\"}").await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"{\"health\":\"true\"}".as_slice()));
    assert!(answer.headers.contains(&("x-etcd-index".into(), "7".into())));
    let chunked =
        says("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n").await.unwrap();
    assert_eq!((chunked.status, chunked.body.as_slice()), (503, b"abcd".as_slice()));
    assert_eq!(says("HTTP/1.0 200 OK\r\n\r\nold").await.unwrap().body, b"old");
    assert_eq!(says("HTTP/1.1 204 None\r\n\r\n").await.unwrap().status, 204);
}

#[tokio::test]
async fn a_request_arrives_as_it_was_meant() {
    let (sender, seen) = tokio::sync::oneshot::channel();
    let port = server(|mut stream, head| async move {
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(b"HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        sender.send((head, body)).unwrap();
    })
    .await;
    let headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
    let request = HttpRequest {
        method: "PUT".into(),
        path: "/v2/keys/a?b=c".into(),
        headers,
        body: b"value".into(),
        ..get(port)
    };
    assert_eq!(probe().http(request).await.unwrap().status, 201);
    let (head, body) = seen.await.unwrap();
    assert!(head.starts_with("PUT /v2/keys/a?b=c HTTP/1.1\r\n"), "{head}");
    for line in
        [&format!("host: 127.0.0.1:{port}"), "content-length: 5", "content-type: text/plain", "connection: close"]
    {
        assert!(head.to_lowercase().contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
    assert_eq!(&body, b"value");
}

#[tokio::test]
async fn one_header_byte_at_a_time_runs_into_the_deadline() {
    let (error, took) = endless("HTTP/1.1 200 OK\r\nX: ", b"a", Duration::from_millis(50), 1000).await;
    assert!(matches!(error.kind, HttpErrorKind::Timeout), "{error}");
    assert!(took < Duration::from_secs(5));
}

#[tokio::test]
async fn silence_runs_into_the_deadline() {
    let (error, _) = endless("", b"", Duration::from_millis(50), 1000).await;
    assert!(matches!(error.kind, HttpErrorKind::Timeout), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_cap() {
    let body: &[u8] = &[b'x'; 4096];
    let (error, _) = endless("HTTP/1.1 200 OK\r\n\r\n", body, Duration::ZERO, 100_000).await;
    assert!(matches!(error.kind, HttpErrorKind::TooLarge), "{error}");
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (error, _) = endless(head, b"4\r\nabcd\r\n", Duration::ZERO, 100).await;
    assert!(matches!(error.kind, HttpErrorKind::TooLarge), "{error}");
}

#[tokio::test]
async fn endless_headers_and_interim_answers_end() {
    let (error, _) = endless("HTTP/1.1 200 OK\r\nX: ", &[b'a'; 4096], Duration::ZERO, 1000).await;
    assert!(matches!(error.kind, HttpErrorKind::TooLarge | HttpErrorKind::Protocol), "{error}");
    let (error, _) = endless("", b"HTTP/1.1 100 Continue\r\n\r\n", Duration::from_millis(1), 1000).await;
    assert!(matches!(error.kind, HttpErrorKind::Timeout | HttpErrorKind::Protocol), "{error}");
}

#[tokio::test]
async fn a_length_over_the_cap_is_refused_before_it_comes() {
    for length in ["1000000000000000000", "1048577"] {
        let port = server(move |mut stream, _| async move {
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes()).await.unwrap();
            let _ = stream.read_u8().await;
        })
        .await;
        let error = probe().http(get(port)).await.unwrap_err();
        assert!(matches!(error.kind, HttpErrorKind::TooLarge), "{error}");
    }
}

#[tokio::test]
async fn two_answers_to_where_the_body_ends_are_none() {
    let heads = [
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Content-Length: -1",
        "Content-Length: 2x",
        "Content-Length: 99999999999999999999999",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ];
    for head in heads {
        let answer = says(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n2\r\nab\r\n0\r\n\r\n")).await;
        assert!(is_protocol(answer), "{head}");
    }
}

#[tokio::test]
async fn a_bad_chunk_and_a_body_that_ends_early_are_no_answer() {
    for body in [
        "zz\r\nab\r\n0\r\n\r\n",
        "2\r\nab",
        "-2\r\nab\r\n",
        "fffffffffffffffffff\r\nab\r\n0\r\n\r\n",
        "2\r\nabc\r\n0\r\n\r\n",
    ] {
        assert!(
            is_protocol(says(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")).await),
            "{body:?}"
        );
    }
    assert!(is_protocol(says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").await));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    for target in ["http://10.0.0.1/", "file:///etc/passwd", "/health"] {
        let answer =
            says(format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n")).await.unwrap();
        assert_eq!(answer.status, 302);
    }
}

#[tokio::test]
async fn codings_and_protocols_that_were_not_asked_for_are_no_answer() {
    for head in ["200 OK\r\nContent-Encoding: gzip", "200 OK\r\nContent-Encoding: br", "101 Switching\r\nUpgrade: h2c"]
    {
        assert!(is_protocol(says(format!("HTTP/1.1 {head}\r\nContent-Length: 2\r\n\r\nab")).await), "{head}");
    }
    for garbage in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{0}\u{0}", "SSH-2.0-x\r\n", "HTTP/1.1 2000 OK\r\n\r\n"] {
        assert!(is_protocol(says(garbage).await), "{garbage:?}");
    }
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_refused_and_the_host_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = probe().http(get(port)).await.unwrap_err();
    assert!(matches!(error.kind, HttpErrorKind::Refused), "{error}");
}

#[tokio::test]
async fn accepted_and_closed_at_once_is_no_answer_and_names_where() {
    let error = says("").await.unwrap_err();
    assert!(matches!(error.kind, HttpErrorKind::Protocol), "{error}");
    assert!(error.to_string().starts_with("h1: GET http://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_the_host_is_asked() {
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let bad = [
        HttpRequest { path: "health".into(), ..get(1) },
        HttpRequest { path: "/a b".into(), ..get(1) },
        HttpRequest { path: "/a\r\nX: y".into(), ..get(1) },
        HttpRequest { path: "http://elsewhere/".into(), ..get(1) },
        HttpRequest { method: "GET /".into(), ..get(1) },
        HttpRequest { headers: header("X", "a\r\nY: b"), ..get(1) },
        HttpRequest { headers: header("Content-Length", "5"), ..get(1) },
        HttpRequest { scheme: Scheme::Https, ..get(1) },
    ];
    for request in bad {
        let error = probe().http(request).await.unwrap_err();
        assert!(matches!(error.kind, HttpErrorKind::Request), "{error}");
    }
}

#[test]
fn a_request_shows_neither_headers_nor_body() {
    let headers = vec![("Authorization".to_owned(), "Basic canary".to_owned())];
    let request = HttpRequest { headers, body: b"canary".to_vec(), ..get(2379) };
    assert_eq!(format!("{request:?}"), "HttpRequest(GET http://127.0.0.1:2379/health, 1 headers, 6 bytes)");
}
