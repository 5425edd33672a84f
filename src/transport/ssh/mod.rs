//! SSH: the only place where russh is named.

mod addresses;
mod agent;
mod config;
mod connector;
mod detour;
mod dial;
mod exec;
mod key_file;
mod known_hosts;
mod leash;
mod link;
mod login;
mod names;
mod quick_ack;
mod route;
mod watcher;

pub use connector::{Ask, SshConnector, SshOptions};
