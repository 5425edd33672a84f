//! The fault suite as a table: `cells/` names a fault, a step, and what must come of it; one harness makes each cell on real hosts
//! and then asserts A1 to A12 (`checks.rs`). Needs root and what `scripts/setup` installs; without them it fails.
//!
//! Without a word the short selection is run. `QUORATE_FAULTS=all` runs all cells, `QUORATE_FAULTS=F04,F15.S08` those whose IDs begin so, and `@3.6` those
//! of that pair; with `QUORATE_FAULTS_RESULTS=FILE` their lines in the table of results there are made anew, after every cell. `scripts/faults` does both.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod cell;
mod checks;
#[expect(dead_code, reason = "shared with tests/fault, which needs more of it")]
#[path = "../fault/control.rs"]
mod control;
mod controls;
mod data_watch;
mod evidence;
mod inject;
mod listing;
mod memory;
#[path = "../fault/program.rs"]
mod program;
mod results;
#[expect(dead_code, reason = "shared with tests/roll, which needs more of it")]
#[path = "../roll/roll_call.rs"]
mod roll_call;
mod secrets;
#[path = "../fault/small_disk.rs"]
mod small_disk;
mod stand;
mod table;
#[expect(dead_code, reason = "shared with tests/fault, which needs more of it")]
#[path = "../fault/window.rs"]
mod window;

use std::env;
use std::fs;
use std::io::Write as _;

use table::Cell;

/// Whether a cell is to be run.
fn chosen(cell: &Cell, wanted: &str) -> bool {
    match wanted {
        "" => cell.short,
        "all" => true,
        ids => ids.split(',').any(|id| match id.strip_prefix('@') {
            Some(_) => cell.id.ends_with(id),
            None => cell.id.starts_with(id),
        }),
    }
}

#[test]
fn every_cell_ends_as_the_table_says_and_a1_to_a12_hold() {
    let wanted = env::var("QUORATE_FAULTS").unwrap_or_default();
    let results = env::var_os("QUORATE_FAULTS_RESULTS");
    let cells: Vec<Cell> = table::cells().into_iter().filter(|cell| chosen(cell, &wanted)).collect();
    assert!(!cells.is_empty(), "no cell is called `{wanted}`");
    let mut rows = Vec::new();
    for cell in &cells {
        let row = stand::CELLS.work(&cell.pair, |stand| cell::judged(stand, cell));
        // Past the test's own capture: a run of all cells takes an hour, and somebody may look on.
        let _ = writeln!(std::io::stderr(), "{}", row.line());
        rows.push(row);
        if let Some(path) = &results {
            // Read again each time: somebody may run other cells on another lab.
            let before = fs::read_to_string(path).unwrap_or_default();
            fs::write(path, results::page(&rows, &before)).unwrap();
        }
    }
    let wrong: Vec<String> = rows.iter().filter(|row| !row.wrong.is_empty()).map(results::Row::line).collect();
    assert!(wrong.is_empty(), "{} of {} cells fall short:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
