//! What people and programs read of a run: each a reader of events and of nothing else.

mod diff;
mod escape;
mod folded;
mod head;
mod json;
mod plan;
mod style;
mod terminal;
mod value;

pub use escape::{escaped, escaped_line};
pub use folded::Folded;
pub use head::Head;
pub use json::{JsonLines, harmless};
pub use plan::{History, Plan};
pub use style::Style;
pub use terminal::{Look, Terminal, duration};

/// A failed write to a reader's output, as the emitter wants to know it: never fatal to a run.
fn lost(sink: &'static str, error: &std::io::Error) -> crate::events::SinkError {
    crate::events::SinkError { sink, detail: error.to_string(), fault: crate::events::Fault::Disk }
}
