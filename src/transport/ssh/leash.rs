//! Whose end ends what. A connection ends when its owner lets go: russh's task outlives an abandoned handshake, and a flooding host would
//! keep it busy for ever. A tunnel keeps the connection that carries it.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// Held as long as the stream is wanted.
pub(super) struct Leash {
    _held: oneshot::Sender<()>,
}

/// The stream on the other end of a [`Leash`].
pub(super) struct Leashed<S> {
    stream: S,
    held: oneshot::Receiver<()>,
}

impl Leash {
    /// Ties a stream.
    pub(super) fn tie<S>(stream: S) -> (Self, Leashed<S>) {
        let (sender, held) = oneshot::channel();
        (Self { _held: sender }, Leashed { stream, held })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Leashed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // A receiver that has answered is not asked again: the error ends the session.
        if Pin::new(&mut self.held).poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Leashed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A stream that keeps its carrier alive.
pub(super) struct Carried<S, C> {
    stream: S,
    _carrier: C,
}

impl<S, C> Carried<S, C> {
    pub(super) const fn new(stream: S, carrier: C) -> Self {
        Self { stream, _carrier: carrier }
    }
}

impl<S: AsyncRead + Unpin, C: Unpin> AsyncRead for Carried<S, C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin, C: Unpin> AsyncWrite for Carried<S, C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
