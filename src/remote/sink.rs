//! Where streamed output goes: noise before the start mark is dropped, the rest is hashed and passed on, up to a number of bytes.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use memchr::memmem;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWrite;

use super::job::NOISE_CAP;

/// A writer for what a command prints.
pub(super) struct Sink {
    inner: Box<dyn AsyncWrite + Send + Unpin>,
    most: u64,
}

struct State {
    inner: Box<dyn AsyncWrite + Send + Unpin>,
    mark: Vec<u8>,
    /// Bytes before the mark, as long as it has not come.
    noise: Option<Vec<u8>>,
    /// What came with the mark in one piece and is not yet passed on.
    rest: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    /// How many bytes are passed on at most.
    most: u64,
    /// How many had come when they were too many.
    too_many: Option<u64>,
}

/// Writes into the state that [`SinkHandle`] reads when the command has ended.
pub(super) struct Framed(Arc<Mutex<State>>);

/// What is known once the command has ended.
pub(super) struct SinkHandle(Arc<Mutex<State>>);

impl Sink {
    /// Passes on `most` bytes at most, and takes no more then: what a host sends is as long as it likes.
    pub(super) fn new(inner: Box<dyn AsyncWrite + Send + Unpin>, most: u64) -> Self {
        Self { inner, most }
    }

    /// The writer for the transport, and the handle for afterwards.
    pub(super) fn framed(self, mark: &str) -> (Framed, SinkHandle) {
        let state = State {
            inner: self.inner,
            mark: mark.as_bytes().to_vec(),
            noise: Some(Vec::new()),
            rest: Vec::new(),
            hash: Sha256::new(),
            bytes: 0,
            most: self.most,
            too_many: None,
        };
        let shared = Arc::new(Mutex::new(state));
        (Framed(Arc::clone(&shared)), SinkHandle(shared))
    }
}

impl State {
    /// Writes once to what is inside, and counts what it took.
    fn pass(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let came = self.bytes.saturating_add(bytes.len() as u64);
        if came > self.most {
            self.too_many = Some(came);
            return Poll::Ready(Err(io::Error::other("more bytes than were expected")));
        }
        let taken = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.hash.update(bytes.get(..taken).unwrap_or(bytes));
        self.bytes += taken as u64;
        Poll::Ready(Ok(taken))
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            match self.pass(cx, &rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(taken)) => self.rest = rest.get(taken..).unwrap_or_default().to_vec(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.rest = rest;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.drain(cx))?;
        let Some(mut noise) = self.noise.take() else { return self.pass(cx, bytes) };
        noise.extend_from_slice(bytes);
        match memmem::find(&noise, &self.mark) {
            Some(at) => self.rest = noise.get(at + self.mark.len()..).unwrap_or_default().to_vec(),
            None if noise.len() > NOISE_CAP => {
                return Poll::Ready(Err(io::Error::other("only noise before the output")));
            }
            None => self.noise = Some(noise),
        }
        Poll::Ready(Ok(bytes.len()))
    }
}

impl Framed {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncWrite for Framed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|state| state.write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|state| {
            ready!(state.drain(cx))?;
            Pin::new(&mut state.inner).poll_flush(cx)
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl SinkHandle {
    /// How many bytes were to come at most and how many came, if those were too many.
    pub(super) fn too_many(&self) -> Option<(u64, u64)> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.too_many.map(|came| (state.most, came))
    }

    /// Passes on what is left, closes what is inside, and answers bytes and SHA-256 in hex.
    pub(super) async fn finish(&self) -> io::Result<(u64, String)> {
        std::future::poll_fn(|cx| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            ready!(state.drain(cx))?;
            Pin::new(&mut state.inner).poll_shutdown(cx)
        })
        .await?;
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.noise.is_some() {
            return Err(io::Error::other("the output has no beginning"));
        }
        Ok((state.bytes, hex(&state.hash.clone().finalize())))
    }
}

/// Bytes as small hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
