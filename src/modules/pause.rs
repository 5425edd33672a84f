//! `pause`: waits, once for the whole batch.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::events::{Fault, Kind};
use crate::transport::BoxFuture;

use super::table::{Argument, CheckMode, Place, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("seconds", Shape::Int, "how long, in seconds"),
        Argument::new("minutes", Shape::Int, "how long, in minutes"),
        Argument::new("prompt", Shape::Text, "what to say"),
    ],
    one_of: &[(&["seconds", "minutes"], false)],
    returns: &[("delta", "how long it waited, in seconds")],
    check: CheckMode::Runs,
    place: Place::Control,
    once_per_batch: true,
    module: Some(&Pause),
    ..Row::new("pause", "waits, once for the whole batch")
};

/// How often a pause looks whether the run was asked to stop; short enough that Ctrl-C seems to act at once.
const LOOK: Duration = Duration::from_millis(100);

struct Pause;

impl Module for Pause {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let number = |name: &str| call.args.get(name).and_then(Value::as_i64);
            let seconds = number("seconds").or_else(|| Some(number("minutes")?.saturating_mul(60)));
            if let Some(prompt) = call.text("prompt") {
                (call.say)(Kind::Warning { text: prompt.to_owned() })?;
            }
            let Some(seconds) = seconds else {
                let msg = "pause: needs `seconds` or `minutes`: this version does not wait for a key";
                return Err(Failure::new(Fault::Failed, msg));
            };
            let (began, wanted) = (Instant::now(), Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
            while let Some(left) = wanted.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
                if (call.stopping)() {
                    return Err(Failure::new(Fault::Stopped, "pause: ended early, the run was asked to stop"));
                }
                tokio::time::sleep(left.min(LOOK)).await;
            }
            let mut result = Map::new();
            result.insert("delta".to_owned(), Value::from(began.elapsed().as_secs()));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}
