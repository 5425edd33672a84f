use super::*;

fn path(text: &str) -> RemotePath {
    RemotePath::from_absolute(text).unwrap()
}

fn window() -> Window {
    Window {
        name: "01ABC-etcd1".into(),
        unit: "etcd.service".into(),
        invocation: "f00".into(),
        swaps: vec![Swap {
            target: path("/usr/local/bin/etcd"),
            staged: path("/usr/local/bin/etcd.2.1.1"),
            kept: path("/usr/local/bin/etcd.2.0.5"),
            want: "11".into(),
            before: "22".into(),
        }],
        reload: false,
        identity: Some((path("/var/lib/etcd/member/wal"), "08".into())),
        serve: Serve { address: "10.0.0.1".into(), port: 2379, path: Some("/version".into()) },
        take_back: TakeBack::Ask(vec![(
            Serve { address: "10.0.0.2".into(), port: 2379, path: Some("/version".into()) },
            "it's \"2.1".into(),
        )]),
        stop: Duration::from_secs(105),
        start: Duration::from_secs(60),
        soak: Duration::from_millis(10),
    }
}

#[test]
fn a_plan_is_read_back_by_sh_as_it_was_meant() {
    let mut window = window();
    window.serve.path = Some("/a'b $(touch /x) `id`".into());
    let script = format!("{}printf '%s|' \"$unit\" \"$serve_path\" \"$soak_seconds\" \"$way_back\"", window.plan());
    let out = std::process::Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "etcd.service|/a'b $(touch /x) `id`|1|ask|");
}

#[test]
fn files_and_peers_are_lines_of_fields() {
    let window = window();
    assert_eq!(window.files().split('\t').count(), 5);
    assert_eq!(window.asked().1, "10.0.0.2\t2379\t/version\tit's \"2.1\n");
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
fn the_script_is_plain_sh() {
    let out = std::process::Command::new("/bin/dash").args(["-n", "-c", SCRIPT]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}
