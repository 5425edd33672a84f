use super::super::tests::Bench;
use super::*;

/// Keeps its state in files and says what it was called with.
const SYSTEMCTL: &str = r#"#!/bin/sh
dir=${0%/*}/..
for last; do :; done
case "$*" in
*show*)
    [ -e "$dir/known" ] || { echo LoadState=not-found; echo ActiveState=inactive; exit 0; }
    echo LoadState=loaded; echo ActiveState=$(cat "$dir/active"); echo UnitFileState=$(cat "$dir/enabled")
    echo TimeoutStartUSec=1min 30s; echo TimeoutStopUSec=1min 30s
    exit 0 ;;
esac
echo "$*" >> "$dir/calls"
case "$*" in
*" start "* | *" restart "*) echo active > "$dir/active" ;;
*" stop "*) echo inactive > "$dir/active" ;;
*" enable "*) echo enabled > "$dir/enabled" ;;
*" disable "*) echo disabled > "$dir/enabled" ;;
*" reload "*) echo "Job failed" >&2; exit 1 ;;
esac
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.program("systemctl", SYSTEMCTL);
    bench.file("known", "");
    bench.file("active", "inactive\n");
    bench.file("enabled", "disabled\n");
    bench.file("calls", "");
    bench
}

#[tokio::test]
async fn a_unit_is_started_and_enabled_once() {
    let mut bench = bench();
    let done = bench.converges(&ROW, "{name: etcd, state: started, enabled: yes}").await;
    assert_eq!(done.result["status"]["ActiveState"], Value::from("inactive"), "what it was beforehand");
    let calls = bench.read("calls");
    let verbs: Vec<&str> = calls.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(verbs, ["enable", "start"]);
    bench.converges(&ROW, "{name: etcd, state: stopped, enabled: no}").await;
}

#[tokio::test]
async fn a_restart_and_a_reload_are_always_done() {
    let bench = bench();
    for _ in 0..2 {
        assert!(bench.ok(&ROW, "{name: etcd, state: restarted, daemon_reload: yes, no_block: yes}").await.changed);
    }
    assert_eq!(bench.read("calls").matches("daemon-reload").count(), 2);
    assert_eq!(bench.read("calls").matches("--no-block restart").count(), 2);
    let failure = bench.fails(&ROW, "{name: etcd, state: reloaded}").await;
    assert!(failure.msg.contains("Job failed") && failure.result.contains_key("status"), "{}", failure.msg);
}

#[tokio::test]
async fn a_reload_of_systemd_alone_is_no_change() {
    let bench = bench();
    assert!(!bench.ok(&ROW, "{daemon_reload: yes}").await.changed);
    assert!(bench.read("calls").contains("daemon-reload"));
    assert!(bench.fails(&ROW, "{state: started}").await.msg.contains("name"));
}

#[tokio::test]
async fn a_unit_that_is_not_there_fails_unless_a_check_run_may_have_made_it() {
    let bench = bench();
    std::fs::remove_file(bench.path("known")).unwrap();
    assert!(bench.fails(&ROW, "{name: etcd, state: started}").await.msg.contains("could not find"));
    let bench = bench.checking(true);
    bench.fails(&ROW, "{name: etcd, state: started}").await;
    assert!(bench.ok(&ROW, "{name: etcd, state: started, daemon_reload: yes}").await.changed);
    assert_eq!(bench.said.lock().unwrap().len(), 1);
    bench.fails(&ROW, "{name: 'etcd; rm -rf /', state: started}").await;
}

#[test]
fn only_what_differs_is_done() {
    use UnitAction::{Disable, Enable, Mask, Reload, Start, Stop, Unmask};
    let unit = |load: &str, active: &str, file: &str| {
        UnitState::from_show(&format!("LoadState={load}\nActiveState={active}\nUnitFileState={file}\n"))
    };
    let state = |state| Wish { state: Some(state), ..Wish::default() };
    let enabled = |enabled| Wish { enabled: Some(enabled), ..Wish::default() };
    let masked = |masked| Wish { masked: Some(masked), ..Wish::default() };
    for (unit, wish, expected) in [
        (unit("loaded", "active", "enabled"), state("started"), vec![]),
        (unit("loaded", "activating", "enabled"), state("started"), vec![]),
        (unit("loaded", "failed", "enabled"), state("started"), vec![Start]),
        (unit("loaded", "deactivating", "enabled"), state("started"), vec![Start]),
        (unit("loaded", "deactivating", "enabled"), state("stopped"), vec![Stop]),
        (unit("loaded", "activating", "enabled"), state("stopped"), vec![Stop]),
        (unit("loaded", "failed", "enabled"), state("stopped"), vec![]),
        (unit("loaded", "active", "enabled"), state("reloaded"), vec![Reload]),
        (unit("loaded", "inactive", "enabled"), state("reloaded"), vec![Start]),
        (unit("loaded", "active", "disabled"), enabled(true), vec![Enable]),
        (unit("loaded", "active", "enabled"), enabled(false), vec![Disable]),
        (unit("loaded", "active", "static"), enabled(true), vec![]),
        (unit("loaded", "active", "static"), enabled(false), vec![]),
        (unit("loaded", "active", "indirect"), enabled(true), vec![Enable]),
        (unit("masked", "inactive", "masked"), masked(true), vec![]),
        (unit("masked", "inactive", "masked"), masked(false), vec![Unmask]),
        (unit("loaded", "inactive", "disabled"), masked(true), vec![Mask]),
    ] {
        assert_eq!(steps(&unit, &wish), expected, "{unit:?} {wish:?}");
    }
}
