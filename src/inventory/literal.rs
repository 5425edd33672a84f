//! What a value in an INI inventory means: Python's literals, as `ast.literal_eval` of Python 3.13 reads them, else plain text.

use super::{Entry, Node, NodeValue, Place, ScalarStyle};

mod string;

/// Levels of brackets in each other; the parser recurses, so this keeps a line of 100 000 `[` off the stack.
const DEPTH: usize = 64;

/// Reads the right side of `key=value`.
///
/// `7`, `0x10`, `1.5`, `True`, `None`, `'text'`, `[1, 2]`, `{'a': 1}` are what they are in Python; everything else (`true`,
/// `007`, `a b`, `{"a": true}`) is the text itself. A tuple or set becomes a list. A whole number beyond 64 bits and a
/// complex number stay text, with all their digits. Nesting beyond 64 levels is text as well.
pub(crate) fn from_literal(text: &str, place: &Place) -> Node {
    let mut reader = Reader { rest: text.trim_start_matches([' ', '\t']), place };
    let value =
        reader.whole().unwrap_or_else(|| Node::new(place, NodeValue::String(text.to_owned(), ScalarStyle::Quoted)));
    Node { tag: None, ..value }
}

/// A reader over the rest of one line; every method answers `None` for what is no literal.
struct Reader<'a> {
    rest: &'a str,
    place: &'a Place,
}

impl Reader<'_> {
    /// The whole line: one value, or several with commas between them, which is a tuple.
    fn whole(&mut self) -> Option<Node> {
        let first = self.value(0)?;
        self.space();
        if !self.take(',') {
            return self.ended().then_some(first);
        }
        let mut items = vec![first];
        self.space();
        while !self.ended() {
            items.push(self.value(0)?);
            self.space();
            if !self.take(',') && !self.ended() {
                return None;
            }
            self.space();
        }
        Some(self.node(NodeValue::Sequence(items)))
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH {
            return None;
        }
        self.space();
        match self.rest.chars().next()? {
            '[' => {
                self.take('[');
                let (items, _) = self.items(']', depth)?;
                Some(self.node(NodeValue::Sequence(items)))
            }
            '(' => self.parenthesised(depth),
            '{' => self.braces(depth),
            '+' | '-' => self.signed(),
            '0'..='9' => self.number(""),
            '.' if self.rest.starts_with("...") => {
                self.rest = self.rest.get(3..)?;
                Some(self.text("...".to_owned()))
            }
            '.' => self.number(""),
            _ => self.word_or_text(),
        }
    }

    /// `(1)` is the value inside, `(1,)` and `()` are lists.
    fn parenthesised(&mut self, depth: usize) -> Option<Node> {
        self.take('(');
        let (mut items, comma) = self.items(')', depth)?;
        if items.len() == 1 && !comma {
            return items.pop();
        }
        Some(self.node(NodeValue::Sequence(items)))
    }

    /// The values up to a closing bracket, and whether a comma stood after the last one.
    fn items(&mut self, close: char, depth: usize) -> Option<(Vec<Node>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            self.space();
            if self.take(close) {
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value(depth + 1)?);
            self.space();
            comma = self.take(',');
        }
    }

    /// A dict, or a set.
    fn braces(&mut self, depth: usize) -> Option<Node> {
        self.take('{');
        self.space();
        if self.take('}') {
            return Some(self.node(NodeValue::Mapping(Vec::new())));
        }
        let first = self.value(depth + 1)?;
        self.space();
        if self.take(':') {
            return self.dict(first, depth);
        }
        let mut items = vec![first];
        if self.take(',') {
            items.extend(self.items('}', depth)?.0);
        } else if !self.take('}') {
            return None;
        }
        let mut unique: Vec<Node> = Vec::new();
        for item in items {
            // A list or a dict in a set is an error in Python; two equal values are one.
            key_of(&item)?;
            if !unique.iter().any(|known| known.to_json() == item.to_json()) {
                unique.push(item);
            }
        }
        Some(self.node(NodeValue::Sequence(unique)))
    }

    /// The rest of a dict, after the colon of its first key.
    fn dict(&mut self, first: Node, depth: usize) -> Option<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut key = first;
        loop {
            let name = key_of(&key)?;
            let value = self.value(depth + 1)?;
            match entries.iter_mut().find(|entry| entry.key == name) {
                Some(entry) => entry.value = value,
                None => entries.push(Entry { key: name, key_place: self.place.clone(), value }),
            }
            self.space();
            let comma = self.take(',');
            self.space();
            if self.take('}') {
                return Some(self.node(NodeValue::Mapping(entries)));
            }
            if !comma {
                return None;
            }
            key = self.value(depth + 1)?;
            self.space();
            if !self.take(':') {
                return None;
            }
        }
    }

    /// One sign before a number; Python refuses two, and a sign before anything else.
    fn signed(&mut self) -> Option<Node> {
        let sign = if self.take('-') { "-" } else { "" };
        self.take('+');
        self.space();
        self.number(sign)
    }

    fn number(&mut self, sign: &str) -> Option<Node> {
        let end = self.number_end();
        let written = self.rest.get(..end)?;
        self.rest = self.rest.get(end..)?;
        let value = number_value(sign, written)?;
        Some(self.node(value))
    }

    /// Where the number that begins here ends: an exponent may hold a sign.
    fn number_end(&self) -> usize {
        let based = self.rest.get(..2).is_some_and(|p| matches!(p, "0x" | "0X" | "0o" | "0O" | "0b" | "0B"));
        let mut before = ' ';
        for (at, c) in self.rest.char_indices() {
            let sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !based;
            if !(c.is_alphanumeric() || matches!(c, '_' | '.') || sign) {
                return at;
            }
            before = c;
        }
        self.rest.len()
    }

    fn word_or_text(&mut self) -> Option<Node> {
        if let Some(text) = self.strings() {
            return text.map(|text| self.text(text));
        }
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let word = self.rest.get(..end)?;
        let value = match word {
            "True" => NodeValue::Bool(true),
            "False" => NodeValue::Bool(false),
            "None" => NodeValue::Null,
            // The only call that `literal_eval` takes.
            "set" if self.rest.get(end..)?.starts_with("()") => {
                self.rest = self.rest.get(end + 2..)?;
                return Some(self.node(NodeValue::Sequence(Vec::new())));
            }
            _ => return None,
        };
        self.rest = self.rest.get(end..)?;
        Some(self.node(value))
    }

    /// One or several string literals side by side; the outer `None` says that there is none here, the inner that it is broken.
    fn strings(&mut self) -> Option<Option<String>> {
        let mut kind = None;
        let mut whole = String::new();
        while let Some(prefix) = string::Prefix::at(self.rest) {
            // Python refuses `'a' b'c'`.
            if *kind.get_or_insert(prefix.bytes) != prefix.bytes {
                return Some(None);
            }
            let Some((text, rest)) = string::read(self.rest, prefix) else {
                return Some(None);
            };
            whole.push_str(&text);
            self.rest = rest;
            self.space();
        }
        kind.map(|_| Some(whole))
    }

    fn node(&self, value: NodeValue) -> Node {
        Node::new(self.place, value)
    }

    fn text(&self, text: String) -> Node {
        self.node(NodeValue::String(text, ScalarStyle::Quoted))
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\u{c}']);
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Nothing is left but a Python comment: `a=1 # one` is the number 1.
    fn ended(&self) -> bool {
        self.rest.is_empty() || self.rest.starts_with('#')
    }
}

