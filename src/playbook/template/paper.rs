//! What can be said of a template before there are variables: whether it is well formed, and whether the filters, tests
//! and lookups are there that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use minijinja::{Environment, ErrorKind, State};

use super::Nothing;
use super::checks::OF_FILES;
use super::engine::LOOKUPS;
use super::fault::{Circumstances, Spot, tell};
use super::tokens::{self, Kind, Token, rewritten, tokens};
use crate::inventory::{Place, Problem, nearest};

/// Filters that people misspell; the rest is known too, but never proposed.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "b64decode",
    "b64encode",
    "basename",
    "batch",
    "bool",
    "capitalize",
    "combine",
    "comment",
    "default",
    "dict2items",
    "dictsort",
    "difference",
    "dirname",
    "expanduser",
    "extract",
    "first",
    "flatten",
    "float",
    "format",
    "from_json",
    "from_yaml",
    "from_yaml_all",
    "groupby",
    "hash",
    "human_readable",
    "human_to_bytes",
    "indent",
    "int",
    "intersect",
    "items2dict",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "mandatory",
    "map",
    "max",
    "min",
    "normpath",
    "path_join",
    "product",
    "quote",
    "random",
    "regex_escape",
    "regex_findall",
    "regex_replace",
    "regex_search",
    "reject",
    "rejectattr",
    "relpath",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "splitext",
    "string",
    "subelements",
    "sum",
    "symmetric_difference",
    "ternary",
    "title",
    "to_json",
    "to_nice_json",
    "to_nice_yaml",
    "to_yaml",
    "trim",
    "type_debug",
    "union",
    "unique",
    "upper",
    "urlencode",
    "urlsplit",
    "wordcount",
    "zip",
];

/// Tests that people misspell.
pub(super) const TESTS: &[&str] = &[
    "all",
    "any",
    "boolean",
    "changed",
    "contains",
    "defined",
    "divisibleby",
    "equalto",
    "even",
    "failed",
    "falsy",
    "float",
    "in",
    "integer",
    "iterable",
    "mapping",
    "match",
    "none",
    "number",
    "odd",
    "regex",
    "sameas",
    "search",
    "sequence",
    "skipped",
    "string",
    "subset",
    "succeeded",
    "success",
    "superset",
    "truthy",
    "undefined",
    "version",
];

/// What a name in a template is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Filter,
    Test,
    Lookup,
}

impl Sort {
    /// Whether there is one of that name. The engine has no question for it, so each is called with nothing to work on:
    /// only the answer that there is no such thing counts.
    fn has(self, state: &mut State<'_, '_>, name: &str) -> bool {
        let missing = |error: minijinja::Error, kind| error.kind() == kind && error.detail().is_none();
        match self {
            Self::Filter => !state.apply_filter(name, &[]).is_err_and(|e| missing(e, ErrorKind::UnknownFilter)),
            Self::Test if OF_FILES.contains(&name) => false,
            Self::Test => !state.perform_test(name, &[]).is_err_and(|e| missing(e, ErrorKind::UnknownTest)),
            Self::Lookup => LOOKUPS.contains(&name.trim_start_matches("ansible.builtin.")),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Lookup => "lookup",
        }
    }

    fn problem(self, place: &Place, name: &str) -> Problem {
        let (known, help) = match self {
            Self::Filter => (FILTERS, "templates have the everyday filters of Jinja and Ansible, none of collections"),
            Self::Test if OF_FILES.contains(&name) => (&[][..], "templates look at no files; ask the host with `stat`"),
            Self::Test => (TESTS, "templates have the everyday tests of Jinja and Ansible, none of collections"),
            Self::Lookup => (LOOKUPS, "templates cannot run anything or read files; only `env` is there"),
        };
        let problem = Problem::new(place, format!("there is no {} `{name}`", self.word()));
        match nearest(name, known.iter().copied()).filter(|_| !name.contains('.')) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(help),
        }
    }
}

/// What is wrong with a text of templates or, if `bare`, with an expression.
pub(super) fn faults(env: &Environment<'static>, text: &str, spot: Spot<'_>, bare: bool) -> Vec<Problem> {
    let rewritten = rewritten(text, &tokens(text, bare), spot.literal);
    let compiled = if bare {
        env.compile_expression_owned(rewritten.text.clone()).map(drop)
    } else {
        env.template_from_str(&rewritten.text).map(drop)
    };
    if let Err(error) = compiled {
        let seen = Circumstances { scope: &Nothing, defined: &[], unrendered: &[] };
        return vec![*tell(&error, &rewritten, spot, &seen).problem];
    }
    let mut state = env.empty_state();
    let unknown =
        named(&tokens(&rewritten.text, bare)).into_iter().filter(|(sort, name, _)| !sort.has(&mut state, name));
    unknown
        .map(|(sort, name, range)| {
            let place = spot.place(rewritten.original(range.start)..rewritten.original(range.end));
            sort.problem(&place, &name)
        })
        .collect()
}

