//! A cluster of one member: it is away while it restarts, which has to be accepted, and it goes back by itself to a binary that refuses a
//! cluster which has risen.

use std::{fs, process};

use quorate_lab::{HEALTHY, Lab};
use sha2::{Digest as _, Sha256};

use crate::own_turn;
use crate::quorate::Roll;
use crate::way_back::ends_at_once;

const OLD: &str = "3.4.23";
const NEW: &str = "3.5.35";

#[test]
fn the_only_member_is_rolled_by_leave_alone_and_goes_back_from_a_program_that_ends_at_once() {
    let _turn = own_turn();
    let name = format!("alone-{}", process::id());
    let lab = Lab::builder().name(&name).bastion(false).members(1).etcd(OLD).release(NEW).start().unwrap();
    let state = tempfile::tempdir().unwrap();
    let roll = || Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path());
    let says = |version: &str| {
        lab.wait_healthy(HEALTHY).unwrap();
        let status = lab.status().remove(0);
        assert_eq!(status.version.as_deref(), Some(version), "{status:?}");
    };

    roll().to(NEW, &lab).run().ended(3).says(&["would leave 0 of 1 members and the quorum is 1"]);
    says(OLD);

    let broken = ends_at_once(state.path(), NEW);
    let sum: String = Sha256::digest(fs::read(&broken).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    let ran = roll().var("accept_downtime", "true").var("etcd_version", NEW).var("etcd_binary", &broken);
    let ran = ran.var("etcd_binary_sha256", sum).run();
    ran.ended(10).says(&["did not come up", &format!("the member is back on {OLD} and healthy")]);
    says(OLD);

    roll().var("accept_downtime", "true").to(NEW, &lab).run().ended(0);
    says(NEW);
}
