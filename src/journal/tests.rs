mod chain;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::events::{Emitter, Event, Fault, Kind, Sink, State};

const RUN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn state(folder: &tempfile::TempDir) -> StateDir {
    StateDir::from_environment(Some(folder.path())).unwrap()
}

fn event(seq: u64, kind: Kind) -> Event {
    Event { seq, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::from_millis(seq), kind }
}

fn kinds() -> Vec<Kind> {
    let run = |run: &str| Kind::RunStarted {
        run: run.to_owned(),
        version: "0".to_owned(),
        playbook: "p.yml".to_owned(),
        hosts: vec!["n1".to_owned()],
        check: false,
        command: "run".to_owned(),
    };
    let act = Kind::ActBegins { host: "n1".to_owned(), act: "stop".to_owned() };
    let warning = Kind::Warning { text: "a \u{1b}[2J \n b".to_owned() };
    vec![run(RUN), act, warning, Kind::RunEnded { code: 0, untouched: Vec::new() }]
}

/// A journal of four events; its path.
fn written(folder: &tempfile::TempDir) -> PathBuf {
    let mut journal = Journal::create(&state(folder), RUN).unwrap();
    for (seq, kind) in kinds().into_iter().enumerate() {
        journal.write(&event(seq as u64, kind)).unwrap();
    }
    journal.folder().join("journal.jsonl")
}

/// The lines of a journal, each with its newline.
fn lines_of(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

/// A line of that JSON object, as if it had been written so.
fn with_checksum(json: &str) -> String {
    let crc = crc32fast::hash(json.as_bytes());
    format!("{},\"crc\":\"{crc:08x}\"}}\n", json.strip_suffix('}').unwrap())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn reads_back_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    written(&folder);
    let reading = Journal::read(&state(&folder), RUN).unwrap();
    assert_eq!(reading.problems, []);
    assert_eq!(reading.events.len(), 4);
    assert_eq!(State::of(&reading.events).run.as_deref(), Some(RUN));
    assert!(State::of(&reading.events).is_over());
}

#[test]
fn nobody_else_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn every_line_is_json_with_its_number_and_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(written(&folder)).unwrap();
    for (seq, line) in text.lines().enumerate() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["seq"], seq);
        assert_eq!(value["crc"].as_str().unwrap().len(), 8);
    }
}

#[test]
fn a_journal_cut_at_any_byte_gives_whole_events_and_at_most_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder);
    let whole = std::fs::read(&path).unwrap();
    for size in 0..whole.len() {
        std::fs::write(&path, &whole[..size]).unwrap();
        let reading = Journal::read(&state(&folder), RUN).unwrap();
        assert!(reading.is_sound(), "cut at {size}: {:?}", reading.problems);
        let ends = whole[..size].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(reading.events.len(), ends, "cut at {size}");
        let torn = size > 0 && whole[size - 1] != b'\n';
        assert_eq!(reading.problems.len(), usize::from(torn), "cut at {size}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&path, &damaged).unwrap();
        let reading = Journal::read(&state(&folder), RUN).unwrap();
        assert!(!reading.problems.is_empty(), "byte {at}");
    }
}

#[test]
fn a_missing_event_and_another_runs_journal_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
    let reading = Journal::read(&state(&folder), RUN).unwrap();
    assert_eq!(reading.problems, [Unsound::OutOfOrder { line: 2, expected: 1, found: 2 }]);

    let other = "01BX5ZZKBKACTAV9WEVGEMMVRZ";
    std::fs::rename(path.parent().unwrap(), state(&folder).run(other).unwrap()).unwrap();
    let reading = Journal::read(&state(&folder), other).unwrap();
    assert!(reading.problems.contains(&Unsound::OtherRun { found: RUN.to_owned() }));
}

#[test]
fn no_run_id_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for bad in ["../../x", "", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01arz3ndektsv4rrffq69g5fav", "01ARZ3NDEKTSV4RRFFQ69G5FA/"]
    {
        assert!(matches!(state(&folder).run(bad), Err(JournalError::RunId { .. })), "{bad}");
    }
}

#[test]
fn a_run_is_never_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    written(&folder);
    let again = Journal::create(&state(&folder), RUN).err().unwrap();
    assert_eq!(again.fault(), Fault::Disk);
}

/// Killed between its folder and its journal (seen in the lab 2026-11-27: `report last` then named a file that is not there).
#[test]
fn a_folder_without_a_journal_is_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(&folder);
    assert!(state.create_run(RUN, |_| Err::<(), _>(JournalError::NoFolder)).is_err());
    assert_eq!(std::fs::read_dir(folder.path().join("runs")).unwrap().count(), 0);
    let seen = state.create_run(RUN, |made| {
        // Whoever looks now, or after a kill now, sees no run.
        assert!(made.is_dir() && state.all_runs().unwrap().is_empty());
        Ok(state.find("last").is_err())
    });
    assert!(seen.unwrap().1);
    assert_eq!(state.all_runs().unwrap(), [RUN]);
}

/// `/dev/full` takes no byte (null(4)): the disk is full from the first event on.
#[test]
fn a_full_disk_lets_no_act_begin() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(&state(&folder), RUN).unwrap().onto_full_disk();
    let emitter = Emitter::new(Box::new(journal), Vec::new());
    let error = emitter.emit(kinds().remove(1)).unwrap_err();
    assert_eq!((error.sink, error.fault), ("journal", Fault::Disk));
    assert!(error.detail.contains("No space left"), "{error}");
}

#[test]
fn what_a_newer_quorate_wrote_is_read_as_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder);
    let body = r#"{"seq":4,"at":"2026-11-24T18:00:00Z","elapsed":{"secs":1,"nanos":0},"event":"moon_rose","phase":3}"#;
    let mut lines = lines_of(&path);
    let prev = line::sum(lines.last().unwrap().as_bytes());
    lines.push(with_checksum(&format!("{},\"prev\":\"{prev}\"}}", body.strip_suffix('}').unwrap())));
    std::fs::write(&path, lines.concat()).unwrap();
    let reading = Journal::read(&state(&folder), RUN).unwrap();
    assert_eq!(reading.problems, []);
    assert!(matches!(reading.events[4].kind, Kind::Unknown));
    let mut last = String::new();
    Journal::follow(&state(&folder), RUN, |written| written.json.clone_into(&mut last)).unwrap();
    assert_eq!(last, body, "all of it is still there");
}
