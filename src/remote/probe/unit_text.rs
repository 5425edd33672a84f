//! The text of a unit's files, read before systemd reads it: with what a service would start its program.
//!
//! Rules of systemd.syntax(7), systemd.service(5) and systemd.exec(5). What is not understood for sure is refused, never guessed.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::remote::RemotePath;
use crate::remote::shell::is_variable;

/// Settings that decide as whom a program runs, in which folder and which files it sees there. They are not followed, only compared.
pub const SURROUNDINGS: &[&str] = &[
    "BindPaths",
    "BindReadOnlyPaths",
    "BusName",
    "DynamicUser",
    "ExtensionDirectories",
    "ExtensionImages",
    "Group",
    "InaccessiblePaths",
    "MountImages",
    "PAMName",
    "PassEnvironment",
    "PrivateTmp",
    "PrivateUsers",
    "ProtectHome",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RootDirectory",
    "RootImage",
    "TemporaryFileSystem",
    "UnsetEnvironment",
    "User",
    "WorkingDirectory",
];

/// Where a word of a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordPlace {
    /// In which of the files, in the order in which they were read.
    pub file: usize,
    /// Its bytes there, quotes included.
    pub word: Range<usize>,
    /// Where each byte of the word as it is read stands: one, or the two of a character behind a backslash.
    pub bytes: Vec<Range<usize>>,
    /// The bytes of the setting's line, with those that it goes on in and the end of the last.
    pub line: Range<usize>,
}

/// What the texts of a service's files say of its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceText {
    specifiers: Specifiers,
    /// Whether one other than `%%` was put in.
    specified: bool,
    /// How many files were read.
    files: usize,
    starts: Vec<(Vec<String>, Vec<WordPlace>)>,
    environment: Vec<(String, String)>,
    environment_places: Vec<WordPlace>,
    environment_files: Vec<(RemotePath, bool)>,
    kind: Option<String>,
    surroundings: BTreeMap<String, Vec<String>>,
}

impl ServiceText {
    /// Of a unit in whose files specifiers stand for that; of [`ServiceText::default`] none is known but `%%`.
    #[must_use]
    pub fn of(specifiers: Specifiers) -> Self {
        Self { specifiers, ..Self::default() }
    }

    /// Whether its texts have specifiers other than `%%`, which systemd may know better.
    #[must_use]
    pub fn has_specifiers(&self) -> bool {
        self.specified
    }

    /// Reads one more file, as systemd does: the unit's own first, then its drop-ins in the order of their names.
    ///
    /// # Errors
    /// What in it is not understood for sure.
    pub fn read(&mut self, text: &str) -> Result<(), String> {
        let mut section = String::new();
        for line in logical_lines(text)? {
            if let Some(name) = line.text.strip_prefix('[') {
                let name = name.strip_suffix(']').ok_or_else(|| format!("`{}` is no section", line.text))?;
                section = name.to_owned();
                continue;
            }
            let (name, value) = line.text.split_once('=').ok_or_else(|| format!("`{}` is no setting", line.text))?;
            match section.as_str() {
                "" => return Err(format!("`{}` stands before any section", line.text)),
                "Service" => {
                    let (name, value) = (name.trim_end(), value.trim_start());
                    self.set(name, value, &line).map_err(|why| format!("{name}={value}: {why}"))?;
                }
                _ => {}
            }
        }
        self.files += 1;
        Ok(())
    }

