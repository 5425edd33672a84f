//! Members whose log lies on another disk than their data (`wal-dir`, from 2.2 on).

use std::process;
use std::sync::Arc;

use quorate_lab::load::LoadOptions;
use quorate_lab::{HEALTHY, Lab, Sudo, User};

use crate::own_turn;
use crate::quorate::Roll;
use crate::standing::{said, starts};
use crate::unrolled::changes_nothing;
use crate::watched::{Rolled, Writers};

/// On the system's disk; the data are on one of their own.
const LOG: &str = "/var/lib/etcd-log";
const VARIABLES: &str = "/etc/default/etcd";

const WRITERS: Writers = Writers {
    load: LoadOptions { clients: Some(12), rate: Some(40.0), ..LoadOptions::USUAL },
    before: 200,
    in_all: 600,
};

/// Moves each member's log out of its data.
fn apart(lab: &Lab) {
    for host in lab.members() {
        let script = format!(
            "systemctl stop etcd && install -d -m 700 -o etcd {LOG} && mv /var/lib/etcd/member/wal/* {LOG}/ && \
             rmdir /var/lib/etcd/member/wal && echo ETCD_WAL_DIR={LOG} >>{VARIABLES} && systemctl start etcd"
        );
        said(lab, &host.name, &script);
        lab.wait_healthy(HEALTHY).unwrap();
    }
}

/// Rolls such a cluster and wants nothing lost, and every log where it was.
fn hop(from: &str, to: &str) {
    let _turn = own_turn();
    let name = format!("wal-{}-{}", from.replace('.', ""), process::id());
    let lab = Lab::builder().name(&name).etcd(from).release(to).user(User::Ops).sudo(Sudo::Password).start().unwrap();
    let lab = Arc::new(lab);
    apart(&lab);
    let rolled = Rolled::on(lab, &WRITERS, |lab, state| {
        let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state).to(to, lab);
        roll.with("--become-password-file", lab.become_password_file().expect("a password"))
    });
    rolled.assert_all_members_run(to);
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();
    for host in rolled.lab.members() {
        let script = format!(
            "[ ! -e /var/lib/etcd/member/wal ] && pid=$(systemctl show -p MainPID --value etcd) && \
             ls -l /proc/$pid/fd | grep -c '{LOG}/.*[.]wal'"
        );
        assert!(said(&rolled.lab, &host.name, &script).trim().parse::<u32>().unwrap() > 0, "{}", rolled.ran);
    }
}

#[test]
fn rolls_2_2_to_2_3_with_the_logs_apart() {
    hop("2.2.5", "2.3.8");
}

#[test]
fn rolls_3_5_to_3_6_with_the_logs_apart() {
    hop("3.5.35", "3.6.16");
}

#[test]
fn refuses_a_member_whose_next_start_would_be_on_another_log() {
    let _turn = own_turn();
    let name = format!("wal-other-{}", process::id());
    let lab = Lab::builder().name(&name).bastion(false).etcd("3.5.35").start().unwrap();
    apart(&lab);
    // The process has read its variables; the next one would begin a log of its own.
    said(&lab, "etcd2", &format!("sed -i s,^ETCD_WAL_DIR=.*,ETCD_WAL_DIR={LOG}-new, {VARIABLES}"));
    let before = starts(&lab);
    let ran =
        changes_nothing(&lab, |state| Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state).to("3.6.16", &lab));
    ran.ended(3).says(&["etcd2: ", "wal-dir", "refused before any change"]);
    assert_eq!(starts(&lab), before, "{ran}");
}
