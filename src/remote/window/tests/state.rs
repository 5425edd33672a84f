//! What a host says of a window, and what it does not say.

use super::*;

/// A script with a systemctl that does this; what it printed, if it ended well.
fn asked(script: &str, systemctl: &str, arguments: &[&str]) -> Option<String> {
    let text = format!("systemctl() {{ {systemctl}; }}\n{script}");
    let out = std::process::Command::new("/bin/dash").args(["-c", &text, "sh"]).args(arguments).output().unwrap();
    out.status.success().then(|| String::from_utf8(out.stdout).unwrap())
}

fn says(active: &str, description: &str) -> String {
    format!("printf '%s\\n' 'ActiveState={active}' 'Description={description}'")
}

#[test]
fn a_window_of_which_systemd_says_nothing_is_not_gone() {
    let folder = tempfile::TempDir::new().unwrap();
    let dir = folder.path().to_str().unwrap();
    let state = |systemctl: &str| asked(STATE, systemctl, &[dir, "quorate-window-etcd.service"]);
    let ours = format!("quorate: stop, swap, start ({dir})");
    assert_eq!(state(&says("inactive", "x")).as_deref(), Some("none\n"));
    std::fs::write(folder.path().join("intent"), "began=1\n").unwrap();
    std::fs::write(folder.path().join("log"), "1.0 stopping u\n1.1 stopped\n").unwrap();
    for silent in ["return 1", ":", "echo ActiveState=", "echo 'Failed to get properties' >&2; return 1"] {
        assert_eq!(state(silent), None, "{silent}");
    }
    for active in ["active", "activating", "deactivating"] {
        assert_eq!(state(&says(active, &ours)).as_deref(), Some("running\n1.1 stopped\n"), "{active}");
    }
    assert_eq!(state(&says("inactive", "x")).as_deref(), Some("vanished\n"));
    // Its unit runs, but another window of it.
    let other = format!("quorate: stop, swap, start ({dir}-2)");
    assert_eq!(state(&says("active", &other)).as_deref(), Some("vanished\n"));
    std::fs::write(folder.path().join("result"), "outcome=done\n").unwrap();
    assert_eq!(state("return 1").as_deref(), Some("ended\noutcome=done\n"));
}

#[test]
fn how_long_a_window_at_work_may_take_is_read_from_its_plan() {
    let folder = tempfile::TempDir::new().unwrap();
    let dir = folder.path().to_str().unwrap();
    let takes = |systemctl: &str| asked(LONGEST, systemctl, &["quorate-window-etcd.service"]);
    let ours = says("active", &format!("quorate: stop, swap, start ({dir})"));
    assert_eq!(takes(&ours).as_deref(), Some(""));
    let window = window();
    std::fs::write(folder.path().join("plan"), window.plan(None)).unwrap();
    assert_eq!(window.longest(), Duration::from_millis(105_000 * 2 + 60_000 + 90_000 + 10));
    assert_eq!(takes(&ours).as_deref(), Some("361\n"));
    // One of an older quorate has one time for both programs.
    let old: String =
        window.plan(None).lines().filter(|line| !line.starts_with("back_seconds")).map(|l| format!("{l}\n")).collect();
    std::fs::write(folder.path().join("plan"), old).unwrap();
    assert_eq!(takes(&ours).as_deref(), Some("331\n"));
    assert_eq!(takes(&says("active", "etcd")).as_deref(), Some(""));
    assert_eq!(takes("return 1"), None);
}
