//! Each event as the lines that Ansible's users know.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Look, summary};
use crate::events::{Diff, Event, Fault, Kind, State, Status};
use crate::report::diff;
use crate::report::style::Tone;
use crate::report::value::{self, line};

/// Turns events into text, remembering what the lines before said.
pub(super) struct Lines {
    look: Look,
    state: State,
    /// The current task is a `debug` or an `assert`, whose result is the point of it.
    shows_result: bool,
    /// Hosts whose items were shown, so that their whole task needs no line.
    itemised: HashSet<String>,
    /// The current play's hosts: a batch of all of them needs no line.
    play_hosts: Vec<String>,
}

/// How one task or item ended, as far as its line is concerned.
struct Ended<'e> {
    host: String,
    item: Option<&'e Value>,
    status: Status,
    /// Whether it did not come to its end only because the run was asked to stop.
    stopped: bool,
    changed: bool,
    result: &'e Map<String, Value>,
    diff: &'e [Diff],
}

impl Lines {
    pub(super) fn new(look: Look) -> Self {
        Self { look, state: State::default(), shows_result: false, itemised: HashSet::new(), play_hosts: Vec::new() }
    }

    /// The lines for the event, each ending in a newline; empty for what needs none.
    pub(super) fn of_event(&mut self, event: &Event) -> String {
        self.state.fold(event);
        match &event.kind {
            Kind::PlayStarted { hosts, .. } => self.play_hosts.clone_from(hosts),
            Kind::TaskStarted { module, .. } => {
                self.shows_result = matches!(module.as_str(), "debug" | "assert");
                self.itemised.clear();
            }
            Kind::ItemEnded { host, .. } => {
                self.itemised.insert(host.clone());
            }
            _ => {}
        }
        self.text(&event.kind)
    }

    /// The lines for a run whose last event is not there.
    pub(super) fn left_open(&self, goes_on: bool) -> String {
        summary::left_open(&self.state, &self.look, goes_on)
    }

