//! Variables put into a command line as systemd puts them in (systemd.service(5), "Command lines"; systemd v252 basic/env-util.c,
//! `replace_env_argv`; seen in the lab 2026-11-27).

use std::collections::BTreeMap;
use std::ops::Range;

use super::environment::Reading;
use crate::remote::shell::is_variable;

/// A word of a command as its program gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The word.
    pub text: String,
    /// Which word of the command it is made of.
    pub word: usize,
    /// Which piece of the variable's value it is, where that word is `$NAME`.
    pub piece: Option<usize>,
}

/// A word that systemd makes of a variable's value where it is put in as `$NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The word, quotes undone.
    pub text: String,
    /// Its bytes in the value, quotes included.
    pub at: Range<usize>,
}

/// The words of a command with `$NAME` as a word and `${NAME}` anywhere put in.
#[must_use]
pub fn with_variables(command: &[String], environment: &BTreeMap<String, String>) -> Reading<Vec<String>> {
    let Reading { value, unclear } = expanded(command, environment);
    Reading { value: value.into_iter().map(|word| word.text).collect(), unclear }
}

/// The same, with what each word is made of.
#[must_use]
pub fn expanded(command: &[String], environment: &BTreeMap<String, String>) -> Reading<Vec<Expanded>> {
    let of = |name: &str| environment.get(name).map_or("", String::as_str);
    let (mut value, mut unclear) = (Vec::new(), None);
    for (word, written) in command.iter().enumerate() {
        if let Some(name) = split_variable(written) {
            let read = pieces(of(name));
            if let Some(why) = read.unclear {
                unclear.get_or_insert_with(|| format!("{name}, which is put in as {written}: {why}"));
            }
            let put_in = read.value.into_iter().enumerate();
            value.extend(put_in.map(|(piece, read)| Expanded { text: read.text, word, piece: Some(piece) }));
            continue;
        }
        let (mut whole, mut rest) = (String::new(), written.as_str());
        while let Some((before, after)) = rest.split_once('$') {
            whole.push_str(before);
            let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
            if let Some((name, behind)) = braced.filter(|(name, _)| is_variable(name)) {
                whole.push_str(of(name));
                rest = behind;
            } else {
                whole.push('$');
                rest = after.strip_prefix('$').unwrap_or_else(|| {
                    let what = || format!("`{written}` has a $ that is neither $NAME alone nor ${{NAME}} nor $$");
                    unclear.get_or_insert_with(what);
                    after
                });
            }
        }
        value.push(Expanded { text: whole + rest, word, piece: None });
    }
    Reading { value, unclear }
}

/// The variable that a word is which is put in as no, one or several words.
#[must_use]
pub fn split_variable(word: &str) -> Option<&str> {
    word.strip_prefix('$').filter(|name| is_variable(name))
}

/// The variable that a word is which is put in as just one word.
#[must_use]
pub fn whole_variable(word: &str) -> Option<&str> {
    word.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).filter(|name| is_variable(name))
}

/// The names of the variables in a word or a line, `$NAME` and `${NAME}`.
#[must_use]
pub fn variables_in(text: &str) -> Vec<String> {
    let parts = text.split('$').skip(1);
    let name = |part: &str| {
        let part = part.strip_prefix('{').unwrap_or(part);
        part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
    };
    parts.map(name).filter(|name| !name.is_empty()).collect()
}

