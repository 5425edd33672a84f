//! `etcd-restart.yml`: each member restarted once, one at a time, with nothing lost; and what is refused before that.

use std::time::Duration;

use quorate_lab::load::LoadOptions;
use quorate_lab::{HEALTHY, Lab};

use crate::quorate::run;
use crate::{all_said, new, old, said, untouched};

/// Light beside the roll on two cores, and still dozens of writes for each second that a member is down.
const LOAD: LoadOptions = LoadOptions { clients: Some(6), rate: Some(60.0), ..LoadOptions::USUAL };
/// Acknowledged writes that are waited for before and after: there is something to lose, and it is seen that writes go on.
const WRITES: u64 = 200;
const SOME: Duration = Duration::from_secs(120);

/// The starts after which etcd said something, by what journald knows of who says it. Not by systemd's own "Started": a busy journald that
/// does not take a message of systemd's within 10 ms never gets it (systemd src/basic/log.c, `create_log_socket`, read 2026-11-28).
const STARTS: &str =
    "journalctl _SYSTEMD_UNIT=etcd.service -o export | grep -a ^_SYSTEMD_INVOCATION_ID= | sort -u | wc -l";

/// How each member's unit was started: by which name and how often in all.
fn starts(lab: &Lab) -> Vec<(String, u32)> {
    let names = all_said(lab, "systemctl show -p InvocationID --value etcd.service");
    names.into_iter().zip(all_said(lab, STARTS)).map(|(name, count)| (name, count.parse().unwrap())).collect()
}

/// Stops the test unless each member was started anew exactly once, and systemd did not have to help.
#[track_caller]
fn assert_restarted_once(before: &[(String, u32)], lab: &Lab) {
    let after = starts(lab);
    assert_eq!(after.len(), before.len());
    for (old, new) in before.iter().zip(&after) {
        assert!(old.0 != new.0 && new.1 == old.1 + 1, "{before:?} {after:?}");
    }
    let restarts = all_said(lab, "systemctl show -p NRestarts --value etcd.service");
    assert!(restarts.iter().all(|count| count == "0"), "{restarts:?}");
}

/// When each member's unit was left and reached as active, in microseconds of the one clock that all containers share. A unit of type
/// notify is active only when etcd serves.
fn pauses(lab: &Lab) -> Vec<(u64, u64)> {
    let show = "systemctl show -p ActiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic etcd.service";
    let pause = |text: &String| {
        let time = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a time");
            line.parse().unwrap()
        };
        (time("ActiveExitTimestampMonotonic="), time("ActiveEnterTimestampMonotonic="))
    };
    all_said(lab, show).iter().map(pause).collect()
}

/// The first of them that begins before another one has ended.
fn overlap(pauses: &[(u64, u64)]) -> Option<[(u64, u64); 2]> {
    let mut sorted = pauses.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[1].0 < pair[0].1).map(|pair| [pair[0], pair[1]])
}

#[test]
fn two_pauses_at_once_are_found() {
    assert_eq!(overlap(&[(5, 7), (1, 3), (3, 5)]), None);
    assert_eq!(overlap(&[(5, 7), (1, 3), (6, 9)]), Some([(5, 7), (6, 9)]));
}

#[test]
fn restarts_3_5_35_under_a_load_one_at_a_time_with_a_drop_in_that_systemd_had_not_read() {
    let (lab, _turn) = new();
    // As an operator leaves it who has changed a unit by hand. Below the 20 000 that the lab's hosts may have.
    let drop_in = "mkdir -p /etc/systemd/system/etcd.service.d && \
        printf '[Service]\\nLimitNOFILE=10000\\n' >/etc/systemd/system/etcd.service.d/limits.conf";
    said(lab, "etcd2", drop_in);
    let load = lab.load(LOAD).unwrap();
    let mut acknowledged = load.acknowledged();
    acknowledged.wait_for(WRITES, SOME).unwrap();
    let before = starts(lab);
    let ran = run(lab, "etcd-restart.yml", &[]);
    acknowledged.wait_for_more(WRITES, SOME).unwrap();
    load.stop().unwrap();
    let report = lab.check_load().unwrap();
    ran.ended(0).says(&["have systemd read the files of etcd.service anew", "MEMBERS"]);
    let rows: Vec<Vec<&str>> = ran.lines("  etcd").iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 3, "{ran}");
    for row in rows {
        assert_eq!((row[2], row[3]), ("3.5.35", "3.5.35"), "{ran}");
    }
    assert!(report.ok && report.lost == 0 && report.acked >= 2 * WRITES, "{report:?}\n{ran}");
    assert_restarted_once(&before, lab);
    let pauses = pauses(lab);
    assert_eq!(overlap(&pauses), None, "{pauses:?}\n{ran}");
    let limit = said(lab, "etcd2", "grep 'open files' /proc/$(systemctl show -p MainPID --value etcd.service)/limits");
    assert!(limit.contains("10000"), "{limit}");
    let reload = all_said(lab, "systemctl show -p NeedDaemonReload --value etcd.service");
    assert_eq!(reload, ["no"; 3]);
}

#[test]
fn restarts_2_0_5() {
    let (lab, _turn) = old();
    let before = starts(lab);
    run(lab, "etcd-restart.yml", &["--check"]).ended(0).changed(1);
    assert_eq!(starts(lab), before);
    run(lab, "etcd-restart.yml", &[]).ended(0).changed(1).says(&["2.0.5, caught up", "MEMBERS"]);
    assert_restarted_once(&before, lab);
    lab.wait_healthy(HEALTHY).unwrap();
}

/// Runs it with something changed on one host, which must be refused before any member is stopped.
#[track_caller]
fn refuses(lab: &Lab, change: &str, back: &str, words: &[&str]) {
    said(lab, "etcd3", change);
    let before = untouched(lab);
    let ran = run(lab, "etcd-restart.yml", &[]);
    let after = untouched(lab);
    said(lab, "etcd3", back);
    ran.ended(3).says(words);
    assert_eq!(after, before);
}

#[test]
fn refuses_what_would_start_another_member_other_data_or_another_program() {
    let (lab, _turn) = old();
    refuses(
        lab,
        "cp -p /etc/default/etcd /root/etcd.env && echo ETCD_NAME=other >>/etc/default/etcd",
        "mv /root/etcd.env /etc/default/etcd",
        &["would start with another name"],
    );
    let folder = "/etc/systemd/system/etcd.service.d";
    refuses(
        lab,
        &format!(
            "mkdir -p {folder} && printf '[Service]\\nEnvironmentFile=/etc/default/other\\n' >{folder}/other.conf && \
             echo ETCD_DATA_DIR=/var/lib/other >/etc/default/other"
        ),
        &format!("rm -r {folder} /etc/default/other && systemctl daemon-reload"),
        &["would start with another data-dir"],
    );
    refuses(
        lab,
        "cp -p /usr/local/bin/etcd /root/etcd && cp -p /usr/local/bin/etcd /usr/local/bin/etcd.x && \
         printf x >>/usr/local/bin/etcd.x && mv /usr/local/bin/etcd.x /usr/local/bin/etcd",
        "cp -p /root/etcd /usr/local/bin/etcd.x && mv /usr/local/bin/etcd.x /usr/local/bin/etcd && rm /root/etcd",
        &["is not the program that runs"],
    );
}
