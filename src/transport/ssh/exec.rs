//! One command over one channel.

use std::sync::Arc;
use std::time::Duration;

use russh::{ChannelMsg, Sig};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::link::{Link, Running};
use crate::transport::dialogue::{Cue, Dialogue};
use crate::transport::feed::{Sink, feed};
use crate::transport::session::{Exec, ExecError, ExitStatus, Output};

/// The longest wait between two attempts to open a channel; 2.5 s in all.
const REFUSED_WAIT: Duration = Duration::from_millis(2000);

/// Runs a command within its deadline, waiting for a free channel included.
pub(super) async fn exec(link: &Arc<Link>, exec: Exec) -> Result<Output, ExecError> {
    let deadline = exec.deadline;
    timeout(deadline, run(link, exec))
        .await
        .unwrap_or_else(|_| Err(ExecError::Deadline { host: link.label.clone(), deadline }))
}

async fn run(link: &Arc<Link>, exec: Exec) -> Result<Output, ExecError> {
    let _permit = link.commands.acquire().await.map_err(|e| link.lost(&e, false))?;
    if !link.alive() {
        return Err(link.lost(&"the connection is closed", false));
    }
    let mut running = open(link).await?;
    // From here on the host may have got it, even if its answer never comes.
    running.write.exec(true, exec.command).await.map_err(|e| link.lost(&e, true))?;
    let dialogue = Dialogue::new(exec.prompt);
    let (cues, heard) = mpsc::unbounded_channel();
    let feeding = feed(running.write.make_writer(), exec.stdin, dialogue.waits(), heard);
    let mut draining = Draining {
        link,
        dialogue,
        cues,
        sink: Sink::new(exec.stdout),
        stderr: Sink::new(exec.stderr),
        status: None,
        refused: false,
        whole: false,
    };
    tokio::pin!(feeding);
    let mut fed = false;
    loop {
        tokio::select! {
            message = running.read.wait() => match message {
                Some(message) => draining.take(&mut running, message).await?,
                None => break,
            },
            result = &mut feeding, if !fed => {
                result.map_err(|e| draining.local(&e))?;
                fed = true;
            }
        }
    }
    running.ended = true;
    draining.finish().await
}

/// Opens a channel, again and again for a while: sshd counts a session until its process is reaped and PAM is done with it, which is
/// later than the channel's end. Measured with OpenSSH 9.2 and PAM: at 8 commands in flight 1 to 8 of 60 were refused. A refused
/// channel has started nothing.
async fn open(link: &Arc<Link>) -> Result<Running, ExecError> {
    let mut wait = Duration::from_millis(10);
    loop {
        match link.command().await {
            Ok(running) => return Ok(running),
            Err(russh::Error::ChannelOpenFailure(_)) if wait < REFUSED_WAIT => {
                // It may be the one session that the host gives (`MaxSessions 1`).
                link.residents.close();
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            Err(russh::Error::ChannelOpenFailure(reason)) => {
                let detail =
                    format!("the host opens no session for a command ({}; MaxSessions?)", reason.description());
                return Err(link.lost(&detail, false));
            }
            Err(error) => return Err(link.lost(&error, false)),
        }
    }
}

/// What has come of a command so far.
struct Draining<'a> {
    link: &'a Link,
    dialogue: Dialogue,
    cues: mpsc::UnboundedSender<Cue>,
    sink: Sink,
    stderr: Sink,
    status: Option<ExitStatus>,
    /// The host refused to run it.
    refused: bool,
    /// The host has said that no more output follows.
    whole: bool,
}

impl Draining<'_> {
    fn local(&self, error: &std::io::Error) -> ExecError {
        ExecError::Local { host: self.link.label.clone(), detail: error.to_string() }
    }

    async fn take(&mut self, running: &mut Running, message: ChannelMsg) -> Result<(), ExecError> {
        match message {
            ChannelMsg::Data { data } => self.sink.push(&data).await.map_err(|e| self.local(&e))?,
            ChannelMsg::ExtendedData { data, ext: 1 } => {
                let mut own = Vec::new();
                let cues = self.dialogue.push(&data, &mut own);
                self.stderr.push(&own).await.map_err(|e| self.local(&e))?;
                let refused = |_| ExecError::BecomeRefused { host: self.link.label.clone() };
                for cue in cues.map_err(refused)? {
                    // A feeder that is done needs no cue.
                    drop(self.cues.send(cue));
                }
            }
            ChannelMsg::ExitStatus { exit_status } => self.ended(ExitStatus::Code(exit_status))?,
            ChannelMsg::ExitSignal { signal_name, .. } => self.ended(ExitStatus::Signal(name(&signal_name)))?,
            ChannelMsg::Eof | ChannelMsg::Close => {
                self.whole = true;
                running.ended = matches!(message, ChannelMsg::Close);
            }
            ChannelMsg::Failure => self.refused = true,
            // Windows and the like are russh's business, and other extended streams do not exist (RFC 4254, 5.2).
            _ => {}
        }
        Ok(())
    }

    /// One end is one end: a host that tells two different ones is not believed.
    fn ended(&mut self, status: ExitStatus) -> Result<(), ExecError> {
        match &self.status {
            Some(first) if *first != status => {
                let detail = format!("it reported two ends of one command: {first:?} and {status:?}");
                Err(ExecError::Lost { host: self.link.label.clone(), detail, started: true })
            }
            _ => {
                self.status = Some(status);
                Ok(())
            }
        }
    }

    async fn finish(mut self) -> Result<Output, ExecError> {
        if self.refused && self.status.is_none() {
            return Err(self.link.lost(&"the host refused to run a command (ForceCommand, or no shell)", false));
        }
        let rest = self.dialogue.finish();
        self.stderr.push(&rest).await.map_err(|e| self.local(&e))?;
        let Some(status) = self.status.take() else {
            return Err(self.link.lost(&"the command's channel was closed without an exit status", true));
        };
        if !self.whole {
            return Err(self.link.lost(&"the connection ended before all output had come", true));
        }
        let link = self.link;
        let local = |e: std::io::Error| ExecError::Local { host: link.label.clone(), detail: e.to_string() };
        let (stdout, stdout_dropped) = self.sink.finish().await.map_err(local)?;
        let (stderr, stderr_dropped) = self.stderr.finish().await.map_err(local)?;
        Ok(Output { status, stdout, stderr, stdout_dropped, stderr_dropped })
    }
}

/// RFC 4254, 6.10: without `SIG`.
fn name(signal: &Sig) -> String {
    match signal {
        Sig::ABRT => "ABRT".to_owned(),
        Sig::ALRM => "ALRM".to_owned(),
        Sig::FPE => "FPE".to_owned(),
        Sig::HUP => "HUP".to_owned(),
        Sig::ILL => "ILL".to_owned(),
        Sig::INT => "INT".to_owned(),
        Sig::KILL => "KILL".to_owned(),
        Sig::PIPE => "PIPE".to_owned(),
        Sig::QUIT => "QUIT".to_owned(),
        Sig::SEGV => "SEGV".to_owned(),
        Sig::TERM => "TERM".to_owned(),
        Sig::USR1 => "USR1".to_owned(),
        Sig::Custom(other) => other.clone(),
    }
}
