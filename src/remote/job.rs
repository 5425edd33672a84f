//! One command on a host, from its frame to its own output.

use std::time::{Duration, Instant};

use memchr::memmem;
use secrecy::ExposeSecret;
use tokio::io::AsyncReadExt;

use super::shell::{self, Program};
use super::sink::{Sink, SinkHandle};
use super::{RemoteError, RemoteHost, RemotePath};
use crate::transport::{Drain, Exec, ExecError, ExitStatus, Output, Stdin};

/// Standard output kept unless said otherwise; what a module registers or shows is far below it.
pub(super) const OUTPUT_CAP: usize = 1024 * 1024;
/// Standard error kept.
const STDERR_CAP: usize = 256 * 1024;
/// What a login shell, a banner or sudo's lecture may print before the command itself starts.
pub(super) const NOISE_CAP: usize = 64 * 1024;

/// How a command on a host ended, with what it printed.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; 128 + n if signal n ended it. Codes that no process of Linux has become -1.
    pub rc: i32,
    /// Standard output: data of the host.
    pub stdout: Vec<u8>,
    /// Standard error: data of the host.
    pub stderr: Vec<u8>,
    /// Whether any of both was cut at the cap.
    pub cut: bool,
}

/// How to run a command; the default is an empty input, the login folder, the host's deadline and 1 MiB of output.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Its standard input.
    pub stdin: Option<Vec<u8>>,
    /// The folder it starts in.
    pub chdir: Option<RemotePath>,
    /// From the request to the exit status.
    pub deadline: Option<Duration>,
    /// Bytes of standard output kept.
    pub cap: Option<usize>,
    /// Whether it gets a session of its own on the host, as what an operator wrote must: it may leave something behind that goes on printing.
    pub alone: bool,
}

impl Ran {
    /// Exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.rc == 0
    }

    /// The last lines of standard error (else of standard output) on one line, for a message; still data of the host.
    #[must_use]
    pub fn words(&self) -> String {
        let said = if self.stderr.trim_ascii().is_empty() { &self.stdout } else { &self.stderr };
        // 400 characters: what fits under an error on a terminal of 100 columns.
        let line = one_line(said);
        let skip = line.chars().count().saturating_sub(400);
        if line.is_empty() { format!("exit code {}", self.rc) } else { line.chars().skip(skip).collect() }
    }
}

/// Text of a host on one line; what would steer a terminal is shown as an escape.
fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    line.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// One command to run on a host.
pub(super) struct Job<'a> {
    /// What it is for, in messages: "read /etc/x".
    pub(super) act: &'a str,
    pub(super) argv: Vec<&'a str>,
    pub(super) chdir: Option<&'a RemotePath>,
    pub(super) stdin: Stdin,
    pub(super) deadline: Option<Duration>,
    pub(super) cap: usize,
    /// Whether it needs a session of its own on the host: it may leave something behind that goes on printing.
    pub(super) alone: bool,
}

impl<'a> Job<'a> {
    /// `argv` with no input and the usual limits.
    pub(super) fn new(act: &'a str, argv: Vec<&'a str>) -> Self {
        Self { act, argv, chdir: None, stdin: Stdin::Empty, deadline: None, cap: OUTPUT_CAP, alone: false }
    }

    /// A fixed POSIX sh text with positional parameters; `$0`, which `ps` shows, says what it is for.
    pub(super) fn script(act: &'a str, text: &'static str, args: &[&'a str]) -> Self {
        let mut argv = vec!["/bin/sh", "-c", text, act];
        argv.extend_from_slice(args);
        Self::new(act, argv)
    }

    /// The same with what the caller wants otherwise.
    pub(super) fn with(mut self, options: &'a RunOptions) -> Self {
        if let Some(bytes) = &options.stdin {
            self.stdin = Stdin::Bytes(bytes.clone());
        }
        self.chdir = options.chdir.as_ref();
        self.deadline = options.deadline;
        self.cap = options.cap.unwrap_or(self.cap);
        self.alone = options.alone;
        self
    }

    /// The same once more; `None` where it may not be told twice: what an operator wrote, and an input that is gone by then.
    fn again(&self) -> Option<Self> {
        let stdin = match &self.stdin {
            Stdin::Empty => Stdin::Empty,
            Stdin::Bytes(bytes) => Stdin::Bytes(bytes.clone()),
            Stdin::Stream(_) => return None,
        };
        let argv = self.argv.clone();
        (!self.alone).then_some(Self { stdin, argv, ..*self })
    }

    pub(super) fn cap(mut self, cap: usize) -> Self {
        self.cap = cap;
        self
    }
}

impl RemoteHost {
    /// Runs it and waits for its end. A question that is lost with its connection is asked again, if the session says so.
    pub(super) async fn perform(&self, job: Job<'_>) -> Result<Ran, RemoteError> {
        let (first, mut asked, mut job) = (Instant::now(), 0, job);
        loop {
            let again = if self.repeats { job.again() } else { None };
            asked += 1;
            let ran = self.perform_once(job).await;
            let (Err(RemoteError::Exec(lost @ ExecError::Lost { .. })), Some(again)) = (&ran, again) else {
                return ran;
            };
            if !self.session.again(lost, asked, first).await {
                return ran;
            }
            job = again;
        }
    }

