use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::super::tests::Bench;
use super::*;

/// A port that greets.
async fn listen() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // One that only looks whether somebody listens may be gone already.
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
        }
    });
    port
}

fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn an_open_port_is_started_and_a_closed_one_stopped() {
    let (bench, open, closed) = (Bench::new(), listen().await, closed_port());
    let done = bench.ok(&ROW, &format!("{{port: {open}, timeout: 20}}")).await;
    assert_eq!((&done.result["state"], &done.result["port"]), (&json!("started"), &json!(open)));
    bench.ok(&ROW, &format!("{{port: {closed}, state: stopped, timeout: 20}}")).await;
    let failure = bench.fails(&ROW, &format!("{{port: {closed}, timeout: 0}}")).await;
    assert!(failure.msg.contains(&format!("timeout when waiting for 127.0.0.1:{closed}")), "{}", failure.msg);
    let failure = bench.fails(&ROW, &format!("{{port: {open}, state: absent, timeout: 0, msg: still there}}")).await;
    assert_eq!(failure.msg, "still there");
}

#[tokio::test]
async fn what_a_port_says_is_searched() {
    let (bench, open) = (Bench::new(), listen().await);
    let done = bench.ok(&ROW, &format!("{{port: {open}, search_regex: 'OpenSSH_(?P<major>\\d+)', timeout: 20}}")).await;
    assert_eq!(done.result["match_groups"], json!(["9"]));
    assert_eq!(done.result["match_groupdict"], json!({"major": "9"}));
}

#[tokio::test]
async fn a_path_is_waited_for_until_it_holds_what_it_should() {
    let bench = Bench::new();
    bench.fails(&ROW, "{path: $D/x, timeout: 0}").await;
    bench.ok(&ROW, "{path: $D/x, state: absent, timeout: 20}").await;
    let (later, long) = (bench.path("x"), Duration::from_millis(300));
    let writer = tokio::spawn(async move {
        tokio::time::sleep(long).await;
        std::fs::write(later, "line\nready to serve\n").unwrap();
    });
    let done = bench.ok(&ROW, "{path: $D/x, search_regex: '^ready (.*)$', sleep: 0, timeout: 20}").await;
    assert_eq!(done.result["match_groups"], json!(["to serve"]));
    writer.await.unwrap();
    assert!(
        bench.fails(&ROW, "{path: $D/x, search_regex: never, timeout: 0}").await.msg.contains("search string never")
    );
    bench.ok(&ROW, "{path: $D/x, search_regex: never, state: absent, timeout: 20}").await;
}

#[tokio::test]
async fn alone_the_timeout_is_a_rest_and_a_wish_to_stop_ends_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.ok(&ROW, "{timeout: 1}").await.result["elapsed"], json!(1));
    bench.stopping = true;
    let began = Instant::now();
    let failure = bench.fails(&ROW, "{timeout: 600}").await;
    assert_eq!(failure.fault, Fault::Stopped);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_pattern_that_is_none_is_found_on_paper() {
    let bench = Bench::new();
    assert_eq!(bench.preflight(&ROW, "{path: /x, search_regex: 'a(b'}").len(), 1);
    assert_eq!(bench.preflight(&ROW, "{path: x, search_regex: 'a(b)'}").len(), 1);
}
