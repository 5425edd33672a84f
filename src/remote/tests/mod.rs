//! Everything on a real shell, in folders of the test.

mod again;
mod become_user;
mod commands;
mod files;
mod folders;
mod frame;
mod lock;
mod quoting;
mod resident;
mod system;
mod writing;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::{Change, Permit, Probe, RemoteHost, RemotePath};
use crate::transport::LocalSession;

/// This machine as a host, with a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn host(&self) -> RemoteHost {
        RemoteHost::new(Arc::new(LocalSession::new("h1"))).with_deadline(Duration::from_secs(30))
    }

    fn probe(&self) -> Probe {
        Probe::new(self.host())
    }

    fn change(&self) -> Change {
        Change::new(self.host(), &Permit::of_a_real_run())
    }

    /// A path in the folder, as the host names it.
    fn at(&self, name: &str) -> RemotePath {
        RemotePath::from_absolute(self.folder.path().to_str().unwrap()).unwrap().join(name)
    }

    /// The same for this side.
    fn local(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a program of this text, first in the search path of what [`Bench::with_programs`] runs.
    fn program(&self, name: &str, text: &str) {
        install("/dev/stdin", &self.local("bin").join(name), text);
    }

    fn with_programs(&self) -> RemoteHost {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.local("bin").display());
        self.host().with_environment(vec![("PATH".to_owned(), path)])
    }

    /// Names in the folder, hidden ones too.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.folder.path().read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Makes a program, by a process of its own: a thread that starts any other program while the file is
/// open for writing here hands that one the open file until its `execve`, and to run the new program
/// in that moment is refused (execve(2), ETXTBSY).
pub(crate) fn install(from: &str, to: &Path, input: &str) {
    let mut install =
        Command::new("install").args(["-D", "-m", "755", from]).arg(to).stdin(Stdio::piped()).spawn().unwrap();
    install.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success());
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}
