//! quorate takes quorum systems down and up again, host by host, over SSH, and never loses the quorum.
//!
//! The library is laid out in floors; an import may only go down. `docs/ARCHITECTURE.md` is the map,
//! `tests/architecture.rs` holds the walls.

pub mod cli;
pub mod engine;
pub mod etcd;
pub mod events;
pub mod inventory;
pub mod journal;
pub mod modules;
pub mod playbook;
pub mod remote;
pub mod report;
pub mod transport;
