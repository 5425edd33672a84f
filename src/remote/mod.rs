//! What we may ask a host ([`Probe`]) and what we may do to it ([`Change`]), over a session.

mod change;
mod host;
mod path;
mod probe;

pub use change::{Attributes, Change, Permit};
pub use host::{Become, RemoteError, RemoteHost};
pub use path::RemotePath;
pub use probe::{Listing, Probe, Ran, Space, Stat, UnitState};
