//! What must be true after every cell, A1 to A12, each a function that says what is wrong, with its number.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate_lab::MemberStatus;
use serde_json::Value;

use super::control::Ran;
use super::evidence::Evidence;
use super::memory::MOST;
use super::roll_call::{Down, two_at_once};
use super::table::Pair;

/// One of them.
type Check = fn(&Evidence) -> Result<(), String>;

/// All of them, and what the table says of the cell itself.
const CHECKS: [Check; 13] = [as_in_the_table, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12];

/// The longest that a run may take, by its own deadlines: for each of three members 20 s to stop, 60 s to start and 60 s to catch up.
const LONGEST: Duration = Duration::from_secs(3 * 140);

/// What is wrong with a cell; nothing, if all is well.
pub(crate) fn wrong(evidence: &Evidence) -> Vec<String> {
    CHECKS.iter().filter_map(|check| check(evidence).err()).collect()
}

fn must(good: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(words()) }
}

/// The outcome of a member that has gone back.
const ROLLED_BACK: &str = "rolled back";

/// A check's own words before what it found.
fn none(what: &str, found: &[String]) -> Result<(), String> {
    must(found.is_empty(), || format!("{what}: {}", found.iter().take(4).cloned().collect::<Vec<_>>().join("; ")))
}

/// Exit code, words, and state of the cluster are those of the table.
pub(crate) fn as_in_the_table(evidence: &Evidence) -> Result<(), String> {
    let Evidence { cell, run, live, windows, .. } = evidence;
    let exit = cell.exit.code();
    must(run.code == exit, || format!("exit: {:?}, expected {exit:?}: {}", run.code, last_words(run)))?;
    let new = on(live, &cell.pair.new);
    must(cell.new.contains(&new), || {
        format!("state: {new} members are new, expected {:?}: {}\n{windows}", cell.new, last_words(run))
    })?;
    let down = live.iter().filter(|member| !member.healthy).count();
    must(down == cell.down, || format!("state: {down} members do not serve, expected {}: {live:?}", cell.down))?;
    let unsaid: Vec<_> = cell.says.iter().filter(|words| !run.text.contains(*words)).cloned().collect();
    none("words: not said", &unsaid)
}

/// Every acknowledged write can be read through each member, agreed by the quorum.
pub(crate) fn a1(evidence: &Evidence) -> Result<(), String> {
    let load = &evidence.load;
    must(load.acked > 100, || format!("A1: {} acknowledged writes are too few to say anything", load.acked))?;
    must(load.ok && load.lost == 0, || format!("A1: {} writes lost: {:?}", load.lost, load.violations))
}

/// Two members are never stopped by us at the same time.
pub(crate) fn a2(evidence: &Evidence) -> Result<(), String> {
    let ours = by_us(evidence);
    must(two_at_once(&ours).is_none(), || format!("A2: two members were down at once: {:?}", two_at_once(&ours)))
}

/// When a member is stopped by us, those that stay are a quorum.
pub(crate) fn a3(evidence: &Evidence) -> Result<(), String> {
    let members = evidence.live.len();
    let quorum = members / 2 + 1;
    for ours in by_us(evidence) {
        let other = |down: &&Down| down.host != ours.host && down.from <= ours.from && ours.from < down.to;
        let others: BTreeSet<&str> = evidence.downs.iter().filter(other).map(|down| down.host.as_str()).collect();
        let stay = members - 1 - others.len();
        let host = &ours.host;
        must(stay >= quorum, || format!("A3: {host} was stopped while {others:?} did not serve: {stay} stayed"))?;
    }
    Ok(())
}

/// The times at which members were down that the fault itself does not take down.
fn by_us(evidence: &Evidence) -> Vec<Down> {
    let ours = evidence.downs.iter().filter(|down| !evidence.by_fault.contains(&down.host));
    ours.cloned().collect()
}

/// Every member is who it was, in the cluster that it was in.
pub(crate) fn a4(evidence: &Evidence) -> Result<(), String> {
    let (before, after) = (&evidence.identity_before, &evidence.identity_after);
    must(before.len() == evidence.live.len(), || format!("A4: not every member said who it is: {before:?}"))?;
    must(before == after, || format!("A4: before {before:?}, after {after:?}"))
}

