//! YAML as Ansible reads it, every value with its place, and with budgets that no file can talk its way around.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle as Written, ScanError, Span, StrInput, Tag};

use super::scalar::{from_bool, from_float, from_int, resolve};
use super::{Entry, Node, NodeValue, Place, Problem, ScalarStyle, Source};

/// Levels of lists and mappings in each other, aliases followed. A playbook needs about ten; composing recurses, so this is
/// also what keeps 100 000 `[` off the stack.
const DEPTH: usize = 64;
/// Values in one file, aliases followed: 10 000 hosts with 50 variables each make half of it.
const NODES: usize = 1_000_000;
/// Values that aliases may add, some 20 MB at 100 to 200 bytes each; ten levels of ten aliases would make 10^10.
const ALIASED_NODES: usize = 100_000;
/// Bytes of text that aliases may add, so that one long text can't be multiplied either.
const ALIASED_BYTES: usize = 16 * 1024 * 1024;

/// Reads the one YAML document of a source; an empty one is null.
///
/// Plain scalars are resolved as PyYAML does it (YAML 1.1), merge keys are applied, numbers keep their text, and `!vault`
/// and `!unsafe` stay on the node. Keys that are not text take the text they are written with.
///
/// # Errors
/// What is not YAML, a key given twice, a second document, an unknown tag, or a budget exceeded; each with its place.
pub fn from_yaml(source: &Arc<Source>) -> Result<Node, Problem> {
    let mut documents = documents(source, 1)?;
    Ok(documents.pop().unwrap_or_else(|| Node::new(&Place::new(source, 0, 0), NodeValue::Null)))
}

/// Reads all YAML documents of a source, as [`from_yaml`] reads one.
///
/// # Errors
/// As [`from_yaml`], save that there may be several documents.
pub fn from_yaml_all(source: &Arc<Source>) -> Result<Vec<Node>, Problem> {
    documents(source, usize::MAX)
}

fn documents(source: &Arc<Source>, most: usize) -> Result<Vec<Node>, Problem> {
    if let Some(at) = source.text.find('\0') {
        let place = Place::new(source, at, at + 1);
        return Err(Problem::new(&place, "a NUL character: this is not UTF-8 text")
            .help("if the file is UTF-16, save it as UTF-8"));
    }
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
        // Both as PyYAML reads it.
        block_scalar_eof_without_line_feed: true,
        simple_key_max_lookahead: 1024,
    };
    let mut composer = Composer {
        source,
        parser: Parser::new_from_str_with_options(&source.text, options),
        anchors: HashMap::new(),
        nodes: 0,
        aliased_nodes: 0,
        aliased_bytes: 0,
    };
    composer.documents(most)
}

/// A value behind an anchor, with what it costs to put it somewhere else.
struct Anchored {
    node: Node,
    size: Size,
}

/// What a value takes up.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    height: usize,
}

struct Composer<'s> {
    source: &'s Arc<Source>,
    parser: Parser<'s, StrInput<'s>>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    aliased_nodes: usize,
    aliased_bytes: usize,
}

