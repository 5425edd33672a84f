//! A home directory for the client, and short ways to make targets and commands.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use quorate::transport::ssh::{SshConnector, SshOptions};
use quorate::transport::{ConnectError, Connector, Drain, Exec, Session, Stdin, Target};
use russh::keys::ssh_key::{LineEnding, PrivateKey, PublicKey};
use tempfile::TempDir;

use super::server::{Access, Host, Setup, key};

/// Nothing on loopback takes this long.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// `~` of the client, with a key that servers can be told to take.
pub(crate) struct Home {
    dir: TempDir,
    pub(crate) key: PrivateKey,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".ssh")).unwrap();
        let home = Self { dir, key: key() };
        home.write("id", home.key.to_openssh(LineEnding::LF).unwrap().as_str());
        home.write("config", "IdentityAgent none\n");
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(".ssh").join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file in `~/.ssh` that only we can read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Servers that take our key.
    pub(crate) fn access(&self) -> Access {
        Access { keys: vec![self.key.public_key().clone()], ..Access::default() }
    }

    pub(crate) async fn host(&self) -> Host {
        Host::start(Setup::new(self.access())).await
    }

    /// Makes these servers known.
    pub(crate) fn trust(&self, hosts: &[&Host]) {
        let mut text = String::new();
        for host in hosts {
            writeln!(text, "{}", line(host.port, &host.key)).unwrap();
        }
        self.write("known_hosts", &text);
    }

    pub(crate) fn options(&self) -> SshOptions {
        SshOptions {
            config_file: Some(self.path("config")),
            home: Some(self.dir.path().to_owned()),
            ..SshOptions::default()
        }
    }

    pub(crate) fn connector(&self) -> SshConnector {
        SshConnector::new(self.options())
    }

    pub(crate) fn target(&self, host: &Host) -> Target {
        Target {
            name: "etcd1".to_owned(),
            local: false,
            address: "127.0.0.1".to_owned(),
            port: Some(host.port),
            user: Some("ops".to_owned()),
            identity: Some(self.path("id")),
            password: None,
            jump: Vec::new(),
            fallbacks: Vec::new(),
            connect_timeout: None,
        }
    }

    pub(crate) async fn connect(&self, target: &Target) -> Result<Arc<dyn Session>, ConnectError> {
        self.connector().connect(target).await
    }

    /// A server that knows us, and a session with it.
    pub(crate) async fn session(&self) -> (Host, Arc<dyn Session>) {
        let host = self.host().await;
        self.trust(&[&host]);
        let session = self.connect(&self.target(&host)).await.unwrap();
        (host, session)
    }
}

/// A line of known_hosts.
pub(crate) fn line(port: u16, key: &PublicKey) -> String {
    format!("[127.0.0.1]:{port} {}", key.to_openssh().unwrap())
}

pub(crate) fn command(text: &str) -> Exec {
    Exec {
        command: text.to_owned(),
        stdin: Stdin::Empty,
        stdout: Drain::Capture { cap: 1024 * 1024 },
        stderr: Drain::Capture { cap: 1024 * 1024 },
        deadline: LONG,
        prompt: None,
    }
}

/// The text of an error whose session would not be printable.
pub(crate) fn refused<T>(result: Result<T, ConnectError>) -> ConnectError {
    match result {
        Ok(_) => panic!("it connected"),
        Err(error) => error,
    }
}

/// Output that is text.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
