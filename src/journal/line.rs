//! One event as one line: JSON that `grep` and `jq` read, with a checksum as its last field.

use crate::events::Event;

/// `,"crc":"01234567"}`
const TAIL: usize = 18;

/// The line of an event, newline included.
pub(super) fn of_event(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(event)?;
    let crc = crc32fast::hash(&line);
    line.pop();
    line.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"}}\n").as_bytes());
    Ok(line)
}

/// The event of a line without its newline, or what is wrong with it.
pub(super) fn to_event(line: &[u8]) -> Result<Event, String> {
    let Some((body, tail)) = line.len().checked_sub(TAIL).and_then(|at| line.split_at_checked(at)) else {
        return Err("too short to carry a checksum".to_owned());
    };
    let mut text = body.to_vec();
    text.push(b'}');
    let crc = crc32fast::hash(&text);
    if tail != format!(",\"crc\":\"{crc:08x}\"}}").as_bytes() {
        return Err(format!("its checksum is wrong: expected {crc:08x}"));
    }
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}
