//! Rust source as far as the walls need it: without comments, without the contents of literals, without its tests.

/// The code with comments and the contents of string and character literals blanked; newlines stay.
pub(crate) fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match token_end(&chars, at) {
            Some(end) => end,
            None => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
        };
        out.push(' ');
        out.extend(chars[at..end].iter().filter(|c| **c == '\n'));
        at = end;
    }
    out
}

/// Where the comment or literal that begins at `at` ends, if one does.
fn token_end(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1).copied();
    let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next == Some('/') => Some(until(chars, at, |rest| rest.starts_with(&['\n']))),
        '/' if next == Some('*') => Some(until(chars, at + 2, |rest| rest.starts_with(&['*', '/'])) + 2),
        '"' => Some(string_end(chars, at)),
        'r' if !after_word => raw_string_end(chars, at),
        '\'' if next == Some('\\') => Some(until(chars, at + 3, |rest| rest[0] == '\'') + 1),
        // 'x' is a character; 'x without a closing quote is a lifetime.
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
    .map(|end| end.min(chars.len()))
}

fn until(chars: &[char], from: usize, stops: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|at| stops(&chars[*at..])).unwrap_or(chars.len())
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut at = at + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return None;
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', hashes));
    Some(until(chars, at + 2 + hashes, |rest| rest.starts_with(&close)) + close.len())
}

/// The code without items marked `#[cfg(test)]`: tests may stand on any floor.
pub(crate) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (before, item) = rest.split_at(at);
        out.push_str(before);
        rest = &item[item_end(item)..];
    }
    out + rest
}

/// The end of the item: its `;`, or the brace that closes its body.
fn item_end(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}

/// The first names of all paths that start at the crate's root, with their line: `crate::a`, `crate::{a::b, c}`, and
/// `super::super::a` where the file is only `depth` modules below the root.
pub(crate) fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let root = "super::".repeat(depth);
    for prefix in ["crate::", root.as_str()] {
        for (at, _) in code.match_indices(prefix) {
            let part_of_a_name =
                code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == ':');
            if part_of_a_name {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let rest = &code[at + prefix.len()..];
            let names = if rest.starts_with('{') { group(rest) } else { vec![word(rest)] };
            found.extend(names.into_iter().filter(|name| !name.is_empty()).map(|name| (line, name)));
        }
    }
    found
}

/// The first name of each member of `{a::b, c::{d, e}}`.
fn group(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' | ',' if depth <= 1 && (c == '{') == (depth == 0) => {
                depth = 1;
                names.push(word(text[at + 1..].trim_start()));
            }
            '{' => depth += 1,
            '}' if depth <= 1 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The lines on which `word` stands as a whole word.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: &usize| {
        let before = code[..*at].chars().next_back().is_some_and(is_name);
        let after = code[at + word.len()..].chars().next().is_some_and(is_name);
        !before && !after
    };
    let starts = code.match_indices(word).map(|(at, _)| at).filter(whole);
    starts.map(|at| code[..at].matches('\n').count() + 1).collect()
}

#[test]
fn comments_and_literals_are_no_code() {
    let code = code_of("a // crate::x\nb /* crate::y\n */ \"crate::z \\\" w\" r#\"crate::\"v\"# 'c' '\\'' <'life> d");
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "b", "<'life>", "d"]);
    assert_eq!(code.matches('\n').count(), 2);
}

#[test]
fn tests_are_cut_out_whole() {
    let code = without_tests("a\n#[cfg(test)]\nmod tests {\n fn f() { g() }\n}\nb\n#[cfg(test)]\nmod tests;\nc");
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "b", "c"]);
}

#[test]
fn every_form_of_import_is_seen() {
    let names = |code: &str, depth| imports(code, depth).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(names("use crate::engine::Run;\nlet x = crate::report::f();", 1), ["engine", "report"]);
    assert_eq!(names("use crate::{cli::{a, b},\n engine, report::c};", 1), ["cli", "engine", "report"]);
    assert_eq!(names("use super::engine::Run;", 1), ["engine"]);
    assert_eq!(names("use super::super::engine::Run;", 2), ["engine"]);
    assert_eq!(names("use super::sibling; use my_crate::x; $crate::y", 2), Vec::<String>::new());
    assert_eq!(imports("\n\nuse crate::cli;", 1)[0].0, 3);
}

#[test]
fn words_are_whole_words() {
    assert_eq!(lines_with("tokio\nmy_tokio tokio_rustls\nuse tokio::fs", "tokio"), [1, 3]);
}
