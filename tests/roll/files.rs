//! Unit file, drop-ins and environment files go with the program: to the new ones, and back.

use std::fs;
use std::path::Path;
use std::process;

use quorate_lab::{HEALTHY, Lab};

use crate::own_turn;
use crate::quorate::{Ran, Roll};
use crate::standing::{Standing, assert_nothing_to_do, said};
use crate::unrolled::changes_nothing;

const ENVIRONMENT: &str = "/etc/default/etcd";
const FOLDER: &str = "/etc/systemd/system/etcd.service.d";

/// A file of variables with `etcd_files` as that YAML says.
fn variables(folder: &Path, files: &str) -> String {
    let path = folder.join("files.yml");
    fs::write(&path, format!("etcd_files:\n{files}")).unwrap();
    format!("@{}", path.display())
}

/// An item of the list with a text of its own.
fn item(dest: &str, text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("      {line}\n")).collect();
    format!("  - dest: {dest}\n    content: |\n{lines}")
}

/// The usual roll with those files.
fn roll(lab: &Lab, state: &Path, files: &str) -> Roll {
    let variables = variables(state, files);
    Roll::to_2_1_1(lab, state).with("-e", variables)
}

#[track_caller]
fn refused(lab: &Lab, files: &str, words: &[&str]) {
    let ran = changes_nothing(lab, |state| roll(lab, state, files));
    ran.ended(3).says(words).says(&["refused before any change"]);
}

/// What etcd's process on a host was started with.
fn process(lab: &Lab, host: &str) -> String {
    said(
        lab,
        host,
        "pid=$(systemctl show -p MainPID etcd | cut -d= -f2); tr '\\0' '\\n' </proc/$pid/environ; cat /proc/$pid/limits",
    )
}

/// The sums of the program and of all files that systemd reads of etcd.
fn sums(lab: &Lab, host: &str) -> String {
    let names = format!("/usr/local/bin/etcd {ENVIRONMENT} /etc/systemd/system/etcd.service {FOLDER}/*.conf");
    said(lab, host, &format!("sha256sum {names} 2>/dev/null; systemctl show -p DropInPaths,NeedDaemonReload etcd"))
}

#[track_caller]
fn all_changed(ran: &Ran) {
    let recap = ran.recap();
    assert_eq!(recap.len(), 3, "{ran}");
    for (host, counts) in recap {
        assert!(counts["changed"] > 0, "{host}: {ran}");
    }
}

