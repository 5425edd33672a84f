//! Words and lines of a text put in the place of others, with all else as it stands.

use std::ops::Range;

/// Bytes of a text and what takes their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Which bytes.
    pub range: Range<usize>,
    /// What stands there then.
    pub text: String,
}

/// What becomes of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordEdit {
    /// It stays.
    Keep,
    /// It goes, with the blanks before it.
    Remove,
    /// This takes its place.
    Put(String),
}

/// The text with the patches made; `None` where two of them are about the same bytes or one is about none of the text.
#[must_use]
pub fn patched(text: &str, mut patches: Vec<Patch>) -> Option<String> {
    patches.sort_by_key(|patch| (patch.range.start, patch.range.end));
    let (mut new, mut done) = (String::with_capacity(text.len()), 0);
    for Patch { range, text: put } in patches {
        new.push_str(text.get(done..range.start)?);
        text.get(range.clone())?;
        new.push_str(&put);
        done = range.end;
    }
    new.push_str(text.get(done..)?);
    Some(new)
}

/// The patches for the words of one setting. `words` are all of them in order, `line` is the setting's line: without any word it goes as
/// a whole, since a setting without a value would empty the list that other lines and files have begun (systemd.syntax(7)).
#[must_use]
pub fn with_words(line: &Range<usize>, words: &[(Range<usize>, WordEdit)]) -> Vec<Patch> {
    let none = String::new;
    let stays = words.iter().position(|(_, edit)| *edit != WordEdit::Remove);
    let Some(first) = stays else { return vec![Patch { range: line.clone(), text: none() }] };
    let mut patches = Vec::new();
    if let (Some((gone, _)), Some((kept, _))) = (words.first(), words.get(first))
        && first > 0
    {
        patches.push(Patch { range: gone.start..kept.start, text: none() });
    }
    let mut end = words.get(first).map_or(line.end, |(word, _)| word.end);
    for (word, edit) in words.iter().skip(first) {
        match edit {
            WordEdit::Keep => {}
            WordEdit::Remove => patches.push(Patch { range: end..word.end, text: none() }),
            WordEdit::Put(text) => patches.push(Patch { range: word.clone(), text: text.clone() }),
        }
        end = word.end;
    }
    patches
}

/// A word as it is written, quotes included, with another name before its `=`; `None` where it is not plainly written with the old one.
#[must_use]
pub fn renamed(word: &str, old: &str, new: &str) -> Option<String> {
    let quote = word.get(..1).filter(|first| matches!(*first, "\"" | "'")).unwrap_or_default();
    let behind = word.strip_prefix(quote)?.strip_prefix(old)?;
    (behind.is_empty() || behind == quote || behind.starts_with('=')).then(|| format!("{quote}{new}{behind}"))
}

