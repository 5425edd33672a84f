//! `etcd_defrag`: has one member write its database anew, where that pays, and waits until it is sound again; disarms `NOSPACE` on request.

use std::time::{Duration, Instant};

use semver::Version;
use serde_json::{Map, Value, json};

use crate::etcd::{self, Alarm, Api, MemberView, StoreState, Worth};
use crate::events::{Fault, Kind};
use crate::modules::table::{Argument, NeedsTurn, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::remote::HttpResponse;
use crate::transport::BoxFuture;

use super::at_work;
use super::facts::{Facts, refused};
use super::member::{catch_up, fault_by_quorum};
use super::survey::{Survey, survey};
use super::{ACCEPT_DOWNTIME, UNIT};

/// Its row.
///
/// The bounds are ours: what is free is filled again before the file grows, so less than a third is not worth a busy member (OpenShift's
/// etcd operator takes 45 % and 100 MB); and below 64 MiB there is nothing to gain on a disk, nor of a quota of 2 GiB.
pub(crate) const ROW: Row = Row {
    arguments: &[
        UNIT,
        ACCEPT_DOWNTIME,
        Argument::new(
            "min_free_percent",
            Shape::Int,
            "the least share of the database that is not in use; before 3.4 it is not told and does not count",
        )
        .default("30"),
        Argument::new("min_size_mb", Shape::Int, "the least size of the database, in MiB; does not count before 3.4")
            .default("64"),
        Argument::new("force", Shape::Bool, "always, however little there is to gain"),
        Argument::new(
            "disarm_nospace",
            Shape::Bool,
            "then disarm the alarm NOSPACE, if every member is below its quota; for the last member",
        ),
    ],
    returns: &[
        ("member", "its name"),
        ("before", "bytes of its database"),
        ("in_use", "bytes of it that were in use; from 3.4 on"),
        ("after", "bytes of its database then; not in a check run"),
        ("disarmed", "the alarms that were taken back"),
    ],
    needs_turn: NeedsTurn::Always,
    module: Some(&EtcdDefrag),
    ..Row::new("etcd_defrag", "has a member give the free pages of its database back to the disk")
};

/// How long a member may take to be sound again once it has answered: it has kept its place in raft and lacks what was written meanwhile.
const GATE: Duration = Duration::from_secs(120);
/// How long an alarm may take to be gone on all members: one entry in the log, and an election.
const DISARMED: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(250);

struct EtcdDefrag;

/// One member's turn.
struct Turn<'c> {
    call: &'c Call<'c>,
    facts: Facts,
    view: MemberView,
    store: StoreState,
    prefix: &'static str,
    survey: Survey,
}

impl Module for EtcdDefrag {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move { Turn::new(&call).await?.run().await })
    }
}

fn number(call: &Call<'_>, name: &str) -> Result<u64, Failure> {
    let Some(value) = call.args.get(name) else { return Ok(0) };
    let wrong = || Failure::new(Fault::Input, format!("{name}: expected a number, at least 0, found {value}"));
    value.as_u64().ok_or_else(wrong)
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    let mib = bytes / (1 << 20);
    if mib > 0 { format!("{mib} MiB") } else { format!("{} KiB", bytes >> 10) }
}

fn said(answer: &HttpResponse) -> String {
    let body: String = String::from_utf8_lossy(&answer.body).trim().chars().take(200).collect();
    format!("status {}, `{body}`", answer.status)
}

impl<'c> Turn<'c> {
    async fn new(call: &'c Call<'c>) -> Result<Self, Failure> {
        let unit = call.text("unit").unwrap_or("etcd");
        at_work::wait(call, unit).await?;
        let facts = Facts::gather(call.fleet, &call.probe, unit).await?;
        let view = facts.view().await?;
        etcd::may_defragment(&view.version.server).map_err(|why| refused(call.host, why))?;
        let (Api::V3 { prefix }, Some(store)) = (etcd::api(&view.version), view.store.clone()) else {
            return Err(refused(call.host, "the v3 API does not serve yet: the cluster version is below 3.0"));
        };
        // The alarm is what this is done for; a member is to be sound in all else.
        let survey = survey(call.fleet, unit, Some(&facts)).await.past_no_space();
        Ok(Self { call, facts, view, store, prefix, survey })
    }

