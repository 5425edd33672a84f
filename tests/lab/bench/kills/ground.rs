//! A lab with a load on it, and what must be true of it after each kill and at a roll's end.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quorate_lab::load::{Load, LoadOptions};
use quorate_lab::{HEALTHY, Lab, PROGRAM_DIR, binaries};

use crate::{Outcome, Settings};

/// Light beside what else two cores do, and still some writes for each tenth of a second.
const LOAD: LoadOptions = LoadOptions { clients: Some(6), rate: Some(60.0), ..LoadOptions::USUAL };
/// An election at the usual timeout of 1 s, twice over, and a machine that is busy.
const QUORUM: Duration = Duration::from_secs(20);
/// Between two looks at who listens.
const LOOK: Duration = Duration::from_millis(100);

/// Versions, from which to which.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// What the members run first.
    pub(crate) old: String,
    /// What they are to run.
    pub(crate) new: String,
}

impl Pair {
    /// Both in one word.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.old, self.new)
    }
}

/// A lab with three members, no bastion, a load and a control machine's folder; it goes when this is dropped.
pub(crate) struct Ground {
    pub(crate) lab: Lab,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) pair: Pair,
    quorate: PathBuf,
    playbook: PathBuf,
    programs: [Vec<u8>; 2],
    load: Option<Load>,
    watch: Watch,
}

/// Looks all the time how many members do not listen, from where their clients are.
struct Watch {
    end: Arc<AtomicBool>,
    two_down: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Two members that do not listen in two looks that follow each other are two that are down: at a boot's end, or between two
    /// connections, one look may be wrong by a hair.
    fn start(lab: &str) -> Outcome<Self> {
        let (end, two_down) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (ends, found, lab) = (Arc::clone(&end), Arc::clone(&two_down), Lab::open(lab)?);
        let thread = thread::spawn(move || {
            let members = lab.members();
            let look = || {
                let (mut before, begun) = (0, Instant::now());
                while !ends.load(Ordering::Relaxed) {
                    let silent =
                        |address| TcpStream::connect_timeout(&SocketAddr::new(address, 2379), LOOK * 3).is_err();
                    let down: Vec<&str> = members
                        .iter()
                        .filter(|member| silent(member.address.into()))
                        .map(|member| member.name.as_str())
                        .collect();
                    if down.len() > 1 && before > 1 {
                        let text = format!(
                            "{} did not listen after {:.1} s",
                            down.join(" and "),
                            begun.elapsed().as_secs_f64()
                        );
                        found.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                    }
                    before = down.len();
                    thread::sleep(LOOK);
                }
            };
            // A lab that is gone has nobody to look at.
            let _ = lab.among_clients(look);
        });
        Ok(Self { end, two_down, thread: Some(thread) })
    }

    fn found(&self) -> Vec<String> {
        std::mem::take(&mut *self.two_down.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its findings are taken already.
            let _ = thread.join();
        }
    }
}

impl Ground {
    /// Makes it, and waits until writes are acknowledged.
    pub(crate) fn new(settings: &Settings, pair: &Pair) -> Outcome<Self> {
        let lab = Lab::builder().name(&settings.lab).bastion(false).etcd(&pair.old).release(&pair.new).start()?;
        let folder = tempfile::TempDir::new()?;
        // A dead link is noticed in a few seconds here, not in 45.
        let alive = "Host *\n    ServerAliveInterval 1\n    ServerAliveCountMax 3\n    ConnectTimeout 5\n\n";
        let config = fs::read_to_string(lab.ssh_config())?;
        fs::write(folder.path().join("ssh_config"), format!("{alive}{config}"))?;
        let program = |version: &str| -> Outcome<Vec<u8>> { Ok(fs::read(binaries::folder(version)?.join("etcd"))?) };
        let programs = [program(&pair.old)?, program(&pair.new)?];
        let load = Some(lab.load(LOAD)?);
        let watch = Watch::start(&settings.lab)?;
        let (quorate, playbook) = (settings.quorate.clone(), settings.playbook.clone());
        let ground = Self { lab, folder, pair: pair.clone(), quorate, playbook, programs, load, watch };
        if let Some(load) = &ground.load {
            load.acknowledged().wait_for(1, HEALTHY)?;
        }
        Ok(ground)
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The words of a run, or, where a journal says how it was asked for, of going on with it.
    pub(crate) fn words(&self) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        let state = text(&self.state());
        if self.has_run() {
            return [&text(&self.quorate), "resume", "--state-dir", &state].map(str::to_owned).to_vec();
        }
        let mut words = vec![text(&self.quorate), "run".to_owned(), text(&self.playbook)];
        words.extend(["-i".to_owned(), text(&self.lab.inventory())]);
        words.extend(["-F".to_owned(), text(&self.folder.path().join("ssh_config"))]);
        words.extend(["-e".to_owned(), format!("etcd_version={}", self.pair.new)]);
        words.extend(["-e".to_owned(), format!("etcd_releases={}", text(&self.lab.releases()))]);
        words.extend(["--state-dir".to_owned(), state]);
        words
    }

