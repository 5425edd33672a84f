//! What we may do to a host.

use super::{Probe, RemoteHost};

/// Leave to change hosts: made once by a real run, never by a check run.
#[derive(Debug)]
pub struct Permit(());

impl Permit {
    /// The leave of a real run; named in `engine` and nowhere else (`tests/architecture.rs` looks).
    #[must_use]
    pub fn of_a_real_run() -> Self {
        Self(())
    }
}

/// What may be done to a host.
#[derive(Clone)]
pub struct Change {
    pub(super) probe: Probe,
}

/// Owner and mode of a file; what is not given stays (or is what the system gives).
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner's name or number.
    pub owner: Option<String>,
    /// Group's name or number.
    pub group: Option<String>,
}

impl Change {
    /// What may be done to `host`, by leave.
    #[must_use]
    pub fn new(host: RemoteHost, _permit: &Permit) -> Self {
        Self { probe: Probe { host } }
    }

    /// What may be asked of it.
    #[must_use]
    pub fn probe(&self) -> &Probe {
        &self.probe
    }
}
