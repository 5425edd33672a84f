//! Edits of the texts in which options stand, gathered and then made together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::etcd::{Becomes, Said, variable_of_option};
use crate::remote::{Patch, RemotePath, WordEdit, WordPlace, longer, patched, pieces, renamed, with_words};

use super::super::config_file::with_key;
use super::vendors::Settings;
use super::{File, Given, Parts, Set, Stands};

/// What is to be done to the texts.
#[derive(Default)]
pub(super) struct Edits {
    /// By the number of the command's word.
    command: BTreeMap<usize, WordEdit>,
    /// By the number of the word of `Environment=`.
    settings: BTreeMap<usize, WordEdit>,
    /// By the number of the environment file.
    lines: BTreeMap<usize, Vec<Patch>>,
    /// By where a variable's value stands, and the number of its piece.
    pieces: BTreeMap<Set, BTreeMap<usize, WordEdit>>,
    /// Whole values, and what takes their place.
    values: BTreeMap<Set, String>,
    /// Of the configuration file.
    config: Vec<Patch>,
    /// Keys that it lacks.
    added: Vec<(String, String)>,
}

/// Why one is not edited where it stands.
pub(super) enum NotEdited {
    /// Those settings are a vendor's: what its file is.
    Vendors(Settings, String),
    /// Else.
    Other(String),
}

impl From<String> for NotEdited {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl NotEdited {
    /// Why, in words; settings of a vendor are noted.
    pub(super) fn words(self, vendors: &mut BTreeSet<Settings>) -> String {
        match self {
            Self::Vendors(settings, why) => {
                vendors.insert(settings);
                why
            }
            Self::Other(why) => why,
        }
    }
}

/// A file of the unit's, if it is edited; `settings` are what in it is to be.
fn of_unit<'g>(given: &'g Given, place: Option<&WordPlace>, settings: Settings) -> Result<&'g File, NotEdited> {
    let files = given.units.as_deref().map_err(Clone::clone)?;
    let file = place.and_then(|place| files.get(place.file)).ok_or_else(|| given.not_understood())?;
    match file.vendors {
        true => Err(NotEdited::Vendors(settings, format!("{}: it is the vendor's", file.path))),
        false => Ok(file),
    }
}

/// A variable's value: the file, and where in it the value's bytes stand.
fn value_of<'g>(given: &'g Given, parts: &Parts, set: Set) -> Result<(&'g File, String, Vec<Range<usize>>), NotEdited> {
    match set {
        Set::Line(file, number) => {
            let set = parts.assignments.get(file).and_then(|sets| sets.get(number));
            let (set, file) = set.zip(given.environment_files.get(file)).ok_or("an environment file".to_owned())?;
            Ok((file, set.value.clone(), set.bytes.clone()))
        }
        Set::Setting(number) => {
            let places = parts.service.as_ref().map(|service| service.environment_places()).unwrap_or_default();
            let file = of_unit(given, places.get(number), Settings::Environment)?;
            let setting = places.get(number).zip(parts.settings.get(number));
            let (place, (name, value)) = setting.ok_or_else(|| given.not_understood())?;
            Ok((file, value.clone(), place.bytes.get(name.len() + 1..).unwrap_or_default().to_vec()))
        }
    }
}

