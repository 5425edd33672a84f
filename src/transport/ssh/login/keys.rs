//! Keys: which are tried in which order, and how each is offered.

use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKeyWithHashAlg;
use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_key::{HashAlg, PrivateKey, PublicKey};
use tokio::time::timeout;

use super::{Login, Said, within};
use crate::transport::session::ConnectError;
use crate::transport::ssh::agent::Agent;
use crate::transport::ssh::key_file::{KeyFile, NoKey, read};
use crate::transport::ssh::known_hosts::describe;
use crate::transport::ssh::route::Source;

/// A key in the agent may want a touch or a confirmation by a human.
const AGENT_TIMEOUT: Duration = Duration::from_secs(60);

/// One thing to try.
pub(super) enum Candidate {
    Agent(Box<AgentIdentity>),
    File(KeyFile),
}

impl Login<'_> {
    /// Named keys first (through the agent if it has them), then what else the agent has.
    pub(super) fn candidates(&mut self, agent: Option<&Agent>) -> Result<Vec<Candidate>, ConnectError> {
        let mut rest: Vec<AgentIdentity> = agent.map(|a| a.keys.clone()).unwrap_or_default();
        let (mut candidates, mut defaults) = (Vec::new(), Vec::new());
        for identity in &self.hop.identities {
            let file = match (read(&identity.path), &identity.named) {
                (Ok(file), _) => file,
                (Err(NoKey::Missing), Some(Source::Target)) => {
                    return Err(self.config(format!("{}: no such key file", identity.path.display())));
                }
                (Err(NoKey::Missing), Some(Source::Config(place))) => {
                    self.tried.push(format!("{} ({place}) is not there", identity.path.display()));
                    continue;
                }
                (Err(NoKey::Missing), None) => continue,
                (Err(NoKey::Unusable(text)), Some(Source::Config(place))) => {
                    return Err(self.config(format!("{place}: {text}")));
                }
                (Err(NoKey::Unusable(text)), Some(Source::Target)) => return Err(self.config(text)),
                (Err(NoKey::Unusable(text)), None) => {
                    self.tried.push(text);
                    continue;
                }
            };
            let (same, other): (Vec<_>, Vec<_>) = rest.into_iter().partition(|held| holds(held, file.public.as_ref()));
            rest = other;
            let list = if identity.named.is_some() { &mut candidates } else { &mut defaults };
            if same.is_empty() || file.private.is_some() {
                list.push(Candidate::File(file));
            } else {
                list.extend(same.into_iter().map(|held| Candidate::Agent(Box::new(held))));
            }
        }
        if !self.hop.identities_only {
            candidates.extend(rest.into_iter().map(|held| Candidate::Agent(Box::new(held))));
        }
        candidates.extend(defaults);
        Ok(candidates)
    }

    pub(super) async fn by_agent(&mut self, agent: &mut Agent, identity: AgentIdentity) -> Result<Said, ConnectError> {
        let public = identity.public_key().into_owned();
        let Some(hash) = self.hash(&public).await? else { return Ok(Said::No) };
        self.left = self.left.saturating_sub(1);
        let what = format!("agent key {}", describe(public.key_data()));
        let user = self.hop.user.clone();
        let result = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                within(AGENT_TIMEOUT, self.handle.authenticate_publickey_with(user, key, hash, &mut agent.client)).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                within(
                    AGENT_TIMEOUT,
                    self.handle.authenticate_certificate_with(user, certificate, hash, &mut agent.client),
                )
                .await
            }
        };
        match result {
            Ok(result) => Ok(self.tell(&result, what)),
            // An agent that does not sign (not confirmed, no touch) is not the end of the login.
            Err(error) => {
                self.tried.push(format!("{what}: the agent did not sign ({error})"));
                Ok(Said::No)
            }
        }
    }

    pub(super) async fn by_file(&mut self, file: &KeyFile) -> Result<Said, ConnectError> {
        let what = file.path.display().to_string();
        let (private, public) = match (&file.private, &file.public) {
            (Some(private), _) => (Arc::clone(private), private.public_key().clone()),
            (None, Some(public)) => {
                // Nobody is asked for a passphrase that the host has no use for.
                let Some(hash) = self.hash(public).await? else { return Ok(Said::No) };
                if file.certificates(&self.hop.certificates).is_empty() && !self.probe(public, hash, &what).await? {
                    return Ok(Said::No);
                }
                match self.ring.unlock(file, self.ask).await {
                    Ok(private) => (private, public.clone()),
                    Err(text) => return Ok(self.skip(text)),
                }
            }
            (None, None) => match self.ring.unlock(file, self.ask).await {
                Ok(private) => {
                    let public = private.public_key().clone();
                    (private, public)
                }
                Err(text) => return Ok(self.skip(text)),
            },
        };
        for certificate in file.certificates(&self.hop.certificates) {
            self.left = self.left.saturating_sub(1);
            let user = self.hop.user.clone();
            let trying = self.handle.authenticate_openssh_cert(user, Arc::clone(&private), certificate);
            let result = within(self.hop.timeout, trying).await.map_err(|e| self.unreachable(e))?;
            let said = self.tell(&result, format!("{what} with its certificate"));
            if said != Said::No {
                return Ok(said);
            }
        }
        self.with_key(private, &public, what).await
    }

    async fn with_key(
        &mut self,
        private: Arc<PrivateKey>,
        public: &PublicKey,
        what: String,
    ) -> Result<Said, ConnectError> {
        let Some(hash) = self.hash(public).await? else { return Ok(Said::No) };
        if self.left == 0 || self.handle.is_closed() {
            return Ok(Said::No);
        }
        self.left -= 1;
        let what = format!("{what} ({})", describe(public.key_data()));
        let trying =
            self.handle.authenticate_publickey(self.hop.user.clone(), PrivateKeyWithHashAlg::new(private, hash));
        let result = within(self.hop.timeout, trying).await.map_err(|e| self.unreachable(e))?;
        Ok(self.tell(&result, what))
    }

    /// Whether the host would take this key.
    async fn probe(&mut self, public: &PublicKey, hash: Option<HashAlg>, what: &str) -> Result<bool, ConnectError> {
        let mut probe = Probe { wanted: false };
        let trying = self.handle.authenticate_publickey_with(self.hop.user.clone(), public.clone(), hash, &mut probe);
        let result = timeout(self.hop.timeout, trying).await.map_err(|e| self.unreachable(e.to_string()))?;
        if let Ok(result) = result {
            self.left = self.left.saturating_sub(1);
            self.tell(&result, format!("{what} ({}, encrypted)", describe(public.key_data())));
        }
        Ok(probe.wanted)
    }

    /// The hash for a signature by this key: nothing inside for what is not RSA; nothing at all if the host wants SHA-1.
    async fn hash(&mut self, public: &PublicKey) -> Result<Option<Option<HashAlg>>, ConnectError> {
        if !public.algorithm().is_rsa() {
            return Ok(Some(None));
        }
        match within(self.hop.timeout, self.handle.best_supported_rsa_hash()).await.map_err(|e| self.unreachable(e))? {
            Some(Some(hash)) => Ok(Some(Some(hash))),
            Some(None) => {
                self.tried.push(format!(
                    "{}: the host takes RSA only with SHA-1, which is broken",
                    describe(public.key_data())
                ));
                Ok(None)
            }
            None => Ok(Some(Some(HashAlg::Sha512))),
        }
    }
}

/// Whether the agent holds this key.
fn holds(held: &AgentIdentity, public: Option<&PublicKey>) -> bool {
    public.is_some_and(|p| p.key_data() == held.public_key().key_data())
}

/// Signs nothing; learns whether a signature is wanted.
struct Probe {
    wanted: bool,
}

/// The probe's refusal to sign, or the end of the connection.
#[derive(Debug)]
struct NotSigned;

impl From<russh::SendError> for NotSigned {
    fn from(_: russh::SendError) -> Self {
        Self
    }
}

impl russh::Signer for Probe {
    type Error = NotSigned;

    async fn auth_sign(&mut self, _: &AgentIdentity, _: Option<HashAlg>, _: Vec<u8>) -> Result<Vec<u8>, NotSigned> {
        self.wanted = true;
        Err(NotSigned)
    }
}
