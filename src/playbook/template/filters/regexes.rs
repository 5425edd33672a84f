//! Patterns written for Python's `re`, run by an engine whose time grows with the text and never as a power of it.

use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error, State};
use regex::{Captures, Regex, RegexBuilder};

use super::text::{charge, text};
use super::wrong;

/// The most a compiled pattern may take, in bytes: the crate's own default is 10 MiB; `(x{100}){100}` takes about 1.
const PATTERN: usize = 4 << 20;

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("regex_replace", regex_replace);
    env.add_filter("regex_search", regex_search);
    env.add_filter("regex_findall", regex_findall);
    env.add_filter("regex_escape", |value: &Value| Ok::<_, Error>(escaped(&text(value)?)));
}

/// How a pattern is read.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::playbook::template) struct Options {
    ignore_case: bool,
    multiline: bool,
}

impl Options {
    /// From `ignorecase=` and `multiline=`; any other keyword that nobody took before is a fault.
    pub(in crate::playbook::template) fn from_kwargs(kwargs: &Kwargs) -> Result<Self, Error> {
        let ignore_case = kwargs.get::<Option<bool>>("ignorecase")?.unwrap_or(false);
        let multiline = kwargs.get::<Option<bool>>("multiline")?.unwrap_or(false);
        kwargs.assert_all_used()?;
        Ok(Self { ignore_case, multiline })
    }
}

/// Compiles a pattern; `\Z` of Python is this engine's `\z`.
pub(in crate::playbook::template) fn compile(pattern: &str, options: Options) -> Result<Regex, Error> {
    let pattern = pattern.replace("\\Z", "\\z");
    let built = RegexBuilder::new(&pattern)
        .case_insensitive(options.ignore_case)
        .multi_line(options.multiline)
        .size_limit(PATTERN)
        .build();
    built.map_err(|error| {
        let ahead = ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|sign| pattern.contains(sign));
        if ahead {
            return wrong("a pattern with look-around: quorate's patterns run in linear time and have none");
        }
        match error {
            regex::Error::CompiledTooBig(_) => wrong("the pattern is too large"),
            // The first lines of the crate's message show the pattern; its last line says what is wrong.
            other => wrong(format!("the pattern: {}", other.to_string().lines().last().unwrap_or_default())),
        }
    })
}

/// `regex_replace(pattern, replacement='', ignorecase=, multiline=, count=0)`.
fn regex_replace(
    state: &State<'_, '_>,
    value: &Value,
    pattern: &str,
    replacement: Option<&str>,
    options: Kwargs,
) -> Result<String, Error> {
    let replacement = replacement.map_or_else(|| options.get::<Option<&str>>("replacement"), |r| Ok(Some(r)))?;
    let count = options.get::<Option<usize>>("count")?.unwrap_or(0);
    let regex = compile(pattern, Options::from_kwargs(&options)?)?;
    let pieces = pieces(replacement.unwrap_or_default())?;
    let text = text(value)?;
    let mut made = String::new();
    let mut from = 0;
    let mut charged = 0;
    for captures in regex.captures_iter(&text).take(if count == 0 { usize::MAX } else { count }) {
        let Some(whole) = captures.get(0) else { continue };
        made.push_str(text.get(from..whole.start()).unwrap_or_default());
        for piece in &pieces {
            made.push_str(piece.of(&captures)?);
        }
        from = whole.end();
        if made.len() - charged > 1 << 16 {
            charge(state, made.len() - charged)?;
            charged = made.len();
        }
    }
    made.push_str(text.get(from..).unwrap_or_default());
    Ok(made)
}

/// A piece of a replacement.
enum Piece {
    Text(String),
    Group(String),
}

impl Piece {
    fn of<'t>(&'t self, captures: &'t Captures<'_>) -> Result<&'t str, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Group(name) => group(captures, name),
        }
    }
}

/// A group by number or name; one that took no part in the match is empty.
fn group<'c>(captures: &'c Captures<'_>, name: &str) -> Result<&'c str, Error> {
    let found = match name.parse::<usize>() {
        Ok(index) if index < captures.len() => captures.get(index),
        Ok(_) => return Err(wrong(format!("the pattern has no group {name}"))),
        Err(_) => captures.name(name),
    };
    Ok(found.map_or("", |m| m.as_str()))
}

/// Cuts a replacement as Python does: `\1`, `\g<1>`, `\g<name>`, `\n`, `\\`.
fn pieces(replacement: &str) -> Result<Vec<Piece>, Error> {
    let mut found = Vec::new();
    let mut plain = String::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        plain.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        let Some(next) = rest.chars().next() else { return Err(wrong("a replacement that ends in a backslash")) };
        let mut size = next.len_utf8();
        let group = if next.is_ascii_digit() {
            size = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()).min(2);
            rest.get(..size)
        } else if next == 'g' {
            let name = rest.strip_prefix("g<").and_then(|tail| tail.split_once('>')).map(|(name, _)| name);
            let name = name.ok_or_else(|| wrong("a replacement with `\\g` but without `<group>`"))?;
            size = name.len() + 3;
            Some(name)
        } else {
            None
        };
        match group {
            Some(name) => {
                found.push(Piece::Text(std::mem::take(&mut plain)));
                found.push(Piece::Group(name.to_owned()));
            }
            None => plain.push(match next {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
        }
        rest = rest.get(size..).unwrap_or_default();
    }
    plain.push_str(rest);
    found.push(Piece::Text(plain));
    Ok(found)
}

/// `regex_search(pattern, '\\1', '\\g<name>', …)`: the match, or a list of the groups asked for; null without a match.
fn regex_search(value: &Value, pattern: &str, groups: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let regex = compile(pattern, Options::from_kwargs(&options)?)?;
    let text = text(value)?;
    let Some(captures) = regex.captures(&text) else { return Ok(Value::from(())) };
    if groups.is_empty() {
        return Ok(Value::from(captures.get(0).map_or("", |m| m.as_str())));
    }
    let mut found = Vec::new();
    for wanted in groups.iter() {
        let wanted = wanted.as_str().unwrap_or_default();
        let name = wanted.strip_prefix("\\g<").and_then(|n| n.strip_suffix('>')).or_else(|| wanted.strip_prefix('\\'));
        let name = name.ok_or_else(|| wrong("regex_search: a group is written '\\\\1' or '\\\\g<name>'"))?;
        found.push(Value::from(group(&captures, name)?));
    }
    Ok(Value::from(found))
}

/// `regex_findall(pattern)`: all matches; with one group that group of each, with more a list of them of each.
fn regex_findall(value: &Value, pattern: &str, options: Kwargs) -> Result<Vec<Value>, Error> {
    let regex = compile(pattern, Options::from_kwargs(&options)?)?;
    let text = text(value)?;
    let part = |captures: &Captures<'_>, index| Value::from(captures.get(index).map_or("", |m| m.as_str()));
    let found = regex.captures_iter(&text).map(|captures| match captures.len() {
        1 => part(&captures, 0),
        2 => part(&captures, 1),
        size => (1..size).map(|index| part(&captures, index)).collect(),
    });
    Ok(found.collect())
}

/// As Python's `re.escape`.
fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c) {
            made.push('\\');
        }
        made.push(c);
    }
    made
}
