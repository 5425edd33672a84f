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
