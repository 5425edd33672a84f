//! What we may do to a host.

mod files;
mod unit;
mod upload;

use secrecy::SecretString;

use super::job::{Ran, RunOptions};
use super::{Probe, RemoteError, RemoteHost};

pub use unit::UnitAction;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner's name or number.
    pub owner: Option<String>,
    /// Group's name or number.
    pub group: Option<String>,
}

impl Change {
    /// What may be done to `host`, by leave. Nothing of it is told twice, also where the host was one for questions: what is lost with its
    /// connection may have been done.
    #[must_use]
    pub fn new(host: RemoteHost, _permit: &Permit) -> Self {
        Self { probe: Probe { host }.once() }
    }

    /// What may be asked of it.
    #[must_use]
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// The inventory's name of the host.
    #[must_use]
    pub fn name(&self) -> &str {
        self.probe.name()
    }

    /// The same leave, with as whom and with what environment the given host says (`become`, `environment` of a task).
    #[must_use]
    pub fn with_host(&self, host: RemoteHost) -> Self {
        Self { probe: Probe { host }.once() }
    }

    /// The same leave with one more variable for what is run. It is in no argument and on no disk: only root and the user who runs it can
    /// read it, as long as that runs.
    #[must_use]
    pub fn with_variable(&self, name: &str, value: &SecretString) -> Self {
        Self { probe: Probe { host: self.probe.host.clone().with_variable(name, value) } }
    }

    /// Runs a program, no shell between.
    ///
    /// # Errors
    /// When its end was not seen or it was not started; a program that ends badly is no error.
    pub async fn run<S: AsRef<str> + Sync>(&self, argv: &[S], options: RunOptions) -> Result<Ran, RemoteError> {
        self.probe.run_with(argv, options).await
    }

    /// Runs a command line of the operator with `executable -c`; `/bin/sh` unless given.
    ///
    /// # Errors
    /// As [`Change::run`].
    pub async fn shell(&self, line: &str, executable: Option<&str>, options: RunOptions) -> Result<Ran, RemoteError> {
        self.run(&[executable.unwrap_or("/bin/sh"), "-c", line], options).await
    }

    /// Runs a POSIX sh text of our own source, with `args` as `$1`, `$2`, …; `name` is what messages call it.
    ///
    /// # Errors
    /// As [`Change::run`].
    pub async fn script(
        &self,
        name: &str,
        text: &'static str,
        args: &[&str],
        stdin: Option<Vec<u8>>,
    ) -> Result<Ran, RemoteError> {
        self.probe.script(name, text, args, stdin).await
    }

    /// The same with a folder, deadline or cap of its own.
    ///
    /// # Errors
    /// As [`Change::run`].
    pub async fn script_with(
        &self,
        name: &str,
        text: &'static str,
        args: &[&str],
        options: RunOptions,
    ) -> Result<Ran, RemoteError> {
        self.probe.script_with(name, text, args, options).await
    }
}
