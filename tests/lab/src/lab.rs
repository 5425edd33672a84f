//! A lab that is up: made, asked, and taken down.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use crate::act::{ActError, wait_until};
use crate::binaries::UnknownVersion;
use crate::builder::LabBuilder;
use crate::client::Client;
use crate::site::{CLIENTS, CONTROL, Host, Site, labs};
use crate::status::{self, MemberStatus};
use crate::takedown::{self, Reaper};
use crate::{auth, container, login, network, process};

/// A fresh cluster of three elects its leader within two election timeouts (1 s each); starts of
/// several labs on a busy machine take ten times that.
pub const HEALTHY: Duration = Duration::from_secs(60);

/// Why a lab is not as asked for.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Namespaces, mounts and containers are root's business.
    #[error("the lab needs root; run it with sudo")]
    NotRoot,
    /// What was asked for makes no lab.
    #[error("no such lab can be: {0}")]
    Spec(String),
    /// The name is taken.
    #[error("a lab `{0}` is up already; `lab down --name {0}` takes it down")]
    Exists(String),
    /// There is no lab of this name.
    #[error("no lab `{name}` is up; there is {}", if .up.is_empty() { "none".to_owned() } else { .up.join(", ") })]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        up: Vec<String>,
    },
    /// The lab has no such host.
    #[error("no host `{host}` in this lab; there is {}", .known.join(", "))]
    NoHost {
        /// The name asked for.
        host: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A fault that does not exist or does not fit the host.
    #[error("{0}")]
    Fault(String),
    /// The lab's own record cannot be read.
    #[error("{} is no record of a lab: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No binaries of this version.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// The load cannot be run or checked.
    #[error(transparent)]
    Load(#[from] crate::load::LoadError),
    /// Something on the machine failed.
    #[error(transparent)]
    Act(#[from] ActError),
}

/// Hosts, networks and a cluster on this machine. Dropped by the process that started it, it takes
/// everything down.
#[derive(Debug)]
pub struct Lab {
    pub(crate) site: Site,
    /// There while the lab belongs to this process.
    pub(crate) reaper: Option<Reaper>,
}

impl Lab {
    /// Chooses what a lab is made of.
    #[must_use]
    pub fn builder() -> LabBuilder {
        LabBuilder::new()
    }

    /// A lab that was made by another process. Dropping it leaves it as it is.
    ///
    /// # Errors
    /// There is none of this name, or its record cannot be read.
    pub fn open(name: &str) -> Result<Self, LabError> {
        let path = labs().join(name).join("lab.json");
        let Ok(record) = fs::read(&path) else {
            return Err(LabError::Unknown { name: name.to_owned(), up: takedown::names()? });
        };
        let spec = serde_json::from_slice(&record).map_err(|source| LabError::Record { path, source })?;
        Ok(Self { site: Site::new(spec), reaper: None })
    }

    /// Leaves the lab up when this process ends; [`Lab::open`] finds it again.
    pub fn keep(mut self) {
        if let Some(reaper) = self.reaper.take() {
            reaper.dismiss();
        }
    }

    /// Takes it down and says whether anything would not go.
    ///
    /// # Errors
    /// Something is left; the error names it.
    pub fn down(mut self) -> Result<(), LabError> {
        let outcome = takedown::take_down(&self.site);
        if let Some(reaper) = self.reaper.take() {
            reaper.dismiss();
        }
        Ok(outcome?)
    }

    /// Its folder, hosts, addresses and namespaces.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The members' hosts, in the order of their numbers.
    #[must_use]
    pub fn members(&self) -> Vec<Host> {
        self.site.members()
    }

    /// A host by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn host(&self, name: &str) -> Result<Host, LabError> {
        let hosts = self.site.hosts();
        let known = hosts.iter().map(|host| host.name.clone()).collect();
        let found = hosts.into_iter().find(|host| host.name == name);
        found.ok_or_else(|| LabError::NoHost { host: name.to_owned(), known })
    }

    /// The folder with release archives and their SHA256SUMS.
    #[must_use]
    pub fn releases(&self) -> PathBuf {
        self.site.path("releases")
    }

    /// The YAML inventory; the way through the bastion is in the ssh_config.
    #[must_use]
    pub fn inventory(&self) -> PathBuf {
        self.site.path("inventory.yml")
    }

    /// The same as INI.
    #[must_use]
    pub fn inventory_ini(&self) -> PathBuf {
        self.site.path("inventory.ini")
    }

    /// The same as YAML, with the way through the bastion in `ansible_ssh_common_args`; only where
    /// there is a bastion.
    #[must_use]
    pub fn inventory_jump(&self) -> PathBuf {
        self.site.path("inventory-jump.yml")
    }

    /// An ssh_config that knows every host by name and by address.
    #[must_use]
    pub fn ssh_config(&self) -> PathBuf {
        self.site.path("ssh_config")
    }

    /// The hosts' keys as they were when the lab was made.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.site.path("known_hosts")
    }

    /// The private key that may log in.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.site.path("identity")
    }

    /// The file with the password for sudo, where it asks for one.
    #[must_use]
    pub fn become_password_file(&self) -> Option<PathBuf> {
        login::asks_password(&self.site).then(|| self.site.path("become-password"))
    }

    /// The file with the password of etcd's user `root`, where etcd asks for one.
    #[must_use]
    pub fn etcd_password_file(&self) -> Option<PathBuf> {
        self.site.spec().auth.then(|| auth::password_file(&self.site, auth::ROOT_USER))
    }

    /// A host's first process as this machine numbers it; `None` while it is down.
    #[must_use]
    pub fn host_pid(&self, host: &str) -> Option<i32> {
        process::first(&self.site, host)
    }

    /// A command that runs as root inside a host when it is started.
    ///
    /// # Errors
    /// There is no such host, or it is down.
    pub fn host_command(&self, host: &str, program: &str) -> Result<Command, LabError> {
        self.host(host)?;
        let pid = self.host_pid(host).ok_or_else(|| container::down(host))?;
        let mut command = Command::new("nsenter");
        command
            .args(process::enter(pid))
            .arg(program)
            .env_clear()
            .env("PATH", container::PATH)
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8");
        Ok(command)
    }

    /// Runs a command as root inside a host, past sshd and network, and gives all it said.
    ///
    /// # Errors
    /// There is no such host, it is down, or the command cannot be started.
    pub fn exec(&self, host: &str, argv: &[&str]) -> Result<Output, LabError> {
        let (program, arguments) =
            argv.split_first().ok_or_else(|| LabError::Spec("a command needs at least one word".to_owned()))?;
        let mut command = self.host_command(host, program)?;
        let output = command.args(arguments).output();
        Ok(output.map_err(|source| ActError::Start { argv: argv.join(" "), source })?)
    }

    /// A command that runs where the control machine is. Its exit code and its process number are
    /// the program's own.
    #[must_use]
    pub fn control_command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_in(CONTROL, program)
    }

    /// A command that runs where the cluster's own clients are: on the members' network.
    #[must_use]
    pub fn clients_command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_in(CLIENTS, program)
    }

    fn command_in(&self, who: &str, program: impl AsRef<OsStr>) -> Command {
        // Not `ip netns exec`: that copies all mounts, and a copy keeps a disk from going away.
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.site.netns_path(who).display())).arg("--").arg(program);
        command
    }

    /// Runs `work` on a thread that stands where the cluster's own clients are.
    ///
    /// # Errors
    /// The lab is down.
    pub fn among_clients<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        Ok(network::inside(&self.site.netns_path(CLIENTS), work)?)
    }

    /// Runs `work` on a thread that stands on a host's network, where `127.0.0.1` is the host itself.
    ///
    /// # Errors
    /// There is no such host, or the lab is down.
    pub fn on_host<T: Send>(&self, host: &str, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        self.host(host)?;
        Ok(network::inside(&self.site.netns_path(host), work)?)
    }

    /// A client of the cluster that waits so long for an answer.
    ///
    /// # Errors
    /// The lab's certificates cannot be read.
    pub fn client(&self, limit: Duration) -> Result<Client, LabError> {
        let none = || LabError::Spec(format!("no certificates in {}", self.site.path("tls").display()));
        Client::new(&self.site, limit).ok_or_else(none)
    }

    /// What each member says of itself, asked on its own host.
    #[must_use]
    pub fn status(&self) -> Vec<MemberStatus> {
        status::all(&self.site)
    }

    /// Waits until every member is healthy and exactly one leads.
    ///
    /// # Errors
    /// They are not by the deadline; the error says how they are.
    pub fn wait_healthy(&self, limit: Duration) -> Result<(), LabError> {
        wait_until("a healthy cluster", limit, || status::verdict(&self.status()))?;
        Ok(())
    }

    /// Waits until a host has booted and its sshd runs.
    ///
    /// # Errors
    /// It has not within a minute.
    pub fn wait_booted(&self, host: &str) -> Result<(), LabError> {
        Ok(container::wait_booted(&self.site, host)?)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(reaper) = self.reaper.take() {
            // If it fails, the reaper tries again when its pipe closes; there is no one to tell.
            if takedown::take_down(&self.site).is_ok() {
                reaper.dismiss();
            }
        }
    }
}
