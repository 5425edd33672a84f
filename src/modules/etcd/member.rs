//! `etcd_member`: one member taken to the new binary, as one transaction on its host, and waited for until it has caught up.

mod ending;
mod leave;
mod name;
mod restart;
mod times;
mod watch;

use std::time::Duration;

use semver::Version;
use serde_json::{Map, json};

use crate::etcd::{self, WayBack};
use crate::events::{Fault, Kind};
use crate::modules::table::{Argument, NeedsTurn, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::remote::{Change, Judged, ReadAs, Serve, Swap, TakeBack, Window};
use crate::transport::BoxFuture;

use name::window_name;
pub(crate) use restart::ROW as RESTART;
use times::{CATCH_UP_TIMEOUT, Times};
pub(in crate::modules::etcd) use watch::catch_up;

use super::at_work;
use super::companions;
use super::downgrade::{DOWNGRADE, judged};
use super::facts::{Facts, refused, version, version_argument};
use super::files::{FILES, Files, on_paper};
use super::next_start::{VARIABLES, is_read, next_start, see};
use super::often;
use super::others;
use super::place::Place;
use super::preflight;
use super::ready::{THEN, then_argument};
use super::rewriting::{Hop, KEEP_V2, REWRITE_OPTIONS};
use super::rules::{RULES, rules};
use super::stage;
use super::survey::{Survey, survey};
use super::tool::Tool;
use super::v2_entries;
use super::{ACCEPT_DOWNTIME, BINARY, BINARY_SHA256, ORIGIN, RELEASES, UNIT, VERSION};

/// How long one process must have served before the host holds it for good without us (reliability R4).
const SOAK: Duration = Duration::from_secs(10);

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[
        VERSION,
        UNIT,
        RELEASES,
        BINARY,
        BINARY_SHA256,
        FILES,
        RULES,
        REWRITE_OPTIONS,
        KEEP_V2,
        ACCEPT_DOWNTIME,
        DOWNGRADE,
        THEN,
        Argument::new(
            "from",
            Shape::Text,
            "the version it will run by then; in a check run, which does not take it there",
        ),
        Argument::new(
            "start_timeout",
            Shape::Int,
            "how many seconds the new binary may take to serve on its own host, and then the old one comes back; else by the size of its data, at least 60",
        ),
        CATCH_UP_TIMEOUT,
    ],
    one_of: ORIGIN,
    returns: &[
        ("member", "its name"),
        ("from", "version before"),
        ("to", "version now"),
        ("down_ms", "how long it did not answer"),
        ("rewritten", "options that are said otherwise, and in which file"),
    ],
    preflight_local: Some(on_paper),
    needs_turn: NeedsTurn::Always,
    module: Some(&EtcdMember),
    ..Row::new("etcd_member", "stops a member, swaps its binary and files, starts it; takes all back if it fails")
};

struct EtcdMember;

/// One member's roll: what was known when it was begun.
pub(super) struct Roll<'c> {
    pub(super) call: &'c Call<'c>,
    pub(super) change: Change,
    pub(super) facts: Facts,
    pub(super) survey: Survey,
    pub(super) place: Place,
    /// What goes with the program.
    pub(super) tool: Option<Tool>,
    pub(super) files: Files,
    /// Whether the program itself is another one.
    pub(super) swapped: bool,
    /// Whether nothing is asked for but that it is started anew.
    pub(super) only_restarted: bool,
    pub(super) from: Version,
    pub(super) to: Version,
    pub(super) member: String,
    /// The name of its first window.
    pub(super) window: String,
    pub(super) way_back: WayBack,
    /// SHA-256 of the new program.
    pub(super) want: String,
    /// How long its stop may take.
    pub(super) stop: Duration,
    /// How long the program may take to serve.
    pub(super) start: Duration,
    /// How long the old one may take to serve again.
    pub(super) back: Duration,
    /// How long the member may take to catch up.
    pub(super) gate: Duration,
}

impl Module for EtcdMember {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move { roll(&call).await })
    }
}

