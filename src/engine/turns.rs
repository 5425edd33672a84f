//! What needs its host's turn: where a playbook may have it, and where it may be called.

use serde_json::{Map, Value};

use crate::events::Fault;
use crate::inventory::{Node, NodeValue, Place, Problem};
use crate::modules::arguments::written;
use crate::modules::{self, Failure, NeedsTurn, Row};
use crate::playbook::{Directives, Play, Task};

use super::check::each_with_directives;
use super::rounds::Turn;

/// Why it may be said once only.
const ONCE: &str = "it acts once in its host's turn, and the guard is asked before each";
/// Why it may be said to no other host.
const ITS_OWN: &str = "it acts on the host whose turn it is, and on no other";

/// What is wrong with tasks and handlers that need their host's turn: the play gives none, or keywords would have them act on another host,
/// more than once, or for a while only.
pub(super) fn on_paper(play: &Play) -> Vec<Problem> {
    let mut problems = Vec::new();
    each_with_directives(play, &mut |task, chain| problems.extend(one(play, task, chain)));
    problems
}

fn one(play: &Play, task: &Task, chain: &[&Directives]) -> Vec<Problem> {
    let Some(row) = modules::find(&task.module) else { return Vec::new() };
    let args = written(task, row);
    if !row.needs_turn.with(|name| args.get(name).and_then(Node::as_str)) {
        return Vec::new();
    }
    if play.rolling.is_none() {
        return vec![without_turns(play, task, row)];
    }
    let refused = |(place, keyword, why): (&Place, &str, &str)| {
        Problem::new(place, format!("`{keyword}` is not allowed on `{}`", task.module))
            .help(why)
            .related(&task.module_place, "called here")
    };
    inherited(chain).into_iter().chain(own(task)).map(refused).collect()
}

fn without_turns(play: &Play, task: &Task, row: &Row) -> Problem {
    let looks = match row.needs_turn {
        NeedsTurn::Unless(argument, value) => format!("; with `{argument}: {value}` it only looks, and needs none"),
        NeedsTurn::Never | NeedsTurn::Always => String::new(),
    };
    let help = format!(
        "it needs its host's turn, one host at a time and by leave of the guard: say `rolling: {{guard: etcd}}` in the play{looks}"
    );
    Problem::new(&task.module_place, format!("`{}` in a play without `rolling:`", task.module))
        .help(help)
        .related(&play.place, "the hosts of this play are at it side by side")
}

/// What play, blocks and task say that must not be said, each once: the innermost.
fn inherited<'p>(chain: &[&'p Directives]) -> Vec<(&'p Place, &'static str, &'static str)> {
    let said = |pick: fn(&Directives) -> Option<&Node>| {
        let node = chain.iter().rev().find_map(|directives| pick(directives))?;
        (!says_nothing(node)).then_some(&node.place)
    };
    let all = [
        (said(|d| d.delegate_to.as_ref()), "delegate_to", ITS_OWN),
        (said(|d| d.run_once.as_ref()), "run_once", ITS_OWN),
    ];
    all.into_iter().filter_map(|(place, keyword, why)| Some((place?, keyword, why))).collect()
}

/// The same of what only a task says.
fn own(task: &Task) -> Vec<(&Place, &'static str, &'static str)> {
    let name = if task.with_items { "with_items" } else { "loop" };
    let all = [
        (task.r#loop.as_ref().map(|node| &node.place), name),
        (task.until.first().map(|expression| &expression.place), "until"),
        (task.retries.as_ref().filter(|node| !says_nothing(node)).map(|node| &node.place), "retries"),
    ];
    all.into_iter().filter_map(|(place, keyword)| Some((place?, keyword, ONCE))).collect()
}

/// Whether a keyword is written so that it is as if it was not there. A template might say anything, and would say so too late.
fn says_nothing(node: &Node) -> bool {
    matches!(node.value, NodeValue::Null | NodeValue::Bool(false) | NodeValue::Int(0, _))
}

/// The second wall, behind [`on_paper`]: nothing that needs its host's turn is called without it, nor by one host for another.
pub(super) fn hold(
    row: &Row,
    args: &Map<String, Value>,
    turn: Option<&Turn<'_>>,
    (host, on): (&str, &str),
) -> Result<(), Failure> {
    let its_turn = turn.is_some_and(|turn| turn.host == host && turn.host == on);
    if its_turn || !row.needs_turn.with(|name| args.get(name).and_then(Value::as_str)) {
        return Ok(());
    }
    let what = format!("{on}: `{}` was not called: it is not {on}'s turn in a rolling play", row.name);
    Err(Failure::new(Fault::Bug, what))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::rounds::Round;
    use super::*;
    use crate::modules::table::ROWS;

    fn args(phase: &str) -> Map<String, Value> {
        Map::from_iter([("phase".to_owned(), json!(phase))])
    }

    #[test]
    fn what_needs_a_turn_is_called_for_the_host_whose_turn_it_is_and_for_no_other() {
        let round = Round { number: 1, of: 1, item: None };
        let turn = Turn { round: &round, host: "h1", first: true, last: false };
        for row in ROWS.iter().filter(|row| row.needs_turn != NeedsTurn::Never) {
            let called = |turn, on| hold(row, &args("restart"), turn, on);
            assert!(called(Some(&turn), ("h1", "h1")).is_ok(), "{}", row.name);
            for (turn, on) in [(None, ("h1", "h1")), (Some(&turn), ("h2", "h2")), (Some(&turn), ("h1", "h2"))] {
                let failure = called(turn, on).unwrap_err();
                assert!(failure.fault == Fault::Bug && failure.msg.contains(row.name), "{}", failure.msg);
            }
        }
    }

    #[test]
    fn what_only_looks_needs_none() {
        let row = |name| modules::find(name).unwrap();
        assert!(hold(row("etcd_restart"), &args("check"), None, ("h1", "h1")).is_ok());
        assert!(hold(row("etcd_member"), &args("check"), None, ("h1", "h1")).is_err());
        assert!(hold(row("etcd_health"), &Map::new(), None, ("h1", "h2")).is_ok());
    }
}
