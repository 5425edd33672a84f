//! Which hosts there are, in which groups, with which variables: the operator's own words, read as Ansible reads them.

mod node;
mod source;

pub use node::{Entry, Node, NodeValue, ScalarStyle};
pub use source::{Place, Problem, Source, nearest};