async fn roll(call: &Call<'_>) -> Result<Outcome, Failure> {
    let to = version_argument(call)?;
    let unit = call.text("unit").unwrap_or("etcd").to_owned();
    at_work::wait(call, &unit).await?;
    let facts = Facts::gather(call.fleet, &call.probe, &unit).await?;
    // Side by side, since none needs another: a member's turn is as long as its questions one after the other.
    let (view, binary, place, tool, survey, times, stop, start_known, read) = tokio::join!(
        facts.view(),
        stage::obtain_unless_running(call, &facts, &to),
        Place::find(&call.probe, &facts, &to),
        Tool::find(call, &facts, &to),
        survey(call.fleet, &unit, Some(&facts)),
        Times::of(call, &facts),
        companions::stop_deadline(&call.probe, &facts),
        see(&call.probe, &facts),
        is_read(&call.probe, &facts.unit, &facts.state),
    );
    let (view, binary, place, tool, times, stop) = (view?, binary?, place?, tool?, times?, stop?);
    // Since the preflight somebody may have changed what the unit starts. The old files are judged too: they are the way back.
    start_known.and(read)?;
    preflight::by_order(call.host, &facts.unit, &facts.state)?;
    let next = next_start(&call.probe, &facts).await?;
    let own = often::files(call, &facts, &then_argument(call)?).await?;
    let from = from_argument(call, &view.version.server)?;
    let hop = Hop { running: Some(&view.version.server), from: Some(&from), to: &to };
    // A check run has not taken it to the versions in between, where options are said otherwise.
    if hop.running == hop.from {
        preflight::options(call, &facts, &next, hop)?;
    }
    let files = Files::plan_with(call, &facts, hop, own).await?;
    let election = facts.flags.election_timeout();
    let binary = binary.filter(|binary| binary.sha256 != place.running);
    let swapped = binary.is_some();
    if swapped {
        preflight::same_program(call, &place)?;
        others::program_is_its_own(&call.probe, &facts).await?;
    }
    if !swapped && !files.needed() {
        // Done before, perhaps by a run that was killed: what is left is to see that it has caught up.
        if let Some(change) = &call.change {
            watch::catch_up(call, &survey, &to, election, times.gate).await?;
            often::clear_left(call, change, &facts).await?;
        }
        return Ok(outcome(&view.name, &from, &to, None));
    }
    let way_back = if from == to {
        WayBack::Always
    } else {
        judged(call, &rules(call)?, &from, &to).map_err(|refusal| refused(call.host, refusal))?
    };
    // etcdctl goes with another etcd only.
    let tool = tool.filter(|_| swapped);
    if let Some(change) = &call.change {
        let parts = binary.as_ref().map(|binary| stage::parts(&place, binary, tool.as_ref())).unwrap_or_default();
        let missing = stage::missing(&call.probe, parts).await?;
        let missing = missing.first().map(|(place, _)| (place.staged.clone(), to.to_string()));
        let unstaged = files.unstaged(call).await?;
        for file in unstaged.iter().filter(|file| file.wanted.own) {
            file.stage(call, change).await?;
        }
        let unstaged = unstaged.iter().find(|file| !file.wanted.own);
        let unstaged = unstaged.map(|file| (file.staged(), file.wanted.dest.to_string()));
        if let Some((staged, what)) = missing.or(unstaged) {
            return Err(refused(
                call.host,
                format!("{staged} is not the staged {what}; run the task etcd_stage before"),
            ));
        }
    }
    if let Some(change) = call.change.as_ref().filter(|_| swapped) {
        v2_entries::none(call, change, (&facts, &next), &from, &to).await?;
    }
    let diff = files.diff(call).await?;
    let rewritten = files.rewritten.clone();
    for text in &rewritten {
        (call.say)(Kind::OptionRewritten { host: call.host.to_owned(), what: text.clone() })?;
    }
    // Before anything is laid out on the host; what it says is true for a moment only, so the host asks for leave again right before the stop.
    survey.still_may_stop(call.host, call.flag("accept_downtime")).await?;
    let act = act(&facts.unit, swapped.then_some((&from, &to)), &files);
    let Some(change) = call.change.clone() else {
        (call.say)(Kind::ActPlanned { host: call.host.to_owned(), act })?;
        let done = Outcome { changed: true, diff, ..outcome(&view.name, &from, &to, None) };
        return Ok(with_lines(done, rewritten));
    };
    let (member, want) = (view.name, binary.map_or_else(|| place.running.clone(), |binary| binary.sha256));
    let roll = Roll {
        call,
        change,
        facts,
        // Who watches a transaction must hear at once that the link is lost.
        survey: survey.once(),
        place,
        tool,
        files,
        swapped,
        only_restarted: false,
        from,
        window: window_name(call, &to),
        to,
        member,
        way_back,
        want,
        stop,
        start: times.start,
        back: times.back,
        gate: times.gate,
    };
    roll.run().await.map(|outcome| with_lines(Outcome { diff, ..outcome }, rewritten))
}

