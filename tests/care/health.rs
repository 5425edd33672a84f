//! `etcd-health.yml`: 0 for a sound cluster, 11 with one member down, and nothing is changed.

use quorate_lab::{Fault, Lab};

use crate::quorate::run;
use crate::{new, old, untouched};

fn says_whether_it_is_sound(lab: &Lab) {
    let before = untouched(lab);
    run(lab, "etcd-health.yml", &[]).ended(0).changed(0);
    assert_eq!(untouched(lab), before);
    lab.fault(&Fault::StopEtcd, "etcd2").unwrap();
    let before = untouched(lab);
    let ran = run(lab, "etcd-health.yml", &["-e", "etcd_health_timeout=2"]);
    let after = untouched(lab);
    lab.mend(&Fault::StopEtcd, "etcd2").unwrap();
    ran.ended(11).says(&[
        "etcd2: etcd.service has no running process: it is inactive (dead)",
        "2 of 3 members answer reads through raft",
    ]);
    assert_eq!(after, before);
}

#[test]
fn tells_a_sound_cluster_of_2_0_5_from_one_with_a_member_down() {
    let (lab, _turn) = old();
    says_whether_it_is_sound(lab);
}

#[test]
fn tells_a_sound_cluster_of_3_5_35_from_one_with_a_member_down() {
    let (lab, _turn) = new();
    says_whether_it_is_sound(lab);
}
