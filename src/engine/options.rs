//! What the operator asked for on the command line.

use std::path::PathBuf;
use std::sync::Arc;

use crate::inventory::{Entry, Node, NodeValue, Place, Problem, ScalarStyle, Source, from_yaml};
use crate::modules::guard::{GUARDS, Guards};

use super::tags::Tags;

/// How to run a playbook.
#[derive(Clone, Debug)]
pub struct Options {
    /// The command that asked for it, for the journal: `run`, `plan`, `exec`.
    pub command: String,
    /// The playbook's path as given, for messages and for `playbook_dir`.
    pub playbook: PathBuf,
    /// The folder of the first inventory source, for `inventory_dir`.
    pub inventory_dir: Option<PathBuf>,
    /// The run's ID, a ULID.
    pub run: String,
    /// The run's own folder on the control machine.
    pub run_dir: PathBuf,
    /// The command line, without the program's name.
    pub arguments: Vec<String>,
    /// The folder that quorate was started in.
    pub folder: PathBuf,
    /// The run that this one goes on with.
    pub resumes: Option<String>,
    /// The run of the playbook before, where one command runs several.
    pub follows: Option<String>,
    /// Which of the playbooks among the arguments this one is, from 1; `None` where there are none.
    pub number: Option<u64>,
    /// `--check`.
    pub check: bool,
    /// `--diff`.
    pub diff: bool,
    /// `--forks`: on how many hosts a task runs at a time; at least 1.
    pub forks: usize,
    /// How often a host that the network refuses is tried before its task begins; at least 1. A rejected login or host key
    /// never is tried again.
    pub connect_tries: u32,
    /// When the run was asked for: what an `until:` of a play is seen from, however late the play begins.
    pub began: jiff::Zoned,
    /// `--until`: no host's turn is begun that would not fit before it.
    pub until: Option<jiff::Timestamp>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--tags`, `--skip-tags`.
    pub tags: Tags,
    /// `--start-at-task`.
    pub start_at: Option<String>,
    /// `--force-handlers`.
    pub force_handlers: bool,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// `-e`, parsed by [`extra_vars`].
    pub extra: Vec<Entry>,
    /// `--user`, below every `ansible_user`.
    pub user: Option<String>,
    /// `--become`.
    pub r#become: bool,
    /// The guards that `rolling:` may name.
    pub guards: Guards,
}

impl Options {
    /// A real run of that playbook with Ansible's defaults: five hosts at a time, nothing limited.
    #[must_use]
    pub fn new(playbook: impl Into<PathBuf>, run: impl Into<String>, run_dir: impl Into<PathBuf>) -> Self {
        Self {
            command: "run".to_owned(),
            playbook: playbook.into(),
            inventory_dir: None,
            run: run.into(),
            run_dir: run_dir.into(),
            arguments: Vec::new(),
            folder: PathBuf::new(),
            resumes: None,
            follows: None,
            number: None,
            began: jiff::Zoned::now(),
            until: None,
            check: false,
            diff: false,
            forks: 5,
            connect_tries: 1,
            limit: None,
            tags: Tags::default(),
            start_at: None,
            force_handlers: false,
            verbosity: 0,
            extra: Vec::new(),
            user: None,
            r#become: false,
            guards: GUARDS,
        }
    }

    /// The playbook's folder; `.` if its path names none.
    #[must_use]
    pub fn playbook_dir(&self) -> PathBuf {
        match self.playbook.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        }
    }
}

/// Reads what `-e` gave: `key=value …`, a YAML or JSON mapping, or `@file` with one; later ones win.
///
/// # Errors
/// What can't be read, each with its place.
pub fn extra_vars(given: &[String]) -> Result<Vec<Entry>, Vec<Problem>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut problems = Vec::new();
    for text in given {
        match one(text) {
            Ok(more) => {
                for entry in more {
                    entries.retain(|known| known.key != entry.key);
                    entries.push(entry);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

fn one(text: &str) -> Result<Vec<Entry>, Problem> {
    let source = Source::new("<-e>", text);
    let place = Place::new(&source, 0, text.len());
    if let Some(path) = text.strip_prefix('@') {
        let read = std::fs::read_to_string(path);
        let content = read.map_err(|error| Problem::new(&place, format!("can't read `{path}`: {error}")))?;
        return mapping(&Source::new(path, content), &place);
    }
    if text.trim_start().starts_with(['{', '[']) {
        return mapping(&source, &place);
    }
    let words = shlex::split(text).ok_or_else(|| Problem::new(&place, "a quote is not closed"))?;
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Entry {
                key: key.to_owned(),
                key_place: place.clone(),
                value: Node::new(&place, NodeValue::String(value.to_owned(), ScalarStyle::Quoted)),
            }),
            _ => Err(Problem::new(&place, format!("`{word}` is not `key=value`"))
                .help("-e takes key=value, a YAML or JSON mapping, or @FILE")),
        })
        .collect()
}

fn mapping(source: &Arc<Source>, place: &Place) -> Result<Vec<Entry>, Problem> {
    let node = from_yaml(source)?;
    match node.value {
        NodeValue::Mapping(entries) => Ok(entries),
        NodeValue::Null => Ok(Vec::new()),
        _ => Err(Problem::new(&node.place, "must be a mapping of variables").related(place, "given here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_words_are_text_and_of_mappings_what_they_are() {
        let given = ["x=5 y='a b'".to_owned(), r#"{"x": 5}"#.to_owned()];
        let entries = extra_vars(&given).unwrap();
        let json: Vec<_> = entries.iter().map(|e| (e.key.as_str(), e.value.to_json())).collect();
        assert_eq!(json, [("y", "a b".into()), ("x", 5.into())]);
    }

    #[test]
    fn a_word_without_a_value_is_refused() {
        assert!(extra_vars(&["x".to_owned()]).unwrap_err()[0].message.contains("key=value"));
    }
}
