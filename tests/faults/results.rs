//! What came of the cells, as a table for people.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use super::control::{NEW, OLD};
use super::table::{Cell, Exit, cells};

/// One cell's line.
pub(crate) struct Row {
    pub(crate) cell: Cell,
    /// Exit, state and resumes.
    pub(crate) seen: String,
    /// What is not as it must be.
    pub(crate) wrong: Vec<String>,
    pub(crate) took: Duration,
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

fn file(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The whole page, for as many of the table's cells as were run.
pub(crate) fn page(rows: &[Row]) -> String {
    let good = rows.iter().filter(|row| row.wrong.is_empty()).count();
    let minutes = rows.iter().map(|row| row.took.as_secs_f64()).sum::<f64>() / 60.0;
    let cpu = file("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cpus = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let mut text = format!(
        "# Results of the fault cells\n\n\
         Written by `scripts/faults`; what is done and expected stands in `cells.toml`, what A1 to A12 are in `checks.rs`.\n\n\
         | | |\n| --- | --- |\n| date | {} |\n| kernel | Linux {} |\n| CPUs | {cpus} x {} |\n| etcd | {OLD} to {NEW}, \
         three members behind a bastion |\n| quorate | {} |\n| cells | {good} of {} as expected, in {minutes:.0} minutes; {} not run |\n\n\
         Expected and seen: the run's exit code, how many members run the new version and how many do not serve after it, and the exit \
         codes of two `quorate resume` after it.\n\n\
         | cell | fault | step | expected | seen | s | A1 to A12 |\n| --- | --- | --- | --- | --- | --- | --- |\n",
        jiff::Zoned::now().date(),
        file("/proc/sys/kernel/osrelease").trim(),
        model.trim_start_matches([' ', '\t', ':']).trim(),
        env!("CARGO_PKG_VERSION"),
        rows.len(),
        cells().len() - rows.len(),
    );
    for row in rows {
        let cell = &row.cell;
        let fault = cell.extra.as_ref().map_or_else(|| cell.fault.clone(), |extra| format!("{}, {extra}", cell.fault));
        let verdict = if row.wrong.is_empty() { "ok".to_owned() } else { row.wrong.join("; ").replace(['\n', '|'], " ") };
        let step = format!("{:?}", cell.step).to_lowercase();
        let _ = writeln!(
            text,
            "| {} | {fault} | {step} | {} | {} | {:.0} | {verdict} |",
            cell.id,
            expected(cell),
            row.seen,
            row.took.as_secs_f64()
        );
    }
    text.push_str("\n## Where the table is not the matrix's\n\n");
    for (id, why) in rows.iter().filter_map(|row| Some((&row.cell.id, row.cell.why.as_ref()?))) {
        let _ = writeln!(text, "- {id}: {why}");
    }
    text
}
