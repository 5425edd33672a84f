//! Environment files as systemd reads them (systemd.exec(5), systemd v252 basic/env-file.c; seen in the lab 2026-11-27).

use std::ops::Range;

use crate::remote::shell::is_variable;

/// What a text says as far as it is understood, and the first thing in it that is not understood for sure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<T> {
    /// What it says; where that is not sure, the text as it stands.
    pub value: T,
    /// What is not sure.
    pub unclear: Option<String>,
}

impl<T> Reading<T> {
    /// What it says, if all of it is sure.
    ///
    /// # Errors
    /// What is not.
    pub fn certain(self) -> Result<T, String> {
        self.unclear.map_or(Ok(self.value), Err)
    }
}

/// A line of an environment file that sets a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where each byte of the value stands: one, or the two of a character behind a backslash.
    pub bytes: Vec<Range<usize>>,
    /// The bytes of the line, with those that it goes on in and the end of the last.
    pub line: Range<usize>,
    /// Those of the name.
    pub name_at: Range<usize>,
    /// Those of the value, quotes included.
    pub value_at: Range<usize>,
}

/// What an environment file sets. A line that sets nothing is passed over, and not sure.
#[must_use]
pub fn environment_of(text: &str) -> Reading<Vec<(String, String)>> {
    let Reading { value, unclear } = assignments_of(text);
    Reading { value: value.into_iter().map(|set| (set.name, set.value)).collect(), unclear }
}

/// The same, with where it stands.
#[must_use]
pub fn assignments_of(text: &str) -> Reading<Vec<Assignment>> {
    let (mut value, mut unclear, mut next) = (Vec::new(), None, 0);
    while let Some(physical) = text.get(next..).and_then(|rest| rest.split_inclusive('\n').next()) {
        let (start, line) = (next, physical.trim());
        next += physical.len();
        if line.is_empty() {
            continue;
        }
        if line.starts_with(['#', ';']) {
            if swallows(physical, text.get(next..).unwrap_or_default()) {
                unclear.get_or_insert_with(|| format!("`{line}` is a comment that may go on in the next line"));
            }
            continue;
        }
        let pair = physical.split_once('=').map(|(name, _)| (name.trim(), name.len() + 1));
        let Some((name, value_from)) = pair.filter(|(name, _)| is_variable(name)) else {
            unclear.get_or_insert_with(|| format!("`{line}` sets no variable"));
            continue;
        };
        let begins = start + physical.len() - physical.trim_start().len();
        let read = Value::read(text, start + value_from);
        if let Some(why) = read.unclear {
            unclear.get_or_insert_with(|| format!("{name}: {why}"));
        }
        next = read.end;
        value.push(Assignment {
            name: name.to_owned(),
            value: read.text,
            bytes: read.bytes,
            line: start..next,
            name_at: begins..begins + name.len(),
            value_at: read.written,
        });
    }
    Reading { value, unclear }
}

/// Whether a comment that ends with a backslash hides a setting: up to systemd 253 it goes on in the next line (seen with 252 in the lab
/// 2026-11-27), and from 254 on it does not (systemd NEWS).
fn swallows(comment: &str, rest: &str) -> bool {
    let goes_on = comment.trim_end_matches(['\n', '\r']).chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
    let next = rest.lines().next().unwrap_or_default().trim();
    goes_on && !next.is_empty() && !next.starts_with(['#', ';'])
}

/// The value of an assignment as it is read.
struct Value {
    text: String,
    bytes: Vec<Range<usize>>,
    /// Its bytes in the file, quotes included.
    written: Range<usize>,
    /// The first byte behind its last line.
    end: usize,
    unclear: Option<&'static str>,
}

impl Value {
    fn push(&mut self, c: char, at: Range<usize>) {
        self.text.push(c);
        self.bytes.resize(self.text.len(), at);
        // What releases of systemd make of other characters is not known.
        if c.is_control() && !matches!(c, '\t' | '\n') {
            self.unclear.get_or_insert("a control character");
        }
    }

