//! A fault of the engine told as a [`Problem`] at the operator's own bytes, without any variable's value in it.

use std::error::Error as _;
use std::ops::Range;

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use super::Scope;
use super::tokens::Rewritten;
use crate::inventory::{Place, Problem, nearest};

/// Why something could not be rendered, and of what sort that is.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem}")]
pub(super) struct Failure {
    pub(super) sort: Sort,
    pub(super) problem: Box<Problem>,
}

/// The sorts of failures that are treated differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// An undefined name: `default` and `is defined` forgive it.
    Undefined,
    /// Variables that need each other: true only on the way that led there, so never remembered.
    Cycle,
    /// Anything else.
    Other,
}

impl Failure {
    pub(super) fn new(sort: Sort, problem: Problem) -> Self {
        Self { sort, problem: Box::new(problem) }
    }

    /// The same, carried through the engine as the value of a variable; whoever uses the variable gets it back.
    pub(super) fn into_value(self) -> Value {
        Value::from(Error::new(ErrorKind::InvalidOperation, "a variable could not be rendered").with_source(self))
    }
}

/// The text of one scalar, where it stands, and which part of it is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'p> {
    /// The scalar's place.
    pub(super) place: &'p Place,
    /// Its whole text.
    pub(super) whole: &'p str,
    /// Where in that text the evaluated part begins.
    pub(super) offset: usize,
    /// Whether a backslash in a text literal stands for itself.
    pub(super) literal: bool,
}

impl Spot<'_> {
    /// The place of bytes of the evaluated part, in the source where the scalar is written so that they can be found
    /// (bare, in quotes without escapes, as a block); else the scalar's own place.
    pub(super) fn place(&self, range: Range<usize>) -> Place {
        let Place { source, start, end } = self.place;
        let written = source.text.get(*start..*end).unwrap_or_default();
        let range = self.offset + range.start..self.offset + range.end.max(range.start);
        let begin = self.begin_in(written, range.start);
        begin.map_or_else(|| self.place.clone(), |at| Place::new(source, start + at, start + at + range.len()))
    }

    fn begin_in(&self, written: &str, at: usize) -> Option<usize> {
        if let Some(found) = written.find(self.whole) {
            return Some(found + at);
        }
        // A block scalar is indented in the file, so its lines are looked for one by one.
        let mut from = 0;
        let mut passed = 0;
        for line in self.whole.split_inclusive('\n') {
            let bare = line.trim_end_matches('\n');
            let found = from + written.get(from..)?.find(bare)?;
            if at < passed + line.len() {
                return Some(found + (at - passed));
            }
            from = found + bare.len();
            passed += line.len();
        }
        None
    }
}

/// What the fault is judged by: the names that were there, and those that could not be rendered.
pub(super) struct Circumstances<'c> {
    pub(super) scope: &'c dyn Scope,
    pub(super) defined: &'c [(String, Value)],
    pub(super) unrendered: &'c [(String, Failure)],
}

/// Tells the engine's fault.
pub(super) fn tell(error: &Error, rewritten: &Rewritten, spot: Spot<'_>, seen: &Circumstances<'_>) -> Failure {
    if let Some(carried) = carried(error) {
        return with_use(carried.clone(), spot.place);
    }
    let place = error
        .range()
        .map_or_else(|| spot.place.clone(), |r| spot.place(rewritten.original(r.start)..rewritten.original(r.end)));
    match error.kind() {
        ErrorKind::UndefinedError => {
            let detail = error.detail().unwrap_or_default();
            let name = detail.split(" is undefined").next().and_then(|head| head.split('`').nth(1));
            undefined(name, &place, seen)
        }
        ErrorKind::OutOfFuel | ErrorKind::WriteFailure => Failure::new(Sort::Other, spent(&place)),
        _ => Failure::new(Sort::Other, other(error, &place)),
    }
}

/// The failure of a variable that the engine carried in itself.
fn carried(error: &Error) -> Option<&Failure> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(failure) = inner.downcast_ref::<Failure>() {
            return Some(failure);
        }
        source = inner.source();
    }
    None
}

/// The failure with the place that led to it, unless it knows one already.
fn with_use(mut failure: Failure, place: &Place) -> Failure {
    if failure.problem.related.is_none() {
        failure.problem.related = Some((place.clone(), "used here".to_owned()));
    }
    failure
}

/// An undefined name, or a chain such as `result.rc` of which the end is missing.
pub(super) fn undefined(name: Option<&str>, place: &Place, seen: &Circumstances<'_>) -> Failure {
    let Some(name) = name else {
        return Failure::new(Sort::Undefined, Problem::new(place, "the expression is undefined"));
    };
    let root = name.split(['.', '[', '(', '|', ' ']).next().unwrap_or(name);
    if let Some((_, failure)) = seen.unrendered.iter().find(|(n, _)| n == root) {
        return with_use(failure.clone(), place);
    }
    let value = seen.defined.iter().find(|(n, _)| n == root).map(|(_, value)| value);
    let (what, known) = match value {
        Some(value) => missing_part(name, value),
        None => (root.to_owned(), seen.scope.names()),
    };
    let mut problem = Problem::new(place, format!("`{what}` is not defined"));
    let word = what.rsplit('.').next().unwrap_or(&what);
    if let Some(near) = nearest(word, known.iter().map(String::as_str)) {
        problem = problem.help(format!("did you mean `{near}`?"));
    } else if value.is_some() && !known.is_empty() && known.len() <= 12 {
        problem = problem.help(format!("it has: {}", known.join(", ")));
    }
    Failure::new(Sort::Undefined, problem)
}

/// The chain up to its first missing part, and the keys that are there instead.
fn missing_part(chain: &str, root: &Value) -> (String, Vec<String>) {
    let mut parts = chain.split('.');
    let mut seen = parts.next().unwrap_or_default().to_owned();
    let mut value = root.clone();
    for part in parts {
        seen = format!("{seen}.{part}");
        match value.get_attr(part) {
            Ok(next) if !next.is_undefined() => value = next,
            _ => {
                let keys = value.try_iter().map(|keys| keys.filter_map(|k| k.as_str().map(str::to_owned)).collect());
                let mapping = value.kind() == minijinja::value::ValueKind::Map;
                return (seen, if mapping { keys.unwrap_or_default() } else { Vec::new() });
            }
        }
    }
    (chain.to_owned(), Vec::new())
}

fn spent(place: &Place) -> Problem {
    Problem::new(place, "the template does more work, or makes more text, than a template may")
        .help("a template may take 500,000 steps and make 16 MiB; is there a loop without end?")
}

fn other(error: &Error, place: &Place) -> Problem {
    let detail = error.detail().unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::SyntaxError => format!("template: {detail}"),
        // Of `map` and `select`, which are told a name, the engine does not say which.
        ErrorKind::UnknownFilter if detail.is_empty() => "there is no filter of that name".to_owned(),
        ErrorKind::UnknownTest if detail.is_empty() => "there is no test of that name".to_owned(),
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => {
            format!("no such thing in a template: {detail}")
        }
        ErrorKind::InvalidOperation if !detail.is_empty() => detail.to_owned(),
        kind if detail.is_empty() => format!("template: {kind}"),
        kind => format!("{kind}: {detail}"),
    };
    let problem = Problem::new(place, message);
    if detail.contains("% operator") || detail.contains("operator `%`") {
        return problem.help("write `'%s' | format(x)` in place of `'%s' % x`");
    }
    problem
}
