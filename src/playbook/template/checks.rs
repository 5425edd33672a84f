//! The tests that Ansible adds to Jinja: `is failed`, `is version(…)`, `is match(…)`.

use std::cmp::Ordering;

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

use super::filters::regexes::{Options, compile};

/// Ansible's tests of files on the control machine, which nobody needs whose files are on hosts.
pub(super) const OF_FILES: [&str; 8] =
    ["file", "directory", "exists", "link", "abs", "mount", "link_exists", "same_file"];

/// Adds them all.
pub(super) fn add(env: &mut Environment<'static>) {
    for name in ["failed", "failure"] {
        env.add_test(name, |r: &Value| flag(r, "failed"));
    }
    for name in ["succeeded", "success", "successful"] {
        env.add_test(name, |r: &Value| flag(r, "failed").map(|failed| !failed));
    }
    for name in ["changed", "change"] {
        env.add_test(name, changed);
    }
    for name in ["skipped", "skip"] {
        env.add_test(name, |r: &Value| flag(r, "skipped"));
    }
    env.add_test("unreachable", |r: &Value| flag(r, "unreachable"));
    env.add_test("reachable", |r: &Value| flag(r, "unreachable").map(|lost| !lost));
    env.add_test("finished", |r: &Value| number_flag(r, "finished"));
    env.add_test("started", |r: &Value| number_flag(r, "started"));
    env.add_test("truthy", |v: &Value| known(v).map(Value::is_true));
    env.add_test("falsy", |v: &Value| known(v).map(|v| !v.is_true()));
    for name in ["version", "version_compare"] {
        env.add_test(name, version);
    }
    env.add_test("match", |v: &Value, p: &str, o: Kwargs| found(v, p, &o, "match"));
    env.add_test("search", |v: &Value, p: &str, o: Kwargs| found(v, p, &o, "search"));
    env.add_test("regex", |v: &Value, p: &str, o: Kwargs| {
        let how = o.get::<Option<&str>>("match_type")?.unwrap_or("search").to_owned();
        found(v, p, &o, &how)
    });
    for name in ["subset", "issubset"] {
        env.add_test(name, |a: &Value, b: &Value| within(a, b));
    }
    for name in ["superset", "issuperset"] {
        env.add_test(name, |a: &Value, b: &Value| within(b, a));
    }
    env.add_test("contains", |list: &Value, item: &Value| contains(list, item));
    env.add_test("any", |list: &Value| Ok::<_, Error>(known(list)?.try_iter()?.any(|item| item.is_true())));
    env.add_test("all", |list: &Value| Ok::<_, Error>(known(list)?.try_iter()?.all(|item| item.is_true())));
    for name in OF_FILES {
        env.add_test(name, move |_: &Value| -> Result<bool, Error> {
            let what = format!("no test `{name}`: quorate's templates look at no files; ask the host with `stat`");
            Err(Error::new(ErrorKind::InvalidOperation, what))
        });
    }
}

fn known(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
}

