//! Host patterns: `web:&stage:!web1`, `etcd[0]`, `~web\d+`, and `--limit` in the same language.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indexmap::IndexSet;
use regex::Regex;

use super::hosts::{Inventory, Warning};
use super::precedence::LOCALHOST;
use super::{address, file, glob, names, nearest};

/// Why a pattern names no hosts that one could work on.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// A plain name that is neither a host nor a group.
    #[error("`{}` is neither a host nor a group of this inventory{}", names::visible(name), meant(nearest.as_deref()))]
    Unknown {
        /// The name as given.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
    },
    /// `web[9]` of a group with fewer hosts.
    #[error("`{}` is out of range: it picks from {hosts} hosts", names::visible(pattern))]
    Index {
        /// The term with its subscript.
        pattern: String,
        /// Hosts that there are to pick from.
        hosts: usize,
    },
    /// `~` with something that is no regular expression.
    #[error("`{}` is not a regular expression that can be used here: {reason}", names::visible(pattern))]
    Regex {
        /// The term.
        pattern: String,
        /// What the regular expression engine says.
        reason: String,
    },
    /// A limit that leaves nothing at all.
    #[error("`--limit {}` matches no host of this inventory", names::visible(limit))]
    NothingLeft {
        /// The limit as given.
        limit: String,
    },
    /// `@file` of a limit can't be read.
    #[error("the limit's file {0}")]
    File(#[from] file::InventoryError),
    /// `@file` does not exist, or is a folder.
    #[error("there is no limit file {}", .0.display())]
    NoFile(PathBuf),
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// What to do with a plain name that matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownNames {
    /// Warn, as Ansible does: for the `hosts:` of a play, which is shared between inventories.
    Warn,
    /// Refuse: for what somebody has just typed.
    Refuse,
}

/// The hosts that `--limit` lets through.
#[derive(Debug)]
pub struct Limit {
    hosts: HashSet<String>,
}

