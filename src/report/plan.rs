//! `quorate plan`: what a run would do, in its order, made from the events of a check run.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use super::style::Tone;
use super::value::{self, line};
use super::{Style, diff, lost};
use crate::events::{Diff, Event, Kind, PathStep, Sink, SinkError, Status};

/// How long tasks took on hosts, from the journals of earlier runs.
#[derive(Debug, Default)]
pub struct History {
    /// By host and task: all durations of one run, and how many.
    took: HashMap<(String, String), (Duration, u32)>,
}

impl History {
    /// Takes in a run's events. Runs are to be given newest first: of an older one only what no newer one knows counts, and of none
    /// what changed nothing.
    pub fn learn(&mut self, events: &[Event]) {
        let mut task = ("", Duration::ZERO);
        let mut of_run: HashMap<(String, String), (Duration, u32)> = HashMap::new();
        for event in events {
            match &event.kind {
                Kind::RunStarted { check: true, .. } => return,
                Kind::TaskStarted { name, .. } => task = (name, event.elapsed),
                Kind::TaskEnded { host, task: name, status: Status::Ok, changed: true, .. } if name == task.0 => {
                    let (took, times) = of_run.entry((host.clone(), name.clone())).or_default();
                    *took += event.elapsed.saturating_sub(task.1);
                    *times += 1;
                }
                _ => {}
            }
        }
        for (key, value) in of_run {
            self.took.entry(key).or_insert(value);
        }
    }

    /// How long the task took on the host when it last changed it; the mean, where that run did it several times.
    fn of(&self, host: &str, task: &str) -> Option<Duration> {
        let (took, times) = self.took.get(&(host.to_owned(), task.to_owned()))?;
        took.checked_div(*times)
    }
}

/// Writes a plan.
pub struct Plan<W> {
    out: W,
    style: Style,
    history: History,
    /// All hosts, in their order.
    hosts: Vec<String>,
    /// The current task.
    task: String,
    /// What it would do, by act: the same on several hosts is one line.
    acts: Vec<(String, Vec<String>)>,
    /// What was shown of files.
    diffs: Vec<Diff>,
    /// The longest host's part of the current task, by its last time.
    longest: Option<Duration>,
    /// All of them so far.
    in_all: Duration,
    /// Whether one of the tasks was never seen before.
    some_unknown: bool,
    halted: bool,
}

impl<W: Write + Send> Plan<W> {
    /// Into `out`, with what earlier runs have shown.
    #[must_use]
    pub fn new(out: W, style: Style, history: History) -> Self {
        Self {
            out,
            style,
            history,
            hosts: Vec::new(),
            task: String::new(),
            acts: Vec::new(),
            diffs: Vec::new(),
            longest: None,
            in_all: Duration::ZERO,
            some_unknown: false,
            halted: false,
        }
    }

    fn text(&mut self, event: &Event) -> String {
        match &event.kind {
            Kind::RunStarted { playbook, hosts, .. } => {
                self.hosts.clone_from(hosts);
                format!("PLAN of {}: {}\n", line(playbook), line(&hosts.join(", ")))
            }
            Kind::PlayStarted { name, .. } => self.titled(&line(name)),
            Kind::PlaySkipped { name, reason } => self.titled(&format!("{}: skipped, {}", line(name), line(reason))),
            Kind::RoundStarted { number, of, item } => {
                self.titled(&format!("ROUND {number} of {of}: {}", value::of_round(item)))
            }
            Kind::GuardAsked { host, verdict } if verdict.may => {
                self.closed() + &format!("  {}: {}\n", line(host), line(&verdict.reason))
            }
            Kind::GuardAsked { host, verdict } => self.wrong(host, &verdict.reason),
            Kind::PathFound { steps } => self.closed() + &path(steps),
            Kind::OptionRewritten { host, what } => {
                self.planned(host, &format!("rewrite {what}"));
                String::new()
            }
            Kind::TaskStarted { name, .. } => {
                let text = self.closed();
                self.task.clone_from(name);
                text
            }
            Kind::ActPlanned { host, act } => {
                self.planned(host, act);
                String::new()
            }
            Kind::TaskEnded { host, status, changed, result, diff, .. } => {
                let msg = result.get("msg").and_then(serde_json::Value::as_str).unwrap_or("failed");
                match status {
                    Status::Failed | Status::Unreachable => return self.wrong(host, msg),
                    Status::Ok if *changed => self.changes(host),
                    _ => {}
                }
                let mut text = String::new();
                for one in diff {
                    // Hosts mostly share a text, and a host is asked in each round as it stands now.
                    if !self.diffs.contains(one) {
                        text.push_str(&diff::shown(one, self.style));
                        self.diffs.push(one.clone());
                    }
                }
                if text.is_empty() { text } else { self.closed() + &text }
            }
            Kind::Warning { text } => self.style.paint(Tone::Warning, &format!("[WARNING]: {}\n", line(text))),
            Kind::WayChanged { host, through, why } => {
                self.style.paint(Tone::Warning, &format!("{}\n", value::of_way(host, through, why)))
            }
            Kind::Halted { reason, next, .. } => {
                self.halted = true;
                let text = format!("\nREFUSED: {}\n  next: {}\n", value::block(reason, 1).trim(), line(next));
                self.closed() + &self.style.paint(Tone::Failed, &text)
            }
            Kind::RunEnded { code, .. } => self.closed() + &self.end(*code),
            _ => String::new(),
        }
    }

