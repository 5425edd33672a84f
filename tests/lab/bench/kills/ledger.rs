//! What was measured: a line a kill, appended at once, so that a measurement that was broken off goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::Outcome;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As promised.
    Well,
    /// Not as promised; the cause says how.
    Short,
    /// That many calls were not made this time.
    Unreached,
    /// No kill: how many calls of the family a run makes.
    Counted,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Short => "short",
            Self::Unreached => "unreached",
            Self::Counted => "counted",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Well, Self::Short, Self::Unreached, Self::Counted].into_iter().find(|verdict| verdict.name() == name)
    }
}

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// From which version to which: `2.0.5-2.1.1`.
    pub(crate) pair: String,
    /// What was killed: `control`, `window`, `child` or `power`.
    pub(crate) part: String,
    /// The family of calls, or how moments were chosen.
    pub(crate) family: String,
    /// In which call of the family, or at the how manieth moment.
    pub(crate) n: u64,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// The call, or the moment.
    pub(crate) at: String,
    /// What came of it; where it fell short, the cause.
    pub(crate) told: String,
}

/// The file.
pub(crate) struct Ledger {
    path: PathBuf,
    rows: Vec<Row>,
}

const HEAD: &str = "pair\tpart\tfamily\tn\tverdict\tat\ttold";

impl Ledger {
    /// Goes on with the file, or begins it.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        if !path.exists() {
            fs::write(path, format!("{HEAD}\n"))?;
        }
        let text = fs::read_to_string(path)?;
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            let row = row(line).ok_or_else(|| format!("{}:{}: no line of a ledger", path.display(), number + 1))?;
            rows.push(row);
        }
        Ok(Self { path: path.to_owned(), rows })
    }

    /// Appends a line, and shows it.
    pub(crate) fn add(&mut self, row: Row) -> Outcome<()> {
        let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
        let (n, verdict, at, told) = (row.n, row.verdict.name(), plain(&row.at), plain(&row.told));
        let line = format!("{}\t{}\t{}\t{n}\t{verdict}\t{at}\t{told}\n", row.pair, row.part, row.family);
        OpenOptions::new().append(true).open(&self.path)?.write_all(line.as_bytes())?;
        crate::say(line.trim_end());
        self.rows.push(row);
        Ok(())
    }

    fn of<'l>(&'l self, pair: &'l str, part: &'l str, family: &'l str) -> impl Iterator<Item = &'l Row> {
        self.rows.iter().filter(move |row| row.pair == pair && row.part == part && row.family == family)
    }

    /// How many calls of the family a run makes, if that was counted.
    pub(crate) fn counted(&self, pair: &str, part: &str, family: &str) -> Option<u64> {
        self.of(pair, part, family).find(|row| row.verdict == Verdict::Counted).map(|row| row.n)
    }

    /// Whether this one was done.
    pub(crate) fn has(&self, pair: &str, part: &str, family: &str, n: u64) -> bool {
        self.of(pair, part, family).any(|row| row.verdict != Verdict::Counted && row.n == n)
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut groups: BTreeMap<(&str, &str, &str), Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            groups.entry((&row.pair, &row.part, &row.family)).or_default().push(row);
        }
        let mut text =
            "| pair | killed | in its N-th | N of a whole run | kills | ended well | short | not reached |\n"
                .to_owned();
        text.push_str("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |\n");
        for ((pair, part, family), rows) in groups {
            // A kill after which all was well at first, and the next run or the roll's end was not, has two lines.
            let with = |verdict: Verdict| -> BTreeSet<u64> {
                rows.iter().filter(|row| row.verdict == verdict).map(|row| row.n).collect()
            };
            let short = with(Verdict::Short);
            let whole =
                rows.iter().find(|row| row.verdict == Verdict::Counted).map_or("-".to_owned(), |row| row.n.to_string());
            let (well, unreached) = (with(Verdict::Well).difference(&short).count(), with(Verdict::Unreached).len());
            let short = short.len();
            let kills = well + short;
            let _ =
                writeln!(text, "| {pair} | {part} | {family} | {whole} | {kills} | {well} | {short} | {unreached} |");
        }
        for row in self.rows.iter().filter(|row| row.verdict == Verdict::Short) {
            let _ = write!(text, "\n- {} {} {} {}: {} ({})", row.pair, row.part, row.family, row.n, row.told, row.at);
        }
        text
    }
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.split('\t').map(str::to_owned);
    let (pair, part, family) = (fields.next()?, fields.next()?, fields.next()?);
    let n = fields.next()?.parse().ok()?;
    let verdict = Verdict::named(&fields.next()?)?;
    Some(Row { pair, part, family, n, verdict, at: fields.next()?, told: fields.next()? })
}
