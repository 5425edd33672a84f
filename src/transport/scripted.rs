//! Test support: a connector whose hosts answer from a closure, in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::session::{
    BoxFuture, ByteStream, ConnectError, Connector, Drain, Exec, ExecError, Output, Session, Stdin, Target,
};

/// One command that a scripted host was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The host's name.
    pub host: String,
    /// The command line.
    pub command: String,
    /// All of its standard input.
    pub stdin: Vec<u8>,
}

type Answer = dyn Fn(&str, &str, &[u8]) -> Result<Output, ExecError> + Send + Sync;

/// Hosts that run nothing: every command is answered by one closure and recorded.
///
/// Caps are the closure's business; deadlines, prompts and tunnels are not played.
#[derive(Clone)]
pub struct Scripted(Arc<State>);

struct State {
    answer: Box<Answer>,
    calls: Mutex<Vec<Call>>,
    unreachable: Mutex<BTreeSet<String>>,
}

impl Scripted {
    /// Hosts that answer `(host, command, stdin)` with what `answer` says.
    pub fn new(answer: impl Fn(&str, &str, &[u8]) -> Result<Output, ExecError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(State { answer: Box::new(answer), calls: Mutex::default(), unreachable: Mutex::default() }))
    }

    /// From now on this host cannot be connected to, and its sessions are lost.
    pub fn cut(&self, host: &str) {
        self.0.unreachable.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
    }

    /// This host can be reached again.
    pub fn restore(&self, host: &str) {
        self.0.unreachable.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    /// Every command so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_cut(&self, host: &str) -> bool {
        self.0.unreachable.lock().unwrap_or_else(PoisonError::into_inner).contains(host)
    }
}

impl Connector for Scripted {
    fn connect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Arc<dyn Session>, ConnectError>> {
        Box::pin(async move {
            if self.is_cut(&target.name) {
                let detail = "cut off by the script".to_owned();
                return Err(ConnectError::Unreachable { host: target.name.clone(), via: None, detail });
            }
            let session: Arc<dyn Session> =
                Arc::new(ScriptedSession { host: target.name.clone(), script: self.clone() });
            Ok(session)
        })
    }
}

struct ScriptedSession {
    host: String,
    script: Scripted,
}

impl ScriptedSession {
    fn lost(&self, started: bool) -> ExecError {
        ExecError::Lost { host: self.host.clone(), detail: "cut off by the script".to_owned(), started }
    }

    fn local(&self, error: &std::io::Error) -> ExecError {
        ExecError::Local { host: self.host.clone(), detail: error.to_string() }
    }

    async fn answer(&self, exec: Exec) -> Result<Output, ExecError> {
        let mut stdin = Vec::new();
        match exec.stdin {
            Stdin::Empty => {}
            Stdin::Bytes(bytes) => stdin = bytes,
            Stdin::Stream(mut stream) => {
                stream.read_to_end(&mut stdin).await.map_err(|e| self.local(&e))?;
            }
        }
        if self.script.is_cut(&self.host) {
            return Err(self.lost(false));
        }
        let call = Call { host: self.host.clone(), command: exec.command, stdin };
        self.script.0.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        let mut output = (self.script.0.answer)(&call.host, &call.command, &call.stdin)?;
        if let Drain::Stream(mut writer) = exec.stdout {
            writer.write_all(&output.stdout).await.map_err(|e| self.local(&e))?;
            writer.flush().await.map_err(|e| self.local(&e))?;
            output.stdout.clear();
        }
        Ok(output)
    }
}

impl Session for ScriptedSession {
    fn host(&self) -> &str {
        &self.host
    }

    fn exec(&self, exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        Box::pin(self.answer(exec))
    }

    fn tunnel<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        Box::pin(async move {
            Err(ExecError::TunnelRefused {
                host: self.host.clone(),
                to: format!("{address}:{port}"),
                detail: "a scripted host has no network".to_owned(),
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