/// The filters, tests and lookups that the tokens name, also those named in text, as in `map('upper')`.
fn named(cut: &[Token<'_>]) -> Vec<(Sort, String, Range<usize>)> {
    let mut found = Vec::new();
    for at in 0..cut.len() {
        let word = |n: usize| cut.get(at + n).map_or("", |token| token.text);
        let call = word(2) == "(";
        match word(0) {
            "|" => {
                found.extend(name(cut, at + 1).map(|(name, range)| (Sort::Filter, name, range)));
                let inner = match word(1) {
                    "map" if call => Some((Sort::Filter, at + 3)),
                    "select" | "reject" if call => Some((Sort::Test, at + 3)),
                    "selectattr" | "rejectattr" if call && word(4) == "," => Some((Sort::Test, at + 5)),
                    _ => None,
                };
                found.extend(inner.and_then(|(sort, at)| literal(cut, at).map(|(name, range)| (sort, name, range))));
            }
            "is" => {
                let at = if word(1) == "not" { at + 2 } else { at + 1 };
                found.extend(name(cut, at).map(|(name, range)| (Sort::Test, name, range)));
            }
            "lookup" | "query" | "q" if word(1) == "(" => {
                found.extend(literal(cut, at + 2).map(|(name, range)| (Sort::Lookup, name, range)));
            }
            _ => {}
        }
    }
    found
}

/// A name with its dots: those of collections are longer than one word.
fn name(cut: &[Token<'_>], at: usize) -> Option<(String, Range<usize>)> {
    let first = cut.get(at).filter(|token| token.kind == Kind::Name)?;
    let (mut whole, mut end) = (first.text.to_owned(), first.range.end);
    let mut rest = cut.get(at + 1..).unwrap_or_default();
    while let [dot, part, more @ ..] = rest {
        if dot.text != "." || part.kind != Kind::Name || dot.range.start != end {
            break;
        }
        whole = format!("{whole}.{}", part.text);
        (end, rest) = (part.range.end, more);
    }
    Some((whole, first.range.start..end))
}

/// A text literal that is a whole argument.
fn literal(cut: &[Token<'_>], at: usize) -> Option<(String, Range<usize>)> {
    let token = cut.get(at).filter(|token| token.kind == Kind::Text)?;
    let whole = cut.get(at + 1).is_some_and(|next| matches!(next.text, "," | ")"));
    let inner = token.text.get(1..token.text.len().saturating_sub(1))?;
    whole.then(|| (inner.to_owned(), token.range.start + 1..token.range.end.saturating_sub(1)))
}

/// The names that the text uses, with the place of the first use of each in the text.
pub(super) fn first_uses(text: &str, bare: bool) -> BTreeMap<String, Range<usize>> {
    let cut = tokens(text, bare);
    let mut found = BTreeMap::new();
    for (name, range) in tokens::named_variables(&cut) {
        found.entry(name.to_owned()).or_insert(range);
    }
    found
}

/// The names of which a slice is taken (`x` of `x[1:]`), save those that the template may set itself: minijinja 3.1 passes over
/// them when it lists the names that a template uses.
pub(super) fn sliced<'t>(cut: &[Token<'t>]) -> BTreeSet<&'t str> {
    let mut found = BTreeSet::new();
    for close in (0..cut.len()).filter(|at| cut.get(*at).is_some_and(|token| token.text == "]")) {
        let Some((open, false)) = tokens::opening(cut, close) else { continue };
        let slice = cut.get(open..close).is_some_and(|inside| inside.iter().any(|token| token.text == ":"));
        let before = open.checked_sub(1).and_then(|at| cut.get(at)).map(|token| (token.kind, token.text));
        if !slice || !matches!(before, Some((Kind::Name, _) | (_, ")" | "]"))) {
            continue;
        }
        operand(cut, open - 1, &mut found);
    }
    let set: BTreeSet<&str> = assigned(cut).collect();
    found.into_iter().filter(|name| !set.contains(name)).collect()
}

/// The variables in what ends at that token: `x.y`, `(x ~ y)`, `x.f(y)`.
fn operand<'t>(cut: &[Token<'t>], last: usize, found: &mut BTreeSet<&'t str>) {
    let word = |at: usize| cut.get(at).map_or("", |token| token.text);
    let root = tokens::chain(cut, last).1;
    let open = match word(root) {
        ")" | "]" | "}" => tokens::opening(cut, root).map_or(root, |(open, _)| open),
        _ => root,
    };
    let inside = cut.get(open..root).unwrap_or_default();
    found.extend(tokens::names(inside));
    let before = open.checked_sub(1);
    match before.and_then(|at| cut.get(at)) {
        // A call: what it is called on counts too.
        Some(callee) if word(open) == "(" && callee.kind == Kind::Name => operand(cut, open - 1, found),
        // One more token tells an attribute, a filter or a test from a variable.
        _ if open == root => found.extend(tokens::names(cut.get(before.unwrap_or(0)..=root).unwrap_or_default())),
        _ => {}
    }
}

/// All names in tags that set some of them.
fn assigned<'a, 't>(cut: &'a [Token<'t>]) -> impl Iterator<Item = &'t str> + 'a {
    let sets = |at: &usize| {
        let word = |at: usize| cut.get(at).map_or("", |token| token.text);
        word(*at).starts_with("{%") && matches!(word(at + 1), "for" | "set" | "macro" | "with" | "call")
    };
    (0..cut.len()).filter(sets).flat_map(|at| {
        let tag = cut.get(at + 2..).unwrap_or_default().iter().take_while(|token| token.kind != Kind::End);
        tag.filter(|token| token.kind == Kind::Name).map(|token| token.text)
    })
}
