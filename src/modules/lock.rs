//! `quorate_lock`: whose a host is, and, for a run that is gone for good, the end of its lock.

use serde_json::{Map, Value, json};

use crate::events::{Fault, Kind};
use crate::remote::{Held, Lock};
use crate::transport::BoxFuture;

use super::table::{Argument, CheckMode, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("name", Shape::Text, "the lock's name").default("etcd"),
        Argument::new(
            "break_run",
            Shape::Text,
            "the run whose lock is taken away, whatever it does; a lock of any other stays",
        ),
        Argument::new("reason", Shape::Text, "why, for whoever reads it on the host; must be given with `break_run`"),
    ],
    returns: &[(
        "lock",
        "`held`; if so `run`, `user`, `from`, `since`, `what`, and for how many seconds it has been `silent`",
    )],
    check: CheckMode::Predicts,
    module: Some(&QuorateLock),
    ..Row::new("quorate_lock", "shows the lock that a run holds on a host, or breaks it")
};

struct QuorateLock;

impl Module for QuorateLock {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let wrong = |text: &str| Failure::new(Fault::Input, text.to_owned());
            let name = call.text("name").unwrap_or("etcd");
            let lock = Lock::named(name).ok_or_else(|| wrong("name: expected letters, digits and dashes"))?;
            let held = call.probe.lock(&lock).await?;
            let mut changed = false;
            if let Some(run) = call.text("break_run") {
                let reason = call.text("reason").map(str::trim).filter(|reason| !reason.is_empty());
                let reason = reason.ok_or_else(|| wrong("reason: a lock is not broken without one"))?;
                changed = broken(&call, &lock, run, reason, held.as_ref()).await?;
            }
            let mut result = Map::new();
            result.insert("lock".to_owned(), described(held.filter(|_| !changed).as_ref()));
            Ok(Outcome { changed, result, ..Outcome::default() })
        })
    }
}

/// Breaks it, if it is that run's; whether it was (in a check run: would be).
async fn broken(call: &Call<'_>, lock: &Lock, run: &str, reason: &str, held: Option<&Held>) -> Result<bool, Failure> {
    // Where it is another's the run is kept off already; where it is nobody's it might be taken again.
    if held.is_some_and(|held| held.holder.run != run) {
        return Ok(false);
    }
    let (host, act) = (call.host.to_owned(), format!("break the lock {} of run {run}: {reason}", lock.path()));
    let Some(change) = &call.change else {
        (call.say)(Kind::ActPlanned { host, act })?;
        return Ok(true);
    };
    (call.say)(Kind::ActBegins { host, act })?;
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let why = format!("{at} run {} broke the lock of run {run}: {reason}", call.run);
    change.break_lock(lock, run, &why).await?;
    Ok(true)
}

fn described(held: Option<&Held>) -> Value {
    let Some(Held { holder, silent }) = held else { return json!({ "held": false }) };
    json!({
        "held": true,
        "run": holder.run,
        "user": holder.user,
        "from": holder.from,
        "since": holder.since,
        "what": holder.what,
        "silent": silent.as_secs(),
    })
}
