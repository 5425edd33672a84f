//! The words of a template: which names it uses, which of them it guards, and whether it is one expression and nothing else.

use std::collections::BTreeSet;
use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text outside of all braces.
    Outside,
    /// `{{` or `{%`, with its `-` or `+`.
    Begin,
    /// `}}` or `%}`, with its `-` or `+`.
    End,
    /// A name or a keyword.
    Name,
    /// A text literal with its quotes.
    Text,
    /// A number.
    Number,
    /// An operator or a bracket.
    Sign,
}

/// One token and where it stands in the template.
#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    pub(super) range: Range<usize>,
}

/// Words that Jinja keeps for itself, so never a variable.
const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "endfor",
    "recursive",
    "set",
    "endset",
    "macro",
    "endmacro",
    "call",
    "endcall",
    "filter",
    "endfilter",
    "with",
    "endwith",
    "raw",
    "endraw",
    "block",
    "endblock",
    "do",
    "include",
    "import",
    "from",
    "as",
    "extends",
    "ignore",
    "missing",
    "without",
    "context",
    "autoescape",
    "endautoescape",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "loop",
    "self",
];

/// Cuts a template, or with `bare` an expression without braces, into tokens. Text that Jinja would refuse is cut as
/// far as it goes: the engine reports the fault.
pub(super) fn tokens(text: &str, bare: bool) -> Vec<Token<'_>> {
    let mut cutter = Cutter { text, at: 0, found: Vec::new() };
    if bare {
        cutter.inside(None);
    } else {
        cutter.outside();
    }
    cutter.found
}

/// Whether the text holds a template at all.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The inside of the braces when the text is exactly one `{{ }}`; a line feed behind it, as of a block scalar, counts
/// for nothing (ansible-core 2.19.14 gives the native type there too, tried 2026-11-24).
pub(super) fn single_expression(text: &str) -> Option<Range<usize>> {
    let trimmed = text.strip_suffix('\n').unwrap_or(text);
    if !trimmed.starts_with("{{") || !trimmed.ends_with("}}") {
        return None;
    }
    let tokens = tokens(trimmed, false);
    let begin = tokens.first().filter(|t| t.kind == Kind::Begin)?;
    let end = tokens.last().filter(|t| t.kind == Kind::End)?;
    let inner = tokens.iter().filter(|t| matches!(t.kind, Kind::Begin | Kind::End | Kind::Outside)).count();
    (inner == 2).then_some(begin.range.end..end.range.start)
}

struct Cutter<'t> {
    text: &'t str,
    at: usize,
    found: Vec<Token<'t>>,
}

impl<'t> Cutter<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, kind: Kind, size: usize) {
        let range = self.at..(self.at + size).min(self.text.len());
        if let Some(text) = self.text.get(range.clone()).filter(|text| !text.is_empty()) {
            self.found.push(Token { kind, text, range });
        }
        self.at += size;
    }

    fn outside(&mut self) {
        while !self.rest().is_empty() {
            let rest = self.rest();
            // One pass to the nearest sign: looking for each of the three to the end of the text costs its square.
            let sign = |at: &usize| matches!(rest.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#'));
            let next = rest.match_indices('{').map(|(at, _)| at).find(sign).unwrap_or(rest.len());
            self.push(Kind::Outside, next);
            let rest = self.rest();
            if rest.starts_with("{#") {
                self.at += rest.find("#}").map_or(rest.len(), |end| end + 2);
            } else if rest.starts_with("{{") {
                self.push(Kind::Begin, delimiter(rest));
                self.inside(Some("}}"));
            } else if rest.starts_with("{%") {
                let from = self.found.len();
                self.push(Kind::Begin, delimiter(rest));
                self.inside(Some("%}"));
                if self.found.get(from + 1).is_some_and(|t| t.text == "raw") {
                    self.raw();
                }
            }
        }
    }

    /// Skips to the `{%` of `endraw`, which is then read as any block.
    fn raw(&mut self) {
        let rest = self.rest();
        let mut from = 0;
        while let Some(found) = rest.get(from..).and_then(|tail| tail.find("{%")) {
            let begin = from + found;
            let inner = rest.get(begin + 2..).unwrap_or_default().trim_start_matches(['-', '+']).trim_start();
            if inner.starts_with("endraw") {
                return self.push(Kind::Outside, begin);
            }
            from = begin + 2;
        }
        self.push(Kind::Outside, rest.len());
    }

    fn inside(&mut self, end: Option<&str>) {
        let mut depth = 0_usize;
        while let Some(first) = self.rest().chars().next() {
            let rest = self.rest();
            if let (Some(end), 0) = (end, depth) {
                let bare = rest.strip_prefix(['-', '+']).unwrap_or(rest);
                if bare.starts_with(end) {
                    return self.push(Kind::End, rest.len() - bare.len() + end.len());
                }
            }
            match first {
                _ if first.is_whitespace() => self.at += first.len_utf8(),
                '\'' | '"' => self.push(Kind::Text, literal(rest, first)),
                _ if first.is_alphabetic() || first == '_' => {
                    let size = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                    self.push(Kind::Name, size);
                }
                _ if first.is_ascii_digit() => {
                    let size = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                    self.push(Kind::Number, size);
                }
                _ => {
                    match first {
                        '(' | '[' | '{' => depth += 1,
                        ')' | ']' | '}' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    let two = ["==", "!=", "<=", ">=", "//", "**"].iter().any(|sign| rest.starts_with(sign));
                    self.push(Kind::Sign, if two { 2 } else { first.len_utf8() });
                }
            }
        }
    }
}

/// The size of `{{` or `{%` with the sign behind it.
fn delimiter(rest: &str) -> usize {
    2 + usize::from(matches!(rest.as_bytes().get(2), Some(b'-' | b'+')))
}

/// The size of a text literal that begins with that quote.
fn literal(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The names that may be variables: not an attribute, not a filter, not a test, not a keyword.
///
/// A name that the template sets itself is among them: what the scope has under it is shadowed there.
pub(super) fn names<'t>(tokens: &[Token<'t>]) -> BTreeSet<&'t str> {
    named_variables(tokens).map(|(name, _)| name).collect()
}

