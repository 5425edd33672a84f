//! How a host stands: its files and its etcd process, to be compared before and after.

use std::collections::{BTreeMap, BTreeSet};

use quorate_lab::Lab;

use crate::quorate::Roll;

/// Prints a line a file: path, kind, mode, owner, size, time of change; then of programs, which are large, inode and the time that nobody can
/// set, and of what else matters most the sums. Left out is
/// what changes by itself: the kernel's and systemd's own, logs, sudo's record of who typed a password, and what is inside
/// of the data directory, and of that of the log where it has one of its own: there etcd writes all the time.
const FILES: &str = r#"
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log \
    -o -path /var/lib/systemd -o -path /var/lib/sudo -o -path /var/lib/etcd/member -o -path '/var/lib/etcd-log/*' \) -prune \
    -o -printf '%p %y %m %U:%G %s %T@ %l\n'
find /var/lib/etcd -maxdepth 2 -printf '%p %y %m %U:%G\n'
find /tmp /var/tmp -mindepth 1 -not -path '*systemd-private-*' -printf '%p %y\n'
find /usr/local/bin -xdev -type f -printf '%p %i %C@\n'
find /etc /var/lib/quorate -xdev -type f -exec sha256sum {} + 2>/dev/null
true
"#;

/// Prints what systemd says of etcd and of what quorate might have started, and which etcd processes there are.
const PROCESSES: &str = r#"
systemctl show etcd.service --property=MainPID,InvocationID,NRestarts,ActiveState,FragmentPath,DropInPaths
systemctl list-units --all --plain --no-legend 'quorate*'
for exe in /proc/[0-9]*/exe; do case $(readlink "$exe") in */etcd*) echo "$exe $(readlink "$exe")" ;; esac; done
"#;

/// How each member's host stands, line by line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing(BTreeMap<String, Vec<String>>);

impl Standing {
    /// Looks at every member's host that is up.
    pub(crate) fn of(lab: &Lab) -> Self {
        let look = |host: quorate_lab::Host| {
            let mut lines = Vec::new();
            for script in [FILES, PROCESSES] {
                lines.extend(said(lab, &host.name, script).lines().map(str::to_owned));
            }
            lines.sort();
            (host.name, lines)
        };
        Self(lab.members().into_iter().map(look).collect())
    }

    /// The same without the times of folders, which a file moves that comes and goes again.
    pub(crate) fn without_folder_times(mut self) -> Self {
        for line in self.0.values_mut().flatten() {
            let words: Vec<&str> = line.split(' ').collect();
            // The path may have blanks in it; `d mode owner size time` and the empty place of a link's target end the line.
            if let [path @ .., "d", mode, owner, _, _, ""] = words.as_slice() {
                *line = format!("{} d {mode} {owner}", path.join(" "));
            }
        }
        self
    }

    /// Stops the test if the other, taken later, differs, and says in what.
    #[track_caller]
    pub(crate) fn assert_same(&self, now: &Self) {
        let mut changes = Vec::new();
        for (host, before) in &self.0 {
            let after = &now.0[host];
            assert!(before.len() > 1000, "{host} has too few files for a look at all of them: {}", before.len());
            let (was, is): (BTreeSet<_>, BTreeSet<_>) = (before.iter().collect(), after.iter().collect());
            changes.extend(was.difference(&is).map(|line| format!("{host} - {line}")));
            changes.extend(is.difference(&was).map(|line| format!("{host} + {line}")));
        }
        // Enough to see what it was.
        changes.truncate(40);
        assert!(changes.is_empty(), "changed:\n{}", changes.join("\n"));
    }

    /// Stops the test if anything is otherwise now, and says what.
    #[track_caller]
    pub(crate) fn assert_unchanged(&self, lab: &Lab) {
        self.assert_same(&Self::of(lab));
    }
}

/// Runs a roll on a cluster that is rolled already, and stops the test if it changes or restarts anything.
#[track_caller]
pub(crate) fn assert_nothing_to_do(lab: &Lab, roll: Roll) {
    let (standing, before) = (Standing::of(lab), starts(lab));
    let again = roll.run();
    let recap = again.ended(0).recap();
    assert_eq!(recap.len(), lab.members().len(), "{again}");
    for (host, counts) in recap {
        assert_eq!([counts["changed"], counts["failed"], counts["unreachable"]], [0; 3], "{host}: {again}");
    }
    assert_eq!(starts(lab), before, "{again}");
    standing.assert_unchanged(lab);
}

/// What a script says that runs as root on a host; it has to succeed.
#[track_caller]
pub(crate) fn said(lab: &Lab, host: &str, script: &str) -> String {
    let output = lab.exec(host, &["sh", "-c", script]).expect("the host is up");
    assert!(output.status.success(), "{host}: {script}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What tells one start of each member's etcd from another: InvocationID, restarts and process.
pub(crate) fn starts(lab: &Lab) -> Vec<String> {
    let show = "systemctl show etcd.service --property=InvocationID,NRestarts,MainPID";
    lab.members().iter().map(|host| said(lab, &host.name, show)).collect()
}
