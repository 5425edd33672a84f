//! `etcd_preflight`: everything that can be wrong on a host or in the cluster, found before the first change.

use std::time::Instant;

use semver::Version;
use serde_json::{Map, Value, json};

use crate::etcd::{self, ClusterVersion, ClusterView, Flags, MemberView, WayBack, minor_of};
use crate::events::Kind;
use crate::modules::table::{Argument, CheckMode, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::remote::UnitState;
use crate::transport::BoxFuture;

use super::at_work;
use super::auth_hop::{self, ACCEPT_AUTH_HOP};
use super::backup;
use super::certificates;
use super::companions;
use super::downgrade::{DOWNGRADE, judged};
use super::facts::{Facts, cluster_text, parsed, refused, version_argument};
use super::files::{FILES, Files, has_files, on_paper};
use super::next_start::{self, is_read, next_start, see};
use super::others;
use super::outlook;
use super::place::Place;
use super::quorum;
use super::rewriting::{Hop, KEEP_V2, REWRITE_OPTIONS, is_due};
use super::room;
use super::rules::{RULES, rules};
use super::same_data::same_data;
use super::stage;
use super::survey::{PAUSE, Survey, patience, survey};
use super::tool::Tool;
use super::{ACCEPT_DOWNTIME, BINARY, BINARY_SHA256, ORIGIN, RELEASES, UNIT, VERSION};

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
        ACCEPT_AUTH_HOP,
        Argument::new("path", Shape::List, "the hops of the run, as `etcd_path` has them"),
        Argument::new("data_dir", Shape::Text, "the data directory that the process must be using"),
    ],
    one_of: ORIGIN,
    returns: &[("ansible_facts.etcd_roll", "`from`, `to`, `needed` on this host, `cluster_needed` on any")],
    facts: &["etcd_roll"],
    check: CheckMode::Runs,
    preflight_local: Some(on_paper),
    begins_anew: true,
    module: Some(&EtcdPreflight),
    ..Row::new("etcd_preflight", "finds everything that stands against the roll, before anything is changed")
};

struct EtcdPreflight;

impl Module for EtcdPreflight {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let found = preflight(&call).await;
            quorum::or_lost(call.fleet, call.text("unit").unwrap_or("etcd"), found).await
        })
    }
}