/// The bytes in the file of a part of a value.
fn bytes_of(bytes: &[Range<usize>], part: &Range<usize>) -> Option<Range<usize>> {
    Some(bytes.get(part.start)?.start..bytes.get(part.end.checked_sub(1)?)?.end)
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
    ) -> Result<RemotePath, NotEdited> {
        let service = parts.service.as_ref();
        let command = service.map(|service| service.command_places()).unwrap_or_default();
        match stands {
            Stands::Words(first, last) => {
                let file = of_unit(given, command.get(*first), Settings::ExecStart)?;
                let (head, tail) = (written(file, command.get(*first)), written(file, command.get(*last)));
                self.put_words(
                    *first,
                    *last,
                    flag(head, tail, first == last, said, becomes).ok_or_else(|| odd(file, head))?,
                );
                Ok(file.path.clone())
            }
            Stands::Pieces(set, first, last) => {
                let (file, value, bytes) = value_of(given, parts, *set)?;
                let all = pieces(&value).value;
                let at = |number: usize| all.get(number).and_then(|piece| bytes_of(&bytes, &piece.at));
                let text = |number: usize| at(number).and_then(|at| file.text.get(at)).unwrap_or_default();
                let (head, tail) = (text(*first), text(*last));
                let made = flag(head, tail, first == last, said, becomes).ok_or_else(|| odd(file, head))?;
                let edits = self.pieces.entry(*set).or_default();
                edits.insert(*first, made.0);
                edits.extend(made.1.filter(|_| first != last).map(|tail| (*last, tail)));
                Ok(file.path.clone())
            }
            Stands::Whole(set, first, last) => self.whole(given, parts, said, (*set, *first, *last), becomes),
            Stands::Variable(Set::Setting(number)) => {
                let place = service.and_then(|service| service.environment_places().get(*number));
                let file = of_unit(given, place, Settings::Environment)?;
                let word = written(file, place);
                self.settings.insert(*number, setting(word, said, becomes).ok_or_else(|| odd(file, word))?);
                Ok(file.path.clone())
            }
            Stands::Variable(Set::Line(file, number)) => {
                let set = parts.assignments.get(*file).and_then(|sets| sets.get(*number));
                let set = set.zip(given.environment_files.get(*file));
                let (set, place) = set.ok_or_else(|| "an environment file".to_owned())?;
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
                let file = given.config.as_ref().ok_or_else(|| "the configuration file".to_owned())?;
                let patches = parts.keys.get(*number).and_then(|place| place.patches(&file.text, becomes));
                let unclear =
                    || format!("{}: `{}` is not plainly written, or belongs elsewhere then", file.path, said.name);
                self.config.extend(patches.ok_or_else(unclear)?);
                Ok(file.path.clone())
            }
            Stands::Fixed(why) => Err(why.clone().into()),
        }
    }

    fn put_words(&mut self, first: usize, last: usize, (head, tail): (WordEdit, Option<WordEdit>)) {
        self.command.insert(first, head);
        self.command.extend(tail.filter(|_| first != last).map(|tail| (last, tail)));
    }

    /// Adds one that is `${NAME}` in the command, whose value is kept to one word.
    fn whole(
        &mut self,
        given: &Given,
        parts: &Parts,
        said: &Said,
        (set, first, last): (Set, usize, usize),
        becomes: &Becomes,
    ) -> Result<RemotePath, NotEdited> {
        let places = parts.service.as_ref().map(|service| service.command_places()).unwrap_or_default();
        let (file, value, bytes) = value_of(given, parts, set)?;
        let range = bytes_of(&bytes, &(0..value.len()));
        let head = range.and_then(|range| file.text.get(range)).unwrap_or_default();
        if first == last
            && let Becomes::Longer(_) | Becomes::Other { also: None, .. } = becomes
        {
            let made = flag(head, head, true, said, becomes).ok_or_else(|| odd(file, head))?;
            if let (WordEdit::Put(text), _) = made {
                self.values.insert(set, text);
            }
            return Ok(file.path.clone());
        }
        // What is no single word afterwards is changed in the command too.
        let unit = of_unit(given, places.get(first), Settings::ExecStart)?;
        let tail = if first == last { head } else { written(unit, places.get(last)) };
        let (alone, also) = match becomes {
            Becomes::Other { name, value, also } => {
                (Becomes::Other { name: name.clone(), value: value.clone(), also: None }, also.as_ref())
            }
            becomes => (becomes.clone(), None),
        };
        let made = flag(head, tail, first == last, said, &alone).ok_or_else(|| odd(file, head))?;
        let dashes = if head.starts_with("--") { "--" } else { "-" };
        let also = also.map(|(name, value)| format!(" {dashes}{name}={value}")).unwrap_or_default();
        let word = written(unit, places.get(first));
        match made {
            (WordEdit::Remove, tail) => {
                self.put_words(first, last, (WordEdit::Remove, tail));
                return Ok(unit.path.clone());
            }
            (WordEdit::Put(text), tail) => {
                self.values.insert(set, text);
                let goes = tail == Some(WordEdit::Remove) || first == last;
                let behind = if goes { format!("{word}{also}") } else { word.to_owned() };
                let tail = match tail {
                    Some(WordEdit::Put(text)) => Some(WordEdit::Put(text + &also)),
                    tail => tail,
                };
                self.put_words(first, last, (WordEdit::Put(behind), tail));
            }
            (WordEdit::Keep, tail) => self.put_words(first, last, (WordEdit::Keep, tail)),
        }
        Ok(file.path.clone())
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
        let of_values = self.of_values(given, parts);
        if let (Ok(files), Some(service)) = (&mut new.units, &parts.service) {
            let mut patches: BTreeMap<usize, Vec<Patch>> = BTreeMap::new();
            for (places, edits) in
                [(service.command_places(), &self.command), (service.environment_places(), &self.settings)]
            {
                for (file, made) in of_lines(places, edits) {
                    patches.entry(file).or_default().extend(made);
                }
            }
            for (set, made) in &of_values {
                if let Set::Setting(number) = set
                    && let Some(place) = service.environment_places().get(*number)
                {
                    patches.entry(place.file).or_default().extend(made.iter().cloned());
                }
            }
            for (file, patches) in patches {
                let Some(file) = files.get_mut(file) else { continue };
                file.text = patched(&file.text, patches).ok_or_else(|| clash(&file.path))?;
            }
        }
        let mut lines = self.lines;
        for (set, made) in of_values {
            if let Set::Line(file, _) = set {
                lines.entry(file).or_default().extend(made);
            }
        }
        for (file, patches) in lines {
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

impl Edits {
    /// The patches for values of variables that are put into the command.
    fn of_values(&self, given: &Given, parts: &Parts) -> Vec<(Set, Vec<Patch>)> {
        let mut made = Vec::new();
        for (set, edits) in &self.pieces {
            let Ok((_, value, bytes)) = value_of(given, parts, *set) else { continue };
            let all = pieces(&value).value.into_iter().filter_map(|piece| bytes_of(&bytes, &piece.at)).enumerate();
            let edit = |number: usize| edits.get(&number).cloned().unwrap_or(WordEdit::Keep);
            let words: Vec<_> = all.map(|(number, at)| (at, edit(number))).collect();
            let (Some((first, _)), Some((last, _))) = (words.first(), words.last()) else { continue };
            made.push((*set, with_words(&(first.start..last.end), &words)));
        }
        for (set, text) in &self.values {
            let Ok((_, value, bytes)) = value_of(given, parts, *set) else { continue };
            let patch = bytes_of(&bytes, &(0..value.len())).map(|range| Patch { range, text: text.clone() });
            made.push((*set, patch.into_iter().collect()));
        }
        made
    }
}

/// A word as it is written in its file.
fn written<'f>(file: &'f File, place: Option<&WordPlace>) -> &'f str {
    place.and_then(|place| file.text.get(place.word.clone())).unwrap_or_default()
}

/// Why a word is not edited that is not written as quorate reads it.
fn odd(file: &File, word: &str) -> String {
    format!("{}: `{word}` is not plainly written", file.path)
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
