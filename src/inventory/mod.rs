//! Which hosts there are, in which groups, with which variables: the operator's own words, read as Ansible reads them.

mod address;
pub mod connection;
mod entry;
mod file;
mod glob;
mod groups;
mod hosts;
mod ini;
mod literal;
mod load;
mod names;
mod node;
mod pattern;
mod precedence;
pub(crate) mod python;
mod range;
mod scalar;
mod source;
mod vars_files;
mod words;
mod yaml;

pub use file::InventoryError;
pub use hosts::{Host, Inventory, Vars, Warning};
pub use node::{Entry, Node, NodeValue, ScalarStyle};
pub use pattern::{Limit, PatternError, UnknownNames};
pub use source::{Place, Problem, Source, nearest};
pub use yaml::{from_yaml, from_yaml_all};
