//! `--json`: one line of JSON an event, as in the journal.

use std::io::Write;

use super::escape::is_unsafe;
use super::lost;
use crate::events::{Event, Sink, SinkError};

/// Writes each event as one line and flushes it, so that a reader sees it at once.
pub struct JsonLines<W> {
    out: W,
}

impl<W: Write + Send> JsonLines<W> {
    /// Lines into `out`.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        let json = serde_json::to_string(event).map_err(|error| lost("json", &error.into()))?;
        let mut line = harmless(&json);
        line.push('\n');
        self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush()).map_err(|error| lost("json", &error))
    }
}

/// The same JSON without characters that act on a terminal. JSON allows them only inside strings, where `\u` stands for them.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Kind;

    #[test]
    fn one_line_an_event_that_reads_back_the_same_and_is_harmless() {
        let text = "a\n\u{1b}[2J \u{9b} \u{202e} \u{e0041} ü";
        let event = Event {
            seq: 0,
            at: jiff::Timestamp::UNIX_EPOCH,
            elapsed: std::time::Duration::ZERO,
            kind: Kind::Warning { text: text.to_owned() },
        };
        let mut bytes = Vec::new();
        JsonLines::new(&mut bytes).write(&event).unwrap();
        let line = String::from_utf8(bytes).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.trim_end().chars().any(is_unsafe), "{line}");
        let back: Event = serde_json::from_str(&line).unwrap();
        assert!(matches!(back.kind, Kind::Warning { text: found } if found == text));
    }

    #[test]
    fn a_full_device_is_an_error_and_no_panic() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let event =
            Event { seq: 0, at: jiff::Timestamp::UNIX_EPOCH, elapsed: std::time::Duration::ZERO, kind: Kind::Unknown };
        assert_eq!(JsonLines::new(full).write(&event).unwrap_err().sink, "json");
    }
}
