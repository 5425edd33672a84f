//! `fnmatch` patterns as Python matches them: `*`, `?`, `[seq]` and `[!seq]`, case counts.

/// One step of a pattern.
enum Step {
    Many,
    Any,
    One(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Whether the whole of `name` matches `pattern`; time grows with the product of their lengths at worst.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let steps = steps(pattern);
    let name: Vec<char> = name.chars().collect();
    let (mut step, mut at) = (0, 0);
    // Where to go on when the text after the last `*` does not fit: that `*` takes one character more.
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        let c = name.get(at).copied().unwrap_or_default();
        match steps.get(step) {
            Some(Step::Many) => {
                retry = Some((step, at));
                step += 1;
                continue;
            }
            Some(other) if other.takes(c) => {
                step += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        match retry {
            Some((star, taken)) => {
                retry = Some((star, taken + 1));
                step = star + 1;
                at = taken + 1;
            }
            None => return false,
        }
    }
    steps.iter().skip(step).all(|step| matches!(step, Step::Many))
}

impl Step {
    fn takes(&self, c: char) -> bool {
        match self {
            Step::Many => false,
            Step::Any => true,
            Step::One(wanted) => *wanted == c,
            Step::Class { negated, ranges } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated,
        }
    }
}

fn steps(pattern: &str) -> Vec<Step> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        at += 1;
        steps.push(match c {
            '*' => Step::Many,
            '?' => Step::Any,
            '[' => match class(chars.get(at..).unwrap_or_default()) {
                Some((class, length)) => {
                    at += length;
                    class
                }
                None => Step::One('['),
            },
            c => Step::One(*c),
        });
    }
    steps
}

/// The class after a `[`, and how many characters it takes with its `]`; a `]` right at the start belongs to the class.
fn class(rest: &[char]) -> Option<(Step, usize)> {
    let negated = rest.first() == Some(&'!');
    let start = usize::from(negated);
    let end = start + 1 + rest.iter().skip(start + 1).position(|c| *c == ']')?;
    let inside = rest.get(start..end)?;
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(from) = inside.get(at) {
        match (inside.get(at + 1), inside.get(at + 2)) {
            (Some('-'), Some(to)) => {
                ranges.push((*from, *to));
                at += 3;
            }
            _ => {
                ranges.push((*from, *from));
                at += 1;
            }
        }
    }
    Some((Step::Class { negated, ranges }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_fnmatch_does() {
        for (pattern, name, expected) in [
            ("web*", "web1", true),
            ("web*", "xweb1", false),
            ("*.example.com", "n1.example.com", true),
            ("w?b", "web", true),
            ("web[:2]", "web2", true),
            ("web[-2:]", "web2", true),
            ("web[0-2]", "web1", true),
            ("web[0-2]", "web3", false),
            ("web[!1]", "web2", true),
            ("web[!1]", "web1", false),
            ("a[]]", "a]", true),
            ("a[", "a[", true),
            ("WEB", "web", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("", "", true),
            ("*", "", true),
            ("[z-a]", "m", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_full_of_stars_ends_soon() {
        assert!(!matches(&"*a".repeat(1000), &"a".repeat(999)));
    }
}
