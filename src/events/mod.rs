//! The one stream of what happens; terminal, JSON and journal are readers of it, and a run's state is its fold.

mod emitter;
mod queued;
mod sink;
mod state;
mod stream;

pub use emitter::Emitter;
pub use sink::{Sink, SinkError};
pub use state::{Backup, Counters, Defragmented, Downgraded, Halt, Rolled, Standing, State, Upgraded};
pub use stream::{Diff, Event, Fault, Kind, PathStep, Status, Verdict};
