mod companions;
mod full_disk;
mod judged;
mod leave;
mod links;
mod state;

use super::*;
use crate::remote::Lock;

fn path(text: &str) -> RemotePath {
    RemotePath::from_absolute(text).unwrap()
}

/// With these drop-ins, of which the systemd here has read a.conf and b.conf.
fn read(drop_ins: &[&str]) -> ReadAs {
    ReadAs { fragment: path("/etc/u"), drop_ins: drop_ins.iter().map(|drop_in| path(drop_in)).collect() }
}

fn window() -> Window {
    Window {
        name: "01ABC-etcd1".into(),
        unit: "etcd.service".into(),
        invocation: "f00".into(),
        foreign: "ETCD_",
        swaps: vec![Swap {
            target: path("/usr/local/bin/etcd"),
            staged: path("/usr/local/bin/etcd.2.1.1"),
            kept: path("/usr/local/bin/etcd.2.0.5"),
            want: "11".into(),
            before: "22".into(),
            link: None,
        }],
        read: read(&["/etc/d/a.conf", "/etc/d/b.conf"]),
        reload: None,
        judged: Vec::new(),
        identity: Some((path("/var/lib/etcd/member/wal"), "08".into())),
        serve: Serve { address: "10.0.0.1".into(), port: 2379, name: "a.lan".into(), path: Some("/version".into()) },
        no_return: None,
        take_back: TakeBack::Ask(vec![(
            Serve { address: "10.0.0.2".into(), port: 2379, name: "b.lan".into(), path: Some("/version".into()) },
            "it's \"2.1".into(),
        )]),
        stop: Duration::from_secs(105),
        start: Duration::from_secs(60),
        back: Duration::from_secs(90),
        soak: Duration::from_millis(10),
        leave: None,
    }
}

#[test]
fn a_plan_is_read_back_by_sh_as_it_was_meant() {
    let mut window = window();
    window.serve.path = Some("/a'b $(touch /x) `id`".into());
    let script = format!("{}printf '%s|' \"$unit\" \"$serve_path\" \"$soak_seconds\" \"$way_back\"", window.plan(None));
    let out = std::process::Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "etcd.service|/a'b $(touch /x) `id`|1|ask|");
}

#[test]
fn files_and_peers_are_lines_of_fields() {
    let window = window();
    assert_eq!(window.files().split('\t').count(), 5);
    assert_eq!(window.asked().1, "10.0.0.2\t2379\tb.lan\t/version\tit's \"2.1\n");
}

#[test]
fn a_name_cannot_leave_the_folder() {
    assert!(Window::folder("../x").is_none() && Window::folder("").is_none() && Window::folder("a b").is_none());
    assert_eq!(Window::folder("01A-etcd1").unwrap().as_str(), "/var/lib/quorate/windows/01A-etcd1");
}

#[test]
fn receipts_are_read_and_broken_ones_refused() {
    let text = "outcome=rolled-back\ndetail=etcd failed = twice\nstopped=10.5\nstarted=11\nserving=12.75\npid=0\ninvocation=x\n";
    let receipt = Receipt::from_text(text).unwrap();
    assert_eq!((receipt.end, receipt.pid), (WindowEnd::RolledBack, None));
    assert_eq!(receipt.down, Duration::from_millis(2250));
    assert_eq!(receipt.detail, "etcd failed = twice");
    for broken in ["", "outcome=fine\n", &text.replace("10.5", "NaN"), &text.replace("serving=12.75\n", "")] {
        assert!(Receipt::from_text(broken).is_err(), "{broken}");
    }
}

#[test]
fn a_member_that_came_back_by_a_second_window_was_out_from_the_first_stop_on() {
    let receipt = |stopped: &str, serving: &str| {
        let text = format!("outcome=done\ndetail=x\nstopped={stopped}\nstarted=0\nserving={serving}\npid=7\n");
        Receipt::from_text(&text).unwrap()
    };
    let first = receipt("100.25", "101");
    assert_eq!(first.down_until(&receipt("130", "131.75")), Some(Duration::from_millis(31_500)));
    // Restarted in between: the second clock is younger.
    assert_eq!(first.down_until(&receipt("12", "13")), None);
    assert_eq!(first.down_until(&receipt("130", "0")), None);
    assert_eq!(receipt("0", "0").down_until(&receipt("130", "131")), None);
}

