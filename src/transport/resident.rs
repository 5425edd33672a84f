//! A command that stays: one shell on a host that takes one piece of work after the other, so that not each of them costs a channel, a login
//! shell and sudo. What is said to it and how its answers are told apart is the caller's; here it is kept, spoken to and listened to.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::capture::Capture;
use super::session::{Drain, Exec, ExecError, ExitStatus, Output, Prompt, Session, Stdin};

/// What may lie between us and the channel: two SSH packets; who writes more waits.
const PIPE: usize = 64 * 1024;

/// The resident command itself has no deadline; what it is told to do has. 30 days are longer than any run.
const NO_DEADLINE: Duration = Duration::from_secs(30 * 24 * 3600);

/// At once on one connection, which carries eight commands: the login's user and root. Others of a playbook's `become_user` take the place of
/// one that waits.
const MOST: usize = 2;

/// How the answer to one piece of work is known, on both outputs. Random for each piece, so that no output can hold it beforehand.
#[derive(Clone, Debug)]
pub struct Marks {
    /// Printed before it, a whole line with its line feed; stays in what is kept.
    pub begin: String,
    /// Printed after it, followed by the exit code and a line feed; cut off.
    pub end: String,
}

/// Why a piece of work has no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// The resident command had ended before it came to it; nothing was done.
    NotBegun,
    /// It is not known how it ended.
    Lost(ExecError),
}

/// One of both outputs, read up to the end of a piece of work.
#[derive(Debug)]
struct Half {
    marks: Marks,
    begun: bool,
    held: Vec<u8>,
    kept: Capture,
    code: Option<u32>,
}

/// Both outputs. What comes while nobody listens is dropped: noise of the login shell, or of something that an earlier piece left behind.
#[derive(Default)]
struct Ear {
    halves: Mutex<[Option<Half>; 2]>,
    ended: Notify,
}

/// What the channel writes one output into.
struct Hearing {
    ear: Arc<Ear>,
    which: usize,
}

/// A command that stays, on one connection. Let go, it is ended.
pub struct Resident {
    input: DuplexStream,
    ear: Arc<Ear>,
    exec: JoinHandle<Result<Output, ExecError>>,
    host: String,
}

impl Half {
    fn new(marks: Marks, cap: usize) -> Self {
        Self { marks, begun: false, held: Vec::new(), kept: Capture::new(cap), code: None }
    }

    /// Takes the next bytes; nothing behind the end mark.
    fn push(&mut self, bytes: &[u8]) {
        if self.code.is_some() {
            return;
        }
        self.held.extend_from_slice(bytes);
        if !self.begun {
            let Some(at) = memmem::find(&self.held, self.marks.begin.as_bytes()) else {
                let keep = self.marks.begin.len().saturating_sub(1);
                self.held.drain(..self.held.len().saturating_sub(keep));
                return;
            };
            self.held.drain(..at + self.marks.begin.len());
            self.kept.push(self.marks.begin.as_bytes());
            self.begun = true;
        }
        match memmem::find(&self.held, self.marks.end.as_bytes()) {
            None => {
                let keep = self.marks.end.len().saturating_sub(1);
                let own: Vec<u8> = self.held.drain(..self.held.len().saturating_sub(keep)).collect();
                self.kept.push(&own);
            }
            Some(at) => {
                let own: Vec<u8> = self.held.drain(..at).collect();
                self.kept.push(&own);
                let line = self.held.get(self.marks.end.len()..).unwrap_or_default();
                let Some(stop) = line.iter().position(|byte| *byte == b'\n') else { return };
                let code = line.get(..stop).and_then(|code| std::str::from_utf8(code).ok()?.trim().parse().ok());
                // A shell says 0 to 255; anything else is no code of it.
                self.code = Some(code.unwrap_or(u32::MAX));
            }
        }
    }
}

impl Ear {
    fn halves(&self) -> MutexGuard<'_, [Option<Half>; 2]> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, which: usize, bytes: &[u8]) {
        let mut halves = self.halves();
        if let Some(half) = halves.get_mut(which).and_then(Option::as_mut) {
            half.push(bytes);
            if half.code.is_some() {
                self.ended.notify_one();
            }
        }
    }

    fn listen(&self, marks: &Marks, caps: [usize; 2]) {
        *self.halves() = caps.map(|cap| Some(Half::new(marks.clone(), cap)));
    }

    fn is_answered(&self) -> bool {
        self.halves().iter().flatten().all(|half| half.code.is_some())
    }

    fn is_begun(&self) -> bool {
        self.halves().iter().flatten().any(|half| half.begun)
    }

    /// The answer, if both outputs tell the same end; nobody listens any more.
    fn answer(&self) -> Option<Output> {
        let [out, err] = std::mem::take(&mut *self.halves());
        let (out, err) = (out?, err?);
        let code = out.code.filter(|code| *code <= 255 && err.code == Some(*code))?;
        let (stdout, stdout_dropped) = out.kept.into_parts();
        let (stderr, stderr_dropped) = err.kept.into_parts();
        Some(Output { status: ExitStatus::Code(code), stdout, stderr, stdout_dropped, stderr_dropped })
    }
}

