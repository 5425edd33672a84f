//! The words of an INI host line, as Python's `shlex.split(line, comments=True)` cuts them, with their places.

/// One word and the bytes of the line that it was written with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The word without its quotes and backslashes.
    pub text: String,
    /// First byte in the line.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// Why a line can't be cut, and at which byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Uncut {
    /// The byte where the trouble begins.
    pub at: usize,
    /// What it is.
    pub message: &'static str,
}

/// Cuts a line into words.
///
/// `#` begins a comment anywhere outside quotes, in the middle of a word too; a backslash takes the next character as it is,
/// except within single quotes, and within double quotes only before `"` and `\`.
pub(crate) fn words(line: &str) -> Result<Vec<Word>, Uncut> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '#' => break,
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            _ => {
                let word = word.get_or_insert_with(|| Word { text: String::new(), start: at, end: at });
                match c {
                    '\'' => single(&mut chars, at, &mut word.text)?,
                    '"' => double(&mut chars, at, &mut word.text)?,
                    '\\' => word.text.push(escaped(&mut chars, at)?),
                    c => word.text.push(c),
                }
                word.end = chars.offset();
            }
        }
    }
    words.extend(word);
    Ok(words)
}

type Chars<'l> = std::str::CharIndices<'l>;

fn single(chars: &mut Chars<'_>, open: usize, text: &mut String) -> Result<(), Uncut> {
    for (_, c) in chars {
        if c == '\'' {
            return Ok(());
        }
        text.push(c);
    }
    Err(Uncut { at: open, message: "no closing quote" })
}

fn double(chars: &mut Chars<'_>, open: usize, text: &mut String) -> Result<(), Uncut> {
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok(()),
            '\\' => {
                let next = escaped(chars, at)?;
                if !matches!(next, '"' | '\\') {
                    text.push('\\');
                }
                text.push(next);
            }
            c => text.push(c),
        }
    }
    Err(Uncut { at: open, message: "no closing quote" })
}

fn escaped(chars: &mut Chars<'_>, at: usize) -> Result<char, Uncut> {
    chars.next().map(|(_, c)| c).ok_or(Uncut { at, message: "nothing after the backslash" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        words(line).unwrap().into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn cuts_as_python_does() {
        assert_eq!(texts("h a=\"x\\ty\" b=x\\ty c=\"it's\" d=a\\ b"), ["h", "a=x\\ty", "b=xty", "c=it's", "d=a b"]);
        assert_eq!(texts("h a=1#b c=2"), ["h", "a=1"]);
        assert_eq!(texts("h a=\"1#b\" ; c"), ["h", "a=1#b", ";", "c"]);
        assert_eq!(texts("h '' \"\""), ["h", "", ""]);
        assert_eq!(texts("# all comment"), Vec::<String>::new());
    }

    #[test]
    fn says_where_a_quote_was_opened() {
        assert_eq!(words("h a='b"), Err(Uncut { at: 4, message: "no closing quote" }));
        assert_eq!(words("h a\\"), Err(Uncut { at: 3, message: "nothing after the backslash" }));
    }

    #[test]
    fn keeps_the_place_of_each_word() {
        let words = words("ü  a='b c'  # x").unwrap();
        assert_eq!((words[1].start, words[1].end), (4, 11));
    }
}
