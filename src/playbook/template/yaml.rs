//! Values written as YAML, as PyYAML writes them, save that long lines are not folded.

use serde_json::Value as Json;

/// A whole document. `indent` is that of mappings; with `flow_leaves`, a collection of scalars only is written in one
/// line, as `to_yaml` does and `to_nice_yaml` does not.
pub(super) fn written(json: &Json, indent: usize, flow_leaves: bool) -> String {
    let writer = Writer { indent, flow_leaves };
    let mut out = String::new();
    if writer.in_line(json) {
        out.push_str(&flow(json, false));
        out.push('\n');
    } else {
        writer.block(&mut out, json, 0);
    }
    out
}

struct Writer {
    indent: usize,
    flow_leaves: bool,
}

impl Writer {
    /// Whether the value goes on one line.
    fn in_line(&self, json: &Json) -> bool {
        let leaf = |value: &Json| !matches!(value, Json::Array(_) | Json::Object(_));
        match json {
            Json::Array(items) => items.is_empty() || (self.flow_leaves && items.iter().all(leaf)),
            Json::Object(entries) => entries.is_empty() || (self.flow_leaves && entries.values().all(leaf)),
            _ => true,
        }
    }

    /// Writes a collection as lines; the cursor stands at `column` already.
    fn block(&self, out: &mut String, json: &Json, column: usize) {
        match json {
            Json::Object(entries) => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    pad(out, column, index > 0);
                    out.push_str(&scalar(key, false));
                    out.push(':');
                    if self.in_line(value) {
                        out.push(' ');
                        out.push_str(&flow(value, false));
                        out.push('\n');
                    } else {
                        // PyYAML does not indent a list under its key.
                        let inner = if value.is_array() { column } else { column + self.indent };
                        out.push('\n');
                        pad(out, inner, true);
                        self.block(out, value, inner);
                    }
                }
            }
            Json::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    pad(out, column, index > 0);
                    out.push('-');
                    if self.in_line(value) {
                        out.push(' ');
                        out.push_str(&flow(value, false));
                        out.push('\n');
                    } else {
                        pad(out, self.indent - 1, true);
                        self.block(out, value, column + self.indent);
                    }
                }
            }
            leaf => {
                out.push_str(&flow(leaf, false));
                out.push('\n');
            }
        }
    }
}

fn pad(out: &mut String, columns: usize, wanted: bool) {
    if wanted {
        out.extend(std::iter::repeat_n(' ', columns));
    }
}

/// In one line; `inner` within brackets.
fn flow(json: &Json, inner: bool) -> String {
    match json {
        Json::String(text) => scalar(text, inner),
        Json::Array(items) => format!("[{}]", items.iter().map(|item| flow(item, true)).collect::<Vec<_>>().join(", ")),
        Json::Object(entries) => {
            let pairs: Vec<_> =
                entries.iter().map(|(key, value)| format!("{}: {}", scalar(key, true), flow(value, true))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text, quoted where a YAML 1.1 reader would not read the same text.
fn scalar(text: &str, inner: bool) -> String {
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        // JSON's escapes are all escapes of YAML's double quotes; DEL and its kin it leaves bare, and YAML takes most.
        return Json::from(text).to_string();
    }
    if plain(text, inner) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// Whether the text may stand without quotes.
fn plain(text: &str, inner: bool) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let indicator = "-?:,[]{}#&*!|>'\"%@`=<".contains(first);
    // `-x` and `?x` and `:x` are plain in YAML, and PyYAML writes them so.
    let allowed =
        matches!(first, '-' | '?' | ':') && text.chars().nth(1).is_some_and(|c| c != ' ' && !",[]{}".contains(c));
    let inside = text.contains(": ")
        || text.contains(" #")
        || text.ends_with(':')
        || (inner && text.contains([',', '[', ']', '{', '}', '?']));
    let outer_space = text.trim() != text;
    let document = text.starts_with("---") || text.starts_with("...");
    let equals = text == "=" || text == "<<";
    let begins_well = allowed || !indicator;
    begins_well && !inside && !outer_space && !document && !equals && !resolves(text)
}

/// Whether YAML 1.1 takes the bare text for something else than text (PyYAML's `resolver.py`).
fn resolves(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "y" | "n") {
        return false;
    }
    if matches!(lower.as_str(), "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "~") {
        return true;
    }
    // A number in any of its forms, base 60 (`1:30`) and dates among them, begins so and has nothing else in it; a
    // quoted text that was not one is only two characters longer.
    let numeric = |c: char| c.is_ascii_hexdigit() || "+-._:xobTtZz ".contains(c);
    let begins = text.trim_start_matches(['+', '-', '.']).starts_with(|c: char| c.is_ascii_digit());
    let version = text.split('.').count() > 2 && text.split('.').all(|part| part.parse::<u64>().is_ok());
    (begins && text.chars().all(numeric) && !version) || matches!(lower.trim_start_matches(['+', '-']), ".inf" | ".nan")
}
