//! Both ends of a command's data on this side: its input fed, its output sunk.

use std::io;

use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::UnboundedReceiver;
use zeroize::Zeroizing;

use super::capture::Capture;
use super::dialogue::Cue;
use super::session::{Drain, Stdin};

/// Bytes read from a [`Stdin::Stream`] at once: two SSH packets of 32 KiB, so that reading and sending overlap.
const CHUNK: usize = 64 * 1024;

/// Answers the question if there is one, then writes the input, then closes.
///
/// A command that closes its input early is no error: its exit status tells.
///
/// # Errors
/// When the source of the input cannot be read.
pub(crate) async fn feed(
    mut writer: impl AsyncWrite + Unpin,
    input: Stdin,
    waits: bool,
    mut cues: UnboundedReceiver<Cue>,
) -> io::Result<()> {
    let mut waiting = waits;
    while waiting {
        match cues.recv().await {
            Some(Cue::Reply(reply)) => {
                let mut line = Zeroizing::new(reply.expose_secret().as_bytes().to_vec());
                line.push(b'\n');
                if writer.write_all(&line).await.is_err() || writer.flush().await.is_err() {
                    return Ok(());
                }
            }
            Some(Cue::Ready) => waiting = false,
            None => return Ok(()),
        }
    }
    match input {
        Stdin::Empty => {}
        Stdin::Bytes(bytes) => {
            if writer.write_all(&bytes).await.is_err() {
                return Ok(());
            }
        }
        Stdin::Stream(mut source) => {
            let mut chunk = vec![0; CHUNK];
            loop {
                let count = source.read(&mut chunk).await?;
                let bytes = chunk.get(..count).unwrap_or_default();
                if bytes.is_empty() {
                    break;
                }
                if writer.write_all(bytes).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    // A command that is gone needs no end of input.
    drop(writer.shutdown().await);
    Ok(())
}

/// Where an output goes.
pub(crate) enum Sink {
    /// Kept.
    Capture(Capture),
    /// Passed on.
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
}

impl Sink {
    /// For one command.
    pub(crate) fn new(drain: Drain) -> Self {
        match drain {
            Drain::Capture { cap } => Self::Capture(Capture::new(cap)),
            Drain::Stream(writer) => Self::Stream(writer),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the writer fails.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Capture(capture) => capture.push(bytes),
            Self::Stream(writer) => writer.write_all(bytes).await?,
        }
        Ok(())
    }

    /// Flushes; gives what was kept and how many bytes were dropped.
    ///
    /// # Errors
    /// When the writer fails.
    pub(crate) async fn finish(self) -> io::Result<(Vec<u8>, u64)> {
        match self {
            Self::Capture(capture) => Ok(capture.into_parts()),
            Self::Stream(mut writer) => {
                writer.flush().await?;
                Ok((Vec::new(), 0))
            }
        }
    }
}
