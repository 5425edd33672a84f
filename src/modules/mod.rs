//! The modules: one file each, one row each in one table.

mod call;

pub use call::{Call, Failure, Fleet, Module, Outcome};
