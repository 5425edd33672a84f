//! What a session can do, whatever carries it: SSH, this machine itself, or a script in a test.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};

use super::resident::Residents;

/// A boxed future, so that a session can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Both directions of a byte stream: what a tunnel is.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Where and as whom to connect: a host's connection variables, resolved.
#[derive(Clone, Debug)]
pub struct Target {
    /// The inventory's name of the host; in every message.
    pub name: String,
    /// `true` for `ansible_connection: local`: no SSH at all.
    pub local: bool,
    /// `ansible_host`, else the name. Looked up in ssh_config as `ssh` would.
    pub address: String,
    /// `ansible_port`, if given; else ssh_config's, else 22.
    pub port: Option<u16>,
    /// `ansible_user`, if given; else ssh_config's, else the user we run as.
    pub user: Option<String>,
    /// `ansible_ssh_private_key_file`, tried before ssh_config's.
    pub identity: Option<PathBuf>,
    /// `ansible_password`, or what the operator typed for `--ask-pass`.
    pub password: Option<SecretString>,
    /// Jump hosts of the inventory (`-J` in `ansible_ssh_common_args`), first to be reached first; none: ssh_config's `ProxyJump`.
    pub jump: Vec<String>,
    /// Other ways, `quorate_fallback_jumps`: the jump hosts of each. One is tried where those of the way before it cannot be reached.
    pub fallbacks: Vec<Vec<String>>,
    /// How long one hop may take to be reached and to let us in.
    pub connect_timeout: Option<Duration>,
}

/// What is written to a command's standard input.
pub enum Stdin {
    /// Nothing: closed at once.
    Empty,
    /// These bytes, then closed.
    Bytes(Vec<u8>),
    /// Whatever this gives, then closed.
    Stream(Box<dyn AsyncRead + Send + Unpin>),
}

/// Where one output of a command goes.
pub enum Drain {
    /// Into [`Output`], at most `cap` bytes; what is over is drained and dropped, and said so.
    Capture {
        /// Bytes.
        cap: usize,
    },
    /// Into this writer, without end.
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
}

/// A question on standard error that we answer on standard input before anything else is written there.
///
/// Both marks are random for every command: a host that prints a fake prompt gets nothing.
pub struct Prompt {
    /// What sudo was told to print when it wants the password.
    pub ask: String,
    /// The password.
    pub reply: SecretString,
    /// What the command itself prints once it runs; input is fed only after it. Both are cut out of [`Output::stderr`].
    pub ready: String,
}

/// One command to run.
pub struct Exec {
    /// The command line for the login shell of the host; made in `remote/shell.rs` and nowhere else.
    pub command: String,
    /// Its input.
    pub stdin: Stdin,
    /// Its output.
    pub stdout: Drain,
    /// What it says on standard error, without the question and its mark.
    pub stderr: Drain,
    /// From the request to the exit status, on the monotonic clock.
    pub deadline: Duration,
    /// The question to answer, if `become` needs a password.
    pub prompt: Option<Prompt>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(u32),
    /// A signal ended it: the name without `SIG`.
    Signal(String),
}

impl ExitStatus {
    /// Exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }
}

/// What a command that ended has left.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, unless it was streamed.
    pub stdout: Vec<u8>,
    /// Standard error, unless it was streamed.
    pub stderr: Vec<u8>,
    /// Bytes of standard output over the cap.
    pub stdout_dropped: u64,
    /// Bytes of standard error over the cap.
    pub stderr_dropped: u64,
}

