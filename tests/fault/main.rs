//! What becomes of a roll when hosts, links, keys, binaries or the control machine fail, on real hosts. Needs root and what
//! `scripts/setup` installs; without them every test here fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod asked_to_stop;
mod bastion;
mod control;
mod disk;
mod host_keys;
mod killed;
mod leave;
mod links;
mod locked;
mod power;
#[expect(dead_code, reason = "shared with tests/faults, which needs more of it")]
mod program;
mod rolled_back;
mod second_bastion;
mod small_disk;
mod transaction;
mod unreachable;
mod window;

use quorate_lab::Turns;

/// These wait for time-outs and for what others do, and compute little.
static TURNS: Turns = Turns::new(3);
