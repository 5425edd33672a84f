//! The modules: one file each, one row each in one table.

pub mod arguments;
pub mod assert;
mod attributes;
mod call;
pub mod command;
pub mod copy;
pub mod debug;
mod deliver;
pub mod etcd;
pub mod fail;
pub mod fetch;
pub mod file;
pub mod guard;
mod kept;
mod local;
pub mod lock;
pub mod meta;
pub mod pause;
pub mod ping;
pub mod receipts;
pub mod set_fact;
pub mod shell;
pub mod slurp;
pub mod stat;
pub mod systemd;
pub mod table;
pub mod template;
#[cfg(test)]
mod tests;
pub mod uri;
pub mod wait_for;

pub use call::{Call, Failure, Fleet, Module, Outcome};
pub use guard::{Ask, Choice, Guard, Guards};
pub use kept::Kept;
pub use table::{Argument, CheckMode, NeedsTurn, Row, Shape, find, vocabulary};
