//! A process that is followed call by call, so that it can be killed in its N-th call of a family, whichever of its threads makes it.
//!
//! strace's own `inject=…:signal=SIGKILL:when=N` counts for each thread and each name of a call apart (strace(1), 6.1: "per syscall and
//! per tracee"), so the N-th of a program with several threads cannot be said with it. Here strace only tells, and what it tells goes
//! through a pipe of one packet (`O_DIRECT`, one page): it writes a call's beginning, lets the call be made, and then its next word waits
//! until the first one was taken out. So while a beginning is only looked at (`tee`), whoever made that call does not come back from
//! it, nor does any other thread from its next one. Who is killed then has made the call or not, and has done nothing after it.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe, pipe_with, tee};

/// A page, which is the least that a pipe can hold, and the longest packet.
const PAGE: usize = 4096;

/// Calls that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// A name is put in the place of another, or made for what has one.
    Rename,
    /// Something is brought onto the disk.
    Sync,
    /// A file is opened that is made if it is not there.
    Create,
    /// Something is sent over a socket; of the control process only what goes to a host's sshd.
    Send,
}

impl Family {
    /// All of them, in the order in which they are looked at.
    pub(crate) const ALL: [Self; 4] = [Self::Rename, Self::Sync, Self::Create, Self::Send];

    /// Its name in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Sync => "fsync",
            Self::Create => "create",
            Self::Send => "send",
        }
    }

    /// By its name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::name);
        let found = Self::ALL.into_iter().find(|family| family.name() == name);
        found.ok_or_else(|| format!("no family `{name}`; there is {}", known.join(", ")))
    }

    fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Rename => &["rename", "renameat", "renameat2", "link", "linkat"],
            Self::Sync => &["fsync", "fdatasync", "syncfs", "sync"],
            Self::Create => &["open", "openat", "creat"],
            Self::Send => &["sendto", "sendmsg", "sendmmsg", "write", "writev"],
        }
    }

    /// Whether this call, with these arguments, is one of them.
    fn holds(self, name: &str, arguments: &str) -> bool {
        let meant = match self {
            Self::Rename | Self::Sync => true,
            Self::Create => name == "creat" || arguments.contains("O_CREAT"),
            // `-yy` says what a descriptor is: `7<TCP:[10.78.0.1:41234->10.78.0.11:22]>`, `3<UNIX-STREAM:[…]>`.
            Self::Send => {
                let first = arguments.split([',', ' ']).next().unwrap_or_default();
                ["<TCP", "<UNIX", "<socket:", "<UDP"].iter().any(|kind| first.contains(kind))
            }
        };
        meant && self.calls().contains(&name)
    }
}

/// A call as it begins.
#[derive(Clone, Debug)]
pub(crate) struct Call<'t> {
    /// Its family.
    pub(crate) family: Family,
    /// As strace writes it.
    pub(crate) text: &'t str,
    /// The thread that makes it, where more than one is followed.
    pub(crate) caller: Option<i32>,
}

/// The beginnings of calls of these families in what strace wrote.
fn beginnings<'t>(families: &[Family], packet: &'t str) -> Vec<Call<'t>> {
    let mut found = Vec::new();
    for line in packet.lines() {
        let (caller, text) = match line.strip_prefix("[pid ").and_then(|rest| rest.split_once("] ")) {
            Some((pid, text)) => (pid.trim().parse().ok(), text),
            None => (None, line),
        };
        let Some((name, arguments)) = text.split_once('(') else { continue };
        let family = families.iter().copied().find(|family| family.holds(name, arguments));
        found.extend(family.map(|family| Call { family, text, caller }));
    }
    found
}

/// strace at work, and the thread that reads it.
pub(crate) struct Traced<T> {
    /// strace itself, which ends as what it follows ends.
    pub(crate) strace: Child,
    reader: JoinHandle<io::Result<T>>,
}

impl<T> Traced<T> {
    /// Waits for the end of what strace tells.
    pub(crate) fn told(self) -> io::Result<T> {
        self.reader.join().unwrap_or_else(|_| Err(io::Error::other("the thread that reads strace died")))
    }
}

