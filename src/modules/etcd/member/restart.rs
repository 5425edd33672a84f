//! `etcd_restart`: one member restarted as it is, as one transaction on its host, and waited for until it has caught up.

use semver::Version;
use serde_json::json;

use crate::etcd::{Rules, WayBack};
use crate::events::{Fault, Kind};
use crate::modules::table::{Argument, NeedsTurn, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::remote::{Change, SURROUNDINGS, UnitAction};
use crate::transport::BoxFuture;

use super::super::certificates;
use super::super::companions;
use super::super::facts::{Facts, refused};
use super::super::files::Files;
use super::super::next_start::{is_read, next_start, see};
use super::super::place::Place;
use super::super::survey::survey;
use super::super::would_be::judge_unread;
use super::super::{ACCEPT_DOWNTIME, UNIT, at_work, preflight, room};
use super::{CATCH_UP_TIMEOUT, Roll, Times, outcome, window_name};

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[
        UNIT,
        ACCEPT_DOWNTIME,
        Argument::new(
            "start_timeout",
            Shape::Int,
            "how many seconds it may take to serve on its own host; else by the size of its data, at least 60",
        ),
        CATCH_UP_TIMEOUT,
        Argument::new("phase", Shape::Text, "`check` looks whether it could be restarted, and changes nothing")
            .choices(&["check", "restart"])
            .default("restart"),
    ],
    returns: &[
        ("member", "its name"),
        ("from", "its version before"),
        ("to", "the same"),
        ("down_ms", "how long it did not answer"),
        ("reload", "whether systemd has to read the unit's files anew before"),
    ],
    needs_turn: NeedsTurn::Unless("phase", "check"),
    module: Some(&EtcdRestart),
    ..Row::new("etcd_restart", "restarts a member as it is, and waits until it has caught up")
};

struct EtcdRestart;

/// `$1` the unit, `$2` names of settings; prints what systemd goes by.
const SETTINGS: &str = r#"exec systemctl --no-pager show --property="$2" -- "$1""#;

impl Module for EtcdRestart {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move { restart(&call).await })
    }
}

async fn restart(call: &Call<'_>) -> Result<Outcome, Failure> {
    let unit = call.text("unit").unwrap_or("etcd").to_owned();
    at_work::wait(call, &unit).await?;
    let facts = Facts::gather(call.fleet, &call.probe, &unit).await?;
    let view = facts.view().await?;
    let version = view.version.server.clone();
    preflight::unit(call, &facts, &version)?;
    certificates::hold(&call.probe, &facts, call.probe.outlook().await?.clock, None).await?;
    room::for_the_member(&call.probe, &facts.data).await?;
    let place = Place::find(&call.probe, &facts, &version).await?;
    same_program(call, &place).await?;
    let unread = call.probe.unread_drop_ins(&facts.state).await?;
    let reload = facts.state.needs_daemon_reload() || !unread.is_empty();
    if reload {
        judge_unread(&call.probe, &facts, (Rules::built_in(), &version), unread).await?;
    } else {
        same_member(call, &facts, &version).await?;
    }
    let told = |changed: bool, mut outcome: Outcome| {
        outcome.result.insert("reload".into(), json!(reload));
        Outcome { changed, ..outcome }
    };
    if call.text("phase") == Some("check") {
        companions::tell(call, &facts).await?;
        return Ok(told(false, outcome(&view.name, &version, &version, None)));
    }
    let survey = survey(call.fleet, &unit, Some(&facts)).await;
    let times = Times::of(call, &facts).await?;
    let stop = companions::stop_deadline(&call.probe, &facts).await?;
    let facts = match call.change.as_ref().filter(|_| reload) {
        Some(change) => reread(call, change, &facts, &version).await?,
        None => facts,
    };
    // Before anything is laid out on the host; what it says is true for a moment only, so the host asks for leave again right before the stop.
    survey.still_may_stop(call.host, call.flag("accept_downtime")).await?;
    let Some(change) = call.change.clone() else {
        return Ok(told(true, outcome(&view.name, &version, &version, None)));
    };
    let want = place.running.clone();
    let roll = Roll {
        call,
        change,
        facts,
        survey: survey.once(),
        place,
        tool: None,
        files: Files::default(),
        swapped: false,
        only_restarted: true,
        from: version.clone(),
        window: window_name(call, &version),
        to: version,
        member: view.name,
        // There is no other program to go back to.
        way_back: WayBack::Never,
        want,
        stop,
        start: times.start,
        back: times.back,
        gate: times.gate,
    };
    roll.run().await.map(|outcome| told(true, outcome))
}

