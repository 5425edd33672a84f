//! A rolling play: one host at a time, each by leave of the guard.

use std::time::Instant;

use futures_util::StreamExt as _;

use crate::events::{Fault, Kind, Verdict};
use crate::modules::guard::{Ask, Guard};
use crate::modules::{Choice, Failure};
use crate::playbook::{Play, Rolling};
use crate::transport::BoxFuture;

use super::batch::Batch;
use super::fleet::PlayFleet;
use super::outcome::worst;
use super::rounds::{Round, Rounds, Turn};
use super::run::{Engine, Halt, Planned};
use super::task::input;
use super::until::Closing;

impl Engine<'_> {
    /// Rolls the play over its hosts, once for each round; whether the next play is to run.
    pub(super) async fn roll(
        &self,
        play: &Play,
        planned: &Planned,
        rolling: &Rolling,
        well: Vec<String>,
    ) -> Result<bool, Halt> {
        let Some(guard) = self.run.options.guards.find(&rolling.guard) else {
            return Err(input(format!("{}: there is no guard `{}`", rolling.place, rolling.guard)));
        };
        let name = planned.name.clone();
        // The rounds are rendered for the first host, which must not be a lost one.
        let rounds = self.none_lost(planned).and_then(|()| self.rounds(play, planned, rolling));
        if let Ok(Rounds::Skipped(reason)) = rounds {
            self.emit(Kind::PlaySkipped { name, reason })?;
            return Ok(true);
        }
        self.emit(Kind::PlayStarted { name, hosts: well })?;
        let Rounds::Known(rounds) = rounds? else { return Ok(true) };
        self.all_reached(play, planned).await?;
        self.lock_all_of(&planned.hosts).await?;
        let closing = self.closing(play, planned)?;
        for round in &rounds {
            self.stop_if_asked()?;
            self.window_fits(closing.as_ref())?;
            if let Some(item) = round.item.clone() {
                self.emit(Kind::RoundStarted { number: round.number, of: round.of, item })?;
            }
            if !self.round(guard, play, planned, (rolling, closing.as_ref()), round).await? {
                break;
            }
        }
        Ok(true)
    }

    /// Goes over all hosts once; whether the play goes on.
    async fn round(
        &self,
        guard: &dyn Guard,
        play: &Play,
        planned: &Planned,
        (rolling, closing): (&Rolling, Option<&Closing>),
        round: &Round,
    ) -> Result<bool, Halt> {
        let mut remaining = planned.hosts.clone();
        let mut done: Vec<String> = Vec::new();
        while !remaining.is_empty() {
            self.stop_if_asked()?;
            self.window_fits(closing)?;
            self.locks_hold().await?;
            let begun = Instant::now();
            let host = self.ask(guard, play, planned, rolling, &remaining, &done).await?;
            remaining.retain(|left| *left != host);
            self.emit(Kind::BatchStarted { hosts: vec![host.clone()] })?;
            let turn = Turn { round, host: &host, first: done.is_empty(), last: remaining.is_empty() };
            let went_on = self.batch(play, planned, Some(&turn), vec![host.clone()]).await?;
            let lost = self.progress(|p| p.failed.contains_key(&host) || p.unreachable.contains_key(&host));
            self.progress(|progress| progress.slowest = progress.slowest.max(Some(begun.elapsed())));
            if !went_on || lost {
                return Err(self.all_failed(&[host]));
            }
            self.emit(Kind::TurnEnded { host: host.clone() })?;
            if self.progress(|progress| std::mem::take(&mut progress.play_ended)) {
                return Ok(false);
            }
            done.push(host);
        }
        Ok(true)
    }

    /// No host of the play was lost in an earlier one, or nothing is begun.
    fn none_lost(&self, planned: &Planned) -> Result<(), Halt> {
        let lost: Vec<(String, Fault)> = self.progress(|progress| {
            let of = |host: &String| progress.failed.get(host).or(progress.unreachable.get(host)).copied();
            planned.hosts.iter().filter_map(|host| Some((host.clone(), of(host)?))).collect()
        });
        if !lost.is_empty() {
            let names: Vec<&str> = lost.iter().map(|(host, _)| host.as_str()).collect();
            let faults: Vec<Fault> = lost.iter().map(|(_, fault)| *fault).collect();
            return Err(Halt {
                fault: worst(&faults).unwrap_or(Fault::Failed),
                reason: format!("{} of {} hosts failed earlier: {}", lost.len(), planned.hosts.len(), names.join(", ")),
                next: "a roll begins only when every member's host is well".to_owned(),
            });
        }
        Ok(())
    }

    /// Every host of the play is reached, or nothing is begun.
    async fn all_reached(&self, play: &Play, planned: &Planned) -> Result<(), Halt> {
        let batch = Batch::new(self, play, planned, None, planned.hosts.clone());
        let lists = batch.lists();
        let fleet = PlayFleet { engine: self, play: batch.play_scope(&lists), directives: &play.directives };
        let mut work: Vec<BoxFuture<'_, Option<Failure>>> = Vec::new();
        for host in &planned.hosts {
            work.push(Box::pin(async move { fleet.reach(host).await.err() }));
        }
        let silent: Vec<Failure> = futures_util::stream::iter(work)
            .buffer_unordered(self.run.options.forks.max(1))
            .filter_map(std::future::ready)
            .collect()
            .await;
        if silent.is_empty() {
            return Ok(());
        }
        let faults: Vec<Fault> = silent.iter().map(|failure| failure.fault).collect();
        let reasons: Vec<String> = silent.into_iter().map(|failure| failure.msg).collect();
        Err(Halt {
            fault: worst(&faults).unwrap_or(Fault::Unreachable),
            reason: format!("{} of {} hosts not reached: {}", faults.len(), planned.hosts.len(), reasons.join("; ")),
            next: "no host of this play was touched; bring them back, then run again".to_owned(),
        })
    }

    /// The host that is next, by leave of the guard.
    async fn ask(
        &self,
        guard: &dyn Guard,
        play: &Play,
        planned: &Planned,
        rolling: &Rolling,
        remaining: &[String],
        done: &[String],
    ) -> Result<String, Halt> {
        let batch = Batch::new(self, play, planned, None, planned.hosts.clone());
        let lists = batch.lists();
        let fleet = PlayFleet { engine: self, play: batch.play_scope(&lists), directives: &play.directives };
        let say = |kind: Kind| self.told(kind);
        let answer = guard.next(Ask { fleet: &fleet, remaining, done, order: rolling.order, say: &say }).await;
        let changed = self.progress(|progress| progress.changed);
        // Before the first change a "no" is a refusal, whatever is wrong with the cluster; a host that is not reached
        // or shows another key is that.
        let meant = |fault: Fault| match fault {
            Fault::Unreachable | Fault::HostKey => fault,
            _ if changed => fault,
            _ => Fault::Refused,
        };
        let (host, verdict, fault) = match answer {
            Ok(Choice { host, verdict, fault }) => (host, verdict, meant(fault)),
            Err(failure) => {
                let host = remaining.first().cloned().unwrap_or_default();
                let reason = format!("the guard could not be asked: {}", failure.msg);
                (host, Verdict { may: false, reason }, meant(failure.fault))
            }
        };
        if !remaining.contains(&host) {
            let reason = format!("the guard named `{host}`, which is not among the hosts that remain");
            return Err(Halt { fault: Fault::Bug, reason, next: "please report this".to_owned() });
        }
        self.emit(Kind::GuardAsked { host: host.clone(), verdict: verdict.clone() })?;
        if verdict.may {
            return Ok(host);
        }
        Err(Halt {
            fault,
            reason: format!("{host} may not be stopped: {}", verdict.reason),
            next: "bring the cluster to health, then run again".to_owned(),
        })
    }
}