#[test]
fn the_script_is_plain_sh() {
    let out = std::process::Command::new("/bin/dash").args(["-n", "-c", SCRIPT]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// A systemd that knows one unit. The first order to start is for the new program, the second for the old one; `new` says what the unit
/// is like `looks` looks after the former. `on_stop` is what somebody else does when the order to stop is given.
const SYSTEMD: &str = r#"
looks=0 starts=0 told_stop= others=${others:-:} reload_needed=no drop_ins='/etc/d/a.conf /etc/d/b.conf'
sleep() { looks=$((looks + 1)); }
timeout() { shift; "$@"; }
journalctl() { :; }
is() { active=$1 sub=$2 pid=$3 instance=$4 restarts=${5-0} code=${6-0} status=${7-0}; }
show() {
    case $told_stop$starts in
    yes*) is inactive dead 0 f00 7 2 15 ;;
    0) is active running 100 f00 7 ;;
    1) new ;;
    2) is active running 300 f99 ;;
    esac
    for name in $(printf '%s' "$1" | tr , ' '); do
        case $name in
        ActiveState) echo "$name=$active" ;; SubState) echo "$name=$sub" ;; MainPID) echo "$name=$pid" ;;
        InvocationID) [ "$old_systemd" = 219 ] || echo "$name=$instance" ;;
        NRestarts) [ "$old_systemd" ] || echo "$name=$restarts" ;;
        FragmentPath) echo "$name=/etc/u" ;; DropInPaths) echo "$name=$drop_ins" ;; NeedDaemonReload) echo "$name=$reload_needed" ;;
        ExecMainCode) echo "$name=$code" ;; ExecMainStatus) echo "$name=$status" ;;
        esac
    done
}
systemctl() {
    case "$*" in "show -p Id "*) echo Id=etcd.service; return ;; *" -- "*) $others "$@"; return ;; esac
    case $1 in
    stop) told_stop=yes; on_stop ;;
    is-system-running) echo running ;;
    start) starts=$((starts + 1)) told_stop=; if [ "$starts" = 2 ]; then echo "$looks" >looks; : >confirmed; fi; looks=0 ;;
    show) (show "$3") ;;
    show-environment) echo PATH=/bin; read -r first rest <judged; cat "${first%/*}/told" 2>/dev/null ;;
    esac
}
"#;

/// The outcome and the detail of a window on a host with that systemd, and after how many looks the new program was given up. Something
/// listens where the program should, whenever a process is there.
fn on_a_host(old_systemd: &str, new: &str) -> (WindowEnd, String, Option<u32>) {
    let window = Window { swaps: Vec::new(), identity: None, take_back: TakeBack::Open, ..window() };
    this_on_a_host(window, old_systemd, new)
}

fn this_on_a_host(window: Window, old_systemd: &str, new: &str) -> (WindowEnd, String, Option<u32>) {
    fenced_on_a_host(window, None, old_systemd, new)
}

fn fenced_on_a_host(
    window: Window,
    fence: Option<&Fence>,
    old_systemd: &str,
    new: &str,
) -> (WindowEnd, String, Option<u32>) {
    carried_out(window, fence, old_systemd, (new, ":"), None)
}

/// The same; with what a killed shell had written into its log, what systemd runs after it.
fn carried_out(
    window: Window,
    fence: Option<&Fence>,
    old_systemd: &str,
    what: (&str, &str),
    left: Option<&str>,
) -> (WindowEnd, String, Option<u32>) {
    carried_out_in(tempfile::TempDir::new().unwrap().path(), window, fence, old_systemd, what, left)
}

/// The same with this as the window's folder.
fn carried_out_in(
    folder: &std::path::Path,
    mut window: Window,
    fence: Option<&Fence>,
    old_systemd: &str,
    (new, on_stop): (&str, &str),
    left: Option<&str>,
) -> (WindowEnd, String, Option<u32>) {
    let door = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    window.serve = Serve {
        address: "127.0.0.1".into(),
        port: door.local_addr().unwrap().port(),
        name: "127.0.0.1".into(),
        path: None,
    };
    (window.start, window.back) = (Duration::from_secs(3600), Duration::from_secs(3600));
    // A systemd without instances has none to be compared either.
    window.invocation = if old_systemd == "219" { String::new() } else { "f00".into() };
    let starts = left.map_or(0, |log| log.matches("starting").count());
    let systemd = SYSTEMD.replace("starts=0", &format!("starts={starts}"));
    let script =
        format!("old_systemd={old_systemd}\nnew() {{ {new}; }}\n{systemd}\non_stop() {{ {on_stop}; }}\n{SCRIPT}");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("plan", &window.plan(fence));
    write("files", &window.files());
    write("judged", &window.judged());
    write("host.sh", &script);
    let mut dash = std::process::Command::new("/bin/dash");
    dash.arg(folder.join("host.sh")).arg(folder);
    if let Some(log) = left {
        write("intent", "began=1.0\n");
        write("log", log);
        dash.arg("left");
    }
    let out = dash.output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let receipt = Receipt::from_text(&read("result").unwrap()).unwrap();
    (receipt.end, receipt.detail, read("looks").map(|looks| looks.trim().parse().unwrap()))
}