impl Limit {
    /// Reads a limit: a pattern, in which `@path` stands for the lines of a file, one term each; lines that begin with `#` and
    /// empty lines are passed over.
    ///
    /// An empty limit lets everything through, as in Ansible.
    ///
    /// # Errors
    /// An unknown name, a file that can't be read, and a limit that leaves no host at all.
    pub fn from_text(
        text: &str,
        inventory: &Inventory,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Self>, PatternError> {
        let mut terms = Vec::new();
        for term in split(text) {
            match term.strip_prefix('@') {
                Some(path) => terms.extend(limit_file(Path::new(path))?),
                None => terms.push(term),
            }
        }
        if terms.is_empty() {
            return Ok(None);
        }
        let hosts = inventory.evaluate(&terms, UnknownNames::Refuse, warnings)?;
        if hosts.is_empty() {
            return Err(PatternError::NothingLeft { limit: text.to_owned() });
        }
        Ok(Some(Self { hosts: hosts.into_iter().map(str::to_owned).collect() }))
    }

    /// Whether it lets that host through.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }
}

fn limit_file(path: &Path) -> Result<Vec<String>, PatternError> {
    if !path.is_file() {
        return Err(PatternError::NoFile(path.to_path_buf()));
    }
    let source = file::read(path, false)?.source;
    let lines = source.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

impl Inventory {
    /// The hosts that a pattern names, in their order, less those that the limit does not let through.
    ///
    /// An empty pattern is `all`. `localhost`, `127.0.0.1` and `::1` are hosts even if the inventory does not mention them, but
    /// only when named.
    ///
    /// # Errors
    /// See [`PatternError`]; matching nothing is none.
    pub fn select(
        &self,
        pattern: &str,
        limit: Option<&Limit>,
        unknown: UnknownNames,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<&str>, PatternError> {
        let mut hosts = self.evaluate(&split(pattern), unknown, warnings)?;
        hosts.retain(|host| limit.is_none_or(|limit| limit.allows(host)));
        Ok(hosts)
    }

    /// All plain terms together, then each `&`, then each `!`, in whatever order they are written.
    fn evaluate(
        &self,
        terms: &[String],
        unknown: UnknownNames,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<&str>, PatternError> {
        let (mut plain, mut both, mut not) = (Vec::new(), Vec::new(), Vec::new());
        for term in terms {
            match (term.strip_prefix('&'), term.strip_prefix('!')) {
                (Some(term), _) => both.push(term),
                (_, Some(term)) => not.push(term),
                _ => plain.push(term.as_str()),
            }
        }
        if plain.is_empty() {
            plain.push("all");
        }
        let mut hosts: IndexSet<&str> = IndexSet::new();
        for term in plain {
            // A host hides a group of its name, but only in a plain term.
            match self.hosts.get_key_value(term) {
                Some((name, _)) => {
                    hosts.insert(name);
                }
                None => hosts.extend(self.term(term, unknown, warnings)?),
            }
        }
        for term in both {
            let wanted: HashSet<&str> = self.term(term, unknown, warnings)?.into_iter().collect();
            hosts.retain(|host| wanted.contains(host));
        }
        for term in not {
            let unwanted: HashSet<&str> = self.term(term, unknown, warnings)?.into_iter().collect();
            hosts.retain(|host| !unwanted.contains(host));
        }
        Ok(hosts.into_iter().collect())
    }

    /// The hosts of one term, without its `&` or `!`.
    fn term(&self, term: &str, unknown: UnknownNames, warnings: &mut Vec<Warning>) -> Result<Vec<&str>, PatternError> {
        let (name, subscript) = Subscript::split_off(term);
        let matcher = Matcher::from_text(name)?;
        let groups: Vec<&str> = self.group_names().filter(|group| matcher.takes(group)).collect();
        let mut hosts: IndexSet<&str> = groups.iter().flat_map(|group| self.hosts_of(group)).collect();
        if groups.is_empty() || name.starts_with('~') || name.contains(['.', '?', '*', '[']) {
            hosts.extend(self.host_names().filter(|host| matcher.takes(host)));
        }
        if hosts.is_empty() {
            hosts.extend(self.local_name(name));
        }
        if hosts.is_empty() && groups.is_empty() {
            let plain = !name.starts_with('~') && !name.contains(['?', '*', '[']);
            if plain && unknown == UnknownNames::Refuse {
                return Err(self.unknown(name));
            }
            let message = format!("the pattern `{}` matches no host and no group", names::visible(name));
            warnings.push(Warning { message, place: None });
        }
        let hosts: Vec<&str> = hosts.into_iter().collect();
        match subscript {
            None => Ok(hosts),
            Some(_) if hosts.is_empty() => Ok(hosts),
            Some(subscript) => {
                let count = hosts.len();
                let error = || PatternError::Index { pattern: term.to_owned(), hosts: count };
                subscript.pick(hosts).ok_or_else(error)
            }
        }
    }

    /// This machine, when it is named: the first such host that the inventory mentions, else the name itself.
    fn local_name(&self, name: &str) -> Option<&str> {
        let named = LOCALHOST.into_iter().find(|local| *local == name)?;
        Some(self.host_names().find(|host| LOCALHOST.contains(host)).unwrap_or(named))
    }

    fn unknown(&self, name: &str) -> PatternError {
        let known = || self.host_names().chain(self.group_names());
        let other_case = known().find(|known| known.eq_ignore_ascii_case(name));
        let nearest = other_case.or_else(|| nearest(name, known())).map(str::to_owned);
        PatternError::Unknown { name: name.to_owned(), nearest }
    }
}

/// The terms of a pattern: cut at commas if there is one, else at colons that are in no address and no brackets.
fn split(pattern: &str) -> Vec<String> {
    let terms: Vec<&str> = if pattern.contains(',') {
        pattern.split(',').collect()
    } else if address::split_port(pattern).is_some() {
        vec![pattern]
    } else {
        split_at_colons(pattern)
    };
    terms.into_iter().map(str::trim).filter(|term| !term.is_empty()).map(str::to_owned).collect()
}

/// Cuts at colons and white space outside `[…]`; a bracket without partner separates as well, as in Ansible.
fn split_at_colons(pattern: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(c) = pattern.get(at..).and_then(|rest| rest.chars().next()) {
        let bracketed = if c == '[' { pattern.get(at..).and_then(|rest| rest.find(']')) } else { None };
        if let Some(length) = bracketed {
            at += length + 1;
            continue;
        }
        if c.is_whitespace() || matches!(c, ':' | '[' | ']') {
            terms.extend(pattern.get(start..at));
            start = at + c.len_utf8();
        }
        at += c.len_utf8();
    }
    terms.extend(pattern.get(start..));
    terms
}

/// How names are compared with a term.
enum Matcher<'p> {
    Glob(&'p str),
    Regex(Regex),
}

impl<'p> Matcher<'p> {
    fn from_text(name: &'p str) -> Result<Self, PatternError> {
        let Some(expression) = name.strip_prefix('~') else { return Ok(Self::Glob(name)) };
        // Python's `re.match` is bound to the start of the name, and to the start only.
        match Regex::new(&format!(r"\A(?:{expression})")) {
            Ok(regex) => Ok(Self::Regex(regex)),
            Err(fault) => Err(PatternError::Regex { pattern: name.to_owned(), reason: last_line(&fault.to_string()) }),
        }
    }

    fn takes(&self, name: &str) -> bool {
        match self {
            Self::Glob(pattern) => glob::matches(pattern, name),
            Self::Regex(regex) => regex.is_match(name),
        }
    }
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// What stands in brackets after a term; `[:2]` and `[-2:]` are none but character classes of a glob.
#[derive(Clone, Copy)]
enum Subscript {
    One(i64),
    /// Both inclusive.
    From(usize, Option<usize>),
}

impl Subscript {
    fn split_off(term: &str) -> (&str, Option<Self>) {
        let inside = term.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
        match inside {
            Some((name, text)) if !name.is_empty() && !term.starts_with('~') => match Self::from_text(text) {
                Some(subscript) => (name, Some(subscript)),
                None => (term, None),
            },
            _ => (term, None),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().map(Self::One);
        }
        let (from, to) = text.split_once([':', '-'])?;
        let from = number(from)?;
        if to.is_empty() { Some(Self::From(from, None)) } else { Some(Self::From(from, Some(number(to)?))) }
    }

    /// The picked hosts; `None` when a single one is out of range.
    fn pick(self, hosts: Vec<&str>) -> Option<Vec<&str>> {
        match self {
            Self::One(at) => {
                let count = i64::try_from(hosts.len()).ok()?;
                let at = usize::try_from(if at < 0 { count + at } else { at }).ok()?;
                hosts.get(at).map(|host| vec![*host])
            }
            Self::From(from, to) => {
                let end = to.map_or(hosts.len(), |to| to.saturating_add(1).min(hosts.len()));
                Some(hosts.get(from..end).unwrap_or_default().to_vec())
            }
        }
    }
}
