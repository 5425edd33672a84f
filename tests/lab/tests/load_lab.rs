//! The load on real labs, also over TLS. Needs root and what `scripts/setup` installs.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_lab::load::{LoadOptions, Report};
use quorate_lab::{BASTION, Ends, Fault, HEALTHY, Lab, LabError, Loss, wait_until};

/// This package's own command, which the load's process is.
const LAB: &str = env!("CARGO_BIN_EXE_lab");

/// One lab at a time: what a load reaches says little when two share the machine.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the load has some more operations on record.
fn more_operations(lab: &Lab) {
    let history = lab.site().path("load/0001/history.jsonl");
    let lines = || std::fs::read_to_string(&history).unwrap_or_default().lines().count();
    let wanted = lines() + 300;
    let look = || if lines() >= wanted { Ok(()) } else { Err(format!("{} of {wanted}", lines())) };
    wait_until("operations on record", Duration::from_secs(60), look).unwrap();
}

fn leader(lab: &Lab) -> String {
    let status = lab.status();
    let leads = |member: &&quorate_lab::MemberStatus| member.role.as_deref() == Some("leader");
    status.iter().find(leads).unwrap().host.clone()
}

fn well(report: &Report) {
    assert!(report.ok && report.acked >= 100, "{report:?}");
    assert_eq!(report.lost + report.ghost + report.order + report.stale + report.chain + report.end, 0, "{report:?}");
}

#[test]
fn a_load_of_its_own_process_outlives_a_dead_leader_and_a_cut_control_link() {
    let _turn = alone();
    let lab = Lab::builder().start().unwrap();
    lab.start_load(Path::new(LAB), LoadOptions::default()).unwrap();
    assert!(lab.start_load(Path::new(LAB), LoadOptions::default()).is_err(), "there is one already");
    assert!(matches!(lab.check_load(), Err(LabError::Load(_))), "a load that runs is not checked");
    let cut = Fault::Link(Loss::Both, Ends::All);
    lab.fault(&cut, BASTION).unwrap();
    more_operations(&lab);
    lab.fault(&Fault::KillEtcd, &leader(&lab)).unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
    more_operations(&lab);
    lab.mend(&cut, BASTION).unwrap();
    lab.stop_load().unwrap();
    let report = lab.check_load().unwrap();
    well(&report);
    assert!(report.no + report.unknown > 0, "a dead leader is felt: {report:?}");
    assert!(report.gap_ms < 10_000.0, "{report:?}");
}

#[test]
fn a_load_in_this_process_over_tls_sees_a_member_that_is_away_at_the_end() {
    let _turn = alone();
    let lab = Lab::builder().tls(true).start().unwrap();
    let load = lab.load(LoadOptions::default()).unwrap();
    more_operations(&lab);
    load.stop().unwrap();
    well(&lab.check_load().unwrap());
    let cut = Fault::Link(Loss::Reset, Ends::All);
    lab.fault(&cut, "etcd2").unwrap();
    let report = lab.check_load().unwrap();
    lab.mend(&cut, "etcd2").unwrap();
    assert!(!report.ok && report.end > 0 && report.lost == 0, "{report:?}");
}
