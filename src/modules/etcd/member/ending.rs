//! What a window's receipt means for the roll, and the way back when the member serves but never joins.

use std::time::{Duration, Instant};

use crate::etcd::{ClusterVersion, ClusterView, WayBack, is_to_blame, may_stop, refuses_risen};
use crate::events::{Fault, Kind};
use crate::modules::{Failure, Outcome};
use crate::remote::{Receipt, Swap, TakeBack, Window, WindowEnd};

use super::super::facts::{Facts, refused};
use super::super::often;
use super::super::place::running;
use super::super::survey::{fault_of, is_lost, serving};
use super::super::tool::Tool;
use super::watch::{self, Watched};
use super::{Roll, fault_by_quorum, outcome};

/// How long a member on its old binary may take to be sound again before it is called down: two elections and a margin.
const SOUND: Duration = Duration::from_secs(20);
/// A member that passed the gate. "Upgraded" is a cluster, once all members have and it has agreed on the version.
const CAUGHT_UP: &str = "caught up";

impl Roll<'_> {
    /// Goes on from the receipt.
    pub(super) async fn end(self, window: &Window, watched: Watched) -> Result<Outcome, Failure> {
        let Watched { receipt, caught_up } = watched;
        match receipt.end {
            WindowEnd::Done if caught_up => self.caught_up(&receipt).await,
            WindowEnd::Done => self.gate_or_back(receipt, &window.name).await,
            WindowEnd::Refused => Err(self.refused_there(&receipt.detail)),
            WindowEnd::RolledBack => Err(self.rolled_back(&receipt.detail, &window.name, receipt.down).await),
            WindowEnd::NotServing | WindowEnd::Down if self.only_restarted => {
                Err(self.down(&self.nothing_to_go_back_to(&receipt.detail), &window.name).await)
            }
            WindowEnd::NotServing => Err(self.down(&self.left(&receipt.detail), &window.name).await),
            WindowEnd::Down => Err(self.down(&receipt.detail, &window.name).await),
        }
    }

    /// The host found something other than what was examined, right before it would have stopped the member.
    fn refused_there(&self, why: &str) -> Failure {
        let what = format!(
            "{why}\nnothing was stopped: the member runs as it did, and no later member is touched\n\
             see who changes {} on this host while it is rolled, or kills what works on it, then run the playbook again: all is examined anew",
            self.facts.unit
        );
        refused(self.host(), what)
    }

    /// The new program serves; has its member caught up?
    async fn gate_or_back(self, receipt: Receipt, window: &str) -> Result<Outcome, Failure> {
        let election = self.facts.flags.election_timeout();
        match watch::catch_up(self.call, &self.survey, &self.to, election, self.gate).await {
            Ok(()) => self.caught_up(&receipt).await,
            Err(failure) if failure.fault == Fault::MemberDown => match self.unreached().await {
                Some(lost) => Err(self.not_seen(&failure.msg, &lost)),
                None => {
                    let view = self.survey.look().await;
                    Err(match is_to_blame(&view, self.host()) {
                        // To stop it again would make that worse.
                        false => self.not_its_doing(&failure.msg, &view),
                        true if self.only_restarted => {
                            self.down(&self.nothing_to_go_back_to(&failure.msg), window).await
                        }
                        true => self.go_back(&failure.msg, window, &receipt).await,
                    })
                }
            },
            Err(failure) => Err(failure),
        }
    }

    /// The gate stays shut for something that is not this member's.
    fn not_its_doing(&self, why: &str, view: &ClusterView) -> Failure {
        let (host, to, of, sound) = (self.host(), &self.to, view.hosts.len(), serving(view));
        let text = format!(
            "{why}\n{host} runs {to}, and that is not its doing: it is left as it is, and no later member is touched\n\
             {sound} of {of} members answer reads through raft\n\
             next: see to what the wait ended for, then run again"
        );
        Failure::new(fault_of(view), text)
    }

    /// A host of the cluster that cannot be reached now: then nobody can say whether the member has caught up.
    async fn unreached(&self) -> Option<Failure> {
        for host in self.survey.facts.keys() {
            let asked =
                async { Facts::gather(self.call.fleet, &self.call.fleet.probe(host).await?, &self.facts.unit).await }
                    .await;
            match asked {
                Err(failure) if is_lost(&failure) => return Some(failure),
                _ => {}
            }
        }
        None
    }

    /// The new binary serves on its own host, but the gate could not be passed since a host is not reached: it stays.
    fn not_seen(&self, why: &str, lost: &Failure) -> Failure {
        let (host, to) = (self.host(), &self.to);
        let text = format!(
            "{host}: {to} runs and serves on its own host, but whether it has caught up is not known: {why}\n{}\n\
             it is left as it is; no other member is touched; bring that host back, then run again",
            lost.msg
        );
        Failure::new(Fault::OutcomeUnknown, text)
    }

    /// "Caught up" is said of the file that the process runs, not of what was meant to be there.
    async fn caught_up(&self, receipt: &Receipt) -> Result<Outcome, Failure> {
        let found = match self.runs(receipt.pid).await {
            Err(failure) if failure.fault == Fault::Failed => {
                self.runs(Some(self.started_since(&failure).await?)).await?
            }
            found => found?,
        };
        if found != self.want {
            let (host, want) = (self.host(), &self.want);
            let text = format!(
                "{host}: the member is sound, but its process runs another file\nexpected {want}\nfound    {found}"
            );
            return Err(Failure::new(Fault::Failed, text));
        }
        self.tell(CAUGHT_UP, receipt.down)?;
        if let Err(error) = often::clear(&self.change, &self.files).await {
            // The member is well; only what nobody reads any more lies about.
            let text = format!("{}: quorate's own files were not taken away: {error}", self.host());
            (self.call.say)(Kind::Warning { text })?;
        }
        Ok(outcome(&self.member, &self.from, &self.to, Some(receipt.down)))
    }

    /// The sum of the file that the process runs.
    async fn runs(&self, pid: Option<u32>) -> Result<String, Failure> {
        let found = self.asked_again(|probe| async move { running(&probe, pid).await }).await;
        found.map_err(|failure| self.not_looked_at(failure))
    }

    /// The process that has taken the place of the transaction's, which ended after that: by a power cut, or by somebody's hand. The member must
    /// have caught up anew.
    async fn started_since(&self, failure: &Failure) -> Result<u32, Failure> {
        let election = self.facts.flags.election_timeout();
        watch::catch_up(self.call, &self.survey, &self.to, election, self.gate).await?;
        let unit = &self.facts.unit;
        let state = self.asked_again(|probe| async move { Ok(probe.unit(unit).await?) }).await;
        let pid = state.map_err(|failure| self.not_looked_at(failure))?.main_pid();
        let pid = pid.ok_or_else(|| Failure::new(Fault::MemberDown, failure.msg.clone()))?;
        let text = format!(
            "{}: the process that the transaction had started is gone; process {pid} has taken its place and has caught up",
            self.host()
        );
        (self.call.say)(Kind::Warning { text })?;
        Ok(pid)
    }

    /// The transaction has ended well by its own account, and then the link was lost for too long to see it.
    fn not_looked_at(&self, failure: Failure) -> Failure {
        if failure.fault != Fault::Unreachable {
            return failure;
        }
        let (host, to, why, steps) = (self.host(), &self.to, &failure.msg, self.steps());
        let text = format!(
            "{host}: {steps} has ended and the member serves, but that its process runs {to} was not seen: {why}\n\
             it is left as it is; no other member is touched; when {host} can be reached again, run the playbook again"
        );
        Failure::new(Fault::OutcomeUnknown, text)
    }

    fn tell(&self, outcome: &str, down: Duration) -> Result<(), Failure> {
        let to = if outcome == CAUGHT_UP { &self.to } else { &self.from };
        (self.call.say)(Kind::MemberRolled {
            host: self.host().to_owned(),
            member: self.member.clone(),
            from: self.from.to_string(),
            to: to.to_string(),
            down,
            outcome: outcome.to_owned(),
        })
    }

    /// Puts the old binary back under a member that runs but does not join, if the others still hold the way open.
    async fn go_back(&self, why: &str, window: &str, first: &Receipt) -> Failure {
        let begun = Instant::now();
        if !self.way_is_open().await {
            let text =
                format!("{why}\nthe cluster version has risen or is not known: the old binary must not come back");
            return self.down(&text, window).await;
        }
        match self.back_window().await {
            // The words to be shown are those of the program that did not join; the way back has those of the old one.
            Ok(receipt) if receipt.end == WindowEnd::Done => {
                // A program that answers and does not join is no member: it was out from the first stop on.
                let restarted = || first.down + self.gate + begun.elapsed();
                let down = first.down_until(&receipt).unwrap_or_else(restarted);
                self.rolled_back(why, window, down).await
            }
            Ok(receipt) => self.down(&format!("{why}; the way back: {}", receipt.detail), window).await,
            Err(failure) if failure.fault == Fault::OutcomeUnknown => failure,
            Err(failure) => self.down(&format!("{why}; the way back: {}", failure.msg), window).await,
        }
    }

    /// Whether every other member says that the cluster version has not risen; silence counts as no. Where there is no other, the old binary
    /// must refuse by itself what it must not start on.
    async fn way_is_open(&self) -> bool {
        match self.way_back {
            WayBack::Always => return true,
            // It serves, so it has opened the data.
            WayBack::UntilFirstStart | WayBack::Never => return false,
            WayBack::WhileMixed if self.is_alone() => return refuses_risen(&self.from),
            WayBack::WhileMixed => {}
        }
        let view = self.survey.look().await;
        let others = view.hosts.iter().filter(|(host, _)| host.as_str() != self.host());
        let mut asked = 0;
        for (_, told) in others {
            let Ok(member) = told else { return false };
            let risen = match &member.version.cluster {
                ClusterVersion::Is(version) => (version.major, version.minor) >= (self.to.major, self.to.minor),
                ClusterVersion::Unknown | ClusterVersion::NotDecided => false,
            };
            if risen {
                return false;
            }
            asked += 1;
        }
        asked > 0
    }

    async fn back_window(&self) -> Result<Receipt, Failure> {
        // As it is now, if it runs or not.
        let now = self.probe().await?.unit(&self.facts.unit).await?;
        let program = self.swapped.then(|| self.place.swap_back(&self.from, &self.want));
        let tool = self.tool.as_ref().map(Tool::swap_back);
        let swaps: Vec<Swap> = program.into_iter().chain(tool).chain(self.files.swaps_back()).collect();
        let (read, reload) = match &self.files.read_as {
            Some((then, before)) => (then.clone(), Some(before.clone())),
            None => (self.read_now()?, None),
        };
        // The old files were judged before they were swapped; what was not swapped must still be what it was then.
        let mut judged = self.facts.seen.judged();
        judged.retain(|file| !swaps.iter().any(|swap| swap.target == file.path));
        judged.extend((!self.swapped).then(|| self.program_as_it_runs()));
        let name = format!("{}-back", self.window);
        let invocation = now.invocation_id().unwrap_or_default();
        let window = self.plan(name, swaps, (read, reload, judged), TakeBack::Closed, invocation);
        let act = format!("put {} back in place of {}", self.from, self.to);
        (self.call.say)(Kind::ActBegins { host: self.host().to_owned(), act })?;
        self.begin(&window).await?;
        Ok(self.watch(&window, &self.from).await?.receipt)
    }

    async fn rolled_back(&self, why: &str, window: &str, down: Duration) -> Failure {
        if let Err(reason) = self.sound_again().await {
            return self.down(&format!("{why}; the old binary is back, but {reason}"), window).await;
        }
        if let Err(failure) = self.tell("rolled back", down) {
            return failure;
        }
        let text = format!(
            "{}: {} did not come up: {why}\nthe member is back on {} and healthy; no later member is touched{}",
            self.host(),
            self.to,
            self.from,
            self.last_words(window).await
        );
        Failure::new(Fault::RolledBack, text)
    }

    async fn sound_again(&self) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let Err(reason) = may_stop(&self.survey.look().await, self.host(), true) else { return Ok(()) };
            if begun.elapsed() >= SOUND {
                return Err(reason.to_string());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// A member that was only restarted has no old program.
    fn nothing_to_go_back_to(&self, why: &str) -> String {
        format!(
            "it was restarted and did not come back: {why}\nits program and files are what they were: there is no old binary to go back to"
        )
    }

    /// Why the host has left the new program there, where it could not find out otherwise.
    fn left(&self, detail: &str) -> String {
        if self.facts_of_others().all(Facts::in_the_clear) {
            return detail.to_owned();
        }
        let (old, target, to) = (self.place.kept(&self.from), &self.place.target, &self.to);
        format!(
            "{detail}\nthe others speak TLS, which the host cannot ask, so it does not take the last member back by itself\n\
             while `quorate etcd status` shows the cluster version below {}.{}, {old} may be put back as {target} by hand",
            to.major, to.minor
        )
    }

    async fn down(&self, why: &str, window: &str) -> Failure {
        let view = self.survey.look().await;
        // A read through raft is what counts: under an alarm members call themselves unhealthy that serve.
        let sound = view.hosts.values().flatten().filter(|member| member.read.is_ok()).count();
        let of = view.hosts.len();
        let host = self.host();
        let text = format!(
            "{host}: {why}\n{sound} of {of} members answer reads through raft\nlook at `journalctl -u {}` on {host}; no later member is touched{}",
            self.facts.unit,
            self.last_words(window).await
        );
        Failure::new(fault_by_quorum(sound, of), text)
    }

    /// The last lines of the program that failed, as the host kept them.
    async fn last_words(&self, window: &str) -> String {
        let journal = self.call.probe.window_journal(window).await.unwrap_or_default();
        let lines: Vec<&str> = journal.lines().filter(|line| !line.trim().is_empty()).collect();
        // A start that failed for good leaves six lines of systemd's own after the program's.
        let last = lines.iter().skip(lines.len().saturating_sub(12));
        last.map(|line| format!("\n  | {line}")).collect()
    }
}
