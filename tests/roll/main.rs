//! Whole rolls of real etcd clusters on real hosts. Needs root and what `scripts/setup` installs; without them every
//! test here fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod archive;
mod auth;
mod by_hand;
mod files;
mod hops;
mod patch;
mod patch_first;
mod quorate;
mod refusals;
mod roll_call;
mod secured;
mod standing;
mod tool;
mod traps;
mod under_load;
mod unrolled;
mod walk;
mod watched;
mod way_back;
mod ways_in;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: a machine with two cores and several labs at work would measure itself.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
