//! Edits of the texts in which options stand, gathered and then made together.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::etcd::{Becomes, Said, variable_of_option};
use crate::remote::{Patch, RemotePath, WordEdit, WordPlace, longer, patched, renamed, with_words};

use super::super::config_file::with_key;
use super::{Given, Parts, Stands};

/// What is to be done to the texts.
#[derive(Default)]
pub(super) struct Edits {
    /// By the number of the command's word.
    command: BTreeMap<usize, WordEdit>,
    /// By the number of the word of `Environment=`.
    settings: BTreeMap<usize, WordEdit>,
    /// By the number of the environment file.
    lines: BTreeMap<usize, Vec<Patch>>,
    /// Of the configuration file.
    config: Vec<Patch>,
    /// Keys that it lacks.
    added: Vec<(String, String)>,
}

impl Edits {
    /// Adds one; gives the file that it is in.
    ///
    /// # Errors
    /// Why it cannot be made for sure.
    pub(super) fn add(
        &mut self,
        given: &Given,
        parts: &Parts,
        said: &Said,
        stands: &Stands,
        becomes: &Becomes,
    ) -> Result<RemotePath, String> {
        let units = given.units.as_deref().unwrap_or_default();
        let of_unit = |place: &WordPlace| {
            let file = units.get(place.file).ok_or("the unit's files")?;
            Ok::<_, String>((file.path.clone(), file.text.get(place.word.clone()).unwrap_or_default().to_owned()))
        };
        let service = parts.service.as_ref();
        match stands {
            Stands::Words(first, last) => {
                let places = service.map(|service| service.command_places()).unwrap_or_default();
                let (Some(head), Some(tail)) = (places.get(*first), places.get(*last)) else {
                    return Err(given.not_understood());
                };
                let ((path, head), (_, tail)) = (of_unit(head)?, of_unit(tail)?);
                let (head, tail) = flag(&head, &tail, first == last, said, becomes)
                    .ok_or_else(|| format!("{path}: `{head}` is not plainly written"))?;
                self.command.insert(*first, head);
                if let Some(tail) = tail.filter(|_| first != last) {
                    self.command.insert(*last, tail);
                }
                Ok(path)
            }
            Stands::Setting(number) => {
                let places = service.map(|service| service.environment_places()).unwrap_or_default();
                let (path, word) = of_unit(places.get(*number).ok_or_else(|| given.not_understood())?)?;
                let edit = setting(&word, said, becomes);
                self.settings.insert(*number, edit.ok_or_else(|| format!("{path}: `{word}` is not plainly written"))?);
                Ok(path)
            }
            Stands::Line(file, number) => {
                let set = parts.assignments.get(*file).and_then(|sets| sets.get(*number));
                let (set, place) = set.zip(given.environment_files.get(*file)).ok_or("an environment file")?;
                let written = place.text.get(set.value_at.clone()).unwrap_or_default();
                let patch = |range: Range<usize>, text: String| Patch { range, text };
                let patches = match becomes {
                    Becomes::Nothing => vec![patch(set.line.clone(), String::new())],
                    Becomes::Longer(more) => vec![patch(set.value_at.clone(), longer(written, more))],
                    Becomes::Other { name, value, also } => {
                        let mut value = value.clone().unwrap_or_else(|| written.to_owned());
                        if let Some((name, more)) = also {
                            value.push_str(&format!("\n{}={more}", variable_of_option(name)));
                        }
                        let name = patch(set.name_at.clone(), variable_of_option(name));
                        vec![name, patch(set.value_at.clone(), value)]
                    }
                };
                self.lines.entry(*file).or_default().extend(patches);
                Ok(place.path.clone())
            }
            Stands::Key(number) => {
                let file = given.config.as_ref().ok_or("the configuration file")?;
                let patches = parts.keys.get(*number).and_then(|place| place.patches(&file.text, becomes));
                let unclear =
                    || format!("{}: `{}` is not plainly written, or belongs elsewhere then", file.path, said.name);
                self.config.extend(patches.ok_or_else(unclear)?);
                Ok(file.path.clone())
            }
            Stands::Fixed(why) => Err(why.clone()),
        }
    }

    /// Adds a key to the configuration file; gives its path.
    ///
    /// # Errors
    /// Which file it cannot be added to.
    pub(super) fn add_key(&mut self, given: &Given, name: &str, value: &str) -> Result<RemotePath, String> {
        let file = given.config.as_ref().ok_or("the configuration file")?;
        if file.fixed.is_some() || with_key(&file.text, name, value).is_none() {
            return Err(file.path.to_string());
        }
        self.added.push((name.to_owned(), value.to_owned()));
        Ok(file.path.clone())
    }