/// A program that is seen for one look and gone for the nine looks of RestartSec that follow.
const FLAPS: &str = "tries=$((looks / 10)); \
     if [ $((looks % 10)) = 0 ]; then is active running $((200 + tries)) f1$tries $tries; \
     else is activating auto-restart 0 f1$tries $tries 1 2; fi";

#[test]
fn a_program_that_does_not_stay_up_is_given_up_after_its_third_end_however_long_the_pause_between() {
    let detail = "etcd.service was started 3 times and does not stay up; its program ended with exit code 2";
    // With NRestarts; with instances alone; with process numbers alone.
    for systemd in ["", "232", "219"] {
        assert_eq!(on_a_host(systemd, FLAPS), (WindowEnd::RolledBack, detail.into(), Some(21)), "systemd {systemd}");
    }
}

#[test]
fn restarts_that_nobody_saw_count_where_systemd_counts_them() {
    let unseen = "is activating auto-restart 0 f1 2 2 6";
    let detail = "etcd.service was started 3 times and does not stay up; its program was ended by signal 6";
    assert_eq!(on_a_host("", unseen), (WindowEnd::RolledBack, detail.into(), Some(0)));
}

#[test]
fn what_systemd_counted_before_the_order_to_start_does_not_count() {
    let late =
        "if [ \"$looks\" -lt 5 ]; then is inactive dead 0 f00 7 2 15; else : >confirmed; is active running 200 f10; fi";
    assert_eq!(on_a_host("", late), (WindowEnd::Done, "process 200 serves".into(), None));
}

#[test]
fn a_program_that_ends_and_is_not_started_again_is_not_waited_for() {
    let ends = "if [ \"$looks\" = 0 ]; then is active running 200 f10; else is inactive dead 0 f10 0 1 0; fi";
    let detail = "etcd.service did not stay up and is not started again; its program ended with exit code 0";
    assert_eq!(on_a_host("", ends), (WindowEnd::RolledBack, detail.into(), Some(3)));
    let failed = "is failed failed 0 f10 4 1 203";
    let detail = "etcd.service failed to start; its program ended with exit code 203";
    assert_eq!(on_a_host("", failed), (WindowEnd::RolledBack, detail.into(), Some(0)));
}

/// A window that makes a file, replaces one and removes one in `folder`, where systemd then has to have read that drop-in besides.
fn of_files(folder: &std::path::Path, drop_in: &str) -> Window {
    use sha2::Digest as _;
    let sum = |text: &str| crate::remote::sink::hex(&sha2::Sha256::digest(text));
    let path = |name: &str| path(folder.join(name).to_str().unwrap());
    for (name, text) in [("made.staged", "new"), ("changed", "old"), ("changed.staged", "new"), ("gone", "old")] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let swap = |name: &str, want: &str, before: &str| Swap {
        target: path(name),
        staged: path(&format!("{name}.staged")),
        kept: path(&format!("{name}.kept")),
        want: want.into(),
        before: before.into(),
        link: None,
    };
    let (old, new) = (sum("old"), sum("new"));
    let swaps = vec![swap("made", &new, "none"), swap("changed", &new, &old), swap("gone", "none", &old)];
    let reload = Some(read(&["/etc/d/a.conf", drop_in]));
    Window { swaps, reload, identity: None, take_back: TakeBack::Closed, ..window() }
}

/// What the three targets hold.
fn held(folder: &std::path::Path) -> [Option<String>; 3] {
    ["made", "changed", "gone"].map(|name| std::fs::read_to_string(folder.join(name)).ok())
}

