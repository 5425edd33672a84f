//! The SSH client against an SSH server inside the test, on loopback.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on stops")]

mod answers;
mod detours;
mod exec;
mod fixture;
mod host_keys;
mod jumps;
mod local;
mod login;
mod loss;
mod resident;
mod server;
