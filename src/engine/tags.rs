//! Which tasks `--tags` and `--skip-tags` leave.

/// What was asked for on the command line.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    /// `--tags`; empty is the same as `all`.
    pub only: Vec<String>,
    /// `--skip-tags`.
    pub skip: Vec<String>,
}

impl Tags {
    /// Whether a task with these tags, its blocks' and its play's included, runs.
    ///
    /// The order of the questions is Ansible's (`playbook/taggable.py` of ansible-core 2.21.5, read 2026-11-23).
    #[must_use]
    pub fn select<S: AsRef<str>>(&self, tags: &[S]) -> bool {
        let has = |tag: &str| tags.iter().any(|own| own.as_ref() == tag);
        let asked = |list: &[String], tag: &str| list.iter().any(|one| one == tag);
        let meets = |list: &[String]| list.iter().any(|one| has(one) || (one == "untagged" && tags.is_empty()));
        let wanted = self.only.is_empty() && !has("never")
            || has("always")
            || (asked(&self.only, "all") && !has("never"))
            || meets(&self.only)
            || (asked(&self.only, "tagged") && !tags.is_empty() && !has("never"));
        let refused = if asked(&self.skip, "all") {
            !has("always") || asked(&self.skip, "always")
        } else {
            meets(&self.skip) || (asked(&self.skip, "tagged") && !tags.is_empty())
        };
        wanted && !refused
    }
}

#[cfg(test)]
mod tests {
    use super::Tags;

    fn selects(only: &[&str], skip: &[&str], tags: &[&str]) -> bool {
        let own = |list: &[&str]| list.iter().map(|tag| (*tag).to_owned()).collect();
        Tags { only: own(only), skip: own(skip) }.select(tags)
    }

    #[test]
    fn never_runs_only_when_named() {
        assert!(!selects(&[], &[], &["never", "n"]));
        assert!(!selects(&["all"], &[], &["never"]));
        assert!(!selects(&["tagged"], &[], &["never"]));
        assert!(selects(&["n"], &[], &["never", "n"]));
        assert!(selects(&["never"], &[], &["never", "n"]));
    }

    #[test]
    fn always_runs_unless_skipped_by_name() {
        assert!(selects(&["nope"], &[], &["always"]));
        assert!(selects(&[], &["all"], &["always"]));
        assert!(!selects(&[], &["always"], &["always"]));
    }

    #[test]
    fn untagged_and_tagged_divide_all_tasks() {
        assert!(selects(&["untagged"], &[], &[]));
        assert!(!selects(&["untagged"], &[], &["a"]));
        assert!(selects(&["tagged"], &[], &["a"]));
        assert!(!selects(&["tagged"], &[], &[]));
        assert!(!selects(&[], &["tagged"], &["a"]));
        assert!(!selects(&[], &["untagged"], &[]));
    }

    #[test]
    fn a_skipped_tag_wins_over_an_asked_one() {
        assert!(!selects(&["a"], &["b"], &["a", "b"]));
        assert!(selects(&["a"], &["b"], &["a"]));
    }
}
