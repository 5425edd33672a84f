//! Test support: what a scripted host was asked to run, out of its frame, and an answer in the frame that we expect.

use crate::transport::{ExitStatus, Output};

/// A command as it reached a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Program and arguments. Of our own shell texts: `/bin/sh`, `-c`, the text, what it is for ("read /etc/x"), its parameters.
    pub argv: Vec<String>,
    /// The command's own input.
    pub stdin: Vec<u8>,
    nonce: String,
}

impl Heard {
    /// Reads command line and standard input of an [`crate::transport::Exec`]; nothing if they are not framed by us.
    #[must_use]
    pub fn from_exec(command: &str, stdin: &[u8]) -> Option<Self> {
        let nonce = command.rsplit(' ').next()?.to_owned();
        let begin = format!("{nonce}-text\n").into_bytes();
        let end = format!("\n{nonce}-end\n").into_bytes();
        let rest = stdin.strip_prefix(begin.as_slice())?;
        let at = memchr::memmem::find(rest, &end)?;
        let text = std::str::from_utf8(rest.get(..at)?).ok()?;
        let (_, words) = text.split_once("\nset -- ")?;
        let (words, _) = words.rsplit_once("\nif command -v timeout")?;
        Some(Self { argv: shlex::split(words)?, stdin: rest.get(at + end.len()..)?.to_vec(), nonce })
    }

    /// The program's end as a sound host would pass it on.
    #[must_use]
    pub fn answer(&self, rc: u32, stdout: &[u8], stderr: &[u8]) -> Output {
        let framed = |own: &[u8]| [format!("{}-start\n", self.nonce).as_bytes(), own].concat();
        Output {
            status: ExitStatus::Code(rc),
            stdout: framed(stdout),
            stderr: framed(stderr),
            stdout_dropped: 0,
            stderr_dropped: 0,
        }
    }
}
