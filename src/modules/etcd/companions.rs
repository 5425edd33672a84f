//! Units that systemd stops together with etcd's, since they require it, are bound to it or are a part of it: the transaction starts them again,
//! which systemd does not do by itself.

use std::time::Duration;

use crate::events::Kind;
use crate::modules::{Call, Failure};
use crate::remote::{Probe, Receipt, UnitState};

use super::facts::Facts;

/// Says which they are, before anything is stopped.
///
/// # Errors
/// When the host does not say.
pub(super) async fn tell(call: &Call<'_>, facts: &Facts) -> Result<(), Failure> {
    let names = call.probe.companions(&facts.unit).await?;
    if names.is_empty() {
        return Ok(());
    }
    let (host, unit, names) = (call.host, &facts.unit, names.join(", "));
    let text =
        format!("{host}: systemd stops {names} with {unit}; what of it is up then is started again when {unit} is");
    (call.say)(Kind::Warning { text })
}

/// Says which of them are down at the end.
///
/// # Errors
/// When it cannot be said.
pub(super) fn tell_left_down(call: &Call<'_>, unit: &str, receipt: &Receipt) -> Result<(), Failure> {
    if receipt.left_down.is_empty() {
        return Ok(());
    }
    let (host, names) = (call.host, receipt.left_down.join(" "));
    let text = format!(
        "{host}: stopped with {unit} and not started again: {names}; when {unit} is up, run `systemctl start {names}`"
    );
    (call.say)(Kind::Warning { text })
}

/// How long the member's stop may take: its own, and theirs, which may have to come first, one after the other.
///
/// # Errors
/// When the host does not say.
pub(super) async fn stop_deadline(probe: &Probe, facts: &Facts) -> Result<Duration, Failure> {
    let mut longest = facts.stop_deadline();
    for name in probe.companions(&facts.unit).await? {
        longest += stop_of(&probe.unit(&name).await?);
    }
    Ok(longest)
}

/// One that has no time-out, as a target has none, stops at once.
fn stop_of(state: &UnitState) -> Duration {
    match (state.get("TimeoutStopUSec"), state.timeout_stop()) {
        ("", _) => Duration::ZERO,
        (_, said) => said.unwrap_or(Duration::from_secs(90)).min(Duration::from_secs(600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_takes_as_long_as_what_is_stopped_before_it() {
        let of = |text: &str| stop_of(&UnitState::from_show(text)).as_secs();
        assert_eq!(of("Id=multi-user.target\nActiveState=active\n"), 0);
        assert_eq!(of("TimeoutStopUSec=1min 30s\n"), 90);
        assert_eq!((of("TimeoutStopUSec=infinity\n"), of("TimeoutStopUSec=1h\n")), (90, 600));
    }
}
