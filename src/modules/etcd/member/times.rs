//! How long a member's steps may take: what the operator says, else by the size of its data.

use std::time::Duration;

use crate::events::Fault;
use crate::modules::table::{Argument, Shape};
use crate::modules::{Call, Failure};

use super::super::facts::Facts;

/// The least time until a program serves on its own host. 2.0 to 2.1 on small data takes 0.3 s in the lab; replaying a long log on a slow disk
/// takes tens of seconds. For a binary that never serves, this is how long the member is down.
const START: Duration = Duration::from_secs(60);
/// etcd reads all of its data before it serves: the log is replayed, and the keys of the database are walked through for the index. A disk, or
/// the page cache, gives 100 MB/s for that where it is plain; a quarter of it is taken, since the walk is not in the disk's order, and a
/// program that is killed amid its load begins anew.
const LOADED_PER_S: u64 = 25_000_000;
/// The least time until a member has caught up.
const GATE: Duration = Duration::from_secs(120);
/// 5 MB/s twice over, since a member that lags too far is sent everything (etcd-io/etcd guides: two minutes for 50 MB).
const SENT_PER_S: u64 = 2_500_000;

/// The argument.
pub(super) const CATCH_UP_TIMEOUT: Argument = Argument::new(
    "catch_up_timeout",
    Shape::Int,
    "how many seconds the member may take to catch up with the others; else by the size of its data, at least 120",
);

/// What a member's steps may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Until the program serves.
    pub(super) start: Duration,
    /// Until the old program serves again that was put back. What the operator says is said of the new one: the old one gets no less than its
    /// data needs.
    pub(super) back: Duration,
    /// Until the member has caught up.
    pub(super) gate: Duration,
}

impl Times {
    /// For a member of this host.
    ///
    /// # Errors
    /// When an argument is no number of seconds, or the host does not say how large the data is.
    pub(super) async fn of(call: &Call<'_>, facts: &Facts) -> Result<Self, Failure> {
        let (start, gate) = (seconds(call, "start_timeout")?, seconds(call, "catch_up_timeout")?);
        Ok(Self::by(facts.data.size(&call.probe).await?, start, gate))
    }

    /// For data of that many bytes, where nothing else was said.
    fn by(size: u64, start: Option<Duration>, gate: Option<Duration>) -> Self {
        let load = Duration::from_secs(size / LOADED_PER_S).max(START);
        let start = start.unwrap_or(load);
        let gate = gate.unwrap_or_else(|| Duration::from_secs(size / SENT_PER_S).max(GATE));
        Self { start, back: start.max(load), gate }
    }
}

/// An argument that is a number of seconds, at least one.
fn seconds(call: &Call<'_>, name: &str) -> Result<Option<Duration>, Failure> {
    let Some(value) = call.args.get(name) else { return Ok(None) };
    match value.as_u64().filter(|seconds| *seconds > 0) {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Err(Failure::new(Fault::Input, format!("{name}: expected seconds, at least 1, found {value}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_and_a_gate_go_by_the_size_of_the_data_and_the_old_program_gets_no_less() {
        let by = |size: u64, start: Option<u64>, gate: Option<u64>| {
            let times = Times::by(size, start.map(Duration::from_secs), gate.map(Duration::from_secs));
            [times.start, times.back, times.gate].map(|time| time.as_secs())
        };
        assert_eq!(by(64 << 20, None, None), [60, 60, 120]);
        assert_eq!(by(8_000_000_000, None, None), [320, 320, 3200]);
        // What is said is said of the new program.
        assert_eq!(by(8_000_000_000, Some(15), Some(30)), [15, 320, 30]);
        assert_eq!(by(0, Some(15), None), [15, 60, 120]);
        assert_eq!(by(0, Some(900), None), [900, 900, 120]);
    }
}
