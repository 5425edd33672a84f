//! Logging in: keys, certificates, agent, password. Whatever was rejected is not offered again.

use std::future::Future;
use std::time::Duration;

use russh::MethodKind;
use russh::client::{AuthResult, Handle};
use tokio::time::timeout;

use super::agent::Agent;
use super::connector::Ask;
use super::key_file::KeyRing;
use super::route::Hop;
use super::watcher::{Seen, Watcher};
use crate::transport::session::ConnectError;
use keys::Candidate;

mod keys;
mod password;

/// sshd_config(5): `MaxAuthTries` is 6, and the sixth failure closes the connection.
const TRIES: usize = 6;

/// A login under way.
pub(super) struct Login<'a> {
    handle: &'a mut Handle<Watcher>,
    hop: &'a Hop,
    ring: &'a KeyRing,
    ask: Option<&'a Ask>,
    seen: &'a Seen,
    methods: Vec<MethodKind>,
    tried: Vec<String>,
    left: usize,
}

/// What the host said to one attempt.
#[derive(PartialEq, Eq)]
enum Said {
    In,
    More,
    No,
}

impl<'a> Login<'a> {
    pub(super) const fn new(
        handle: &'a mut Handle<Watcher>,
        hop: &'a Hop,
        ring: &'a KeyRing,
        ask: Option<&'a Ask>,
        seen: &'a Seen,
    ) -> Self {
        Self { handle, hop, ring, ask, seen, methods: Vec::new(), tried: Vec::new(), left: TRIES }
    }

    /// Tries what there is until the host lets us in.
    ///
    /// # Errors
    /// [`ConnectError::LoginRefused`], [`ConnectError::Config`] for a key file named by mistake, [`ConnectError::Unreachable`] if the link broke.
    pub(super) async fn run(mut self) -> Result<(), ConnectError> {
        let first = self.handle.authenticate_none(self.hop.user.clone());
        let first = within(self.hop.timeout, first).await.map_err(|e| self.unreachable(e))?;
        if self.note(&first) == Said::In {
            return Err(
                self.refused("the host lets anybody in without authentication, so it proves nothing; we do not go on")
            );
        }
        if self.hop.password.is_some() {
            self.left -= 1;
        }
        if self.wants(MethodKind::PublicKey) && self.hop.publickey && self.publickey().await? == Said::In {
            return Ok(());
        }
        if self.password().await? == Said::In {
            return Ok(());
        }
        if self.handle.is_closed() && self.tried.is_empty() {
            return Err(self.unreachable("the connection ended during the login".to_owned()));
        }
        Err(self.refused("nothing left to try"))
    }

    fn wants(&self, method: MethodKind) -> bool {
        self.methods.contains(&method)
    }

    fn note(&mut self, result: &AuthResult) -> Said {
        match result {
            AuthResult::Success => Said::In,
            AuthResult::Failure { remaining_methods, partial_success } => {
                self.methods = remaining_methods.to_vec();
                if *partial_success { Said::More } else { Said::No }
            }
        }
    }

    async fn publickey(&mut self) -> Result<Said, ConnectError> {
        let mut agent = match &self.hop.agent {
            Some(socket) => Agent::open(socket).await.map_err(|e| self.tried.push(e)).ok(),
            None => None,
        };
        let candidates = self.candidates(agent.as_ref())?;
        let count = candidates.len();
        for (index, candidate) in candidates.into_iter().enumerate() {
            if !self.wants(MethodKind::PublicKey) || self.handle.is_closed() {
                return Ok(Said::No);
            }
            if self.left == 0 {
                self.tried.push(format!(
                    "{} more keys not tried: a host closes the connection after {TRIES} (set IdentitiesOnly)",
                    count - index
                ));
                return Ok(Said::No);
            }
            let said = match (candidate, &mut agent) {
                (Candidate::Agent(identity), Some(agent)) => self.by_agent(agent, *identity).await?,
                (Candidate::Agent(_), None) => Said::No,
                (Candidate::File(file), _) => self.by_file(&file).await?,
            };
            // After a partial success, another kind is wanted or another key: the loop's own question.
            if said == Said::In {
                return Ok(said);
            }
        }
        Ok(Said::No)
    }

    fn tell(&mut self, result: &AuthResult, what: String) -> Said {
        let said = self.note(result);
        match said {
            Said::In => {}
            Said::More => self.tried.push(format!("{what}: accepted, but the host wants more")),
            Said::No => self.tried.push(format!("{what}: rejected")),
        }
        said
    }

    fn skip(&mut self, text: String) -> Said {
        self.tried.push(text);
        Said::No
    }

    fn config(&self, detail: String) -> ConnectError {
        ConnectError::Config { host: self.hop.label.clone(), detail }
    }

    fn unreachable(&self, detail: String) -> ConnectError {
        let detail = self.seen.lost.get().cloned().unwrap_or(detail);
        ConnectError::Unreachable { host: self.hop.label.clone(), via: None, detail }
    }

    fn refused(&self, why: &str) -> ConnectError {
        let mut detail = why.to_owned();
        if !self.methods.is_empty() {
            let names: Vec<&str> = self.methods.iter().map(Into::into).collect();
            detail.push_str(&format!("; the host takes {}", names.join(", ")));
        }
        if let Some(lost) = self.seen.lost.get() {
            detail.push_str(&format!("; {lost}"));
        }
        for tried in &self.tried {
            detail.push_str(&format!("\n  {tried}"));
        }
        ConnectError::LoginRefused { host: self.hop.label.clone(), user: self.hop.user.clone(), detail }
    }
}

/// One request to the host and its answer.
async fn within<T, E: std::fmt::Display>(
    limit: Duration,
    request: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match timeout(limit, request).await {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer to the login within {} s", limit.as_secs_f32())),
    }
}