    fn version(&self) -> &Version {
        &self.view.version.server
    }

    async fn run(self) -> Result<Outcome, Failure> {
        let call = self.call;
        let mib = number(call, "min_size_mb")?;
        let worth = Worth {
            min_free_percent: number(call, "min_free_percent")?,
            min_size: mib.saturating_mul(1 << 20),
            force: call.flag("force"),
        };
        let no_space = self.view.alarms.iter().any(Alarm::is_no_space);
        let mut result = Map::new();
        result.insert("member".into(), json!(self.view.name));
        result.insert("before".into(), json!(self.store.db_size));
        result.extend(self.store.db_in_use.map(|used| ("in_use".to_owned(), json!(used))));
        let skipped = worth.judge(&self.store, no_space).err();
        if skipped.is_none() {
            self.may_be_busy().await?;
            if call.change.is_some() {
                let after = self.defragment().await?;
                result.insert("after".into(), json!(after));
            }
            result.insert("msg".into(), Value::from(self.words()));
        }
        let disarmed = if call.flag("disarm_nospace") { self.disarm().await? } else { Vec::new() };
        let changed = skipped.is_none() || !disarmed.is_empty();
        result.insert("disarmed".into(), json!(disarmed));
        Ok(Outcome { changed, skipped: skipped.filter(|_| !changed), result, ..Outcome::default() })
    }

    /// What there is to gain, for people.
    fn words(&self) -> String {
        let (name, before) = (&self.view.name, size(self.store.db_size));
        match self.store.db_in_use {
            Some(used) => {
                let free = size(self.store.db_size.saturating_sub(used));
                format!("member {name}: {free} of {before} are free")
            }
            None => format!("member {name}: {before}; how much of it is free etcd {} does not tell", self.version()),
        }
    }

    /// The others do without it meanwhile, as without one that is stopped; and its disk has room for a second file.
    async fn may_be_busy(&self) -> Result<(), Failure> {
        let call = self.call;
        // The new file is written beside the old one and takes its place (etcd storage/backend/backend.go, `defrag`).
        let needed = self.store.db_in_use.unwrap_or(self.store.db_size);
        let space = call.probe.space(&self.facts.data.dir).await?;
        if space.free <= needed {
            let (free, needed) = (size(space.free), size(needed));
            let what =
                format!("{} has {free} free, and the new database needs {needed} beside the old one", space.mount);
            return Err(refused(call.host, what));
        }
        self.survey.still_may_stop(call.host, call.flag("accept_downtime")).await
    }

    /// Has it done and waits until the member is sound again; gives the bytes of its database then.
    async fn defragment(&self) -> Result<u64, Failure> {
        let (call, host) = (self.call, self.call.host);
        let patience = etcd::patience(self.store.db_size);
        let act = format!("defragment, {}", self.words());
        (call.say)(Kind::ActBegins { host: host.to_owned(), act })?;
        let begun = Instant::now();
        let late = match self.facts.client.defragment(self.prefix, patience).await {
            Ok(answer) if answer.status == 200 => None,
            Ok(answer) => {
                let text = format!("{host}: the member does not defragment: {}", said(&answer));
                return Err(Failure::new(Fault::Failed, text));
            }
            // It goes on without us: etcd does not end it with its caller.
            Err(error) if error.lost() => {
                let text = format!(
                    "{host}: the link was lost while the member defragments: {error}\n\
                     it goes on by itself and answers nothing meanwhile; no other member is touched; when {host} can be reached, run again"
                );
                return Err(Failure::new(Fault::OutcomeUnknown, text));
            }
            Err(error) => Some(format!("no answer after {} s: {error}", begun.elapsed().as_secs())),
        };
        let took = begun.elapsed();
        let election = self.facts.flags.election_timeout();
        let caught_up = catch_up(call, &self.survey, self.version(), election, GATE).await;
        if let Err(failure) = caught_up {
            return Err(self
                .down(&late.map_or_else(|| failure.msg.clone(), |late| format!("{}\n{late}", failure.msg)))
                .await);
        }
        let after = self.facts.view().await?.store.map(|store| store.db_size).unwrap_or_default();
        if let Some(late) = late.filter(|_| after >= self.store.db_size) {
            let text = format!("{host}: the member is sound, but its database is as large as before: {late}");
            return Err(Failure::new(Fault::Failed, text));
        }
        (call.say)(Kind::MemberDefragmented {
            host: host.to_owned(),
            member: self.view.name.clone(),
            before: self.store.db_size,
            after,
            took,
        })?;
        Ok(after)
    }