impl<'s> Composer<'s> {
    /// The whole stream: at most so many documents.
    fn documents(&mut self, most: usize) -> Result<Vec<Node>, Problem> {
        let mut roots = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if roots.len() >= most => {
                    return Err(Problem::new(&self.place(span), "a second document in the same file")
                        .help("keep one document to a file: take out the `---`"));
                }
                Event::DocumentStart(..) => {}
                event => roots.push(self.node(event, span, 0)?),
            }
        }
        Ok(roots)
    }

    fn next(&mut self) -> Result<(Event<'s>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(fault)) => Err(self.scan_problem(&fault)),
            // The parser ends with `StreamEnd`, which nobody reads past.
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// One value, whose first event has been taken already.
    fn node(&mut self, event: Event<'s>, span: Span, depth: usize) -> Result<Node, Problem> {
        let place = self.place(span);
        if depth > DEPTH {
            return Err(too_deep(&place));
        }
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(Problem::new(&place, format!("more than {NODES} values in one file")));
        }
        let tag_place = span.tag_span().map_or_else(|| place.clone(), |span| self.place(span));
        let (mut node, anchor) = match event {
            Event::Alias(id) => return self.alias(id, &place, depth),
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref(), &tag_place, place)?, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = collection_tag(tag.as_deref(), "seq", &tag_place)?;
                let items = self.sequence(depth)?;
                (Node { place, tag, value: NodeValue::Sequence(items) }, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = collection_tag(tag.as_deref(), "map", &tag_place)?;
                let entries = self.mapping(depth)?;
                (Node { place, tag, value: NodeValue::Mapping(entries) }, anchor)
            }
            _ => return Err(Problem::new(&place, "a value was expected here")),
        };
        point_at_something(&mut node);
        if anchor != 0 {
            let size = measure(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, place: &Place, depth: usize) -> Result<Node, Problem> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Problem::new(place, "an alias inside the value that it stands for"));
        };
        let Size { nodes, bytes, height } = anchored.size;
        if depth + height > DEPTH {
            return Err(too_deep(place));
        }
        self.aliased_nodes = self.aliased_nodes.saturating_add(nodes);
        self.aliased_bytes = self.aliased_bytes.saturating_add(bytes);
        self.nodes = self.nodes.saturating_add(nodes);
        if self.aliased_nodes > ALIASED_NODES || self.aliased_bytes > ALIASED_BYTES {
            let message =
                format!("aliases multiply this file past {ALIASED_NODES} values or {} MiB", ALIASED_BYTES >> 20);
            return Err(Problem::new(place, message).related(&anchored.node.place, "this is what the alias stands for"));
        }
        Ok(Node { place: place.clone(), ..anchored.node.clone() })
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut own: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut merged: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(overlaid(merged, own)),
                other => other,
            };
            let merges = matches!(&event, Event::Scalar(text, Written::Plain, _, None) if text == "<<");
            let key_place = self.place(span);
            let key = match &event {
                Event::Scalar(text, ..) => Some(text.to_string()),
                _ => None,
            };
            let key_node = self.node(event, span, depth + 1)?;
            let (next, next_span) = self.next()?;
            let value = self.node(next, next_span, depth + 1)?;
            if merges {
                // Later ones of a list lie beneath earlier ones; a second `<<` lies above the first.
                merged = overlaid(merged, merge_source(value)?);
                continue;
            }
            let Some(key) = key.or_else(|| key_text(&key_node)) else {
                return Err(Problem::new(&key_place, "a key must be one word or text, not a list or a mapping")
                    .help("a template that begins a value needs quotes: \"{{ name }}\""));
            };
            if let Some(first) = seen.get(&key).and_then(|at| own.get(*at)) {
                return Err(Problem::new(&key_place, format!("the key `{key}` is given twice"))
                    .related(&first.key_place, "first given here"));
            }
            seen.insert(key.clone(), own.len());
            own.push(Entry { key, key_place, value });
        }
    }

    fn place(&self, span: Span) -> Place {
        let range = span.byte_range().unwrap_or_default();
        Place::new(self.source, range.start, range.end)
    }

    fn scan_problem(&self, fault: &ScanError) -> Problem {
        let at = fault.marker().byte_offset().unwrap_or_default();
        let tab = fault.info().contains("tab");
        let rest = self.source.text.get(at..).unwrap_or_default();
        // The scanner's mark is where the scalar began that the tab disturbs.
        let skipped = if tab { rest.find('\t').unwrap_or_default() } else { 0 };
        let (at, rest) = (at + skipped, rest.get(skipped..).unwrap_or_default());
        let place = Place::new(self.source, at, at + rest.chars().next().map_or(0, char::len_utf8));
        if matches!(fault.kind(), granit_parser::ErrorKind::RecursionLimitExceeded) {
            return too_deep(&place);
        }
        let problem = Problem::new(&place, format!("not YAML: {}", fault.info()));
        if tab || rest.starts_with('\t') || line_before(&self.source.text, at).contains('\t') {
            return problem.help("indent with spaces; YAML takes no tabs there");
        }
        if line_before(&self.source.text, at).contains(": {{") || rest.starts_with("{{") {
            return problem.help("a value that begins with a template needs quotes: \"{{ name }}\"");
        }
        problem
    }
}

fn scalar(text: &str, style: Written, tag: Option<&Tag>, tag_place: &Place, place: Place) -> Result<Node, Problem> {
    let quoted = || NodeValue::String(text.to_owned(), ScalarStyle::Quoted);
    let Some(tag) = tag else {
        return Ok(Node::new(&place, if style == Written::Plain { resolve(text) } else { quoted() }));
    };
    let value = match tag.core_suffix() {
        Some("str") => Some(quoted()),
        Some("null") => Some(NodeValue::Null),
        Some("bool") => from_bool(text).map(NodeValue::Bool),
        Some("int") => from_int(text).map(|i| NodeValue::Int(i, text.to_owned())),
        Some("float") => from_float(text).or_else(|| text.parse().ok()).map(|f| NodeValue::Float(f, text.to_owned())),
        // The bare `!` says: this is text.
        _ if tag.original() == "!" => Some(quoted()),
        _ => return Ok(Node { tag: Some(local_tag(tag, tag_place)?), place, value: quoted() }),
    };
    match value {
        Some(value) => Ok(Node::new(&place, value)),
        None => Err(Problem::new(&place, format!("`{text}` is not what its tag `{}` says", tag.original()))),
    }
}