/// The same names in the order in which they stand, each with its bytes.
pub(super) fn named_variables<'a, 't>(tokens: &'a [Token<'t>]) -> impl Iterator<Item = (&'t str, Range<usize>)> + 'a {
    (0..tokens.len()).filter_map(|at| Some((variable(tokens, at)?, tokens.get(at)?.range.clone())))
}

fn variable<'t>(tokens: &[Token<'t>], at: usize) -> Option<&'t str> {
    let token = tokens.get(at)?;
    if token.kind != Kind::Name || KEYWORDS.contains(&token.text) {
        return None;
    }
    let before = |n: usize| at.checked_sub(n).and_then(|i| tokens.get(i)).map_or("", |t| t.text);
    let attribute = before(1) == ".";
    let filter = before(1) == "|";
    let test = before(1) == "is" || (before(1) == "not" && before(2) == "is");
    (!attribute && !filter && !test).then_some(token.text)
}

/// One step of a chain such as `.name` or `['name']`, by the indices of its tokens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    Attribute { dot: usize },
    Item { open: usize, close: usize },
}

/// Where `default` or `is defined` looks, for each of them: the index of the token before it.
fn guards<'a>(tokens: &'a [Token<'_>]) -> impl Iterator<Item = usize> + 'a {
    let word = |at: usize| tokens.get(at).map_or("", |t| t.text);
    (1..tokens.len()).filter_map(move |at| {
        let guards = match word(at) {
            "|" => matches!(word(at + 1), "default" | "d"),
            "is" => {
                let test = if word(at + 1) == "not" { word(at + 2) } else { word(at + 1) };
                matches!(test, "defined" | "undefined")
            }
            _ => false,
        };
        guards.then_some(at - 1)
    })
}

/// The links of the chain that ends at token `last`, and the token before the first of them.
pub(super) fn chain(tokens: &[Token<'_>], last: usize) -> (Vec<Link>, usize) {
    let mut links = Vec::new();
    let mut at = last;
    loop {
        let Some(token) = tokens.get(at) else { return (links, at) };
        let before = at.checked_sub(1).and_then(|i| tokens.get(i));
        match (token.kind, token.text, before) {
            (Kind::Name, _, Some(dot)) if dot.text == "." && at >= 2 => {
                links.push(Link::Attribute { dot: at - 1 });
                at -= 2;
            }
            (Kind::Sign, "]", _) => match opening(tokens, at) {
                Some((open, true)) => {
                    links.push(Link::Item { open, close: at });
                    at = open - 1;
                }
                _ => return (links, at),
            },
            _ => return (links, at),
        }
    }
}

/// The bracket that the one at `close` closes, and whether it looks up one item (not a list, not a slice).
pub(super) fn opening(tokens: &[Token<'_>], close: usize) -> Option<(usize, bool)> {
    let mut depth = 0_usize;
    let mut plain = true;
    for at in (0..=close).rev() {
        match tokens.get(at)?.text {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" => {
                depth -= 1;
                if depth == 0 {
                    let operand = at.checked_sub(1).and_then(|i| tokens.get(i)).is_some_and(|t| match t.kind {
                        Kind::Name => !KEYWORDS.contains(&t.text),
                        Kind::Text => true,
                        _ => matches!(t.text, ")" | "]"),
                    });
                    return Some((at, plain && operand && close > at + 1));
                }
            }
            ":" | "," if depth == 1 => plain = false,
            _ => {}
        }
    }
    None
}

/// The names that the template guards anywhere, by `default` or by `is defined`, also through filters and parentheses.
pub(super) fn guarded<'t>(tokens: &[Token<'t>]) -> BTreeSet<&'t str> {
    let mut found = BTreeSet::new();
    for last in guards(tokens) {
        let mut at = last;
        loop {
            at = chain(tokens, at).1;
            let Some(token) = tokens.get(at) else { break };
            if matches!(token.text, ")" | "]" | "}") {
                let Some((open, _)) = opening(tokens, at) else { break };
                let inner = tokens.get(open..at).unwrap_or_default();
                let called = open > 0 && tokens.get(open - 1).is_some_and(|t| t.kind == Kind::Name);
                if !called {
                    found.extend(names(inner));
                    break;
                }
                at = open - 1;
            }
            if at >= 2 && tokens.get(at - 1).is_some_and(|t| t.text == "|") {
                at -= 2;
                continue;
            }
            found.extend(variable(tokens, at));
            if at >= 1 && tokens.get(at - 1).is_some_and(|t| t.text == ".") {
                at -= 1;
                at = at.saturating_sub(1);
                continue;
            }
            break;
        }
    }
    found
}