/// With the options that are said otherwise.
fn with_lines(mut outcome: Outcome, rewritten: Vec<String>) -> Outcome {
    if !rewritten.is_empty() {
        outcome.result.insert("rewritten".into(), json!(rewritten));
    }
    outcome
}

/// What runs, or in a check run what would run by then.
fn from_argument(call: &Call<'_>, runs: &Version) -> Result<Version, Failure> {
    match call.text("from").filter(|_| call.change.is_none()) {
        Some(text) => version(text, "from"),
        None => Ok(runs.clone()),
    }
}

pub(super) fn outcome(member: &str, from: &Version, to: &Version, down: Option<Duration>) -> Outcome {
    let mut result = Map::new();
    result.insert("member".into(), json!(member));
    result.insert("from".into(), json!(from.to_string()));
    result.insert("to".into(), json!(to.to_string()));
    if let Some(down) = down {
        result.insert("down_ms".into(), json!(u64::try_from(down.as_millis()).unwrap_or(u64::MAX)));
    }
    Outcome { changed: down.is_some(), result, ..Outcome::default() }
}

impl Roll<'_> {
    fn host(&self) -> &str {
        self.call.host
    }

    async fn run(self) -> Result<Outcome, Failure> {
        let act = act(&self.facts.unit, self.swapped.then_some((&self.from, &self.to)), &self.files);
        let mut tries = 0;
        loop {
            // Another try is another window, with a folder of its own.
            let name = if tries == 0 { self.window.clone() } else { window_name(self.call, &self.to) };
            let window = self.window(name).await?;
            (self.call.say)(Kind::ActBegins { host: self.host().to_owned(), act: act.clone() })?;
            self.begin(&window).await?;
            let watched = self.watch(&window, &self.to).await?;
            tries += 1;
            companions::tell_left_down(self.call, &self.facts.unit, &watched.receipt)?;
            if tries == leave::TRIES || !watched.receipt.had_no_leave() {
                return self.end(&window, watched).await;
            }
            let text = format!("{}: {}; nothing was stopped, so it is begun anew", self.host(), watched.receipt.detail);
            (self.call.say)(Kind::Warning { text })?;
        }
    }

    /// The transaction's steps, in words.
    pub(super) fn steps(&self) -> &'static str {
        if self.only_restarted { "stop, start" } else { "stop, swap, start" }
    }

    /// The transaction to the new program.
    async fn window(&self, name: String) -> Result<Window, Failure> {
        let program = self.swapped.then(|| self.place.swap(&self.from, &self.want));
        let swaps = program.into_iter().chain(self.tool.as_ref().map(Tool::swap)).chain(self.files.swaps()).collect();
        let take_back = self.take_back().await;
        let (read, reload) = match &self.files.read_as {
            Some((then, now)) => (now.clone(), Some(then.clone())),
            None => (self.read_now()?, None),
        };
        let mut judged = self.facts.seen.judged();
        // Through a link, if it is one: the window compares where that leads, but not what is there.
        judged.push(self.program_as_it_runs());
        let invocation = self.facts.state.invocation_id().unwrap_or_default();
        let window = self.plan(name, swaps, (read, reload, judged), take_back, invocation);
        Ok(Window { leave: Some(leave::LEAVE), ..window })
    }

    fn program_as_it_runs(&self) -> Judged {
        Judged { path: self.place.target.clone(), holds: self.place.running.clone() }
    }

    /// What systemd has read of the unit.
    fn read_now(&self) -> Result<ReadAs, Failure> {
        let none = || refused(self.host(), format!("{} has no file", self.facts.unit));
        ReadAs::of(&self.facts.state).ok_or_else(none)
    }

    pub(super) fn plan(
        &self,
        name: String,
        swaps: Vec<Swap>,
        (read, reload, judged): (ReadAs, Option<ReadAs>, Vec<Judged>),
        take_back: TakeBack,
        invocation: &str,
    ) -> Window {
        let marker = super::release::hex(&self.facts.data.identity.marker());
        Window {
            name,
            unit: self.facts.unit.clone(),
            invocation: invocation.to_owned(),
            swaps,
            read,
            reload,
            judged,
            foreign: VARIABLES,
            identity: Some((self.facts.data.wal_dir.clone(), marker)),
            serve: serve(&self.facts),
            take_back,
            // 2.3 refuses data in which 3.0 has made its database (etcd v2.3.8 etcdserver/server.go, read 2026-11-24; seen in the lab).
            no_return: (self.way_back == WayBack::UntilFirstStart).then(|| self.facts.data.dir.join("member/snap/db")),
            stop: self.stop,
            start: self.start,
            back: self.back,
            soak: SOAK,
            leave: None,
        }
    }

    /// While another member still runs the old minor the cluster version cannot rise, so the host may take the swap back by itself.
    /// For the last member it must ask the others first: 2.0 and 2.1 start on a risen cluster without a word. One that is alone can ask
    /// nobody.
    async fn take_back(&self) -> TakeBack {
        match self.way_back {
            WayBack::Always => return TakeBack::Open,
            WayBack::Never => return TakeBack::Closed,
            WayBack::WhileMixed | WayBack::UntilFirstStart => {}
        }
        if self.is_alone() {
            return alone(&self.from);
        }
        let looked = self.survey.look().await;
        let others = looked.hosts.iter().filter(|(host, _)| host.as_str() != self.host());
        let old = |told: &Result<etcd::MemberView, String>| {
            told.as_ref()
                .is_ok_and(|m| (m.version.server.major, m.version.server.minor) < (self.to.major, self.to.minor))
        };
        if others.clone().any(|(_, told)| old(told)) {
            return TakeBack::Open;
        }
        let closed = format!("\"etcdcluster\":\"{}.{}", self.to.major, self.to.minor);
        let peers = self.facts_of_others().map(|facts| (advertised(facts), closed.clone()));
        TakeBack::Ask(peers.collect())
    }

    /// Whether the cluster has no other member: none is stopped before every member is known to be a host of the play.
    pub(super) fn is_alone(&self) -> bool {
        self.survey.facts.keys().all(|host| host.as_str() == self.host())
    }

    fn facts_of_others(&self) -> impl Iterator<Item = &Facts> {
        self.survey
            .facts
            .iter()
            .filter(|(host, _)| host.as_str() != self.host())
            .filter_map(|(_, facts)| facts.as_ref().ok())
    }
}

