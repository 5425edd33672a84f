//! What is said in the place of options that a release does not take any more. Where they stand and how they are written is not known
//! here.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use super::command_line::{is_true, variable_of_option};
use super::config_file::{Key, Reshape, Shape, reshapes};
use super::flags::Flags;
use super::rules::{Gone, Rules};

pub use fault::RewriteFault;

mod fault;

/// The option that holds gates, as `Name=true,Other=false` (etcd v3.6.16 pkg/featuregate, read 2026-11-27).
pub(super) const GATES: &str = "feature-gates";
/// From here on etcd ends where an option is said by a flag and by a variable (etcd v3.4.13 pkg/flags/flag.go, read 2026-11-24).
const ONCE: (u64, u64) = (3, 4);

/// How an option is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// On the command line.
    Flag,
    /// By a variable of the environment.
    Variable,
    /// By a key of a configuration file.
    Key,
}

/// One place where an option is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The option's name, without dashes.
    pub name: String,
    /// Its value as etcd reads it.
    pub value: String,
    /// How.
    pub by: By,
    /// The variables that are put into it, where it is a flag.
    pub uses: Vec<String>,
    /// How it is written, where it is a key.
    pub shape: Shape,
}

impl Said {
    fn key(&self) -> Key {
        Key { name: self.name.clone(), value: self.value.clone(), shape: self.shape }
    }
}

/// What stands there afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// Nothing.
    Nothing,
    /// Another option, or the same with another value; of a key the value is as it is written in YAML.
    Other {
        /// Its name.
        name: String,
        /// Its value; `None` where the one that stands there is kept as it is written.
        value: Option<String>,
        /// Another option beside it.
        also: Option<(String, String)>,
    },
    /// The same with this behind its value.
    Longer(String),
}

/// What becomes of everything that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// By its number in what is said; what is not here stays as it is.
    pub becomes: BTreeMap<usize, Becomes>,
    /// What stands in the way.
    pub faults: Vec<RewriteFault>,
    /// Keys of a configuration file that the release drops without a word (etcd v3.0.17 to v3.7.3 embed/config.go, read 2026-11-27: the
    /// file is not decoded strictly).
    pub dropped: Vec<String>,
    /// Keys that the configuration file lacks.
    pub added: Vec<(String, String)>,
}

/// Whether any of the options may have to be said otherwise for a version.
#[must_use]
pub fn touches(flags: &Flags, rules: &Rules, target: &Version) -> bool {
    let gone = |name: &str| {
        let rejected = flags.get(name).is_some_and(|value| rules.rejected(name, value, target).is_some());
        let twice = (target.major, target.minor) >= ONCE && flags.is_spoken(name) && flags.is_variable(name);
        rules.gone(name, target).is_some() || rejected || twice
    };
    flags.names().any(gone) || !flags.reshapes(target).is_empty() || !flags.by_both_names(rules, target).is_empty()
}

/// What becomes of what is said, for a version.
#[must_use]
pub fn rewrite(said: &[Said], rules: &Rules, target: &Version) -> Rewrite {
    let mut plan = Plan { said, target, out: Rewrite::default() };
    if (target.major, target.minor) >= ONCE {
        plan.once();
    }
    plan.reshaped();
    let mut gates = Vec::new();
    for (which, option) in said.iter().enumerate() {
        if plan.out.becomes.contains_key(&which) {
            continue;
        }
        match rules.gone(&option.name, target) {
            Some(Gone { gate: Some(gate), .. }) => gates.push((which, gate.as_str())),
            Some(gone) => plan.gone(which, option, gone),
            None => {
                if let Some(row) = rules.rejected(&option.name, &option.value, target) {
                    let (name, value) = (option.name.clone(), Some(row.becomes.clone()));
                    plan.out.becomes.insert(which, Becomes::Other { name, value, also: None });
                } else if let Some(row) = rules.renamed(&option.name, target) {
                    plan.renamed(which, option, row);
                }
            }
        }
    }
    plan.gates(&gates);
    plan.not_used();
    plan.out
}

struct Plan<'a> {
    said: &'a [Said],
    target: &'a Version,
    out: Rewrite,
}

/// Whether two values say the same.
fn same(a: &str, b: &str) -> bool {
    a == b || (is_true(a) && is_true(b))
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, "true"));
    (name.to_owned(), value.to_owned())
}