async fn preflight(call: &Call<'_>) -> Result<Outcome, Failure> {
    let target = version_argument(call)?;
    let unit = call.text("unit").unwrap_or("etcd");
    at_work::wait(call, unit).await?;
    let facts = Facts::gather(call.fleet, &call.probe, unit).await?;
    let view = facts.view().await?;
    let version = view.version.server.clone();
    if version != target {
        let rules = rules(call)?;
        judged(call, &rules, &version, &target).map_err(|refusal| refused(call.host, refusal))?;
        auth_hop::allowed(call, &rules, &facts, (&version, &target)).await?;
    }
    let clock = outlook::say(call).await?;
    for text in certificates::hold(&call.probe, &facts, clock, Some((&version, &last(call, &target)))).await? {
        (call.say)(Kind::Warning { text })?;
    }
    let hop = Hop::from(&version, &target);
    self::unit(call, &facts, &target)?;
    companions::tell(call, &facts).await?;
    is_read(&call.probe, &facts.unit, &facts.state).await?;
    see(&call.probe, &facts).await?;
    let next = next_start(&call.probe, &facts).await?;
    self::options(call, &facts, &next, hop)?;
    data_dir(call, &facts)?;
    let files = Files::plan(call, &facts, hop).await?;
    let binary = stage::obtain_unless_running(call, &facts, &target).await?;
    let place = Place::find(&call.probe, &facts, &target).await?;
    if let Some(binary) = binary.as_ref().filter(|b| b.sha256 == place.running && version != target) {
        let path = binary.path.display();
        let what = format!("{path} is the program that runs already\nexpected {target}\nfound    {version}");
        return Err(refused(call.host, what));
    }
    let binary = binary.filter(|binary| binary.sha256 != place.running);
    let swapped = binary.is_some();
    // Bytes that staging will take before the backup is made.
    let mut to_stage = 0;
    if let Some(binary) = &binary {
        same_program(call, &place)?;
        others::program_is_its_own(&call.probe, &facts).await?;
        let tool = Tool::find(call, &facts, &target).await?;
        let parts = stage::missing(&call.probe, stage::parts(&place, binary, tool.as_ref())).await?;
        to_stage = stage::room(&call.probe, &place.staged, &parts).await?;
    }
    let survey = survey(call.fleet, unit, Some(&facts)).await;
    let view = whole_cluster(call, &survey, &target).await?;
    // One answer for the whole cluster.
    if call.fleet.hosts().first().is_some_and(|host| host == call.host) {
        same_data(&survey).await.map_err(|reason| refused(call.host, reason))?.say(call)?;
    }
    let needed = swapped || files.needed();
    // A way may begin with a restart of what runs already, for a snapshot; what lies behind that needs all of this too.
    let cluster_needed = needed || hops(call).len() > 1 || cluster_needed(&view, &target);
    one_way(call, &survey, &version, &target)?;
    if cluster_needed {
        let size = facts.data.size(&call.probe).await?;
        room::for_the_member(&call.probe, &facts.data).await?;
        backup::room(&call.probe, size, to_stage).await?;
        if let Some(text) = room::little_memory(&call.probe, &facts.data).await? {
            (call.say)(Kind::Warning { text })?;
        }
        if let Some(change) = &call.change {
            // Beside the program, and where copies and receipts are written.
            room::takes_writes(change, [&place.staged, &backup::scratch(call.run)]).await?;
        }
    }
    let roll = json!({
        "from": version.to_string(),
        "to": target.to_string(),
        "needed": needed,
        "cluster_needed": cluster_needed,
    });
    let mut result = Map::new();
    result.insert("ansible_facts".to_owned(), json!({ "etcd_roll": roll }));
    Ok(Outcome { result, ..Outcome::default() })
}

