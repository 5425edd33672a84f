//! Watching a window to its end over a link that may go away, and the gate after it.

use std::time::{Duration, Instant};

use semver::Version;

use crate::etcd::{self, Api, CatchUp, ClusterView, Lag, NotNow};
use crate::events::{Fault, Kind};
use crate::modules::{Call, Failure};
use crate::remote::{Probe, Receipt, RemoteError, Window, WindowEnd, WindowState};
use crate::transport::ExecError;

use super::super::survey::Survey;
use super::Roll;
use super::leave::Leave;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two tries to reach a host again; sshd counts refused connections against us (PerSourcePenalties, OpenSSH 9.8).
const RECONNECT: Duration = Duration::from_secs(3);
/// How long a lost host is tried to be reached while its window must long have ended: a reboot and a bastion's restart fit in.
const LOST: Duration = Duration::from_secs(60);

/// How long an answer may take until that is said: of a link that is dead in silence the loss is known only when its keepalives are
/// over, 45 s after the last word (seen in the lab 2026-11-27).
const SILENCE: Duration = Duration::from_secs(10);

/// How a window ended, and whether its member had caught up by then.
pub(super) struct Watched {
    pub(super) receipt: Receipt,
    pub(super) caught_up: bool,
}

fn say(call: &Call<'_>, text: &str, counted: Option<(u64, u64)>) -> Result<(), Failure> {
    let (done, total) = counted.unzip();
    let (host, act) = (call.host.to_owned(), "member".to_owned());
    (call.say)(Kind::Progress { host, act, text: text.to_owned(), done, total })
}

/// The same of the link, which is an act of its own: a reader that leaves out what is said of one act too often shows this at once.
fn say_of_link(call: &Call<'_>, text: &str) -> Result<(), Failure> {
    let (host, act) = (call.host.to_owned(), "link".to_owned());
    (call.say)(Kind::Progress { host, act, text: text.to_owned(), done: None, total: None })
}

/// What is asked; where it takes long, that is said while it is waited for.
async fn heard<T>(call: &Call<'_>, silence: &str, asked: impl Future<Output = T>) -> Result<T, Failure> {
    let mut asked = std::pin::pin!(asked);
    match tokio::time::timeout(SILENCE, &mut asked).await {
        Ok(answer) => Ok(answer),
        Err(_) => {
            say_of_link(call, &format!("{silence} for {} s", SILENCE.as_secs()))?;
            Ok(asked.await)
        }
    }
}

/// One look at all members: over a bastion that is dead in silence it is the first that gets no answer.
async fn look(call: &Call<'_>, survey: &Survey) -> Result<ClusterView, Failure> {
    heard(call, "no answer of all members", survey.look()).await
}

