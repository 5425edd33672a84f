//! Arguments written in one line: `copy: src=a dest="b c"`, `command: ls -l chdir=/tmp`.
//!
//! Rules of ansible-core 2.21 `parsing/splitter.py`: words part at blanks outside quotes and templates; `key=value` is an
//! argument; of a free form module only the arguments in [`BESIDE_FREE_FORM`] are, and the rest is its text.

use std::ops::Range;

/// `key=value` words that are arguments even in the free text of `command` and its like.
const BESIDE_FREE_FORM: [&str; 7] =
    ["creates", "removes", "chdir", "executable", "stdin", "stdin_add_newline", "strip_empty_ends"];

/// One line of arguments taken apart; ranges are bytes of the line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// `key=value` words in order: key, value without its quotes, where the word stands.
    pub(super) pairs: Vec<(String, String, Range<usize>)>,
    /// What is not an argument.
    pub(super) text: String,
    /// From the first to the last word that is not an argument.
    pub(super) text_at: Option<Range<usize>>,
}

/// Takes a line of arguments apart.
///
/// # Errors
/// Where a quote or a template that is never closed begins.
pub(super) fn from_line(line: &str, free_form: bool) -> Result<Line, usize> {
    let mut parts = Line::default();
    let mut rest_from = 0;
    for word in words(line)? {
        let text = line.get(word.clone()).unwrap_or_default();
        let pair = pair(text).filter(|(key, _)| !free_form || BESIDE_FREE_FORM.contains(key));
        match pair {
            Some((key, value)) => {
                parts.text.push_str(line.get(rest_from..word.start).unwrap_or_default());
                rest_from = word.end;
                parts.pairs.push((key.to_owned(), unescaped(unquoted(value)), word));
            }
            None => {
                let from = parts.text_at.map_or(word.start, |known| known.start);
                parts.text_at = Some(from..word.end);
            }
        }
    }
    parts.text.push_str(line.get(rest_from..).unwrap_or_default());
    // Only the ends: blanks inside a free form text may lie between quotes.
    parts.text = parts.text.trim().to_owned();
    Ok(parts)
}

/// The words' ranges.
fn words(line: &str) -> Result<Vec<Range<usize>>, usize> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote: Option<(char, usize)> = None;
    let mut templates: Vec<usize> = Vec::new();
    let mut escaped = false;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        if escaped {
            escaped = false;
        } else if templates.is_empty() && c == '\\' {
            escaped = true;
        } else if c == '{' && matches!(next, Some('{' | '%' | '#')) {
            templates.push(at);
            chars.next();
        } else if !templates.is_empty() && matches!(c, '}' | '%' | '#') && next == Some('}') {
            templates.pop();
            chars.next();
        } else if templates.is_empty() && matches!(c, '"' | '\'') {
            match quote {
                Some((open, _)) if open == c => quote = None,
                Some(_) => {}
                None => quote = Some((c, at)),
            }
        }
        let blank = c.is_whitespace() && quote.is_none() && templates.is_empty();
        match start {
            Some(from) if blank => {
                words.push(from..at);
                start = None;
            }
            None if !blank => start = Some(at),
            _ => {}
        }
    }
    if let Some(open) = templates.first().copied().or(quote.map(|(_, at)| at)) {
        return Err(open);
    }
    if let Some(from) = start {
        words.push(from..line.len());
    }
    Ok(words)
}

/// Key and value of a word, if it has the form of an argument.
fn pair(word: &str) -> Option<(&str, &str)> {
    let (key, value) = word.split_once('=')?;
    let name = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    name.then_some((key, value))
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

/// The value with `\n`, `\t`, `\"` and their like resolved; other backslashes stay.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some(same @ ('\\' | '\'' | '"' | '=')) => text.push(same),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<(String, String)> {
        from_line(line, false).unwrap().pairs.into_iter().map(|(key, value, _)| (key, value)).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn parts_arguments_at_blanks_outside_quotes_and_templates() {
        assert_eq!(pairs("src=a dest=/b mode=0644"), owned(&[("src", "a"), ("dest", "/b"), ("mode", "0644")]));
        assert_eq!(pairs(r#"msg="a b" other='c "d"'"#), owned(&[("msg", "a b"), ("other", "c \"d\"")]));
        assert_eq!(pairs("msg={{ a | join(', ') }}x b=1"), owned(&[("msg", "{{ a | join(', ') }}x"), ("b", "1")]));
        assert_eq!(pairs(r#"msg="say \"hi\"\n""#), owned(&[("msg", "say \"hi\"\n")]));
        assert_eq!(pairs("that=a==b"), owned(&[("that", "a==b")]));
    }

    #[test]
    fn keeps_the_text_of_a_free_form_module_as_written() {
        let line = from_line("echo  'a  b' FOO=1 chdir=/tmp | tee creates=/x y", true).unwrap();
        assert_eq!(line.text, "echo  'a  b' FOO=1  | tee  y");
        assert_eq!(line.pairs.len(), 2);
        let plain = from_line("hello world", false).unwrap();
        assert_eq!((plain.text.as_str(), plain.text_at), ("hello world", Some(0..11)));
    }

    #[test]
    fn says_where_an_open_quote_begins() {
        assert_eq!(from_line("a=1 b='x", false), Err(6));
        assert_eq!(from_line("a={{ x", false), Err(2));
        assert_eq!(from_line("", false), Ok(Line::default()));
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_loses_no_text(line in ".{0,40}") {
            if let Ok(parts) = from_line(&line, true) {
                proptest::prop_assert!(parts.text.len() <= line.len());
            }
        }
    }
}
