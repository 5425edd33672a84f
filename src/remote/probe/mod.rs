//! What we may ask a host; none of it changes anything.

mod drop_ins;
mod environment;
mod expansion;
mod files;
mod outlook;
mod process;
mod texts;
mod unit;
mod unit_text;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWrite};

pub use environment::{Assignment, Reading, assignments_of, environment_of};
pub use expansion::{Expanded, Piece, expanded, pieces, split_variable, variables_in, whole_variable, with_variables};
pub(super) use files::carry_deadline;
pub use files::{Listing, Space, Stat};
pub use outlook::{Leaves, Outlook};
pub use process::Process;
pub use texts::Content;
pub(super) use unit::check_unit_name;
pub use unit::{ExecStart, UnitState};
pub use unit_text::{
    Patch, SURROUNDINGS, ServiceText, Specifiers, WordEdit, WordPlace, longer, other_commands, patched, renamed,
    with_words,
};

use super::job::{Job, Ran, RunOptions};
use super::sink::Sink;
use super::{Attributes, RemoteError, RemoteHost};
use crate::transport::{ExecError, Stdin};

/// What may be asked of a host.
#[derive(Clone)]
pub struct Probe {
    pub(super) host: RemoteHost,
}

/// What came out of a command whose output was streamed.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// How it ended; its `stdout` is empty, since that went elsewhere.
    pub ran: Ran,
    /// Bytes that came.
    pub bytes: u64,
    /// SHA-256 of them, in hex.
    pub sha256: String,
}

impl Probe {
    /// What may be asked of `host`. A question that is lost with its connection is asked again, as long as the session has patience.
    #[must_use]
    pub fn new(host: RemoteHost) -> Self {
        Self { host: RemoteHost { repeats: true, ..host } }
    }

    /// The same for who wants to hear at once that the connection is lost.
    #[must_use]
    pub fn once(self) -> Self {
        Self { host: RemoteHost { repeats: false, ..self.host } }
    }

    /// The host, with as whom we act.
    #[must_use]
    pub fn host(&self) -> &RemoteHost {
        &self.host
    }

    /// The inventory's name of the host.
    #[must_use]
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Runs a program, no shell between. For programs that only read; nothing but the caller's sense enforces it.
    ///
    /// # Errors
    /// When its end was not seen or it was not started; a program that ends badly is no error.
    pub async fn run<S: AsRef<str> + Sync>(&self, argv: &[S]) -> Result<Ran, RemoteError> {
        self.run_with(argv, RunOptions::default()).await
    }

    /// The same with an input, folder, deadline or cap of its own.
    ///
    /// # Errors
    /// As [`Probe::run`].
    pub async fn run_with<S: AsRef<str> + Sync>(&self, argv: &[S], options: RunOptions) -> Result<Ran, RemoteError> {
        let argv: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
        let act = format!("run {}", argv.first().copied().unwrap_or_default());
        self.host.perform(Job::new(&act, argv).with(&options)).await
    }

    /// Runs a POSIX sh text of our own source, with `args` as `$1`, `$2`, …; `name` is what messages call it.
    ///
    /// # Errors
    /// As [`Probe::run`].
    pub async fn script(
        &self,
        name: &str,
        text: &'static str,
        args: &[&str],
        stdin: Option<Vec<u8>>,
    ) -> Result<Ran, RemoteError> {
        self.script_with(name, text, args, RunOptions { stdin, ..RunOptions::default() }).await
    }

    /// The same with a folder, deadline or cap of its own.
    ///
    /// # Errors
    /// As [`Probe::run`].
    pub async fn script_with(
        &self,
        name: &str,
        text: &'static str,
        args: &[&str],
        options: RunOptions,
    ) -> Result<Ran, RemoteError> {
        self.host.perform(Job::script(name, text, args).with(&options)).await
    }

