//! `ansible_connection: local`: commands run on this machine, without SSH.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus as ProcessStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::dialogue::{Cue, Dialogue};
use super::feed::{Sink, feed};
use super::session::{BoxFuture, ByteStream, Exec, ExecError, ExitStatus, Output, Session};

/// Bytes read from a pipe at once: the size of a Linux pipe.
const CHUNK: usize = 64 * 1024;

/// How long a local connection may take to be made; the same as one SSH hop.
const TUNNEL_DEADLINE: std::time::Duration = std::time::Duration::from_secs(20);

/// This machine, under the inventory's name for it.
pub struct LocalSession {
    host: String,
    closed: watch::Sender<bool>,
}

impl LocalSession {
    /// A session that runs commands as the user we are.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self { host: host.to_owned(), closed: watch::Sender::new(false) }
    }

    fn lost(&self, detail: impl ToString, started: bool) -> ExecError {
        ExecError::Lost { host: self.host.clone(), detail: detail.to_string(), started }
    }

    fn local(&self, error: &std::io::Error) -> ExecError {
        ExecError::Local { host: self.host.clone(), detail: error.to_string() }
    }

    async fn run(&self, exec: Exec) -> Result<Output, ExecError> {
        let mut closed = self.closed.subscribe();
        if *closed.borrow() {
            return Err(self.lost("the session was closed", false));
        }
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(&exec.command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| self.lost(format!("/bin/sh: {e}"), false))?;
        let mut group = Group::of(&child);
        let deadline = exec.deadline;
        let ended = tokio::select! {
            ended = timeout(deadline, self.talk(&mut child, exec)) => ended,
            _ = closed.wait_for(|c| *c) => return Err(self.lost("the session was closed", true)),
        };
        let output = ended.map_err(|_| ExecError::Deadline { host: self.host.clone(), deadline })??;
        group.ended();
        Ok(output)
    }

    async fn keep(&self, mut pipe: ChildStdout, mut sink: Sink) -> Result<(Vec<u8>, u64), ExecError> {
        let mut chunk = vec![0; CHUNK];
        while let Some(bytes) = next(&mut pipe, &mut chunk).await.map_err(|e| self.local(&e))? {
            sink.push(bytes).await.map_err(|e| self.local(&e))?;
        }
        sink.finish().await.map_err(|e| self.local(&e))
    }

    async fn listen(
        &self,
        mut pipe: ChildStderr,
        mut sink: Sink,
        mut dialogue: Dialogue,
        cues: mpsc::UnboundedSender<Cue>,
    ) -> Result<(Vec<u8>, u64), ExecError> {
        let mut chunk = vec![0; CHUNK];
        while let Some(bytes) = next(&mut pipe, &mut chunk).await.map_err(|e| self.local(&e))? {
            let mut own = Vec::new();
            let heard = dialogue.push(bytes, &mut own);
            sink.push(&own).await.map_err(|e| self.local(&e))?;
            for cue in heard.map_err(|_| ExecError::BecomeRefused { host: self.host.clone() })? {
                // A feeder that is done needs no cue.
                drop(cues.send(cue));
            }
        }
        sink.push(&dialogue.finish()).await.map_err(|e| self.local(&e))?;
        sink.finish().await.map_err(|e| self.local(&e))
    }

    /// Feeds and drains a command until it has ended and closed its output.
    async fn talk(&self, child: &mut Child, exec: Exec) -> Result<Output, ExecError> {
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(self.lost("no pipes", true));
        };
        let dialogue = Dialogue::new(exec.prompt);
        let (cues, heard) = mpsc::unbounded_channel();
        let feeding = feed(stdin, exec.stdin, dialogue.waits(), heard);
        let out = self.keep(stdout, Sink::new(exec.stdout));
        let err = self.listen(stderr, Sink::new(exec.stderr), dialogue, cues);
        let ending = async {
            let ((stdout, stdout_dropped), (stderr, stderr_dropped)) = tokio::try_join!(out, err)?;
            let status = child.wait().await.map_err(|e| self.lost(e, true))?;
            Ok(Output { status: status_of(status), stdout, stderr, stdout_dropped, stderr_dropped })
        };
        tokio::pin!(feeding, ending);
        tokio::select! {
            biased;
            ended = &mut ending => ended,
            fed = &mut feeding => {
                fed.map_err(|e| self.local(&e))?;
                ending.await
            }
        }
    }
}

/// Fills the chunk; nothing at the end of the stream.
async fn next<'a>(pipe: &mut (impl AsyncRead + Unpin), chunk: &'a mut [u8]) -> std::io::Result<Option<&'a [u8]>> {
    let count = pipe.read(chunk).await?;
    Ok(chunk.get(..count).filter(|bytes| !bytes.is_empty()))
}

fn status_of(status: ProcessStatus) -> ExitStatus {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Code(code.cast_unsigned()),
        (None, signal) => ExitStatus::Signal(signal.map_or_else(|| "unknown".to_owned(), signal_name)),
    }
}

/// The name without `SIG`, as SSH sends it (RFC 4254, 6.10).
fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        _ => return number.to_string(),
    };
    name.to_owned()
}

/// The process group of a command, killed as a whole unless the command has ended by itself.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())))
    }

    const fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Already gone is what we want.
            let _gone = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

impl Session for LocalSession {
    fn host(&self) -> &str {
        &self.host
    }

    fn exec(&self, exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        Box::pin(self.run(exec))
    }

    fn tunnel<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        Box::pin(async move {
            let to = format!("{address}:{port}");
            let refused = |detail| ExecError::TunnelRefused { host: self.host.clone(), to: to.clone(), detail };
            let stream = timeout(TUNNEL_DEADLINE, TcpStream::connect((address, port)))
                .await
                .map_err(|_| refused(format!("no answer within {} s", TUNNEL_DEADLINE.as_secs())))?
                .map_err(|e| refused(e.to_string()))?;
            stream.set_nodelay(true).map_err(|e| refused(e.to_string()))?;
            let stream: Box<dyn ByteStream> = Box::new(stream);
            Ok(stream)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.closed.send_replace(true);
        })
    }
}