/// Why a command's end was not seen.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The connection ended, or could not carry the request. If `started`, the command may have done its work.
    #[error("connection to {host} lost: {detail}")]
    Lost {
        /// The host.
        host: String,
        /// What was seen.
        detail: String,
        /// Whether the host had accepted the command.
        started: bool,
    },
    /// No exit status within the deadline; the command may still run.
    #[error("no answer from {host} within {} s", deadline.as_secs_f32())]
    Deadline {
        /// The host.
        host: String,
        /// The deadline.
        deadline: Duration,
    },
    /// sudo asked a second time, so the password is wrong; it was sent once and is not sent again.
    #[error("{host}: the become password was refused")]
    BecomeRefused {
        /// The host.
        host: String,
    },
    /// The host is there, but did not open the tunnel: nobody listens, or forwarding is forbidden. Not a lost host.
    #[error("{host}: no tunnel to {to}: {detail}")]
    TunnelRefused {
        /// The host.
        host: String,
        /// `address:port`.
        to: String,
        /// What the host said.
        detail: String,
    },
    /// Reading what was to be sent, or writing what came, failed on this side.
    #[error("{host}: {detail}")]
    Local {
        /// The host.
        host: String,
        /// What failed.
        detail: String,
    },
}

/// Why a host was not reached.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// Name, network, or time: exit 4.
    #[error("{host}: unreachable{}: {detail}", via.as_deref().map(|v| format!(" through {v}")).unwrap_or_default())]
    Unreachable {
        /// The host (or the jump host) that did not answer.
        host: String,
        /// The jump host it was tried through.
        via: Option<String>,
        /// What was seen.
        detail: String,
    },
    /// Its name stands for no address, as far as this machine can find out: exit 4. Most often misspelt.
    #[error("{host}: {detail}")]
    NameUnknown {
        /// The host (or the first jump host).
        host: String,
        /// The name, and what the resolver said.
        detail: String,
    },
    /// The host does not let us in: exit 4. Never tried again.
    #[error("{host}: login as {user} refused: {detail}")]
    LoginRefused {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// Which methods were tried and which the host would take.
        detail: String,
    },
    /// Unknown, changed, revoked or of another type: exit 6. Nothing was written.
    #[error("{host}: {detail}")]
    HostKey {
        /// The host.
        host: String,
        /// Type and SHA256 fingerprint offered, what the known_hosts files say and in which line.
        detail: String,
    },
    /// ssh_config, a key file or known_hosts says something we refuse: exit 5.
    #[error("{host}: {detail}")]
    Config {
        /// The host.
        host: String,
        /// What, with `path:line`.
        detail: String,
    },
}

/// The way that a session goes, where its target has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its jump hosts by their names, first to be reached first, with commas.
    pub through: String,
    /// Whether it is the one that is tried first.
    pub first: bool,
    /// What was seen of the jump hosts of the ways that were passed over.
    pub why: String,
}

/// One connection to one host, kept for the whole run; commands and tunnels share it.
pub trait Session: Send + Sync {
    /// The inventory's name of the host.
    fn host(&self) -> &str;

    /// Runs a command and waits for its end.
    ///
    /// # Errors
    /// When its end was not seen; a command that ended badly is no error.
    fn exec(&self, exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>>;

    /// A byte stream to `address:port` as the host itself would reach it.
    ///
    /// # Errors
    /// When the host refuses, cannot connect, or the connection is lost. A refused tunnel is not a lost host.
    fn tunnel<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>>;

    /// Whether the connection still stands, as far as this side knows; a broken one carries nothing more.
    fn alive(&self) -> bool {
        true
    }

    /// Which way it goes; `None` where there is but one.
    fn way(&self) -> Option<&Way> {
        None
    }

    /// Waits until a question that was lost with its connection, and `asked` so many times since `first`, may be asked once more; `false` if it
    /// is not to be. Only who holds more than one connection knows.
    fn again<'a>(&'a self, _lost: &'a ExecError, _asked: u32, _first: Instant) -> BoxFuture<'a, bool> {
        Box::pin(async { false })
    }

    /// The commands that stay on its connection, if it keeps any.
    fn residents(&self) -> Option<Arc<Residents>> {
        None
    }

    /// Says goodbye; commands still running lose their channel.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Makes sessions.
pub trait Connector: Send + Sync {
    /// Connects to the target, through its jump hosts, and logs in.
    ///
    /// # Errors
    /// See [`ConnectError`].
    fn connect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Arc<dyn Session>, ConnectError>>;
}