    /// Whether some journal says how its run was asked for: before one does, nothing was begun on any host, and nothing can be gone on with.
    fn has_run(&self) -> bool {
        let runs = fs::read_dir(self.state().join("runs")).into_iter().flatten().flatten();
        runs.into_iter().any(|run| {
            fs::read_to_string(run.path().join("journal.jsonl")).is_ok_and(|text| text.contains(r#""event":"invoked""#))
        })
    }

    /// A command where the control machine is, with both outputs in the file.
    pub(crate) fn control(&self, words: &[String], said: &Path) -> Outcome<Command> {
        let (program, arguments) = words.split_first().ok_or("no words")?;
        let mut command = self.lab.control_command(program);
        let output = fs::File::create(said)?;
        command.args(arguments).stdin(std::process::Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(command)
    }

    /// A file of a host, as seen from outside it.
    pub(crate) fn on_host(&self, host: &str, path: &str) -> PathBuf {
        self.lab.site().root_of(host).join(path.trim_start_matches('/'))
    }

    /// What must be true at once after a kill. Nothing is waited for but an answer of the quorum.
    pub(crate) fn after_kill(&self) -> Outcome<()> {
        self.one_at_a_time()?;
        let down: Vec<String> =
            self.lab.status().into_iter().filter(|member| member.pid.is_none()).map(|member| member.host).collect();
        if down.len() > 1 {
            return Err(format!("down at once: {}", down.join(", ")).into());
        }
        self.answered()?;
        for member in self.lab.members() {
            self.runs_on(&member.name)?;
        }
        self.journal_is_read()
    }

    /// No two members were down together so far.
    pub(crate) fn one_at_a_time(&self) -> Outcome<()> {
        match self.watch.found().first() {
            Some(found) => Err(format!("two members down together: {found}").into()),
            None => Ok(()),
        }
    }

    /// The quorum takes writes: one more is acknowledged from now on.
    pub(crate) fn answered(&self) -> Outcome<()> {
        let Some(load) = &self.load else { return Err("no load runs".into()) };
        Ok(load.acknowledged().wait_for_more(1, QUORUM)?)
    }

    /// The member's program is the old one or the new one, byte for byte; which.
    pub(crate) fn runs_on(&self, host: &str) -> Outcome<&str> {
        let program = fs::read(self.on_host(host, &format!("{PROGRAM_DIR}/etcd")))?;
        let [old, new] = &self.programs;
        match (program == *old, program == *new) {
            (true, _) => Ok(&self.pair.old),
            (_, true) => Ok(&self.pair.new),
            _ => Err(format!("{host}: its etcd is neither the old nor the new one").into()),
        }
    }

    /// `quorate report last` shows the run, or says that there is none.
    fn journal_is_read(&self) -> Outcome<()> {
        let mut command = Command::new(&self.quorate);
        let output = command.args(["report", "last", "--state-dir"]).arg(self.state()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() || (!self.has_run() && said.contains("no run `last`")) {
            return Ok(());
        }
        Err(format!("`report last` ends with {}: {}", output.status, said.trim()).into())
    }

    /// Whether every member is healthy and runs the new program.
    pub(crate) fn is_done(&self) -> Outcome<()> {
        self.lab.wait_healthy(HEALTHY)?;
        for member in self.lab.status() {
            let (found, file) = (member.version.unwrap_or_default(), self.runs_on(&member.host)?);
            if found != self.pair.new || file != self.pair.new {
                return Err(format!("{} runs {found}, its file is {file}, at the end", member.host).into());
            }
        }
        Ok(())
    }

    /// The end of a roll: all are new, going on once more does nothing, and nothing that was acknowledged is lost.
    pub(crate) fn end(mut self) -> Outcome<String> {
        self.one_at_a_time()?;
        self.is_done()?;
        let said = self.folder.path().join("second");
        let status = self.control(&self.words(), &said)?.status()?;
        let text = fs::read_to_string(&said)?;
        if !status.success() || !text.contains("is done; nothing is left to do") {
            return Err(format!("going on once more: {status}: {}", last_words(&text)).into());
        }
        if let Some(load) = self.load.take() {
            load.stop()?;
        }
        let report = self.lab.check_load()?;
        if !report.ok || report.acked < 100 {
            return Err(format!("the load: {} acknowledged, {:?}", report.acked, report.violations).into());
        }
        self.one_at_a_time()?;
        Ok(format!("{} acknowledged writes, none lost, longest gap {:.0} ms", report.acked, report.gap_ms))
    }
}

/// The end of what a run said, in a line.
pub(crate) fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().rev().take(6).rev().copied().collect::<Vec<_>>().join(" / ").chars().take(700).collect()
}
