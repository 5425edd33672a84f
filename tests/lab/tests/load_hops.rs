//! A load goes on while its cluster is upgraded under it, minor by minor, and loses nothing.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_lab::load::{Api, LoadOptions};
use quorate_lab::{Fault, HEALTHY, Lab, UNIT, binaries, wait_until};

/// The cluster version follows within 5 s of the last member.
const DECIDED: Duration = Duration::from_secs(30);

/// One lab at a time: what a load reaches says little when two share the machine.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every member in turn gets the version's binary and is restarted; the next one waits until all are well.
fn hop(lab: &Lab, version: &str) {
    let program = binaries::folder(version).unwrap().join("etcd");
    for host in lab.members() {
        lab.fault(&Fault::Binary(program.clone()), &host.name).unwrap();
        let restart = lab.exec(&host.name, &["systemctl", "restart", UNIT]).unwrap();
        assert!(restart.status.success(), "{version}: {restart:?}");
        lab.wait_healthy(HEALTHY).unwrap();
    }
    let minor = version.rsplit_once('.').unwrap().0.to_owned() + ".0";
    wait_until(version, DECIDED, || {
        let status = lab.status();
        let there = status.iter().all(|member| member.cluster_version.as_deref() == Some(&minor));
        if there { Ok(()) } else { Err(format!("{status:#?}")) }
    })
    .unwrap();
}

/// Runs a load from the first version over all others to the last one, and wants nothing lost.
fn over(versions: &[&str], api: Api) {
    let _turn = alone();
    let (first, others) = versions.split_first().unwrap();
    let lab = Lab::builder().etcd(first).bastion(false).start().unwrap();
    let options = LoadOptions { clients: Some(12), rate: Some(60.0), ..LoadOptions::USUAL };
    assert_eq!(lab.load_plan(options).api, api, "the cluster's own interface is the usual one");
    let load = lab.load(options).unwrap();
    others.iter().for_each(|version| hop(&lab, version));
    load.stop().unwrap();
    let report = lab.check_load().unwrap();
    assert!(report.ok && report.acked >= 100, "{report:?}");
    lab.down().unwrap();
}

#[test]
fn a_v2_load_goes_on_from_2_3_to_the_last_that_serves_v2_unasked() {
    over(&["2.3.8", "3.0.17", "3.1.20", "3.2.32", "3.3.27"], Api::V2);
}

#[test]
fn a_v3_load_goes_on_while_the_gateway_moves_to_another_prefix_twice() {
    over(&["3.2.32", "3.3.27", "3.4.13", "3.5.35", "3.6.16"], Api::V3);
}
