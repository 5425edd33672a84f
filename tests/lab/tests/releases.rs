//! Each minor of etcd as a lab of three: it comes up, and `lab status` is right about it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_lab::{Lab, LabBuilder, MemberStatus, binaries, wait_until};

/// What the cluster says of itself when all members run a version; 2.0 says nothing.
fn cluster_version(version: &str) -> Option<String> {
    let (minor, _) = version.rsplit_once('.').unwrap();
    (minor != "2.0").then(|| format!("{minor}.0"))
}

fn right(version: &str, members: &[MemberStatus]) -> Result<(), String> {
    let leaders = members.iter().filter(|member| member.role.as_deref() == Some("leader")).count();
    let well = |member: &MemberStatus| {
        member.version.as_deref() == Some(version)
            && member.cluster_version == cluster_version(version)
            && matches!(member.role.as_deref(), Some("leader" | "follower"))
            && member.healthy
            && member.unit.as_deref() == Some("active")
            && member.restarts == Some(0)
            && member.pid.is_some()
    };
    if members.len() == 3 && leaders == 1 && members.iter().all(well) { Ok(()) } else { Err(format!("{members:#?}")) }
}

/// The newest version of each minor, from 2.0 on.
fn minors() -> Vec<&'static str> {
    let mut minors = vec!["2.0.5"];
    while let Some(next) = binaries::after(minors.last().unwrap()) {
        minors.push(next);
    }
    minors
}

/// A 3.x decides on the cluster version up to 5 s after all members are there.
const DECIDED: Duration = Duration::from_secs(30);

/// One lab at a time, so that none is slow for the sake of another.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn comes_up(version: &str, builder: LabBuilder) -> Lab {
    let lab = builder.etcd(version).bastion(false).start().map_err(|error| format!("{version}: {error}")).unwrap();
    wait_until(version, DECIDED, || right(version, &lab.status())).unwrap();
    lab
}

#[test]
fn each_minor_comes_up_and_its_status_is_right() {
    let _turn = alone();
    let minors = minors();
    assert!(minors.len() >= 12, "{minors:?}");
    for version in minors {
        comes_up(version, Lab::builder()).down().unwrap();
    }
}

#[test]
fn tls_is_spoken_in_each_age() {
    let _turn = alone();
    for version in ["2.1.1", "3.0.17", "3.3.27", "3.7.3"] {
        comes_up(version, Lab::builder().tls(true)).down().unwrap();
    }
}

#[test]
fn the_v2_interface_of_3_5_is_served_when_asked_for() {
    let _turn = alone();
    let path = "/v2/members";
    for enable in [true, false] {
        let lab = comes_up("3.5.35", Lab::builder().enable_v2(enable).members(3));
        let client = lab.client(Duration::from_secs(3)).unwrap();
        let address = lab.members().first().unwrap().address;
        let answer = lab.among_clients(|| client.get(address, path)).unwrap();
        assert_eq!(answer.is_ok_and(|text| text.contains("etcd1")), enable);
        lab.down().unwrap();
    }
}