/// A template of which some bytes were written anew, and the way back to the operator's own bytes.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) text: String,
    edits: Vec<(Range<usize>, Range<usize>)>,
}

impl Rewritten {
    /// The byte in the operator's text for one in the new text.
    pub(super) fn original(&self, at: usize) -> usize {
        let mut shift = (0, 0);
        for (new, old) in &self.edits {
            if at < new.start {
                break;
            }
            if at < new.end {
                return old.start;
            }
            shift = (new.end, old.end);
        }
        at - shift.0 + shift.1
    }
}

/// Writes `x.a['b']` before a guard as `x|_link("a")|_link('b')`, which is undefined when any part is: Ansible's
/// undefined values hand back themselves for every attribute, while a strict engine faults at the second dot.
///
/// In text literals a backslash is made to stand for itself: everywhere with `literal`, as Ansible does in values of
/// playbooks (`'\1'` is a group of a pattern there), else where Jinja knows no such escape.
pub(super) fn rewritten(text: &str, tokens: &[Token<'_>], literal: bool) -> Rewritten {
    let mut replaced: Vec<(Range<usize>, String)> = tokens
        .iter()
        .filter(|token| token.kind == Kind::Text && token.text.contains('\\'))
        .map(|token| (token.range.clone(), unescaped(token.text, literal)))
        .collect();
    replaced.extend(collection_prefixes(tokens).map(|range| (range, String::new())));
    for last in guards(tokens) {
        for link in chain(tokens, last).0 {
            match link {
                Link::Attribute { dot } => {
                    if let (Some(dot), Some(name)) = (tokens.get(dot), tokens.get(dot + 1)) {
                        replaced.push((dot.range.start..name.range.end, format!("|_link(\"{}\")", name.text)));
                    }
                }
                Link::Item { open, close } => {
                    if let (Some(open), Some(close)) = (tokens.get(open), tokens.get(close)) {
                        replaced.push((open.range.clone(), "|_link(".to_owned()));
                        replaced.push((close.range.clone(), ")".to_owned()));
                    }
                }
            }
        }
    }
    replaced.sort_by_key(|(range, _)| range.start);
    replaced.dedup_by_key(|(range, _)| range.start);
    let mut rewritten = Rewritten { text: String::with_capacity(text.len()), edits: Vec::new() };
    let mut from = 0;
    for (range, new) in replaced {
        rewritten.text.push_str(text.get(from..range.start).unwrap_or_default());
        let start = rewritten.text.len();
        rewritten.text.push_str(&new);
        rewritten.edits.push((start..rewritten.text.len(), range.clone()));
        from = range.end;
    }
    rewritten.text.push_str(text.get(from..).unwrap_or_default());
    rewritten
}

/// A text literal in which backslashes are doubled that are no escapes.
fn unescaped(token: &str, literal: bool) -> String {
    let quote = token.chars().next();
    let mut made = String::with_capacity(token.len() + 8);
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        made.push(c);
        if c != '\\' {
            continue;
        }
        let Some(next) = chars.next() else { break };
        let escape = Some(next) == quote || (!literal && "\\nrtbfux/'\"".contains(next));
        if !escape {
            made.push('\\');
        }
        made.push(next);
        if next == '\\' && !escape {
            made.push('\\');
        }
    }
    made
}

/// The `ansible.builtin.` before filters and tests, which the engine knows by their short names.
fn collection_prefixes<'a>(tokens: &'a [Token<'_>]) -> impl Iterator<Item = Range<usize>> + 'a {
    tokens.windows(6).filter_map(|window| match window {
        [before, first, dot, second, dot2, name] => {
            let place = matches!(before.text, "|" | "is" | "not");
            let prefix = first.text == "ansible" && matches!(second.text, "builtin" | "legacy");
            let dotted = dot.text == "." && dot2.text == "." && name.kind == Kind::Name;
            (place && prefix && dotted).then_some(first.range.start..name.range.start)
        }
        _ => None,
    })
}
