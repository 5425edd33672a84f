//! The text of a unit's files, read before systemd reads it: with what a service would start its program.
//!
//! Rules of systemd.syntax(7), systemd.service(5) and systemd.exec(5). What is not understood for sure is refused, never guessed.

use std::collections::BTreeMap;

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

/// What the texts of a service's files say of its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceText {
    starts: Vec<Vec<String>>,
    environment: Vec<(String, String)>,
    environment_files: Vec<(RemotePath, bool)>,
    kind: Option<String>,
    surroundings: BTreeMap<String, Vec<String>>,
}

impl ServiceText {
    /// Reads one more file, as systemd does: the unit's own first, then its drop-ins in the order of their names.
    ///
    /// # Errors
    /// What in it is not understood for sure.
    pub fn read(&mut self, text: &str) -> Result<(), String> {
        let mut section = "";
        let lines = logical_lines(text)?;
        for line in &lines {
            if let Some(name) = line.strip_prefix('[') {
                section = name.strip_suffix(']').ok_or_else(|| format!("`{line}` is no section"))?;
                continue;
            }
            let (name, value) = line.split_once('=').ok_or_else(|| format!("`{line}` is no setting"))?;
            match section {
                "" => return Err(format!("`{line}` stands before any section")),
                "Service" => {
                    let (name, value) = (name.trim_end(), value.trim_start());
                    self.set(name, value).map_err(|why| format!("{name}={value}: {why}"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "ExecStart" if value.is_empty() => self.starts.clear(),
            "ExecStart" => self.starts.push(words(value)?),
            "Environment" if value.is_empty() => self.environment.clear(),
            "Environment" => {
                for word in words(value)? {
                    let pair = word.split_once('=').filter(|(name, _)| is_variable(name));
                    let (name, value) = pair.ok_or_else(|| format!("`{word}` sets no variable"))?;
                    self.environment.push((name.to_owned(), value.to_owned()));
                }
            }
            "EnvironmentFile" if value.is_empty() => self.environment_files.clear(),
            "EnvironmentFile" => {
                let (path, optional) = value.strip_prefix('-').map_or((value, false), |path| (path, true));
                let path = specifiers(path)?;
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

    /// The words of the one command that starts it, variables not yet put in.
    ///
    /// # Errors
    /// When there is none or more than one, or its program is not named by its path alone.
    pub fn command(&self) -> Result<&[String], String> {
        let [command] = self.starts.as_slice() else {
            return Err(format!("expected one ExecStart, found {}", self.starts.len()));
        };
        match command.first() {
            Some(program) if program.starts_with('/') => Ok(command),
            Some(program) => Err(format!("ExecStart begins with `{program}`; expected a path without a prefix")),
            None => Err("ExecStart is empty".to_owned()),
        }
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

/// Lines without comments and blank ones, those that go on joined.
fn logical_lines(text: &str) -> Result<Vec<String>, String> {
    let odd = |c: char| c != '\n' && c != '\t' && (c.is_control() || c == '\u{feff}');
    if let Some(c) = text.chars().find(|c| odd(*c)) {
        return Err(format!("holds the character {:?}", c.escape_default().to_string()));
    }
    let (mut lines, mut begun) = (Vec::new(), None::<String>);
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        let line = line.trim_start_matches([' ', '\t']);
        if line.starts_with(['#', ';']) {
            // Whether the line goes on behind a comment depends on the release of systemd.
            if begun.is_some() {
                return Err(format!("`{line}` is a comment amid a line that goes on"));
            }
            continue;
        }
        let whole = begun.take().unwrap_or_default() + line;
        // An even number of backslashes is that many halves, and no line that goes on.
        let ends = whole.chars().rev().take_while(|c| *c == '\\').count();
        match whole.strip_suffix('\\').filter(|_| ends % 2 == 1) {
            Some(part) => begun = Some(format!("{part} ")),
            None if whole.trim().is_empty() => {}
            None => lines.push(whole.trim().to_owned()),
        }
    }
    match begun {
        Some(line) => Err(format!("`{line}` goes on behind the end of the file")),
        None => Ok(lines),
    }
}

/// Words parted at blanks, quotes around whole words and escapes in them undone.
fn words(value: &str) -> Result<Vec<String>, String> {
    let (mut words, mut rest) = (Vec::new(), value.trim_start());
    while let Some(first) = rest.chars().next() {
        let quote = Some(first).filter(|c| matches!(c, '"' | '\''));
        let (mut word, mut end) = (String::new(), None);
        let mut chars = rest.char_indices().skip(usize::from(quote.is_some()));
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => word.push(match chars.next().map(|(_, c)| c) {
                    Some(same @ ('\\' | '"' | '\'')) => same,
                    Some('s') => ' ',
                    _ => return Err("an escape other than \\\\, \\\", \\' and \\s".to_owned()),
                }),
                c if Some(c) == quote => {
                    end = Some(at + 1);
                    break;
                }
                '"' | '\'' if quote.is_none() => return Err("a quote amid a word: put quotes around it".to_owned()),
                ' ' | '\t' if quote.is_none() => {
                    end = Some(at);
                    break;
                }
                c => word.push(c),
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
        if word == ";" {
            return Err("more than one command in a line".to_owned());
        }
        words.push(specifiers(&word)?);
        rest = rest.trim_start();
    }
    Ok(words)
}

/// `%%` as `%`; what another specifier stands for only systemd knows.
fn specifiers(text: &str) -> Result<String, String> {
    let plain = text.replace("%%", "\0");
    if plain.contains('%') {
        return Err("a specifier other than %%".to_owned());
    }
    Ok(plain.replace('\0', "%"))
}

#[cfg(test)]
mod tests;
