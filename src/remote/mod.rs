//! What we may ask a host ([`Probe`]) and what we may do to it ([`Change`]), over a session.

mod change;
mod heard;
mod host;
mod http;
mod job;
mod lock;
mod path;
mod probe;
mod resident;
mod shell;
mod sink;
#[cfg(test)]
pub(crate) mod tests;
mod window;

pub use change::{Attributes, Change, Permit, UnitAction};
pub use heard::Heard;
pub use host::{Become, RemoteError, RemoteHost};
pub use http::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, Scheme, Tls};
pub use job::{Ran, RunOptions};
pub use lock::{Fence, Held, Holder, Lock, Renewed};
pub use path::RemotePath;
pub(in crate::remote) use probe::check_unit_name;
pub use probe::{
    Assignment, Content, ExecStart, Expanded, Leaves, Listing, Outlook, Patch, Piece, Probe, Process, Reading,
    SURROUNDINGS, ServiceText, Space, Specifiers, Stat, Streamed, UnitState, WordEdit, WordPlace, assignments_of,
    environment_of, expanded, longer, other_commands, patched, pieces, renamed, split_variable, variables_in,
    whole_variable, with_variables, with_words,
};
pub use window::{
    Judged, KeptState, KeptWindow, ReadAs, Receipt, Serve, Stands, Swap, TakeBack, Window, WindowEnd, WindowState,
};
