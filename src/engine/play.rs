//! One play: its hosts, in batches, each through the whole play.

use serde_json::Value;

use crate::events::{Fault, Kind};
use crate::playbook::Play;

use super::batch::Batch;
use super::outcome::worst;
use super::rounds::Turn;
use super::run::{Break, Engine, Halt, Planned};
use super::task::input;

impl Engine<'_> {
    /// Runs the play; whether the next play is to run.
    pub(super) async fn play(&self, play: &Play, planned: &Planned) -> Result<bool, Halt> {
        let name = planned.name.clone();
        if let Some(reason) = planned.skipped.clone() {
            self.emit(Kind::PlaySkipped { name, reason })?;
            return Ok(true);
        }
        let well: Vec<String> = self.progress(|progress| {
            let lost = |host: &String| progress.failed.contains_key(host) || progress.unreachable.contains_key(host);
            planned.hosts.iter().filter(|host| !lost(host)).cloned().collect()
        });
        if well.is_empty() {
            let reason = "all of its hosts failed or were not reached before".to_owned();
            self.emit(Kind::PlaySkipped { name, reason })?;
            return Ok(true);
        }
        if let Some(rolling) = &play.rolling {
            return self.roll(play, planned, rolling, well).await;
        }
        self.emit(Kind::PlayStarted { name, hosts: well })?;
        let batches = self.batches(play, planned)?;
        let count = batches.len();
        for (index, hosts) in batches.into_iter().enumerate() {
            if count > 1 {
                self.emit(Kind::BatchStarted { hosts: hosts.clone() })?;
            }
            if !self.batch(play, planned, None, hosts.clone()).await? {
                return if index + 1 < count { Err(self.all_failed(&hosts)) } else { Ok(false) };
            }
            if self.progress(|progress| progress.play_ended) {
                self.progress(|progress| progress.play_ended = false);
                break;
            }
        }
        Ok(true)
    }

    /// Takes one batch through the play; `false` if all of it failed, so that nothing more may be run.
    pub(super) async fn batch(
        &self,
        play: &Play,
        planned: &Planned,
        turn: Option<&Turn<'_>>,
        slots: Vec<String>,
    ) -> Result<bool, Halt> {
        let size = slots.len();
        let mut batch = Batch::new(self, play, planned, turn, slots);
        match batch.perform().await {
            Ok(()) | Err(Break::Batch) => {}
            Err(Break::Play) => self.progress(|progress| progress.play_ended = true),
            Err(Break::Run(halt)) => return Err(halt),
        }
        Ok(batch.fell.len() < size)
    }

    /// The batches that `serial` cuts the play's hosts into.
    fn batches(&self, play: &Play, planned: &Planned) -> Result<Vec<Vec<String>>, Halt> {
        let Some(node) = &play.serial else { return Ok(vec![planned.hosts.clone()]) };
        let batch = Batch::new(self, play, planned, None, Vec::new());
        let lists = batch.lists();
        let value = self.run.templates.value(node, &batch.keyword_scope(&lists));
        let value = value.map_err(|problem| input(problem.to_string()))?;
        let sizes = sizes(&value, planned.hosts.len())
            .ok_or_else(|| input(format!("{}: `serial` must be a number or a percentage, not {value}", node.place)))?;
        Ok(cut(&planned.hosts, &sizes))
    }

    /// Why the run must end after a batch or a host that failed as a whole.
    pub(super) fn all_failed(&self, hosts: &[String]) -> Halt {
        let fault = self.progress(|progress| {
            let of = |host: &String| progress.failed.get(host).or(progress.unreachable.get(host)).copied();
            worst(&hosts.iter().filter_map(of).collect::<Vec<_>>()).unwrap_or(Fault::Failed)
        });
        // With `any_errors_fatal` the whole batch ends because of some of its hosts.
        let own = self.progress(|progress| {
            let fell = |host: &&String| progress.failed.contains_key(*host) || progress.unreachable.contains_key(*host);
            let own = |host: &&String| fell(host) && !progress.with_others.contains(*host);
            hosts.iter().filter(own).map(String::as_str).collect::<Vec<_>>().join(", ")
        });
        let who = if own.is_empty() { hosts.join(", ") } else { own };
        let (what, next) = match fault {
            Fault::Unreachable => ("not reached", "see why it is not reached or does not let us in, then run again"),
            Fault::HostKey => ("not known by its host key", "find out why before anything else, then run again"),
            _ => ("failed", "read why, then run again: every step is asked anew"),
        };
        let reason = format!("{who} {what}, so no other host is touched");
        Halt { fault, reason, next: next.to_owned() }
    }
}

/// The sizes of the batches; 0 for "all the rest". `None` if there is something that is no number.
fn sizes(serial: &Value, hosts: usize) -> Option<Vec<usize>> {
    match serial {
        Value::Array(list) => list.iter().map(|one| size(one, hosts)).collect(),
        one => Some(vec![size(one, hosts)?]),
    }
}

/// A number, or a percentage of all hosts of the play, rounded down but at least one (`playbook_executor.py`).
fn size(value: &Value, hosts: usize) -> Option<usize> {
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let text = text.trim();
    if let Some(percent) = text.strip_suffix('%') {
        let percent: f64 = percent.trim().parse().ok()?;
        let share = percent.max(0.0) / 100.0 * f64::from(u32::try_from(hosts).ok()?);
        return Some(format!("{:.0}", share.floor()).parse::<usize>().ok()?.max(1));
    }
    let number: f64 = text.parse().ok()?;
    Some(if number < 1.0 { 0 } else { format!("{:.0}", number.floor()).parse().ok()? })
}

/// Cuts the hosts; the last size is used again and again.
fn cut(hosts: &[String], sizes: &[usize]) -> Vec<Vec<String>> {
    let mut batches = Vec::new();
    let mut left = hosts;
    let mut at = 0;
    while !left.is_empty() {
        let size = sizes.get(at).or(sizes.last()).copied().unwrap_or(0);
        at += 1;
        let size = if size == 0 { left.len() } else { size.min(left.len()) };
        let (batch, rest) = left.split_at(size);
        batches.push(batch.to_vec());
        left = rest;
    }
    batches
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cut_six(serial: &Value) -> Vec<usize> {
        let hosts: Vec<String> = (1..=6).map(|n| format!("h{n}")).collect();
        cut(&hosts, &sizes(serial, 6).unwrap()).iter().map(Vec::len).collect()
    }

    #[test]
    fn serial_is_cut_as_ansible_cuts_it() {
        assert_eq!(cut_six(&json!(4)), [4, 2]);
        assert_eq!(cut_six(&json!("30%")), [1, 1, 1, 1, 1, 1]);
        assert_eq!(cut_six(&json!("1%")), [1, 1, 1, 1, 1, 1]);
        assert_eq!(cut_six(&json!(["100%"])), [6]);
        assert_eq!(cut_six(&json!("150%")), [6]);
        assert_eq!(cut_six(&json!(0)), [6]);
        assert_eq!(cut_six(&json!(-1)), [6]);
        assert_eq!(cut_six(&json!(2.5)), [2, 2, 2]);
        assert_eq!(cut_six(&json!([1, "50%", 2])), [1, 3, 2]);
        assert_eq!(sizes(&json!("abc"), 6), None);
    }
}
