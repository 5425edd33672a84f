//! The walls themselves: each takes a file and says what is wrong with it.

use crate::rust_text::{code_of, imports as imported, lines_with, without_tests};

/// A file of the repository.
pub(crate) struct File {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// What is wrong and where.
pub(crate) type Fault = String;

/// Which folders a folder may import; `docs/ARCHITECTURE.md` draws it.
const FLOORS: [(&str, &[&str]); 11] = [
    ("inventory", &[]),
    ("etcd", &[]),
    ("transport", &[]),
    ("events", &[]),
    ("playbook", &["inventory"]),
    ("remote", &["transport"]),
    ("modules", &["etcd", "events", "inventory", "playbook", "remote", "transport"]),
    ("journal", &["events"]),
    ("report", &["events"]),
    ("engine", &["etcd", "events", "inventory", "journal", "modules", "playbook", "remote", "transport"]),
    (
        "cli",
        &["engine", "etcd", "events", "inventory", "journal", "modules", "playbook", "remote", "report", "transport"],
    ),
];

/// Words that may stand only under these paths.
const ONLY_IN: [(&str, &[&str]); 6] = [
    ("russh", &["src/transport/ssh/"]),
    ("println", &["src/report/", "src/cli/"]),
    ("eprintln", &["src/report/", "src/cli/"]),
    ("print", &["src/report/", "src/cli/"]),
    ("eprint", &["src/report/", "src/cli/"]),
    // The leave to change hosts: made by a real run, defined beside what it gives leave to.
    ("of_a_real_run", &["src/engine/", "src/remote/change"]),
];

/// Words that may not stand under a path: rules are functions of what they are given.
const NEVER_IN: [(&str, &[&str]); 5] = [
    ("src/etcd/", &["tokio", "russh", "std::fs", "std::net", "Instant", "SystemTime"]),
    ("src/inventory/", &["tokio", "TcpStream", "Instant", "SystemTime"]),
    ("src/playbook/", &["tokio", "TcpStream", "Instant", "SystemTime"]),
    ("src/transport/", &["etcd", "playbook"]),
    ("src/report/", &["tokio", "hyper"]),
];

/// Names that say nothing of what is in a file; all things that have no place gather there.
const NAMELESS: [&str; 10] =
    ["error", "errors", "common", "util", "utils", "helper", "helpers", "types", "misc", "shared"];

/// Lines in a file at most: beyond that nobody reads it in one sitting.
const LONGEST: usize = 500;

/// Imports that do not go down.
pub(crate) fn imports(file: &File) -> Vec<Fault> {
    let Some(home) = folder_of(&file.path) else { return Vec::new() };
    if is_test(&file.path) {
        return Vec::new();
    }
    let Some((_, below)) = FLOORS.iter().find(|(name, _)| *name == home) else {
        return vec![format!("{}: the folder {home} has no floor", file.path)];
    };
    let code = without_tests(&code_of(&file.text));
    let up = imported(&code, depth_of(&file.path)).into_iter().filter(|(_, name)| {
        let is_folder = FLOORS.iter().any(|(folder, _)| folder == name);
        is_folder && name != home && !below.contains(&name.as_str())
    });
    up.map(|(line, name)| format!("{}:{line}: {home} must not import {name}", file.path)).collect()
}

/// Words outside their folder.
pub(crate) fn words(file: &File) -> Vec<Fault> {
    if is_test(&file.path) {
        return Vec::new();
    }
    let code = without_tests(&code_of(&file.text));
    let strayed = ONLY_IN.iter().filter(|(_, places)| !places.iter().any(|place| file.path.starts_with(place)));
    let banned = NEVER_IN.iter().filter(|(place, _)| file.path.starts_with(place)).flat_map(|(_, words)| *words);
    let words = strayed.map(|(word, _)| word).chain(banned);
    words
        .flat_map(|word| lines_with(&code, word).into_iter().map(move |line| (line, word)))
        .map(|(line, word)| format!("{}:{line}: `{word}` must not stand here", file.path))
        .collect()
}

/// Files that are too long, or whose name says nothing.
pub(crate) fn size_and_name(file: &File) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lines = file.text.lines().count();
    if lines > LONGEST {
        faults.push(format!("{}: {lines} lines, at most {LONGEST}", file.path));
    }
    let parts = file.path.trim_end_matches(".rs").split('/');
    let nameless = parts.filter(|part| NAMELESS.contains(part));
    faults.extend(nameless.map(|part| format!("{}: `{part}` does not say what is in it", file.path)));
    faults
}

