//! One cell from its begin to its end: reset, load, run, fault, end, resume twice; and the evidence of it.

use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

use quorate_lab::load::Load;
use quorate_lab::{HEALTHY, Lab, wait_until};

use super::checks;
use super::control::{Ran, Running};
use super::data_watch::DataWatch;
use super::evidence::{Evidence, Programs, files, identities, stores};
use super::inject::{Put, prepare, put, reach};
use super::listing::Listing;
use super::memory::Memory;
use super::results::{self, Row};
use super::roll_call::RollCall;
use super::secrets::Guard;
use super::stand::Stand;
use super::table::{Cell, Inject, Step};
use super::window::LOAD;

/// Acknowledged writes before the run begins: there is something to lose.
const BEFORE: u64 = 100;
/// How long a cluster that a fault keeps from being whole is looked at.
const UNWELL: Duration = Duration::from_secs(5);

/// Whoever looks on from outside while a cell goes on.
pub(crate) struct Watch {
    load: Option<Load>,
    call: RollCall,
    data: Vec<DataWatch>,
    pub(crate) guard: Guard,
    pub(crate) memory: Memory,
    longest: Duration,
}

impl Watch {
    pub(crate) fn begin(stand: &Stand) -> Self {
        let lab = &stand.control.lab;
        let data = vec![DataWatch::begin(lab, stand.tools.path())];
        let call = RollCall::begin(&stand.shared);
        let (guard, memory) = (Guard::begin(&stand.secrets), Memory::of(lab));
        let load = lab.load(LOAD).unwrap();
        Self { load: Some(load), call, data, guard, memory, longest: Duration::ZERO }
    }

    /// Starts a run, which is held to its memory from its first instant on.
    fn start(&self, stand: &Stand, command: Command) -> Running {
        let run = stand.control.start(command);
        self.memory.hold(run.pid());
        self.guard.of(run.pid());
        run
    }

    /// Waits until so many more writes are acknowledged.
    pub(crate) fn written(&self, more: u64) {
        self.load.as_ref().unwrap().acknowledged().wait_for_more(more, HEALTHY).unwrap();
    }

    /// Runs it to its end.
    pub(crate) fn run(&mut self, stand: &Stand, command: Command) -> Ran {
        let began = Instant::now();
        let ran = self.start(stand, command).end();
        self.longest = self.longest.max(began.elapsed());
        ran
    }

    /// A disk that was mounted anew has to be marked anew.
    fn data_again(&mut self, stand: &Stand) {
        self.data.push(DataWatch::begin(&stand.control.lab, stand.tools.path()));
    }
}

/// Everything that is known before a cell begins.
pub(crate) struct Before {
    identity: std::collections::BTreeMap<String, quorate_lab::load::Membership>,
    listing: std::collections::BTreeMap<String, Listing>,
}

impl Before {
    pub(crate) fn look(lab: &Lab) -> Self {
        Self { identity: identities(lab), listing: listings(lab) }
    }
}

/// What a cell's runs came to.
pub(crate) struct Runs {
    pub(crate) run: Ran,
    pub(crate) live: Vec<quorate_lab::MemberStatus>,
    pub(crate) resumes: Vec<Ran>,
    pub(crate) programs: Vec<Programs>,
    pub(crate) windows: String,
    pub(crate) by_fault: Vec<String>,
}

fn listings(lab: &Lab) -> std::collections::BTreeMap<String, Listing> {
    std::thread::scope(|scope| {
        let look = |host: quorate_lab::Host| scope.spawn(move || (host.name.clone(), Listing::of(lab, &host.name)));
        let looks: Vec<_> = lab.members().into_iter().map(look).collect();
        looks.into_iter().map(|look| look.join().unwrap()).collect()
    })
}

/// Ends all looking on and puts together what was seen.
pub(crate) fn evidence(stand: &Stand, cell: &Cell, before: Before, mut watch: Watch, runs: Runs) -> Evidence {
    let lab = &stand.control.lab;
    watch.load.take().unwrap().stop().unwrap();
    let load = lab.check_load().unwrap();
    let downs = watch.call.end();
    let mut strangers: Vec<String> = watch.data.into_iter().flat_map(DataWatch::end).collect();
    if cell.inject == Inject::DataDiskFull {
        // The fault itself: one file beside the data, which takes what room there is.
        strangers.retain(|told| !(told.starts_with("/usr/bin/fallocate ") && told.ends_with(", filled")));
    }
    let (mut leaks, peak_kib) = watch.guard.end();
    let Runs { run, live, resumes, mut programs, windows, by_fault } = runs;
    let outputs: Vec<(&str, &str)> =
        std::iter::once(&run).chain(&resumes).map(|run| ("what a run said", run.text.as_str())).collect();
    leaks.extend(stand.secrets.left(lab, &outputs, &stand.control.path("")));
    let live_after = lab.status();
    programs.extend(Programs::of(lab, &live_after));
    Evidence {
        cell: cell.clone(),
        load,
        downs,
        by_fault,
        identity_before: before.identity,
        identity_after: identities(lab),
        programs,
        known: stand.known.clone(),
        listing_before: before.listing,
        listing_after: listings(lab),
        state_files: files(&stand.control.path("state")),
        run,
        live,
        windows,
        resumes,
        live_after,
        leaks,
        peak_kib,
        memory_kills: watch.memory.kills(),
        longest: watch.longest,
        strangers,
        stores: stores(lab, &cell.pair),
    }
}

fn command(stand: &Stand, cell: &Cell) -> Command {
    cell.inject.program().map_or_else(|| stand.upgrade("state"), |behaviour| stand.upgrade_to(behaviour))
}

