//! What waits on the way for who goes by hand: new members that do not serve, though each hop was done as its guide says. Each trap is
//! shown without the cure first, by the words of the member itself; then the member gets its old program back and quorate takes the same
//! cluster past it. That the cures lose nothing and cost no further restart is shown by the long walk (`walk.rs`).

use std::process;

use quorate_lab::{Lab, LabBuilder, wait_until};

use crate::by_hand::{dies_of, hop, hop_unasked, journal, start, status, swap, v3};
use crate::own_turn;
use crate::quorate::{Ran, Roll};
use crate::standing::{assert_nothing_to_do, said, starts};
use crate::walk::assert_no_trace;

/// The member that goes first.
const FIRST: &str = "etcd1";

fn lab(name: &str) -> LabBuilder {
    Lab::builder().name(&format!("{name}-{}", process::id())).bastion(false)
}

/// Takes the whole cluster to a version with quorate.
#[track_caller]
fn quorate_passes(lab: &Lab, to: &str) -> Ran {
    let state = tempfile::tempdir().unwrap();
    let ran = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state.path()).to(to, lab).run();
    ran.ended(0).says(&[&format!("all 3 members run {to}")]);
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some(to), "{member:?}\n{ran}");
    }
    ran
}

/// Data of 2.3 with a raft snapshot, and no write by v3: 3.0 takes it, 3.1 looks for a snapshot of a database that there never was.
#[test]
fn trap_a_3_1_panics_on_a_snapshot_of_2_3_without_a_v3_write() {
    let _turn = own_turn();
    let lab = lab("trap-a").etcd("2.3.8").release("3.1.20").start().unwrap();
    for host in lab.members() {
        said(&lab, &host.name, "echo ETCD_SNAPSHOT_COUNT=5 >>/etc/default/etcd");
    }
    hop(&lab, "2.3.8");
    said(&lab, FIRST, "for n in $(seq 20); do etcdctl set /trap/$n $n >/dev/null || exit 1; done");
    for host in lab.members() {
        wait_until("a raft snapshot", quorate_lab::HEALTHY, || {
            let found = said(&lab, &host.name, "find /var/lib/etcd/member/snap -name '*.snap'");
            if found.is_empty() { Err(host.name.clone()) } else { Ok(()) }
        })
        .unwrap();
        // A snapshot by 3.0 would be a cure as well.
        said(&lab, &host.name, "sed -i /SNAPSHOT_COUNT/d /etc/default/etcd");
    }
    hop_unasked(&lab, "3.0.17");
    dies_of(&lab, FIRST, "3.1.20", "failed to find database snapshot file");
    swap(&lab, FIRST, "3.0.17");
    quorate_passes(&lab, "3.1.20").says(&["write to the v3 store, in which there was no write yet"]);
}

/// Entries of the v2 store in the log, though its last key is long gone: 3.6 does not start on them.
#[test]
fn trap_b_3_6_panics_on_v2_entries_in_the_log() {
    let _turn = own_turn();
    let lab = lab("trap-b").etcd("3.5.35").enable_v2(true).release("3.6.16").release("3.7.3").start().unwrap();
    said(
        &lab,
        FIRST,
        "export ETCDCTL_API=2; for n in 1 2 3; do etcdctl set /trap $n && etcdctl rm /trap || exit 1; done",
    );
    dies_of(&lab, FIRST, "3.6.16", "detected disallowed v2 WAL for stage --v2-deprecation=write-only");
    swap(&lab, FIRST, "3.5.35");
    // And past trap C in the same run: what 3.5 has written is in the log when 3.6 begins.
    quorate_passes(&lab, "3.7.3");
}

/// Such entries behind snapshots that are young enough: no snapshot is taken for them, and 3.6 would end on them.
#[test]
fn v2_entries_behind_the_last_snapshot_are_seen_before_a_member_is_stopped() {
    let _turn = own_turn();
    let lab = lab("trap-b2").etcd("3.5.35").enable_v2(true).release("3.6.16").start().unwrap();
    restarted(&lab, "echo ETCD_SNAPSHOT_COUNT=100 >>/etc/default/etcd");
    with_snapshots(&lab);
    said(&lab, FIRST, "export ETCDCTL_API=2; etcdctl set /trap 1 && etcdctl rm /trap");
    let (state, before) = (tempfile::tempdir().unwrap(), starts(&lab));
    let ran = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path()).to("3.6.16", &lab).run();
    assert_eq!(starts(&lab), before, "{ran}");
    assert!(!ran.said.contains("again, for a snapshot"), "{ran}");
    // The programs are staged by then.
    ran.ended(2).says(&[
        "its log has entries of the v2 store behind its last snapshot, on which 3.6.16 panics",
        "detected custom v2 content in WAL records",
        "nothing was stopped",
    ]);
    for host in lab.members() {
        assert_eq!(said(&lab, &host.name, "ls /var/lib/quorate/backups"), "", "{}: {ran}", host.name);
    }
    // What it says helps.
    restarted(&lab, "sed -i /ENABLE_V2/d /etc/default/etcd");
    quorate_passes(&lab, "3.6.16");
}