const SERVES: &str = ": >confirmed; is active running 200 f10";

#[test]
fn files_are_made_replaced_and_removed_and_all_of_it_is_taken_back() {
    let folder = tempfile::TempDir::new().unwrap();
    let (end, ..) = this_on_a_host(of_files(folder.path(), "/etc/d/b.conf"), "", SERVES);
    assert_eq!((end, held(folder.path())), (WindowEnd::Done, [Some("new".into()), Some("new".into()), None]));

    let folder = tempfile::TempDir::new().unwrap();
    let window = Window { take_back: TakeBack::Open, ..of_files(folder.path(), "/etc/d/b.conf") };
    let (end, ..) = this_on_a_host(window, "", "is failed failed 0 f10 4 1 203");
    assert_eq!((end, held(folder.path())), (WindowEnd::RolledBack, [None, Some("old".into()), Some("old".into())]));
}

#[test]
fn what_a_killed_shell_has_left_is_ended() {
    let folder = tempfile::TempDir::new().unwrap();
    let ends = |log: &str| {
        let window = Window { take_back: TakeBack::Open, ..of_files(folder.path(), "/etc/d/b.conf") };
        // As of_files leaves it, but for what the log says was swapped.
        for name in ["made", "changed", "gone"].into_iter().filter(|name| log.contains(&format!("swapped {name}"))) {
            let target = folder.path().join(name);
            if target.exists() {
                std::fs::copy(&target, folder.path().join(format!("{name}.kept"))).unwrap();
                std::fs::remove_file(&target).unwrap();
            }
            if name != "gone" {
                std::fs::copy(folder.path().join(format!("{name}.staged")), &target).unwrap();
            }
        }
        let (end, detail, _) = carried_out(window, None, "", (SERVES, ":"), Some(log));
        (end, detail, held(folder.path()))
    };
    let killed = "the transaction itself was killed on the host";
    let (old, new) = ([None, Some("old".into()), Some("old".into())], [Some("new".into()), Some("new".into()), None]);
    assert_eq!(ends(""), (WindowEnd::Refused, format!("{killed} before it stopped anything"), old.clone()));
    assert_eq!(ends("1.0 stopping u\n"), (WindowEnd::RolledBack, killed.into(), old.clone()));
    let half = "1.0 stopping u\n1.1 stopped\n1.2 swapped made\n";
    assert_eq!(ends(half), (WindowEnd::RolledBack, killed.into(), old.clone()));
    std::fs::remove_file(folder.path().join("made")).unwrap_or_default();
    let whole = format!("{half}1.3 swapped changed\n1.4 swapped gone\n");
    assert_eq!(
        ends(&format!("{whole}1.5 starting\n")),
        (WindowEnd::Done, format!("process 200 serves; {killed}"), new)
    );
}

#[test]
fn nothing_is_started_when_systemd_has_read_other_files_than_planned() {
    let folder = tempfile::TempDir::new().unwrap();
    // The way back is closed, but a program that never ran has closed nothing. The first start is that of the old program.
    let (end, detail, _) = this_on_a_host(of_files(folder.path(), "/etc/d/c.conf"), "", SERVES);
    let found = "/etc/u /etc/d/a.conf /etc/d/b.conf";
    assert_eq!(detail, format!("systemd has read other files of etcd.service than planned: {found}"));
    assert_eq!((end, held(folder.path())), (WindowEnd::RolledBack, [None, Some("old".into()), Some("old".into())]));
}

#[test]
fn a_window_that_comes_late_does_not_stop_what_another_run_has_taken_over() {
    let folder = tempfile::TempDir::new().unwrap();
    let lock = folder.path().join("etcd");
    let fence = Lock::at(path(lock.to_str().unwrap())).fence("A");
    let serves = "is active running 200 f10; : >confirmed";
    let window = || Window { swaps: Vec::new(), identity: None, take_back: TakeBack::Open, ..window() };
    let ends = || fenced_on_a_host(window(), Some(&fence), "", serves);
    let refused = (WindowEnd::Refused, format!("the lock {} is no longer run A's", lock.display()), None);
    assert_eq!(ends(), refused);
    std::fs::write(&lock, "run=B\nwhat=run=A\n").unwrap();
    assert_eq!(ends(), refused);
    std::fs::write(&lock, "run=A\n").unwrap();
    assert_eq!(ends(), (WindowEnd::Done, "process 200 serves".into(), None));
}
