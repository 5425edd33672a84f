//! Transactions that an earlier run began and that are still at work: its control machine died or lost the link, the host goes on alone.

use std::time::{Duration, Instant};

use crate::events::{Fault, Kind};
use crate::modules::{Call, Failure};
use crate::remote::Window;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// Longer than a window with the usual time-outs: its stop, its start, and both once more for the way back.
const LONGEST: Duration = Duration::from_secs(600);

/// Waits until no transaction is at work on this host's member: what is found before that is true for a moment only.
///
/// # Errors
/// The host does not say, or the transaction does not end.
pub(super) async fn wait(call: &Call<'_>, unit: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut said = false;
    while call.probe.window_at_work(unit).await? {
        if begun.elapsed() > LONGEST {
            let (host, window) = (call.host, Window::runs_as(unit));
            let text = format!(
                "{host}: the transaction of an earlier run, {window}, is at work still after {} s; this run has touched nothing\n\
                 look at `journalctl -u {window}` and at the log in the newest folder of {} on {host}; when it has ended, run again",
                LONGEST.as_secs(),
                Window::HOME
            );
            return Err(Failure::new(Fault::OutcomeUnknown, text));
        }
        if !said {
            said = true;
            let (host, act) = (call.host.to_owned(), "etcd".to_owned());
            let text = "wait for the transaction that an earlier run began".to_owned();
            (call.say)(Kind::Progress { host, act, text, done: None, total: None })?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
