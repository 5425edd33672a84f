//! A model of how runs, hosts and operators get in each other's way, and every order of their steps looked at: two machines that roll one
//! cluster, one of them killed at any step and gone on with, locks that an operator breaks under a living run, a host without power.
//!
//! What it stands for: taking locks in one order and the fence (`remote/lock.rs`), the transaction (`remote/window/`), waiting for one that
//! is at work (`modules/etcd/at_work.rs`), the guard and the gate. Each of the first three is taken out in turn, and two members are down. And
//! leave to stop (`modules/etcd/member/leave.rs`): without it a member is stopped although another had gone long before.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

use std::ops::Not as _;

use stateright::{Checker as _, Model, Property};

const HOSTS: usize = 3;
/// The first run; a second from another machine; and the run that goes on with the first, from its machine.
const FIRST: u8 = 0;
const OTHER: u8 = 1;
const RESUMED: u8 = 2;
const RUNS: usize = 3;

/// What of the protocol is kept.
#[derive(Clone, Copy, Debug)]
struct Roll {
    /// A run takes the lock of every host, in order, or ends.
    locks: bool,
    /// A host begins a transaction only for the run whose lock is there.
    fence: bool,
    /// A run waits, once it has its locks, until no transaction is at work.
    waits: bool,
    /// A run looks at all its locks before it asks the guard.
    renews: bool,
    /// A host that has prepared everything waits until its run has looked at the others once more.
    leave: bool,
    /// How often the power of a host fails.
    power_cuts: u8,
}

const ALL: Roll = Roll { locks: true, fence: true, waits: true, renews: true, leave: true, power_cuts: 2 };

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Binary {
    Old,
    New,
}