/// What would be started is the program that runs: else the restart would be an upgrade without its checks.
async fn same_program(call: &Call<'_>, place: &Place) -> Result<(), Failure> {
    let found = match place.standing.as_str() {
        "none" => "none".to_owned(),
        link if link.starts_with("link:") => call.probe.sha256(&call.probe.canonical(&place.target).await?).await?,
        sum => sum.to_owned(),
    };
    if found == place.running {
        return Ok(());
    }
    let what = format!(
        "{} is not the program that runs, and a restart would start it: to another version leads playbooks/etcd-upgrade.yml\n\
         running  {}\non disk  {found}",
        place.target, place.running
    );
    Err(refused(call.host, what))
}

/// With what systemd knows and the files of variables hold, the same member would be started, with options that its version knows.
async fn same_member(call: &Call<'_>, facts: &Facts, version: &Version) -> Result<(), Failure> {
    is_read(&call.probe, &facts.unit, &facts.state).await?;
    see(&call.probe, facts).await?;
    let next = next_start(&call.probe, facts).await?;
    let faults: Vec<String> = next.faults(Rules::built_in(), version).iter().map(ToString::to_string).collect();
    if !faults.is_empty() {
        return Err(refused(call.host, faults.join("\n")));
    }
    Ok(())
}

/// Has systemd read the unit's files anew, while the member still runs, and looks whether all that must not change has stayed.
async fn reread(call: &Call<'_>, change: &Change, facts: &Facts, version: &Version) -> Result<Facts, Failure> {
    let before = settings(call, facts).await?;
    let act = format!("have systemd read the files of {} anew", facts.unit);
    (call.say)(Kind::ActBegins { host: call.host.to_owned(), act })?;
    change.unit(&facts.unit, UnitAction::DaemonReload, false).await?;
    let facts = Facts::gather(call.fleet, &call.probe, &facts.unit).await?;
    // It is changed now, so "refused before any change" would not be true.
    let changed = |what: &str| {
        let text = format!(
            "{what}\nnothing was stopped, but systemd has read the change: take it back before this member restarts"
        );
        Failure::new(Fault::Failed, text)
    };
    preflight::by_order(call.host, &facts.unit, &facts.state).map_err(|failure| changed(&failure.msg))?;
    same_member(call, &facts, version).await.map_err(|failure| changed(&failure.msg))?;
    let after = settings(call, &facts).await?;
    let other: Vec<&str> = after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
    if other.is_empty() && before.lines().count() == after.lines().count() {
        return Ok(facts);
    }
    let (host, unit, other) = (call.host, &facts.unit, other.join("\n"));
    Err(changed(&format!("{host}: {unit}: as whom etcd runs and which files it sees must stay as they are\n{other}")))
}

async fn settings(call: &Call<'_>, facts: &Facts) -> Result<String, Failure> {
    let args = [facts.unit.as_str(), &SURROUNDINGS.join(",")];
    let ran = call.probe.script("look at the unit's settings", SETTINGS, &args, None).await?;
    if ran.success() {
        return Ok(String::from_utf8_lossy(&ran.stdout).into_owned());
    }
    Err(refused(call.host, format!("what {} goes by is not known: {}", facts.unit, ran.words())))
}