/// The words that systemd makes of a value: parted at blanks and ends of lines; quotes, also amid a word, keep together, and a backslash
/// takes the character behind it as it is (systemd v252 basic/extract-word.c with `EXTRACT_RELAX | EXTRACT_UNQUOTE`).
#[must_use]
pub fn pieces(value: &str) -> Reading<Vec<Piece>> {
    let (mut all, mut unclear) = (Vec::new(), None);
    let (mut begun, mut quote) = (None::<Piece>, None);
    let mut chars = value.char_indices();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && matches!(c, ' ' | '\t' | '\n' | '\r') {
            all.extend(begun.take());
            continue;
        }
        let piece = begun.get_or_insert_with(|| Piece { text: String::new(), at: at..at });
        let mut end = at + c.len_utf8();
        match c {
            '\\' => match chars.next() {
                Some((next, c)) => {
                    if !matches!(c, '\\' | '"' | '\'' | ' ') {
                        unclear.get_or_insert_with(|| "a backslash before what needs none".to_owned());
                    }
                    piece.text.push(c);
                    end = next + c.len_utf8();
                }
                None => {
                    unclear.get_or_insert_with(|| "a backslash at its end".to_owned());
                }
            },
            c if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c => piece.text.push(c),
        }
        piece.at.end = end;
    }
    if quote.is_some() {
        unclear.get_or_insert_with(|| "a quote that is not closed".to_owned());
    }
    all.extend(begun);
    Reading { value: all, unclear }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn variables_are_put_in_as_systemd_puts_them_in() {
        let environment = BTreeMap::from([
            pair("NAME", "etcd1"),
            pair("OPTIONS", "-a  b"),
            pair("Q", "'x y'"),
            pair("B", "--q=\"x y\"z --e= \"\""),
        ]);
        let put = |word: &str| with_variables(&[word.to_owned()], &environment);
        for (word, words) in [
            ("$NAME", &["etcd1"][..]),
            ("$OPTIONS", &["-a", "b"]),
            ("$NONE", &[]),
            ("-name=${NAME}x${NONE}", &["-name=etcd1x"]),
            ("-a=${OPTIONS}z", &["-a=-a  bz"]),
            ("-a=${Q}", &["-a='x y'"]),
            ("$Q", &["x y"]),
            ("$B", &["--q=x yz", "--e=", ""]),
            ("${B}", &["--q=\"x y\"z --e= \"\""]),
            ("$$A", &["$A"]),
            ("a$$A", &["a$A"]),
            ("${NONE}", &[""]),
        ] {
            assert_eq!(put(word).certain().unwrap(), words, "{word}");
        }
        assert_eq!(put("cost$").value, ["cost$"]);
        for bad in ["a$A", "${A:-b}", "${A", "cost$", "$A-x", "$1"] {
            assert!(put(bad).certain().is_err(), "{bad}");
        }
    }

    #[test]
    fn it_is_known_what_each_word_is_made_of() {
        let environment = BTreeMap::from([pair("A", "--x 'y z'"), pair("B", "--b")]);
        let command = ["/bin/etcd", "$NONE", "$A", "${B}", "--last"].map(str::to_owned);
        let made: Vec<_> = expanded(&command, &environment).certain().unwrap();
        let made: Vec<_> = made.iter().map(|word| (word.text.as_str(), word.word, word.piece)).collect();
        let expected =
            [("/bin/etcd", 0, None), ("--x", 2, Some(0)), ("y z", 2, Some(1)), ("--b", 3, None), ("--last", 4, None)];
        assert_eq!(made, expected);
        assert_eq!(variables_in("/bin/sh -c 'x ${A} $B' $$C"), ["A", "B", "C"]);
        assert_eq!((split_variable("$A"), split_variable("${A}")), (Some("A"), None));
        assert_eq!((whole_variable("${A}"), whole_variable("x${A}"), whole_variable("$A")), (Some("A"), None, None));
    }

    #[test]
    fn a_value_is_parted_as_systemd_parts_it_and_what_is_not_sure_is_said() {
        let value = " --a  'b c'd\t\"e \\\" f\"\n\\ g ";
        let read = pieces(value).certain().unwrap();
        let read: Vec<_> = read.iter().map(|piece| (piece.text.as_str(), &value[piece.at.clone()])).collect();
        assert_eq!(read, [("--a", "--a"), ("b cd", "'b c'd"), ("e \" f", "\"e \\\" f\""), (" g", "\\ g")]);
        // What 252 makes of each was seen in the lab 2026-11-27.
        for (value, words) in [("unbal 'x y", &["unbal", "x y"][..]), ("c\\nd", &["cnd"]), ("end\\", &["end"])] {
            let read = pieces(value);
            assert!(read.unclear.is_some(), "{value}");
            assert_eq!(read.value.into_iter().map(|piece| piece.text).collect::<Vec<_>>(), words);
        }
    }
}