/// The way back of the only member: a program that never served has raised nothing, and once one has, the old binary must refuse by itself.
fn alone(old: &Version) -> TakeBack {
    if etcd::refuses_risen(old) { TakeBack::Open } else { TakeBack::Closed }
}

/// The transaction in an act's words.
fn act(unit: &str, versions: Option<(&Version, &Version)>, files: &Files) -> String {
    let program = versions.map(|(from, to)| format!("{from} for {to}"));
    let parts: Vec<String> = program.into_iter().chain(files.names()).collect();
    let swap = if parts.is_empty() { String::new() } else { format!("swap {}, ", parts.join(" and ")) };
    format!("stop {unit}, {swap}start")
}

/// How the host itself sees its member serve.
fn serve(facts: &Facts) -> Serve {
    let path = (!facts.client.secure()).then(|| "/version".to_owned());
    let name = facts.flags.host_name().unwrap_or_else(|| facts.client.address.clone());
    Serve { address: facts.client.address.clone(), port: facts.client.port, name, path }
}

/// Where another host reaches a member's HTTP.
fn advertised(facts: &Facts) -> Serve {
    let urls = facts.flags.http_urls_from_afar();
    let plain = urls.iter().find_map(|url| url.strip_prefix("http://"));
    let authority = plain.and_then(|rest| rest.split('/').next()).and_then(|a| a.rsplit_once(':'));
    match authority.and_then(|(address, port)| Some((address, port.parse().ok()?))) {
        Some((address, port)) => {
            let address = address.trim_matches(['[', ']']).to_owned();
            let name = facts.flags.host_name().unwrap_or_else(|| address.clone());
            Serve { address, port, name, path: Some("/version".to_owned()) }
        }
        // Cannot be asked in the clear; who cannot be asked counts as "the way back is closed".
        None => {
            let (address, name) = ("127.0.0.1".to_owned(), "nobody".to_owned());
            Serve { address, port: 1, name, path: Some("/version".to_owned()) }
        }
    }
}

/// What a failure leaves behind, for the last two lines of its message.
pub(super) fn fault_by_quorum(sound: usize, voters: usize) -> Fault {
    if sound >= etcd::quorum(voters) { Fault::MemberDown } else { Fault::QuorumLost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_member_goes_back_where_its_old_binary_refuses_what_it_must_not_start_on() {
        for (old, open) in [("2.0.5", false), ("2.1.1", false), ("2.2.5", true), ("2.3.8", true), ("3.5.35", true)] {
            let way = alone(&old.parse().unwrap());
            assert_eq!(matches!(way, TakeBack::Open), open, "{old}");
            assert_eq!(matches!(way, TakeBack::Closed), !open, "{old}");
        }
    }
}
