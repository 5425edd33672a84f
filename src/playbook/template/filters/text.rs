//! Filters on text.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, State};

use super::{known, wrong};

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("quote", |value: &Value| Ok::<_, Error>(quoted(&text(value)?)));
    env.add_filter("type_debug", type_debug);
    env.add_filter("split", split);
    env.add_filter("indent", indent);
    env.add_filter("comment", comment);
    env.add_filter("wordcount", |value: &Value| Ok::<_, Error>(text(value)?.split_whitespace().count()));
    env.add_filter("center", |value: &Value, width: usize| {
        if width > 10_000 {
            return Err(wrong("center: a width above 10,000"));
        }
        Ok(format!("{:^width$}", text(value)?))
    });
}

/// The text of a value: what `{{ }}` would print.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    let value = known(value)?;
    Ok(value.as_str().map_or_else(|| if value.is_none() { String::new() } else { value.to_string() }, str::to_owned))
}

/// The name that Python has for the value's type, as Ansible's filter of that name prints it.
fn type_debug(value: &Value) -> Result<&'static str, Error> {
    let value = known(value)?;
    Ok(match value.kind() {
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Map => "dict",
        ValueKind::Seq | ValueKind::Iterable => "list",
        _ => "object",
    })
}

/// As Python's `shlex.quote`: one word for a POSIX shell.
fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

/// As Python's `str.split`: without a separator at runs of white space, and no empty pieces then.
fn split(value: &Value, separator: Option<&str>, most: Option<i64>) -> Result<Vec<String>, Error> {
    let text = text(value)?;
    let pieces = most.and_then(|m| usize::try_from(m).ok()).map_or(usize::MAX, |m| m.saturating_add(1));
    match separator {
        Some("") => Err(wrong("split: an empty separator")),
        Some(separator) => Ok(text.splitn(pieces, separator).map(str::to_owned).collect()),
        None if pieces == usize::MAX => Ok(text.split_whitespace().map(str::to_owned).collect()),
        None => {
            let mut found = Vec::new();
            let mut rest = text.trim_start();
            while !rest.is_empty() && found.len() + 1 < pieces {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (piece, tail) = rest.split_at(end);
                found.push(piece.to_owned());
                rest = tail.trim_start();
            }
            if !rest.is_empty() {
                found.push(rest.to_owned());
            }
            Ok(found)
        }
    }
}

/// `indent(width=4, first=false, blank=false)`; the width may be a text.
fn indent(
    value: &Value,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<String, Error> {
    let width = width.map_or_else(|| options.get::<Option<Value>>("width"), |w| Ok(Some(w)))?;
    let first = first.map_or_else(|| options.get::<Option<bool>>("first"), |f| Ok(Some(f)))?.unwrap_or(false);
    let blank = blank.map_or_else(|| options.get::<Option<bool>>("blank"), |b| Ok(Some(b)))?.unwrap_or(false);
    options.assert_all_used()?;
    let prefix = match width {
        None => "    ".to_owned(),
        Some(width) => match usize::try_from(width.clone()) {
            Ok(columns) if columns <= 1_000 => " ".repeat(columns),
            Ok(_) => return Err(wrong("indent: a width above 1,000")),
            Err(_) => text(&width)?,
        },
    };
    let text = text(value)?;
    if text.matches('\n').count().saturating_mul(prefix.len()) > 16 << 20 {
        return Err(wrong("indent: more than 16 MiB of indentation"));
    }
    let indented = text.split('\n').enumerate().map(|(index, line)| {
        let wanted = if index == 0 { first } else { blank || !line.is_empty() };
        if wanted { format!("{prefix}{line}") } else { line.to_owned() }
    });
    Ok(indented.collect::<Vec<_>>().join("\n"))
}

/// Pays for text that a filter is about to make, before it makes it: one step buys 64 bytes.
pub(super) fn charge(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    state.consume_fuel(u64::try_from(bytes / 64).unwrap_or(u64::MAX))
}

/// `comment('plain', decoration='# ')`: each line behind the decoration, an empty one of it before and after.
fn comment(value: &Value, style: Option<&str>, options: Kwargs) -> Result<String, Error> {
    let default = match style.unwrap_or("plain") {
        "plain" => "# ",
        "erlang" => "% ",
        "c" => "// ",
        _ => return Err(wrong("comment knows the styles plain, erlang and c")),
    };
    let decoration = options.get::<Option<&str>>("decoration")?.unwrap_or(default);
    options.assert_all_used()?;
    let text = text(value)?;
    let mut lines = vec![decoration.trim_end().to_owned()];
    lines.extend(
        text.trim_end_matches('\n').split('\n').map(|line| format!("{decoration}{line}").trim_end().to_owned()),
    );
    lines.push(decoration.trim_end().to_owned());
    Ok(lines.join("\n"))
}
