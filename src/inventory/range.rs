//! Ranges in host names: `db[01:10:3]` is db01, db04, db07, db10.

/// Hosts that one inventory may hold. The aim is 10 000; ten times as many is a slip in a range or an attack on memory (one
/// host takes about 1 KiB here).
pub(crate) const MOST_HOSTS: usize = 100_000;

/// What is wrong with a range.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RangeError {
    /// A bracket without its partner, or in the wrong order.
    #[error("a range needs `[` and `]`")]
    Brackets,
    /// Not two or three parts.
    #[error("a range is `[begin:end]` or `[begin:end:step]`")]
    Parts,
    /// `[1:]`
    #[error("a range needs an end")]
    NoEnd,
    /// `[01:3]`
    #[error("`{0}` begins with zero, so `{1}` must have as many digits")]
    Widths(String, String),
    /// `[c:a]`
    #[error("a range of letters must go up: `{0}` comes after `{1}`")]
    Backwards(String, String),
    /// `[x:9]`
    #[error("`{0}` is neither one letter nor a number")]
    Bound(String),
    /// `[1:3:0]`
    #[error("the step `{0}` must be a whole number above 0")]
    Step(String),
    /// More than [`MOST_HOSTS`].
    #[error("this names more than {MOST_HOSTS} hosts")]
    TooMany,
}

/// The hosts that a name with ranges stands for, in order; several ranges expand from the left. A backward range of numbers
/// (`[3:1]`) stands for none, as in Ansible.
pub(crate) fn expand(name: &str) -> Result<Vec<String>, RangeError> {
    let mut names = vec![String::new()];
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        let (range, tail) = after.split_once(']').ok_or(RangeError::Brackets)?;
        if before.contains(']') {
            return Err(RangeError::Brackets);
        }
        let parts = Range::from_text(range)?;
        if parts.len().saturating_mul(names.len() as u64) > MOST_HOSTS as u64 {
            return Err(RangeError::TooMany);
        }
        names =
            names.iter().flat_map(|head| parts.values().map(move |value| format!("{head}{before}{value}"))).collect();
        rest = tail;
    }
    if rest.contains(']') {
        return Err(RangeError::Brackets);
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// Positions from `begin` to `end` inclusive, in letters or in numbers of at least `width` digits.
struct Range {
    begin: u64,
    end: u64,
    step: u64,
    width: usize,
    letters: bool,
}

impl Range {
    fn from_text(text: &str) -> Result<Self, RangeError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (begin, end, step) = match parts.as_slice() {
            [begin, end] => (*begin, *end, "1"),
            [begin, end, step] => (*begin, *end, *step),
            _ => return Err(RangeError::Parts),
        };
        let begin = if begin.is_empty() { "0" } else { begin };
        if end.is_empty() {
            return Err(RangeError::NoEnd);
        }
        let padded = begin.len() > 1 && begin.starts_with('0');
        if padded && begin.len() != end.len() {
            return Err(RangeError::Widths(begin.to_owned(), end.to_owned()));
        }
        let step = number(step).filter(|step| *step > 0).ok_or_else(|| RangeError::Step(step.to_owned()))?;
        let width = if padded { begin.len() } else { 0 };
        if let (Some(from), Some(to)) = (letter(begin), letter(end)) {
            if from > to {
                return Err(RangeError::Backwards(begin.to_owned(), end.to_owned()));
            }
            return Ok(Self { begin: from, end: to, step, width, letters: true });
        }
        let bound = |text: &str| number(text).ok_or_else(|| RangeError::Bound(text.to_owned()));
        Ok(Self { begin: bound(begin)?, end: bound(end)?, step, width, letters: false })
    }

    fn len(&self) -> u64 {
        self.end.checked_sub(self.begin).map_or(0, |distance| (distance / self.step).saturating_add(1))
    }

    fn values(&self) -> impl Iterator<Item = String> {
        (0..self.len()).map(|i| {
            let value = self.begin.saturating_add(i.saturating_mul(self.step));
            if self.letters { letter_at(value) } else { format!("{value:0width$}", width = self.width) }
        })
    }
}

fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The position in `a…zA…Z`, which is Ansible's alphabet: `[a:Z]` is all 52.
fn letter(text: &str) -> Option<u64> {
    let mut chars = text.chars();
    match (chars.next()?, chars.next()) {
        (c @ 'a'..='z', None) => Some(u64::from(c) - u64::from('a')),
        (c @ 'A'..='Z', None) => Some(26 + u64::from(c) - u64::from('A')),
        _ => None,
    }
}

fn letter_at(position: u64) -> String {
    let code = if position < 26 { u64::from('a') + position } else { u64::from('A') + position - 26 };
    u32::try_from(code).ok().and_then(char::from_u32).map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_as_ansible_does() {
        for (name, hosts) in [
            ("a[1:3]", vec!["a1", "a2", "a3"]),
            ("b[08:11]x", vec!["b08x", "b09x", "b10x", "b11x"]),
            ("[:2]", vec!["0", "1", "2"]),
            ("f[1:2][a:b]", vec!["f1a", "f1b", "f2a", "f2b"]),
            ("h[1:10:4]", vec!["h1", "h5", "h9"]),
            ("h[3:1]", vec![]),
            ("h[1:03]", vec!["h1", "h2", "h3"]),
            ("p", vec!["p"]),
        ] {
            assert_eq!(expand(name).unwrap(), hosts, "{name}");
        }
        assert_eq!(expand("y[a:Z]").unwrap().len(), 52);
    }

    #[test]
    fn names_what_is_wrong() {
        for (name, error) in [
            ("x[1:3", RangeError::Brackets),
            ("x]1[", RangeError::Brackets),
            ("x[1]", RangeError::Parts),
            ("x[1-3]", RangeError::Parts),
            ("x[1:]", RangeError::NoEnd),
            ("x[01:3]", RangeError::Widths("01".into(), "3".into())),
            ("x[c:a]", RangeError::Backwards("c".into(), "a".into())),
            ("x[a:9]", RangeError::Bound("a".into())),
            ("x[1:3:0]", RangeError::Step("0".into())),
            ("x[1:3:-1]", RangeError::Step("-1".into())),
            ("x[1:999999999]", RangeError::TooMany),
            ("x[0:999][0:999]", RangeError::TooMany),
            ("x[0:18446744073709551615]", RangeError::TooMany),
        ] {
            assert_eq!(expand(name), Err(error), "{name}");
        }
    }
}
