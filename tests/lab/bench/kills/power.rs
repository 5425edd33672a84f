//! The power of a host cut while its member is between two programs: at moments spread evenly over a transaction that was made slow, and
//! at random ones of one as it is.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quorate_lab::{Fault, PROGRAM_DIR, UNIT, wait_until};

use crate::ground::{Ground, Pair, last_words};
use crate::ledger::{Row, Verdict};
use crate::window::{Running, settled};
use crate::{Bench, Outcome};

/// The name of this part.
pub(crate) const PART: &str = "power";
/// Where windows leave their traces.
const FOLDER: &str = "/var/lib/quorate/windows";
/// Until the next transaction begins.
const NEXT: Duration = Duration::from_secs(240);

/// How long a transaction is, and how its moments are chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Each step takes two seconds or so; moments lie evenly.
    Slow,
    /// As it is; moments are random, by a seed that is written down.
    Random,
}

impl Pace {
    fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Random => "random",
        }
    }

    /// Over how long the cuts are spread: as long as transactions were in the lab 2026-11-27, with a margin in which they have ended.
    fn length(self) -> Duration {
        match self {
            Self::Slow => Duration::from_millis(12_000),
            Self::Random => Duration::from_millis(3_000),
        }
    }
}

/// All of it for one pair: half of the cuts each way.
pub(crate) fn measure(bench: &mut Bench, pair: &Pair, cuts: u64) -> Outcome<()> {
    for pace in [Pace::Slow, Pace::Random] {
        let each = cuts.div_ceil(2);
        let mut left: Vec<u64> =
            (1..=each).rev().filter(|n| !bench.ledger.has(&pair.name(), PART, pace.name(), *n)).collect();
        while !left.is_empty() && !bench.is_over() {
            let ground = Ground::new(&bench.settings, pair)?;
            if pace == Pace::Slow {
                slow_down(&ground)?;
            }
            chain(bench, pair, pace, each, ground, &mut left)?;
        }
    }
    Ok(())
}

/// One roll, cut off as often as it can be.
fn chain(bench: &mut Bench, pair: &Pair, pace: Pace, each: u64, ground: Ground, left: &mut Vec<u64>) -> Outcome<()> {
    let mut last = None;
    loop {
        let n = if bench.is_over() { None } else { left.last().copied() };
        let before = windows(&ground);
        let mut run = Running::start(&ground)?;
        let Some(n) = n else {
            let (code, said) = run.end()?;
            return ended(bench, pair, pace, last, ground, code, &said);
        };
        let moment = match pace {
            Pace::Slow => pace.length().mul_f64((n as f64 - 0.5) / each as f64),
            Pace::Random => pace.length().mul_f64(random(bench.settings.seed, n)),
        };
        let mut over = false;
        let found = wait_until("the next transaction", NEXT, || {
            let next = windows(&ground).into_iter().find(|(host, folder)| {
                !before.contains(&(host.clone(), folder.clone()))
                    && fs::read_to_string(folder.join("log")).is_ok_and(|log| log.ends_with('\n'))
            });
            if next.is_some() {
                return Ok(next);
            }
            over = over || run.has_ended().unwrap_or(true);
            if over { Ok(None) } else { Err("none yet".to_owned()) }
        })?;
        let Some((host, folder)) = found else {
            let (code, said) = run.end()?;
            return ended(bench, pair, pace, last, ground, code, &said);
        };
        let begun = Instant::now();
        std::thread::sleep(moment);
        let step = last_step(&folder);
        ground.lab.fault(&Fault::PowerCut, &host)?;
        ground.lab.mend(&Fault::PowerCut, &host)?;
        let at = format!("{:.2} s after its begin, at `{step}`", moment.as_secs_f64());
        let (code, said) = run.end()?;
        left.pop();
        last = Some(n);
        match settled(&ground, &host, code, &said) {
            Ok(told) => {
                let told = format!("{told}, after {:.0} s", begun.elapsed().as_secs_f64());
                bench.ledger.add(line(pair, pace, n, Verdict::Well, &at, &told))?;
            }
            Err(error) => {
                bench.keep(&format!("{}-{PART}-{}-{n}", pair.name(), pace.name()), &said)?;
                bench.ledger.add(line(pair, pace, n, Verdict::Short, &at, &error.to_string()))?;
                return Ok(());
            }
        }
        if code == Some(0) {
            return ended(bench, pair, pace, last, ground, code, &said);
        }
    }
}

