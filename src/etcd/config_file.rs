//! What a configuration file of etcd says, and where a release wants it written otherwise. The file takes the place of all flags and
//! variables (etcd v3.0.17 etcdmain/config.go to v3.7.3 server/etcdmain/config.go, read 2026-11-27).

use semver::Version;

use super::command_line::is_true;

/// How a value is written in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As text, or as a bool.
    #[default]
    Text,
    /// As a number without quotes.
    Number,
    /// As a list.
    List,
}

/// An option that a configuration file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The option's name as a flag.
    pub name: String,
    /// Its value; those of a list with commas between.
    pub value: String,
    /// How it is written.
    pub shape: Shape,
}

/// What a release wants written otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reshape {
    /// That option's number in quotes.
    Quoted(&'static str),
    /// That option as a list of one, by that name.
    Listed(&'static str, &'static str),
    /// That option with that value, which the file does not say.
    Added(&'static str, &'static str),
}

impl Reshape {
    /// The option that it is about.
    #[must_use]
    pub fn subject(&self) -> &'static str {
        match self {
            Self::Quoted(name) | Self::Listed(name, _) | Self::Added(name, _) => name,
        }
    }

    /// Why, in words.
    #[must_use]
    pub fn why(&self) -> &'static str {
        match self {
            Self::Quoted(_) => {
                "it is a number there, where 3.3 and later want text and end at a number; put it in quotes"
            }
            Self::Listed(..) => {
                "it is text there, where 3.4 wants a list and ends at text; say it as the list `log-outputs`"
            }
            Self::Added(..) => {
                "it is not said there, and so 3.4 has no gateway, by which quorate asks members; say it, with `true`"
            }
        }
    }
}

/// The option that switches the gateway.
pub(super) const GATEWAY: &str = "enable-grpc-gateway";

/// What a version wants written otherwise. All three were seen in the lab 2026-11-27: 3.3.27, 3.4.13 and 3.5.35 end at
/// `auto-compaction-retention: 1`; 3.4.13 ends at `log-output: stderr`, which 3.3 wants so; 3.4.13 and 3.4.23 answer 404 on the gateway
/// unless the file switches it on, and 3.5.35 has it.
#[must_use]
pub fn reshapes(keys: &[Key], target: &Version) -> Vec<Reshape> {
    let minor = (target.major, target.minor);
    let shape = |name: &str| keys.iter().find(|key| key.name == name).map(|key| key.shape);
    let mut all = Vec::new();
    if minor >= (3, 3) && shape("auto-compaction-retention") == Some(Shape::Number) {
        all.push(Reshape::Quoted("auto-compaction-retention"));
    }
    if minor >= (3, 4) && shape("log-output").is_some_and(|shape| shape != Shape::List) {
        all.push(Reshape::Listed("log-output", "log-outputs"));
    }
    if minor == (3, 4) && shape(GATEWAY).is_none() {
        all.push(Reshape::Added(GATEWAY, "true"));
    }
    all
}

/// Whether a version that was told this of its gateway has none; `None` is nothing said, `in_file` whether a configuration file is read.
pub(super) fn lacks_gateway(said: Option<&str>, in_file: bool, version: &Version) -> bool {
    let minor = (version.major, version.minor);
    match said {
        Some(value) => minor >= (3, 4) && !is_true(value),
        None => minor == (3, 4) && in_file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_otherwise_from_the_release_on_that_wants_it() {
        let key = |name: &str, shape| Key { name: name.to_owned(), value: "1".to_owned(), shape };
        let of = |version: &str, keys: &[Key]| reshapes(keys, &version.parse().unwrap());
        let keys = [key("auto-compaction-retention", Shape::Number), key("log-output", Shape::Text)];
        assert_eq!(of("3.2.32", &keys), []);
        let quoted = Reshape::Quoted("auto-compaction-retention");
        assert_eq!(of("3.3.27", &keys), std::slice::from_ref(&quoted));
        let (listed, added) = (Reshape::Listed("log-output", "log-outputs"), Reshape::Added(GATEWAY, "true"));
        assert_eq!(of("3.4.13", &keys), [quoted.clone(), listed.clone(), added]);
        assert_eq!(of("3.5.35", &keys), [quoted, listed]);
        let sound =
            [key("auto-compaction-retention", Shape::Text), key("log-output", Shape::List), key(GATEWAY, Shape::Text)];
        assert_eq!(of("3.4.13", &sound), []);
    }

    #[test]
    fn a_gateway_may_be_off_by_word_or_by_3_4_and_a_file() {
        let lacks = |said, in_file, version: &str| lacks_gateway(said, in_file, &version.parse().unwrap());
        assert!(lacks(Some("false"), false, "3.5.35") && !lacks(Some("false"), true, "3.3.27"));
        assert!(lacks(None, true, "3.4.13") && !lacks(None, false, "3.4.13") && !lacks(None, true, "3.5.35"));
        assert!(!lacks(Some("true"), true, "3.4.13"));
    }
}
