//! `ssh_config`: which directives apply to a host, and a refusal by name of those we cannot honour.

mod apply;
mod directive;
mod read;
mod words;

pub(crate) use apply::{Agent, HostConfig, Raw, Tokens};
pub(crate) use read::{Files, Place};

#[cfg(test)]
mod tests;