/// A flag of a task's result; one that is not there is false (`plugins/test/core.py` of ansible-core).
fn flag(result: &Value, name: &str) -> Result<bool, Error> {
    if known(result)?.kind() != ValueKind::Map {
        let what = format!("`is {name}` and its like look at a registered result, not at {}", result.kind());
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    result.get_attr(name).map(|value| value.is_true())
}

/// A result of a loop is changed when any of its items is.
fn changed(result: &Value) -> Result<bool, Error> {
    if flag(result, "changed")? {
        return Ok(true);
    }
    let items = result.get_attr("results")?;
    if items.kind() != ValueKind::Seq {
        return Ok(false);
    }
    Ok(items.try_iter()?.any(|item| item.get_attr("changed").is_ok_and(|value| value.is_true())))
}

/// `finished` and `started` of `async` are there as 0 and 1; a result without them is of a task that ran at once.
fn number_flag(result: &Value, name: &str) -> Result<bool, Error> {
    flag(result, name)?;
    result.get_attr(name).map(|value| value.is_undefined() || value.is_true())
}

fn found(value: &Value, pattern: &str, options: &Kwargs, how: &str) -> Result<bool, Error> {
    let options = Options::from_kwargs(options)?;
    let text = known(value)?.to_string();
    let pattern = match how {
        "search" => pattern.to_owned(),
        "match" => format!("\\A(?:{pattern})"),
        "fullmatch" => format!("\\A(?:{pattern})\\z"),
        _ => return Err(Error::new(ErrorKind::InvalidOperation, "match_type is search, match or fullmatch")),
    };
    Ok(compile(&pattern, options)?.is_match(&text))
}

fn within(part: &Value, whole: &Value) -> Result<bool, Error> {
    let whole: Vec<Value> = known(whole)?.try_iter()?.collect();
    Ok(known(part)?.try_iter()?.all(|item| whole.contains(&item)))
}

fn contains(list: &Value, item: &Value) -> Result<bool, Error> {
    if let (Some(text), Some(part)) = (known(list)?.as_str(), item.as_str()) {
        return Ok(text.contains(part));
    }
    Ok(list.try_iter()?.any(|each| each == *item))
}

/// `version(other, operator='==', strict=false, version_type='loose')`.
fn version(
    value: &Value,
    other: &Value,
    operator: Option<&str>,
    strict: Option<bool>,
    options: Kwargs,
) -> Result<bool, Error> {
    let operator = operator.map_or_else(|| options.get::<Option<&str>>("operator"), |o| Ok(Some(o)))?.unwrap_or("==");
    let strict = strict.map_or_else(|| options.get::<Option<bool>>("strict"), |s| Ok(Some(s)))?.unwrap_or(false);
    let kind = options.get::<Option<&str>>("version_type")?.unwrap_or(if strict { "strict" } else { "loose" });
    let (a, b) = (known(value)?.to_string(), known(other)?.to_string());
    if a.is_empty() || b.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "a version to compare is empty"));
    }
    let order = match kind {
        "loose" => loose_order(&a, &b)?,
        "strict" => strict_version(&a)?.cmp(&strict_version(&b)?),
        "semver" | "semantic" => semantic(&a)?.cmp_precedence(&semantic(&b)?),
        _ => return Err(Error::new(ErrorKind::InvalidOperation, "version_type is loose, strict or semver")),
    };
    options.assert_all_used()?;
    match operator {
        "==" | "=" | "eq" => Ok(order.is_eq()),
        "<" | "lt" => Ok(order.is_lt()),
        "<=" | "le" => Ok(order.is_le()),
        ">" | "gt" => Ok(order.is_gt()),
        ">=" | "ge" => Ok(order.is_ge()),
        "!=" | "<>" | "ne" => Ok(order.is_ne()),
        _ => Err(Error::new(ErrorKind::InvalidOperation, format!("no operator `{operator}` for versions"))),
    }
}

fn semantic(text: &str) -> Result<semver::Version, Error> {
    let bad = |_| Error::new(ErrorKind::InvalidOperation, "not a semantic version such as 2.1.0-rc.1");
    semver::Version::parse(text).map_err(bad)
}

/// A part of a loose version: `1.10rc2` is 1, 10, rc, 2.
#[derive(Debug, PartialEq, Eq)]
enum Part<'t> {
    Number(u128),
    Word(&'t str),
}

/// Numbers as numbers, words as words, the longer one greater, as distutils' LooseVersion has it.
fn loose_order(a: &str, b: &str) -> Result<Ordering, Error> {
    let (a, b) = (parts(a), parts(b));
    for pair in a.iter().zip(&b) {
        let order = match pair {
            (Part::Number(x), Part::Number(y)) => x.cmp(y),
            (Part::Word(x), Part::Word(y)) => x.cmp(y),
            _ => {
                let what = "these versions can't be compared: one has a number where the other has letters";
                return Err(Error::new(ErrorKind::InvalidOperation, what));
            }
        };
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(a.len().cmp(&b.len()))
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let class = |c: char| {
        if c.is_ascii_digit() {
            0
        } else if c == '.' {
            2
        } else if c.is_ascii_lowercase() {
            1
        } else {
            3
        }
    };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let size = rest.find(|c| class(c) != class(first)).unwrap_or(rest.len());
        let (part, tail) = rest.split_at(size);
        match part.parse() {
            Ok(number) => found.push(Part::Number(number)),
            Err(_) if class(first) == 2 => {}
            Err(_) => found.push(Part::Word(part)),
        }
        rest = tail;
    }
    found
}

/// `N.N`, `N.N.N`, each with `aN` or `bN` behind it; a final release is above its alphas and betas.
fn strict_version(text: &str) -> Result<([u64; 3], (u8, u64)), Error> {
    let bad = || Error::new(ErrorKind::InvalidOperation, "not a strict version such as 2.1.0 or 2.1b1");
    let at = text.find(['a', 'b']).unwrap_or(text.len());
    let (numbers, pre) = text.split_at(at);
    let mut fields = [0; 3];
    let mut count = 0;
    for (index, part) in numbers.split('.').enumerate() {
        *fields.get_mut(index).ok_or_else(bad)? = part.parse().map_err(|_| bad())?;
        count += 1;
    }
    if count < 2 {
        return Err(bad());
    }
    let rank = match pre.chars().next() {
        None => (2, 0),
        Some(letter) => (u8::from(letter == 'b'), pre.get(1..).unwrap_or_default().parse().map_err(|_| bad())?),
    };
    Ok((fields, rank))
}