    /// Runs a POSIX sh text of our own source and passes its standard output on into `sink`, hashed as it comes, up to `most`
    /// bytes. The sink is shut down at the end, so a file is flushed.
    ///
    /// # Errors
    /// As [`Probe::run`], when more than `most` bytes come, and when the sink fails; a text that ends badly is no error.
    pub async fn stream(
        &self,
        name: &str,
        text: &'static str,
        args: &[&str],
        sink: impl AsyncWrite + Send + Unpin + 'static,
        deadline: Duration,
        most: u64,
    ) -> Result<Streamed, RemoteError> {
        let mut job = Job::script(name, text, args);
        job.deadline = Some(deadline);
        let (ran, bytes, sha256) = self.host.perform_into(job, Sink::new(Box::new(sink), most)).await?;
        Ok(Streamed { ran, bytes, sha256 })
    }

    /// Whether something takes connections at `address:port` as the host itself would reach it, within `deadline`.
    ///
    /// # Errors
    /// When the session is lost; a refused or silent port is `false`.
    pub async fn connect(&self, address: &str, port: u16, deadline: Duration) -> Result<bool, RemoteError> {
        match tokio::time::timeout(deadline, self.host.session().tunnel(address, port)).await {
            Ok(Ok(_)) => Ok(true),
            Err(_) | Ok(Err(ExecError::Deadline { .. } | ExecError::TunnelRefused { .. })) => Ok(false),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// What the program at `address:port` says first, as the host itself would reach it: up to `cap` bytes, until `enough`
    /// of them, its end, or `deadline`. Nothing if nobody listens.
    ///
    /// # Errors
    /// When the session is lost; a connection that breaks ends what is said.
    pub async fn greeting(
        &self,
        address: &str,
        port: u16,
        deadline: Duration,
        cap: usize,
        enough: impl Fn(&[u8]) -> bool + Send,
    ) -> Result<Option<Vec<u8>>, RemoteError> {
        let until = tokio::time::Instant::now() + deadline;
        let mut stream = match tokio::time::timeout_at(until, self.host.session().tunnel(address, port)).await {
            Ok(Ok(stream)) => stream,
            Err(_) | Ok(Err(ExecError::Deadline { .. } | ExecError::TunnelRefused { .. })) => return Ok(None),
            Ok(Err(error)) => return Err(error.into()),
        };
        let (mut said, mut chunk) = (Vec::new(), vec![0; 4096]);
        while said.len() < cap && !enough(&said) {
            let Ok(Ok(read)) = tokio::time::timeout_at(until, stream.read(&mut chunk)).await else { break };
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            said.extend_from_slice(bytes);
        }
        said.truncate(cap);
        Ok(Some(said))
    }

    /// Runs a fixed text that must succeed, and answers what it printed, whole.
    pub(super) async fn ask(
        &self,
        act: &str,
        text: &'static str,
        args: &[&str],
        cap: usize,
    ) -> Result<Vec<u8>, RemoteError> {
        let ran = self.host.perform(Job::script(act, text, args).cap(cap)).await?;
        if !ran.success() {
            return Err(self.host.failed(act, ran.words()));
        }
        if ran.cut {
            return Err(self.host.answer(act, format!("more than {cap} bytes")));
        }
        Ok(ran.stdout)
    }

    /// Runs a fixed text that must succeed with a stream as its input.
    pub(super) async fn feed(
        &self,
        act: &str,
        text: &'static str,
        args: &[&str],
        stdin: Stdin,
        deadline: Duration,
    ) -> Result<(), RemoteError> {
        let mut job = Job::script(act, text, args);
        job.stdin = stdin;
        job.deadline = Some(deadline);
        let ran = self.host.perform(job).await?;
        if ran.success() { Ok(()) } else { Err(self.host.failed(act, ran.words())) }
    }
}

/// Owner and group as chown takes them; empty if neither is given.
pub(super) fn ownership(attributes: &Attributes) -> String {
    match (&attributes.owner, &attributes.group) {
        (None, None) => String::new(),
        (owner, group) => {
            let owner = owner.as_deref().unwrap_or_default();
            group.as_ref().map_or_else(|| owner.to_owned(), |group| format!("{owner}:{group}"))
        }
    }
}

/// The mode as chmod takes it; empty if none is given.
pub(super) fn octal(attributes: &Attributes) -> String {
    attributes.mode.map(|mode| format!("{mode:04o}")).unwrap_or_default()
}