/// A dict's key as JSON writes it; `None` for a list or a dict, which Python can't hash.
fn key_of(node: &Node) -> Option<String> {
    match &node.value {
        NodeValue::Null => Some("null".to_owned()),
        NodeValue::Bool(value) => Some(value.to_string()),
        NodeValue::Int(value, _) => Some(value.to_string()),
        NodeValue::Float(value, _) => Some(super::python::float(*value)),
        NodeValue::String(text, _) => Some(text.clone()),
        NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
    }
}

/// The number that `written` stands for in Python, with the sign before it.
fn number_value(sign: &str, written: &str) -> Option<NodeValue> {
    let lower = written.to_ascii_lowercase();
    let as_written = format!("{sign}{written}");
    let based = |digits: &str, radix: u32| {
        let digits = digits.strip_prefix('_').unwrap_or(digits);
        let value = i128::from_str_radix(&without_underscores(digits)?, radix).ok()?;
        Some(NodeValue::Int(i64::try_from(if sign == "-" { -value } else { value }).ok()?, as_written.clone()))
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return based(digits, radix);
        }
    }
    if lower.chars().all(|c| c.is_ascii_digit() || c == '_') {
        let digits = without_underscores(&lower)?;
        // `007` is a mistake in Python 3; `000` is not.
        if digits.starts_with('0') && digits.contains(|c| c != '0') {
            return None;
        }
        return based(&lower, 10);
    }
    float_value(&lower).map(|value| NodeValue::Float(if sign == "-" { -value } else { value }, as_written))
}

fn float_value(lower: &str) -> Option<f64> {
    if lower.contains(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_' | 'e' | '+' | '-'))) {
        return None;
    }
    // Rust's own parser takes the rest of Python's forms: `1.`, `.5`, `1e400` (infinite).
    without_underscores(lower)?.parse().ok()
}

/// The digits without `_`, which may only stand between two digits.
fn without_underscores(digits: &str) -> Option<String> {
    let mut before = '_';
    for c in digits.chars() {
        let apart = (c == '_' && !before.is_ascii_alphanumeric()) || (before == '_' && !c.is_ascii_alphanumeric());
        if apart && !(before == '_' && c == '.') {
            return None;
        }
        before = c;
    }
    (before != '_').then(|| digits.replace('_', ""))
}

#[cfg(test)]
mod tests;
