//! Text that an operator wrote, places in it, and what is wrong there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One input text with the name under which its faults are reported.
#[derive(Debug)]
pub struct Source {
    /// The path as the operator gave it, or a name such as `<command line>`.
    pub name: PathBuf,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A source of that name and text.
    #[must_use]
    pub fn new(name: impl AsRef<Path>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.as_ref().to_path_buf(), text: text.into() })
    }
}

/// Where something stands: a source, and a range of bytes in it.
#[derive(Clone)]
pub struct Place {
    /// The text.
    pub source: Arc<Source>,
    /// First byte of the thing, from 0.
    pub start: usize,
    /// The byte after its last, never before `start`.
    pub end: usize,
}

impl Place {
    /// The place of bytes `start..end` of `source`; clipped to the text.
    #[must_use]
    pub fn new(source: &Arc<Source>, start: usize, end: usize) -> Self {
        let size = source.text.len();
        let start = start.min(size);
        Self { source: Arc::clone(source), start, end: end.clamp(start, size) }
    }

    /// Line from 1 and column from 1, the column counted in characters.
    #[must_use]
    pub fn line_col(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let col = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, col)
    }
}

impl fmt::Display for Place {
    /// `path:line:col`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, col) = self.line_col();
        write!(f, "{}:{line}:{col}", self.source.name.display())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What is wrong with an input text, and where; shown by `cli` with the line and a caret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What is wrong, as a lower-case fragment: "unknown keyword `hots`".
    pub message: String,
    /// What to do: "did you mean `hosts`?".
    pub help: Option<String>,
    /// A second place that has to do with it, and how: "first defined here".
    pub related: Option<(Place, String)>,
}

impl Problem {
    /// A problem without help.
    #[must_use]
    pub fn new(place: &Place, message: impl Into<String>) -> Self {
        Self { place: place.clone(), message: message.into(), help: None, related: None }
    }

    /// The same with a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with a second place.
    #[must_use]
    pub fn related(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.related = Some((place.clone(), label.into()));
        self
    }
}

/// How like two names are, from 0 to 1. In short names Jaro-Winkler thinks little of one slip, `mgs` for `msg`; and it
/// thinks too much of a common beginning, `etcd_restore` for `etcd_version`: half of the letters must be right.
fn likeness(word: &str, name: &str) -> f64 {
    let slips = strsim::osa_distance(word, name);
    if slips * 2 > word.chars().count().max(2) {
        return 0.0;
    }
    strsim::jaro_winkler(word, name).max(if word.len() > 2 && slips == 1 { 0.8 } else { 0.0 })
}

/// The name nearest to `word` among `known`, if it is near enough to be a slip of the fingers.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // 0.8 on Jaro-Winkler keeps `ansbile_user` for `ansible_user` and drops unrelated words of one stem.
    known
        .into_iter()
        .map(|name| (likeness(word, name), name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
