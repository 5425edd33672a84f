//! `etcd_path`: the way of the whole cluster from the version that runs to the one that is wanted, hop by hop, for a play's rounds.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde_json::{Map, Value, json};

use crate::etcd::{self, Api, ENABLE_V2, First, MemberView, Rules, Step, WayBack};
use crate::events::{Fault, Kind, PathStep};
use crate::modules::table::{Argument, CheckMode, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::transport::BoxFuture;

use super::auth_hop::{self, ACCEPT_AUTH_HOP};
use super::downgrade::{DOWNGRADE, judged};
use super::facts::{Facts, refused, version_argument};
use super::files::{FILES, has_files};
use super::next_start::{self, next_flags};
use super::often;
use super::quorum;
use super::release::{self, Origin};
use super::rewriting::{REWRITE_OPTIONS, lacks_v2, walk};
use super::rules::{RULES, rules};
use super::survey::{Survey, survey};
use super::would_be::judge_own;
use super::{BINARY, BINARY_SHA256, ORIGIN, RELEASES, UNIT, VERSION};

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
        DOWNGRADE,
        REWRITE_OPTIONS,
        ACCEPT_AUTH_HOP,
        Argument::new(
            "v2_data",
            Shape::Text,
            "what becomes of keys in the v2 store where its API ends, with 3.4: `refuse` to go there, `delete` them before, `migrate` them into the v3 store, or tell the members to serve it as long as they can, and `stop` with 3.5",
        )
        .choices(&["refuse", "delete", "migrate", "stop"])
        .default("refuse"),
    ],
    one_of: ORIGIN,
    returns: &[(
        "ansible_facts.etcd_path",
        "the hops: `name`, `from`, `to`, `then` (what must be done on `to` before the next), `keep_v2` (whether `to` must be told to serve the v2 API), `why`",
    )],
    facts: &["etcd_path"],
    check: CheckMode::Runs,
    preflight_local: Some(|args, dir| {
        let mut problems = release::on_paper(args, dir);
        problems.extend(super::rules::on_paper(args, dir));
        problems
    }),
    module: Some(&EtcdPath),
    ..Row::new("etcd_path", "finds the way to a version: one minor at a time, over the releases at hand")
};

struct EtcdPath;

impl Module for EtcdPath {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let to = version_argument(&call)?;
            let rules = rules(&call)?;
            let unit = call.text("unit").unwrap_or("etcd");
            let survey = survey(call.fleet, unit, None).await;
            if let Some(failure) = survey.unreachable() {
                return Err(failure.clone());
            }
            let view = quorum::or_lost(call.fleet, unit, whole(&survey).await).await?;
            let running = view.values().map(|member| member.version.server.clone()).collect();
            let mut steps = steps(&call, &survey, &rules, running, &to)?;
            without_young_snapshots(&call, &survey, &mut steps).await?;
            v2_data(&call, &survey, &view, &mut steps).await?;
            snapshots(&call, &survey, &rules, &steps).await?;
            options(&call, &survey, &rules, &steps).await?;
            for facts in survey.facts.values().flatten() {
                for step in &steps {
                    auth_hop::allowed(&call, &rules, facts, (&step.from, &step.to)).await?;
                }
            }
            (call.say)(Kind::PathFound { steps: steps.iter().map(told).collect() })?;
            let path: Vec<Value> = steps.iter().map(row).collect();
            let mut result = Map::new();
            result.insert("ansible_facts".to_owned(), json!({ "etcd_path": path }));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}

/// A step's name, for people.
fn name(step: &Step) -> String {
    match step.from == step.to {
        true if step.then.contains(&First::Snapshot) => format!("{} again, for a snapshot", step.to),
        true => step.to.to_string(),
        false => format!("{} -> {}", step.from, step.to),
    }
}

/// The step for whoever reads of the run.
fn told(step: &Step) -> PathStep {
    PathStep {
        name: name(step),
        why: step.why.clone(),
        source: step.source.clone(),
        then: step.then.iter().map(|first| first.in_words().to_owned()).collect(),
        back: step.back_in_words(),
    }
}

