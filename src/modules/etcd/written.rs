//! Versions as a playbook or an inventory has them, before any host is contacted: some of them YAML takes for numbers.

use std::sync::Arc;

use semver::Version;

use super::facts::parsed;
use crate::inventory::{Node, NodeValue, Problem};
use crate::modules::arguments::is_template;

/// The version under that name, or what is wrong with it; nothing where none is given, or where that is not known yet.
pub(super) fn version(args: &Node, name: &str) -> Option<Result<Version, Problem>> {
    let node = args.get(name)?;
    if let Some(problem) = number(args, name) {
        return Some(Err(problem));
    }
    let text = node.as_str().filter(|text| !is_template(text))?;
    let wrong = || {
        let what = format!("{name}: expected a full version such as 2.1.1, found `{text}`");
        Problem::new(&node.place, what).help("give all three parts of it")
    };
    Some(parsed(text).ok_or_else(wrong))
}

/// What is wrong where a number stands for a version.
pub(super) fn number(args: &Node, name: &str) -> Option<Problem> {
    let entry = args.as_mapping()?.iter().find(|entry| entry.key == name)?;
    let (text, number) = match &entry.value.value {
        NodeValue::Int(number, text) => (text, number.to_string()),
        NodeValue::Float(number, text) => (text, number.to_string()),
        _ => return None,
    };
    let what =
        format!("{name}: expected a version such as 2.1.1, found `{text}`, which YAML takes for the number {number}");
    let problem = Problem::new(&entry.value.place, what)
        .help("a version belongs in quotes, with all of its parts: to YAML 3.10 and 3.1 are the same number");
    let here = Arc::ptr_eq(&entry.value.place.source, &entry.key_place.source);
    Some(if here { problem } else { problem.related(&entry.key_place, "used here") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Source, from_yaml};

    fn read(text: &str) -> Option<Result<String, String>> {
        let args = from_yaml(&Source::new("pb.yml", text)).unwrap();
        version(&args, "version").map(|told| told.map(|v| v.to_string()).map_err(|problem| problem.message))
    }

    #[test]
    fn a_version_that_yaml_takes_for_a_number_is_told_as_it_was_written() {
        let said = read("version: 3.10").unwrap().unwrap_err();
        assert!(said.contains("found `3.10`, which YAML takes for the number 3.1"), "{said}");
        let said = read("version: 3").unwrap().unwrap_err();
        assert!(said.contains("found `3`, which YAML takes for the number 3"), "{said}");
    }

    #[test]
    fn a_version_has_three_parts() {
        assert_eq!(read("version: 3.10.1"), Some(Ok("3.10.1".to_owned())));
        assert_eq!(read("version: 'v3.10.1'"), Some(Ok("3.10.1".to_owned())));
        assert!(read("version: '3.10'").unwrap().unwrap_err().contains("found `3.10`"));
        assert_eq!((read("version: '{{ v }}'"), read("other: 3.10")), (None, None));
    }
}