/// The hops of the run.
fn hops<'c>(call: &'c Call<'_>) -> &'c [Value] {
    call.args.get("path").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The highest version on the way of the run.
fn last(call: &Call<'_>, target: &Version) -> Version {
    let to = hops(call).iter().filter_map(|hop| parsed(hop.get("to")?.as_str()?));
    to.fold(target.clone(), Version::max)
}

/// What the options of the process and of its next start say against the target; with `files`, or where they are said otherwise, those are
/// judged that the target will be started with.
pub(super) fn options(call: &Call<'_>, facts: &Facts, next: &Flags, hop: Hop<'_>) -> Result<(), Failure> {
    if let Some(fault) = next.lacks_arch(&facts.machine, hop.to).filter(|_| !has_files(call)) {
        return Err(refused(call.host, fault));
    }
    let rules = rules(call)?;
    let faults = next_start::faults(&facts.flags, next, &rules, hop.to);
    if faults.is_empty() || has_files(call) || is_due(call, facts, &rules, hop) {
        return Ok(());
    }
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(refused(call.host, faults.join("\n")))
}

/// The data directory must be the one that the call expects, if it expects any.
fn data_dir(call: &Call<'_>, facts: &Facts) -> Result<(), Failure> {
    let Some(expected) = call.text("data_dir") else { return Ok(()) };
    if facts.data.dir.as_str() == expected.trim_end_matches('/') {
        return Ok(());
    }
    let what = format!("the process uses another data directory\nexpected {expected}\nfound    {}", facts.data.dir);
    Err(refused(call.host, what))
}

/// Whether the unit can start the target, and starts it after a reboot.
pub(super) fn unit(call: &Call<'_>, facts: &Facts, target: &Version) -> Result<(), Failure> {
    let (unit, kind) = (&facts.unit, facts.state.kind());
    by_order(call.host, unit, &facts.state)?;
    // etcd calls sd_notify from 2.2 on (etcd v2.1.1 and v2.2.5 etcdmain, read 2026-11-24).
    if kind == "notify" && !has_files(call) && (target.major, target.minor) < (2, 2) {
        let what =
            format!("{unit} is Type=notify, but etcd {target} never says that it is ready; it needs Type=simple");
        return Err(refused(call.host, what));
    }
    match facts.state.unit_file_state() {
        "enabled" | "enabled-runtime" | "static" | "generated" | "linked" | "alias" => Ok(()),
        "masked" | "masked-runtime" => {
            Err(refused(call.host, format!("{unit} is masked, so it could not be started again")))
        }
        other => {
            let host = call.host;
            let text = format!("{host}: {unit} is {other}: after a reboot this member would stay down");
            (call.say)(Kind::Warning { text })
        }
    }
}

/// Whether systemd takes orders to stop and to start the unit, without which there is no transaction. One that is down for a refused start stays down
/// (systemd.unit(5), `RefuseManualStop=`).
pub(super) fn by_order(host: &str, unit: &str, state: &UnitState) -> Result<(), Failure> {
    let orders = [("stop", "RefuseManualStop", "CanStop"), ("start", "RefuseManualStart", "CanStart")];
    for (order, refuses, can) in orders {
        let why = match (state.get(refuses), state.get(can)) {
            ("yes", _) => format!("{refuses}=yes"),
            (_, "no") => format!("{can}=no"),
            _ => continue,
        };
        let what = format!(
            "systemd refuses an order to {order} {unit} ({why})\ntake that out of its files, run `systemctl daemon-reload`, and run again"
        );
        return Err(refused(host, what));
    }
    Ok(())
}

/// The file that will be kept as the way back must be what runs.
pub(super) fn same_program(call: &Call<'_>, place: &Place) -> Result<(), Failure> {
    if place.standing.starts_with("link:") || place.standing == place.running {
        return Ok(());
    }
    let what = format!(
        "{} is not the program that runs: it was replaced without a restart\nrunning  {}\non disk  {}",
        place.target, place.running, place.standing
    );
    Err(refused(call.host, what))
}

/// Every member sound and of the source or the target version; and one of them may be missed.
async fn whole_cluster(call: &Call<'_>, survey: &Survey, target: &Version) -> Result<ClusterView, Failure> {
    if let Some(failure) = survey.unreachable() {
        return Err(failure.clone());
    }
    let accept = call.flag("accept_downtime");
    let mut view = survey.may_stop(call.host, accept).await?;
    let begun = Instant::now();
    while let Some(what) = unsettled(&view, target).filter(|_| !call.flag("downgrade")) {
        if begun.elapsed() > patience(&view, true) {
            return Err(refused(call.host, what));
        }
        tokio::time::sleep(PAUSE).await;
        view = survey.may_stop(call.host, accept).await?;
    }
    let members: Vec<&MemberView> = view.hosts.values().flatten().collect();
    let others = members.iter().map(|m| &m.version.server).filter(|version| *version != target);
    let mut sources: Vec<String> = others.map(ToString::to_string).collect();
    sources.sort();
    sources.dedup();
    if sources.len() > 1 {
        let what = format!(
            "the members run {} besides the target {target}; bring them to one version first",
            sources.join(" and ")
        );
        return Err(refused(call.host, what));
    }
    if let Some(under_way) = members.iter().find_map(|m| m.store.as_ref()?.downgrade.as_ref())
        && !call.flag("downgrade")
    {
        let what = format!(
            "a downgrade to {under_way} is under way: end it by playbooks/etcd-downgrade.yml, or take it back by `etcdctl downgrade cancel`"
        );
        return Err(refused(call.host, what));
    }
    for (host, member) in &view.hosts {
        let version = member.as_ref().ok().map(|m| &m.version);
        if let Some(ClusterVersion::Is(cluster)) = version.map(|v| &v.cluster)
            && (cluster.major, cluster.minor) > (target.major, target.minor)
            && !call.flag("downgrade")
        {
            return Err(refused(host, format!("the cluster version is {cluster}, so {target} can never serve in it")));
        }
    }
    Ok(view)
}

/// What is wrong while a later minor is wanted and the cluster version is still below what every member runs: the hop before this one has
/// not ended, and a member of the next would find a cluster of two minors before its own.
fn unsettled(view: &ClusterView, target: &Version) -> Option<String> {
    let members: Vec<&MemberView> = view.hosts.values().flatten().collect();
    let lowest = members.iter().map(|member| minor_of(&member.version.server)).min()?;
    let lags = |member: &&&MemberView| !member.version.cluster.has_settled(lowest);
    let member = members.iter().find(lags).filter(|_| lowest < minor_of(target))?;
    let found = cluster_text(&member.version.cluster).unwrap_or_else(|| "none".to_owned());
    Some(format!(
        "the cluster version does not follow the members, so what brought them here has not ended\nexpected {}.{}.0, which all of them run or more\nfound    {found}\n\
         next: see why the leader cannot ask every member for its version (peer URLs, certificates, its log), then run again",
        lowest.0, lowest.1
    ))
}

/// Says once where a member is not taken back by itself: over TLS no host can ask the others whether the way back is open, on which that of
/// the last member hangs; and an only member has nobody to ask.
fn one_way(call: &Call<'_>, survey: &Survey, version: &Version, target: &Version) -> Result<(), Failure> {
    let first = call.fleet.hosts().first().is_some_and(|host| host == call.host);
    let asks = version != target
        && etcd::judge(&rules(call)?, version, target).is_ok_and(|way_back| way_back != WayBack::Always);
    if !first || !asks {
        return Ok(());
    }
    let in_the_clear = survey.facts.values().flatten().all(Facts::in_the_clear);
    match not_back(survey.facts.len(), in_the_clear, version, target) {
        Some(text) => (call.say)(Kind::Warning { text }),
        None => Ok(()),
    }
}

/// Why the last member of so many is not taken back by itself, if so.
fn not_back(members: usize, in_the_clear: bool, version: &Version, target: &Version) -> Option<String> {
    match members {
        1 if etcd::refuses_risen(version) => None,
        1 => Some(format!(
            "the cluster has one member, and {version} starts without a word in one that has risen above it: should {target} not \
             serve, that member is left on it instead of going back to {version} by itself"
        )),
        _ if in_the_clear => None,
        _ => Some(format!(
            "the members speak TLS, which a host cannot ask: should {target} not serve on the last one, that one is left on it \
             instead of going back to {version} by itself"
        )),
    }
}

/// Whether any member is not yet on the target: then the roll has something to do.
fn cluster_needed(view: &ClusterView, target: &Version) -> bool {
    view.hosts.values().any(|told| told.as_ref().map_or(true, |member| member.version.server != *target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_where_the_last_member_is_not_taken_back_by_itself() {
        let of = |members: usize, in_the_clear: bool, version: &str| {
            not_back(members, in_the_clear, &version.parse().unwrap(), &Version::new(3, 6, 16)).unwrap_or_default()
        };
        assert!(of(1, true, "2.1.1").contains("the cluster has one member"));
        assert_eq!((of(1, true, "2.2.5"), of(1, false, "3.5.35"), of(3, true, "2.1.1")), Default::default());
        assert!(of(3, false, "3.5.35").contains("the members speak TLS"));
    }

    #[test]
    fn a_unit_that_takes_no_orders_to_stop_or_start_is_refused_by_the_property_that_says_so() {
        let of = |text: &str| by_order("n1", "etcd.service", &UnitState::from_show(text));
        let takes = "CanStart=yes\nCanStop=yes\nRefuseManualStart=no\nRefuseManualStop=no\n";
        // An older systemd may not say.
        assert!(of(takes).is_ok() && of("").is_ok());
        for (text, said) in [
            ("CanStop=no\nRefuseManualStop=yes\n", "to stop etcd.service (RefuseManualStop=yes)"),
            ("CanStop=yes\nCanStart=no\nRefuseManualStart=yes\n", "to start etcd.service (RefuseManualStart=yes)"),
            ("CanStop=no\n", "to stop etcd.service (CanStop=no)"),
            ("CanStart=no\n", "to start etcd.service (CanStart=no)"),
        ] {
            let failure = of(text).unwrap_err();
            assert_eq!(failure.fault, crate::events::Fault::Refused);
            assert!(failure.msg.contains(said), "{}", failure.msg);
        }
    }
}
