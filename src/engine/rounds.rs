//! The rounds of a rolling play: how often it goes over its hosts, and what its tasks know of their turn.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::inventory::{Node, Problem};
use crate::playbook::{Play, Rolling, Scope as _, Variable, names};

use super::batch::Batch;
use super::names::texts_of;
use super::run::{Engine, Halt, Planned, Run};
use super::scope::{HostScope, before_play};
use super::store::Store;
use super::task::input;

/// One going over all hosts of a rolling play.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// From 1.
    pub(super) number: u64,
    /// How many there are.
    pub(super) of: u64,
    /// Its item of `rounds:`; none if there is no `rounds:`.
    pub(super) item: Option<Value>,
}

/// One host's turn in a round.
#[derive(Clone, Debug)]
pub(super) struct Turn<'r> {
    pub(super) round: &'r Round,
    /// Whose it is.
    pub(super) host: &'r str,
    /// Whether no host was before it in this round.
    pub(super) first: bool,
    /// Whether no host comes after it in this round.
    pub(super) last: bool,
}

/// What `rounds:` comes to when its play begins.
pub(super) enum Rounds {
    /// These, in order; at least one.
    Known(Vec<Round>),
    /// None, and why.
    Skipped(String),
}

impl Turn<'_> {
    /// The value of that name, if it is one that a turn gives.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        match name {
            names::ROUND => self.round.item.clone(),
            "rolling_round_number" => Some(Value::from(self.round.number)),
            "rolling_rounds" => Some(Value::from(self.round.of)),
            "rolling_first" => Some(Value::from(self.first)),
            "rolling_last" => Some(Value::from(self.last)),
            _ => None,
        }
    }

    /// The names that it gives.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        names::TURN.into_iter().chain(self.round.item.is_some().then_some(names::ROUND))
    }
}

impl Engine<'_> {
    /// The rounds of the play. What they are may be a fact that an earlier play found, so they are rendered with the
    /// variables of the play's first host; all its hosts are well by now.
    pub(super) fn rounds(&self, play: &Play, planned: &Planned, rolling: &Rolling) -> Result<Rounds, Halt> {
        let Some(node) = &rolling.rounds else {
            return Ok(Rounds::Known(vec![Round { number: 1, of: 1, item: None }]));
        };
        let batch = Batch::new(self, play, planned, None, planned.hosts.clone());
        let lists = batch.lists();
        let first = planned.hosts.first().map(String::as_str).unwrap_or_default();
        let scope = HostScope { play: Some(batch.play_scope(&lists)), ..HostScope::new(self.run, &self.store, first) };
        let list = match self.run.templates.value(node, &scope) {
            Ok(Value::Array(items)) => Ok(items),
            Ok(other) => Err(format!("{}: {}", node.place, no_list(&other))),
            Err(problem) => Err(problem.to_string()),
        };
        let items = match list {
            Ok(items) => items,
            // What a task would have said is not there, or empty, if the task was only passed over; what no task has a
            // part in was looked at on paper.
            Err(why) if self.run.options.check => {
                let reason = format!("its rounds are not known in a check run, which passes over tasks: {why}");
                return Ok(Rounds::Skipped(reason));
            }
            Err(why) => return Err(input(why)),
        };
        if items.is_empty() {
            return Ok(Rounds::Skipped(format!("{}: `rounds` is an empty list", node.place)));
        }
        let of = items.len() as u64;
        let round = |(number, item)| Round { number, of, item: Some(item) };
        Ok(Rounds::Known((1..).zip(items).map(round).collect()))
    }
}

/// What is wrong with `rounds:` whatever hosts will say: it is no list, and no task or fact has a part in that. Text from
/// `-e` is the likely one.
pub(super) fn on_paper(run: &Run, late: &BTreeSet<String>) -> Vec<Problem> {
    let store = Store::default();
    let wrong = |(play, planned): (&Play, &Planned)| {
        let node = play.rolling.as_ref()?.rounds.as_ref()?;
        let first = planned.hosts.first()?;
        before_play(play, planned, |shared| {
            let scope = HostScope { play: Some(shared), ..HostScope::new(run, &store, first) };
            if depends_on(run, node, &scope, late) {
                return None;
            }
            // What can't be rendered is told by the other checks, or when the play begins.
            let value = run.templates.value(node, &scope).ok()?;
            let problem = Problem::new(&node.place, no_list(&value));
            match value {
                Value::Array(_) => None,
                Value::String(_) => Some(problem.help("`-e` takes a list as YAML or JSON")),
                _ => Some(problem),
            }
        })
    };
    run.playbook.plays.iter().zip(&run.plays).filter_map(wrong).collect()
}

/// Whether a value may change with one of these names, by itself or through the variables that it uses.
fn depends_on(run: &Run, node: &Node, scope: &HostScope<'_>, late: &BTreeSet<String>) -> bool {
    let (mut open, mut seen) = (vec![node.clone()], BTreeSet::new());
    while let Some(node) = open.pop() {
        let mut texts = Vec::new();
        texts_of(&node, &mut texts);
        for name in texts.iter().flat_map(|(text, _)| run.templates.undeclared(text, false)) {
            // Through `hostvars` it may be any variable.
            if late.contains(&name) || name == "hostvars" {
                return true;
            }
            if seen.insert(name.clone())
                && let Some(Variable::Source(node)) = scope.get(&name)
            {
                open.push(node);
            }
        }
    }
    false
}

/// What is wrong with rounds that are no list.
fn no_list(value: &Value) -> String {
    format!("`rounds` must be a list, not {value}")
}