    async fn perform_once(&self, job: Job<'_>) -> Result<Ran, RemoteError> {
        let stdout = Drain::Capture { cap: job.cap.saturating_add(NOISE_CAP) };
        let (act, cap) = (job.act, job.cap);
        let (nonce, output) = self.exec(job, |_| stdout).await?;
        let mut ran = self.own(act, &nonce, output)?;
        let Some(own) = after(&ran.stdout, &format!("{nonce}-start\n")) else {
            return Err(self.answer(act, "standard output holds more noise of the login shell than output"));
        };
        ran.stdout = own.to_vec();
        ran.cut |= ran.stdout.len() > cap;
        ran.stdout.truncate(cap);
        Ok(ran)
    }

    /// Runs it with its standard output going into `sink`.
    pub(super) async fn perform_into(&self, job: Job<'_>, sink: Sink) -> Result<(Ran, u64, String), RemoteError> {
        let act = job.act;
        let mut handle: Option<SinkHandle> = None;
        let ended = self
            .exec(job, |nonce| {
                let (framed, kept) = sink.framed(&format!("{nonce}-start\n"));
                handle = Some(kept);
                Drain::Stream(Box::new(framed))
            })
            .await;
        // Asked first: to who carried them it was the sink that failed.
        let too_many = |handle: &SinkHandle| {
            let (most, came) = handle.too_many()?;
            Some(self.answer(act, format!("expected {most} bytes, found {came} and maybe more to come")))
        };
        if let Some(error) = handle.as_ref().and_then(too_many) {
            return Err(error);
        }
        let (nonce, output) = ended?;
        let ran = self.own(act, &nonce, output)?;
        let Some(handle) = handle else { return Err(self.answer(act, "no output was asked for")) };
        let finished = handle.finish().await;
        let (bytes, sha256) = finished.map_err(|error| too_many(&handle).unwrap_or_else(|| self.local(&error)))?;
        Ok((ran, bytes, sha256))
    }

