//! `quorate_receipts`: what runs did on a host, by what the host itself keeps of it, and whose it is now.

use serde_json::{Map, Value, json};

use crate::events::Fault;
use crate::remote::{Held, KeptState, KeptWindow, Lock, Stands};
use crate::transport::BoxFuture;

use super::table::{Argument, CheckMode, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[Argument::new("lock", Shape::Text, "the name of the lock that is looked at too").default("etcd")],
    returns: &[
        (
            "receipts",
            "for each transaction, oldest first: `run`, `unit`, `began` and `ended` by the host's clock, `state`, `detail`, and `files`: \
             whether the `new`, the `old` or some `other` file stands",
        ),
        ("lock_of", "the run that holds the lock, or null"),
    ],
    check: CheckMode::Runs,
    module: Some(&QuorateReceipts),
    ..Row::new("quorate_receipts", "tells what runs did on a host, by the receipts that the host keeps")
};

struct QuorateReceipts;

impl Module for QuorateReceipts {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let name = call.text("lock").unwrap_or("etcd");
            let wrong = || Failure::new(Fault::Input, "lock: expected letters, digits and dashes");
            let lock = Lock::named(name).ok_or_else(wrong)?;
            let held = call.probe.lock(&lock).await?;
            let kept = call.probe.kept_windows().await?;
            let mut result = Map::new();
            result.insert("receipts".to_owned(), kept.iter().map(described).collect());
            result.insert("lock_of".to_owned(), held.map_or(Value::Null, |Held { holder, .. }| holder.run.into()));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}

fn described(window: &KeptWindow) -> Value {
    let state = match window.state {
        KeptState::NotBegun => "not begun",
        KeptState::Running => "at work",
        KeptState::Ended(end) => end.words(),
        KeptState::Vanished => "in doubt: it began, is not at work, and left no receipt",
    };
    let stands = |(path, stands): &(String, Stands)| {
        let word = match stands {
            Stands::New => "new",
            Stands::Old => "old",
            Stands::Other => "other",
        };
        (path.clone(), Value::from(word))
    };
    let time =
        |seconds: Option<i64>| seconds.and_then(|s| jiff::Timestamp::from_second(s).ok()).map(|at| at.to_string());
    json!({
        "run": window.run(),
        "unit": window.unit,
        "began": time(window.began),
        "ended": time(window.ended),
        "state": state,
        "detail": window.detail,
        "files": window.files.iter().map(stands).collect::<Map<_, _>>(),
    })
}
