//! The control process, killed in its N-th call of a family, and gone on with.
//!
//! A roll is killed in its first call, its resumption in the second, and so on: a roll gone on with makes all calls anew up to where it
//! was, so each N costs the time up to it and no more. When a life comes to the roll's end before its N, the cluster is made anew.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::ground::{Ground, Pair, last_words};
use crate::ledger::{Row, Verdict};
use crate::tracer::{Family, follow, quiet};
use crate::{Bench, Outcome, spread};

/// The name of this part.
pub(crate) const PART: &str = "control";
/// The longest life: a whole roll under strace takes under a minute.
const LIFE: Duration = Duration::from_secs(300);

/// What became of one life.
pub(crate) struct Life {
    /// How many calls of each family it made, in the order of the families.
    counts: [u64; 4],
    /// The call in which it was killed.
    killed: Option<String>,
    /// Its exit code, if it was not killed.
    pub(crate) code: Option<i32>,
    /// What it said.
    pub(crate) said: String,
}

/// Runs quorate, or goes on with its run, and kills it in that call.
pub(crate) fn live(ground: &Ground, families: &[Family], kill: Option<(Family, u64)>) -> Outcome<Life> {
    let path = |name: &str| ground.folder.path().join(name);
    let (said, pid) = (path("said"), path("pid"));
    for old in [&said, &pid] {
        let _ = fs::remove_file(old);
    }
    // The shell writes its number down and then is quorate; what it calls before that is not counted.
    let shell = r#"echo $$ >"$1"; exec 2>"$2" >&2; shift 2; exec "$@""#;
    let mut words = ["sh", "-c", shell, "sh"].map(str::to_owned).to_vec();
    words.extend([&pid, &said].map(|path| path.display().to_string()));
    let quorate = ground.words();
    let begins = quorate.first().cloned();
    words.extend(quorate);
    let (at, folder) = (pid.clone(), ground.folder.path().display().to_string());
    let traced = follow(
        quiet(ground.lab.control_command("strace")),
        families,
        &[vec!["--seccomp-bpf".to_owned(), "--".to_owned()], words].concat(),
        begins,
        ([0_u64; 4], None),
        move |(counts, killed): &mut ([u64; 4], Option<String>), call| {
            if call.family == Family::Send && !call.text.contains(":22]>") {
                return;
            }
            let Some(count) =
                Family::ALL.iter().position(|f| *f == call.family).and_then(|place| counts.get_mut(place))
            else {
                return;
            };
            *count += 1;
            if killed.is_none() && kill.is_some_and(|(family, n)| family == call.family && n == *count) {
                let text = call.text.replace(&folder, "").chars().take(160).collect();
                *killed = kill_written(&at).then_some(text);
            }
        },
    )?;
    let (mut traced, begun) = (traced, Instant::now());
    let status = loop {
        if let Some(status) = traced.strace.try_wait()? {
            break status;
        }
        if begun.elapsed() > LIFE {
            kill_written(&pid);
            return Err(
                format!("it went on after {} s: {}", LIFE.as_secs(), last_words(&fs::read_to_string(&said)?)).into()
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let (counts, killed) = traced.told()?;
    let code = if killed.is_some() { None } else { status.code() };
    Ok(Life { counts, killed, code, said: fs::read_to_string(&said).unwrap_or_default() })
}

/// SIGKILL to the process whose number is in the file; whether it was sent.
fn kill_written(path: &PathBuf) -> bool {
    let number = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    number.and_then(Pid::from_raw).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

/// All of it for one pair, as far as it is not done: `most` kills of each family, or every N where there are fewer.
pub(crate) fn measure(bench: &mut Bench, pair: &Pair, most: u64) -> Outcome<()> {
    count(bench, pair)?;
    for family in bench.families() {
        let whole = bench.ledger.counted(&pair.name(), PART, family.name()).unwrap_or_default();
        let left: VecDeque<u64> = spread(whole, most)
            .into_iter()
            .filter(|n| !bench.ledger.has(&pair.name(), PART, family.name(), *n))
            .collect();
        all(bench, pair, family, left)?;
    }
    Ok(())
}

/// How many calls of each family a whole roll makes.
fn count(bench: &mut Bench, pair: &Pair) -> Outcome<()> {
    let name = pair.name();
    if Family::ALL.iter().all(|family| bench.ledger.counted(&name, PART, family.name()).is_some()) {
        return Ok(());
    }
    let ground = Ground::new(&bench.settings, pair)?;
    let life = live(&ground, &Family::ALL, None)?;
    if life.code != Some(0) {
        return Err(format!("a roll that nobody kills ends with {:?}: {}", life.code, last_words(&life.said)).into());
    }
    let told = ground.end()?;
    for (family, n) in Family::ALL.into_iter().zip(life.counts) {
        if bench.ledger.counted(&name, PART, family.name()).is_none() {
            bench.ledger.add(line(pair, family, n, Verdict::Counted, "", &told))?;
        }
    }
    Ok(())
}

/// Kills at each of these.
fn all(bench: &mut Bench, pair: &Pair, family: Family, mut left: VecDeque<u64>) -> Outcome<()> {
    while !left.is_empty() {
        if bench.is_over() {
            return Ok(());
        }
        let ground = Ground::new(&bench.settings, pair)?;
        chain(bench, pair, family, ground, &mut left)?;
    }
    Ok(())
}

/// One roll, killed as often as it can be, and brought to its end.
fn chain(bench: &mut Bench, pair: &Pair, family: Family, ground: Ground, left: &mut VecDeque<u64>) -> Outcome<()> {
    let mut first = true;
    let mut last = 0;
    loop {
        let n = if bench.is_over() { None } else { left.front().copied() };
        let life = live(&ground, &[family], n.map(|n| (family, n)))?;
        if let (Some(at), Some(n)) = (&life.killed, n) {
            left.pop_front();
            (first, last) = (false, n);
            match ground.after_kill() {
                Ok(()) => bench.ledger.add(line(pair, family, n, Verdict::Well, at, ""))?,
                Err(error) => bench.ledger.add(line(pair, family, n, Verdict::Short, at, &error.to_string()))?,
            }
            continue;
        }
        if life.code == Some(0)
            && first
            && let Some(n) = n
        {
            left.pop_front();
            bench.ledger.add(line(pair, family, n, Verdict::Unreached, "", &format!("{:?} made", life.counts)))?;
        }
        if life.code != Some(0) {
            let cause = format!("the life after it ends with {:?}: {}", life.code, last_words(&life.said));
            bench.keep(&format!("{}-{}-{last}", pair.name(), family.name()), &life.said)?;
            return failed(bench, pair, family, ground, last, &cause);
        }
        let ended = ground.end();
        if let Err(error) = ended {
            bench.ledger.add(line(pair, family, last, Verdict::Short, "the roll's end", &error.to_string()))?;
        }
        return Ok(());
    }
}

/// A life that was not killed and did not end well: whether the next one does.
fn failed(bench: &mut Bench, pair: &Pair, family: Family, ground: Ground, last: u64, cause: &str) -> Outcome<()> {
    let mut told = cause.to_owned();
    for again in 1..=3 {
        let life = live(&ground, &[family], None)?;
        if life.code == Some(0) {
            told.push_str(&format!(
                "; the {again}. after that ends well, {}",
                ground.end().unwrap_or_else(|error| error.to_string())
            ));
            return bench.ledger.add(line(pair, family, last, Verdict::Short, "", &told));
        }
        told.push_str(&format!("; again: {:?}: {}", life.code, last_words(&life.said)));
    }
    bench.ledger.add(line(pair, family, last, Verdict::Short, "", &told))
}

fn line(pair: &Pair, family: Family, n: u64, verdict: Verdict, at: &str, told: &str) -> Row {
    let (part, family) = (PART.to_owned(), family.name().to_owned());
    Row { pair: pair.name(), part, family, n, verdict, at: at.to_owned(), told: told.to_owned() }
}
