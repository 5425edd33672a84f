//! `systemd` (`service`): a unit of a host: running or not, at boot or not, masked or not.
//!
//! Differs from Ansible: only system units (`scope: system`) and only systemd, for `service` too; no `daemon_reexec`, no
//! `force`; a `static` or generated unit counts as enabled when `enabled: yes` is asked and as disabled when `enabled: no`
//! is, since there is nothing to be done; a check run passes over a unit that is not there yet if the same task reloads
//! systemd, because the task before it may have written the unit's file only in thought. A start or stop may take as
//! long as the unit's own timeouts say.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::events::{Fault, Kind};
use crate::remote::{Change, UnitAction, UnitState};
use crate::transport::BoxFuture;

use super::table::{Argument, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// The margin over the unit's own timeouts: systemd's answer on a loaded host.
const MARGIN: Duration = Duration::from_secs(30);
/// For units that set none, and at most for any.
const SHORTEST: Duration = Duration::from_secs(120);
const LONGEST: Duration = Duration::from_secs(3600);

/// Its row.
pub const ROW: Row = Row {
    aliases: &["service", "systemd_service"],
    arguments: &[
        Argument::new("name", Shape::Text, "the unit; `.service` may be left out").aliases(&["service", "unit"]),
        Argument::new("state", Shape::Text, "what it shall be, or what shall be done with it").choices(&[
            "started",
            "stopped",
            "restarted",
            "reloaded",
        ]),
        Argument::new("enabled", Shape::Bool, "whether it starts at boot"),
        Argument::new("masked", Shape::Bool, "whether it can't be started at all"),
        Argument::new("daemon_reload", Shape::Bool, "let systemd read its files again first")
            .aliases(&["daemon-reload"])
            .default("no"),
        Argument::new("no_block", Shape::Bool, "do not wait for the end of start, stop, restart or reload")
            .default("no"),
        Argument::new("scope", Shape::Text, "only the system's units").choices(&["system"]).default("system"),
    ],
    returns: &[
        ("name", "the unit"),
        ("state", "what was asked for"),
        ("enabled", "what was asked for"),
        ("status", "what `systemctl show` said of it beforehand"),
    ],
    module: Some(&Systemd),
    ..Row::new("systemd", "starts, stops, enables and masks units of systemd")
};

/// What a task asks of a unit.
#[derive(Clone, Copy, Debug, Default)]
struct Wish<'a> {
    state: Option<&'a str>,
    enabled: Option<bool>,
    masked: Option<bool>,
}

struct Systemd;

impl Module for Systemd {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let flag = |name: &str| call.args.get(name).and_then(Value::as_bool);
            let wish = Wish { state: call.text("state"), enabled: flag("enabled"), masked: flag("masked") };
            let idle = wish.state.is_none() && wish.enabled.is_none() && wish.masked.is_none();
            let reload = call.flag("daemon_reload");
            let name = call.text("name");
            if name.is_none() && (!idle || !reload) {
                let msg = "systemd: `name` is missing; only daemon_reload goes without it";
                return Err(Failure::new(Fault::Failed, msg));
            }
            if let Some(change) = call.change.as_ref().filter(|_| reload) {
                change.unit("", UnitAction::DaemonReload, false).await?;
            }
            let Some(name) = name else {
                return Ok(Outcome { result: said(&wish, None), ..Outcome::default() });
            };
            one(&call, name, &wish, idle).await
        })
    }
}

async fn one(call: &Call<'_>, name: &str, wish: &Wish<'_>, idle: bool) -> Result<Outcome, Failure> {
    let unit = call.probe.unit(name).await?;
    let mut result = said(wish, Some(&unit));
    result.insert("name".to_owned(), Value::from(name));
    if !unit.exists() && !idle {
        if call.change.is_none() && call.flag("daemon_reload") {
            let text = format!("{}: {name} is not known to systemd yet; taken as new in this check run", call.host);
            (call.say)(Kind::Warning { text })?;
            return Ok(Outcome { changed: true, result, ..Outcome::default() });
        }
        let msg = format!("{}: could not find the requested service {name}", call.host);
        return Err(Failure::new(Fault::Failed, msg).with(result));
    }
    let steps = steps(&unit, wish);
    if let Some(change) = &call.change {
        let change = patient(change, &unit);
        for step in &steps {
            let lasting =
                matches!(step, UnitAction::Start | UnitAction::Stop | UnitAction::Restart | UnitAction::Reload);
            let done = change.unit(name, *step, lasting && call.flag("no_block")).await;
            done.map_err(|error| Failure { result: result.clone(), ..Failure::from(error) })?;
        }
    }
    Ok(Outcome { changed: !steps.is_empty(), result, ..Outcome::default() })
}

/// The same leave with as much time as the unit's own timeouts need.
fn patient(change: &Change, unit: &UnitState) -> Change {
    let own = |timeout: Option<Duration>| timeout.unwrap_or(LONGEST);
    let needed = own(unit.timeout_start()).saturating_add(own(unit.timeout_stop())).saturating_add(MARGIN);
    let known = !unit.get("TimeoutStartUSec").is_empty() && !unit.get("TimeoutStopUSec").is_empty();
    let deadline = if known { needed.clamp(SHORTEST, LONGEST) } else { SHORTEST };
    change.with_host(change.probe().host().clone().with_deadline(deadline))
}

/// What has to be done, in order; nothing if all is as it should be.
fn steps(unit: &UnitState, wish: &Wish<'_>) -> Vec<UnitAction> {
    let mut steps = Vec::new();
    let masked = unit.load_state() == "masked" || unit.unit_file_state().starts_with("masked");
    match wish.masked {
        Some(true) if !masked => steps.push(UnitAction::Mask),
        Some(false) if masked => steps.push(UnitAction::Unmask),
        _ => {}
    }
    match wish.enabled {
        Some(wanted) if wanted != is_enabled(unit).unwrap_or(wanted) => {
            steps.push(if wanted { UnitAction::Enable } else { UnitAction::Disable });
        }
        _ => {}
    }
    let running = matches!(unit.active_state(), "active" | "activating" | "reloading" | "refreshing");
    match wish.state {
        Some("started") if !running => steps.push(UnitAction::Start),
        Some("stopped") if running || unit.active_state() == "deactivating" => steps.push(UnitAction::Stop),
        Some("restarted") => steps.push(UnitAction::Restart),
        // As Ansible does: what does not run can't be reloaded, so it is started.
        Some("reloaded") => steps.push(if running { UnitAction::Reload } else { UnitAction::Start }),
        _ => {}
    }
    steps
}

/// Whether it starts at boot; nothing where that can't be changed (systemctl(1), table of `is-enabled`).
fn is_enabled(unit: &UnitState) -> Option<bool> {
    match unit.unit_file_state() {
        "enabled" | "enabled-runtime" => Some(true),
        "static" | "generated" | "transient" => None,
        _ => Some(false),
    }
}

fn said(wish: &Wish<'_>, unit: Option<&UnitState>) -> Map<String, Value> {
    let mut result = Map::new();
    if let Some(state) = wish.state {
        result.insert("state".to_owned(), Value::from(state));
    }
    if let Some(enabled) = wish.enabled {
        result.insert("enabled".to_owned(), Value::from(enabled));
    }
    let properties = unit.into_iter().flat_map(|unit| &unit.properties);
    let status = properties.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    result.insert("status".to_owned(), Value::Object(status));
    result
}

#[cfg(test)]
mod tests;
