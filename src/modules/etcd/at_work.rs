//! Transactions that an earlier run began and that are still at work: its control machine died or lost the link, the host goes on alone.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::events::{Fault, Kind};
use crate::modules::{Call, Failure, Fleet};
use crate::remote::{Probe, Window};

/// Says what goes on.
type Say<'a> = &'a (dyn Fn(Kind) -> Result<(), Failure> + Send + Sync);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// Longer than a window with the usual time-outs: its stop, its start, and both once more for the way back. One that may take longer by its own
/// plan is waited for as long as that, and a minute.
const LONGEST: Duration = Duration::from_secs(600);
const MARGIN: Duration = Duration::from_secs(60);

/// Waits until no transaction is at work on this host's member: what is found before that is true for a moment only.
///
/// # Errors
/// The host does not say, or the transaction does not end.
pub(super) async fn wait(call: &Call<'_>, unit: &str) -> Result<(), Failure> {
    ended(&call.probe, unit, call.say).await
}

/// The same for all hosts of the play, so that no member is stopped while another is taken down by what an earlier run ordered late
/// (`tests/model.rs` shows what happens otherwise). A host that is not reached is seen to elsewhere.
///
/// # Errors
/// A host does not say, or its transaction does not end.
pub(super) async fn wait_everywhere(fleet: &dyn Fleet, unit: &str, say: Say<'_>) -> Result<(), Failure> {
    let hosts = fleet.hosts();
    let each = hosts.iter().map(|host| async move {
        match fleet.probe(host).await {
            Ok(probe) => ended(&probe, unit, say).await,
            Err(_) => Ok(()),
        }
    });
    join_all(each).await.into_iter().find(Result::is_err).unwrap_or(Ok(()))
}

/// How long a transaction is waited for that may take so long by its own plan.
fn longest(takes: Option<Duration>) -> Duration {
    takes.map_or(LONGEST, |takes| LONGEST.max(takes + MARGIN))
}

async fn ended(probe: &Probe, unit: &str, say: Say<'_>) -> Result<(), Failure> {
    let (begun, host) = (Instant::now(), probe.name());
    let mut patience = None;
    while probe.window_at_work(unit).await? {
        let longest = match patience {
            Some(longest) => longest,
            None => {
                let (host, act) = (host.to_owned(), "etcd".to_owned());
                let text = "wait for the transaction that an earlier run began".to_owned();
                say(Kind::Progress { host, act, text, done: None, total: None })?;
                *patience.insert(longest(probe.window_takes(unit).await?))
            }
        };
        if begun.elapsed() > longest {
            let window = Window::runs_as(unit);
            let text = format!(
                "{host}: the transaction of an earlier run, {window}, is at work still after {} s; this run has touched nothing\n\
                 look at `journalctl -u {window}` and at the log in the newest folder of {} on {host}; when it has ended, run again",
                longest.as_secs(),
                Window::HOME
            );
            return Err(Failure::new(Fault::OutcomeUnknown, text));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_waited_for_as_long_as_it_may_take_by_its_own_plan() {
        assert_eq!(longest(None), LONGEST);
        assert_eq!(longest(Some(Duration::from_secs(340))), LONGEST);
        assert_eq!(longest(Some(Duration::from_secs(900))), Duration::from_secs(960));
    }
}
