//! Environment files and the variables of a command line, as systemd reads and puts them in (systemd.exec(5), systemd.service(5)).

use std::collections::BTreeMap;
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
    /// The bytes of the line, with its end.
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
    for physical in text.split_inclusive('\n') {
        let start = next;
        next += physical.len();
        let line = physical.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let pair = line.split_once('=').map(|(name, value)| (name.trim_end(), value.trim_start()));
        let Some((name, set)) = pair.filter(|(name, _)| is_variable(name)) else {
            unclear.get_or_insert_with(|| format!("`{line}` sets no variable"));
            continue;
        };
        let within = |quote: char| set.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        let plain = within('"').or_else(|| within('\'')).unwrap_or(set);
        if plain.contains(['"', '\'', '\\']) || plain.chars().any(|c| c.is_control() && c != '\t') {
            unclear.get_or_insert_with(|| format!("{name}: a backslash, or a quote other than around the whole value"));
        }
        let begins = start + physical.len() - physical.trim_start().len();
        let ends = begins + line.len();
        value.push(Assignment {
            name: name.to_owned(),
            value: plain.to_owned(),
            line: start..next,
            name_at: begins..begins + name.len(),
            value_at: ends - set.len()..ends,
        });
    }
    Reading { value, unclear }
}

/// The words of a command with `$NAME` as a word and `${NAME}` anywhere put in.
#[must_use]
pub fn with_variables(command: &[String], environment: &BTreeMap<String, String>) -> Reading<Vec<String>> {
    let of = |name: &str| environment.get(name).map_or("", String::as_str);
    let (mut value, mut unclear) = (Vec::new(), None);
    for word in command {
        if let Some(name) = word.strip_prefix('$').filter(|name| is_variable(name)) {
            if of(name).contains(['"', '\'', '\\']) {
                unclear.get_or_insert_with(|| format!("{name} holds a quote or a backslash and is put in as {word}"));
            }
            // The value is parted at blanks, so it may be none or several words.
            value.extend(of(name).split_whitespace().map(str::to_owned));
            continue;
        }
        let (mut whole, mut rest) = (String::new(), word.as_str());
        while let Some((before, after)) = rest.split_once('$') {
            whole.push_str(before);
            let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
            if let Some((name, behind)) = braced.filter(|(name, _)| is_variable(name)) {
                whole.push_str(of(name));
                rest = behind;
            } else {
                unclear.get_or_insert_with(|| format!("`{word}` has a $ that is neither $NAME alone nor ${{NAME}}"));
                whole.push('$');
                rest = after;
            }
        }
        value.push(whole + rest);
    }
    Reading { value, unclear }
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
    fn variables_are_put_in_as_systemd_puts_them_in() {
        let environment = BTreeMap::from([pair("NAME", "etcd1"), pair("OPTIONS", "-a  b"), pair("Q", "'x y'")]);
        let put = |word: &str| with_variables(&[word.to_owned()], &environment);
        for (word, words) in [
            ("$NAME", &["etcd1"][..]),
            ("$OPTIONS", &["-a", "b"]),
            ("$NONE", &[]),
            ("-name=${NAME}x${NONE}", &["-name=etcd1x"]),
            ("-a=${OPTIONS}z", &["-a=-a  bz"]),
            ("-a=${Q}", &["-a='x y'"]),
        ] {
            assert_eq!(put(word).certain().unwrap(), words, "{word}");
        }
        assert_eq!(put("cost$").value, ["cost$"]);
        for bad in ["$Q", "$$A", "a$A", "${A:-b}", "${A", "cost$"] {
            assert!(put(bad).certain().is_err(), "{bad}");
        }
    }
}
