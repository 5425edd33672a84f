//! Kills a roll at every place where it matters, and looks what becomes of it. `README.md` in the folder above says how and what came of it.

mod control;
mod ground;
mod ledger;
mod power;
mod tracer;
mod window;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use ground::Pair;
use ledger::Ledger;

/// Anything that keeps the measurement itself from going on; what is measured is in the ledger.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Kills quorate, a host's transaction and a host's power at chosen places, and says what came of each.
#[derive(Clone, Debug, Parser)]
#[command(name = "kills")]
struct Settings {
    /// What is measured: control, window, child, power; all of them if nothing is said
    parts: Vec<String>,
    /// Versions, from which to which
    #[arg(long = "pair", value_name = "OLD-NEW", default_values = ["2.0.5-2.1.1", "3.5.35-3.6.16"])]
    pairs: Vec<String>,
    /// The ledger: what it holds is not done again
    #[arg(long, value_name = "FILE", default_value = "kills.tsv")]
    from: PathBuf,
    /// At most so many kills of a family of calls, spread over all of them
    #[arg(long, default_value_t = 120)]
    most: u64,
    /// Only calls of these families: rename, fsync, create, send
    #[arg(long = "family", value_name = "FAMILY", value_parser = tracer::Family::named)]
    families: Vec<tracer::Family>,
    /// Power cuts of each pair
    #[arg(long, default_value_t = 50)]
    cuts: u64,
    /// From which the random moments of power cuts come
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Begins nothing new after so many minutes
    #[arg(long)]
    minutes: Option<u64>,
    /// The lab's name
    #[arg(long, default_value = "kills")]
    lab: String,
    /// The program that is measured
    #[arg(long)]
    quorate: PathBuf,
    /// The playbook
    #[arg(long)]
    playbook: PathBuf,
    /// Only prints the table of a ledger
    #[arg(long)]
    table: bool,
}

/// The measurement as it goes on.
struct Bench {
    settings: Settings,
    ledger: Ledger,
    until: Option<Instant>,
}

impl Bench {
    /// The time that was given is over.
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() > until)
    }

    /// The families that are wanted.
    fn families(&self) -> Vec<tracer::Family> {
        let named = &self.settings.families;
        tracer::Family::ALL.into_iter().filter(|family| named.is_empty() || named.contains(family)).collect()
    }

    /// Keeps what a run said, beside the ledger.
    fn keep(&self, name: &str, said: &str) -> Outcome<()> {
        let path = self.settings.from.with_extension(format!("{name}.txt"));
        Ok(fs::write(path, said)?)
    }
}

/// Prints a line for who looks on.
fn say(text: &str) {
    // Nobody may look on.
    let _ = writeln!(io::stdout(), "{text}");
}

/// At most `most` of 1 to `whole`, evenly; the first and the last are among them.
fn spread(whole: u64, most: u64) -> Vec<u64> {
    if whole <= most || most < 2 {
        return (1..=whole).collect();
    }
    (0..most).map(|place| 1 + place * (whole - 1) / (most - 1)).collect()
}

fn measured(settings: Settings) -> Outcome<()> {
    let ledger = Ledger::open(&settings.from)?;
    if settings.table {
        say(&ledger.table());
        return Ok(());
    }
    let until = settings.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let mut bench = Bench { settings: settings.clone(), ledger, until };
    let known = [control::PART, window::SHELL, window::CHILD, power::PART];
    if let Some(other) = settings.parts.iter().find(|part| !known.contains(&part.as_str())) {
        return Err(format!("no part `{other}`; there is {}", known.join(", ")).into());
    }
    let wanted = |part: &str| settings.parts.is_empty() || settings.parts.iter().any(|named| named == part);
    for pair in &settings.pairs {
        let (old, new) = pair.split_once('-').ok_or_else(|| format!("{pair}: expected OLD-NEW"))?;
        let pair = Pair { old: old.to_owned(), new: new.to_owned() };
        if wanted(control::PART) {
            control::measure(&mut bench, &pair, settings.most)?;
        }
        for part in [window::SHELL, window::CHILD] {
            if wanted(part) {
                window::measure(&mut bench, &pair, part, settings.most)?;
            }
        }
        if wanted(power::PART) {
            power::measure(&mut bench, &pair, settings.cuts)?;
        }
    }
    say(&bench.ledger.table());
    Ok(())
}

fn main() -> ExitCode {
    match measured(Settings::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "kills: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_spread_over_all_calls() {
        assert_eq!(spread(3, 10), [1, 2, 3]);
        assert_eq!(spread(5000, 3), [1, 2500, 5000]);
        assert!(spread(0, 3).is_empty());
    }
}
