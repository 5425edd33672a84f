//! From YAML to the typed tree; everything that is wrong is said in one go, each fault with its place.

mod arguments;
mod checks;
mod directives;
mod handlers;
mod imports;
mod items;
mod keywords;
mod module;
mod play;
mod shapes;
mod task;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::inventory::{Entry, Place, Problem, Source, from_yaml, nearest};

use super::{Playbook, Vocabulary};
use keywords::{Home, Verdict, keyword, nearest_keyword};

/// Reads a playbook, with the files that it imports.
///
/// Nothing is rendered and no host is contacted. Paths of imports are relative to the file in which they stand.
///
/// # Errors
/// All that is wrong with the playbook and its imports, in the order of the text.
pub fn from_source(source: &Arc<Source>, vocabulary: &Vocabulary) -> Result<Playbook, Vec<Problem>> {
    let mut reader = Reader {
        vocabulary,
        problems: Vec::new(),
        warnings: Vec::new(),
        files: vec![(imports::identity(&source.name), source.name.clone())],
        imported: 0,
        sources: vec![Arc::clone(source)],
    };
    let plays = match from_yaml(source) {
        Ok(node) => reader.plays(&node),
        Err(problem) => {
            reader.problems.push(problem);
            Vec::new()
        }
    };
    reader.check_plays(&plays);
    let Reader { mut problems, mut warnings, sources, .. } = reader;
    if problems.is_empty() {
        sort(&mut warnings, &sources);
        Ok(Playbook { plays, warnings })
    } else {
        sort(&mut problems, &sources);
        Err(problems)
    }
}

/// By file in the order of reading, then by position; what is wrong with a file imported twice is said once.
fn sort(problems: &mut Vec<Problem>, sources: &[Arc<Source>]) {
    let mut said = HashSet::new();
    problems.retain(|problem| said.insert(problem.to_string()));
    problems.sort_by_key(|problem| {
        let file = sources.iter().position(|source| Arc::ptr_eq(source, &problem.place.source));
        (file.unwrap_or(usize::MAX), problem.place.start)
    });
}

/// What is known and what has been found so far.
struct Reader<'v> {
    vocabulary: &'v Vocabulary,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// The file being read and those that import it, outermost first: real path, and name as messages have it.
    files: Vec<(PathBuf, PathBuf)>,
    /// Files taken in so far.
    imported: usize,
    /// Every text read, in order.
    sources: Vec<Arc<Source>>,
}

impl Reader<'_> {
    fn problem(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem::new(place, message));
    }

    fn problem_with(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::new(place, message).help(help));
    }

    fn warn(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.warnings.push(Problem::new(place, message).help(help));
    }

    /// Whether a key is a keyword to be read at that place; says what is wrong with it if it is a keyword but may not stand
    /// there. `None`: it is no keyword at all.
    fn keyword(&mut self, entry: &Entry, home: Home) -> Option<bool> {
        if entry.key.starts_with("with_") && entry.key != "with_items" {
            let message = format!("`{}` is not supported by quorate yet", entry.key);
            self.problem_with(&entry.key_place, message, "use `loop:` with a list or an expression");
            return Some(false);
        }
        let row = keyword(keyword_name(&entry.key))?;
        if !row.belongs_to(home) {
            let message = format!("`{}` is a keyword of {}, not of a {}", row.name, row.owners(), home.name());
            self.problem(&entry.key_place, message);
            return Some(false);
        }
        match row.verdict {
            Verdict::Read => return Some(true),
            Verdict::Refused(instead) => {
                self.problem_with(&entry.key_place, format!("`{}` is not supported by quorate yet", row.name), instead);
            }
            Verdict::Ignored(why) => {
                self.warn(&entry.key_place, format!("`{}` has no effect", row.name), why);
            }
        }
        Some(false)
    }

    /// Says that a key is no keyword.
    fn unknown_keyword(&mut self, entry: &Entry, home: Home) {
        let mut problem = Problem::new(&entry.key_place, format!("unknown keyword `{}`", entry.key));
        if let Some(name) = nearest_keyword(&entry.key, home) {
            problem = problem.help(format!("did you mean `{name}`?"));
        }
        self.problems.push(problem);
    }

    /// Reads the keys of a mapping that is not a play, block or task; those not in `known` are errors.
    fn check_keys(&mut self, entries: &[Entry], known: &[&str], what: &str) {
        for entry in entries {
            if known.contains(&keyword_name(&entry.key)) {
                continue;
            }
            let mut problem = Problem::new(&entry.key_place, format!("unknown key `{}` in {what}", entry.key));
            problem = match nearest(&entry.key, known.iter().copied()) {
                Some(name) => problem.help(format!("did you mean `{name}`?")),
                None => problem.help(format!("known keys are {}", listed(known))),
            };
            self.problems.push(problem);
        }
    }
}

/// A name without the collection that Ansible's own modules and keywords live in.
fn without_collection(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy.")).unwrap_or(name)
}

/// A keyword's name: of all keywords only the imports live in a collection.
fn keyword_name(key: &str) -> &str {
    let name = without_collection(key);
    if name.starts_with("import_") || name.starts_with("include") { name } else { key }
}

/// Names as a sentence has them: "`a`, `b` and `c`".
fn listed(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, [])) => format!("`{last}`"),
        Some((last, before)) => format!("`{}` and `{last}`", before.join("`, `")),
        None => String::new(),
    }
}
