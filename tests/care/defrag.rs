//! `etcd-defrag.yml`: where it pays, leader last, also under a `NOSPACE` alarm; refused where there is no database.

use std::time::Duration;

use quorate_lab::{HEALTHY, Lab, wait_until};
use serde_json::Value;

use crate::quorate::run;
use crate::{all_said, new, old, said, untouched};

const CTL: &str = "export ETCDCTL_API=3; etcdctl() { command etcdctl --command-timeout=30s \"$@\"; }";
/// For a compaction to be done on every member.
const COMPACTED: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;
/// Bytes that the tests write, in values of 1 MB: more than the quota of the second test.
const VALUES: u32 = 40;

/// Size of the database and bytes of it in use, by member.
fn sizes(lab: &Lab) -> Vec<(u64, u64)> {
    let size = |text: &String| {
        let value: Value = serde_json::from_str(text).expect("JSON");
        let status = &value[0]["Status"];
        let number = |name: &str| status[name].as_u64().expect("a number");
        (number("dbSize"), number("dbSizeInUse"))
    };
    all_said(lab, &format!("{CTL}; etcdctl endpoint status -w json")).iter().map(size).collect()
}

/// Writes so many values of 1 MB, or until one is not taken, and some small ones before; whether all were taken.
fn write(lab: &Lab, values: u32) -> bool {
    let script = format!(
        "{CTL}; head -c 1000000 /dev/zero | tr '\\0' x >/tmp/value; echo x >/tmp/small
         put() {{ etcdctl put $1 <$2 >/dev/null 2>&1 || {{ echo refused; exit 0; }}; }}
         for n in 1 2 3 4 5; do put small/$n /tmp/small; done
         for n in $(seq {values}); do put big/$n /tmp/value; done; echo taken"
    );
    said(lab, "etcd1", &script).trim() == "taken"
}

/// Deletes them and compacts their history away, on all members. What was freed counts as free only some commits later, and a member
/// commits when it writes: so the small values go one by one, which is taken under an alarm too.
fn delete(lab: &Lab) {
    let script = format!(
        "{CTL}; etcdctl del --prefix big/ >/dev/null && \
         revision=$(etcdctl endpoint status -w json | sed 's/.*\"revision\":\\([0-9]*\\).*/\\1/') && \
         etcdctl compact --physical $revision >/dev/null && sleep 1 && \
         for n in 1 2 3 4 5; do etcdctl del small/$n >/dev/null && sleep 0.5; done"
    );
    said(lab, "etcd1", &script);
    wait_until("the compaction on all members", COMPACTED, || {
        let sizes = sizes(lab);
        if sizes.iter().all(|(_, used)| *used < 2 * MIB) { Ok(()) } else { Err(format!("{sizes:?}")) }
    })
    .unwrap();
}

fn leader(lab: &Lab) -> String {
    let leads = lab.status().into_iter().find(|member| member.role.as_deref() == Some("leader"));
    leads.expect("a leader").host
}

#[test]
fn shrinks_every_database_the_leaders_last_and_then_finds_nothing_to_do() {
    let (lab, _turn) = new();
    assert!(write(lab, VALUES));
    delete(lab);
    let before = sizes(lab);
    assert!(before.iter().all(|(size, _)| *size > 30 * MIB), "{before:?}");
    let (leader, starts) = (leader(lab), untouched(lab));
    // The usual least size is 64 MiB.
    run(lab, "etcd-defrag.yml", &[]).ended(0).changed(0).says(&["it pays from 64 MiB on"]);
    let least = ["-e", "etcd_min_size_mb=16"];
    let check = run(lab, "etcd-defrag.yml", &[&least[..], &["--check"]].concat());
    check.ended(0).changed(1).says(&[" MiB are free", "this was a check run, nothing was changed"]);
    assert_eq!(sizes(lab), before);
    let ran = run(lab, "etcd-defrag.yml", &least);
    ran.ended(0).changed(1).says(&["DATABASES"]);
    let order: Vec<&str> = ran.lines("defragmented: [").iter().filter_map(|line| line.split(']').next()).collect();
    assert!(order.len() == 3 && order.last() == Some(&leader.as_str()), "{leader} leads: {order:?}\n{ran}");
    let after = sizes(lab);
    assert!(after.iter().all(|(size, _)| *size < 4 * MIB), "{after:?}");
    run(lab, "etcd-defrag.yml", &least).ended(0).changed(0);
    assert_eq!(untouched(lab), starts, "no member was restarted, and nothing is left on the hosts");
    lab.wait_healthy(HEALTHY).unwrap();
}

#[test]
fn clears_a_no_space_alarm_so_that_writes_are_taken_again() {
    let (lab, _turn) = new();
    all_said(lab, "cp -p /etc/default/etcd /root/etcd.env; echo ETCD_QUOTA_BACKEND_BYTES=16777216 >>/etc/default/etcd");
    run(lab, "etcd-restart.yml", &[]).ended(0);
    assert!(!write(lab, VALUES), "the quota is 16 MiB");
    let alarms = format!("{CTL}; etcdctl alarm list");
    assert!(said(lab, "etcd1", &alarms).contains("alarm:NOSPACE"));
    // Nothing else looks past the alarm.
    let ran = run(lab, "etcd-restart.yml", &[]);
    ran.ended(11).says(&["knows of an alarm: NOSPACE"]);
    delete(lab);
    assert!(!write(lab, 1), "under the alarm no write is taken, however much is free");
    let ran = run(lab, "etcd-defrag.yml", &["-e", "etcd_disarm_nospace=true"]);
    ran.ended(0).says(&["begin: [", "disarm NOSPACE of member", "DATABASES"]);
    assert_eq!(said(lab, "etcd1", &alarms).trim(), "");
    assert!(write(lab, 4));
    let after = sizes(lab);
    assert!(after.iter().all(|(size, _)| *size < 12 * MIB), "{after:?}");
    delete(lab);
    all_said(lab, "mv /root/etcd.env /etc/default/etcd");
    run(lab, "etcd-restart.yml", &[]).ended(0);
}

#[test]
fn refuses_2_0_5_which_has_no_database() {
    let (lab, _turn) = old();
    let before = untouched(lab);
    run(lab, "etcd-defrag.yml", &[]).ended(3).says(&["it has no database to defragment"]);
    assert_eq!(untouched(lab), before);
}