impl AsyncWrite for Hearing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.ear.take(self.which, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Resident {
    /// Begins one over the session: the command line for the login shell, the question that `become` may ask, and what is said to it first.
    #[must_use]
    pub fn begin(session: Arc<dyn Session>, command: String, prompt: Option<Prompt>) -> Self {
        let (input, source) = tokio::io::duplex(PIPE);
        let ear = Arc::new(Ear::default());
        let into = |which| Drain::Stream(Box::new(Hearing { ear: Arc::clone(&ear), which }));
        let exec = Exec {
            command,
            stdin: Stdin::Stream(Box::new(source)),
            stdout: into(0),
            stderr: into(1),
            deadline: NO_DEADLINE,
            prompt,
        };
        let host = session.host().to_owned();
        let exec = tokio::spawn(async move { session.exec(exec).await });
        Self { input, ear, exec, host }
    }

    /// Says the text and waits for the answer to it: at most so many bytes of each output are kept.
    ///
    /// # Errors
    /// It has ended, or did not answer within the deadline; then it is of no more use.
    pub async fn ask(
        &mut self,
        text: &[u8],
        marks: &Marks,
        caps: [usize; 2],
        deadline: Duration,
    ) -> Result<Output, Unanswered> {
        self.ear.listen(marks, caps);
        let (ear, input) = (Arc::clone(&self.ear), &mut self.input);
        let answered = async {
            // One that is gone takes nothing, and its end says why.
            if input.write_all(text).await.is_err() {
                return std::future::pending().await;
            }
            while !ear.is_answered() {
                ear.ended.notified().await;
            }
        };
        let ended = tokio::select! {
            biased;
            () = answered => None,
            ended = &mut self.exec => Some(ended),
            () = tokio::time::sleep(deadline) => {
                return Err(Unanswered::Lost(ExecError::Deadline { host: self.host.clone(), deadline }));
            }
        };
        let lost = |detail: &str| {
            let (host, detail) = (self.host.clone(), detail.to_owned());
            Unanswered::Lost(ExecError::Lost { host, detail, started: true })
        };
        match ended {
            None => self.ear.answer().ok_or_else(|| lost("both outputs tell different ends of one command")),
            Some(Ok(Err(ExecError::Lost { detail, .. }))) => Err(lost(&detail)),
            Some(Ok(Err(error))) => Err(Unanswered::Lost(error)),
            // All that it printed has come, and it begins nothing without saying so first.
            Some(Ok(Ok(_))) if !self.ear.is_begun() => Err(Unanswered::NotBegun),
            Some(_) => Err(lost("the shell that ran it ended before it did")),
        }
    }

    fn has_ended(&self) -> bool {
        self.exec.is_finished()
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.exec.abort();
    }
}

/// The resident commands of one connection, one a user; who finds it at work goes without.
#[derive(Default)]
pub struct Residents(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    places: HashMap<String, Place>,
    closed: bool,
}

enum Place {
    /// There is none: a command has run in the usual way, so that one may be begun.
    Free,
    /// It waits for work.
    Idle(Resident),
    /// It is at work.
    Taken,
    /// There shall be none.
    Never,
}

/// The right to a user's resident command, until it is given back; dropped, another may be begun.
pub struct Leave {
    of: Arc<Residents>,
    user: String,
    place: Option<Place>,
}

impl Kept {
    /// Whether one more may be begun; where they are too many, one that waits is ended.
    fn has_room(&mut self) -> bool {
        let there = self.places.values().filter(|place| matches!(place, Place::Idle(_) | Place::Taken)).count();
        let waits = self.places.values_mut().find(|place| matches!(place, Place::Idle(_)));
        there < MOST || waits.map(|place| *place = Place::Free).is_some()
    }
}

impl Residents {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user's resident command, or leave to begin it; nothing where it is at work or there is to be none.
    #[must_use]
    pub fn turn(self: &Arc<Self>, user: &str) -> Option<(Leave, Option<Resident>)> {
        let mut kept = self.kept();
        let may = match kept.places.get(user)? {
            Place::Free => kept.has_room(),
            Place::Idle(_) => true,
            Place::Taken | Place::Never => false,
        };
        let before = may.then(|| kept.places.insert(user.to_owned(), Place::Taken))?;
        let resident = match before {
            Some(Place::Idle(resident)) if !resident.has_ended() => Some(resident),
            _ => None,
        };
        Some((Leave { of: Arc::clone(self), user: user.to_owned(), place: Some(Place::Free) }, resident))
    }

    /// A command of the user has run in the usual way: the next one may begin a resident one.
    pub fn may_begin(&self, user: &str) {
        let mut kept = self.kept();
        if !kept.closed {
            kept.places.entry(user.to_owned()).or_insert(Place::Free);
        }
    }

    /// No more of them on this connection; one that waits is ended. A host that gives few sessions needs this one for other things.
    pub fn close(&self) {
        let mut kept = self.kept();
        kept.closed = true;
        kept.places.clear();
    }
}

impl Leave {
    /// It waits for the next.
    pub fn give_back(mut self, resident: Resident) {
        self.place = Some(Place::Idle(resident));
    }

    /// The host has none to give for this user.
    pub fn never_again(mut self) {
        self.place = Some(Place::Never);
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut kept = self.of.kept();
        if let Some(place) = self.place.take()
            && !kept.closed
        {
            kept.places.insert(std::mem::take(&mut self.user), place);
        }
    }
}
