//! `--json`: one line of JSON an event, as in the journal; the last also carries the head of the journal's chain.

use std::io::Write;

use super::escape::is_unsafe;
use super::{Head, lost};
use crate::events::{Event, Kind, Sink, SinkError};

/// Writes each event as one line and flushes it, so that a reader sees it at once.
pub struct JsonLines<W> {
    out: W,
    head: Head,
}

impl<W: Write + Send> JsonLines<W> {
    /// Lines into `out`.
    #[must_use]
    pub fn new(out: W, head: Head) -> Self {
        Self { out, head }
    }

    /// Writes an event that was read from a journal, with the JSON under which it lies there: of an event that this version does not
    /// know, it is all there is.
    ///
    /// # Errors
    /// When the line could not be written.
    pub fn write_as_read(&mut self, event: &Event, json: &str) -> Result<(), SinkError> {
        let mut line = harmless(json);
        if matches!(event.kind, Kind::RunEnded { .. })
            && let (Some(head), Some(open)) = (self.head.sum(), line.strip_suffix('}'))
        {
            line = format!("{open},\"head\":\"{head}\"}}");
        }
        line.push('\n');
        self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush()).map_err(|error| lost("json", &error))
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn name(&self) -> &'static str {
        "json"
    }

    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        let json = serde_json::to_string(event).map_err(|error| lost("json", &error.into()))?;
        self.write_as_read(event, &json)
    }
}

/// The same JSON without characters that act on a terminal. JSON allows them only inside strings, where `\u` stands for them.
#[must_use]
pub fn harmless(json: &str) -> String {
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
        JsonLines::new(&mut bytes, Head::default()).write(&event).unwrap();
        let line = String::from_utf8(bytes).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.trim_end().chars().any(is_unsafe), "{line}");
        let back: Event = serde_json::from_str(&line).unwrap();
        assert!(matches!(back.kind, Kind::Warning { text: found } if found == text));
    }

    #[test]
    fn the_last_line_carries_the_head_of_the_journal_and_no_other_does() {
        let event = |kind| Event { seq: 0, at: jiff::Timestamp::UNIX_EPOCH, elapsed: std::time::Duration::ZERO, kind };
        let mut bytes = Vec::new();
        let mut lines = JsonLines::new(&mut bytes, Head::of(|| Some("ab12".to_owned())));
        lines.write(&event(Kind::Warning { text: "x".to_owned() })).unwrap();
        lines.write(&event(Kind::RunEnded { code: 0, untouched: Vec::new() })).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let values: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((values[0].get("head"), values[1]["head"].as_str()), (None, Some("ab12")));
    }

    #[test]
    fn a_full_device_is_an_error_and_no_panic() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let event =
            Event { seq: 0, at: jiff::Timestamp::UNIX_EPOCH, elapsed: std::time::Duration::ZERO, kind: Kind::Unknown };
        assert_eq!(JsonLines::new(full, Head::default()).write(&event).unwrap_err().sink, "json");
    }
}