    async fn down(&self, why: &str) -> Failure {
        let view = self.survey.look().await;
        let sound = view.hosts.values().flatten().filter(|member| member.read.is_ok()).count();
        let (host, of, unit) = (self.call.host, view.hosts.len(), &self.facts.unit);
        let text = format!(
            "{host}: not sound after its database was written anew: {why}\n{sound} of {of} members answer reads through raft\n\
             look at `journalctl -u {unit}` on {host}; no later member is touched"
        );
        Failure::new(fault_by_quorum(sound, of), text)
    }

    /// Takes the `NOSPACE` alarms back, if every member is below its quota; gives their words.
    async fn disarm(&self) -> Result<Vec<String>, Failure> {
        let (call, host) = (self.call, self.call.host);
        let alarms: Vec<Alarm> = self.facts.view().await?.alarms.into_iter().filter(Alarm::is_no_space).collect();
        let words = alarms.iter().map(Alarm::to_string).collect();
        if alarms.is_empty() || call.change.is_none() {
            return Ok(words);
        }
        self.below_quota().await?;
        for alarm in &alarms {
            (call.say)(Kind::ActBegins { host: host.to_owned(), act: format!("disarm {alarm}") })?;
            match self.facts.client.disarm(self.prefix, alarm).await {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => return Err(self.still_armed(&said(&answer))),
                Err(error) => return Err(self.still_armed(&error.to_string())),
            }
        }
        let begun = Instant::now();
        loop {
            let view = self.survey.look_at_all().await;
            let armed = |told: &Result<MemberView, String>| match told {
                Ok(member) => member.alarms.iter().any(Alarm::is_no_space),
                Err(_) => true,
            };
            let Some((other, _)) = view.hosts.iter().find(|(_, told)| armed(told)) else { return Ok(words) };
            if begun.elapsed() >= DISARMED {
                let what = format!("{other} knows of one still after {} s", DISARMED.as_secs());
                return Err(self.still_armed(&what));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn still_armed(&self, why: &str) -> Failure {
        let text = format!("{}: the alarm NOSPACE is not disarmed: {why}\nno write is taken meanwhile", self.call.host);
        Failure::new(Fault::Failed, text)
    }

    /// A member at its quota would raise the alarm again with the next write.
    async fn below_quota(&self) -> Result<(), Failure> {
        let view = self.survey.look().await;
        for (host, told) in &view.hosts {
            let told = told.as_ref().map_err(|why| self.still_armed(&format!("{host}: {why}")))?;
            let store = told.store.clone().unwrap_or_default();
            let facts = self.survey.facts.get(host).and_then(|facts| facts.as_ref().ok());
            let quota = facts.and_then(|facts| etcd::quota_of_database(&store, &facts.flags));
            let Some(quota) = quota else {
                return Err(
                    self.still_armed(&format!("the quota of {host} is not known: it is in a configuration file"))
                );
            };
            if store.db_size >= quota {
                let used = store.db_in_use.map(|used| format!(", {} of it in use", size(used))).unwrap_or_default();
                let what = format!(
                    "the database of {host} has {}{used}, and its quota is {}\n\
                     delete keys and compact (`etcdctl compact`), or raise `quota-backend-bytes`, then run again",
                    size(store.db_size),
                    size(quota)
                );
                return Err(self.still_armed(&what));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        assert_eq!([size(20_480), size(64 << 20), size(0)], ["20 KiB", "64 MiB", "0 KiB"]);
    }
}
