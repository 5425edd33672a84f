//! The host's transaction: its shell, or one of its children, killed in its N-th call of a family.
//!
//! On the hosts of this bench `systemd-run` is found first as a shim, which puts a program before the transaction's shell that stands
//! still until it is followed from outside (containers do not hide their processes from this machine) and told to go on. The script
//! itself, its unit and all it calls are as they are everywhere.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use quorate_lab::{UNIT, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::ground::{Ground, Pair, last_words};
use crate::ledger::{Row, Verdict};
use crate::tracer::{Family, Traced, follow, quiet};
use crate::{Bench, Outcome, spread};

/// The shell of the transaction is killed; systemd ends the rest of its unit.
pub(crate) const SHELL: &str = "window";
/// Who makes the call is killed, if it is not the shell itself; the shell goes on and sees that it failed.
pub(crate) const CHILD: &str = "child";

/// Until the next transaction begins: everything before it is done anew on every host.
const NEXT: Duration = Duration::from_secs(240);
/// The longest run.
const RUN: Duration = Duration::from_secs(420);
/// How a run may end after a kill, as README's table of exit codes says it.
const PROMISED: [i32; 5] = [0, 10, 11, 13, 14];
/// Besides, where the transaction had not come to the stop; then the old program must run on.
const BEFORE_THE_STOP: (i32, &str) = (2, "nothing was stopped: the member runs as it did");

const SHIM: &str = r#"#!/bin/sh
for word do
    shift
    [ "$word" = /bin/sh ] && word=/usr/local/sbin/stands-still
    set -- "$@" "$word"
done
exec /usr/bin/systemd-run "$@"
"#;
const STANDS_STILL: &str = "#!/bin/sh\nkill -STOP $$\nexec /bin/sh \"$@\"\n";

/// Counts of each family, of all calls and of those that children made; the call in which somebody was killed.
#[derive(Clone, Debug, Default)]
struct Seen {
    all: [u64; 4],
    children: [u64; 4],
    killed: Option<String>,
}

/// What is killed, and when.
#[derive(Clone, Copy)]
struct Aim {
    part: &'static str,
    family: Family,
    n: u64,
}

/// A run that is waited for.
pub(crate) struct Running {
    child: Child,
    said: std::path::PathBuf,
}

