//! Runs a playbook: play by play, batch by batch, task by task, host by host, and stops when it must.

mod attempt;
mod batch;
mod call;
mod check;
mod connections;
mod fleet;
mod handlers;
mod interrupt;
mod lasting;
mod locks;
mod loops;
mod meta;
mod names;
mod options;
mod outcome;
mod play;
mod prepare;
mod ready;
mod rolling;
mod rounds;
mod run;
mod scope;
mod store;
mod tags;
mod task;
mod turns;
mod until;
mod ways;

pub use interrupt::{Interrupt, Wish};
pub use locks::Operator;
pub use options::{Options, extra_vars};
pub use run::{Means, Planned, Run};
pub use tags::Tags;
pub use until::window_end;
