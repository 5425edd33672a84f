//! The keywords of plays, blocks and tasks: where each may stand, and which are refused, and why.
//!
//! Source: ansible-core 2.21 `playbook/play.py`, `block.py`, `task.py`, `base.py` and `keyword_desc.yml`.

use crate::inventory::nearest;

/// What a keyword can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Play,
    Block,
    Task,
    Handler,
}

impl Home {
    /// As messages call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Play => "play",
            Self::Block => "block",
            Self::Task => "task",
            Self::Handler => "handler",
        }
    }
}

/// What happens with a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is read.
    Read,
    /// It is an error; the text says what to do instead.
    Refused(&'static str),
    /// It has no effect; the text says why that is all right.
    Ignored(&'static str),
}

/// One row of the table.
pub(super) struct Keyword {
    pub(super) name: &'static str,
    homes: &'static [Home],
    pub(super) verdict: Verdict,
}

const PLAY: &[Home] = &[Home::Play];
const TASK: &[Home] = &[Home::Task, Home::Handler];
const HANDLER: &[Home] = &[Home::Handler];
const BLOCK: &[Home] = &[Home::Block];
const ALL: &[Home] = &[Home::Play, Home::Block, Home::Task, Home::Handler];
/// Everything that is inherited but can't be said of a whole play.
const INNER: &[Home] = &[Home::Block, Home::Task, Home::Handler];

const fn read(name: &'static str, homes: &'static [Home]) -> Keyword {
    Keyword { name, homes, verdict: Verdict::Read }
}

const fn refused(name: &'static str, homes: &'static [Home], instead: &'static str) -> Keyword {
    Keyword { name, homes, verdict: Verdict::Refused(instead) }
}

const fn ignored(name: &'static str, homes: &'static [Home], why: &'static str) -> Keyword {
    Keyword { name, homes, verdict: Verdict::Ignored(why) }
}

const NO_ROLES: &str = "write the tasks into the play, or take them in with `import_tasks`";
const NO_INCLUDE: &str = "use `import_tasks`, which takes the file in before anything runs";
const NO_ASYNC: &str = "a task is waited for until it ends, or up to its `timeout:` where it may have one";
const FACTS: &str = "facts are gathered in one cheap question, or not at all";

const KEYWORDS: &[Keyword] = &[
    read("name", ALL),
    // plays
    read("hosts", PLAY),
    read("serial", PLAY),
    read("order", PLAY),
    read("rolling", PLAY),
    read("strategy", PLAY),
    read("gather_facts", PLAY),
    read("max_fail_percentage", PLAY),
    read("force_handlers", PLAY),
    read("vars_files", PLAY),
    read("pre_tasks", PLAY),
    read("tasks", PLAY),
    read("post_tasks", PLAY),
    read("handlers", PLAY),
    ignored("gather_subset", PLAY, FACTS),
    ignored("gather_timeout", PLAY, FACTS),
    refused("fact_path", PLAY, "read the files with `slurp`"),
    refused("roles", PLAY, NO_ROLES),
    refused("vars_prompt", PLAY, "give the value with `-e name=value`, or `-e @file`"),
    // what all may say
    read("tags", ALL),
    read("vars", ALL),
    read("environment", ALL),
    read("become", ALL),
    read("become_user", ALL),
    read("become_method", ALL),
    read("connection", ALL),
    read("remote_user", ALL),
    read("port", ALL),
    read("ignore_errors", ALL),
    read("ignore_unreachable", ALL),
    read("no_log", ALL),
    read("check_mode", ALL),
    read("diff", ALL),
    read("run_once", ALL),
    read("throttle", ALL),
    read("timeout", ALL),
    read("any_errors_fatal", ALL),
    refused("become_flags", ALL, "sudo is called with fixed flags"),
    refused("become_exe", ALL, "`sudo` is the only way to become another user"),
    refused("module_defaults", ALL, "write the arguments at each task"),
    refused("debugger", ALL, "see what a task would do with `--check --diff`"),
    ignored("collections", ALL, "all modules are built in"),
    // blocks and tasks
    read("when", INNER),
    read("delegate_to", INNER),
    read("notify", INNER),
    refused("delegate_facts", INNER, "facts stay with the host whose task it is"),
    read("block", BLOCK),
    read("rescue", BLOCK),
    read("always", BLOCK),
    // tasks
    read("action", TASK),
    read("local_action", TASK),
    read("args", TASK),
    read("register", TASK),
    read("loop", TASK),
    read("with_items", TASK),
    read("loop_control", TASK),
    read("until", TASK),
    read("retries", TASK),
    read("delay", TASK),
    read("changed_when", TASK),
    read("failed_when", TASK),
    read("listen", HANDLER),
    read("import_tasks", TASK),
    refused("async", TASK, NO_ASYNC),
    refused("poll", TASK, NO_ASYNC),
    refused("include", TASK, NO_INCLUDE),
    refused("include_tasks", TASK, NO_INCLUDE),
    refused("include_role", TASK, NO_ROLES),
    refused("import_role", TASK, NO_ROLES),
    refused("include_vars", TASK, "use the play's `vars_files:`"),
];

/// The keywords of `import_playbook`.
pub(super) const IMPORT_PLAYBOOK: &[&str] = &["name", "import_playbook", "when", "tags", "vars"];

/// The row of a keyword, wherever it may stand.
pub(super) fn keyword(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|row| row.name == name)
}

impl Keyword {
    /// Whether it may stand there.
    pub(super) fn belongs_to(&self, home: Home) -> bool {
        self.homes.contains(&home)
    }

    /// What it belongs to, in words: "plays", "blocks and tasks".
    pub(super) fn owners(&self) -> String {
        let names: Vec<String> = self.homes.iter().map(|home| format!("{}s", home.name())).collect();
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, before)) => format!("{} and {last}", before.join(", ")),
            None => String::new(),
        }
    }
}

/// The keyword of that home nearest to a misspelt one.
pub(super) fn nearest_keyword(word: &str, home: Home) -> Option<&'static str> {
    nearest(
        word,
        KEYWORDS.iter().filter(|row| row.belongs_to(home) && row.verdict == Verdict::Read).map(|row| row.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_each_keyword_once() {
        let mut names: Vec<_> = KEYWORDS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn offers_only_keywords_of_the_place() {
        assert_eq!(nearest_keyword("hots", Home::Play), Some("hosts"));
        assert_eq!(nearest_keyword("regsiter", Home::Task), Some("register"));
        assert_eq!(nearest_keyword("serail", Home::Task), None);
        assert_eq!(keyword("serial").unwrap().owners(), "plays");
        assert_eq!(keyword("when").unwrap().owners(), "blocks, tasks and handlers");
    }
}
