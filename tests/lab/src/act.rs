//! Acts on the machine that the lab stands on: run a program, write a file, wait for a state.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a small program (`ip`, `mount`, `ssh-keygen`) may take. They take milliseconds; half a
/// minute is for a machine whose cores are busy compiling.
const SHORT: Duration = Duration::from_secs(30);

/// Between two looks at a state that is waited for: short beside a boot (about 1 s).
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// An act on the machine that failed.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The program ran and said no.
    #[error("`{argv}` ended with {status}: {said}")]
    Program {
        /// The program and its arguments, joined by blanks.
        argv: String,
        /// Its exit status in words.
        status: String,
        /// The end of its standard error (or output), trimmed.
        said: String,
    },
    /// The program could not be started or fed.
    #[error("`{argv}` could not be run: {source}; scripts/setup installs what the lab needs")]
    Start {
        /// The program and its arguments, joined by blanks.
        argv: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {act} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        act: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A state that did not come before its deadline.
    #[error("waited {waited:?} for {what}; last seen: {saw}")]
    Late {
        /// What was waited for.
        what: String,
        /// The whole deadline.
        waited: Duration,
        /// What was there instead at the last look.
        saw: String,
    },
    /// Something downloaded or built is not what the table says.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// Of what.
        what: String,
        /// The pinned value.
        expected: String,
        /// The value seen.
        found: String,
    },
}

/// Ties a path and a verb to an I/O error.
pub(crate) fn at<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ActError + use<'a> {
    move |source| ActError::File { act, path: path.to_owned(), source }
}

/// Runs a small program to its end and gives its standard output.
///
/// # Errors
/// It cannot be started, does not end in time, or ends with another status than 0.
pub(crate) fn run<S: AsRef<str>>(program: &str, args: &[S]) -> Result<String, ActError> {
    feed(program, args, "", SHORT)
}

/// Runs a program with a text on its standard input, with a deadline of its own.
///
/// # Errors
/// As [`run`].
pub(crate) fn feed<S: AsRef<str>>(program: &str, args: &[S], input: &str, limit: Duration) -> Result<String, ActError> {
    let mut command = Command::new(program);
    command.args(args.iter().map(AsRef::as_ref));
    run_command(command, input, limit)
}

/// Runs a prepared command under `timeout`, so that it cannot hang the lab.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_command(command: Command, input: &str, limit: Duration) -> Result<String, ActError> {
    let argv = words(&command);
    let start = |source| ActError::Start { argv: argv.clone(), source };
    let mut limited = under_timeout(&command, limit);
    limited.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = limited.spawn().map_err(start)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // A program that does not read its input is no failure; its status says what is.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(start(error)),
            _ => {}
        }
    }
    let output = child.wait_with_output().map_err(start)?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = if stderr.trim().is_empty() { &stdout } else { &*stderr };
    Err(ActError::Program { argv, status: output.status.to_string(), said: tail(said.trim(), 2000) })
}

fn under_timeout(command: &Command, limit: Duration) -> Command {
    let mut limited = Command::new("timeout");
    limited
        .args(["--kill-after=5", &limit.as_secs().max(1).to_string()])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

fn words(command: &Command) -> String {
    let mut argv = command.get_program().to_string_lossy().into_owned();
    for word in command.get_args() {
        argv.push(' ');
        argv.push_str(&word.to_string_lossy());
    }
    argv
}

fn tail(text: &str, most: usize) -> String {
    let skip = text.chars().count().saturating_sub(most);
    text.chars().skip(skip).collect()
}

/// Who owns a file that the lab writes into a host, as numeric user and group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner(pub(crate) u32);

/// Root.
pub(crate) const ROOT: Owner = Owner(0);

/// Writes a whole file with the given mode and owner, making its folders.
///
/// # Errors
/// Any of it fails.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32, owner: Owner) -> Result<(), ActError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at("make folder", folder))?;
    }
    fs::write(path, content).map_err(at("write", path))?;
    own(path, mode, owner)
}

/// Copies a file and sets its mode and owner.
///
/// # Errors
/// Any of it fails.
pub(crate) fn copy(from: &Path, to: &Path, mode: u32, owner: Owner) -> Result<(), ActError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(at("make folder", folder))?;
    }
    fs::copy(from, to).map_err(at("copy", from))?;
    own(to, mode, owner)
}

/// Writes a program's text, for root, executable.
///
/// By a process of its own: a thread of ours that starts any program while a file is open for writing
/// here hands it the open file for the moment until its `execve`, and who runs the new program in
/// that moment is told "Text file busy" (execve(2), ETXTBSY).
///
/// # Errors
/// Any of it fails.
pub(crate) fn write_program(path: &Path, text: &str) -> Result<(), ActError> {
    install("/dev/stdin", path, text)
}

/// Copies a program, for root, executable; by a process of its own, as [`write_program`].
///
/// # Errors
/// Any of it fails.
pub(crate) fn copy_program(from: &Path, to: &Path) -> Result<(), ActError> {
    install(&from.to_string_lossy(), to, "")
}

fn install(from: &str, to: &Path, input: &str) -> Result<(), ActError> {
    feed("install", &["-D", "-o", "0", "-g", "0", "-m", "755", from, &to.to_string_lossy()], input, SHORT).map(drop)
}

/// Sets mode and owner.
///
/// # Errors
/// Either fails.
pub(crate) fn own(path: &Path, mode: u32, owner: Owner) -> Result<(), ActError> {
    chown(path, Some(owner.0), Some(owner.0)).map_err(at("change the owner of", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at("change the mode of", path))
}

/// Makes a folder (and its parents) with mode and owner.
///
/// # Errors
/// Any of it fails.
pub(crate) fn folder(path: &Path, mode: u32, owner: Owner) -> Result<(), ActError> {
    fs::create_dir_all(path).map_err(at("make folder", path))?;
    own(path, mode, owner)
}

/// Looks again and again until `look` gives `Ok`, or the deadline has passed; the last `Err` says
/// what was seen instead.
///
/// # Errors
/// [`ActError::Late`] with the last thing seen.
pub fn wait_until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> Result<T, ActError> {
    let end = Instant::now() + limit;
    loop {
        match look() {
            Ok(value) => return Ok(value),
            Err(saw) if Instant::now() >= end => {
                return Err(ActError::Late { what: what.to_owned(), waited: limit, saw });
            }
            Err(_) => thread::sleep(LOOK_EVERY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_says_what_it_said() {
        let error = run("sh", &["-c", "echo no such thing >&2; exit 3"]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no such thing"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_at_its_deadline() {
        let started = Instant::now();
        let outcome = feed("sleep", &["60"], "", Duration::from_secs(1));
        assert!(outcome.is_err());
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_wait_that_is_late_says_what_it_saw_last() {
        let mut looks = 0;
        let outcome: Result<(), _> = wait_until("a miracle", Duration::from_millis(60), || {
            looks += 1;
            Err(format!("look {looks}"))
        });
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("a miracle") && text.contains(&format!("look {looks}")));
    }
}
