//! What came of the cells, as a table for people.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use super::table::{Cell, ELSEWHERE, Exit, cells};

/// One cell's line.
pub(crate) struct Row {
    pub(crate) cell: Cell,
    /// Exit, state and resumes.
    pub(crate) seen: String,
    /// What is not as it must be.
    pub(crate) wrong: Vec<String>,
    pub(crate) took: Duration,
    /// When it began.
    pub(crate) at: String,
}

/// The end of the line of a cell that was not run.
const NOT_RUN: &str = "not run | | | |";

/// How many characters the page has of each thing that is wrong.
const MOST: usize = 300;

/// Day and minute, by this machine's clock.
pub(crate) fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M").to_string()
}

impl Row {
    /// In one line of text.
    pub(crate) fn line(&self) -> String {
        let verdict = if self.wrong.is_empty() { "ok".to_owned() } else { self.wrong.join(" | ") };
        format!("{} {:.0} s: {}: {verdict}", self.cell.id, self.took.as_secs_f64(), self.seen)
    }
}

fn expected(cell: &Cell) -> String {
    let exit = match cell.exit {
        Exit::Code(code) => code.to_string(),
        Exit::Killed(_) => "killed".to_owned(),
    };
    let new: Vec<String> = cell.new.iter().map(ToString::to_string).collect();
    format!("{exit}, {} new, {} down; {r}, {r}", new.join(" or "), cell.down, r = cell.resume)
}

fn step(cell: &Cell) -> String {
    format!("{:?}", cell.step).to_lowercase()
}

/// Each pair of versions, with what the IDs of its cells end with.
fn pairs(cells: &[Cell]) -> String {
    let mut pairs = Vec::new();
    for cell in cells {
        let end = cell.id.split_once('@').map_or_else(String::new, |(_, minor)| format!(" (`@{minor}`)"));
        let pair = format!("{} to {}{end}", cell.pair.old, cell.pair.new);
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs.join(", ")
}

fn file(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// One cell's line of the page.
fn line(row: &Row) -> String {
    let cell = &row.cell;
    let fault = cell.extra.as_ref().map_or_else(|| cell.fault.clone(), |extra| format!("{}, {extra}", cell.fault));
    // What a harness that did not come to its end has to say may be a whole run's events.
    let wrong: Vec<String> = row.wrong.iter().map(|text| text.chars().take(MOST).collect()).collect();
    let verdict = if wrong.is_empty() { "ok".to_owned() } else { wrong.join("; ").replace(['\n', '|'], " ") };
    format!(
        "| {} | {fault} | {} | {} | {} | {:.0} | {} | {verdict} |",
        cell.id,
        step(cell),
        expected(cell),
        row.seen,
        row.took.as_secs_f64(),
        row.at
    )
}

/// The whole page: of each cell of the table the line of now, else the one that the page had of it, else that it was not run.
pub(crate) fn page(rows: &[Row], before: &str) -> String {
    let cells = cells();
    let mut lines = Vec::new();
    for cell in &cells {
        let now = rows.iter().find(|row| row.cell.id == cell.id).map(line);
        let begin = format!("| {} |", cell.id);
        let old = before.lines().find(|line| line.starts_with(&begin) && !line.contains(NOT_RUN)).map(str::to_owned);
        let none = || format!("| {} | {} | {} | {} | {NOT_RUN}", cell.id, cell.fault, step(cell), expected(cell));
        lines.push(now.or(old).unwrap_or_else(none));
    }
    let run = lines.iter().filter(|line| !line.contains(NOT_RUN)).count();
    let good = lines.iter().filter(|line| line.ends_with("| ok |")).count();
    let cpu = file("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cpus = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let load = file("/proc/loadavg");
    let mut text = format!(
        "# Results of the fault cells\n\n\
         Written by `scripts/faults`; what is done and expected stands in `cells/`, what A1 to A12 are in `checks.rs`. A run of some \
         of the cells leaves the lines of the others as they were.\n\n\
         | | |\n| --- | --- |\n| last run | {} |\n| kernel | Linux {} |\n| CPUs | {cpus} x {}, load average {} |\n\
         | etcd | {}, three members behind a bastion |\n| quorate | {} |\n\
         | cells | {good} of {run} as expected; {} not run |\n\n\
         Expected and seen: the run's exit code, how many members run the new version and how many do not serve after it, and the exit \
         codes of two `quorate resume` after it.\n\n\
         | cell | fault | step | expected | seen | s | when | A1 to A12 |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
        now(),
        file("/proc/sys/kernel/osrelease").trim(),
        model.trim_start_matches([' ', '\t', ':']).trim(),
        load.split(' ').next().unwrap_or_default(),
        pairs(&cells),
        env!("CARGO_PKG_VERSION"),
        cells.len() - run,
    );
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("\n## Where the table is not the matrix's\n\n");
    for (id, why) in cells.iter().filter_map(|cell| Some((&cell.id, cell.why.as_ref()?))) {
        let _ = writeln!(text, "- {id}: {why}");
    }
    text.push_str("\n## Faults without a cell\n\n");
    for (id, fault, file) in ELSEWHERE {
        let _ = writeln!(text, "- {id}: {fault}: `{file}`");
    }
    text
}

#[test]
fn a_run_of_some_cells_leaves_the_lines_of_the_others() {
    let cells = cells();
    let row = |number: usize, wrong: &[&str]| Row {
        cell: cells[number].clone(),
        seen: "killed, 1 new, 0 down; 0, 0".to_owned(),
        wrong: wrong.iter().map(|&text| text.to_owned()).collect(),
        took: Duration::from_secs(60),
        at: now(),
    };
    let first = page(&[row(0, &[]), row(1, &["A2: two | at once"])], "");
    assert!(first.contains(&format!("| 1 of 2 as expected; {} not run |", cells.len() - 2)), "{first}");
    let second = page(&[row(1, &[]), row(2, &[])], &first);
    assert!(second.contains("| 3 of 3 as expected; "), "{second}");
    let line =
        |page: &str, id: &str| page.lines().find(|line| line.starts_with(&format!("| {id} |"))).map(str::to_owned);
    assert_eq!(line(&first, &cells[0].id), line(&second, &cells[0].id));
    assert_ne!(line(&first, &cells[1].id), line(&second, &cells[1].id));
}