/// Marks that say that something is not done.
pub(crate) fn marks(file: &File) -> Vec<Fault> {
    // Put together here, so that this file does not carry them.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    marks
        .iter()
        .flat_map(|mark| lines_with(&file.text, mark).into_iter().map(move |line| (line, mark)))
        .map(|(line, mark)| format!("{}:{line}: {mark}", file.path))
        .collect()
}

/// Folders of `src/` that the map does not describe.
pub(crate) fn unmapped(folders: &[String], map: &str) -> Vec<Fault> {
    let missing = folders.iter().filter(|folder| !map.contains(&format!("`{folder}/`")));
    missing.map(|folder| format!("docs/ARCHITECTURE.md does not describe `{folder}/`")).collect()
}

/// The folder of `src/` that a file is in; none for `lib.rs` and `main.rs`.
fn folder_of(path: &str) -> Option<&str> {
    path.strip_prefix("src/")?.split_once('/').map(|(folder, _)| folder)
}

/// How many modules below the crate's root the file's module is.
fn depth_of(path: &str) -> usize {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').count()
}

/// A file that is compiled for tests only.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn an_import_up_is_a_fault_and_one_down_is_none() {
    let faults = |path, text| imports(&file(path, text));
    assert_eq!(
        faults("src/report/x.rs", "use crate::engine::Run;"),
        ["src/report/x.rs:1: report must not import engine"]
    );
    assert_eq!(faults("src/etcd/mod.rs", "use super::events::Event;").len(), 1);
    assert_eq!(faults("src/journal/x.rs", "use crate::{events::Event, transport::Session};").len(), 1);
    assert_eq!(faults("src/report/x.rs", "use crate::events::Event;").len(), 0);
    assert_eq!(faults("src/report/x.rs", "// crate::engine\n#[cfg(test)]\nmod tests { use crate::engine; }").len(), 0);
    assert_eq!(faults("src/report/tests.rs", "use crate::engine;").len(), 0);
    assert_eq!(faults("src/cellar/x.rs", "").len(), 1);
}

#[test]
fn no_folder_may_import_one_that_may_import_it() {
    for (folder, below) in FLOORS {
        for other in below {
            let (_, back) = FLOORS.iter().find(|(name, _)| name == other).unwrap();
            assert!(!back.contains(&folder), "{folder} and {other} import each other");
        }
    }
}

#[test]
fn a_word_outside_its_folder_is_a_fault() {
    let faults = |path, text| words(&file(path, text)).len();
    assert_eq!(faults("src/remote/x.rs", "use russh::client;"), 1);
    assert_eq!(faults("src/transport/ssh/link.rs", "use russh::client;"), 0);
    assert_eq!(faults("src/etcd/x.rs", "use std::fs; let t = Instant::now();"), 2);
    assert_eq!(faults("src/engine/x.rs", "println!(\"x\")"), 1);
    assert_eq!(faults("src/modules/x.rs", "Permit::of_a_real_run()"), 1);
    assert_eq!(faults("src/engine/x.rs", "Permit::of_a_real_run()"), 0);
    assert_eq!(faults("src/transport/x.rs", "// as etcd does\nlet x = \"etcd\";"), 0);
}

#[test]
fn a_long_or_nameless_file_is_a_fault() {
    assert_eq!(size_and_name(&file("src/a/b.rs", &"x\n".repeat(LONGEST))).len(), 0);
    assert_eq!(size_and_name(&file("src/a/b.rs", &"x\n".repeat(LONGEST + 1))).len(), 1);
    assert_eq!(size_and_name(&file("src/a/utils.rs", "")).len(), 1);
    assert_eq!(size_and_name(&file("src/helpers/mod.rs", "")).len(), 1);
}

#[test]
fn a_mark_is_a_fault_even_in_a_comment() {
    assert_eq!(marks(&file("src/a.rs", concat!("// TO", "DO: later"))).len(), 1);
    assert_eq!(marks(&file("src/a.rs", "// nothing to do")).len(), 0);
}

#[test]
fn a_folder_that_is_not_on_the_map_is_a_fault() {
    let folders = ["etcd".to_owned(), "cellar".to_owned()];
    assert_eq!(unmapped(&folders, "- `etcd/` is").len(), 1);
}