/// Content of the v2 store in the snapshots of members that do not serve it any more: no further snapshot is without it.
#[test]
fn v2_content_in_a_snapshot_is_seen_before_anything_is_restarted() {
    let _turn = own_turn();
    let lab = lab("trap-b3").etcd("3.5.35").enable_v2(true).release("3.6.16").start().unwrap();
    restarted(&lab, "echo ETCD_SNAPSHOT_COUNT=100 >>/etc/default/etcd");
    said(&lab, FIRST, "ETCDCTL_API=2 etcdctl set /trap 1");
    with_snapshots(&lab);
    restarted(&lab, "sed -i /ENABLE_V2/d /etc/default/etcd");
    let (state, before) = (tempfile::tempdir().unwrap(), starts(&lab));
    let ran = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path()).to("3.6.16", &lab).run();
    assert_eq!(starts(&lab), before, "{ran}");
    // The programs are staged by then.
    ran.ended(2).says(&["its v2 store has content, on which 3.6.16 does not start", "put `enable-v2=true` into"]);
    // What it says helps.
    restarted(&lab, "echo ETCD_ENABLE_V2=true >>/etc/default/etcd");
    said(&lab, FIRST, "ETCDCTL_API=2 etcdctl rm /trap");
    quorate_passes(&lab, "3.6.16");
}

/// Every member restarted after a change to its host, one after the other.
fn restarted(lab: &Lab, edit: &str) {
    for host in lab.members() {
        said(lab, &host.name, &format!("{edit} && systemctl restart etcd"));
        lab.wait_healthy(quorate_lab::HEALTHY).unwrap();
    }
}

/// Has every member that takes a snapshot every 100 entries take one: in 150 writes, and none after what follows. So that it is told from the start
/// of the last process, by ages in whole seconds, that is old enough first.
fn with_snapshots(lab: &Lab) {
    older_than(lab, 5);
    said(lab, FIRST, "for n in $(seq 150); do ETCDCTL_API=3 etcdctl put /v3/$n $n >/dev/null || exit 1; done");
    for host in lab.members() {
        let taken = || match said(lab, &host.name, "ls /var/lib/etcd/member/snap").contains(".snap") {
            true => Ok(()),
            false => Err("none".to_owned()),
        };
        wait_until("a snapshot", quorate_lab::HEALTHY, taken).unwrap();
    }
}

/// Waits until each member's process has run for so many seconds.
fn older_than(lab: &Lab, seconds: u64) {
    for host in lab.members() {
        wait_until("a process that is old enough", quorate_lab::HEALTHY, || {
            let age = said(lab, &host.name, "ps -o etimes= -p $(systemctl show -p MainPID --value etcd)");
            let age: u64 = age.trim().parse().map_err(|_| age.clone())?;
            if age > seconds { Ok(()) } else { Err(format!("{age} s")) }
        })
        .unwrap();
    }
}

/// 3.5 writes its members and the cluster version as entries that 3.6 reads and 3.7 does not, and no snapshot lies between in a cluster
/// that is taken on at once.
#[test]
fn trap_c_3_7_panics_on_what_3_5_has_written() {
    let _turn = own_turn();
    let lab = lab("trap-c").etcd("3.5.35").release("3.6.16").release("3.7.3").start().unwrap();
    hop(&lab, "3.6.16");
    dies_of(&lab, FIRST, "3.7.3", "unmarshal should never fail");
    swap(&lab, FIRST, "3.6.16");
    let ran = quorate_passes(&lab, "3.7.3");
    ran.says(&["zz-quorate-snapshots.conf"]);
    assert_no_trace(&lab, &ran);
    for host in lab.members() {
        let says = said(&lab, &host.name, "etcdctl version");
        assert!(says.contains("etcdctl version: 3.7.3"), "{}: {says}\n{ran}", host.name);
    }
    let state = tempfile::tempdir().unwrap();
    let again = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path()).to("3.7.3", &lab);
    assert_nothing_to_do(&lab, again);
}

/// A log that reaches back to 2.x: 3.5 starts, says that it is healthy, and refuses every v3 call for ever.
#[test]
fn trap_l_3_5_is_deaf_where_the_log_reaches_back_to_2_x() {
    let _turn = own_turn();
    let lab = lab("trap-l").etcd("2.3.8").release("3.4.13").release("3.5.35").start().unwrap();
    for version in ["3.0.17", "3.1.20", "3.2.32", "3.3.27", "3.4.13"] {
        hop(&lab, version);
    }
    start(&lab, FIRST, "3.5.35");
    wait_until("3.5.35", quorate_lab::HEALTHY, || {
        let member = status(&lab, FIRST);
        if member.version.as_deref() == Some("3.5.35") { Ok(()) } else { Err(format!("{member:?}")) }
    })
    .unwrap();
    // It is in the cluster: what it lacks is not time.
    wait_until("a healthy member by its own word", quorate_lab::HEALTHY, || health(&lab)).unwrap();
    crate::by_hand::never_well(&lab, FIRST);
    health(&lab).unwrap();
    let answer = v3(&lab, FIRST, "maintenance/status", "{}");
    assert!(
        answer.contains(" 503 ") && answer.contains("etcdserver: not capable"),
        "{answer}\n{}",
        journal(&lab, FIRST)
    );
    swap(&lab, FIRST, "3.4.13");
    quorate_passes(&lab, "3.5.35");
}

/// What the first member says of its own health.
fn health(lab: &Lab) -> Result<(), String> {
    let address = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 2379));
    let told = lab.on_host(FIRST, || crate::roll_call::get(address, "/health")).unwrap()?;
    if told.contains(r#""health":"true""#) { Ok(()) } else { Err(told) }
}