/// A transaction: what it has done last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    /// Ordered; it has looked at nothing yet.
    Ordered,
    /// The lock was found to be the run's.
    Allowed,
    /// Everything is prepared.
    Ready,
    /// There is leave to stop.
    Leave,
    Stopped,
    Swapped,
    Started,
    /// The new program does not serve: stopped again.
    TakingBack,
    PutBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Host {
    lock: Option<u8>,
    /// The runs whose locks were broken here, by their bits.
    broken: u8,
    window: Option<(u8, Step)>,
    /// Which program stands on the disk.
    installed: Binary,
    running: Option<Binary>,
    powered: bool,
    /// Whether its power failed while no transaction had leave to stop yet, or was behind that.
    early: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Run {
    NotBegun,
    /// Takes the lock of that host next.
    Locking(usize),
    /// Waits for transactions on that host next.
    Looking(usize),
    /// Sees next whether the lock of that host is still its own.
    Renewing(usize),
    /// Asks the guard next.
    Asking,
    /// Has leave to stop that host, and orders it next.
    Ordering(usize),
    Watching(usize),
    /// Gives the lock of that host back next, and is `well` or was stopped by what it saw.
    Leaving(usize, bool),
    Done,
    /// Ended without having done all; with its locks given back, or kept where an outcome is not known.
    Halted,
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    hosts: [Host; HOSTS],
    runs: [Run; RUNS],
    /// What may still go wrong.
    kills: u8,
    power_cuts: u8,
    bad_starts: u8,
    /// Whether a member was stopped although another host had gone before there was leave.
    blind: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Begin(u8),
    Go(u8),
    /// The guard's patience is over.
    GiveUp(u8),
    Kill(u8),
    Window(usize),
    /// The new program turns out not to serve.
    Fails(usize),
    Break(usize),
    PowerCut(usize),
    Boot(usize),
}

impl Host {
    fn allows(&self, run: u8) -> bool {
        self.lock == Some(run)
    }

    fn is_up(&self) -> bool {
        self.running.is_some()
    }
}

impl Run {
    fn is_over(self) -> bool {
        matches!(self, Self::NotBegun | Self::Done | Self::Halted | Self::Dead)
    }
}

impl World {
    fn host(&self, at: usize) -> &Host {
        self.hosts.get(at).unwrap()
    }

    fn of(&mut self, at: usize) -> &mut Host {
        self.hosts.get_mut(at).unwrap()
    }

    fn run(&self, run: u8) -> Run {
        *self.runs.get(usize::from(run)).unwrap()
    }

    fn set(&mut self, run: u8, to: Run) {
        *self.runs.get_mut(usize::from(run)).unwrap() = to;
    }

    fn down(&self) -> usize {
        self.hosts.iter().filter(|host| host.powered && !host.is_up()).count()
    }

    /// The first member that is to be rolled and may be: all others are up.
    fn next(&self) -> Option<usize> {
        (0..HOSTS).find(|at| self.host(*at).running == Some(Binary::Old)).filter(|_| self.hosts.iter().all(Host::is_up))
    }

    /// The next step of a run; `None` where it waits.
    fn step(&mut self, run: u8, roll: Roll) -> Option<()> {
        let next = match self.run(run) {
            Run::Locking(at) if at == HOSTS => Run::Renewing(0),
            Run::Locking(at) if !self.host(at).powered => return None,
            Run::Locking(at) => match self.host(at).lock {
                // That the first run is over is known on its own machine alone.
                Some(held) if roll.locks && held != run && !(run == RESUMED && held == FIRST) => Run::Leaving(0, false),
                _ if self.host(at).broken & (1 << run) != 0 => Run::Leaving(0, false),
                _ => {
                    if roll.locks {
                        self.of(at).lock = Some(run);
                    }
                    Run::Locking(at + 1)
                }
            },
            Run::Looking(at) if at == HOSTS || !roll.waits => Run::Asking,
            // A host without power does not answer, and is waited for.
            Run::Looking(at) if self.host(at).powered => match self.host(at).window {
                None => Run::Looking(at + 1),
                Some(_) => return None,
            },
            Run::Looking(_) => return None,
            Run::Renewing(at) if at == HOSTS || !roll.renews || !roll.locks => Run::Looking(0),
            // What cannot be asked the guard cannot ask either.
            Run::Renewing(at) if !self.host(at).powered => Run::Renewing(at + 1),
            Run::Renewing(at) => match self.host(at).lock {
                Some(held) if held == run => Run::Renewing(at + 1),
                // It went with a boot, and is taken again, unless it was broken; then all are looked at once more: another run may have
                // got the rest.
                None if self.host(at).broken & (1 << run) == 0 => {
                    self.of(at).lock = Some(run);
                    Run::Renewing(0)
                }
                _ => Run::Leaving(0, false),
            },
            Run::Asking if self.hosts.iter().all(|host| host.running == Some(Binary::New)) => Run::Leaving(0, true),
            Run::Asking => Run::Ordering(self.next()?),
            Run::Ordering(at) => {
                let host = self.of(at);
                // systemd lets one transaction of a unit be at work.
                let refused = !host.powered || host.window.is_some() || (roll.fence && !host.allows(run));
                if refused {
                    Run::Leaving(0, false)
                } else {
                    host.window = Some((run, Step::Ordered));
                    Run::Watching(at)
                }
            }
            Run::Watching(at) => {
                let host = self.host(at);
                match (host.window, host.running) {
                    (Some((by, Step::Ready)), _) if by == run && host.powered => {
                        let well = (0..HOSTS).all(|other| other == at || self.host(other).is_up());
                        // Nothing was stopped where there is none.
                        self.of(at).window = well.then_some((run, Step::Leave));
                        return Some(());
                    }
                    // Without power there is no answer; and what comes back has no receipt: the outcome is not known.
                    _ if !host.powered => return None,
                    (Some((by, _)), _) if by == run => return None,
                    (_, Some(Binary::New)) => Run::Renewing(0),
                    (_, Some(Binary::Old)) => Run::Leaving(0, false),
                    (_, None) => Run::Halted,
                }
            }
            Run::Leaving(at, well) if at == HOSTS => match well {
                true => Run::Done,
                false => Run::Halted,
            },
            Run::Leaving(at, well) => {
                let host = self.of(at);
                if host.lock == Some(run) {
                    host.lock = None;
                }
                Run::Leaving(at + 1, well)
            }
            Run::NotBegun | Run::Done | Run::Halted | Run::Dead => return None,
        };
        self.set(run, next);
        Some(())
    }

    /// The next step of a transaction, which nobody has to wait for.
    fn window(&mut self, at: usize, roll: Roll) -> Option<()> {
        let gone = (0..HOSTS).any(|other| other != at && self.host(other).early && !self.host(other).powered);
        let host = self.of(at);
        let (run, step) = host.window.filter(|_| host.powered)?;
        let mut blind = false;
        let next = match step {
            Step::Ordered if roll.fence && !host.allows(run) => None,
            Step::Ordered => Some(Step::Allowed),
            Step::Allowed if roll.leave => Some(Step::Ready),
            // Nobody answers in time.
            Step::Ready => None,
            Step::Leave if roll.fence && !host.allows(run) => None,
            Step::Allowed | Step::Leave => {
                host.running = None;
                blind = gone;
                Some(Step::Stopped)
            }
            Step::Stopped => {
                host.installed = Binary::New;
                Some(Step::Swapped)
            }
            Step::Swapped => {
                host.running = Some(Binary::New);
                Some(Step::Started)
            }
            Step::Started => None,
            Step::TakingBack => {
                host.installed = Binary::Old;
                Some(Step::PutBack)
            }
            Step::PutBack => {
                host.running = Some(Binary::Old);
                None
            }
        };
        host.window = next.map(|step| (run, step));
        self.blind |= blind;
        Some(())
    }
}

impl Model for Roll {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let (installed, running) = (Binary::Old, Some(Binary::Old));
        let host = Host { lock: None, broken: 0, window: None, installed, running, powered: true, early: false };
        vec![World {
            hosts: [host; HOSTS],
            runs: [Run::NotBegun; RUNS],
            kills: 1,
            power_cuts: self.power_cuts,
            bad_starts: 1,
            blind: false,
        }]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        for run in [FIRST, OTHER, RESUMED] {
            let may = run != RESUMED || world.run(FIRST) == Run::Dead;
            acts.extend((world.run(run) == Run::NotBegun && may).then_some(Act::Begin(run)));
            acts.extend(world.run(run).is_over().not().then_some(Act::Go(run)));
            acts.extend((world.run(run) == Run::Asking).then_some(Act::GiveUp(run)));
            acts.extend((run == FIRST && world.kills > 0 && !world.run(run).is_over()).then_some(Act::Kill(run)));
        }
        for (at, host) in world.hosts.iter().enumerate() {
            acts.extend(host.window.map(|_| Act::Window(at)));
            let started = matches!(host.window, Some((_, Step::Started)));
            acts.extend((started && world.bad_starts > 0).then_some(Act::Fails(at)));
            // An operator who takes the first run for dead; whoever begins a run breaks on all hosts before.
            let broken = host.broken & (1 << FIRST) != 0;
            acts.extend((self.locks && !broken && world.run(FIRST) != Run::NotBegun).then_some(Act::Break(at)));
            acts.extend((world.power_cuts > 0).then_some(Act::PowerCut(at)));
            acts.extend(host.powered.not().then_some(Act::Boot(at)));
        }
    }

    fn next_state(&self, world: &World, act: Act) -> Option<World> {
        let mut next = world.clone();
        match act {
            Act::Begin(run) => next.set(run, Run::Locking(0)),
            Act::Go(run) => next.step(run, *self)?,
            Act::GiveUp(run) if next.next().is_none() && next.hosts.iter().any(|host| !host.is_up()) => {
                next.set(run, Run::Leaving(0, false));
            }
            Act::GiveUp(_) => return None,
            Act::Kill(run) => {
                next.kills -= 1;
                next.set(run, Run::Dead);
            }
            Act::Window(at) => next.window(at, *self)?,
            Act::Fails(at) => {
                next.bad_starts -= 1;
                let host = next.of(at);
                host.running = None;
                host.window = host.window.map(|(run, _)| (run, Step::TakingBack));
            }
            Act::Break(at) => {
                let host = next.of(at);
                host.broken |= 1 << FIRST;
                host.lock = host.lock.filter(|held| *held != FIRST);
            }
            Act::PowerCut(at) => {
                next.power_cuts -= 1;
                let at_work = |host: &Host| matches!(host.window, Some((_, step)) if step >= Step::Leave);
                let early = !next.hosts.iter().any(at_work);
                let host = next.of(at);
                host.early = early;
                // The lock is in memory; what was broken is written down.
                (host.powered, host.running, host.window, host.lock) = (false, None, None, None);
            }
            Act::Boot(at) => {
                let host = next.of(at);
                (host.powered, host.running, host.early) = (true, Some(host.installed), false);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never two members down because of us", |_, world: &World| world.down() <= 1),
            Property::always("never two transactions at work", |_, world: &World| {
                world.hosts.iter().filter(|host| matches!(host.window, Some((_, step)) if step > Step::Leave)).count()
                    <= 1
            }),
            Property::always(BLIND, |_, world: &World| !world.blind),
            // One whose lock was broken speaks of what it saw, and no longer of what is.
            Property::always("no run that has its locks says done while a member is old", |_, world: &World| {
                let kept = |run: u8| world.hosts.iter().all(|host| host.broken & (1 << run) == 0);
                let done = [FIRST, OTHER, RESUMED].into_iter().any(|run| kept(run) && world.run(run) == Run::Done);
                !done || world.hosts.iter().all(|host| host.installed == Binary::New)
            }),
            Property::eventually("every member is up in the end", |_, world: &World| {
                world.hosts.iter().all(Host::is_up) && world.runs.iter().all(|run| run.is_over())
            }),
        ]
    }
}

const BLIND: &str = "none is stopped while another host is gone since before there was leave";

/// The names of the properties that do not hold.
fn broken(roll: Roll) -> Vec<&'static str> {
    let checker = roll.checker().threads(2).spawn_bfs().join();
    let mut names: Vec<&'static str> = checker.discoveries().into_keys().collect();
    names.sort_unstable();
    names
}

#[test]
fn in_no_order_of_steps_two_members_are_down_and_every_run_ends() {
    let checker = ALL.checker().threads(2).spawn_bfs().join();
    // 1.6 million of them; a model that stops early would have few.
    assert!(checker.unique_state_count() > 1_000_000, "{}", checker.unique_state_count());
    checker.assert_properties();
}

#[test]
fn without_locks_or_the_fence_or_the_wait_two_members_are_down() {
    let two = "never two members down because of us";
    let all = Roll { power_cuts: 1, ..ALL };
    let without_each = [
        // Without locks there is nothing that a fence could look at.
        Roll { locks: false, fence: false, ..all },
        Roll { fence: false, ..all },
        Roll { waits: false, ..all },
        Roll { renews: false, ..all },
    ];
    for without in without_each {
        assert!(broken(without).contains(&two), "{without:?}");
    }
}

#[test]
fn without_leave_a_member_is_stopped_although_another_had_gone_before() {
    assert_eq!(broken(Roll { power_cuts: 1, leave: false, ..ALL }), [BLIND]);
    assert!(broken(Roll { power_cuts: 1, ..ALL }).is_empty());
}