impl<'a> Plan<'a> {
    /// The value that holds: the last of the flags, else of the variables or keys.
    fn value(&self, name: &str) -> Option<&'a str> {
        let of = |by: By| self.said.iter().rfind(|said| said.name == name && said.by == by);
        of(By::Flag).or_else(|| of(By::Variable)).or_else(|| of(By::Key)).map(|said| said.value.as_str())
    }

    /// What the file says and a version wants written otherwise.
    fn reshaped(&mut self) {
        let of_file = |said: &&Said| said.by == By::Key;
        let keys: Vec<Key> = self.said.iter().filter(of_file).map(Said::key).collect();
        if keys.is_empty() {
            return;
        }
        for reshape in reshapes(&keys, self.target) {
            let which = self.said.iter().position(|said| said.by == By::Key && said.name == reshape.subject());
            let becomes = match (which.and_then(|which| self.said.get(which)), &reshape) {
                (Some(said), Reshape::Quoted(name)) => {
                    Becomes::Other { name: (*name).to_owned(), value: Some(format!("\"{}\"", said.value)), also: None }
                }
                (Some(said), Reshape::Listed(_, new)) => {
                    let new = ((*new).to_owned(), said.value.clone());
                    match self.other(said, new, true, None) {
                        Becomes::Other { name, also, .. } => {
                            Becomes::Other { name, value: Some(format!("[{}]", said.value)), also }
                        }
                        becomes => becomes,
                    }
                }
                (_, Reshape::Added(name, value)) => {
                    self.out.added.push(((*name).to_owned(), (*value).to_owned()));
                    continue;
                }
                (None, _) => continue,
            };
            self.out.becomes.extend(which.map(|which| (which, becomes)));
        }
    }

    fn is_used(&self, variable: &str) -> bool {
        self.said.iter().any(|said| said.uses.iter().any(|used| used == variable))
    }

    /// Of a flag and a variable that say the same one goes: the flag where the command line needs the variable, else the variable.
    fn once(&mut self) {
        let by = |by: By| self.said.iter().filter(move |said| said.by == by).map(|said| said.name.as_str());
        let flags: BTreeSet<&str> = by(By::Flag).collect();
        for name in by(By::Variable).filter(|name| flags.contains(name)).collect::<BTreeSet<_>>() {
            let last = |by: By| self.said.iter().rfind(|said| said.name == name && said.by == by);
            let (Some(flag), Some(variable)) = (last(By::Flag), last(By::Variable)) else { continue };
            let set = variable_of_option(name);
            let goes = if self.is_used(&set) { By::Flag } else { By::Variable };
            if !same(&flag.value, &variable.value) {
                self.out.faults.push(RewriteFault::Twice {
                    name: name.to_owned(),
                    flag: flag.value.clone(),
                    variable: set,
                    value: variable.value.clone(),
                });
            }
            for (which, said) in self.said.iter().enumerate() {
                if said.name == name && said.by == goes {
                    self.out.becomes.insert(which, Becomes::Nothing);
                }
            }
        }
    }

    /// Of an option that is said by both of its names the old one goes, if they say the same.
    fn renamed(&mut self, which: usize, option: &Said, row: &Gone) {
        let new = row.becomes.as_deref().unwrap_or(GATES);
        let Some(found) = self.value(new).filter(|found| row.gate.as_ref().is_none_or(|gate| found.contains(gate)))
        else {
            return;
        };
        let gate =
            |gate: &String| found.split(',').filter_map(|one| one.split_once('=')).find(|(name, _)| name == gate);
        let says_same = match &row.gate {
            Some(name) => gate(name).is_some_and(|(_, on)| is_true(on) == is_true(&option.value)),
            None => same(found, &option.value),
        };
        if says_same || option.value.is_empty() {
            self.out.becomes.insert(which, Becomes::Nothing);
            return;
        }
        self.out.faults.push(RewriteFault::BothNames {
            name: option.name.clone(),
            value: option.value.clone(),
            new: new.to_owned(),
            found: found.to_owned(),
            target: self.target.clone(),
        });
    }

    fn gone(&mut self, which: usize, option: &Said, gone: &Gone) {
        let becomes = match (&gone.becomes, &gone.where_true) {
            (Some(new), _) if !option.value.is_empty() => {
                self.other(option, (new.clone(), option.value.clone()), true, gone.also.as_deref())
            }
            (None, Some(said)) if is_true(&option.value) => self.other(option, pair(said), false, None),
            (None, None) if gone.decide && option.by != By::Key => {
                let (name, target) = (option.name.clone(), self.target.clone());
                let why = gone.why.clone().unwrap_or_default();
                self.out.faults.push(RewriteFault::Decide { name, target, why });
                return;
            }
            _ if option.by == By::Key => {
                self.out.dropped.push(option.name.clone());
                return;
            }
            _ => Becomes::Nothing,
        };
        self.out.becomes.insert(which, becomes);
    }

    /// What an option becomes that becomes another one, which may be said already; and what is said beside it.
    fn other(&mut self, option: &Said, new: (String, String), kept: bool, also: Option<&str>) -> Becomes {
        let (name, value) = new;
        let also = also.map(pair).filter(|also| !self.is_said(option, also));
        if self.is_said(option, &(name.clone(), value.clone())) {
            return match also {
                Some((name, value)) => Becomes::Other { name, value: Some(value), also: None },
                None => Becomes::Nothing,
            };
        }
        Becomes::Other { name, value: Some(value).filter(|_| !kept), also }
    }

    /// Whether it is said already; a fault where it is said otherwise.
    fn is_said(&mut self, option: &Said, (new, value): &(String, String)) -> bool {
        let Some(found) = self.value(new) else { return false };
        if !same(found, value) {
            self.out.faults.push(RewriteFault::Both {
                name: option.name.clone(),
                target: self.target.clone(),
                new: new.clone(),
                value: value.clone(),
                found: found.to_owned(),
            });
        }
        true
    }

    /// All gates go into one option, since it holds them all: the one that is said already, else the first that they are said by.
    fn gates(&mut self, gates: &[(usize, &str)]) {
        let mut all: BTreeMap<&str, (&Said, bool)> = BTreeMap::new();
        for by in [By::Key, By::Variable, By::Flag] {
            for (which, gate) in gates {
                if let Some(option) = self.said.get(*which).filter(|said| said.by == by && !said.value.is_empty()) {
                    all.insert(gate, (option, is_true(&option.value)));
                }
                self.out.becomes.insert(*which, Becomes::Nothing);
            }
        }
        let before = self.value(GATES).unwrap_or_default().to_owned();
        let known: BTreeMap<&str, &str> = before.split(',').filter_map(|gate| gate.split_once('=')).collect();
        let mut new = Vec::new();
        for (gate, (option, on)) in all {
            match known.get(gate) {
                Some(found) if is_true(found) == on => {}
                Some(found) => {
                    let (name, target) = (option.name.clone(), self.target.clone());
                    let (value, found) = (format!("{gate}={on}"), format!("{gate}={found}"));
                    self.out.faults.push(RewriteFault::Both { name, target, new: GATES.to_owned(), value, found });
                }
                None => new.push(format!("{gate}={on}")),
            }
        }
        if new.is_empty() {
            return;
        }
        let new = new.join(",");
        let last = |by: By| self.said.iter().rposition(|said| said.name == GATES && said.by == by);
        if let Some(which) = last(By::Flag).or_else(|| last(By::Variable)).or_else(|| last(By::Key)) {
            let comma = if before.is_empty() { "" } else { "," };
            self.out.becomes.insert(which, Becomes::Longer(format!("{comma}{new}")));
            return;
        }
        let by = |by: By| {
            let mut all = gates.iter().map(|(which, _)| *which);
            all.find(|which| self.said.get(*which).is_some_and(|said| said.by == by && !said.value.is_empty()))
        };
        if let Some(which) = by(By::Flag).or_else(|| by(By::Variable)).or_else(|| by(By::Key)) {
            self.out.becomes.insert(which, Becomes::Other { name: GATES.to_owned(), value: Some(new), also: None });
        }
    }

    /// A variable that goes must not be one that the command line is made with.
    fn not_used(&mut self) {
        for (which, becomes) in &self.out.becomes {
            let Some(said) = self.said.get(*which).filter(|said| said.by == By::Variable) else { continue };
            if matches!(becomes, Becomes::Longer(_)) {
                continue;
            }
            let variable = variable_of_option(&said.name);
            let mut flags = self.said.iter().enumerate().filter(|(flag, said)| {
                said.uses.contains(&variable) && self.out.becomes.get(flag) != Some(&Becomes::Nothing)
            });
            if let Some((_, flag)) = flags.next() {
                let (target, name) = (self.target.clone(), flag.name.clone());
                self.out.faults.push(RewriteFault::Used { variable, target, name });
            }
        }
    }
}

#[cfg(test)]
mod tests;