/// Starts `strace` (a command that already says whom it follows, and is followed by no words of strace) for these families. Every call is
/// shown to `look` as it begins and before it comes back; what `look` has become is given at the end.
pub(crate) fn follow<T: Send + 'static>(
    mut strace: Command,
    families: &[Family],
    whom: &[String],
    begins: Option<String>,
    mut state: T,
    look: impl Fn(&mut T, &Call<'_>) + Send + 'static,
) -> io::Result<Traced<T>> {
    let (packets, told) = pipe_with(PipeFlags::DIRECT | PipeFlags::CLOEXEC)?;
    fcntl_setpipe_size(&packets, PAGE)?;
    let names: Vec<&str> = families.iter().flat_map(|family| family.calls()).copied().collect();
    // Called as a program, so that nobody takes `sync` in a list of calls for a class of them; `?` passes over those a machine has not.
    let trace: Vec<String> = names.iter().map(|name| format!("?{name}")).chain(["execve".to_owned()]).collect();
    strace.args(["-f", "-qqq", "-yy", "-s", "0", "-e", "signal=none", "-e", &format!("trace={}", trace.join(","))]);
    strace.args(whom).stderr(told);
    let spawned = strace.spawn()?;
    // Holds the writing end; without it the end of strace is the end of the pipe.
    drop(strace);
    let families = families.to_vec();
    let reader = thread::spawn(move || {
        read(&packets, &families, begins.as_deref(), |call| look(&mut state, call))?;
        Ok(state)
    });
    Ok(Traced { strace: spawned, reader })
}

fn read(
    packets: &OwnedFd,
    families: &[Family],
    begins: Option<&str>,
    mut look: impl FnMut(&Call<'_>),
) -> io::Result<()> {
    let (copies, copied) = pipe()?;
    let (mut copies, mut packets) = (fs::File::from(copies), fs::File::from(packets.try_clone()?));
    let mut buffer = vec![0_u8; PAGE];
    let mut begun = begins.is_none();
    loop {
        let length = tee(&packets, &copied, PAGE, SpliceFlags::empty())?;
        if length == 0 {
            return Ok(());
        }
        let read = copies.read(&mut buffer)?;
        let text = String::from_utf8_lossy(buffer.get(..read).unwrap_or_default()).into_owned();
        if begun {
            beginnings(families, &text).iter().for_each(&mut look);
        } else {
            // What leads up to the program is no part of it.
            begun = begins.is_some_and(|program| text.contains("execve(") && text.contains(program));
        }
        // Only now strace may write on, and let the call come back.
        let _ = packets.read(&mut buffer)?;
    }
}

/// `strace` to be started by itself, with nothing else to read or say.
pub(crate) fn quiet(mut strace: Command) -> Command {
    // `-yy` writes the working folder into each name.
    strace.stdin(Stdio::null()).current_dir("/");
    strace
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_beginnings_of_the_families_count() {
        let told = |text: &str| {
            beginnings(&Family::ALL, text).iter().map(|call| (call.family, call.caller)).collect::<Vec<_>>()
        };
        assert_eq!(told(r#"[pid  17] renameat2(AT_FDCWD</>, "a", AT_FDCWD</>, "b", 0"#), [(Family::Rename, Some(17))]);
        assert_eq!(told("fdatasync(9</x/journal.jsonl>"), [(Family::Sync, None)]);
        assert_eq!(told(r#"openat(AT_FDCWD</>, "log", O_WRONLY|O_CREAT|O_APPEND, 0666"#), [(Family::Create, None)]);
        assert_eq!(told(r#"openat(AT_FDCWD</>, "log", O_RDONLY"#), []);
        assert_eq!(told(r#"sendto(7<TCP:[10.78.0.1:4->10.78.0.11:22]>, ""..., 52"#), [(Family::Send, None)]);
        assert_eq!(told(r#"write(1</x/out>, ""..., 52"#), []);
        assert_eq!(told("[pid 17] <... fsync resumed>) = 0"), []);
        assert_eq!(told(") = 0"), []);
    }
}
