//! A disk that fills up just where a window says what it does next.

use super::*;

fn restart() -> Window {
    Window { swaps: Vec::new(), identity: None, take_back: TakeBack::Open, ..window() }
}

#[test]
fn nothing_is_stopped_whose_stop_is_not_on_the_disk() {
    let folder = tempfile::TempDir::new().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("log")).unwrap();
    let stopped = folder.path().join("stopped");
    let on_stop = format!(": >{}", stopped.display());
    let (end, detail, _) = carried_out_in(folder.path(), restart(), None, "", (SERVES, &on_stop), None);
    assert_eq!((end, detail), (WindowEnd::Refused, format!("cannot write {}/log", folder.path().display())));
    assert!(!stopped.exists());
    let receipt = std::fs::read_to_string(folder.path().join("result")).unwrap();
    assert!(receipt.contains("\nstopped=0\n"), "{receipt}");
}

#[test]
fn a_stop_that_was_never_ordered_is_not_taken_for_one_by_what_comes_after_the_shell() {
    let folder = tempfile::TempDir::new().unwrap();
    // The line is there, and the disk does not take it.
    let unsynced =
        "sync() { case $1 in log) return 1 ;; esac; }; put() { case $1 in result) return 1 ;; esac; : >\"$1\"; }";
    let script = SCRIPT.replace("\nwhy= phase=old", &format!("\n{unsynced}\nwhy= phase=old"));
    assert_ne!(script, SCRIPT);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("plan", &Window { invocation: "f00".into(), ..restart() }.plan(None));
    write("files", "");
    write("judged", "");
    let host = SYSTEMD.replace("drop_ins=", "old_systemd= drop_ins=");
    write("host.sh", &format!("new() {{ {SERVES}; }}\n{host}\non_stop() {{ : >stopped; }}\n{script}"));
    let out = std::process::Command::new("/bin/dash").arg(folder.path().join("host.sh")).arg(folder.path()).output();
    assert!(out.unwrap().status.success());
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let (end, detail, _) = carried_out_in(folder.path(), restart(), None, "", (SERVES, ": >stopped"), Some(&log));
    assert_eq!(end, WindowEnd::Refused);
    assert_eq!(detail, "the transaction itself was killed on the host before it stopped anything");
    assert!(!folder.path().join("stopped").exists());
}

#[test]
fn a_new_program_whose_start_cannot_be_noted_is_not_started() {
    let folder = tempfile::TempDir::new().unwrap();
    let window = Window { take_back: TakeBack::Open, ..of_files(folder.path(), "/etc/d/b.conf") };
    let full = "note() { case $1 in starting) return 1 ;; esac; printf '%s %s\\n' 1 \"$*\" >>log; }";
    // The only start is that of the old program.
    let (end, detail, _) = carried_out(window, None, "", ("is active running 300 f99", full), None);
    assert_eq!((end, held(folder.path())), (WindowEnd::RolledBack, [None, Some("old".into()), Some("old".into())]));
    assert!(detail.starts_with("cannot write ") && detail.ends_with("/log"), "{detail}");
}
