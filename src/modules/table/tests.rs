//! Which modules need their host's turn, looked for in the table and in the sources.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// Modules of etcd with which every member goes on. `etcd_restore` works where all members are stopped, under a lock of its own, and
/// itself refuses a host before which another has not been restored.
const LEAVE_ALL_UP: [&str; 8] = [
    "etcd_backup",
    "etcd_backup_check",
    "etcd_facts",
    "etcd_health",
    "etcd_path",
    "etcd_preflight",
    "etcd_restore",
    "etcd_stage",
];

/// What takes a member away from the others, as it is written in the sources, and whose modules may write it.
const TAKES_AWAY: [(&str, &[&str]); 2] =
    [(".order(window)", &["etcd_member", "etcd_restart"]), (".defragment(self.prefix", &["etcd_defrag"])];

fn needs_turn(name: &str) -> bool {
    find(name).unwrap().needs_turn != NeedsTurn::Never
}

#[test]
fn every_module_of_etcd_needs_its_hosts_turn_or_is_known_to_leave_all_members_up() {
    for row in ROWS.iter().filter(|row| row.name.starts_with("etcd_")) {
        assert_ne!(needs_turn(row.name), LEAVE_ALL_UP.contains(&row.name), "{}", row.name);
    }
    assert!(ROWS.iter().all(|row| row.name.starts_with("etcd_") || row.needs_turn == NeedsTurn::Never));
}

#[test]
fn whatever_holds_a_window_or_blocks_a_member_needs_its_hosts_turn() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/modules"));
    for (what, modules) in TAKES_AWAY {
        let with: Vec<&str> = sources.iter().map(String::as_str).filter(|text| text.contains(what)).collect();
        assert_eq!(with.len(), 1, "{what}: another place means another module, which belongs into this list");
        assert!(modules.iter().all(|name| needs_turn(name)), "{what}");
    }
}

/// The texts of all files of modules but of tests.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let entries: BTreeSet<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in entries.iter().filter(|path| !path.ends_with("tests.rs")) {
        if path.is_dir() {
            found.extend(sources(path));
        } else {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

#[test]
fn an_argument_that_is_not_known_yet_is_taken_for_what_acts() {
    let restart = find("etcd_restart").unwrap().needs_turn;
    assert!(!restart.with(|name| (name == "phase").then_some("check")));
    for text in [None, Some("restart"), Some("{{ phase }}"), Some("Check")] {
        assert!(restart.with(|_| text), "{text:?}");
    }
    let argument = find("etcd_restart").unwrap().argument("phase").unwrap();
    assert_ne!(argument.default, Some("check"));
}
