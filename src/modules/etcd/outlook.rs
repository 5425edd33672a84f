//! What is said of a host before anything is changed on it: that its clock is off, and that it wants a reboot.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use crate::events::Kind;
use crate::modules::{Call, Failure};

/// By how much a clock may be off without a word (reliability F40). Raft knows no clock; certificates, leases of 2.x and who reads logs do.
const OFF: SignedDuration = SignedDuration::from_secs(1);

/// Says what there is to say; gives the host's clock, for what else is judged by it.
///
/// # Errors
/// The host does not answer.
pub(super) async fn say(call: &Call<'_>) -> Result<Timestamp, Failure> {
    let (here, begun) = (Timestamp::now(), Instant::now());
    let outlook = call.probe.outlook().await?;
    let took = SignedDuration::try_from(begun.elapsed()).unwrap_or(SignedDuration::MAX);
    let clock = outlook.clock;
    let texts = [skew(here, took, clock), outlook.wants_reboot.map(|file| reboot(&file))];
    for text in texts.into_iter().flatten() {
        (call.say)(Kind::Warning { text: format!("{}: {text}", call.host) })?;
    }
    Ok(clock)
}

/// How far the host's clock is from ours, if that is worth a word: it was read at some moment of the time that the question took.
fn skew(here: Timestamp, took: SignedDuration, there: Timestamp) -> Option<String> {
    let ahead = there.duration_since(here);
    let (off, word) = match ahead {
        ahead if ahead.is_negative() => (ahead.abs(), "behind"),
        ahead => ((ahead - took).max(SignedDuration::ZERO), "ahead of"),
    };
    let seconds = (off + SignedDuration::from_millis(500)).as_secs();
    (off > OFF).then(|| {
        format!("its clock is {seconds} s {word} this machine's; certificates hold there by that clock, and its logs are dated by it")
    })
}

fn reboot(file: &str) -> String {
    format!("{file}: it wants a reboot; see that nothing makes one by itself while members are rolled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_by_more_than_the_question_can_explain_is_told() {
        let here: Timestamp = "2026-11-28T11:00:00Z".parse().unwrap();
        let of = |took, off| {
            let (took, off) = (SignedDuration::from_millis(took), SignedDuration::from_millis(off));
            skew(here, took, here + off)
        };
        for (took, off) in [(20, 0), (20, -999), (20, 1_019), (4_000, 4_900)] {
            assert_eq!(of(took, off), None, "{took} {off}");
        }
        assert!(of(20, -3_600_000).unwrap().starts_with("its clock is 3600 s behind this machine's"));
        assert!(of(4_000, 65_000).unwrap().starts_with("its clock is 61 s ahead of this machine's"));
    }
}