/// Waits until the hosts have ended what was begun on them, and the cluster is whole again where nothing keeps it from it.
fn settle(stand: &Stand, put: &Put) {
    let unfinished = |host: &str| {
        let script = "for w in /var/lib/quorate/windows/*/; do [ ! -e \"$w/intent\" ] || [ -e \"$w/result\" ] || echo \"$w\"; done; \
                      systemctl list-units --plain --no-legend 'quorate-window-*'";
        stand.control.said(host, &["sh", "-c", script])
    };
    for host in stand.control.lab.members() {
        let ends = wait_until("the end of what was begun", HEALTHY, || {
            // A window that a host lost with its power leaves an intent and no unit.
            let left = unfinished(&host.name);
            if left.contains("quorate-window-") { Err(left) } else { Ok(()) }
        });
        ends.unwrap();
    }
    // What it is in the end is judged by the table, so an end that does not come is no fault of this wait.
    let _ = stand.control.lab.wait_healthy(if put.by_fault.is_empty() { HEALTHY } else { UNWELL });
}

/// Runs a cell and gives its evidence.
fn tried(stand: &Stand, cell: &Cell) -> Evidence {
    stand.reset();
    let lab = &stand.control.lab;
    // Where a member is done, the next one is not to be done too before the fault is there.
    if !cell.step.in_window() && cell.step != Step::Record {
        stand.hurry();
    }
    let prepared = prepare(cell, stand);
    let before = Before::look(lab);
    let mut watch = Watch::begin(stand);
    watch.written(BEFORE);
    let began = Instant::now();
    let mut run = watch.start(stand, command(stand, cell));
    let spot = reach(cell, &stand.control, &mut run);
    let (run, mut left) = put(cell, stand, &prepared, &watch.memory, &spot, run);
    watch.longest = began.elapsed();
    if cell.inject == Inject::PowerCut {
        watch.data_again(stand);
    }
    if let Some(window) = &spot.window
        && leaves_a_receipt(cell)
    {
        window.outcome();
    }
    settle(stand, &left);
    let live = lab.status();
    let windows = windows(stand);
    // Where somebody else's program stands in its place when this is looked at, the table says what becomes of the member.
    let programs = if programs_are_known(cell) && cell.inject != Inject::OtherProgram {
        Programs::of(lab, &live)
    } else {
        Vec::new()
    };
    left.mend(lab);
    if matches!(cell.inject, Inject::SystemReadOnly | Inject::DataReadOnly) {
        // That takes a power cut.
        watch.data_again(stand);
    }
    // Whether it is whole is judged at the end.
    let _ = lab.wait_healthy(HEALTHY);
    stand.hurry();
    // A program that does not come up is mended by one that does: the run is not gone on with, it is asked for again with that.
    let first = if programs_are_known(cell) { stand.control.resume() } else { stand.upgrade("state") };
    let resumes = [first, stand.control.resume()].map(|command| watch.run(stand, command)).into();
    let _ = lab.wait_healthy(HEALTHY);
    let runs = Runs { run, live, resumes, programs, windows, by_fault: left.by_fault };
    evidence(stand, cell, before, watch, runs)
}

/// A host without power, and a disk that takes nothing, have no receipt of what was begun.
fn leaves_a_receipt(cell: &Cell) -> bool {
    let none = [Inject::PowerCut, Inject::Reboot, Inject::SystemDiskFull, Inject::NoInodes, Inject::SystemReadOnly];
    !none.contains(&cell.inject)
}

/// How what was begun on the hosts has ended there, in the hosts' own words.
fn windows(stand: &Stand) -> String {
    let script = "cd /var/lib/quorate/windows 2>/dev/null || exit 0; for w in */; do echo \"$w:\"; cat \"$w/log\" \"$w/journal\"; done 2>/dev/null; true";
    let told = |host: quorate_lab::Host| stand.control.said(&host.name, &["sh", "-c", script]);
    stand.control.lab.members().into_iter().map(told).collect()
}

/// After a program of our own was put there, only what is there at the end can be told by its sum.
fn programs_are_known(cell: &Cell) -> bool {
    cell.inject.program().is_none()
}

/// Runs a cell and judges it.
pub(crate) fn judged(stand: &Stand, cell: &Cell) -> Row {
    let (began, at) = (Instant::now(), results::now());
    let tried = catch_unwind(AssertUnwindSafe(|| tried(stand, cell)));
    let (seen, wrong) = match tried {
        Ok(evidence) => {
            let wrong = checks::wrong(&evidence);
            if !wrong.is_empty() {
                let resumed: Vec<&str> = evidence.resumes.iter().map(|run| run.text.as_str()).collect();
                let _ = writeln!(
                    io::stderr(),
                    "{}: the run:\n{}\ngone on with:\n{}",
                    cell.id,
                    evidence.run.text,
                    resumed.join("\n")
                );
            }
            (seen(&evidence), wrong)
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            ("not to its end".to_owned(), vec![format!("harness: {}", text.unwrap_or_default())])
        }
    };
    Row { cell: cell.clone(), seen, wrong, took: began.elapsed(), at }
}

fn seen(evidence: &Evidence) -> String {
    let code = |run: &Ran| run.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
    let down = evidence.live.iter().filter(|member| !member.healthy).count();
    let resumes: Vec<String> = evidence.resumes.iter().map(code).collect();
    format!(
        "{}, {} new, {down} down; {}",
        code(&evidence.run),
        checks::on(&evidence.live, &evidence.cell.pair.new),
        resumes.join(", ")
    )
}
