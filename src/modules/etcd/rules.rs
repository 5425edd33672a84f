//! The rules about etcd's releases that a run goes by: quorate's own, and over them those of the operator's file.

use std::path::Path;

use crate::etcd::{Rules, RulesFault};
use crate::events::Fault;
use crate::inventory::{Node, Problem};
use crate::modules::table::{Argument, Shape};
use crate::modules::{Call, Failure};

use super::release::local;

/// The argument.
pub(super) const RULES: Argument = Argument::new(
    "rules",
    Shape::Path,
    "a file of rules about etcd's releases, laid over quorate's own by their dates",
);

/// The rules of this call.
///
/// # Errors
/// When the file cannot be read or holds no rules.
pub(super) fn rules(call: &Call<'_>) -> Result<Rules, Failure> {
    let Some(text) = call.text("rules") else { return Ok(Rules::built_in().clone()) };
    read(&local(call.playbook_dir, text)).map_err(|what| Failure::new(Fault::Input, what))
}

fn read(path: &Path) -> Result<Rules, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let own = Rules::from_text(&text).map_err(|RulesFault { at, message }| {
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("{}:{line}:{column}: {message}", path.display())
    })?;
    Ok(Rules::built_in().clone().overlaid(own))
}

/// What is wrong with the file, found before any host is contacted.
pub(super) fn on_paper(args: &Node, dir: &Path) -> Option<Problem> {
    let node = args.get("rules")?;
    let text = node.as_str().filter(|text| !text.contains("{{"))?;
    read(&local(dir, text)).err().map(|what| Problem::new(&node.place, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_in_the_file_is_shown_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        std::fs::write(&path, "[[floor]]\nminor = \"3.5\"\nleast = 3\n").unwrap();
        let what = read(&path).unwrap_err();
        assert!(what.contains("rules.toml:3:"), "{what}");
        std::fs::write(&path, "[[avoid]]\nversions='=3.5.35'\nwhy='x'\nsource='y'\ndate='2027-01-01'\n").unwrap();
        assert!(read(&path).unwrap().avoided(&"3.5.35".parse().unwrap()).is_some());
    }
}
