//! What lies on a host and listens there, to be compared before and after.

use std::collections::BTreeSet;

use quorate_lab::{Lab, PROGRAM_DIR, UNIT};

use super::table::Pair;

/// Prints a line a file (path, kind, mode, owner, target), what systemd has that could be left over, and who listens. Left out is what
/// changes by itself: the kernel's, logs, systemd's and sudo's own records, and the inside of the data directory, which others look at.
const SCRIPT: &str = r#"
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /var/log -o -path /var/lib/systemd -o -path /var/lib/sudo \
    -o -path /var/lib/etcd/member -o -name 'systemd-private-*' \) -prune -o -printf 'file %p %y %m %U:%G %l\n'
find /run/quorate /run/systemd/system /run/systemd/transient /run/systemd/system.control -printf 'file %p %y %m %U:%G %l\n' 2>/dev/null
systemctl list-units --all --plain --no-legend 'quorate*' | sed 's/^/unit /'
systemctl list-unit-files --plain --no-legend --state=masked,masked-runtime | sed 's/^/masked /'
systemctl show etcd.service --property=FragmentPath,DropInPaths | sed 's/^/etcd /'
ss -Hltn | awk '{ print "listens " $4 }'
"#;

/// A host's, line by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing(BTreeSet<String>);

impl Listing {
    /// Of a host that is up.
    pub(crate) fn of(lab: &Lab, host: &str) -> Self {
        let output = lab.exec(host, &["sh", "-c", SCRIPT]).unwrap();
        let lines: BTreeSet<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        assert!(lines.len() > 1000, "{host} has too few files for a look at all of them: {output:?}");
        Self(lines)
    }

    /// What is there now and is none of what a roll leaves on purpose, and what is gone.
    pub(crate) fn strays(&self, now: &Self, pair: &Pair) -> Vec<String> {
        let more = now.0.difference(&self.0).filter(|line| !is_meant(line, pair)).map(|line| format!("+ {line}"));
        let gone = self.0.difference(&now.0).filter(|line| !is_ours(line)).map(|line| format!("- {line}"));
        more.chain(gone).collect()
    }
}

/// What makes a window slow is this suite's, and is taken away in between.
fn is_ours(line: &str) -> bool {
    let folder = format!("/etc/systemd/system/{UNIT}.d");
    let own =
        [format!("{folder}/slow.conf"), format!("{folder}/fault.conf"), "/usr/local/sbin/sync".to_owned(), folder];
    let path = line.strip_prefix("file ").and_then(|rest| rest.split(' ').next());
    path.is_some_and(|path| own.iter().any(|own| own == path)) || line.starts_with("etcd DropInPaths=")
}

/// What a roll leaves: both versions beside the program, and the traces of its windows.
fn is_meant(line: &str, pair: &Pair) -> bool {
    if is_ours(line) {
        return true;
    }
    let mut words = line.split(' ');
    let (Some("file"), Some(path), kind) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    // The swapped programs themselves: byte by byte they are looked at elsewhere.
    let kept = |program: &str| {
        [&pair.old, &pair.new].iter().any(|version| path == format!("{PROGRAM_DIR}/{program}.{version}"))
    };
    if ["etcd", "etcdctl", "etcdutl"].into_iter().any(kept) {
        return kind == Some("f") && line.ends_with(" 755 0:0 ");
    }
    match path.strip_prefix("/var/lib/quorate") {
        Some("" | "/backups" | "/windows" | "/locks") => kind == Some("d"),
        Some(below) => below.strip_prefix("/windows/").is_some_and(is_trace),
        // The folder of locks is on memory, and empty when nobody rolls.
        None => matches!(
            path,
            "/run/quorate" | "/run/quorate/locks" | "/run/systemd/transient" | "/run/systemd/system.control"
        ),
    }
}

/// A window's folder, or a file in it that is whole.
fn is_trace(below: &str) -> bool {
    const NAMES: [&str; 15] = [
        "companions",
        "confirmed",
        "leave",
        "no-leave",
        "files",
        "intent",
        "journal",
        "judged",
        // Of a transaction that came to no end.
        "sums",
        "log",
        "peers",
        "plan",
        "result",
        "window.sh",
        "no_return",
    ];
    match below.split_once('/') {
        None => true,
        Some((_, name)) => NAMES.contains(&name),
    }
}

#[test]
fn what_a_roll_leaves_is_meant_and_nothing_else() {
    for line in [
        "file /usr/local/bin/etcd.2.0.5 f 755 0:0 ",
        "file /var/lib/quorate/windows/01X-etcd1-2-1-1 d 700 0:0 ",
        "file /var/lib/quorate/windows/01X-etcd1-2-1-1/result f 600 0:0 ",
        "file /run/quorate/locks d 700 0:0 ",
    ] {
        assert!(is_meant(line, &Pair::first()), "{line}");
    }
    for line in [
        "file /usr/local/bin/etcd.2.0.5 f 777 0:0 ",
        "file /usr/local/bin/etcd.quorate-new f 755 0:0 ",
        "file /usr/local/bin/.quorate-01X f 755 0:0 ",
        "file /var/lib/quorate/windows/01X-etcd1-2-1-1/.result.new f 600 0:0 ",
        "file /var/lib/quorate/backups/01X d 700 0:0 ",
        "file /run/quorate/locks/etcd.lock f 600 0:0 ",
        "unit quorate-window-etcd.service loaded failed failed",
        "masked etcd.service masked",
        "listens 127.0.0.1:40001",
    ] {
        assert!(!is_meant(line, &Pair::first()), "{line}");
    }
}
