//! `quorate doc`: what the modules' table says.

use comfy_table::{ContentArrangement, Table, presets};

use super::console;
use super::exit::Exit;
use crate::inventory::nearest;
use crate::modules::table::{Argument, CheckMode, NeedsTurn, Place, ROWS, Row};
use crate::modules::{Shape, find, vocabulary};
use crate::report::escaped_line;

/// Columns of the text: what reads well, and what a terminal has.
const WIDTH: u16 = 100;

/// Describes one module, or lists all.
pub(super) fn run(module: Option<&str>) -> Exit {
    let Some(name) = module else {
        return console::answer(&list());
    };
    let name =
        ["ansible.builtin.", "ansible.legacy."].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    match find(name) {
        Some(row) => console::answer(&described(row)),
        None => {
            let meant = nearest(name, vocabulary().modules.iter().copied());
            let help = meant.map_or("`quorate doc` lists them".to_owned(), |meant| format!("did you mean `{meant}`?"));
            console::say(&format!("error: no module is called `{}`: {help}", escaped_line(name)));
            Exit::INPUT
        }
    }
}

fn list() -> String {
    let mut table = new_table();
    let mut rows: Vec<&Row> = ROWS.iter().collect();
    rows.sort_by_key(|row| row.name);
    for row in rows {
        table.add_row([row.name, row.doc]);
    }
    drawn(&table)
}

fn described(row: &Row) -> String {
    let mut text = format!("{}: {}\n", row.name, row.doc);
    if !row.aliases.is_empty() {
        text.push_str(&format!("also called: {}\n", row.aliases.join(", ")));
    }
    let place = match row.place {
        Place::Host => "on the host",
        Place::Control => "on the control machine; the host is not contacted",
    };
    let check = match row.check {
        CheckMode::Predicts => "says what it would do",
        CheckMode::Runs => "runs as always; it changes nothing on hosts",
        CheckMode::Skipped(reason) => reason,
    };
    text.push_str(&format!("works: {place}\nin a check run: {check}\n"));
    text.push_str(&turn(row));
    if row.free_form.is_some() {
        text.push_str("takes free form text\n");
    }
    if row.open {
        text.push_str("takes any further argument\n");
    }
    for (names, must) in row.one_of {
        let how = if *must { "exactly one of" } else { "at most one of" };
        text.push_str(&format!("{how}: {}\n", names.join(", ")));
    }
    if !row.arguments.is_empty() {
        let mut table = new_table();
        for argument in row.arguments {
            table.add_row([argument.name.to_owned(), kind(argument), sentence(argument)]);
        }
        text.push_str(&format!("\narguments:\n{}", drawn(&table)));
    }
    if !row.returns.is_empty() {
        let mut table = new_table();
        for (name, doc) in row.returns {
            table.add_row([*name, *doc]);
        }
        text.push_str(&format!("\nreturns:\n{}", drawn(&table)));
    }
    text
}

/// What it says of a host's turn; nothing where none is needed.
fn turn(row: &Row) -> String {
    let unless = match row.needs_turn {
        NeedsTurn::Never => return String::new(),
        NeedsTurn::Always => String::new(),
        NeedsTurn::Unless(argument, value) => format!(", unless `{argument}: {value}`"),
    };
    format!(
        "needs: its host's turn, in a play with `rolling: {{guard: etcd}}`{unless}\n\
         not with it: delegate_to, run_once, loop, with_items, until, retries, timeout\n"
    )
}

fn kind(argument: &Argument) -> String {
    let shape = match argument.shape {
        Shape::Text => "text",
        Shape::Bool => "bool",
        Shape::Int => "int",
        Shape::List => "list",
        Shape::Mapping => "mapping",
        Shape::Path => "path",
        Shape::Any => "any",
    };
    if argument.required { format!("{shape}, required") } else { shape.to_owned() }
}

fn sentence(argument: &Argument) -> String {
    let mut text = argument.doc.to_owned();
    if !argument.choices.is_empty() {
        text.push_str(&format!("; one of {}", argument.choices.join(", ")));
    }
    if let Some(default) = argument.default {
        text.push_str(&format!("; default {default}"));
    }
    if !argument.aliases.is_empty() {
        text.push_str(&format!("; also {}", argument.aliases.join(", ")));
    }
    if argument.secret {
        text.push_str("; never shown");
    }
    text
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table
}

fn drawn(table: &Table) -> String {
    table.lines().map(|line| format!(" {}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_its_hosts_turn_is_described_with_it() {
        let of = |name| described(find(name).unwrap());
        assert!(of("etcd_member").contains("in a play with `rolling: {guard: etcd}`\n"), "{}", of("etcd_member"));
        assert!(of("etcd_restart").contains("`rolling: {guard: etcd}`, unless `phase: check`\n"));
        assert!(!of("etcd_facts").contains("rolling"));
    }

    #[test]
    fn every_module_is_listed_and_described() {
        let listed = list();
        for row in ROWS {
            assert!(listed.contains(row.name), "{}", row.name);
            let text = described(row);
            for argument in row.arguments {
                assert!(text.contains(argument.name), "{}: {}", row.name, argument.name);
            }
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(WIDTH) + 1), "{text}");
        }
    }
}