    fn text(&self, kind: &Kind) -> String {
        match kind {
            Kind::RunStarted { run, version, hosts, check, .. } => {
                let check = if *check { "; check run: nothing is changed" } else { "" };
                let hosts = if hosts.len() == 1 { "1 host".to_owned() } else { format!("{} hosts", hosts.len()) };
                format!("quorate {}: run {}, {hosts}{check}\n", line(version), line(run))
            }
            Kind::PlayStarted { name, .. } => self.banner(&format!("PLAY [{}]", line(name))),
            Kind::PlaySkipped { name, reason } => {
                let text = format!("skipping: {}\n", line(reason));
                self.banner(&format!("PLAY [{}]", line(name))) + &self.look.style.paint(Tone::Skipped, &text)
            }
            Kind::RoundStarted { number, of, item } => {
                self.banner(&format!("ROUND {number} of {of} [{}]", value::of_round(item)))
            }
            Kind::BatchStarted { hosts } if *hosts == self.play_hosts => String::new(),
            Kind::BatchStarted { hosts } => self.banner(&format!("BATCH [{}]", line(&hosts.join(", ")))),
            Kind::GuardAsked { host, verdict } => {
                let (tone, word) = if verdict.may { (Tone::Ok, "may stop") } else { (Tone::Failed, "must not stop") };
                self.say(tone, &format!("guard: [{}] {word}: {}", line(host), line(&verdict.reason)))
            }
            Kind::TaskStarted { name, place, handler, .. } => {
                let word = if *handler { "RUNNING HANDLER" } else { "TASK" };
                let place =
                    if self.look.verbosity >= 2 { format!("task path: {}\n", line(place)) } else { String::new() };
                self.banner(&format!("{word} [{}]", line(name))) + &place
            }
            Kind::ActBegins { host, act } => self.say(Tone::Dim, &format!("begin: [{}] {}", line(host), line(act))),
            Kind::ActPlanned { host, act } => self.say(Tone::Dim, &format!("would: [{}] {}", line(host), line(act))),
            Kind::PathFound { steps } => {
                let names: Vec<String> = steps.iter().map(|step| line(&step.name)).collect();
                self.say(Tone::Dim, &format!("path: {}", names.join(", ")))
            }
            Kind::Retry { host, task, left, .. } => self
                .say(Tone::Dim, &format!("FAILED - RETRYING: [{}]: {} ({left} retries left).", line(host), line(task))),
            Kind::ItemEnded { host, item, status, changed, result } => {
                let host = line(host);
                let (status, changed) = (*status, *changed);
                self.ended(&Ended { host, item: Some(item), status, stopped: false, changed, result, diff: &[] })
            }
            Kind::TaskEnded { host, status, changed, fault, result, diff, delegated_to, .. } => {
                let went_well = matches!(status, Status::Ok | Status::Skipped);
                let said = self.itemised.contains(host) && went_well;
                let host = match delegated_to.as_ref().filter(|other| *other != host) {
                    Some(other) => format!("{} -> {}", line(host), line(other)),
                    None => line(host),
                };
                let stopped = *fault == Some(Fault::Stopped);
                let ended = Ended { host, item: None, status: *status, stopped, changed: *changed, result, diff };
                if said { self.diffs(diff) } else { self.ended(&ended) }
            }
            Kind::Rescued { host } => self.say(Tone::Changed, &format!("rescued: [{}]", line(host))),
            Kind::MemberRolled { .. }
            | Kind::ClusterUpgraded { .. }
            | Kind::ClusterDowngraded { .. }
            | Kind::MemberDefragmented { .. }
            | Kind::OptionRewritten { .. }
            | Kind::BackupTaken { .. } => self.milestone(kind),
            Kind::Warning { text } => self.say(Tone::Warning, &format!("[WARNING]: {}", line(text))),
            Kind::WayChanged { host, through, why } => self.say(Tone::Warning, &value::of_way(host, through, why)),
            Kind::Halted { reason, .. } => {
                self.say(Tone::Failed, &format!("\nHALTED: no later host is touched: {}", line(reason)))
            }
            Kind::RunEnded { .. } => summary::of(&self.state, &self.look),
            Kind::Invoked { .. }
            | Kind::TurnEnded { .. }
            | Kind::Progress { .. }
            | Kind::LocksTaken { .. }
            | Kind::Unknown => String::new(),
        }
    }

    /// A title filled up with stars, as Ansible draws it.
    fn banner(&self, title: &str) -> String {
        banner(title, self.look.width)
    }

    fn say(&self, tone: Tone, text: &str) -> String {
        self.look.style.paint(tone, text) + "\n"
    }

    fn ended(&self, ended: &Ended<'_>) -> String {
        let text = match ended.status {
            Status::Ok => self.went_well(ended),
            Status::Skipped => self.skipped(ended),
            Status::Failed | Status::Ignored | Status::Unreachable => self.went_wrong(ended),
        };
        self.diffs(ended.diff) + &text
    }

    fn went_well(&self, ended: &Ended<'_>) -> String {
        let (tone, word) = if ended.changed { (Tone::Changed, "changed") } else { (Tone::Ok, "ok") };
        let mut text = format!("{word}: [{}]{}", ended.host, item(ended.item));
        if self.look.verbosity > 0 || self.shows_result {
            let result = value::of_result(&without_item(ended), false);
            if !result.is_empty() {
                text.push_str(" =>\n");
                text.push_str(result.trim_end_matches('\n'));
            }
        }
        self.say(tone, &text)
    }

    fn skipped(&self, ended: &Ended<'_>) -> String {
        let of = |key: &str| ended.result.get(key).and_then(Value::as_str);
        let why = match (of("skip_reason"), of("false_condition")) {
            (_, Some(condition)) => format!(" ({} is false)", line(condition)),
            (Some(reason), None) => format!(" ({})", line(reason)),
            (None, None) => of("msg").map(|msg| format!(" ({})", line(msg))).unwrap_or_default(),
        };
        self.say(Tone::Skipped, &format!("skipping: [{}]{}{why}", ended.host, item(ended.item)))
    }

