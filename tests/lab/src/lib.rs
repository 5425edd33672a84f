//! Real hosts on one machine for quorate's tests: systemd-nspawn containers with Debian's systemd and
//! sshd, a bastion before them, a real etcd cluster on them, and faults to inject.
//!
//! ```no_run
//! let lab = quorate_lab::Lab::builder().members(3).etcd("2.0.5").start()?;
//! let answer = lab.control_command("ssh").arg("-F").arg(lab.ssh_config()).args(["etcd1", "true"]).status();
//! assert!(answer.is_ok_and(|status| status.success()));
//! // Dropped, by panic too, it takes everything down; a Ctrl-C or SIGKILL of this process does the same.
//! # Ok::<(), quorate_lab::LabError>(())
//! ```
//!
//! Needs root, and what `scripts/setup` installs.

mod act;
mod auth;
pub mod binaries;
mod builder;
pub mod cache;
mod client;
mod container;
mod disk;
pub mod fault;
mod gateway;
mod inventory;
mod lab;
pub mod load;
mod login;
mod member;
mod network;
mod process;
mod rootfs;
mod site;
mod snapshot;
mod spec;
mod status;
mod takedown;
mod tls;
mod turns;
mod version;

pub use act::{ActError, wait_until};
pub use auth::EtcdUser;
pub use builder::LabBuilder;
pub use client::Client;
pub use disk::Disk;
pub use fault::{Ends, Fault, Loss};
pub use lab::{HEALTHY, Lab, LabError};
pub use member::{DATA_DIR, PROGRAM_DIR, UNIT};
pub use site::{BASTION, BASTION2, Host, Site, labs};
pub use spec::{Spec, Sudo, User};
pub use status::MemberStatus;
pub use takedown::names;
pub use turns::{Turn, Turns};
