//! Whole rolls of real etcd clusters on real hosts. Needs root and what `scripts/setup` installs; without them every
//! test here fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod alone;
mod archive;
mod auth;
mod by_hand;
mod companions;
mod downgrade;
mod files;
mod hops;
mod http_apart;
mod options;
mod patch;
mod patch_first;
mod quorate;
mod refusals;
mod roll_call;
mod same_data;
mod secured;
mod standing;
mod tool;
mod traps;
mod under_load;
mod unrolled;
mod v2_data;
mod wal_dir;
mod walk;
mod watched;
mod way_back;
mod ways_in;

use std::sync::Mutex;

use quorate_lab::{Turn, Turns};

/// quorate itself waits far more than it computes: 3 s of a core in 27 s or more, in a debug build (by `time`). The hosts' programs, etcd and
/// clients take ten times that, so that three labs keep two cores busy (measured 2026-11-27).
static TURNS: Turns = Turns::new(3);

/// For a test on a lab that it shares with others: one such test at a time.
fn turn() -> Turn {
    static SHARED: Mutex<()> = Mutex::new(());
    TURNS.shared(&SHARED)
}

/// For a test that brings up a lab of its own.
fn own_turn() -> Turn {
    TURNS.own()
}

/// The same for the longest: they begin before the others.
fn long_turn() -> Turn {
    TURNS.long()
}
