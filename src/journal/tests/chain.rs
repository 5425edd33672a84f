//! What ties a journal's lines together, and what tells who writes it.

use std::os::unix::fs::MetadataExt;

use super::*;

/// A journal of that run with ten events; its path.
fn of_run(folder: &tempfile::TempDir, run: &str) -> PathBuf {
    let mut journal = Journal::create(&state(folder), run).unwrap();
    let mut all = kinds();
    if let Kind::RunStarted { run: named, .. } = &mut all[0] {
        run.clone_into(named);
    }
    let end = all.pop().unwrap();
    all.extend((0..6).map(|number| Kind::Warning { text: format!("{number}") }));
    for (seq, kind) in all.into_iter().chain([end]).enumerate() {
        journal.write(&event(seq as u64, kind)).unwrap();
    }
    journal.folder().join("journal.jsonl")
}

/// What is found in a journal of these lines in place of the one at `path`.
fn found(folder: &tempfile::TempDir, path: &Path, lines: &[String]) -> Reading {
    std::fs::write(path, lines.concat()).unwrap();
    Journal::read(&state(folder), RUN).unwrap()
}

/// The line that a fault names.
fn line_of(problem: &Unsound) -> usize {
    match problem {
        Unsound::Torn { line }
        | Unsound::Damaged { line, .. }
        | Unsound::OutOfOrder { line, .. }
        | Unsound::Unchained { line } => *line,
        Unsound::OtherRun { .. } | Unsound::Newer { .. } => 1,
    }
}

#[test]
fn a_line_that_is_missing_anywhere_but_at_the_end_is_named_and_at_the_end_the_head_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_run(&folder, RUN);
    let whole = lines_of(&path);
    let head = found(&folder, &path, &whole).head;
    for at in 0..whole.len() {
        let mut lines = whole.clone();
        lines.remove(at);
        let reading = found(&folder, &path, &lines);
        if at + 1 == whole.len() {
            assert!(reading.is_sound() && reading.head != head, "{:?}", reading.problems);
        } else {
            assert!(!reading.is_sound(), "line {} is missing", at + 1);
            assert_eq!(line_of(&reading.problems[0]), at + 1, "{:?}", reading.problems);
        }
    }
}

#[test]
fn two_lines_that_changed_places_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_run(&folder, RUN);
    let whole = lines_of(&path);
    for one in 0..whole.len() {
        for other in one + 1..whole.len() {
            let mut lines = whole.clone();
            lines.swap(one, other);
            let reading = found(&folder, &path, &lines);
            assert!(!reading.is_sound(), "{one} and {other}");
            assert_eq!(line_of(&reading.problems[0]), one + 1, "{one} and {other}: {:?}", reading.problems);
        }
    }
}

#[test]
fn a_line_of_another_run_is_named_though_its_number_and_its_checksum_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_run(&folder, RUN);
    let (whole, other) = (lines_of(&path), lines_of(&of_run(&folder, "01BX5ZZKBKACTAV9WEVGEMMVRZ")));
    for at in 0..whole.len() {
        let mut lines = whole.clone();
        lines[at].clone_from(&other[at]);
        let reading = found(&folder, &path, &lines);
        assert!(!reading.is_sound(), "line {}", at + 1);
        assert_eq!(line_of(&reading.problems[0]), at + 1, "{:?}", reading.problems);
    }
    assert!(!found(&folder, &path, &other).is_sound());
}

#[test]
fn a_line_that_was_rewritten_with_its_checksum_is_seen_in_the_next_one_and_the_last_in_the_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_run(&folder, RUN);
    let whole = lines_of(&path);
    let head = found(&folder, &path, &whole).head;
    for at in 0..whole.len() {
        let mut lines = whole.clone();
        let (body, _) = lines[at].rsplit_once(",\"crc\"").unwrap();
        let forged = format!("{body}}}").replace("\"elapsed\":{\"secs\":0", "\"elapsed\":{\"secs\":7");
        lines[at] = with_checksum(&forged);
        assert_ne!(lines[at], whole[at]);
        let reading = found(&folder, &path, &lines);
        if at + 1 == whole.len() {
            assert!(reading.is_sound() && reading.head != head);
        } else {
            assert_eq!(reading.problems, [Unsound::Unchained { line: at + 2 }]);
        }
    }
}