    fn went_wrong(&self, ended: &Ended<'_>) -> String {
        let word = if ended.item.is_some() { "failed" } else { "fatal" };
        let what = match ended.status {
            Status::Unreachable => "UNREACHABLE!",
            _ if ended.stopped => "STOPPED!",
            _ => "FAILED!",
        };
        let msg = ended.result.get("msg").and_then(Value::as_str).unwrap_or_default();
        let mut msg = msg.trim_end_matches('\n').splitn(2, '\n');
        let (first, rest) = (msg.next().unwrap_or_default(), msg.next());
        let mut text = format!("{word}: [{}]: {what}{} => {}", ended.host, item(ended.item), line(first));
        text = text.trim_end().to_owned() + "\n";
        if let Some(rest) = rest {
            text.push_str(&value::block(rest, 1));
        }
        text.push_str(&value::of_result(&without_item(ended), true));
        let text = self.look.style.paint(Tone::Failed, &text);
        if ended.status == Status::Ignored && ended.item.is_none() {
            return text + &self.say(Tone::Skipped, "...ignoring");
        }
        text
    }

    fn diffs(&self, diffs: &[Diff]) -> String {
        diffs.iter().map(|one| diff::shown(one, self.look.style)).collect()
    }

    /// What a cluster's operator waits for.
    fn milestone(&self, kind: &Kind) -> String {
        match kind {
            Kind::MemberRolled { host, member, from, to, down, outcome } => {
                let (host, member, outcome) = (line(host), line(member), line(outcome));
                let (from, to, down) = (line(from), line(to), summary::duration(*down));
                // One and the same version: for other files, or only to be started anew.
                let versions = if from == to { from } else { format!("{from} -> {to}") };
                let text = format!("rolled: [{host}] member {member}: {versions}, {outcome}, down {down}");
                self.say(Tone::Changed, &text)
            }
            Kind::ClusterUpgraded { .. } => {
                let upgraded = self.state.upgraded.last().map(summary::upgraded).unwrap_or_default();
                self.say(Tone::Changed, &format!("upgraded: {upgraded}"))
            }
            Kind::ClusterDowngraded { .. } => {
                let downgraded = self.state.downgraded.last().map(summary::downgraded).unwrap_or_default();
                self.say(Tone::Changed, &format!("downgraded: {downgraded}"))
            }
            Kind::MemberDefragmented { host, member, before, after, took } => {
                let (host, member, took) = (line(host), line(member), summary::duration(*took));
                let (before, after) = (indicatif::BinaryBytes(*before), indicatif::BinaryBytes(*after));
                self.say(
                    Tone::Changed,
                    &format!("defragmented: [{host}] member {member}: {before} -> {after}, busy {took}"),
                )
            }
            Kind::OptionRewritten { host, what } => {
                self.say(Tone::Changed, &format!("rewrite: [{}] {}", line(host), line(what)))
            }
            Kind::BackupTaken { host, path, size, proof } => {
                let (host, path, proof) = (line(host), line(path), line(proof));
                let text = format!("backup: [{host}] {path} ({}): {proof}", indicatif::BinaryBytes(*size));
                self.say(Tone::Changed, &text)
            }
            _ => String::new(),
        }
    }
}

/// The result without the loop's variables, which its line names already.
fn without_item(ended: &Ended<'_>) -> Map<String, Value> {
    let mut result = ended.result.clone();
    if ended.item.is_some()
        && let Some(Value::String(name)) = result.shift_remove("ansible_loop_var")
    {
        result.shift_remove(&name);
    }
    result
}

fn item(item: Option<&Value>) -> String {
    item.map(|item| format!(" => (item={})", value::of_item(item))).unwrap_or_default()
}

/// A title filled up with stars to `width` columns, at least three of them, after an empty line.
pub(super) fn banner(title: &str, width: usize) -> String {
    let stars = width.saturating_sub(unicode_width::UnicodeWidthStr::width(title)).max(3);
    format!("\n{title} {}\n", "*".repeat(stars))
}