    async fn exec(&self, job: Job<'_>, stdout: impl FnOnce(&str) -> Drain) -> Result<(String, Output), RemoteError> {
        let Some(nonce) = shell::nonce() else { return Err(self.refused(job.act, "no random numbers to be had")) };
        let deadline = job.deadline.unwrap_or(self.deadline);
        let chdir = job.chdir.map(RemotePath::as_str);
        let fence = self.fence.as_ref().map(|fence| (fence.path.as_str(), fence.run.as_str()));
        let program = Program { argv: job.argv, environment: &self.environment, chdir, deadline, fence };
        if let Some(fault) = program.fault(self.r#become.as_ref()) {
            return Err(self.refused(job.act, fault));
        }
        let stdout = stdout(&nonce);
        let told_path = program.environment.iter().any(|(name, _)| name == "PATH");
        if let (Stdin::Empty, Drain::Capture { cap }, false, false) = (&job.stdin, &stdout, job.alone, told_path) {
            let caps = [*cap, STDERR_CAP + NOISE_CAP];
            if let Some(answer) = self.ask_resident(&program, &nonce, caps).await {
                return answer.map(|output| (nonce, output)).map_err(|error| error.of(job.act));
            }
        }
        let framed = program.framed(self.r#become.as_ref(), &nonce);
        let exec = Exec {
            command: framed.command,
            stdin: before(framed.text, job.stdin),
            stdout,
            stderr: Drain::Capture { cap: STDERR_CAP + NOISE_CAP },
            deadline,
            prompt: framed.prompt,
        };
        match self.session.exec(exec).await {
            Ok(output) => {
                if after(&output.stderr, &format!("{nonce}-start\n")).is_some() {
                    self.has_run_alone();
                }
                Ok((nonce, output))
            }
            Err(ExecError::BecomeRefused { .. }) => Err(self.not_become("sudo did not take the password")),
            Err(error) => Err(RemoteError::from(error).of(job.act)),
        }
    }

    /// What of standard error is the command's own; an error if it never started.
    fn own(&self, act: &str, nonce: &str, output: Output) -> Result<Ran, RemoteError> {
        let Some(own) = after(&output.stderr, &format!("{nonce}-start\n")) else {
            return Err(self.not_started(act, nonce, &output));
        };
        if let Some(said) = own.strip_suffix(format!("{nonce}-chdir\n").as_bytes()) {
            return Err(self.failed(act, format!("change to its folder: {}", one_line(said))));
        }
        if let Some(fence) = self.fence.as_ref().filter(|_| own == format!("{nonce}-fenced\n").as_bytes()) {
            let (host, act) = (self.name().to_owned(), act.to_owned());
            let (lock, run) = (fence.path.to_string(), fence.run.clone());
            return Err(RemoteError::Fenced { host, act, lock, run });
        }
        let cut = output.stdout_dropped > 0 || output.stderr_dropped > 0 || own.len() > STDERR_CAP;
        let stderr = own.get(..STDERR_CAP).unwrap_or(own).to_vec();
        Ok(Ran { rc: code(&output.status), stdout: output.stdout, stderr, cut })
    }

    /// No start mark: sudo refused, or the login shell did something else than what we asked.
    fn not_started(&self, act: &str, nonce: &str, output: &Output) -> RemoteError {
        let noise = one_line(&output.stderr);
        if output.stderr_dropped > 0 {
            return self.answer(act, "standard error is flooded, so it is not known whether the command ran");
        }
        if after(&output.stderr, &format!("{nonce}-begin\n")).is_some() {
            return self
                .answer(act, "the command did not arrive whole and was not run: does the login shell read input?");
        }
        if self.r#become.is_some() {
            return self.not_become(&noise);
        }
        self.answer(act, format!("the login shell did not run the command ({:?}): {noise}", output.status))
    }

    pub(super) fn not_become(&self, said: &str) -> RemoteError {
        let user = self.r#become.as_ref().map(|b| b.user.clone()).unwrap_or_default();
        let detail = if said.is_empty() { "sudo said nothing".to_owned() } else { self.redacted(said) };
        RemoteError::Become { host: self.name().to_owned(), user, detail }
    }

    /// A host that saw the password may print it back.
    fn redacted(&self, said: &str) -> String {
        match self.r#become.as_ref().and_then(|b| b.password.as_ref()) {
            Some(secret) if !secret.expose_secret().is_empty() => said.replace(secret.expose_secret(), "***"),
            _ => said.to_owned(),
        }
    }

    fn local(&self, error: &std::io::Error) -> RemoteError {
        ExecError::Local { host: self.name().to_owned(), detail: error.to_string() }.into()
    }
}

/// The text first, then the command's own input.
fn before(mut text: Vec<u8>, stdin: Stdin) -> Stdin {
    match stdin {
        Stdin::Empty => Stdin::Bytes(text),
        Stdin::Bytes(bytes) => {
            text.extend_from_slice(&bytes);
            Stdin::Bytes(text)
        }
        Stdin::Stream(stream) => Stdin::Stream(Box::new(std::io::Cursor::new(text).chain(stream))),
    }
}

/// What comes after the first `mark`.
fn after<'a>(bytes: &'a [u8], mark: &str) -> Option<&'a [u8]> {
    let at = memmem::find(bytes, mark.as_bytes())?;
    bytes.get(at + mark.len()..)
}

/// The exit code as a shell would say it.
fn code(status: &ExitStatus) -> i32 {
    match status {
        ExitStatus::Code(code) => i32::try_from(*code).unwrap_or(-1),
        ExitStatus::Signal(name) => 128 + signal_number(name),
    }
}

/// Linux's numbers (signal(7)) of the names that RFC 4254, section 6.10 lists, and of those that OpenSSH sends besides.
fn signal_number(name: &str) -> i32 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "TRAP" => 5,
        "ABRT" => 6,
        "BUS" => 7,
        "FPE" => 8,
        "KILL" => 9,
        "USR1" => 10,
        "SEGV" => 11,
        "USR2" => 12,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        // OpenSSH and we ourselves name those without a name by their number.
        _ => name.parse().unwrap_or(0),
    }
}
