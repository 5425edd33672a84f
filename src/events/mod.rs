//! The one stream of what happens; terminal, JSON and journal are readers of it, and a run's state is its fold.

mod stream;

pub use stream::{Diff, Event, Fault, Kind, Status, Verdict};
