//! A cluster of 2.0.5 that none of its tests may change: check runs, and what is refused before any change.

use std::process;
use std::sync::LazyLock;

use quorate_lab::{HEALTHY, Lab};

use crate::quorate::{Ran, Roll};
use crate::standing::Standing;
use crate::turn;

/// The lab, healthy. Hold [`turn`] while you have it.
pub(crate) fn lab() -> &'static Lab {
    static LAB: LazyLock<Lab> = LazyLock::new(|| {
        Lab::builder().name(&format!("still-{}", process::id())).release("2.2.5").start().expect("a lab")
    });
    LAB.wait_healthy(HEALTHY).expect("the lab is well before each test");
    &LAB
}

/// Runs something that must leave every host as it is, and stops the test if it does not.
#[track_caller]
pub(crate) fn changes_nothing(lab: &Lab, roll: impl FnOnce(&std::path::Path) -> Roll) -> Ran {
    let state = tempfile::tempdir().unwrap();
    let standing = Standing::of(lab);
    let ran = roll(state.path()).run();
    standing.assert_unchanged(lab);
    ran
}

#[test]
fn a_check_run_says_what_would_change_and_changes_nothing() {
    let _turn = turn();
    let lab = lab();
    let ran = changes_nothing(lab, |state| Roll::to_2_1_1(lab, state).flag("--check"));
    ran.ended(0).says(&["this was a check run, nothing was changed"]);
    for (host, counts) in ran.recap() {
        assert!(counts["changed"] > 0 && counts["failed"] == 0, "{host}: {ran}");
    }
}

#[test]
fn a_plan_tells_the_way_the_rules_and_the_order_and_changes_nothing() {
    let _turn = turn();
    let lab = lab();
    let ran = changes_nothing(lab, |state| Roll::planned(lab, state).to("2.1.1", lab));
    ran.ended(0).says(&[
        "PATH, 1 round\n  1. 2.0.5 -> 2.1.1",
        "upgrade_2_1.md",
        "a member may go back to 2.0.5 until the last one runs 2.1.1; then nothing below 2.1 may come back",
        "etcd1, etcd2, etcd3: stage 2.1.1 as /usr/local/bin/etcd.2.1.1",
        "3 of 3 healthy, 2 stay, quorum is 2",
        "nothing was changed",
    ]);
    let turns: Vec<&str> =
        ran.said.lines().filter(|line| line.contains("stop etcd.service, swap 2.0.5 for 2.1.1")).collect();
    assert_eq!(turns.len(), 3, "{ran}");
    let (leader, last) = (
        lab.status().into_iter().find(|m| m.role.as_deref() == Some("leader")).expect("a leader").host,
        turns[2].trim_start(),
    );
    assert!(last.starts_with(&leader), "{leader} leads and is to be last\n{ran}");
}
