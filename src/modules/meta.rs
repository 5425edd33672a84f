//! `meta`: words to the engine itself, which carries them out.

use super::table::{Argument, CheckMode, Place, Row, Shape};

/// What may be asked of the engine.
pub const ACTIONS: &[&str] =
    &["flush_handlers", "end_play", "end_host", "end_batch", "clear_host_errors", "reset_connection", "noop"];

/// Its row.
pub const ROW: Row = Row {
    arguments: &[Argument::new("action", Shape::Text, "what the engine is to do").choices(ACTIONS)],
    one_of: &[(&[super::arguments::FREE_FORM, "action"], true)],
    free_form: Some(&[]),
    check: CheckMode::Runs,
    place: Place::Control,
    ..Row::new("meta", "tells the engine to do something: flush handlers, end the play, forget a connection")
};