fn row(step: &Step) -> Value {
    let then: Vec<&str> = step.then.iter().map(|first| first.word()).collect();
    json!({
        "name": name(step),
        "from": step.from.to_string(),
        "to": step.to.to_string(),
        "then": then,
        "keep_v2": step.keep_v2,
        "why": step.why,
    })
}

/// What the members told, by host; every one of them.
async fn whole(survey: &Survey) -> Result<BTreeMap<String, MemberView>, Failure> {
    let told = survey.look().await.hosts.into_iter();
    told.map(|(host, told)| match told {
        Ok(member) => Ok((host, member)),
        Err(reason) => Err(refused(&host, reason)),
    })
    .collect()
}

/// The way from what runs. A cluster that is mixed was left in the middle of a hop: that hop is gone on with.
fn steps(
    call: &Call<'_>,
    survey: &Survey,
    rules: &Rules,
    running: BTreeSet<Version>,
    to: &Version,
) -> Result<Vec<Step>, Failure> {
    let machines: BTreeSet<&str> = survey.facts.values().flatten().map(|facts| facts.machine.as_str()).collect();
    let origin = Origin::from_call(call)?;
    let mut at_hand: Option<BTreeSet<Version>> = None;
    for machine in machines {
        let there = origin.versions(machine)?;
        at_hand = Some(match at_hand {
            Some(before) => before.intersection(&there).cloned().collect(),
            None => there,
        });
    }
    let at_hand = at_hand.unwrap_or_default();
    let down = call.flag("downgrade");
    let way = if down { etcd::path_down } else { etcd::path };
    let mut running: Vec<Version> = running.into_iter().collect();
    if down {
        running.reverse();
    }
    let mut running = running.into_iter();
    let (from, ahead) = (running.next(), running.next());
    let Some(from) = from else { return Err(refused(call.host, "no member was asked")) };
    let fault = |fault: etcd::PathFault| refused(call.host, fault);
    let Some(ahead) = ahead else { return way(rules, &from, to, &at_hand).map_err(fault) };
    if let Some(third) = running.next() {
        let what =
            format!("the members run {from}, {ahead} and {third}; bring them to one version, or two neighbours, first");
        return Err(refused(call.host, what));
    }
    let back = judged(call, rules, &from, &ahead).map_err(|refusal| refused(call.host, refusal))?;
    let mut rest = way(rules, &ahead, to, &at_hand).map_err(fault)?;
    // What is to be done on the version that is reached is done once all members have reached it.
    let first = rest.first().cloned().filter(|first| first.from == first.to);
    if first.is_some() {
        rest.remove(0);
    }
    let then = first.map(|first| first.then).unwrap_or_default();
    let left = Step::new(from, ahead, back, "the hop in which the cluster was left");
    let mut steps = vec![Step { then, ..left }];
    steps.append(&mut rest);
    Ok(steps)
}

/// Leaves the round for snapshots out where every member has one that was taken after the last of them all was started: what an older
/// version has written to the log, through whichever member, lies before it then.
async fn without_young_snapshots(call: &Call<'_>, survey: &Survey, steps: &mut Vec<Step>) -> Result<(), Failure> {
    let first = steps.first().filter(|step| step.from == step.to && step.then == [First::Snapshot]);
    if first.is_none() || steps.len() < 2 {
        return Ok(());
    }
    let mut all = Vec::new();
    for facts in survey.facts.values().flatten() {
        all.push(Ages::of(call, facts).await?);
    }
    if all_young(&all) {
        steps.remove(0);
    }
    Ok(())
}

/// `$1` data directory, `$2` the start of the process in microseconds since boot. Prints how many seconds ago the youngest snapshot was written and the process started; nothing for
/// the first if there is none.
const AGES: &str = r#"
now=$(date +%s) last=$(ls "$1/member/snap" 2>/dev/null | grep '^[0-9a-f]*-[0-9a-f]*\.snap$' | tail -n 1)
[ -n "$last" ] && written=$(stat -c %Y "$1/member/snap/$last") && age=$((now - written))
read -r up rest </proc/uptime
[ "${2:-0}" -gt 0 ] && ran=$((${up%.*} - $2 / 1000000))
echo "${age:-none} ${ran:-none}"
"#;