/// Each program is byte by byte the old or the new one, and so is what runs.
pub(crate) fn a5(evidence: &Evidence) -> Result<(), String> {
    let mut found = Vec::new();
    for host in &evidence.programs {
        for (program, sum) in &host.sums {
            if !evidence.known.has(program, sum) {
                found.push(format!("{} of {} has the sum {sum}", program, host.host));
            }
        }
    }
    must(!evidence.programs.is_empty(), || "A5: no program was looked at".to_owned())?;
    none("A5: neither old nor new", &found)
}

/// Nothing is left over: files, masks, drop-ins, units, listeners, locks; on the control machine no half file.
pub(crate) fn a6(evidence: &Evidence) -> Result<(), String> {
    let mut found = Vec::new();
    for (host, before) in &evidence.listing_before {
        let strays = evidence.listing_after.get(host).map(|after| before.strays(after, &evidence.cell.pair));
        found.extend(strays.unwrap_or_default().into_iter().map(|stray| format!("{host} {stray}")));
    }
    let half = |path: &&String| path.ends_with(".partial") || path.contains("/.quorate-") || path.ends_with(".new");
    found.extend(evidence.state_files.iter().filter(half).cloned());
    must(evidence.listing_after.len() == evidence.live.len(), || "A6: not every host was looked at".to_owned())?;
    none("A6: left over", &found)
}

/// What a run says of itself, by its code and by its events, is how the cluster is.
pub(crate) fn a7(evidence: &Evidence) -> Result<(), String> {
    let pair = &evidence.cell.pair;
    std::iter::once(&evidence.run).chain(&evidence.resumes).try_for_each(is_text)?;
    agrees(pair, &evidence.run, &evidence.live, &evidence.by_fault)?;
    evidence.resumes.iter().try_for_each(|resume| agrees(pair, resume, &evidence.live_after, &[]))
}

fn agrees(pair: &Pair, run: &Ran, live: &[MemberStatus], by_fault: &[String]) -> Result<(), String> {
    let ended = run.events.iter().find(|event| event["event"] == "run_ended");
    if let Some(ended) = ended {
        let said = ended["code"].as_i64();
        must(said == run.code.map(i64::from), || format!("A7: exit {:?}, its events say {said:?}", run.code))?;
    }
    let healthy = live.iter().filter(|member| member.healthy).count();
    let silent: Vec<&str> = live.iter().filter(|member| !member.healthy).map(|member| member.host.as_str()).collect();
    match run.code {
        Some(0) => {
            must(silent.is_empty() && on(live, &pair.new) == live.len(), || format!("A7: exit 0, and {live:?}"))?
        }
        // "Every member that was up is up."
        Some(code @ (2..=8 | 10 | 20)) => {
            let ours: Vec<_> = silent.iter().filter(|host| !by_fault.iter().any(|other| other == **host)).collect();
            must(ours.is_empty(), || format!("A7: exit {code}, and {ours:?} do not serve"))?;
        }
        Some(11) => must(!silent.is_empty() && healthy > live.len() / 2, || format!("A7: exit 11, and {live:?}"))?,
        _ => {}
    }
    // Of two ends of one member the later counts; the versions are the event's, since on some ways each member is first restarted as it is.
    let mut said = BTreeMap::new();
    for event in &run.events {
        if event["event"] == "act_begins" {
            // A member that has another turn is in doubt until its end.
            said.remove(text(event, "host"));
        }
        if event["event"] != "member_rolled" {
            continue;
        }
        let runs = if text(event, "outcome") == ROLLED_BACK { "from" } else { "to" };
        said.insert(text(event, "host"), (text(event, "outcome"), text(event, runs)));
    }
    must(run.code != Some(10) || said.values().any(|(outcome, _)| *outcome == ROLLED_BACK), || {
        format!("A7: exit 10, and no event says who was rolled back: {said:?}")
    })?;
    for (host, (outcome, wanted)) in said {
        must([&pair.old, &pair.new].iter().any(|version| *version == wanted), || format!("A7: {host} to {wanted:?}"))?;
        let version = live.iter().find(|member| member.host == host).and_then(|member| member.version.as_deref());
        must(version == Some(wanted), || format!("A7: {host} is said to have {outcome}, and runs {version:?}"))?;
    }
    Ok(())
}

