//! One roll of three members behind a bastion while clients write all the time, seen from all sides.

use std::process;
use std::sync::LazyLock;

use quorate_lab::Lab;
use quorate_lab::load::LoadOptions;

use crate::quorate::Roll;
use crate::standing::assert_nothing_to_do;
use crate::watched::{Rolled, Writers};
use crate::{archive, turn};

/// 20 000 acknowledged writes are the least that says something. 24 clients come near to 500 writes a second on two
/// cores, and so to most of them in the time that a roll takes; on a busy machine they go on after it.
const WRITERS: Writers = Writers {
    load: LoadOptions { clients: Some(24), rate: Some(500.0), ..LoadOptions::USUAL },
    before: 2_000,
    in_all: 20_000,
};

/// Made by whichever test comes first.
static ROLLED: LazyLock<Rolled> = LazyLock::new(|| {
    let lab = Lab::builder().name(&format!("roll-{}", process::id()));
    Rolled::new(lab, &WRITERS, Roll::to_2_1_1)
});

#[test]
fn takes_three_members_behind_a_bastion_from_2_0_5_to_2_1_1() {
    let _turn = turn();
    ROLLED.assert_all_members_are_new();
}

#[test]
fn loses_none_of_twenty_thousand_acknowledged_writes() {
    let _turn = turn();
    ROLLED.assert_no_write_is_lost(WRITERS.in_all);
}

#[test]
fn never_has_two_members_down_at_once() {
    let _turn = turn();
    ROLLED.assert_one_member_down_at_a_time();
}

#[test]
fn leaves_a_backup_of_every_member_that_restores() {
    let _turn = turn();
    let Rolled { lab, state, ran, .. } = &*ROLLED;
    let backups = archive::all(state.path());
    let mut hosts: Vec<&str> = backups.iter().map(|backup| backup.says("host")).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["etcd1", "etcd2", "etcd3"], "{ran}");
    for backup in &backups {
        ran.says(&[&backup.folder.display().to_string()]);
        assert_eq!(backup.says("version"), "2.0.5");
        backup.assert_whole();
        // Three of four writes are keys of their own.
        let keys = backup.open(lab) as u64;
        assert!(keys >= WRITERS.before / 2, "{keys} keys in {}", backup.folder.display());
    }
}

#[test]
fn changes_and_restarts_nothing_when_run_again() {
    let _turn = turn();
    let Rolled { lab, state, .. } = &*ROLLED;
    assert_nothing_to_do(lab, Roll::to_2_1_1(lab, state.path()));
}
