//! Results as people read them: indented lines, a command's output as its own lines, long ones cut in the middle.

use serde_json::{Map, Value};

use crate::report::escape::{escaped, escaped_line};

/// Lines shown of one text: the beginning says what it is, the end why it failed. 200 is what is read of one failure.
const HEAD: usize = 60;
const TAIL: usize = 140;

/// Characters shown of one line: a few screen lines, so that a line of a gigabyte does not scroll everything away.
const LONGEST: usize = 1000;

/// How deep lists and mappings are laid out; below that they are one line.
const DEEPEST: usize = 6;

/// The first keys of a failure, in the order in which they are read.
const FIRST: [&str; 5] = ["msg", "cmd", "rc", "stderr", "stdout"];

/// The result as indented lines, without what repeats or is for programs.
pub(super) fn of_result(result: &Map<String, Value>, without_msg: bool) -> String {
    let mut out = String::new();
    let first = FIRST.iter().filter_map(|key| result.get_key_value(*key));
    let others = result.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
    for (key, value) in first.chain(others) {
        let says_nothing = matches!(value, Value::Null) || value.as_str() == Some("");
        if says_nothing || is_for_programs(key, result) || (without_msg && key == "msg") {
            continue;
        }
        entry(&mut out, 1, &escaped_line(key), value);
    }
    out
}

fn is_for_programs(key: &str, result: &Map<String, Value>) -> bool {
    let repeats = key.strip_suffix("_lines").is_some_and(|text| result.contains_key(text));
    repeats
        || key.starts_with("_ansible")
        || matches!(key, "changed" | "failed" | "skipped" | "unreachable" | "invocation" | "start" | "end" | "delta")
}

fn entry(out: &mut String, depth: usize, key: &str, value: &Value) {
    let indent = "    ".repeat(depth);
    match value {
        Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
            out.push_str(&format!("{indent}{key}:\n{}", block(text, depth + 1)));
        }
        Value::String(text) => {
            out.push_str(&format!("{indent}{key}: {}\n", line(text.trim_end_matches('\n'))));
        }
        Value::Array(items) if depth < DEEPEST && items.iter().any(is_wide) => {
            out.push_str(&format!("{indent}{key}:\n"));
            for item in items.iter().take(HEAD) {
                entry(out, depth + 1, "-", item);
            }
            if items.len() > HEAD {
                out.push_str(&format!("{indent}    [... {} more]\n", items.len() - HEAD));
            }
        }
        Value::Object(map) if depth < DEEPEST && !map.is_empty() => {
            out.push_str(&format!("{indent}{key}:\n"));
            for (key, value) in map.iter().take(TAIL) {
                entry(out, depth + 1, &escaped_line(key), value);
            }
            if map.len() > TAIL {
                out.push_str(&format!("{indent}    [... {} more]\n", map.len() - TAIL));
            }
        }
        value => out.push_str(&format!("{indent}{key}: {}\n", line(&value.to_string()))),
    }
}

/// Whether a list with this in it is better laid out in lines.
fn is_wide(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > 40 || text.contains('\n'),
        Value::Array(_) | Value::Object(_) => true,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Text of several lines, indented, its middle left out if it is long.
pub(super) fn block(text: &str, depth: usize) -> String {
    let indent = "    ".repeat(depth);
    let text = escaped(text.trim_end_matches('\n'));
    let count = text.lines().count();
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        if count > HEAD + TAIL && number == HEAD {
            out.push_str(&format!("{indent}[... {} lines left out; the journal has them]\n", count - HEAD - TAIL));
        }
        if count <= HEAD + TAIL || number < HEAD || number >= count - TAIL {
            out.push_str(format!("{indent}{}", cut(line)).trim_end());
            out.push('\n');
        }
    }
    out
}

/// A line, its end left out if it is long.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        None => line.to_owned(),
        Some((at, _)) => {
            let (shown, rest) = line.split_at(at);
            format!("{shown} [... {} characters left out]", rest.chars().count())
        }
    }
}

/// Text of a host on one line.
pub(super) fn line(text: &str) -> String {
    cut(&escaped_line(text))
}

/// A loop's item on one line.
pub(super) fn of_item(item: &Value) -> String {
    line(&item.as_str().map_or_else(|| item.to_string(), str::to_owned))
}

/// Which way a host is reached now, and why no longer the one before.
pub(super) fn of_way(host: &str, through: &str, why: &str) -> String {
    let why = if why.is_empty() { String::new() } else { format!("; {}", line(why)) };
    format!("way: [{}] is reached through {} now{why}", line(host), line(through))
}

/// A round's item on one line: by its `name`, if it has one.
pub(super) fn of_round(item: &Value) -> String {
    of_item(item.get("name").unwrap_or(item))
}