#[test]
fn the_head_is_the_sum_of_the_last_line_and_is_told_when_the_run_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&state(&folder), RUN).unwrap();
    let head = journal.head();
    for (seq, kind) in kinds().into_iter().enumerate() {
        assert_eq!(head.sum(), None);
        journal.write(&event(seq as u64, kind)).unwrap();
    }
    let path = journal.folder().join("journal.jsonl");
    let last = line::sum(lines_of(&path).last().unwrap().as_bytes());
    assert_eq!((head.sum(), Journal::read(&state(&folder), RUN).unwrap().head), (Some(last.clone()), Some(last)));
}

/// As quorate wrote it before there was a chain.
#[test]
fn a_journal_of_format_1_is_read_and_a_chained_line_in_it_is_none_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_run(&folder, RUN);
    let whole = lines_of(&path);
    let mut old: Vec<String> = whole
        .iter()
        .map(|text| {
            let line::Line { json, prev, .. } = line::read(text.trim_end().as_bytes()).unwrap();
            assert!(prev.is_some() && !json.contains("prev") && !json.contains("format"), "{json}");
            with_checksum(&json)
        })
        .collect();
    let reading = found(&folder, &path, &old);
    assert_eq!((reading.problems, reading.events.len(), reading.head, reading.is_old), (Vec::new(), 10, None, true));
    old[4].clone_from(&whole[4]);
    assert_eq!(found(&folder, &path, &old).problems, [Unsound::Unchained { line: 5 }]);
    let mut stripped = whole;
    stripped[4] = with_checksum(&line::read(stripped[4].trim_end().as_bytes()).unwrap().json);
    assert_eq!(line_of(&found(&folder, &path, &stripped).problems[0]), 5);
}

#[test]
fn a_journal_of_a_newer_format_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_run(&folder, RUN);
    let mut lines = lines_of(&path);
    lines[0] = lines[0].replace("\"format\":2", "\"format\":3");
    let reading = found(&folder, &path, &lines);
    assert_eq!((reading.problems, reading.events.len()), (vec![Unsound::Newer { found: 3 }], 0));
}

#[test]
fn who_looks_on_sees_whether_it_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(&state(&folder), RUN).unwrap();
    let written = || Journal::is_being_written(&state(&folder), RUN).unwrap();
    assert!(written() && written());
    drop(journal);
    assert!(!written());
}

#[test]
fn room_is_taken_while_it_is_written_and_given_back_after() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&state(&folder), RUN).unwrap();
    let path = journal.folder().join("journal.jsonl");
    let taken = || std::fs::metadata(&path).unwrap().blocks() * 512;
    journal.write(&event(0, kinds().remove(0))).unwrap();
    assert!(taken() >= 4 << 20, "{}", taken());
    assert!(std::fs::metadata(&path).unwrap().len() < 1000);
    drop(journal);
    assert!(taken() < 1 << 20, "{}", taken());
}

#[test]
fn a_run_is_found_by_its_id_a_part_of_it_and_as_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(&folder);
    assert!(matches!(state.find("last"), Err(JournalError::NoRun { .. })));
    let (older, newer) = ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW");
    for id in [older, newer] {
        Journal::create(&state, id).unwrap();
    }
    assert_eq!(state.find("last").unwrap(), newer);
    assert_eq!(state.find(older).unwrap(), older);
    assert_eq!(state.find("69g5fav").unwrap(), older);
    assert!(matches!(state.find("9G5FAV.."), Err(JournalError::NoRun { .. })));
    assert!(matches!(state.find("G5FAV"), Err(JournalError::ShortId { .. })));
    let error = state.find("01ARZ3").unwrap_err();
    assert!(matches!(&error, JournalError::Ambiguous { runs, .. } if runs.len() == 2), "{error}");
    assert_eq!(error.fault(), Fault::Input);
}