#[test]
fn files_go_with_the_program_and_back_with_it() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("files-{}", process::id())).bastion(false).start().expect("a lab");
    lab.wait_healthy(HEALTHY).unwrap();
    let state = tempfile::tempdir().unwrap();

    // Refused on paper.
    let ran = changes_nothing(&lab, |state| {
        roll(&lab, state, "  - src: none/{{ inventory_hostname }}\n    dest: /etc/default/etcd\n")
    });
    ran.ended(5);
    for host in ["etcd1", "etcd2", "etcd3"] {
        assert!(ran.complained.contains(&format!("none/{host}")), "{ran}");
    }
    let ran =
        changes_nothing(&lab, |state| roll(&lab, state, "  - dest: /etc/default/etcd\n    content: a\n    mode: 1\n"));
    ran.ended(5);
    assert!(ran.complained.contains("an item has no `mode`"), "{ran}");

    // Refused on the hosts.
    let other =
        item(&format!("{FOLDER}/data.conf"), "[Service]\nEnvironment=ETCD_DATA_DIR=/srv/etcd\nEnvironmentFile=");
    refused(&lab, &other, &["would start with another"]);
    let empty = item(ENVIRONMENT, "ETCD_NAME={{ inventory_hostname }}\nETCD_DATA_DIR=/srv/etcd");
    refused(&lab, &empty, &["would start with another data-dir", "expected `/var/lib/etcd`", "found    `/srv/etcd`"]);
    let program = item(&format!("{FOLDER}/a.conf"), "[Service]\nExecStart=\nExecStart=/usr/bin/etcd");
    refused(&lab, &program, &["would start another program", "found    /usr/bin/etcd"]);
    let kind = item(&format!("{FOLDER}/a.conf"), "[Service]\nType=notify");
    refused(&lab, &kind, &["would be Type=notify"]);
    let user = item(&format!("{FOLDER}/a.conf"), "[Service]\nUser=root");
    refused(&lab, &user, &["the new files change User"]);
    let unclear = item(&format!("{FOLDER}/a.conf"), "[Service]\nEnvironment=ETCD_NAME=%m");
    refused(&lab, &unclear, &["a.conf: Environment=ETCD_NAME=%m: the specifier %m, which only systemd knows"]);
    let named = item(&format!("{FOLDER}/a.conf"), "[Service]\nEnvironment=ETCD_NAME=%p-%H\nEnvironmentFile=");
    refused(&lab, &named, &["would start with another name", "found    `etcd-etcd1`"]);
    refused(&lab, &item("/etc/hosts", "x"), &["/etc/hosts is no file that the unit reads", ENVIRONMENT, FOLDER]);

    // A start that fails, with a new drop-in and another environment file: all of it comes back.
    let old = sums(&lab, "etcd1");
    let before: String = said(&lab, "etcd1", &format!("cat {ENVIRONMENT}"));
    let host_file =
        |host: &str| format!("{}ETCD_SNAPSHOT_COUNT=5000\n", said(&lab, host, &format!("cat {ENVIRONMENT}")));
    for host in ["etcd1", "etcd2", "etcd3"] {
        fs::write(state.path().join(host), host_file(host)).unwrap();
    }
    let environment =
        format!("  - dest: {ENVIRONMENT}\n    src: {}/{{{{ inventory_hostname }}}}\n", state.path().display());
    let fails = environment.clone() + &item(&format!("{FOLDER}/fails.conf"), "[Service]\nExecStartPre=/bin/false");
    let ran = roll(&lab, state.path(), &fails).var("etcd_start_timeout", "15").run();
    ran.ended(10).says(&["is back on 2.0.5 and healthy"]);
    assert_eq!(sums(&lab, "etcd1"), old, "{ran}");
    assert_eq!(said(&lab, "etcd1", &format!("cat {ENVIRONMENT}")), before, "{ran}");
    lab.wait_healthy(HEALTHY).unwrap();

    // To the new ones.
    let good = environment + &item(&format!("{FOLDER}/limits.conf"), "[Service]\nLimitNOFILE=10001");
    let check = Standing::of(&lab);
    let ran = roll(&lab, state.path(), &good).flag("--check").flag("--diff").run();
    ran.ended(0).says(&["+ETCD_SNAPSHOT_COUNT=5000", "+LimitNOFILE=10001"]);
    check.assert_unchanged(&lab);
    let ran = roll(&lab, state.path(), &good).run();
    ran.ended(0);
    for host in ["etcd1", "etcd2", "etcd3"] {
        let process = process(&lab, host);
        assert!(
            process.contains("ETCD_SNAPSHOT_COUNT=5000") && process.contains("Max open files            10001"),
            "{host}: {process}\n{ran}"
        );
        let mode = said(&lab, host, &format!("stat -c '%a %U' {ENVIRONMENT} {FOLDER} {FOLDER}/limits.conf"));
        assert_eq!(mode, "644 root\n755 root\n644 root\n", "{host}");
    }

    // Again: nothing to do.
    assert_nothing_to_do(&lab, roll(&lab, state.path(), &good));

    // Files alone, under the same program.
    let more = good.replace("10001", "10002");
    let ran = roll(&lab, state.path(), &more).run();
    ran.ended(0);
    all_changed(&ran);
    for host in ["etcd1", "etcd2", "etcd3"] {
        assert!(process(&lab, host).contains("Max open files            10002"), "{host}: {ran}");
    }
}
