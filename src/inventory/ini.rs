//! An INI inventory, read as Ansible's `ini` plugin reads it (ansible-core 2.21), each thing with its place.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use super::entry::hosts_from;
use super::hosts::{Inventory, Warning};
use super::literal::from_literal;
use super::words::words;
use super::{Node, Place, Problem, Source, names, nearest};

/// Problems of one file that are worth showing at once.
const MOST_PROBLEMS: usize = 20;

/// Reads one INI source into the inventory.
///
/// # Errors
/// Every line that can't be read (20 of them at most), and groups that are named but never declared.
pub(super) fn read_into(
    inventory: &mut Inventory,
    source: &Arc<Source>,
    file: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<(), Vec<Problem>> {
    let mut reader =
        Reader { inventory, file, warnings, pending: IndexMap::new(), group: "ungrouped".into(), kind: Kind::Hosts };
    let mut problems = Vec::new();
    let mut start = 0;
    for raw in source.text.split_inclusive('\n') {
        let line = Line::new(source, start, raw);
        start += raw.len();
        if let Err(problem) = reader.line(&line) {
            problems.push(problem);
            if problems.len() == MOST_PROBLEMS {
                return Err(problems);
            }
        }
    }
    problems.extend(reader.undeclared());
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What the lines of a section are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hosts,
    Children,
    Vars,
}

/// A line without the space around it, and where it stands.
struct Line<'s> {
    source: &'s Arc<Source>,
    start: usize,
    text: &'s str,
}

impl<'s> Line<'s> {
    fn new(source: &'s Arc<Source>, start: usize, raw: &'s str) -> Self {
        let text = raw.trim();
        Self { source, start: start + (raw.len() - raw.trim_start().len()), text }
    }

    /// The place of bytes `start..end` of the line.
    fn place(&self, start: usize, end: usize) -> Place {
        Place::new(self.source, self.start + start, self.start + end)
    }

    fn whole(&self) -> Place {
        self.place(0, self.text.len())
    }
}

/// A group that was named before it was declared.
struct Pending {
    place: Place,
    /// The groups that named it as a child; empty when only its variables came.
    parents: Vec<(String, Place)>,
}

