//! The end of a run: Ansible's recap, then what the roll did, why it stopped, and what to do next.

use std::time::Duration;

use comfy_table::{Table, presets};

use super::Look;
use super::lines::banner;
use crate::events::{Counters, Downgraded, Standing, State, Upgraded};
use crate::report::style::{Style, Tone};
use crate::report::value::line;

/// The whole end, for people.
pub(super) fn of(state: &State, look: &Look) -> String {
    let mut out = banner("PLAY RECAP", look.width) + &came_to(state, look);
    let untouched = state.untouched();
    if !untouched.is_empty() {
        out.push_str("NOT RUN\n");
        for (host, reason) in untouched {
            let reason = reason.unwrap_or_else(|| "no task was run on it".to_owned());
            out.push_str(&format!("  {}: {}\n", line(&host), line(&reason)));
        }
        out.push('\n');
    }
    for (host, act) in &state.open_acts {
        let text = format!("UNFINISHED [{}]: {}; its outcome is not known yet\n", line(host), line(act));
        out.push_str(&look.style.paint(Tone::Failed, &text));
    }
    out.push_str(&halted(state, look));
    out.push_str(&last_lines(state, look));
    out
}

/// The recap, and what the roll did so far.
fn came_to(state: &State, look: &Look) -> String {
    let mut out = String::new();
    for (host, counters) in &state.recap {
        out.push_str(&recap_line(&line(host), counters, look.style));
    }
    out.push('\n');
    if !state.members.is_empty() {
        out.push_str(&members(state));
    }
    for one in &state.upgraded {
        out.push_str(&format!("UPGRADED\n  {}\n\n", upgraded(one)));
    }
    for one in &state.downgraded {
        out.push_str(&format!("DOWNGRADED\n  {}\n\n", downgraded(one)));
    }
    if !state.defragmented.is_empty() {
        out.push_str(&defragmented(state));
    }
    if !state.backups.is_empty() {
        out.push_str(&backups(state));
    }
    out
}

/// Why it stopped, if it did, and what is next.
fn halted(state: &State, look: &Look) -> String {
    let Some(halt) = &state.halt else { return String::new() };
    let mut text = format!("HALTED: {}\n", line(&halt.reason));
    if !halt.next.is_empty() {
        text.push_str(&format!("  next: {}\n", line(&halt.next)));
    }
    look.style.paint(Tone::Failed, &text) + "\n"
}

/// The end of what is known of a run that has not said how it ended.
pub(super) fn left_open(state: &State, look: &Look, goes_on: bool) -> String {
    let title = if goes_on { "SO FAR" } else { "BROKEN OFF" };
    let mut out = banner(title, look.width) + &came_to(state, look) + "HOSTS\n";
    for (host, standing) in state.standings() {
        let (tone, more) = match standing {
            Standing::Done => (Tone::Ok, String::new()),
            Standing::InDoubt => {
                let begun = state.in_doubt(&host).map(|act| format!(": {} was begun", line(&act))).unwrap_or_default();
                (Tone::Failed, format!("{begun}; its end is not known"))
            }
            Standing::Failed => (Tone::Failed, String::new()),
            Standing::Begun => (Tone::Changed, ", not all of it done".to_owned()),
            Standing::Untouched => (Tone::Skipped, String::new()),
        };
        out.push_str(&look.style.paint(tone, &format!("  {}: {}{more}\n", line(&host), standing.words())));
    }
    out.push('\n');
    out.push_str(&halted(state, look));
    out.push_str(&kept(state, look));
    let after = duration(state.elapsed);
    let end = if goes_on {
        format!("the run goes on; this was said after {after}\n")
    } else {
        let why = "killed, or its machine went down, or its journal could not be written";
        format!(
            "next: run it again: every host is asked how it is before anything is done\n\
             the run did not say how it ended, after {after} or later: {why}\n"
        )
    };
    out + &look.style.paint(if goes_on { Tone::Dim } else { Tone::Failed }, &end)
}

/// Ansible's form: the name in 26 columns, every number in 4.
fn recap_line(host: &str, counted: &Counters, style: Style) -> String {
    let Counters { ok, changed, unreachable, failed, skipped, rescued, ignored } = *counted;
    let tone = match counted {
        _ if failed > 0 || unreachable > 0 => Tone::Failed,
        _ if changed > 0 => Tone::Changed,
        _ => Tone::Ok,
    };
    let name = style.paint(tone, &format!("{host:<26}"));
    let line = format!(
        "{name} : ok={ok:<4} changed={changed:<4} unreachable={unreachable:<4} failed={failed:<4} skipped={skipped:<4} rescued={rescued:<4} ignored={ignored:<4}"
    );
    line + "\n"
}

