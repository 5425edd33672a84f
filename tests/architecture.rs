//! The walls of the house: who may import whom, which words stay where, and how long a file may be.
//!
//! `docs/ARCHITECTURE.md` says why. Every checker here is itself checked on made-up code, so that it is known to be able to fail.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read the source should fail loudly"
)]

#[path = "architecture/rust_text.rs"]
mod rust_text;
#[path = "architecture/walls.rs"]
mod walls;

use std::fs;
use std::path::{Path, PathBuf};

use walls::{Fault, File};

/// Every Rust file under `folder`, with its path from the repository's root.
fn files_under(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(File { path: name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Fails with all faults at once: somebody who moves a folder wants to see everything that is in the way.
fn nothing_wrong(faults: impl IntoIterator<Item = Fault>) {
    let faults: Vec<Fault> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn imports_only_go_down() {
    nothing_wrong(files_under("src").iter().flat_map(walls::imports));
}

#[test]
fn words_stay_in_their_folders() {
    nothing_wrong(files_under("src").iter().flat_map(walls::words));
}

#[test]
fn files_are_short_and_named_after_what_is_in_them() {
    let files = files_under("src").into_iter().chain(files_under("tests"));
    nothing_wrong(files.flat_map(|file| walls::size_and_name(&file)));
}

#[test]
fn no_file_carries_a_mark_of_unfinished_work() {
    let files = files_under("src").into_iter().chain(files_under("tests"));
    nothing_wrong(files.flat_map(|file| walls::marks(&file)));
}

#[test]
fn every_folder_is_on_the_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = fs::read_to_string(root.join("docs/ARCHITECTURE.md")).unwrap();
    let folders = fs::read_dir(root.join("src")).unwrap().map(|entry| entry.unwrap().path());
    let names: Vec<String> = folders
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 10, "src has lost its folders: {names:?}");
    nothing_wrong(walls::unmapped(&names, &map));
}
