use std::fs;
use std::path::Path;

use super::*;

fn vocabulary() -> Vocabulary {
    Vocabulary { modules: vec!["ping"], free_form: vec![] }
}

fn read(folder: &Path, text: &str) -> Result<Playbook, Vec<Problem>> {
    from_source(&Source::new(folder.join("main.yml"), text), &vocabulary())
}

fn refusals(folder: &Path, text: &str) -> Vec<String> {
    read(folder, text).unwrap_err().into_iter().map(|problem| problem.message).collect()
}

const IMPORT: &str = "- hosts: all\n  tasks:\n    - import_tasks: t0.yml\n";

/// Files `t0.yml` … each importing the next `times` times, the last one pinging.
fn chain(folder: &Path, files: usize, times: usize) {
    for file in 0..files {
        let text = format!("- import_tasks: t{}.yml\n", file + 1).repeat(times);
        fs::write(folder.join(format!("t{file}.yml")), text).unwrap();
    }
    fs::write(folder.join(format!("t{files}.yml")), "- ping:\n").unwrap();
}

#[test]
fn follows_imports_sixteen_deep_and_no_deeper() {
    let folder = tempfile::tempdir().unwrap();
    chain(folder.path(), 15, 1);
    assert!(read(folder.path(), IMPORT).is_ok());
    chain(folder.path(), 16, 1);
    assert_eq!(refusals(folder.path(), IMPORT), ["more than 16 imports in each other, or 1000 files in all"]);
}

#[test]
fn imports_a_thousand_files_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    chain(folder.path(), 12, 2);
    let found = refusals(folder.path(), IMPORT);
    assert!(found.iter().all(|message| message.starts_with("more than 16 imports")), "{found:?}");
}

#[test]
fn opens_nothing_but_files_with_a_playbooks_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("t0.yml")).unwrap();
    assert!(refusals(folder.path(), IMPORT).concat().ends_with("it is not a file"));
    fs::write(folder.path().join("t0.txt"), "- ping:\n").unwrap();
    let text = IMPORT.replace("t0.yml", "t0.txt");
    assert!(refusals(folder.path(), &text).concat().contains("its name must end in"));
}

#[test]
fn notices_a_cycle_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t0.yml"), "- import_tasks: t1.yml\n").unwrap();
    std::os::unix::fs::symlink("t0.yml", folder.path().join("t1.yml")).unwrap();
    assert_eq!(refusals(folder.path(), IMPORT), ["`t1.yml` imports itself"]);
}

#[test]
fn refuses_a_file_that_is_not_utf8_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t0.yml"), b"\xff\xfe-\0 \0").unwrap();
    assert!(refusals(folder.path(), IMPORT).concat().ends_with("it is not UTF-8 text"));
}

proptest::proptest! {
    #[test]
    fn never_panics_on_any_playbook(text in "- (hosts|tasks|block|ping|loop|when|serial|rolling|vars): ?[\\[\\]{}:,a-c0\"'|> \n-]{0,40}") {
        let _answer = from_source(&Source::new("p.yml", text), &vocabulary());
    }
}