fn line_before(text: &str, at: usize) -> &str {
    text.get(..at).unwrap_or_default().rsplit('\n').next().unwrap_or_default()
}

fn too_deep(place: &Place) -> Problem {
    Problem::new(place, format!("more than {DEPTH} levels of lists and mappings in each other"))
}

/// The entries of `lower` with those of `upper` over them: a key keeps the position where it was first seen, as in a Python dict.
fn overlaid(mut lower: Vec<Entry>, upper: Vec<Entry>) -> Vec<Entry> {
    if lower.is_empty() {
        return upper;
    }
    if upper.is_empty() {
        return lower;
    }
    let mut at: HashMap<String, usize> = lower.iter().enumerate().map(|(i, entry)| (entry.key.clone(), i)).collect();
    for entry in upper {
        match at.get(&entry.key).and_then(|i| lower.get_mut(*i)) {
            Some(below) => *below = entry,
            None => {
                at.insert(entry.key.clone(), lower.len());
                lower.push(entry);
            }
        }
    }
    lower
}

/// What `<<:` brings in: a mapping, or a list of mappings of which the first wins.
fn merge_source(value: Node) -> Result<Vec<Entry>, Problem> {
    let place = value.place.clone();
    let wrong = || Problem::new(&place, "`<<` needs a mapping or a list of mappings, such as `*name`");
    match value.value {
        NodeValue::Mapping(entries) => Ok(entries),
        NodeValue::Sequence(items) => items.into_iter().rev().try_fold(Vec::new(), |below, item| match item.value {
            NodeValue::Mapping(entries) => Ok(overlaid(below, entries)),
            _ => Err(wrong()),
        }),
        _ => Err(wrong()),
    }
}

/// A key that came by alias.
fn key_text(node: &Node) -> Option<String> {
    match &node.value {
        NodeValue::Int(_, text) | NodeValue::Float(_, text) | NodeValue::String(text, _) => Some(text.clone()),
        NodeValue::Bool(value) => Some(value.to_string()),
        NodeValue::Null | NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
    }
}

/// `!vault` and `!unsafe`; all others would be silently meaningless.
fn local_tag(tag: &Tag, place: &Place) -> Result<String, Problem> {
    match tag.original().as_str() {
        "!vault" | "!vault-encrypted" => Ok("!vault".to_owned()),
        "!unsafe" => Ok("!unsafe".to_owned()),
        other => {
            Err(Problem::new(place, format!("unknown tag `{other}`")).help("known tags are `!unsafe` and `!vault`"))
        }
    }
}

fn collection_tag(tag: Option<&Tag>, own: &str, place: &Place) -> Result<Option<String>, Problem> {
    match tag {
        None => Ok(None),
        Some(tag) if tag.is_yaml_core_schema_tag(own) => Ok(None),
        Some(tag) => local_tag(tag, place).map(Some),
    }
}

/// A block mapping begins where its first key stands; its own event is empty and would give the caret nothing to stand on.
fn point_at_something(node: &mut Node) {
    if node.place.end > node.place.start {
        return;
    }
    match &node.value {
        NodeValue::Mapping(entries) => {
            if let Some(first) = entries.first() {
                let source = Arc::clone(&node.place.source);
                if Arc::ptr_eq(&source, &first.key_place.source) && first.key_place.start >= node.place.start {
                    node.place = Place::new(&source, node.place.start, first.key_place.end);
                }
            }
        }
        NodeValue::Sequence(_) => {
            let source = Arc::clone(&node.place.source);
            node.place = Place::new(&source, node.place.start, node.place.start + 1);
        }
        _ => {}
    }
}

fn measure(node: &Node) -> Size {
    let mut size = Size { nodes: 1, bytes: 0, height: 0 };
    let mut add = |part: Size| {
        size.nodes += part.nodes;
        size.bytes += part.bytes;
        size.height = size.height.max(part.height + 1);
    };
    match &node.value {
        NodeValue::Sequence(items) => items.iter().map(measure).for_each(&mut add),
        NodeValue::Mapping(entries) => {
            for entry in entries {
                let mut part = measure(&entry.value);
                part.bytes += entry.key.len();
                add(part);
            }
        }
        NodeValue::String(text, _) | NodeValue::Int(_, text) | NodeValue::Float(_, text) => size.bytes = text.len(),
        NodeValue::Null | NodeValue::Bool(_) => {}
    }
    size
}

#[cfg(test)]
mod tests;