    /// The texts with all of them.
    ///
    /// # Errors
    /// When two of them are about the same bytes.
    pub(super) fn made(self, given: &Given, parts: &Parts) -> Result<Given, String> {
        let mut new = given.clone();
        let clash = |path: &RemotePath| format!("{path}: two rewritings of its options are about the same words");
        if let (Ok(files), Some(service)) = (&mut new.units, &parts.service) {
            let mut patches: BTreeMap<usize, Vec<Patch>> = BTreeMap::new();
            for (places, edits) in
                [(service.command_places(), &self.command), (service.environment_places(), &self.settings)]
            {
                for (file, made) in of_lines(places, edits) {
                    patches.entry(file).or_default().extend(made);
                }
            }
            for (file, patches) in patches {
                let Some(file) = files.get_mut(file) else { continue };
                file.text = patched(&file.text, patches).ok_or_else(|| clash(&file.path))?;
            }
        }
        for (file, patches) in self.lines {
            let Some(file) = new.environment_files.get_mut(file) else { continue };
            file.text = patched(&file.text, patches).ok_or_else(|| clash(&file.path))?;
        }
        if let Some(file) = &mut new.config {
            file.text = patched(&file.text, self.config).ok_or_else(|| clash(&file.path))?;
            for (name, value) in &self.added {
                file.text = with_key(&file.text, name, value).ok_or_else(|| clash(&file.path))?;
            }
        }
        Ok(new)
    }
}

/// The patches for words, setting by setting; those of settings without an edit are none.
fn of_lines(places: &[WordPlace], edits: &BTreeMap<usize, WordEdit>) -> Vec<(usize, Vec<Patch>)> {
    let mut made = Vec::new();
    let of_one = |a: &(usize, &WordPlace), b: &(usize, &WordPlace)| (a.1.file, &a.1.line) == (b.1.file, &b.1.line);
    let numbered: Vec<(usize, &WordPlace)> = places.iter().enumerate().collect();
    for setting in numbered.chunk_by(of_one) {
        let Some((_, place)) = setting.first() else { continue };
        let edit = |number: &usize| edits.get(number).cloned().unwrap_or(WordEdit::Keep);
        let words: Vec<_> = setting.iter().map(|(number, at)| (at.word.clone(), edit(number))).collect();
        if words.iter().any(|(_, edit)| *edit != WordEdit::Keep) {
            made.push((place.file, with_words(&place.line, &words)));
        }
    }
    made
}

/// A flag's words as they are written, the first and the last, which may be one. `None` where they are not plainly written.
fn flag(head: &str, tail: &str, one: bool, said: &Said, becomes: &Becomes) -> Option<(WordEdit, Option<WordEdit>)> {
    let unquoted = head.trim_start_matches(['"', '\'']);
    let dashes = if unquoted.starts_with("--") { "--" } else { "-" };
    let old = format!("{dashes}{}", said.name);
    // Also where it only goes: a word in which the name does not stand is not this option's.
    renamed(head, &old, &old)?;
    let put = |text: String| Some(WordEdit::Put(text));
    Some(match becomes {
        Becomes::Nothing => (WordEdit::Remove, Some(WordEdit::Remove)),
        Becomes::Longer(more) if one => (WordEdit::Put(longer(head, more)), None),
        Becomes::Longer(more) => (WordEdit::Keep, put(longer(tail, more))),
        Becomes::Other { name, value, also } => {
            let also = also.as_ref().map(|(name, value)| format!(" {dashes}{name}={value}")).unwrap_or_default();
            let new = format!("{dashes}{name}");
            match value {
                Some(value) => (WordEdit::Put(format!("{new}={value}{also}")), Some(WordEdit::Remove)),
                None if one => (WordEdit::Put(renamed(head, &old, &new)? + &also), None),
                None => (WordEdit::Put(renamed(head, &old, &new)?), put(format!("{tail}{also}"))),
            }
        }
    })
}

/// A word of `Environment=` as it is written.
fn setting(word: &str, said: &Said, becomes: &Becomes) -> Option<WordEdit> {
    let old = variable_of_option(&said.name);
    renamed(word, &old, &old)?;
    Some(match becomes {
        Becomes::Nothing => WordEdit::Remove,
        Becomes::Longer(more) => WordEdit::Put(longer(word, more)),
        Becomes::Other { name, value, also } => {
            let also = also.as_ref().map(|(name, value)| format!(" {}={value}", variable_of_option(name)));
            let new = variable_of_option(name);
            let new = match value {
                Some(value) => format!("{new}={value}"),
                None => renamed(word, &old, &new)?,
            };
            WordEdit::Put(new + &also.unwrap_or_default())
        }
    })
}
