//! What is lost with its connection: a question is asked again, an act is not done again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::remote::{Change, Permit, Probe, RemoteHost};
use crate::transport::{BoxFuture, ByteStream, Exec, ExecError, Output, Session};

/// A host whose connection is lost with each command, and that is asked again for as long as anybody likes.
struct Cut(AtomicU32);

impl Session for Cut {
    fn host(&self) -> &str {
        "h1"
    }

    fn exec(&self, _exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            let (host, detail) = ("h1".to_owned(), "reset by peer".to_owned());
            Err(ExecError::Lost { host, detail, started: true })
        })
    }

    fn tunnel<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        Box::pin(async { Err(ExecError::Lost { host: "h1".to_owned(), detail: String::new(), started: false }) })
    }

    fn again<'a>(&'a self, _: &'a ExecError, asked: u32, _: Instant) -> BoxFuture<'a, bool> {
        Box::pin(async move { asked < 3 })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_question_that_is_lost_is_asked_again_and_an_act_never_also_on_a_host_that_was_made_for_questions() {
    let session = Arc::new(Cut(0.into()));
    let asked = || session.0.swap(0, Ordering::SeqCst);
    let probe = Probe::new(RemoteHost::new(Arc::<Cut>::clone(&session)));
    let script = "exit 0";
    assert!(probe.script("ask", script, &[], None).await.is_err());
    assert_eq!(asked(), 3);
    assert!(probe.clone().once().script("ask", script, &[], None).await.is_err());
    assert_eq!(asked(), 1);
    let change = Change::new(probe.host().clone(), &Permit::of_a_real_run());
    for change in [change.clone(), change.with_host(probe.host().clone())] {
        assert!(change.script("do", script, &[], Some(b"input".to_vec())).await.is_err());
        assert_eq!(asked(), 1);
    }
}