/// A word as it is written, with more at the end of its value, inside of quotes.
#[must_use]
pub fn longer(word: &str, more: &str) -> String {
    let quoted =
        |quote: char| word.starts_with(quote).then(|| word.strip_suffix(quote).map(|rest| (rest, quote))).flatten();
    match quoted('"').or_else(|| quoted('\'')) {
        Some((rest, quote)) => format!("{rest}{more}{quote}"),
        None => format!("{word}{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::probe::unit_text::ServiceText;

    /// A unit's text with its ExecStart's words edited.
    fn command(text: &str, edit: impl Fn(&str) -> WordEdit) -> String {
        let mut service = ServiceText::default();
        service.read(text).unwrap();
        let (words, places) = (service.command().unwrap(), service.command_places());
        let line = places.first().unwrap().line.clone();
        let edits: Vec<_> = words.iter().zip(places).map(|(word, at)| (at.word.clone(), edit(word))).collect();
        patched(text, with_words(&line, &edits)).unwrap()
    }

    /// A setting's line and its words.
    type Setting = (Range<usize>, Vec<(Range<usize>, WordEdit)>);

    fn environment(text: &str, gone: &[&str]) -> String {
        let mut service = ServiceText::default();
        service.read(text).unwrap();
        let mut lines: Vec<Setting> = Vec::new();
        for ((name, _), place) in service.environment().iter().zip(service.environment_places()) {
            let edit = if gone.contains(&name.as_str()) { WordEdit::Remove } else { WordEdit::Keep };
            match lines.last_mut().filter(|(line, _)| *line == place.line) {
                Some((_, words)) => words.push((place.word.clone(), edit)),
                None => lines.push((place.line.clone(), vec![(place.word.clone(), edit)])),
            }
        }
        patched(text, lines.iter().flat_map(|(line, words)| with_words(line, words)).collect()).unwrap()
    }

    const UNIT: &str = "# --debug in a comment\n[Unit]\nDescription=etcd --debug\n\n[Service]\n; --debug\n\
        ExecStart = /usr/bin/etcd \\\n    --name 'a b' \\\n\t--debug \\\n    \"--x=50%%\"   --last\nRestart=always\n";

    #[test]
    fn a_word_goes_with_the_blanks_and_the_line_before_it() {
        let without = |gone: &'static str| {
            command(UNIT, move |word| if word == gone { WordEdit::Remove } else { WordEdit::Keep })
        };
        assert_eq!(without("none"), UNIT);
        assert_eq!(without("--debug"), UNIT.replace(" \\\n\t--debug", ""));
        assert_eq!(without("--last"), UNIT.replace("   --last", ""));
        assert_eq!(without("--x=50%"), UNIT.replace(" \\\n    \"--x=50%%\"", ""));
        let put = command(UNIT, |word| match word {
            "--debug" => WordEdit::Put("--log-level=debug".to_owned()),
            "a b" => WordEdit::Remove,
            "--name" => WordEdit::Remove,
            _ => WordEdit::Keep,
        });
        assert_eq!(put, UNIT.replace(" \\\n    --name 'a b'", "").replace("\t--debug", "\t--log-level=debug"));
    }

    #[test]
    fn a_setting_never_stays_without_a_value() {
        let text = "[Service]\nExecStart=/bin/a\nEnvironment=A=1 \"B=2 3\" \\\n  C=4\nEnvironment=D=5\nUser=x\n";
        assert_eq!(environment(text, &["A"]), text.replace("A=1 ", ""));
        assert_eq!(environment(text, &["A", "B"]), text.replace("A=1 \"B=2 3\" \\\n  ", ""));
        assert_eq!(environment(text, &["B"]), text.replace(" \"B=2 3\"", ""));
        assert_eq!(environment(text, &["A", "C"]), text.replace("A=1 ", "").replace(" \\\n  C=4", ""));
        assert_eq!(environment(text, &["D"]), text.replace("Environment=D=5\n", ""));
        let none = environment(text, &["A", "B", "C", "D"]);
        assert_eq!(none, "[Service]\nExecStart=/bin/a\nUser=x\n");
        // The last line may lack its end.
        assert_eq!(environment("[Service]\nEnvironment=A=1", &["A"]), "[Service]\n");
    }

    #[test]
    fn a_word_is_renamed_as_it_is_written() {
        assert_eq!(renamed("--ca-file=/x", "--ca-file", "--new").unwrap(), "--new=/x");
        assert_eq!(renamed("-ca-file", "-ca-file", "-new").unwrap(), "-new");
        assert_eq!(renamed("\"--ca-file=/x y\"", "--ca-file", "--new").unwrap(), "\"--new=/x y\"");
        assert_eq!(renamed("'A'", "A", "B").unwrap(), "'B'");
        assert_eq!(renamed("A=${B}", "A", "C").unwrap(), "C=${B}");
        for (word, old) in [("--ca-files=/x", "--ca-file"), ("--ca\\sfile", "--ca file"), ("x--a", "--a")] {
            assert_eq!(renamed(word, old, "--new"), None, "{word}");
        }
        assert_eq!(longer("--g=A=true", ",B=true"), "--g=A=true,B=true");
        assert_eq!(longer("\"G=A=true\"", ",B=true"), "\"G=A=true,B=true\"");
    }

    #[test]
    fn patches_about_the_same_bytes_are_refused() {
        let patch = |range: Range<usize>| Patch { range, text: "x".to_owned() };
        assert_eq!(patched("abcdef", vec![patch(4..6), patch(0..2)]).unwrap(), "xcdx");
        assert_eq!(patched("abcdef", vec![patch(0..3), patch(2..4)]), None);
        assert_eq!(patched("abc", vec![patch(2..9)]), None);
    }
}