/// A run's words are text: nothing in them acts on a terminal.
fn is_text(run: &Ran) -> Result<(), String> {
    let acts = run.text.chars().find(|c| c.is_control() && *c != '\n');
    must(acts.is_none(), || format!("A7: a run said {:?}, which acts on terminals", acts.unwrap_or_default()))
}

/// No secret is in an argument, an environment, a log, a journal, or anything else that is left.
pub(crate) fn a8(evidence: &Evidence) -> Result<(), String> {
    none("A8: a secret was seen", &evidence.leaks)
}

/// `resume` once ends as the table says, with all members new where that is 0; a second time it does nothing.
pub(crate) fn a9(evidence: &Evidence) -> Result<(), String> {
    let Evidence { cell, resumes, live_after, .. } = evidence;
    let [first, second] = resumes.as_slice() else {
        return Err(format!("A9: {} resumes", resumes.len()));
    };
    must(first.code == Some(cell.resume), || {
        format!("A9: resume ended with {:?}, expected {}: {}", first.code, cell.resume, last_words(first))
    })?;
    let all = live_after.iter().all(|member| member.healthy && member.version.as_deref() == Some(&cell.pair.new));
    must(cell.resume != 0 || all, || format!("A9: resumed, and {live_after:?}"))?;
    let acts = |run: &Ran| run.events.iter().filter(|event| event["event"] == "act_begins").count();
    must(second.code == Some(cell.resume) && acts(second) == 0, || {
        format!("A9: a second resume ended with {:?} and {} acts: {}", second.code, acts(second), last_words(second))
    })
}

/// A run needs less than 256 MiB and ends in time.
pub(crate) fn a10(evidence: &Evidence) -> Result<(), String> {
    let Evidence { peak_kib, memory_kills, longest, .. } = evidence;
    must(*memory_kills == 0, || format!("A10: killed {memory_kills} times for want of memory"))?;
    must(*peak_kib > 0 && *peak_kib < MOST / 1024, || format!("A10: {peak_kib} KiB of memory"))?;
    must(*longest < LONGEST, || format!("A10: a run took {longest:?}"))
}

/// Nobody but etcd makes, changes or removes a file of a data directory.
pub(crate) fn a11(evidence: &Evidence) -> Result<(), String> {
    none("A11: a data directory was changed by", &evidence.strangers)
}

/// All members have the same data: by the whole store, as no release here tells a hash (that begins with 3.3).
pub(crate) fn a12(evidence: &Evidence) -> Result<(), String> {
    let mut first: Option<(&String, &String)> = None;
    for (host, store) in &evidence.stores {
        let store = store.as_ref().map_err(|error| format!("A12: {host} does not give its store: {error}"))?;
        match first {
            None => first = Some((host, store)),
            Some((other, theirs)) => must(nodes(store) == nodes(theirs), || format!("A12: {other} and {host} differ"))?,
        }
    }
    must(evidence.stores.len() == evidence.live.len(), || "A12: not every member gave its store".to_owned())
}

/// The keys of an answer; a text that is none differs from all others.
fn nodes(store: &str) -> Value {
    serde_json::from_str::<Value>(store).map_or_else(|_| store.into(), |answer| answer["node"].clone())
}

/// How many members run that version.
pub(crate) fn on(live: &[MemberStatus], version: &str) -> usize {
    live.iter().filter(|member| member.version.as_deref() == Some(version)).count()
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

/// Why a run halted, or its last line.
fn last_words(run: &Ran) -> String {
    let halted = run.events.iter().find(|event| event["event"] == "halted");
    let words = halted.map_or_else(|| run.text.lines().last().unwrap_or_default(), |event| text(event, "reason"));
    words.chars().take(300).collect()
}