/// The gate: waits until the member has caught up and all is calm.
pub(in crate::modules::etcd) async fn catch_up(
    call: &Call<'_>,
    survey: &Survey,
    to: &Version,
    election: Duration,
    deadline: Duration,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut wait = CatchUp::new(call.host, to, election);
    loop {
        let view = look(call, survey).await?;
        let Err(lag) = at_end(&mut wait, survey, &view, begun.elapsed()).await else { return Ok(()) };
        if let Lag::Cluster(alarm @ NotNow::Alarm { .. }) = &lag {
            return Err(alarmed(call.host, to, alarm));
        }
        if let Some(ended) = ended(call, survey, &lag).await {
            return Err(Failure::new(Fault::MemberDown, format!("{}: {ended}", call.host)));
        }
        if begun.elapsed() >= deadline {
            let text = format!("{}: not caught up after {} s: {lag}", call.host, deadline.as_secs());
            return Err(Failure::new(Fault::MemberDown, text));
        }
        tell(call, &lag)?;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the wait is over by this look and, where it writes nothing to the log, by the member's own `/health`, which load balancers ask.
async fn at_end(wait: &mut CatchUp, survey: &Survey, view: &ClusterView, now: Duration) -> Result<(), Lag> {
    wait.look(view, now)?;
    let (host, facts) = (wait.host(), survey.facts.get(wait.host()));
    match (view.hosts.get(host), facts) {
        (Some(Ok(member)), Some(Ok(facts))) if etcd::api(&member.version) == Api::V2 => {
            wait.healthy(facts.client.health().await.map_err(|error| error.to_string()))
        }
        _ => Ok(()),
    }
}

/// How the member's process has ended, if it is so that it does not answer: nothing more is to be waited for. While systemd is about to start
/// it again it has not.
async fn ended(call: &Call<'_>, survey: &Survey, lag: &Lag) -> Option<String> {
    let silent =
        matches!(lag, Lag::Silent { host, .. } | Lag::Cluster(NotNow::Silent { host, .. }) if host == call.host);
    let unit = survey.facts.get(call.host)?.as_ref().ok().filter(|_| silent)?.unit.clone();
    let state = call.probe.unit(&unit).await.ok()?;
    let over = matches!(state.active_state(), "failed" | "inactive") && state.main_pid().is_none();
    over.then(|| format!("{unit} has no process any more: it is {} ({})", state.active_state(), state.sub_state()))
}

/// An alarm does not pass by waiting, and neither does another program take it away: what was brought up stays.
fn alarmed(host: &str, to: &Version, alarm: &NotNow) -> Failure {
    let text = format!(
        "{host}: {to} runs and answers reads through raft, and meanwhile {alarm}\n\
         it is left as it is, since an alarm is the whole cluster's and stays with the old program too; no later member is touched\n\
         next: when the alarm is disarmed, run again"
    );
    Failure::new(Fault::Failed, text)
}

fn tell(call: &Call<'_>, lag: &Lag) -> Result<(), Failure> {
    match lag {
        Lag::Behind { index, goal } | Lag::Snapshot { index, goal } => {
            say(call, &lag.to_string(), Some((*index, *goal)))
        }
        // Said twenty times a member otherwise; the bar moves by itself.
        Lag::Settling { .. } => Ok(()),
        other => say(call, &other.to_string(), None),
    }
}

/// Why a transaction was not begun.
fn not_begun(error: RemoteError) -> Failure {
    let failure = Failure::from(error);
    Failure { msg: format!("{}\nnothing was stopped: the transaction was not begun", failure.msg), ..failure }
}

impl Roll<'_> {
    /// Begins the window. Where no answer to the order comes, it may have arrived all the same: the host knows. What fails before it has begun
    /// nothing, and is not asked after: a folder of that name that is there already would answer for another window.
    pub(super) async fn begin(&self, window: &Window) -> Result<(), Failure> {
        self.heard(self.change.lay_out(window)).await?.map_err(not_begun)?;
        let Err(error) = self.heard(self.change.order(window)).await? else { return Ok(()) };
        if !error.leaves_open() {
            return Err(not_begun(error));
        }
        if matches!(error, RemoteError::Exec(ExecError::Lost { .. })) {
            // Before it is tried again: where nobody answers, one try is as long as a connect may take.
            say_of_link(self.call, "the link is lost as the order went out; whether it arrived is asked")?;
        }
        if self.may_have_begun(&window.name).await { Ok(()) } else { Err(not_begun(error)) }
    }

    /// Whether the window is on the host, asked for as long as a lost link may take to come back.
    async fn may_have_begun(&self, name: &str) -> bool {
        let (begun, mut absent) = (Instant::now(), 0);
        loop {
            match self.state(name).await {
                // An order that is on its way is not there at the first look.
                Ok(WindowState::NotBegun) if absent > 0 => return false,
                Ok(WindowState::NotBegun) => absent += 1,
                Ok(_) => return true,
                Err(_) => {}
            }
            if begun.elapsed() >= LOST {
                // Not known: the end is looked for all the same, and "unknown" is what is said then.
                return true;
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// A probe of the host that is good now: the engine connects again if the old session is lost. What is lost is told at once.
    pub(super) async fn probe(&self) -> Result<Probe, Failure> {
        Ok(self.call.fleet.probe(self.call.host).await?.once())
    }

    async fn state(&self, name: &str) -> Result<WindowState, Failure> {
        let probe = self.probe().await?;
        probe.window(name, &self.facts.unit).await.map_err(Failure::from)
    }

    /// What is asked of the host; where no answer comes, that is said while it is waited for.
    async fn heard<T>(&self, asked: impl Future<Output = T>) -> Result<T, Failure> {
        heard(self.call, "no answer", asked).await
    }

    /// What `ask` finds on the host, asked again for as long as a lost link may take to come back.
    pub(super) async fn asked_again<T, F>(&self, ask: impl Fn(Probe) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let (begun, mut said) = (Instant::now(), false);
        loop {
            let asked = async { ask(self.probe().await?).await }.await;
            match asked {
                Err(failure) if failure.fault == Fault::Unreachable && begun.elapsed() < LOST => {
                    if !std::mem::replace(&mut said, true) {
                        say_of_link(self.call, "the link is lost; the transaction has ended")?;
                    }
                    tokio::time::sleep(RECONNECT).await;
                }
                other => return other,
            }
        }
    }

    /// Follows the window to its end; confirms it as soon as the member has caught up on `version` in the eyes of the others.
    pub(super) async fn watch(&self, window: &Window, version: &Version) -> Result<Watched, Failure> {
        let begun = Instant::now();
        // All that the window may take by itself, there and back.
        let longest = window.longest();
        let mut wait = CatchUp::new(self.call.host, version, self.facts.flags.election_timeout());
        let (mut confirmed, mut lost, mut leave): (bool, Option<Instant>, Option<Leave>) = (false, None, None);
        let mut said = String::new();
        loop {
            let look = self.state(&window.name);
            // Once the link is known to be lost, that was said.
            let state = if lost.is_some() { look.await } else { self.heard(look).await.flatten() };
            match state {
                Ok(WindowState::Ended(receipt)) => {
                    return match leave {
                        // Why is known here better than there.
                        Some(Err(against)) if receipt.end == WindowEnd::Refused => Err(against),
                        _ => Ok(Watched { receipt, caught_up: confirmed }),
                    };
                }
                Ok(WindowState::Running(step)) => {
                    lost = None;
                    let step = step.split_once(' ').map_or(step.as_str(), |(_, words)| words);
                    if step != said {
                        said = step.to_owned();
                        say(self.call, &said, None)?;
                    }
                    if leave.is_none() && said == Window::READY {
                        leave = self.last_look(window).await;
                    }
                    if !confirmed && said.ends_with("answers") {
                        confirmed = self.seen_enough(&mut wait, begun.elapsed(), window).await;
                    }
                }
                Ok(WindowState::Vanished) => return Err(self.cut_off()),
                Ok(WindowState::NotBegun) => return Err(self.unknown("its transaction is not there")),
                Err(failure) => {
                    let first = lost.is_none();
                    let since = *lost.get_or_insert_with(Instant::now);
                    if failure.fault == Fault::HostKey || (begun.elapsed() > longest && since.elapsed() > LOST) {
                        return Err(self.unknown(&failure.msg));
                    }
                    if first {
                        let patience = longest.saturating_sub(begun.elapsed()).max(LOST).as_secs();
                        let why = failure.msg.lines().next().unwrap_or_default();
                        let text =
                            format!("the link is lost; the host goes on alone; tried again for {patience} s: {why}");
                        say_of_link(self.call, &text)?;
                    }
                    tokio::time::sleep(RECONNECT).await;
                }
            }
            if begun.elapsed() > longest + LOST {
                return Err(self.unknown("its transaction does not end"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn seen_enough(&self, wait: &mut CatchUp, now: Duration, window: &Window) -> bool {
        // A journal that is broken says so before the next act.
        let Ok(view) = look(self.call, &self.survey).await else { return false };
        if at_end(wait, &self.survey, &view, now).await.is_err() {
            return false;
        }
        matches!(self.heard(self.change.confirm(&window.name)).await, Ok(Ok(())))
    }

    /// Nothing works on it any more, so nothing more will become known by waiting.
    fn cut_off(&self) -> Failure {
        let (host, unit, target, window) =
            (self.call.host, &self.facts.unit, &self.place.target, Window::runs_as(&self.facts.unit));
        let steps = self.steps();
        let which = if self.only_restarted { "" } else { ", old or new" };
        let text = format!(
            "{host}: the outcome of {steps} is not known: {window} is gone without a receipt; was the host powered down?\n\
             nothing goes on with it: at boot systemd starts what stands at {target}{which}; no other member is touched\n\
             see that {unit} is up (`systemctl start {unit}` on {host}, if it is down), then run the playbook again"
        );
        Failure::new(Fault::OutcomeUnknown, text)
    }

    fn unknown(&self, why: &str) -> Failure {
        let (host, steps) = (self.call.host, self.steps());
        let with = if self.only_restarted { "" } else { ", with the new binary or the old one" };
        let text = format!(
            "{host}: the outcome of {steps} is not known: {why}\n\
             the host ends it by itself{with}; no other member is touched\n\
             when {host} can be reached again, run the playbook again"
        );
        Failure::new(Fault::OutcomeUnknown, text)
    }
}