/// The roll has come to its end, or should have.
fn ended(
    bench: &mut Bench,
    pair: &Pair,
    pace: Pace,
    last: Option<u64>,
    ground: Ground,
    code: Option<i32>,
    said: &str,
) -> Outcome<()> {
    let n = last.unwrap_or_default();
    let told = match code {
        Some(0) => match ground.end() {
            Ok(_) => return Ok(()),
            Err(error) => error.to_string(),
        },
        _ => format!("the run after it ends with {code:?}: {}", last_words(said)),
    };
    bench.keep(&format!("{}-{PART}-{}-{n}-end", pair.name(), pace.name()), said)?;
    bench.ledger.add(line(pair, pace, n, Verdict::Short, "the roll's end", &told))
}

/// Makes every step take some two seconds: stop and start by commands of the unit, the swap by a `sync` that is slow for a
/// transaction's own folder of programs.
fn slow_down(ground: &Ground) -> Outcome<()> {
    for host in ground.lab.members() {
        let name = host.name.as_str();
        let sync = ground.on_host(name, "/usr/local/sbin/sync");
        let script =
            format!("#!/bin/sh\ncase $PWD:$* in {FOLDER}/*:{PROGRAM_DIR}) sleep 1.5 ;; esac\nexec /bin/sync \"$@\"\n");
        fs::create_dir_all(sync.parent().ok_or("no folder")?)?;
        fs::write(&sync, script)?;
        fs::set_permissions(&sync, fs::Permissions::from_mode(0o755))?;
        let folder = ground.on_host(name, &format!("/etc/systemd/system/{UNIT}.d"));
        fs::create_dir_all(&folder)?;
        let unit = "[Service]\nExecStartPre=/bin/sleep 2\nExecStopPost=/bin/sleep 2\nTimeoutStopSec=5\n";
        fs::write(folder.join("slow.conf"), unit)?;
        // On the disk, or the first cut takes it away.
        ground.lab.exec(name, &["sync"])?;
        ground.lab.exec(name, &["systemctl", "daemon-reload"])?;
    }
    Ok(())
}

fn windows(ground: &Ground) -> BTreeSet<(String, PathBuf)> {
    let mut found = BTreeSet::new();
    for host in ground.lab.members() {
        let folders = fs::read_dir(ground.on_host(&host.name, FOLDER)).into_iter().flatten().flatten();
        found.extend(folders.map(|folder| (host.name.clone(), folder.path())));
    }
    found
}

/// The last line of its log, without the time.
fn last_step(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    let last = log.lines().last().unwrap_or_default();
    last.split_once(' ').map_or("", |(_, step)| step).to_owned()
}

/// A number from 0 to 1, always the same for one seed and place (splitmix64, Steele and others 2014).
fn random(seed: u64, n: u64) -> f64 {
    let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn line(pair: &Pair, pace: Pace, n: u64, verdict: Verdict, at: &str, told: &str) -> Row {
    let (part, family) = (PART.to_owned(), pace.name().to_owned());
    Row { pair: pair.name(), part, family, n, verdict, at: at.to_owned(), told: told.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_moments_are_the_same_again_and_lie_everywhere() {
        let all: Vec<f64> = (1..=100).map(|n| random(7, n)).collect();
        assert_eq!(all.first(), Some(&random(7, 1)));
        for tenth in 0..10 {
            let from = f64::from(tenth) / 10.0;
            assert!(all.iter().any(|moment| (from..from + 0.1).contains(moment)), "none in {from}");
        }
    }
}
