//! `quorate receipts`: what a run did, told by the hosts alone, for when the machine that ran it is gone with its journal.

use std::collections::BTreeSet;

use comfy_table::{Table, presets};
use serde_json::{Map, Value, json};

use super::answers::{self, Answer};
use super::arguments::{Cluster, Receipts};
use super::exit::Exit;
use crate::events::Fault;
use crate::report::escaped_line;

/// What a host said, or why it did not.
type Row = (String, Result<Map<String, Value>, String>);

/// Asks and shows.
pub(super) fn run(arguments: &Receipts) -> Exit {
    let told = || {
        let Receipts { run: wanted, cluster: Cluster { group, connection, output } } = arguments;
        let known = "`quorate receipts` without --run has those that the hosts know";
        let wanted = wanted.as_deref().map(|run| answers::whole_id(run, known)).transpose()?;
        let play = answers::as_root(group, &json!({ "quorate_receipts": {} }));
        let asked = answers::asked(&play, "receipts", (connection, output), Ok)?;
        let text = if output.json {
            as_json(&asked.answers)
        } else {
            as_text(&asked.answers.iter().map(row).collect::<Vec<_>>(), wanted.as_deref())
        };
        Ok(asked.answer(&text, || if asked.some_silent() { Fault::Unreachable.into() } else { Exit::DONE }))
    };
    told().unwrap_or_else(|exit| exit)
}

fn row(answer: &Answer) -> Row {
    (answer.host.clone(), answer.good().cloned().ok_or_else(|| answer.why_not().to_owned()))
}

/// A line a host, with the receipts of all runs.
fn as_json(asked: &[Answer]) -> String {
    let line = |answer: &Answer| {
        let mut line = Map::from_iter([("host".to_owned(), Value::from(answer.host.as_str()))]);
        let note = || Map::from_iter([("note".to_owned(), Value::from(answer.why_not()))]);
        line.extend(answer.good().cloned().unwrap_or_else(note));
        Value::Object(line)
    };
    answers::json_lines(asked.iter().map(line))
}

