//! Where events go: the journal, the terminal, JSON lines.

use super::{Event, Fault};

/// A writer of events.
pub trait Sink: Send {
    /// Takes one event; when it returns, the event is as safe as this sink promises.
    ///
    /// # Errors
    /// When the event could not be written. Whether that ends the run is the [`super::Emitter`]'s decision.
    fn write(&mut self, event: &Event) -> Result<(), SinkError>;

    /// What it is called in a [`SinkError`].
    fn name(&self) -> &'static str {
        "output"
    }
}

/// Why a sink could not take an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sink}: {detail}")]
pub struct SinkError {
    /// Which sink: "journal", "terminal", "json".
    pub sink: &'static str,
    /// What failed and where, with the system's words.
    pub detail: String,
    /// What it means for the exit code, if the run cannot go on without this sink.
    pub fault: Fault,
}