    /// From the byte behind the `=`. Where it is not sure, it is what systemd 252 makes of it.
    fn read(text: &str, from: usize) -> Self {
        let mut value =
            Self { text: String::new(), bytes: Vec::new(), written: from..from, end: text.len(), unclear: None };
        let mut chars = text.get(from..).unwrap_or_default().char_indices().map(|(at, c)| (from + at, c)).peekable();
        let (mut quote, mut bare, mut begun) = (None, false, false);
        // Blanks at the end of a bare value do not count, so far as none of them stands before a backslash.
        let mut trimmed = 0;
        while let Some((at, c)) = chars.next() {
            let after = at + c.len_utf8();
            if quote.is_none() && c == '\n' {
                value.end = after;
                break;
            }
            let blank = matches!(c, ' ' | '\t' | '\r');
            if quote.is_none() && !bare && blank {
                continue;
            }
            if !begun {
                (begun, value.written) = (true, at..after);
            } else if quote.is_none() && !bare {
                value.unclear.get_or_insert("more behind the quoted value");
            }
            match c {
                '\\' if quote != Some('\'') => match (chars.next(), quote) {
                    // A line that goes on.
                    (Some((_, '\n')), _) => bare |= quote.is_none(),
                    (Some((next, c @ ('"' | '\\' | '$' | '`'))), Some(_)) => value.push(c, at..next + 1),
                    (Some((next, c)), of) => {
                        value.unclear.get_or_insert("a backslash before what needs none");
                        if of.is_some() {
                            value.push('\\', at..after);
                        }
                        bare |= of.is_none();
                        value.push(c, at..next + c.len_utf8());
                    }
                    (None, _) => {
                        value.unclear.get_or_insert("a backslash at the end of the file");
                    }
                },
                c if quote == Some(c) => quote = None,
                '"' | '\'' if quote.is_none() && !bare => quote = Some(c),
                c => {
                    bare |= quote.is_none();
                    if bare && matches!(c, '"' | '\'') {
                        value.unclear.get_or_insert("a quote other than around the whole value");
                    }
                    // The end of a line of DOS.
                    if !(bare && c == '\r' && chars.peek().is_none_or(|(_, next)| *next == '\n')) {
                        value.push(c, at..after);
                    }
                }
            }
            if !(bare && blank) {
                trimmed = value.text.len();
                value.written.end = chars.peek().map_or(text.len(), |(next, _)| *next);
            }
        }
        if quote.is_some() {
            value.unclear.get_or_insert("a quote that is not closed");
        }
        value.text.truncate(trimmed);
        value.bytes.truncate(trimmed);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        environment_of(text).value
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn environment_files_are_read_as_systemd_reads_them() {
        let text = "# comment\n; too\nETCD_NAME=\"etcd1\"\nETCD_DATA_DIR='/var/lib/etcd'\nETCD_X=a=b\n\nnothing\n";
        assert_eq!(
            pairs(text),
            [pair("ETCD_NAME", "etcd1"), pair("ETCD_DATA_DIR", "/var/lib/etcd"), pair("ETCD_X", "a=b")]
        );
        let text = "ETCD_DATA_DIR = '/var/lib/etcd'\nETCD_X=a=b # c\n\nEMPTY=\n";
        let expected = vec![pair("ETCD_DATA_DIR", "/var/lib/etcd"), pair("ETCD_X", "a=b # c"), pair("EMPTY", "")];
        assert_eq!(environment_of(text).certain(), Ok(expected));
    }

    #[test]
    fn it_is_known_where_an_assignment_stands() {
        let text = "# c\n\n ETCD_X = \"a b\" \nETCD_Y=";
        let found: Vec<_> = assignments_of(text).certain().unwrap();
        let parts = |at: &Range<usize>| &text[at.clone()];
        let parts: Vec<_> =
            found.iter().map(|set| (parts(&set.line), parts(&set.name_at), parts(&set.value_at))).collect();
        assert_eq!(parts, [(" ETCD_X = \"a b\" \n", "ETCD_X", "\"a b\""), ("ETCD_Y=", "ETCD_Y", "")]);
    }

    #[test]
    fn what_an_environment_file_may_mean_is_not_sure() {
        for bad in ["export A=1", "A", "A=\"b", "A=b\\", "A=\"b\" \"c\"", "A=b'c'", "A-B=1"] {
            assert!(environment_of(bad).certain().is_err(), "{bad}");
        }
    }

    #[test]
    fn quotes_in_quotes_and_lines_that_go_on_are_read_as_systemd_reads_them() {
        let text = "A=\"--debug --name 'a b' \\\n   --x\"\nB='--q=\"x y\"z --e= \"\"'\nC=--un \\\n  --cont  \nD=\"b\\\\s \\\"q q\\\" \\$x\"\nE=\"m\nn\"\n# c \\\n# d\nF=1\r\n";
        let expected = [
            pair("A", "--debug --name 'a b'    --x"),
            pair("B", "--q=\"x y\"z --e= \"\""),
            pair("C", "--un   --cont"),
            pair("D", "b\\s \"q q\" $x"),
            pair("E", "m\nn"),
            pair("F", "1"),
        ];
        assert_eq!(environment_of(text).certain().unwrap(), expected);
        for set in assignments_of(text).value {
            assert_eq!(set.bytes.len(), set.value.len());
            let last = set.bytes.last().unwrap();
            assert!(set.value_at.start <= set.bytes[0].start && last.end <= set.value_at.end, "{set:?}");
            for (byte, at) in set.value.bytes().zip(&set.bytes) {
                assert_eq!(text.as_bytes()[at.end - 1], byte, "{set:?}");
            }
        }
    }

    #[test]
    fn what_releases_of_systemd_read_otherwise_is_not_sure() {
        // What 252 makes of each was seen in the lab 2026-11-27.
        for (text, value) in [
            ("# c \\\nA=1\n", "1"),
            ("A=\"a\\nb\"\n", "a\\nb"),
            ("A=a\\ b\n", "a b"),
            ("A=\"one\" \"two\"\n", "onetwo"),
            ("A=b'c d'e\n", "b'c d'e"),
        ] {
            let read = environment_of(text);
            assert!(read.unclear.is_some(), "{text}");
            assert_eq!(read.value, [pair("A", value)], "{text}");
        }
    }
}