fn receipts((_, told): &Row) -> &[Value] {
    told.as_ref().ok().and_then(|told| told.get("receipts")?.as_array()).map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The runs of which any host keeps something or whose lock it has, oldest first: the order of their IDs is that of time.
fn runs(rows: &[Row]) -> BTreeSet<&str> {
    let kept = rows.iter().flat_map(receipts).map(|receipt| text(receipt, "run"));
    kept.chain(holders(rows)).collect()
}

fn holders(rows: &[Row]) -> impl Iterator<Item = &str> {
    rows.iter().filter_map(|(_, told)| told.as_ref().ok()?.get("lock_of")?.as_str())
}

/// Where the files stand: one word for all, or each by its own.
fn standing(receipt: &Value) -> String {
    let Some(files) = receipt.get("files").and_then(Value::as_object).filter(|files| !files.is_empty()) else {
        return String::new();
    };
    let words: BTreeSet<&str> = files.values().filter_map(Value::as_str).collect();
    let each = files.iter().map(|(path, word)| format!("{path}: {}", word.as_str().unwrap_or_default()));
    match words.first() {
        Some(word) if words.len() == 1 => format!("the {word} files"),
        _ => each.collect::<Vec<_>>().join(", "),
    }
}

fn as_text(rows: &[Row], wanted: Option<&str>) -> String {
    let runs = runs(rows);
    let silent: Vec<&str> = rows.iter().filter(|(_, told)| told.is_err()).map(|(host, _)| host.as_str()).collect();
    let Some(run) = wanted.or(runs.last().copied()) else {
        let unknown = if silent.is_empty() { String::new() } else { format!("; unknown: {}", silent.join(", ")) };
        return escaped_line(&format!("no run has left a receipt or a lock on these hosts{unknown}")) + "\n";
    };
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["host", "began", "ended", "transaction", "stands now", "said"]);
    let mut at_work = false;
    for row in rows {
        let (host, told) = row;
        let line = |cells: [&str; 5]| std::iter::once(host.as_str()).chain(cells).map(escaped_line).collect::<Vec<_>>();
        let of_run: Vec<&Value> = receipts(row).iter().filter(|receipt| text(receipt, "run") == run).collect();
        match (told, of_run.is_empty()) {
            (Err(why), _) => drop(table.add_row(line(["", "", "unknown", "", why]))),
            (_, true) => drop(table.add_row(line(["", "", "untouched", "", ""]))),
            _ => {
                for receipt in of_run {
                    let state = text(receipt, "state");
                    at_work |= state == "at work";
                    let (began, ended) = (text(receipt, "began"), text(receipt, "ended"));
                    table.add_row(line([began, ended, state, &standing(receipt), text(receipt, "detail")]));
                }
            }
        }
    }
    let table: String = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    let others: Vec<&str> = runs.iter().copied().filter(|other| *other != run).collect();
    let others = others.join(", ");
    let others = if others.is_empty() { others } else { format!("other runs: {}\n", escaped_line(&others)) };
    let holders: BTreeSet<&str> = holders(rows).collect();
    let holders: Vec<&str> = holders.into_iter().collect();
    let next = match (at_work, holders.as_slice()) {
        (true, _) => "wait until the transaction has ended, and look again".to_owned(),
        (_, []) => "nobody's lock is on these hosts; run the playbook again: what is done is left as it is".to_owned(),
        (_, held) => format!(
            "where the run is known: `quorate resume`; is its machine gone for good, `quorate lock break --run {}`, then run the playbook again: \
             what is done is left as it is",
            held.join(", then ")
        ),
    };
    let unknown = if runs.contains(run) {
        String::new()
    } else {
        let but = if silent.is_empty() { String::new() } else { format!(" but perhaps {}", silent.join(", ")) };
        escaped_line(&format!("no host knows run {run}{but}: it left no receipt and holds no lock here")) + "\n"
    };
    // The runs' IDs are the hosts' words too.
    let (run, next) = (escaped_line(run), escaped_line(&next));
    format!("run {run}, as the hosts tell it:\n{table}{unknown}{others}next: {next}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(host: &str, lock: Value, receipts: Value) -> Row {
        (host.to_owned(), json!({ "lock_of": lock, "receipts": receipts }).as_object().cloned().ok_or_else(String::new))
    }

    #[test]
    fn the_newest_run_is_told_host_by_host() {
        let done = json!({ "run": "01B", "began": "2026-11-24T02:00:00Z", "state": "done", "files": { "/a": "new" }, "detail": "process 7 serves" });
        let doubt =
            json!({ "run": "01B", "state": "in doubt", "files": { "/a": "old", "/b": "new" }, "detail": "x\u{1b}[2J" });
        let older = json!({ "run": "01A", "state": "done", "files": {} });
        let mut rows = vec![
            row("n1", json!("01B"), json!([older, done])),
            row("n2", json!("01B"), json!([doubt])),
            row("n3", Value::Null, json!([])),
            ("n4".to_owned(), Err("not reached".to_owned())),
        ];
        let told = as_text(&rows, None);
        for words in [
            "run 01B, as the hosts tell it",
            "the new files",
            "/a: old, /b: new",
            "untouched",
            "unknown",
            "not reached",
            "other runs: 01A",
            "quorate lock break --run 01B",
        ] {
            assert!(told.contains(words), "{words}\n{told}");
        }
        assert!(!told.contains('\u{1b}'));
        assert!(as_text(&rows, Some("01A")).contains("run 01A"));
        assert!(!as_text(&rows, Some("01A")).contains("no host knows"));
        let unknown = as_text(&rows, Some("01C"));
        assert!(unknown.contains("no host knows run 01C but perhaps n4: "), "{unknown}");
        assert!(unknown.contains("other runs: 01A, 01B"), "{unknown}");
        rows[0] = row("n1", json!("01B"), json!([{ "run": "01B", "state": "at work", "files": {} }]));
        assert!(as_text(&rows, None).contains("next: wait"), "{rows:?}");
        assert!(as_text(&[row("n1", Value::Null, json!([]))], None).contains("no run has left"));
        assert!(as_text(&[("n1".to_owned(), Err(String::new()))], None).contains("unknown: n1"));
    }
}
