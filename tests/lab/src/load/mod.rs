//! A cluster's own clients: writers whose every write can be told apart, a record of what they were
//! answered, and the check that nothing they were promised is gone.
//!
//! Two kinds of write go on together. **Unique keys**: each logical write has a key of its own and
//! each attempt at it a value of its own, so a lost write is counted exactly and a retry hides
//! nothing. **Chains**: on a few keys, each write appends a token to what it read and names the index
//! it read it at, so a lost update or a rewritten past shows.
//!
//! A load is one folder: `history.jsonl` with a line an operation, `stop` to end it, and `lock`, held
//! while it runs.

mod acknowledged;
mod check;
mod driver;
mod history;
mod plan;
mod read_back;
mod run;
mod service;
mod v2;
mod v3;
mod wire;
mod writers;

pub use acknowledged::Acknowledged;
pub use check::{Report, check};
pub use driver::{Driver, Entry, Membership, No, Outcome, Reading, connect};
pub use history::{Act, History, Operation, Start};
pub use plan::{Api, Plan};
pub use read_back::{Copy, Ending, read_back};
pub use run::{Load, LoadError, run};
pub use service::LoadOptions;
