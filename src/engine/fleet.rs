//! The other hosts of the play, for modules and guards that look at a whole cluster.

use secrecy::SecretString;
use serde_json::Value;

use crate::modules::{Failure, Fleet, Kept};
use crate::playbook::{Directives, Scope, Variable};
use crate::remote::{Become, Probe, RemoteHost};
use crate::transport::BoxFuture;

use super::connections::{failure_of, target, variables};
use super::run::Engine;
use super::scope::{HostScope, PlayScope};

/// A play's hosts.
#[derive(Clone, Copy)]
pub(super) struct PlayFleet<'f> {
    pub(super) engine: &'f Engine<'f>,
    pub(super) play: PlayScope<'f>,
    /// What the play says of connections and `become`.
    pub(super) directives: &'f Directives,
}

impl<'f> PlayFleet<'f> {
    pub(super) fn scope(&self, host: &'f str) -> HostScope<'f> {
        HostScope { play: Some(self.play), ..HostScope::new(self.engine.run, &self.engine.store, host) }
    }

    /// Connects to the host, if that was not done yet.
    pub(super) async fn reach(&self, host: &'f str) -> Result<Probe, Failure> {
        self.reach_with(host, true).await
    }

    /// The same without a second try where the network refuses.
    pub(super) async fn reach_once(&self, host: &'f str) -> Result<Probe, Failure> {
        self.reach_with(host, false).await
    }

    async fn reach_with(&self, host: &'f str, patient: bool) -> Result<Probe, Failure> {
        let scope = self.scope(host);
        let vars = variables(&scope)?;
        let target = target(&scope, &vars, &[self.directives])?;
        let connections = &self.engine.connections;
        let session = if patient { connections.session(target).await } else { connections.session_once(target).await };
        let session = session.map_err(|error| failure_of(&error))?;
        let bool_of = |node: Option<&crate::inventory::Node>| {
            let value = node.and_then(|node| self.engine.run.templates.value(node, &scope).ok());
            value.as_ref().and_then(crate::modules::arguments::boolean)
        };
        let said = bool_of(self.directives.r#become.as_ref());
        let wanted = vars.escalation.enabled.or(said).unwrap_or(self.engine.run.options.r#become);
        let named = self.directives.become_user.as_ref();
        let named = named.and_then(|node| self.engine.run.templates.value(node, &scope).ok());
        let user = vars.escalation.user.clone().or_else(|| named?.as_str().map(ToOwned::to_owned));
        let password = vars.escalation.password.clone().or_else(|| self.engine.connections.become_password.clone());
        let r#become = wanted.then(|| Become { user: user.unwrap_or_else(|| "root".to_owned()), password });
        Ok(Probe::new(RemoteHost::new(session).acting_as(r#become)))
    }
}

impl Fleet for PlayFleet<'_> {
    fn hosts(&self) -> Vec<String> {
        self.play.lists.all.clone()
    }

    fn var(&self, host: &str, name: &str) -> Option<Value> {
        let scope = self.scope(host);
        match scope.get(name)? {
            Variable::Data(value) => Some(value),
            Variable::Ready(ready) => Some(ready.to_data()),
            Variable::Source(node) => self.engine.run.templates.value(&node, &scope).ok(),
        }
    }

    fn secret(&self, host: &str, name: &str) -> Option<SecretString> {
        match self.var(host, name) {
            None | Some(Value::Null) => self.engine.secrets.get(name).cloned(),
            Some(Value::String(text)) => Some(SecretString::from(text)),
            // YAML takes a password of digits for a number.
            Some(other) => Some(SecretString::from(other.to_string())),
        }
    }

    fn kept(&self) -> &Kept {
        &self.engine.kept
    }

    fn probe<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Probe, Failure>> {
        Box::pin(self.reach(host))
    }
}
