//! `quorate lock`: whose a cluster's hosts are, and the end of a lock that nobody will give back.

use comfy_table::{Table, presets};
use serde_json::{Map, Value, json};

use super::answers::{self, Answer, Asked};
use super::arguments::{Cluster, LockBreak};
use super::exit::Exit;
use super::running;
use super::running::OneTask;
use super::signals::Signals;
use crate::events::Fault;
use crate::report::{Look, Terminal, escaped_line};

/// What a host said of its lock.
type Row = (String, Map<String, Value>);

/// `quorate lock show`.
pub(super) fn show(cluster: &Cluster) -> Exit {
    let Cluster { group, connection, output } = cluster;
    let play = answers::as_root(group, &json!({ "quorate_lock": {} }));
    let asked = answers::asked(&play, "lock show", (connection, output), Ok);
    asked.map_or_else(|exit| exit, |asked| answer(&asked, output.json))
}

fn row(answer: &Answer) -> Row {
    let lock = answer.good().and_then(|result| result.get("lock")).and_then(Value::as_object).cloned();
    let note = || Map::from_iter([("note".to_owned(), Value::from(answer.why_not()))]);
    (answer.host.clone(), lock.unwrap_or_else(note))
}

/// `quorate lock break`: a run like any other, with its journal.
pub(super) fn r#break(arguments: &LockBreak) -> Exit {
    let broken = || {
        let LockBreak { run, reason, cluster: Cluster { group, connection, output } } = arguments;
        let run = answers::whole_id(run, "`quorate lock show` has the one that holds the lock")?;
        let text = answers::as_root(group, &json!({ "quorate_lock": { "break_run": run, "reason": reason } }));
        let OneTask { run, state, id, gate } = OneTask::new(&text, "lock break", (connection, output), |_| {})?;
        let passwords = running::passwords(connection)?;
        let (journal, path) = running::journal(&state, &id)?;
        let people = |head| Box::new(Terminal::on_stdout(Look::of_stdout(output.verbose, Some(path), head))) as _;
        let readers = running::reader(output, running::head(&journal), people);
        let interrupt = Signals::default().caught()?;
        Ok(running::perform(&run, &state, &gate, passwords, interrupt, (Box::new(journal), readers)))
    };
    broken().unwrap_or_else(|exit| exit)
}

/// Prints the rows; a host that did not say is exit 4, since nothing is known of its lock.
fn answer(asked: &Asked, json: bool) -> Exit {
    let rows: Vec<Row> = asked.answers.iter().map(row).collect();
    let line = |(host, row): &Row| {
        let mut line = Map::from_iter([("host".to_owned(), Value::from(host.as_str()))]);
        line.extend(row.clone());
        Value::Object(line)
    };
    let text = if json { answers::json_lines(rows.iter().map(line)) } else { as_table(&rows) };
    let silent = rows.iter().any(|(_, row)| !row.contains_key("held"));
    asked.answer(&text, || if silent { Fault::Unreachable.into() } else { Exit::DONE })
}

fn as_table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["host", "lock", "run", "of", "since", "silent", "what"]);
    for (host, row) in rows {
        let text = |name: &str| escaped_line(row.get(name).and_then(Value::as_str).unwrap_or_default());
        let lock = match row.get("held").and_then(Value::as_bool) {
            Some(true) => "held".to_owned(),
            Some(false) => "free".to_owned(),
            None => format!("unknown: {}", text("note")),
        };
        let silent = row.get("silent").and_then(Value::as_u64).map(|seconds| format!("{seconds} s"));
        let of = [text("user"), text("from")].join("@");
        let of = if of == "@" { String::new() } else { of };
        table.add_row([
            escaped_line(host),
            lock,
            text("run"),
            of,
            text("since"),
            silent.unwrap_or_default(),
            text("what"),
        ]);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_does_not_say_is_unknown_and_not_free() {
        let row = |host: &str, value: Value| (host.to_owned(), value.as_object().cloned().unwrap_or_default());
        let rows = [
            row("n1", json!({ "held": false })),
            row("n2", json!({ "held": true, "run": "01A\u{1b}", "user": "ops", "from": "b", "silent": 3 })),
            row("n3", json!({ "note": "not reached" })),
        ];
        let table = as_table(&rows);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["n1", "free"]);
        assert_eq!(lines[2], ["n2", "held", r"01A\x1b", "ops@b", "3", "s"]);
        assert_eq!(lines[3], ["n3", "unknown:", "not", "reached"]);
    }
}
