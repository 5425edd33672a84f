//! What one command printed on many hosts: hosts with the same answer are shown once, together.

use std::io::Write;

use serde_json::{Map, Value};

use super::lost;
use super::style::{Style, Tone};
use super::value::{block, line, of_way};
use crate::events::{Event, Kind, Sink, SinkError, Status};

/// Names shown of a group of hosts; beside more, their number says more than their names.
const NAMED: usize = 16;

/// Keeps every host's answer and writes them when the run ends.
pub struct Folded<W> {
    out: W,
    style: Style,
    groups: Vec<(Answer, Vec<String>)>,
}

/// What a host answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    tone: Tone,
    /// "rc=0", "UNREACHABLE: no route to host".
    verdict: String,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn of(status: Status, changed: bool, result: &Map<String, Value>) -> Self {
        let text = |key: &str| result.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let rc = result.get("rc").and_then(Value::as_i64).map(|rc| format!("rc={rc}"));
        let (tone, verdict) = match status {
            Status::Ok if changed => (Tone::Changed, rc.unwrap_or_else(|| "changed".to_owned())),
            Status::Ok => (Tone::Ok, rc.unwrap_or_else(|| "ok".to_owned())),
            Status::Skipped => (Tone::Skipped, format!("skipped {}", text("skip_reason"))),
            Status::Failed | Status::Ignored => {
                (Tone::Failed, rc.unwrap_or_else(|| format!("FAILED: {}", text("msg"))))
            }
            Status::Unreachable => (Tone::Failed, format!("UNREACHABLE: {}", text("msg"))),
        };
        Self { tone, verdict, stdout: text("stdout"), stderr: text("stderr") }
    }

    fn shown(&self, hosts: &[String], style: Style) -> String {
        let named = hosts.iter().take(NAMED).map(|host| line(host)).collect::<Vec<_>>().join(",");
        let count = match hosts.len() {
            1 => String::new(),
            all if all > NAMED => format!(",... ({all} hosts)"),
            all => format!(" ({all} hosts)"),
        };
        let mut verdict = self.verdict.trim_end().splitn(2, '\n');
        let (first, rest) = (verdict.next().unwrap_or_default(), verdict.next());
        let mut text = style.paint(self.tone, &format!("{named}{count} | {}", line(first))) + "\n";
        text.push_str(&rest.map(|rest| block(rest, 1)).unwrap_or_default());
        text.push_str(&block(&self.stdout, 1));
        if !self.stderr.is_empty() {
            text.push_str(&format!("  stderr:\n{}", block(&self.stderr, 1)));
        }
        text
    }
}

impl<W: Write + Send> Folded<W> {
    /// Answers into `out`.
    #[must_use]
    pub fn new(out: W, style: Style) -> Self {
        Self { out, style, groups: Vec::new() }
    }

    fn take(&mut self, host: &str, answer: Answer) {
        match self.groups.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, hosts)) => hosts.push(host.to_owned()),
            None => self.groups.push((answer, vec![host.to_owned()])),
        }
    }

    fn finish(&mut self, untouched: &[(String, String)]) -> std::io::Result<()> {
        for (answer, mut hosts) in std::mem::take(&mut self.groups) {
            hosts.sort();
            self.out.write_all(answer.shown(&hosts, self.style).as_bytes())?;
        }
        for (host, reason) in untouched {
            let text = format!("{} | NOT RUN: {}", line(host), line(reason));
            self.out.write_all((self.style.paint(Tone::Skipped, &text) + "\n").as_bytes())?;
        }
        self.out.flush()
    }
}

impl<W: Write + Send> Sink for Folded<W> {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        let written = match &event.kind {
            Kind::TaskEnded { host, status, changed, result, .. } => {
                self.take(host, Answer::of(*status, *changed, result));
                Ok(())
            }
            Kind::Warning { text } => {
                let text = self.style.paint(Tone::Warning, &format!("[WARNING]: {}", line(text)));
                self.out.write_all((text + "\n").as_bytes())
            }
            Kind::WayChanged { host, through, why } => {
                let text = self.style.paint(Tone::Warning, &of_way(host, through, why));
                self.out.write_all((text + "\n").as_bytes())
            }
            Kind::Halted { reason, next, .. } => {
                let text = format!("HALTED: {}\n  next: {}", line(reason), line(next));
                self.out.write_all((self.style.paint(Tone::Failed, &text) + "\n").as_bytes())
            }
            Kind::RunEnded { untouched, .. } => self.finish(untouched),
            _ => Ok(()),
        };
        written.map_err(|error| lost("terminal", &error))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(answers: &[(&str, Status, Value)]) -> String {
        let mut out = Vec::new();
        let mut folded = Folded::new(&mut out, Style { colour: false });
        let ended = |(host, status, result): &(&str, Status, Value)| Kind::TaskEnded {
            host: (*host).to_owned(),
            task: "t".to_owned(),
            status: *status,
            changed: true,
            fault: None,
            result: result.as_object().unwrap().clone(),
            diff: Vec::new(),
            delegated_to: None,
        };
        let over = Kind::RunEnded { code: 0, untouched: vec![("n9".to_owned(), "why".to_owned())] };
        for (seq, kind) in answers.iter().map(ended).chain([over]).enumerate() {
            let event =
                Event { seq: seq as u64, at: jiff::Timestamp::UNIX_EPOCH, elapsed: std::time::Duration::ZERO, kind };
            folded.write(&event).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hosts_with_the_same_output_are_shown_together() {
        let text = printed(&[
            ("n3", Status::Ok, json!({"rc": 0, "stdout": "active\nyes"})),
            ("n2", Status::Failed, json!({"rc": 3, "stdout": "inactive", "stderr": "no\u{1b}[2J", "msg": "non-zero"})),
            ("n1", Status::Ok, json!({"rc": 0, "stdout": "active\nyes"})),
            ("n4", Status::Unreachable, json!({"msg": "no route"})),
        ]);
        let expected = "n1,n3 (2 hosts) | rc=0
    active
    yes
n2 | rc=3
    inactive
  stderr:
    no\\x1b[2J
n4 | UNREACHABLE: no route
n9 | NOT RUN: why
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_thousand_hosts_are_counted_and_not_all_named() {
        let names: Vec<String> = (0..1000).map(|n| format!("n{n:03}")).collect();
        let answers: Vec<_> = names.iter().map(|name| (name.as_str(), Status::Ok, json!({"rc": 0}))).collect();
        let text = printed(&answers);
        assert!(text.starts_with("n000,n001,"), "{text}");
        assert!(text.contains("n015,... (1000 hosts) | rc=0\n"), "{text}");
    }
}
