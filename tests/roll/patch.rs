//! A roll to another patch of the same minor: 2.0 knows no cluster version, so there is none to wait for.

use std::process;

use quorate_lab::{HEALTHY, Lab, binaries};

use crate::own_turn;
use crate::quorate::Roll;
use crate::standing::{assert_nothing_to_do, said};

#[test]
fn rolls_a_patch_of_2_0_and_again_with_nothing_left_to_do() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("patch-{}", process::id())).start().unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
    let state = tempfile::tempdir().unwrap();
    let releases = binaries::folder("2.0.8").unwrap();
    let roll = || {
        let roll = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path());
        roll.var("etcd_version", "2.0.8").var("etcd_releases", &releases)
    };
    roll().run().ended(0).says(&["2.0.5 -> 2.0.8, caught up", "all 3 members run 2.0.8"]);
    for host in lab.members() {
        let says = said(&lab, &host.name, "/usr/local/bin/etcd --version");
        assert!(says.contains("2.0.8"), "{}: {says}", host.name);
    }
    assert_nothing_to_do(&lab, roll());
}
