//! How Python writes a value: `repr` for `--graph --vars`, and `json.dumps(…, sort_keys=True, indent=4)` for `--list`.
//!
//! `ansible-inventory` of ansible-core 2.21 prints with these, so scripts that compare its output see the same bytes.

use super::{Node, NodeValue};

/// Python's `repr` of a value.
pub(crate) fn repr(node: &Node) -> String {
    match &node.value {
        NodeValue::Null => "None".to_owned(),
        NodeValue::Bool(true) => "True".to_owned(),
        NodeValue::Bool(false) => "False".to_owned(),
        NodeValue::Int(value, _) => value.to_string(),
        NodeValue::Float(value, _) => float(*value),
        NodeValue::String(text, _) => quoted(text),
        NodeValue::Sequence(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        NodeValue::Mapping(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|e| format!("{}: {}", quoted(&e.key), repr(&e.value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// Python's `str` of a value: text is itself, all else as [`repr`].
pub(crate) fn str(node: &Node) -> String {
    node.as_str().map_or_else(|| repr(node), str::to_owned)
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() && u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Python's `repr` of a float: the shortest digits that read back the same, an exponent below 1e-4 and from 1e16 on.
pub(crate) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(power) if value != 0.0 && !(-4..16).contains(&power) => {
            let sign = if power < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", power.abs())
        }
        _ => format!("{value:?}"),
    }
}

/// A value of JSON that knows how Python would print it.
pub(crate) enum Json<'a> {
    /// A value of the inventory.
    Node(&'a Node),
    /// Names.
    List(Vec<&'a str>),
    /// Text.
    Text(&'a str),
    /// A mapping; printed sorted by key.
    Map(Vec<(&'a str, Json<'a>)>),
}

/// Prints with four spaces a level and sorted keys; no newline at the end.
pub(crate) fn json(value: Json<'_>) -> String {
    let mut out = String::new();
    value.write(&mut out, 0);
    out
}

impl Json<'_> {
    fn write(self, out: &mut String, level: usize) {
        match self {
            Json::Text(text) => json_text(text, out),
            Json::List(names) => {
                bracketed(out, level, '[', ']', names, json_text);
            }
            Json::Map(mut entries) => {
                entries.sort_by(|a, b| a.0.cmp(b.0));
                bracketed(out, level, '{', '}', entries, |(key, value), out| {
                    json_text(key, out);
                    out.push_str(": ");
                    value.write(out, level + 1);
                });
            }
            Json::Node(node) => write_node(node, out, level),
        }
    }
}

fn write_node(node: &Node, out: &mut String, level: usize) {
    let wrapper = match (node.tag.as_deref(), &node.value) {
        (Some("!vault"), NodeValue::String(..)) => Some("__ansible_vault"),
        (Some("!unsafe"), NodeValue::String(..)) => Some("__ansible_unsafe"),
        _ => None,
    };
    if let (Some(key), Some(text)) = (wrapper, node.as_str()) {
        return Json::Map(vec![(key, Json::Text(text))]).write(out, level);
    }
    match &node.value {
        NodeValue::Null => out.push_str("null"),
        NodeValue::Bool(value) => out.push_str(&value.to_string()),
        NodeValue::Int(value, _) => out.push_str(&value.to_string()),
        NodeValue::Float(value, _) if value.is_nan() => out.push_str("NaN"),
        NodeValue::Float(value, _) if value.is_infinite() => {
            out.push_str(if *value > 0.0 { "Infinity" } else { "-Infinity" });
        }
        NodeValue::Float(value, _) => out.push_str(&float(*value)),
        NodeValue::String(text, _) => json_text(text, out),
        NodeValue::Sequence(items) => {
            bracketed(out, level, '[', ']', items, |item, out| write_node(item, out, level + 1));
        }
        NodeValue::Mapping(entries) => {
            let entries = entries.iter().map(|e| (e.key.as_str(), Json::Node(&e.value))).collect();
            Json::Map(entries).write(out, level);
        }
    }
}

fn bracketed<T>(
    out: &mut String,
    level: usize,
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(T, &mut String),
) {
    out.push(open);
    let mut any = false;
    for item in items {
        out.push_str(if any { ",\n" } else { "\n" });
        any = true;
        out.push_str(&"    ".repeat(level + 1));
        write(item, out);
    }
    if any {
        out.push('\n');
        out.push_str(&"    ".repeat(level));
    }
    out.push(close);
}

/// A string as Python's `json` writes it with `ensure_ascii=False`.
fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_floats_as_python_does() {
        for (value, text) in [
            (1000.0, "1000.0"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (1e300, "1e+300"),
            (-0.0, "-0.0"),
            (3.1, "3.1"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn quotes_text_as_python_does() {
        for (text, python) in
            [("a", "'a'"), ("it's", "\"it's\""), ("'\"", "'\\'\"'"), ("a\n\u{1}", "'a\\n\\x01'"), ("é", "'é'")]
        {
            assert_eq!(quoted(text), python);
        }
    }
}
