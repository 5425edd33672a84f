//! The end of a maintenance window: no host's turn is begun that would not fit before it.

use std::time::{Duration, Instant};

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::events::Fault;
use crate::inventory::{Node, Problem};
use crate::modules::arguments::is_template;
use crate::playbook::Rolling;

use super::batch::Batch;
use super::run::{Engine, Halt, Planned};
use super::scope::HostScope;
use super::task::input;

/// What the slowest turn so far is taken times, in halves: room for a member that takes half as long again.
const MARGIN_IN_HALVES: u32 = 3;

/// What is next behind the end of the run's own window, which who goes on with the run gives anew.
const AFTER_RUNS: &str = "every member that was up is up; `quorate resume --until TIME` goes on in the next window";
/// The same behind that of a play, which is found anew in each run.
const AFTER_PLAYS: &str = "every member that was up is up; `quorate resume` goes on in the next window";

/// When a window is over.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    /// On the monotonic clock, so that a clock that is set meanwhile changes nothing.
    at: Instant,
    /// For people.
    said: String,
    /// What is next behind it.
    next: &'static str,
}

/// The time that `--until` or `until:` names, as seen at `now`: a time of day, which comes next, today or tomorrow; a date and time; or `+` and
/// how long from now. Without an offset, by this machine's time zone.
///
/// # Errors
/// What was expected.
pub fn window_end(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is no time: expected 04:00, 2026-11-28 04:00, 2026-11-28T04:00:00+01:00, or +90m");
    if let Some(long) = text.strip_prefix('+') {
        let long: SignedDuration = long.trim().parse().map_err(|_| wrong())?;
        return now.timestamp().checked_add(long).map_err(|_| wrong());
    }
    if let Ok(time) = Time::strptime("%H:%M", text).or_else(|_| Time::strptime("%H:%M:%S", text)) {
        let today = now.date().to_datetime(time);
        let zoned = |day: DateTime| day.to_zoned(now.time_zone().clone()).map_err(|_| wrong());
        let next = zoned(today)?;
        let next =
            if next > *now { next } else { zoned(now.date().tomorrow().map_err(|_| wrong())?.to_datetime(time))? };
        return Ok(next.timestamp());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let local: DateTime = text.parse().map_err(|_| wrong())?;
    local.to_zoned(now.time_zone().clone()).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

/// What is wrong on paper with `until:`.
pub(super) fn on_paper(rolling: &Rolling) -> Option<Problem> {
    let node = rolling.until.as_ref()?;
    let text = node.as_str().filter(|text| !is_template(text))?;
    window_end(text, &Zoned::now())
        .err()
        .map(|why| Problem::new(&node.place, why).help("in quotes, since YAML takes 04:00 for a number of minutes"))
}

impl Closing {
    fn of(time: Timestamp, next: &'static str) -> Self {
        let left = Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or_default();
        let said = time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
        Self { at: Instant::now() + left, said, next }
    }

    /// Whether one more turn fits, where the slowest so far took so long.
    fn fits(&self, slowest: Option<Duration>) -> Result<(), Halt> {
        let left = self.at.saturating_duration_since(Instant::now());
        let halt = |reason: String| Err(Halt { fault: Fault::Stopped, reason, next: self.next.to_owned() });
        if left.is_zero() {
            return halt(format!("the window closed at {}", self.said));
        }
        let needed = slowest.unwrap_or_default() * MARGIN_IN_HALVES / 2;
        if needed <= left {
            return Ok(());
        }
        let (left, needed) = (left.as_secs_f64(), needed.as_secs_f64());
        let slowest = slowest.unwrap_or_default().as_secs_f64();
        halt(format!(
            "the window closes at {}, in {left:.0} s; the slowest host so far took {slowest:.1} s, so the next may take {needed:.1} s",
            self.said
        ))
    }
}

impl Engine<'_> {
    /// The end of the window of the whole run, `--until`, if it has one; a run is not begun behind it.
    pub(super) fn window_of_run(&self) -> Result<(), Halt> {
        match self.run.options.until {
            Some(time) if self.permit.is_some() => Closing::of(time, AFTER_RUNS).fits(None),
            _ => Ok(()),
        }
    }

    /// When the play's window is over; what the command line says holds. A check run has none.
    pub(super) fn closing(&self, play: &crate::playbook::Play, planned: &Planned) -> Result<Option<Closing>, Halt> {
        if self.permit.is_none() {
            return Ok(None);
        }
        if let Some(time) = self.run.options.until {
            return Ok(Some(Closing::of(time, AFTER_RUNS)));
        }
        let Some(node) = play.rolling.as_ref().and_then(|rolling| rolling.until.as_ref()) else { return Ok(None) };
        let text = self.rendered_until(play, planned, node)?;
        // As it was meant when the run was asked for: what comes before the roll may last beyond it, and then nothing is begun.
        let began = &self.run.options.began;
        let time = window_end(&text, began).map_err(|why| input(format!("{}: {why}", node.place)))?;
        Ok(Some(Closing::of(time, AFTER_PLAYS)))
    }

    fn rendered_until(&self, play: &crate::playbook::Play, planned: &Planned, node: &Node) -> Result<String, Halt> {
        let batch = Batch::new(self, play, planned, None, planned.hosts.clone());
        let lists = batch.lists();
        let first = planned.hosts.first().map(String::as_str).unwrap_or_default();
        let scope = HostScope { play: Some(batch.play_scope(&lists)), ..HostScope::new(self.run, &self.store, first) };
        let value = self.run.templates.value(node, &scope).map_err(|problem| input(problem.to_string()))?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// Whether one more host fits into the window.
    pub(super) fn window_fits(&self, closing: Option<&Closing>) -> Result<(), Halt> {
        closing.map_or(Ok(()), |closing| closing.fits(self.progress(|progress| progress.slowest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: &str, text: &str) -> Result<String, String> {
        let now: Zoned = now.parse::<DateTime>().unwrap().to_zoned(TimeZone::UTC).unwrap();
        window_end(text, &now).map(|time| time.to_zoned(now.time_zone().clone()).strftime("%F %T").to_string())
    }

    #[test]
    fn a_time_of_day_is_the_next_one_and_the_rest_is_as_it_says() {
        let night = "2026-11-27T23:30:00";
        assert_eq!(at(night, "04:00").unwrap(), "2026-11-28 04:00:00");
        assert_eq!(at(night, "23:45").unwrap(), "2026-11-27 23:45:00");
        assert_eq!(at(night, "23:30:00").unwrap(), "2026-11-28 23:30:00");
        assert_eq!(at(night, "2026-11-28 04:00").unwrap(), "2026-11-28 04:00:00");
        assert_eq!(at(night, "2026-11-28T04:00:00+01:00").unwrap(), "2026-11-28 03:00:00");
        assert_eq!(at(night, "+90m").unwrap(), "2026-11-28 01:00:00");
        assert_eq!(at(night, "+1h30m").unwrap(), "2026-11-28 01:00:00");
        for wrong in ["", "4", "25:00", "tomorrow", "+x", "04:00 pm", "240"] {
            assert!(at(night, wrong).unwrap_err().contains("no time"), "{wrong}");
        }
    }

    #[test]
    fn one_more_turn_fits_if_half_as_long_again_does() {
        let closing = Closing { at: Instant::now() + Duration::from_secs(100), said: "then".to_owned(), next: "" };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert!(closing.fits(None).is_ok() && closing.fits(seconds(60)).is_ok());
        let halt = closing.fits(seconds(70)).unwrap_err();
        assert_eq!(halt.fault, Fault::Stopped);
        assert!(halt.reason.contains("took 70.0 s, so the next may take 105.0 s"), "{}", halt.reason);
        let over = Closing { at: Instant::now(), ..closing };
        assert!(over.fits(None).unwrap_err().reason.contains("closed at then"));
    }
}