fn members(state: &State) -> String {
    let mut table = Table::new();
    // Once each needs no number.
    let again = state.members.iter().any(|rolled| rolled.rolls > 1);
    let rolls = |text: String| again.then_some(text);
    let header = ["host", "member", "before", "now"].map(str::to_owned).into_iter().chain(rolls("rolls".to_owned()));
    table.load_preset(presets::NOTHING).set_header(header.chain(["down", "outcome"].map(str::to_owned)));
    for rolled in &state.members {
        let [host, member, from, to, outcome] =
            [&rolled.host, &rolled.member, &rolled.from, &rolled.to, &rolled.outcome].map(|text| line(text));
        let row = [host, member, from, to].into_iter().chain(rolls(rolled.rolls.to_string()));
        table.add_row(row.chain([duration(rolled.down), outcome]));
    }
    format!("MEMBERS\n{}\n\n", trimmed(&table))
}

fn defragmented(state: &State) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["host", "member", "before", "now", "busy"]);
    for done in &state.defragmented {
        let (before, after) = (indicatif::BinaryBytes(done.before), indicatif::BinaryBytes(done.after));
        let row = [line(&done.host), line(&done.member), before.to_string(), after.to_string(), duration(done.took)];
        table.add_row(row);
    }
    format!("DATABASES\n{}\n\n", trimmed(&table))
}

/// What an upgraded cluster is now, and what it may not be again.
pub(super) fn upgraded(one: &Upgraded) -> String {
    let (cluster, version) = (line(&one.cluster), line(&one.version));
    let agreed = one.cluster_version.as_ref().map(|v| format!(", cluster version {}", line(v))).unwrap_or_default();
    let forward = one.forward_only.as_ref().map(|words| format!("; {}", line(words))).unwrap_or_default();
    format!("cluster {cluster}: all {} members run {version}{agreed}{forward}", one.members)
}

/// What a cluster is after its downgrade.
pub(super) fn downgraded(one: &Downgraded) -> String {
    format!("cluster {}: all {} members run {}", line(&one.cluster), one.members, line(&one.version))
}

/// The table without the blanks that fill its last column.
fn trimmed(table: &Table) -> String {
    table.lines().map(|line| format!(" {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}

fn backups(state: &State) -> String {
    let mut out = "BACKUPS\n".to_owned();
    for backup in &state.backups {
        let (host, path, proof) = (line(&backup.host), line(&backup.path), line(&backup.proof));
        out.push_str(&format!("  [{host}] {path} ({})\n    proven: {proof}\n", indicatif::BinaryBytes(backup.size)));
    }
    out + "\n"
}

fn last_lines(state: &State, look: &Look) -> String {
    let code = state.exit_code();
    let tone = if code == 0 { Tone::Ok } else { Tone::Failed };
    let mut out = String::new();
    out.push_str(&kept(state, look));
    if code == 0
        && let Some(next) = next(state)
    {
        out.push_str(&format!("next: {next}\n"));
    }
    let check = if state.check { "; this was a check run, nothing was changed" } else { "" };
    let meaning = match state.worst() {
        Some(fault) if fault.exit_code() == code => format!(": {}", fault.meaning()),
        _ => String::new(),
    };
    let last = format!("exit {code}{meaning}, after {}{check}\n", duration(state.elapsed));
    out + &look.style.paint(tone, &last)
}

/// Under which name the run is kept, and where.
fn kept(state: &State, look: &Look) -> String {
    let mut out = String::new();
    if let (Some(run), Some(head)) = (&state.run, look.head.short()) {
        out.push_str(&format!("run: {}, head of its journal {}\n", line(run), line(&head)));
    }
    if let Some(journal) = &look.journal {
        out.push_str(&format!("journal: {}\n", line(journal)));
    }
    look.style.paint(Tone::Dim, &out)
}

/// What is to be done after a run that went well, where anything is.
fn next(state: &State) -> Option<&'static str> {
    let changed = state.recap.values().any(|counted| counted.changed > 0);
    match state {
        _ if state.check && changed => Some("run it without --check to do this"),
        State { upgraded, members, .. } if !upgraded.is_empty() && !members.is_empty() => {
            Some("nothing is left to do; `quorate etcd status` shows the cluster, and the backups stay where they are")
        }
        _ => None,
    }
}

/// A length of time as people say it.
#[must_use]
pub fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}
