//! Everything on a real shell, in folders of the test.

mod become_user;
mod commands;
mod files;
mod folders;
mod frame;
mod quoting;
mod system;
mod writing;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
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
        let path = self.local("bin").join(name);
        std::fs::create_dir_all(self.local("bin")).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
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

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}
