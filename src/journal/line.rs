//! One event as one line: JSON that `grep` and `jq` read, followed by what ties it to the line before it and by a checksum.
//!
//! Format 2: `{EVENT…,"prev":"SHA-256","crc":"CRC-32"}`, and in the first line `"format":2` before `prev`. `prev` is the sum of the
//! whole line before, newline included, so that `tail -n 1 | sha256sum` says the same as quorate; for the first line it is that of
//! the run's ID and a newline. It is not cut short: 32 characters a line are little beside an event, and a sum that is whole can be
//! compared by anybody's tools. The checksum holds the last line, which no other one follows.
//!
//! Format 1 had no `format` and no `prev`.

use sha2::{Digest, Sha256};

use crate::events::Event;

/// The format that is written, and the newest that is read.
pub(super) const FORMAT: u64 = 2;

/// `,"crc":"01234567"}`
const CRC: usize = 18;

/// `,"prev":"64 hex digits"}`
const PREV: usize = 75;

/// A SHA-256 in hex.
pub(super) type Sum = String;

/// A line that is what was written.
pub(super) struct Line {
    /// The event.
    pub(super) event: Event,
    /// The event's own JSON, as it was written.
    pub(super) json: String,
    /// The sum of the line before, if the line carries one.
    pub(super) prev: Option<Sum>,
}

/// The sum that the first line of a run's journal follows.
pub(super) fn first_sum(run: &str) -> Sum {
    sum(format!("{run}\n").as_bytes())
}

/// The sum of a line, newline included.
pub(super) fn sum(line: &[u8]) -> Sum {
    Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The line of an event, newline included.
pub(super) fn of_event(event: &Event, prev: &Sum, first: bool) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(event)?;
    line.pop();
    if first {
        line.extend_from_slice(format!(",\"format\":{FORMAT}").as_bytes());
    }
    line.extend_from_slice(format!(",\"prev\":\"{prev}\"}}").as_bytes());
    let crc = crc32fast::hash(&line);
    line.pop();
    line.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"}}\n").as_bytes());
    Ok(line)
}

/// What a line without its newline carries, or what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<Line, String> {
    let Some((body, tail)) = line.len().checked_sub(CRC).and_then(|at| line.split_at_checked(at)) else {
        return Err("too short to carry a checksum".to_owned());
    };
    let mut text = body.to_vec();
    text.push(b'}');
    let crc = crc32fast::hash(&text);
    if tail != format!(",\"crc\":\"{crc:08x}\"}}").as_bytes() {
        return Err(format!("its checksum is wrong: expected {crc:08x}"));
    }
    let event = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    // JSON's own quotes are escaped inside strings, so only a field of the line itself looks like this.
    let mut json = String::from_utf8(text).map_err(|error| error.to_string())?;
    let at = json.len().saturating_sub(PREV);
    let prev =
        json.get(at..).and_then(|tail| tail.strip_prefix(",\"prev\":\"")?.strip_suffix("\"}")).map(str::to_owned);
    if prev.is_some() {
        json.truncate(at);
        let format = format!(",\"format\":{FORMAT}");
        json.truncate(json.strip_suffix(&format).map_or(json.len(), str::len));
        json.push('}');
    }
    Ok(Line { event, json, prev })
}

/// The format that a first line names, whatever else it is.
pub(super) fn format(line: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(line).ok()?.get("format")?.as_u64()
}
