//! One SSH connection that is logged in.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelOpenFailure, ChannelReadHalf, ChannelStream, ChannelWriteHalf, Disconnect, Sig};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::leash::{Carried, Leash};
use super::route::Hop;
use super::watcher::{NO_ANSWER, Seen, Watcher};
use crate::transport::resident::Residents;
use crate::transport::session::{BoxFuture, ByteStream, Exec, ExecError, Output, Session, Way};

/// Commands at once on one connection. sshd_config(5): `MaxSessions` is 10; two are left for whoever else uses our login.
const COMMANDS: usize = 8;

/// How long a host may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long a host may take to show that it is still there: one round trip, on a machine that is busy.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection; ended when the last that holds it lets go.
pub(super) struct Link {
    pub(super) label: String,
    pub(super) handle: Handle<Watcher>,
    pub(super) seen: Arc<Seen>,
    pub(super) commands: Semaphore,
    /// The commands that stay on it.
    pub(super) residents: Arc<Residents>,
    /// How long the host may take to open a tunnel.
    pub(super) timeout: Duration,
    /// The jump host's connection that carries this one.
    pub(super) via: Option<Arc<Link>>,
    /// Ends the connection with the link.
    _leash: Leash,
}

/// Why a tunnel was not opened.
pub(super) enum Closed {
    /// The host is there, the other end is not.
    Refused(String),
    /// The host is not there.
    Lost(String),
}

impl Link {
    pub(super) fn new(
        hop: &Hop,
        handle: Handle<Watcher>,
        leash: Leash,
        seen: Arc<Seen>,
        via: Option<Arc<Self>>,
    ) -> Self {
        let (label, timeout) = (hop.label.clone(), hop.timeout);
        Self {
            label,
            handle,
            seen,
            commands: Semaphore::new(COMMANDS),
            residents: Arc::default(),
            timeout,
            via,
            _leash: leash,
        }
    }

    /// Whether it can still carry something.
    pub(super) fn alive(&self) -> bool {
        !self.handle.is_closed() && self.via.as_ref().is_none_or(|v| v.alive())
    }

    /// Whether the host says a word when it is asked for one. A connection that died in silence is known as dead only when its keepalives
    /// are over, three quarters of a minute later.
    pub(super) async fn answers(&self) -> bool {
        // As ssh(1) asks (clientloop.c). sshd says "no such request", and that is an answer.
        let asked = self.handle.send_global_request("keepalive@openssh.com", &[], true);
        let said = timeout(self.timeout.min(ANSWER), asked).await;
        self.alive() && matches!(said, Ok(Ok(_) | Err(russh::Error::RequestDenied)))
    }

    /// Whether it went dead in silence: whoever dials that host now waits a whole timeout, most likely.
    pub(super) async fn fell_silent(&self) -> bool {
        if self.alive() {
            return !self.answers().await && self.seen.lost.get().is_none_or(|why| why == NO_ANSWER);
        }
        self.seen.lost.get().is_some_and(|why| why == NO_ANSWER)
    }

    /// Why it ended, if that is known.
    pub(super) fn why(&self, error: &dyn std::fmt::Display) -> String {
        match (self.seen.lost.get(), &self.via) {
            (Some(text), _) => text.clone(),
            (None, Some(via)) if !via.alive() => format!("the jump host {} is lost: {}", via.label, via.why(error)),
            (None, _) => error.to_string(),
        }
    }

    pub(super) fn lost(&self, error: &dyn std::fmt::Display, started: bool) -> ExecError {
        ExecError::Lost { host: self.label.clone(), detail: self.why(error), started }
    }

    /// Opens a tunnel; one that opens after its time is closed again, because the task that waits for it goes on.
    pub(super) async fn forward(self: &Arc<Self>, address: &str, port: u16) -> Result<ChannelStream<Msg>, Closed> {
        let (link, to) = (Arc::clone(self), address.to_owned());
        let opening = tokio::spawn(async move {
            link.handle.channel_open_direct_tcpip(to, u32::from(port), "127.0.0.1", 0).await.map(Channel::into_stream)
        });
        match timeout(self.timeout, opening).await {
            Err(_) => Err(Closed::Refused(format!("no answer within {} s", self.timeout.as_secs_f32()))),
            Ok(Ok(Ok(stream))) => Ok(stream),
            Ok(Ok(Err(russh::Error::ChannelOpenFailure(reason)))) => Err(Closed::Refused(refusal(&reason))),
            Ok(Ok(Err(error))) => Err(Closed::Lost(self.why(&error))),
            Ok(Err(error)) => Err(Closed::Lost(self.why(&error))),
        }
    }

    /// Opens a channel for one command.
    pub(super) async fn command(self: &Arc<Self>) -> Result<Running, russh::Error> {
        let link = Arc::clone(self);
        let opening = tokio::spawn(async move {
            let (read, write) = link.handle.channel_open_session().await?.split();
            Ok::<_, russh::Error>(Running { read, write: Arc::new(write), ended: false })
        });
        opening.await.map_err(|_| russh::Error::Disconnect)?
    }
}

/// What RFC 4254, 5.1 calls it, in words a sysadmin knows.
fn refusal(reason: &ChannelOpenFailure) -> String {
    match reason {
        ChannelOpenFailure::ConnectFailed => "connection refused, or no such host, as seen from there".to_owned(),
        ChannelOpenFailure::AdministrativelyProhibited => {
            "forwarding is forbidden there (AllowTcpForwarding, PermitOpen)".to_owned()
        }
        other => other.description().to_owned(),
    }
}

/// The channel of a command, closed when let go: an open one would count towards `MaxSessions` for ever.
pub(super) struct Running {
    pub(super) read: ChannelReadHalf,
    pub(super) write: Arc<ChannelWriteHalf<Msg>>,
    /// The host has closed it already.
    pub(super) ended: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let write = Arc::clone(&self.write);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // sshd may refuse the signal (it does for root before 9.8); what must not outlive its deadline is bounded on the host.
                drop(write.signal(Sig::KILL).await);
                drop(write.close().await);
            });
        }
    }
}

/// A session with the host at the end of a route.
pub(super) struct SshSession {
    link: Arc<Link>,
    way: Option<Way>,
}

impl SshSession {
    pub(super) const fn new(link: Arc<Link>, way: Option<Way>) -> Self {
        Self { link, way }
    }
}

impl Session for SshSession {
    fn host(&self) -> &str {
        &self.link.label
    }

    fn exec(&self, exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        Box::pin(super::exec::exec(&self.link, exec))
    }

    fn tunnel<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        Box::pin(async move {
            let to = format!("{address}:{port}");
            match self.link.forward(address, port).await {
                Ok(stream) => {
                    let stream: Box<dyn ByteStream> = Box::new(Carried::new(stream, Arc::clone(&self.link)));
                    Ok(stream)
                }
                Err(Closed::Refused(detail)) if self.link.alive() => {
                    Err(ExecError::TunnelRefused { host: self.link.label.clone(), to, detail })
                }
                Err(Closed::Refused(detail) | Closed::Lost(detail)) => Err(self.link.lost(&detail, false)),
            }
        })
    }

    fn alive(&self) -> bool {
        self.link.alive()
    }

    fn way(&self) -> Option<&Way> {
        self.way.as_ref()
    }

    fn residents(&self) -> Option<Arc<Residents>> {
        Some(Arc::clone(&self.link.residents))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.link.residents.close();
            let goodbye = self.link.handle.disconnect(Disconnect::ByApplication, "done", "en");
            // A host that is gone already has nothing to say.
            drop(timeout(GOODBYE, goodbye).await);
        })
    }
}
