//! What is to be done: plays, blocks and tasks as the operator wrote them, each with its place; and the templates in them.

pub mod names;
mod parse;
pub mod template;
mod tree;

pub use parse::from_source;
pub use template::{Ready, Scope, Templates, Variable};
pub use tree::{
    Block, Directives, Expression, Handler, HostOrder, Item, LoopControl, Play, Playbook, Rolling, Task, TaskOrder,
    Vocabulary,
};