/// Seconds by the host's own clock, so that clocks that differ do not matter.
#[derive(Clone, Copy, Debug)]
struct Ages {
    snapshot: Option<u64>,
    process: Option<u64>,
}

impl Ages {
    async fn of(call: &Call<'_>, facts: &Facts) -> Result<Self, Failure> {
        let probe = call.fleet.probe(&facts.host()).await?;
        let start = facts.state.get("ExecMainStartTimestampMonotonic");
        let ran = probe.script("compare a snapshot's age", AGES, &[facts.data.dir.as_str(), start], None).await?;
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let mut words = text.split_whitespace().map(|word| word.parse().ok());
        Ok(Self { snapshot: words.next().flatten(), process: words.next().flatten() })
    }
}

/// What is not known is no reason to leave anything out.
fn all_young(all: &[Ages]) -> bool {
    let oldest =
        all.iter().map(|ages| ages.snapshot).collect::<Option<Vec<u64>>>().and_then(|ages| ages.into_iter().max());
    let youngest =
        all.iter().map(|ages| ages.process).collect::<Option<Vec<u64>>>().and_then(|ages| ages.into_iter().min());
    // A second for each of the two times, which are cut to seconds.
    oldest.zip(youngest).is_some_and(|(snapshot, process)| snapshot + 2 < process)
}

/// Where members take snapshots on the way, each of them is started with a file of quorate's own beside those of its unit: that start is
/// judged here, and not when the first member's turn has come.
async fn snapshots(call: &Call<'_>, survey: &Survey, rules: &Rules, steps: &[Step]) -> Result<(), Failure> {
    let Some(first) = steps.first().filter(|_| steps.iter().any(|step| step.then.contains(&First::Snapshot))) else {
        return Ok(());
    };
    let mut faults: Vec<String> = Vec::new();
    for (host, facts) in &survey.facts {
        let Ok(facts) = facts else { continue };
        let probe = call.fleet.probe(host).await?;
        let judged = match often::more_often(facts) {
            Ok(own) => judge_own(call, &probe, facts, (rules, &first.from), own).await,
            Err(failure) => Err(failure),
        };
        match judged {
            Err(failure) if failure.fault == Fault::Refused => faults.push(failure.msg),
            other => other?,
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(Fault::Refused, faults.join("\n"))) }
}