    fn titled(&mut self, title: &str) -> String {
        format!("{}\n{title}\n", self.closed())
    }

    fn planned(&mut self, host: &str, act: &str) {
        match self.acts.iter_mut().find(|(known, _)| known == act) {
            Some((_, hosts)) => hosts.push(host.to_owned()),
            None => self.acts.push((act.to_owned(), vec![host.to_owned()])),
        }
    }

    /// The task would change the host; one that says no more of it is its own act.
    fn changes(&mut self, host: &str) {
        if !self.acts.iter().any(|(_, hosts)| hosts.iter().any(|known| known == host)) {
            let task = self.task.clone();
            self.planned(host, &task);
        }
        match self.history.of(host, &self.task) {
            Some(took) => self.longest = self.longest.max(Some(took)),
            None => self.some_unknown = true,
        }
    }

    /// The lines of the task that has ended.
    fn closed(&mut self) -> String {
        let mut text = String::new();
        let took = self.longest.take();
        let last = self.acts.len().saturating_sub(1);
        for (at, (act, mut hosts)) in self.acts.drain(..).enumerate() {
            hosts.sort_by_key(|host| self.hosts.iter().position(|known| known == host));
            let time = took.filter(|_| at == last);
            let time = time.map(|time| format!(" (last time {})", seconds(time))).unwrap_or_default();
            text.push_str(&format!("    {}: {}{time}\n", line(&hosts.join(", ")), line(&act)));
        }
        self.in_all += took.unwrap_or_default();
        text
    }

    fn wrong(&mut self, host: &str, why: &str) -> String {
        let why = value::block(why, 2);
        let text = format!("  {}: REFUSED\n{why}", line(host));
        self.closed() + &self.style.paint(Tone::Failed, &text)
    }

    fn end(&self, code: u8) -> String {
        let time = match (self.in_all.is_zero(), self.some_unknown) {
            (true, _) => "no earlier run says how long it takes".to_owned(),
            (false, true) => format!("{} and what no earlier run has shown", seconds(self.in_all)),
            (false, false) => format!("about {}, by the last runs", seconds(self.in_all)),
        };
        let time = if self.halted || code != 0 { "this would not be done".to_owned() } else { time };
        format!("\nnothing was changed; {time}; the order is asked anew before each host\nexit {code}\n")
    }
}

/// The steps, with the rule behind each and what can be undone.
fn path(steps: &[PathStep]) -> String {
    let mut text = format!("\nPATH, {} round{}\n", steps.len(), if steps.len() == 1 { "" } else { "s" });
    for (number, step) in steps.iter().enumerate() {
        text.push_str(&format!("  {}. {}\n", number + 1, line(&step.name)));
        let rule = step.source.iter().map(|source| ("rule", source));
        let then = step.then.iter().map(|then| ("then", then));
        for (word, what) in [("why", &step.why)].into_iter().chain(rule).chain([("back", &step.back)]).chain(then) {
            text.push_str(&format!("     {word:<4}  {}\n", line(what)));
        }
    }
    text
}

fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole >= 60 { format!("{} min {:02} s", whole / 60, whole % 60) } else { format!("{:.1} s", time.as_secs_f64()) }
}

impl<W: Write + Send> Sink for Plan<W> {
    fn name(&self) -> &'static str {
        "plan"
    }

    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        let text = self.text(event);
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(|error| lost("plan", &error))
    }
}

#[cfg(test)]
mod tests;
