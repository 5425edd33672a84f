//! The playbooks that look after a cluster without upgrading it, on real etcd clusters on real hosts: health, restart, defragmentation.
//! Needs root and what `scripts/setup` installs; without them every test here fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod defrag;
mod health;
mod quorate;
mod restart;

use std::process;
use std::sync::{Arc, LazyLock, Mutex};

use quorate_lab::{HEALTHY, Lab, Turn, Turns};

/// One for each of the two labs.
static TURNS: Turns = Turns::new(2);

/// Three members of 2.0.5, healthy, for one test at a time.
fn old() -> (&'static Lab, Turn) {
    static IN_USE: Mutex<()> = Mutex::new(());
    static LAB: LazyLock<Lab> =
        LazyLock::new(|| Lab::builder().name(&format!("care-20-{}", process::id())).start().expect("a lab"));
    let turn = TURNS.shared(&IN_USE);
    LAB.wait_healthy(HEALTHY).expect("the lab is well before each test");
    (&LAB, turn)
}

/// The same of 3.5.35.
fn new() -> (&'static Arc<Lab>, Turn) {
    static IN_USE: Mutex<()> = Mutex::new(());
    static LAB: LazyLock<Arc<Lab>> = LazyLock::new(|| {
        let name = format!("care-35-{}", process::id());
        Arc::new(Lab::builder().name(&name).etcd("3.5.35").start().expect("a lab"))
    });
    let turn = TURNS.shared(&IN_USE);
    LAB.wait_healthy(HEALTHY).expect("the lab is well before each test");
    (&LAB, turn)
}

/// What a script says that runs as root on a host; it has to succeed.
#[track_caller]
fn said(lab: &Lab, host: &str, script: &str) -> String {
    let output = lab.exec(host, &["sh", "-c", script]).expect("the host is up");
    assert!(output.status.success(), "{host}: {script}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a script says on each member's host.
#[track_caller]
fn all_said(lab: &Lab, script: &str) -> Vec<String> {
    lab.members().iter().map(|host| said(lab, &host.name, script).trim().to_owned()).collect()
}

/// What tells one start of each member's etcd from another, and whether quorate has ever left anything on its host.
fn untouched(lab: &Lab) -> Vec<String> {
    let script = "systemctl show etcd.service --property=InvocationID,NRestarts,MainPID; ls -R /var/lib/quorate 2>/dev/null; true";
    all_said(lab, script)
}
