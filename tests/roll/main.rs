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

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Labs that may be at work at once. A roll waits far more than it computes: 3 s of a core in 27 s or more, in a debug build (measured on two
/// cores, by `time`); what computes beside it are the lab's own etcd and clients. Three labs keep two cores busy for 80 to 88 % (vmstat, 2026-11-27).
const LABS: usize = 3;

static AT_WORK: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// Leave to have a lab at work, until it is let go.
pub(crate) struct Turn {
    _shared: Option<MutexGuard<'static, ()>>,
}

impl Turn {
    fn new(shared: Option<MutexGuard<'static, ()>>) -> Self {
        let mut at_work = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
        while *at_work >= LABS {
            at_work = ENDED.wait(at_work).unwrap_or_else(PoisonError::into_inner);
        }
        *at_work += 1;
        Self { _shared: shared }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *AT_WORK.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}

/// For a test on a lab that it shares with others: one such test at a time.
fn turn() -> Turn {
    static SHARED: Mutex<()> = Mutex::new(());
    Turn::new(Some(SHARED.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// For a test that brings up a lab of its own.
fn own_turn() -> Turn {
    Turn::new(None)
}
