//! The table of modules: one row each, from which the parser, the argument check and `quorate doc` are served.

use std::path::Path;

use crate::inventory::{Node, Problem};
use crate::playbook::Vocabulary;

use super::{
    Module, assert, command, copy, debug, etcd, fail, fetch, file, lock, meta, pause, ping, receipts, set_fact, shell,
    slurp, stat, systemd, template, uri, wait_for,
};

/// What an argument must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text; numbers and bools become their text.
    Text,
    /// A bool, or one of Ansible's words for it (`yes`, `off`, …).
    Bool,
    /// A whole number, or its text.
    Int,
    /// A list; text is split at commas, any other scalar becomes a list of one.
    List,
    /// A mapping.
    Mapping,
    /// A path; text.
    Path,
    /// Anything, handed on as it is.
    Any,
}

/// One argument of a module.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Other names it answers to.
    pub aliases: &'static [&'static str],
    /// What it must look like.
    pub shape: Shape,
    /// Whether it must be given.
    pub required: bool,
    /// The only values it may have; empty: any.
    pub choices: &'static [&'static str],
    /// Its value if it is not given, as an operator would write it.
    pub default: Option<&'static str>,
    /// What it is, in one line.
    pub doc: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
}

impl Argument {
    /// An optional argument of that shape.
    #[must_use]
    pub const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, aliases: &[], shape, required: false, choices: &[], default: None, doc, secret: false }
    }

    /// The same, but it must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same under further names.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The same with only these values.
    #[must_use]
    pub const fn choices(mut self, choices: &'static [&'static str]) -> Self {
        self.choices = choices;
        self
    }

    /// The same with that value if it is not given.
    #[must_use]
    pub const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// The same, never shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Whether it goes by that name.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// The arguments of one module: its own, and those that it shares with others. `N` is how many that makes; another number
/// does not compile.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses an index out of bounds")]
pub(super) const fn joined<const N: usize>(own: &[Argument], shared: &[Argument]) -> [Argument; N] {
    assert!(own.len() + shared.len() == N, "as many arguments as the type says");
    let mut all = [Argument::new("", Shape::Any, ""); N];
    let mut at = 0;
    while at < N {
        all[at] = if at < own.len() { own[at] } else { shared[at - own.len()] };
        at += 1;
    }
    all
}

/// Where a module does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the host: a session is opened if there is none.
    Host,
    /// On the control machine: the host is not contacted.
    Control,
}

/// What a module does in a check run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckMode {
    /// Says what it would do.
    Predicts,
    /// The same as always: it changes nothing on hosts anyway.
    Runs,
    /// Is skipped, with this reason.
    Skipped(&'static str),
}

/// Whether a module may only be called in its host's turn: in a rolling play, by leave of the guard and under its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedsTurn {
    /// No: whatever it does, every member goes on.
    Never,
    /// Yes: it stops, restarts or blocks a member, or does something to the cluster as a whole.
    Always,
    /// Yes, unless that argument has that value, with which it only looks.
    Unless(&'static str, &'static str),
}

impl NeedsTurn {
    /// Whether it does with arguments of which `text` gives one's text. What is not known yet is taken for what acts.
    pub fn with<'a>(self, text: impl FnOnce(&'static str) -> Option<&'a str>) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Unless(argument, value) => text(argument) != Some(value),
        }
    }
}

/// One module.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Other names it answers to.
    pub aliases: &'static [&'static str],
    /// What it is for, in one line.
    pub doc: &'static str,
    /// Its arguments.
    pub arguments: &'static [Argument],
    /// Sets of arguments of which exactly one may be given, and one must if the flag says so.
    pub one_of: &'static [(&'static [&'static str], bool)],
    /// Whether any further argument may be given (`set_fact`).
    pub open: bool,
    /// Free form text under `_raw_params`, and which `key=value` words in it are arguments; none: no free form.
    pub free_form: Option<&'static [&'static str]>,
    /// Its return values, each with one line.
    pub returns: &'static [(&'static str, &'static str)],
    /// The variables that it sets on the host through `ansible_facts`.
    pub facts: &'static [&'static str],
    /// What it does in a check run.
    pub check: CheckMode,
    /// Where it works.
    pub place: Place,
    /// Whether it runs once for the whole batch (`pause`).
    pub once_per_batch: bool,
    /// What can be wrong with its arguments on the control machine: local files that must be there.
    ///
    /// Gets the arguments as written and the playbook's folder; must pass over what holds a template.
    pub preflight_local: Option<fn(&Node, &Path) -> Vec<Problem>>,
    /// The name of the lock that a run holds on all hosts of a play with it, if there is to be one run at a time.
    pub lock: Option<&'static str>,
    /// Whether it needs its host's turn in a rolling play.
    pub needs_turn: NeedsTurn,
    /// Whether it may be begun anew from its front when the connection to its host is lost while it works: what it left half-done it
    /// finds and makes whole, and what is still at work there for it does the new one no harm ([`Call::attempt`](super::Call)).
    pub begins_anew: bool,
    /// What does it; none: the engine itself (`meta`).
    pub module: Option<&'static dyn Module>,
}

impl Row {
    /// A row with no arguments, which works on the host and predicts in a check run; a module's own row starts from it.
    #[must_use]
    pub const fn new(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            doc,
            arguments: &[],
            one_of: &[],
            open: false,
            free_form: None,
            returns: &[],
            facts: &[],
            check: CheckMode::Predicts,
            place: Place::Host,
            once_per_batch: false,
            preflight_local: None,
            lock: None,
            needs_turn: NeedsTurn::Never,
            begins_anew: false,
            module: None,
        }
    }

    /// Whether it may change hosts without announcing an act: then the start of its task is the intent. What works on a quorum system
    /// announces each act by itself, with `ActBegins`.
    #[must_use]
    pub fn acts_unannounced(&self) -> bool {
        self.place == Place::Host && self.check != CheckMode::Runs && !self.name.starts_with("etcd_")
    }

    /// The argument of that name or alias.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&'static Argument> {
        self.arguments.iter().find(|argument| argument.is_called(name))
    }
}

/// Every module there is: a new one adds its line here.
pub const ROWS: &[Row] = &[
    assert::ROW,
    command::ROW,
    copy::ROW,
    debug::ROW,
    fail::ROW,
    fetch::ROW,
    file::ROW,
    lock::ROW,
    meta::ROW,
    pause::ROW,
    ping::ROW,
    receipts::ROW,
    set_fact::ROW,
    shell::ROW,
    slurp::ROW,
    stat::ROW,
    systemd::ROW,
    template::ROW,
    uri::ROW,
    wait_for::ROW,
    etcd::BACKUP,
    etcd::BACKUP_CHECK,
    etcd::DEFRAG,
    etcd::DOWNGRADE,
    etcd::FACTS,
    etcd::HEALTH,
    etcd::MEMBER,
    etcd::PATH,
    etcd::PREFLIGHT,
    etcd::READY,
    etcd::RESTART,
    etcd::RESTORE,
    etcd::STAGE,
];

/// The module of that name or alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name || row.aliases.contains(&name))
}

/// What a playbook may name.
#[must_use]
pub fn vocabulary() -> Vocabulary {
    let names = |row: &Row| std::iter::once(row.name).chain(row.aliases.iter().copied()).collect::<Vec<_>>();
    Vocabulary {
        modules: ROWS.iter().flat_map(names).collect(),
        free_form: ROWS.iter().filter(|row| row.free_form.is_some()).flat_map(names).collect(),
    }
}

#[cfg(test)]
mod tests;