struct Reader<'i> {
    inventory: &'i mut Inventory,
    file: &'i Path,
    warnings: &'i mut Vec<Warning>,
    pending: IndexMap<String, Pending>,
    group: String,
    kind: Kind,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line<'_>) -> Result<(), Problem> {
        if let Some((at, c)) = line.text.char_indices().find(|(_, c)| breaks_text(*c)) {
            let place = line.place(at, at + c.len_utf8());
            return Err(Problem::new(&place, format!("control character U+{:04X}", u32::from(c))));
        }
        if line.text.is_empty() || line.text.starts_with(['#', ';']) {
            return Ok(());
        }
        if let Some(section) = Section::from_line(line.text) {
            return self.section(line, &section);
        }
        if looks_like_a_section(line.text) {
            return Err(not_a_section(line));
        }
        match self.kind {
            Kind::Hosts => self.host_line(line),
            Kind::Vars => self.var_line(line),
            Kind::Children => self.child_line(line),
        }
    }

    fn section(&mut self, line: &Line<'_>, section: &Section<'_>) -> Result<(), Problem> {
        let name_place = line.place(1, 1 + section.name.len());
        self.kind = match section.kind.unwrap_or("hosts") {
            "hosts" => Kind::Hosts,
            "children" => Kind::Children,
            "vars" => Kind::Vars,
            other => {
                let at = 2 + section.name.len();
                let problem =
                    Problem::new(&line.place(at, at + other.len()), format!("unknown kind of section `{other}`"));
                return Err(match nearest(other, ["hosts", "children", "vars"]) {
                    Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                    None => problem.help("a section is `[group]`, `[group:children]` or `[group:vars]`"),
                });
            }
        };
        section.name.clone_into(&mut self.group);
        let known = self.inventory.groups.contains_key(section.name);
        if self.kind == Kind::Vars {
            // Variables alone do not declare a group, a slip in its name would be silent otherwise.
            if !known && !self.pending.contains_key(section.name) {
                self.pending
                    .insert(section.name.to_owned(), Pending { place: name_place.clone(), parents: Vec::new() });
            }
            self.inventory.add_group(section.name, &name_place)?;
            return Ok(());
        }
        self.inventory.add_group(section.name, &name_place)?;
        if let Some(pending) = self.pending.shift_remove(section.name) {
            for (parent, place) in pending.parents {
                self.inventory.add_child(&parent, section.name, &place);
            }
        }
        Ok(())
    }

    fn host_line(&mut self, line: &Line<'_>) -> Result<(), Problem> {
        let words =
            words(line.text).map_err(|uncut| Problem::new(&line.place(uncut.at, line.text.len()), uncut.message))?;
        let Some((first, rest)) = words.split_first() else { return Ok(()) };
        let place = line.place(first.start, first.end);
        let hosts = hosts_from(&first.text, &place)?;
        hosts.warn_if_empty(&place, self.warnings);
        let mut vars = Vec::new();
        for word in rest {
            let word_place = line.place(word.start, word.end);
            let Some((key, value)) = word.text.split_once('=') else {
                let problem =
                    Problem::new(&word_place, format!("expected `key=value`, found `{}`", names::visible(&word.text)));
                return Err(problem.help(
                    "no space stands around `=`, a comment begins with `#`, and a value with spaces needs quotes",
                ));
            };
            vars.push((key.to_owned(), word_place.clone(), from_literal(value, &word_place)));
        }
        for name in &hosts.names {
            self.inventory.add_host(name, &self.group, hosts.port.as_ref(), &place, self.file)?;
            for (key, place, value) in &vars {
                self.inventory.set_host_var(name, key, place, value.clone())?;
            }
        }
        Ok(())
    }

    fn var_line(&mut self, line: &Line<'_>) -> Result<(), Problem> {
        let Some((key, value)) = line.text.split_once('=') else {
            return Err(Problem::new(&line.whole(), "expected `key=value`"));
        };
        let value_start = line.text.len() - value.trim_start().len();
        let place = line.place(value_start, line.text.len());
        let key = key.trim();
        let value: Node = from_literal(value.trim(), &place);
        self.inventory.set_group_var(&self.group, key, &line.place(0, key.len()), value, self.warnings)
    }

    fn child_line(&mut self, line: &Line<'_>) -> Result<(), Problem> {
        let end = line.text.find(|c: char| c.is_whitespace() || matches!(c, ':' | ']')).unwrap_or(line.text.len());
        let (child, rest) = line.text.split_at(end);
        if child.is_empty() || !(rest.trim_start().is_empty() || rest.trim_start().starts_with('#')) {
            return Err(Problem::new(&line.whole(), "expected the name of a group"));
        }
        let place = line.place(0, end);
        let declared = self.inventory.groups.contains_key(child)
            && self.pending.get(child).is_none_or(|pending| pending.parents.is_empty());
        if declared {
            self.inventory.add_child(&self.group, child, &place);
        } else {
            let pending = self.pending.entry(child.to_owned());
            let pending = pending.or_insert_with(|| Pending { place: place.clone(), parents: Vec::new() });
            pending.parents.push((self.group.clone(), place));
        }
        Ok(())
    }

    /// The groups that were never declared, in this file or an earlier one.
    fn undeclared(&self) -> Vec<Problem> {
        let declared =
            || self.inventory.groups.keys().filter(|name| !self.pending.contains_key(*name)).map(String::as_str);
        self.pending
            .iter()
            .map(|(name, pending)| {
                let problem = Problem::new(&pending.place, format!("group `{}` is not declared", names::visible(name)));
                match nearest(name, declared()) {
                    Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                    None => problem.help(format!("declare it with `[{name}]`, even if it has no hosts")),
                }
            })
            .collect()
    }
}

/// `[name]` or `[name:kind]`, then nothing or a `#` comment.
struct Section<'l> {
    name: &'l str,
    kind: Option<&'l str>,
}

impl<'l> Section<'l> {
    fn from_line(line: &'l str) -> Option<Self> {
        let (inside, after) = line.strip_prefix('[')?.split_once(']')?;
        let (name, kind) = match inside.split_once(':') {
            Some((name, kind)) => (name, Some(kind)),
            None => (inside, None),
        };
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        let fits = !name.is_empty() && !name.contains(char::is_whitespace) && kind.is_none_or(word);
        let after = after.trim_start();
        (fits && (after.is_empty() || after.starts_with('#'))).then_some(Self { name, kind })
    }
}

/// `[a b]` and `[g] ; comment`, but not the hosts `[a:c].example.com` and `[::1]:22`.
fn looks_like_a_section(line: &str) -> bool {
    let after = line.strip_prefix('[').and_then(|inside| inside.split_once(']')).map(|(_, after)| after.trim_start());
    after.is_some_and(|after| line.ends_with(']') || after.starts_with(';'))
}

fn not_a_section(line: &Line<'_>) -> Problem {
    let problem = Problem::new(&line.whole(), "not a section");
    match line.text.split_once(']') {
        Some((_, after)) if after.trim_start().starts_with(';') => {
            problem.help("a comment after a section begins with `#`")
        }
        Some((inside, "")) if inside.contains(char::is_whitespace) => {
            problem.help("no space stands within the brackets of a section")
        }
        _ => problem.help("a section is `[group]`, `[group:children]` or `[group:vars]`"),
    }
}

/// What ends a line for Python but not for an editor, or hides text: all control characters but tab.
fn breaks_text(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}')
}