    /// `value` is the end of the line.
    fn set(&mut self, name: &str, value: &str, line: &Line) -> Result<(), String> {
        match name {
            "ExecStart" if value.is_empty() => self.starts.clear(),
            "ExecStart" => {
                let words = self.words(value)?;
                let places = words.iter().map(|word| self.place(line, value, word)).collect();
                self.starts.push((words.into_iter().map(|word| word.text).collect(), places));
            }
            "Environment" if value.is_empty() => {
                self.environment.clear();
                self.environment_places.clear();
            }
            "Environment" => {
                for word in self.words(value)? {
                    let pair = word.text.split_once('=').filter(|(name, _)| is_variable(name));
                    let (name, set) = pair.ok_or_else(|| format!("`{}` sets no variable", word.text))?;
                    self.environment.push((name.to_owned(), set.to_owned()));
                    self.environment_places.push(self.place(line, value, &word));
                }
            }
            "EnvironmentFile" if value.is_empty() => self.environment_files.clear(),
            "EnvironmentFile" => {
                let (path, optional) = value.strip_prefix('-').map_or((value, false), |path| (path, true));
                let path = self.specifiers.put_into(path)?;
                self.specified |= value.replace("%%", "").contains('%');
                let plain = !path.contains(['*', '?', '[', '\\', '"', '\'']) && !path.contains(char::is_whitespace);
                let path = RemotePath::from_absolute(&path).filter(|_| plain);
                self.environment_files.push((path.ok_or("expected one absolute path without a pattern")?, optional));
            }
            "Type" => self.kind = Some(value.to_owned()).filter(|kind| !kind.is_empty()),
            _ if SURROUNDINGS.contains(&name) => {
                self.surroundings.entry(name.to_owned()).or_default().push(value.to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn words(&mut self, value: &str) -> Result<Vec<Word>, String> {
        self.specified |= value.replace("%%", "").contains('%');
        words(value, &self.specifiers)
    }

    fn place(&self, line: &Line, value: &str, word: &Word) -> WordPlace {
        let before = line.text.len() - value.len();
        let at = |byte: usize| line.at.get(before + byte).copied().unwrap_or(line.whole.end);
        let of = |bytes: &Range<usize>| at(bytes.start)..at(bytes.end - 1) + 1;
        let bytes = word.bytes.iter().map(of).collect();
        WordPlace { file: self.files, word: of(&word.at), bytes, line: line.whole.clone() }
    }

    /// The words of the one command that starts it, variables not yet put in.
    ///
    /// # Errors
    /// When there is none or more than one, or its program is not named by its path alone.
    pub fn command(&self) -> Result<&[String], String> {
        let [(command, _)] = self.starts.as_slice() else {
            return Err(format!("expected one ExecStart, found {}", self.starts.len()));
        };
        match command.first() {
            Some(program) if program.starts_with('/') => Ok(command),
            Some(program) => Err(format!("ExecStart begins with `{program}`; expected a path without a prefix")),
            None => Err("ExecStart is empty".to_owned()),
        }
    }

    /// Where the words of that command stand.
    #[must_use]
    pub fn command_places(&self) -> &[WordPlace] {
        self.starts.first().map(|(_, places)| places.as_slice()).unwrap_or_default()
    }

    /// Where the words of `Environment=` stand.
    #[must_use]
    pub fn environment_places(&self) -> &[WordPlace] {
        &self.environment_places
    }

    /// `Environment=`.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// `EnvironmentFile=`: each path, and whether it may be missing.
    #[must_use]
    pub fn environment_files(&self) -> &[(RemotePath, bool)] {
        &self.environment_files
    }

    /// `Type=`, which is `simple` unless said otherwise.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("simple")
    }

    /// The settings of user, folder and visible files in which the two differ.
    #[must_use]
    pub fn other_surroundings(&self, other: &Self) -> Vec<&'static str> {
        let differs = |name: &&&str| self.surroundings.get(**name) != other.surroundings.get(**name);
        SURROUNDINGS.iter().filter(differs).copied().collect()
    }
}

/// A line with those that it goes on in.
#[derive(Default)]
struct Line {
    /// Its text without blanks around it.
    text: String,
    /// Where in the file each byte of the text stands.
    at: Vec<usize>,
    /// All of its bytes in the file.
    whole: Range<usize>,
}

impl Line {
    fn push(&mut self, text: &str, at: usize) {
        self.text.push_str(text);
        self.at.extend(at..at + text.len());
    }

    fn trimmed(mut self) -> Self {
        self.text.truncate(self.text.trim_end().len());
        let blanks = self.text.len() - self.text.trim_start().len();
        self.text.drain(..blanks);
        self.at.drain(..blanks);
        self.at.truncate(self.text.len());
        self
    }
}

/// Lines without comments and blank ones, those that go on joined.
fn logical_lines(text: &str) -> Result<Vec<Line>, String> {
    let odd = |c: char| c != '\n' && c != '\t' && (c.is_control() || c == '\u{feff}');
    if let Some(c) = text.chars().find(|c| odd(*c)) {
        return Err(format!("holds the character {:?}", c.escape_default().to_string()));
    }
    let (mut lines, mut begun, mut next) = (Vec::new(), None::<Line>, 0);
    for physical in text.split_inclusive('\n') {
        let start = next;
        next += physical.len();
        let physical = physical.strip_suffix('\n').unwrap_or(physical);
        let line = physical.trim_start_matches([' ', '\t']);
        if line.starts_with(['#', ';']) {
            // Whether the line goes on behind a comment depends on the release of systemd.
            if begun.is_some() {
                return Err(format!("`{line}` is a comment amid a line that goes on"));
            }
            continue;
        }
        let mut whole = begun.take().unwrap_or_else(|| Line { whole: start..start, ..Line::default() });
        whole.push(line, start + physical.len() - line.len());
        whole.whole.end = next;
        // An even number of backslashes is that many halves, and no line that goes on.
        let ends = whole.text.chars().rev().take_while(|c| *c == '\\').count();
        if ends % 2 == 1 {
            // It stands for a blank, in the very place of the backslash.
            whole.text.pop();
            whole.text.push(' ');
            begun = Some(whole);
        } else if !whole.text.trim().is_empty() {
            lines.push(whole.trimmed());
        }
    }
    match begun {
        Some(line) => Err(format!("`{}` goes on behind the end of the file", line.text)),
        None => Ok(lines),
    }
}

/// A word of a setting's value.
#[derive(Default)]
struct Word {
    /// With quotes, escapes and `%%` undone.
    text: String,
    /// Its bytes in the value, quotes included.
    at: Range<usize>,
    /// Where in the value each byte of the text stands.
    bytes: Vec<Range<usize>>,
}

impl Word {
    fn push(&mut self, c: char, at: Range<usize>) {
        self.text.push(c);
        self.bytes.resize(self.text.len(), at);
    }
}

/// Words parted at blanks, quotes around whole words and escapes in them undone, and specifiers put in; and where they stand, quotes included.
fn words(value: &str, specifiers: &Specifiers) -> Result<Vec<Word>, String> {
    let (mut words, mut rest) = (Vec::new(), value.trim_start());
    while let Some(first) = rest.chars().next() {
        let start = value.len() - rest.len();
        let quote = Some(first).filter(|c| matches!(c, '"' | '\''));
        let (mut word, mut end) = (Word::default(), None);
        let mut chars = rest.char_indices().skip(usize::from(quote.is_some()));
        while let Some((at, c)) = chars.next() {
            let after = at + c.len_utf8();
            match c {
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some(same @ ('\\' | '"' | '\'')) => word.push(same, start + at..start + after + 1),
                    Some('s') => word.push(' ', start + at..start + after + 1),
                    _ => return Err("an escape other than \\\\, \\\", \\' and \\s".to_owned()),
                },
                '%' => {
                    for c in specifiers.of_next(chars.next().map(|(_, letter)| letter))?.chars() {
                        word.push(c, start + at..start + after + 1);
                    }
                }
                c if Some(c) == quote => {
                    end = Some(after);
                    break;
                }
                '"' | '\'' if quote.is_none() => return Err("a quote amid a word: put quotes around it".to_owned()),
                ' ' | '\t' if quote.is_none() => {
                    end = Some(at);
                    break;
                }
                c => word.push(c, start + at..start + after),
            }
        }
        let end = match (end, quote) {
            (Some(end), _) => end,
            (None, None) => rest.len(),
            (None, Some(_)) => return Err("a quote that is not closed".to_owned()),
        };
        rest = rest.get(end..).unwrap_or_default();
        if quote.is_some() && !rest.is_empty() && !rest.starts_with([' ', '\t']) {
            return Err("a quote that ends amid a word".to_owned());
        }
        if word.text == ";" {
            return Err("more than one command in a line".to_owned());
        }
        word.at = start..start + end;
        words.push(word);
        rest = rest.trim_start();
    }
    Ok(words)
}

/// The values of settings with commands other than `ExecStart`, as they are written; of a text that is not understood, all of it.
#[must_use]
pub fn other_commands(text: &str) -> Vec<String> {
    let Ok(lines) = logical_lines(text) else { return vec![text.to_owned()] };
    let pairs = lines.iter().filter_map(|line| line.text.split_once('='));
    let other = pairs.filter(|(name, _)| name.starts_with("Exec") && name.trim_end() != "ExecStart");
    other.map(|(_, value)| value.trim_start().to_owned()).collect()
}

mod edit;
mod specifiers;
#[cfg(test)]
mod tests;

pub use edit::{Patch, WordEdit, longer, patched, renamed, with_words};
pub use specifiers::Specifiers;