impl Running {
    /// Starts quorate, or goes on with its run.
    pub(crate) fn start(ground: &Ground) -> Outcome<Self> {
        let said = ground.folder.path().join("said");
        let child = ground.control(&ground.words(), &said)?.spawn()?;
        Ok(Self { child, said })
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Outcome<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Its end: the exit code, and what it said.
    pub(crate) fn end(mut self) -> Outcome<(Option<i32>, String)> {
        let status = wait_until("the end of the run", RUN, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it goes on".to_owned()),
            Err(error) => Err(error.to_string()),
        });
        let said = fs::read_to_string(&self.said)?;
        match status {
            Ok(status) => Ok((status.code(), said)),
            Err(error) => Err(format!("{error}: {}", last_words(&said)).into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts the shim on every host.
fn furnish(ground: &Ground) -> Outcome<()> {
    for host in ground.lab.members() {
        for (name, text) in [("systemd-run", SHIM), ("stands-still", STANDS_STILL)] {
            let path = ground.on_host(&host.name, &format!("/usr/local/sbin/{name}"));
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// The transaction that stands still: its host, and its process as this machine numbers it.
fn standing_still(ground: &Ground) -> Option<(String, i32)> {
    let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let found: Vec<i32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let words = String::from_utf8_lossy(&read("cmdline")).into_owned();
            let status = String::from_utf8_lossy(&read("status")).into_owned();
            words.contains("/stands-still\0") && status.lines().any(|line| line.starts_with("State:\tT"))
        })
        .collect();
    ground.lab.members().into_iter().find_map(|host| {
        let own = space(ground.lab.host_pid(&host.name)?)?;
        found.iter().find(|pid| space(**pid).as_ref() == Some(&own)).map(|pid| (host.name, *pid))
    })
}

/// Follows it, and lets it go on.
fn attach(pid: i32, aim: Option<Aim>) -> Outcome<Traced<Seen>> {
    let families = aim.map_or(Family::ALL.to_vec(), |aim| vec![aim.family]);
    let whom = ["-p".to_owned(), pid.to_string()];
    let look = move |seen: &mut Seen, call: &crate::tracer::Call<'_>| {
        let Some(place) = Family::ALL.iter().position(|family| *family == call.family) else { return };
        let child = call.caller.filter(|caller| *caller != pid);
        let add = |counts: &mut [u64; 4], more: u64| {
            counts.get_mut(place).map_or(0, |count| {
                *count += more;
                *count
            })
        };
        let all = add(&mut seen.all, 1);
        let children = add(&mut seen.children, u64::from(child.is_some()));
        let Some(aim) = aim.filter(|aim| aim.family == call.family && seen.killed.is_none()) else { return };
        let victim = match aim.part {
            SHELL if all == aim.n => Some(pid),
            CHILD if children == aim.n => child,
            _ => None,
        };
        if let Some(victim) = victim.and_then(Pid::from_raw)
            && kill_process(victim, Signal::KILL).is_ok()
        {
            seen.killed = Some(call.text.chars().take(160).collect());
        }
    };
    let traced = follow(quiet(std::process::Command::new("strace")), &families, &whom, None, Seen::default(), look)?;
    let status = format!("/proc/{pid}/status");
    wait_until("strace to follow", Duration::from_secs(20), || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let followed = text.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"));
        if followed { Ok(()) } else { Err("not yet".to_owned()) }
    })?;
    kill_process(Pid::from_raw(pid).ok_or("no process")?, Signal::CONT)?;
    Ok(traced)
}

/// What became of one run with one transaction in it.
struct Life {
    /// The host, and what was seen of its transaction; none if the run had none.
    window: Option<(String, Seen)>,
    code: Option<i32>,
    said: String,
}

fn live(ground: &Ground, aim: Option<Aim>) -> Outcome<Life> {
    let mut run = Running::start(ground)?;
    let mut ended = false;
    let found = wait_until("the next transaction", NEXT, || {
        if let Some(found) = standing_still(ground) {
            return Ok(Some(found));
        }
        ended = run.has_ended().unwrap_or(true);
        if ended { Ok(None) } else { Err("none yet".to_owned()) }
    })?;
    let Some((host, pid)) = found else {
        let (code, said) = run.end()?;
        return Ok(Life { window: None, code, said });
    };
    let traced = attach(pid, aim)?;
    // A run without a kill goes on to the next hosts, whose transactions nobody counts.
    let begun = Instant::now();
    while !run.has_ended()? {
        if let Some((_, pid)) = standing_still(ground) {
            kill_process(Pid::from_raw(pid).ok_or("no process")?, Signal::CONT)?;
        }
        if begun.elapsed() > RUN {
            return Err("the run does not end".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let (code, said) = run.end()?;
    let mut traced = traced;
    traced.strace.wait()?;
    Ok(Life { window: Some((host, traced.told()?)), code, said })
}

/// All of it for one pair and one part, as far as it is not done.
pub(crate) fn measure(bench: &mut Bench, pair: &Pair, part: &'static str, most: u64) -> Outcome<()> {
    count(bench, pair)?;
    let mut left = VecDeque::new();
    for family in bench.families() {
        let whole = bench.ledger.counted(&pair.name(), part, family.name()).unwrap_or_default();
        let open = spread(whole, most).into_iter().filter(|n| !bench.ledger.has(&pair.name(), part, family.name(), *n));
        left.extend(open.map(|n| Aim { part, family, n }));
    }
    while !left.is_empty() && !bench.is_over() {
        let ground = Ground::new(&bench.settings, pair)?;
        furnish(&ground)?;
        chain(bench, pair, ground, &mut left)?;
    }
    Ok(())
}

fn count(bench: &mut Bench, pair: &Pair) -> Outcome<()> {
    if bench.ledger.counted(&pair.name(), SHELL, Family::Rename.name()).is_some() {
        return Ok(());
    }
    let ground = Ground::new(&bench.settings, pair)?;
    furnish(&ground)?;
    let life = live(&ground, None)?;
    let Some((_, seen)) = life.window.filter(|_| life.code == Some(0)) else {
        return Err(format!("a roll that nobody kills ends with {:?}: {}", life.code, last_words(&life.said)).into());
    };
    let told = ground.end()?;
    for (part, counts) in [(SHELL, seen.all), (CHILD, seen.children)] {
        for (family, n) in Family::ALL.into_iter().zip(counts) {
            bench.ledger.add(line(pair, Aim { part, family, n }, Verdict::Counted, "", &told))?;
        }
    }
    Ok(())
}

/// One roll, in whose transactions as many are killed as can be.
fn chain(bench: &mut Bench, pair: &Pair, ground: Ground, left: &mut VecDeque<Aim>) -> Outcome<()> {
    let mut last = None;
    loop {
        let aim = if bench.is_over() { None } else { left.front().copied() };
        let life = live(&ground, aim)?;
        match (life.window, aim) {
            (Some((host, seen)), Some(aim)) => {
                left.pop_front();
                last = Some(aim);
                let Some(at) = seen.killed else {
                    bench.ledger.add(line(pair, aim, Verdict::Unreached, "", &format!("{:?} made", seen.all)))?;
                    if life.code == Some(0) { break } else { continue }
                };
                match settled(&ground, &host, life.code, &life.said) {
                    Ok(told) => bench.ledger.add(line(pair, aim, Verdict::Well, &at, &told))?,
                    Err(error) => {
                        let name = format!("{}-{}-{}-{}", pair.name(), aim.part, aim.family.name(), aim.n);
                        bench.keep(&name, &life.said)?;
                        bench.ledger.add(line(pair, aim, Verdict::Short, &at, &error.to_string()))?;
                        return Ok(());
                    }
                }
                if life.code == Some(0) {
                    break;
                }
            }
            _ if life.code == Some(0) => break,
            _ => {
                let aim = last.or(aim).ok_or("nothing was killed")?;
                let told = format!("the run after it ends with {:?}: {}", life.code, last_words(&life.said));
                bench.keep(&format!("{}-{}-{}-{}", pair.name(), aim.part, aim.family.name(), aim.n), &life.said)?;
                return bench.ledger.add(line(pair, aim, Verdict::Short, "", &told));
            }
        }
    }
    if let (Err(error), Some(aim)) = (ground.end(), last) {
        bench.ledger.add(line(pair, aim, Verdict::Short, "the roll's end", &error.to_string()))?;
    }
    Ok(())
}

/// After a kill in a host's transaction, or of the host: the run has ended as promised, and its member is up, or a person was told
/// what to do, which is done then.
pub(crate) fn settled(ground: &Ground, host: &str, code: Option<i32>, said: &str) -> Outcome<String> {
    let (failed, words) = BEFORE_THE_STOP;
    let before = code == Some(failed) && said.contains(words) && ground.runs_on(host)? == ground.pair.old;
    if !before && !code.is_some_and(|code| PROMISED.contains(&code)) {
        return Err(format!("the run ends with {code:?}: {}", last_words(said)).into());
    }
    ground.after_kill()?;
    let mut told = format!("exit {}", code.unwrap_or_default());
    // A host that has just booted may still be at what its unit does before etcd.
    let state = || {
        let mut all = ground.lab.status().into_iter();
        let unit = all.find(|member| member.host == host).and_then(|member| member.unit).unwrap_or_default();
        if ["activating", "deactivating", "reloading", ""].contains(&unit.as_str()) { Err(unit) } else { Ok(unit) }
    };
    let state = wait_until("an end of the unit's start", Duration::from_secs(60), state)?;
    if state != "active" {
        let order = format!("`systemctl start {UNIT}` on {host}");
        if !said.contains(&order) {
            return Err(format!("{told}: the member is down, and nobody is told {order}: {}", last_words(said)).into());
        }
        let started = ground.lab.exec(host, &["systemctl", "start", UNIT])?;
        if !started.status.success() {
            let journal = ground.lab.exec(host, &["journalctl", "-u", UNIT, "-n", "8", "--no-pager", "-o", "cat"])?;
            let words = [started.stderr, journal.stdout].map(|words| last_words(&String::from_utf8_lossy(&words)));
            return Err(format!("{told}: {state}, and what is told to do fails: {}", words.join("; ")).into());
        }
        told.push_str(", down, started by hand as the message says");
    }
    ground.lab.wait_healthy(quorate_lab::HEALTHY)?;
    told.push_str(&format!(", on {}", ground.runs_on(host)?));
    leftovers(&ground.on_host(host, quorate_lab::PROGRAM_DIR), &mut told)?;
    Ok(told)
}

/// Names beside the program that a rename did not come to; the next transaction takes them away.
fn leftovers(folder: &Path, told: &mut String) -> Outcome<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".quorate-new") {
            told.push_str(&format!(", {name} left"));
        }
    }
    Ok(())
}

fn line(pair: &Pair, aim: Aim, verdict: Verdict, at: &str, told: &str) -> Row {
    let (part, family) = (aim.part.to_owned(), aim.family.name().to_owned());
    Row { pair: pair.name(), part, family, n: aim.n, verdict, at: at.to_owned(), told: told.to_owned() }
}