/// Options that a release on the way does not take, on all hosts; with files to go with the program those are judged elsewhere.
async fn options(call: &Call<'_>, survey: &Survey, rules: &Rules, steps: &[Step]) -> Result<(), Failure> {
    if has_files(call) {
        return Ok(());
    }
    let mut faults: Vec<String> = Vec::new();
    for (host, facts) in &survey.facts {
        let Ok(facts) = facts else { continue };
        let next = next_flags(&call.fleet.probe(host).await?, facts).await?;
        if steps.iter().any(|step| next.loses_4001(&step.from, &step.to)) {
            let text = format!(
                "{host}: `listen-client-urls` is not set, and from 3.0 on etcd does not listen on localhost:4001: who asks there is cut \
                 off; set it where that is not meant"
            );
            (call.say)(Kind::Warning { text })?;
        }
        let lacks = steps.iter().find_map(|step| next.lacks_arch(&facts.machine, &step.to));
        faults.extend(lacks.map(|fault| format!("{host}: {fault}")));
        if call.flag(REWRITE_OPTIONS.name) {
            let against = walk(&call.fleet.probe(host).await?, facts, rules, steps).await?;
            faults.extend(against.into_iter().map(|fault| format!("{host}: {fault}")));
            continue;
        }
        let mut told: BTreeSet<String> = BTreeSet::new();
        for step in steps {
            if step.keep_v2 && lacks_v2(facts, &step.to) && told.insert(ENABLE_V2.0.to_owned()) {
                let (name, value) = ENABLE_V2;
                faults.push(format!("{host}: `{name}={value}` has to be said for the v2 API to go on in {}", step.to));
            }
            for fault in next_start::faults(&facts.flags, &next, rules, &step.to) {
                if told.insert(fault.subject().to_owned()) {
                    faults.push(format!("{host}: {fault}"));
                }
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(Fault::Refused, faults.join("\n"))) }
}

/// Where the way leads past the end of the v2 API: refuses, stops before it, or puts into the way what becomes of its keys.
async fn v2_data(
    call: &Call<'_>,
    survey: &Survey,
    view: &BTreeMap<String, MemberView>,
    steps: &mut Vec<Step>,
) -> Result<(), Failure> {
    let told = |facts: &Facts| facts.flags.tells_v2() == Some(true);
    let all_told = survey.facts.values().flatten().all(told);
    let Some(end) = etcd::end_of_v2(steps, all_told) else { return Ok(()) };
    let Some((Ok(facts), member)) = survey.facts.get(call.host).zip(view.get(call.host)) else {
        return Err(refused(call.host, "it is no host of the play"));
    };
    let served = match etcd::api(&member.version) {
        Api::V2 => true,
        // From 3.4 on only where it was asked for.
        Api::V3 { prefix } => prefix != "/v3" || told(facts),
    };
    if !served {
        return Ok(());
    }
    let top = facts.client.v2_top_if_served().await.map_err(|error| refused(call.host, error))?;
    let Some(top) = top.filter(|top| !top.is_empty()) else { return Ok(()) };
    let Some(last) = steps.get(end).cloned() else { return Ok(()) };
    let first = match call.text("v2_data") {
        Some("delete") => First::V2Delete,
        Some("migrate") => First::V2Migrate,
        Some("stop") => return stop(call, &top, steps),
        _ => {
            let what = format!(
                "the v2 store has keys ({}), and its API ends with {}: who uses it is cut off there, and 3.6 does not start on them\n\
                 stop at 3.3, or say `etcd_v2_data=migrate` to have them moved into the v3 store right before, `etcd_v2_data=delete`, \
                 or `etcd_v2_data=stop` to end at 3.5 with members that are told to serve it",
                etcd::first_names(top.iter().map(String::as_str)),
                last.to
            );
            return Err(refused(call.host, what));
        }
    };
    let before = end.checked_sub(1);
    match before.and_then(|before| steps.get_mut(before)) {
        Some(before) => before.then.insert(0, first),
        None => {
            let at = last.from;
            let step = Step::new(at.clone(), at, WayBack::Always, "the v2 API ends with the next minor");
            steps.insert(0, Step { then: vec![first], ..step });
        }
    }
    Ok(())
}

/// Ends the way where no release serves the v2 API any more, and says so.
fn stop(call: &Call<'_>, top: &[String], steps: &mut Vec<Step>) -> Result<(), Failure> {
    let wanted = steps.last().map(|step| step.to.to_string()).unwrap_or_default();
    if !etcd::stop_with_v2(steps) {
        return Ok(());
    }
    let there = steps.last().map(|step| step.to.to_string()).unwrap_or_default();
    let text = format!(
        "the way ends at {there} and not at {wanted}: the v2 store has keys ({}), and `v2_data` says to stop where its API ends",
        etcd::first_names(top.iter().map(String::as_str))
    );
    (call.say)(Kind::Warning { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_young_only_if_each_is_younger_than_every_process() {
        let ages = |pairs: &[(Option<u64>, Option<u64>)]| {
            let all: Vec<Ages> = pairs.iter().map(|&(snapshot, process)| Ages { snapshot, process }).collect();
            all_young(&all)
        };
        assert!(ages(&[(Some(10), Some(100)), (Some(20), Some(50))]));
        // One was started after another's snapshot: an older version may have written through it meanwhile.
        assert!(!ages(&[(Some(10), Some(100)), (Some(60), Some(70)), (Some(5), Some(50))]));
        assert!(!ages(&[(Some(49), Some(50))]));
        assert!(!ages(&[(None, Some(50))]) && !ages(&[(Some(1), None)]) && !ages(&[]));
    }
}
