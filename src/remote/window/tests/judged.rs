//! Files by which a start was judged, and what becomes of a window when somebody else changes them.

use super::*;

/// A window of files, judged by one that it does not swap and by one that is not there; and what becomes of it when somebody else does
/// `meanwhile` with these, once the unit is stopped.
fn judged(new: &str, before: &str, meanwhile: &str) -> (WindowEnd, String, [Option<String>; 3], bool) {
    let folder = tempfile::TempDir::new().unwrap();
    let mut window = Window { take_back: TakeBack::Open, ..of_files(folder.path(), "/etc/d/b.conf") };
    std::fs::write(folder.path().join("variables"), "ETCD_DATA_DIR=/a\n").unwrap();
    let sum = crate::remote::sink::hex(&<sha2::Sha256 as sha2::Digest>::digest("ETCD_DATA_DIR=/a\n"));
    let file = |name: &str, holds: &str| Judged {
        path: path(folder.path().join(name).to_str().unwrap()),
        holds: holds.into(),
    };
    window.judged = vec![file("variables", &sum), file("none", "none"), file("changed", &window.swaps[1].before)];
    let at = |script: &str| script.replace('@', &format!("{}/", folder.path().display()));
    assert!(std::process::Command::new("sh").args(["-ec", &at(before)]).status().unwrap().success());
    let mark = folder.path().join("started");
    let new = format!(": >{}; {new}", mark.display());
    let (end, detail, _) = carried_out(window, None, "", (&new, &at(meanwhile)), None);
    (end, detail.replace(&format!("{}/", folder.path().display()), "@"), held(folder.path()), mark.exists())
}

fn old_files() -> [Option<String>; 3] {
    [None, Some("old".into()), Some("old".into())]
}

#[test]
fn what_was_judged_by_files_that_stand_there_still_is_done() {
    let (end, detail, held, _) = judged(SERVES, ":", ":");
    let new = [Some("new".into()), Some("new".into()), None];
    assert_eq!((end, detail.as_str(), held), (WindowEnd::Done, "process 200 serves", new));
    // And undone, with the same files.
    let (end, _, held, _) = judged("is failed failed 0 f10 4 1 203", ":", ":");
    assert_eq!((end, held), (WindowEnd::RolledBack, old_files()));
}

#[test]
fn nothing_is_stopped_when_a_file_by_which_the_start_was_judged_has_changed() {
    let cases = [
        ("echo x >@variables", "@variables was changed by somebody else since it was examined: expected "),
        ("rm @variables", "@variables was changed by somebody else since it was examined: expected "),
        ("echo x >@none", "@none was changed by somebody else since it was examined: expected none, found "),
        ("mkdir @none", "@none was changed by somebody else since it was examined: expected none, found other"),
        ("echo x >@changed", "@changed was changed by somebody else since it was examined: expected "),
    ];
    for (before, why) in cases {
        let (end, detail, held, started) = judged(SERVES, before, "echo stopped >>@variables");
        assert!(end == WindowEnd::Refused && detail.starts_with(why), "{before}: {end:?}: {detail}");
        assert!(!started && held[0].is_none(), "{before}");
    }
    let (end, detail, _, started) = judged(SERVES, "echo ETCD_WAL_DIR=/x >@told", ":");
    assert!(end == WindowEnd::Refused && detail.ends_with("unset-environment: ETCD_WAL_DIR "), "{end:?}: {detail}");
    assert!(!started);
    // A variable that says nothing to the program.
    assert_eq!(judged(SERVES, "echo TZ=ETCD_ >@told", ":").0, WindowEnd::Done);
    // One that leads to the same bytes is none that changed.
    assert_eq!(judged(SERVES, "mv @variables @other; ln -s other @variables", ":").0, WindowEnd::Done);
}

#[test]
fn neither_program_is_started_on_what_nobody_judged() {
    let told = "echo ETCD_WAL_DIR=/x >@told";
    for meanwhile in ["echo x >@variables", "echo x >@none", "reload_needed=yes", "drop_ins='/etc/d/z.conf'", told] {
        let (end, detail, held, started) = judged(SERVES, ":", meanwhile);
        assert!(!started, "{meanwhile}: {detail}");
        assert_eq!((end, held), (WindowEnd::Down, old_files()), "{meanwhile}: {detail}");
        assert!(detail.ends_with("then run systemctl start etcd.service"), "{detail}");
    }
}

#[test]
fn a_new_file_that_somebody_else_replaces_is_not_started_and_the_old_one_comes_back() {
    // The stop is the old one's; by the time of the look before the start the file is swapped.
    let replaces = "note() { printf '%s %s\\n' 1 \"$*\" >>log; case $1 in swapped*gone) echo x >@changed.x; mv @changed.x @changed ;; esac; }";
    let (end, detail, held, started) = judged("is active running 300 f99", ":", replaces);
    assert_eq!((end, held), (WindowEnd::RolledBack, old_files()), "{detail}");
    assert!(detail.starts_with("@changed was changed by somebody else since it was examined: expected "), "{detail}");
    // The only start is that of the old program.
    assert!(started);
}

#[test]
fn a_unit_that_somebody_else_starts_meanwhile_is_stopped_again() {
    // Once, in the place of our order to stop; then it stays stopped.
    let once = "if [ ! -e @once ]; then : >@once; told_stop=; fi";
    assert_eq!(judged(SERVES, ":", once).0, WindowEnd::Done);
    let (end, detail, held, _) = judged(SERVES, ":", "told_stop=");
    assert_eq!((end, held), (WindowEnd::Down, old_files()));
    let why = "etcd.service does not stay stopped after 3 orders to stop: somebody else starts it; it was told to start again";
    assert_eq!(detail, why);
    // While the files are swapped.
    let starts = "note() { printf '%s %s\\n' 1 \"$*\" >>log; case $1 in swapped*gone) told_stop= ;; esac; }";
    let (end, _, held, _) = judged(SERVES, ":", starts);
    assert_eq!((end, held), (WindowEnd::Done, [Some("new".into()), Some("new".into()), None]));
}
