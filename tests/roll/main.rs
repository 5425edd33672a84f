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
mod files;
mod hops;
mod patch;
mod quorate;
mod refusals;
mod roll_call;
mod secured;
mod standing;
mod tool;
mod under_load;
mod unrolled;
mod watched;
mod ways_in;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: a machine with two cores and several labs at work would measure itself.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
