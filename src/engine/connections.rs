//! One session a host for the whole run, opened when the first task needs it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use secrecy::SecretString;
use serde_json::Value;

use crate::events::{Emitter, Fault, Kind};
use crate::inventory::connection::{self, ConnectionVars, Jump};
use crate::inventory::{Place, Problem, Source};
use crate::modules::Failure;
use crate::playbook::{Directives, Scope, Variable};
use crate::transport::{BoxFuture, ByteStream, ConnectError, Connector, Exec, ExecError, Output, Session, Target};

use super::interrupt::Interrupt;
use super::lasting::Lasting;
use super::scope::HostScope;

/// The longest that a host is tried in all: by then a restarted sshd is back, and a host that reboots is not.
const LONGEST: Duration = Duration::from_secs(60);

/// How long a host is waited for that the network refuses, and who hears of it.
pub(super) struct Patience {
    pub(super) tries: u32,
    pub(super) emitter: Arc<Emitter>,
    pub(super) interrupt: Interrupt,
    /// What was said already.
    pub(super) said: Mutex<BTreeSet<String>>,
}

impl Patience {
    /// Waits before the next try: 1, 2, 4, 8 s. Whether there is to be one; not after a login or a host key was refused, and
    /// not once the run is to stop.
    async fn again(&self, tried: u32, began: Instant, error: &ConnectError) -> bool {
        // A name that nobody knows is most often misspelt, and `ssh` does not ask again either.
        let passing = matches!(error, ConnectError::Unreachable { .. });
        passing && self.once_more(tried, began, &error.to_string()).await
    }

    /// The same of whatever `why` says.
    pub(super) async fn once_more(&self, tried: u32, began: Instant, why: &str) -> bool {
        let pause = Duration::from_secs(1 << tried.saturating_sub(1).min(3));
        if tried >= self.tries || began.elapsed() + pause > LONGEST {
            return false;
        }
        let seconds = pause.as_secs();
        let text = format!("{why}; trying again in {seconds} s ({tried} of {} tries)", self.tries);
        // Hosts behind one bastion all say the same. A journal that is broken says so before the next act.
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
            let _ = self.emitter.emit(Kind::Warning { text });
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.interrupt.stopping() => false,
        }
    }
}

/// The sessions of a run.
pub(super) struct Connections {
    connector: Arc<dyn Connector>,
    login_password: Option<SecretString>,
    pub(super) become_password: Option<SecretString>,
    hosts: Mutex<HashMap<String, Lasting>>,
    patience: Arc<Patience>,
}

impl Connections {
    pub(super) fn new(
        connector: Arc<dyn Connector>,
        login_password: Option<SecretString>,
        become_password: Option<SecretString>,
        patience: Patience,
    ) -> Self {
        Self { connector, login_password, become_password, hosts: Mutex::default(), patience: Arc::new(patience) }
    }

    /// The host's session; opened if there is none. Nothing has begun yet that could be begun twice, so a network that refuses
    /// is tried again.
    ///
    /// # Errors
    /// The host is not reached or does not let us in; a refused login is not tried a second time.
    pub(super) async fn session(&self, target: Target) -> Result<Arc<dyn Session>, ConnectError> {
        let (lasting, target) = self.lasting(target);
        let (began, mut tried) = (Instant::now(), 1);
        while let Err(error) = lasting.reach(target.clone()).await {
            if !self.patience.again(tried, began, &error).await {
                return Err(error);
            }
            tried += 1;
        }
        Ok(Arc::new(lasting))
    }

    /// The same, tried once.
    ///
    /// # Errors
    /// The host is not reached or does not let us in.
    pub(super) async fn session_once(&self, target: Target) -> Result<Arc<dyn Session>, ConnectError> {
        let (lasting, target) = self.lasting(target);
        lasting.reach(target).await?;
        Ok(Arc::new(lasting))
    }

    fn lasting(&self, mut target: Target) -> (Lasting, Target) {
        target.password = target.password.or_else(|| self.login_password.clone());
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Lasting::new(Arc::clone(&self.connector), Arc::clone(&self.patience), target.clone());
        (hosts.entry(target.name.clone()).or_insert_with(new).clone(), target)
    }

    /// Waits before something is begun anew that was lost with its connection at `since`; whether it is to be, as for a host that is not reached.
    pub(super) async fn once_more(&self, tried: u32, since: Instant, why: &str) -> bool {
        self.patience.once_more(tried, since, why).await
    }

    /// Closes the host's connection, so that the next task opens a new one.
    pub(super) async fn forget(&self, host: &str) {
        let lasting = self.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned();
        if let Some(lasting) = lasting {
            lasting.let_go().await;
        }
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        let all: Vec<Lasting> =
            self.hosts.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, lasting)| lasting).collect();
        futures_util::future::join_all(all.iter().map(Lasting::let_go)).await;
    }
}

/// What a connection failure means for the run.
pub(super) fn fault_of(error: &ConnectError) -> Fault {
    match error {
        ConnectError::Unreachable { .. } | ConnectError::NameUnknown { .. } | ConnectError::LoginRefused { .. } => {
            Fault::Unreachable
        }
        ConnectError::HostKey { .. } => Fault::HostKey,
        ConnectError::Config { .. } => Fault::Input,
    }
}

/// A failure to connect, as a module's failure.
pub(super) fn failure_of(error: &ConnectError) -> Failure {
    let lost = matches!(error, ConnectError::Unreachable { .. });
    Failure { lost, ..Failure::new(fault_of(error), error.to_string()) }
}

/// The connection variables of a host, rendered.
///
/// # Errors
/// One that can't be rendered or is not valid.
pub(super) fn variables(scope: &HostScope<'_>) -> Result<ConnectionVars, Failure> {
    let failed = |problem: Problem| Failure::new(Fault::Failed, problem.to_string());
    let mut vars = IndexMap::new();
    for (name, value) in rendered(scope) {
        vars.insert(name, value.map_err(failed)?);
    }
    connection::from_vars(scope.host, &vars).map_err(|fault| Failure::new(Fault::Input, fault.to_string()))
}

fn rendered<'s>(scope: &'s HostScope<'_>) -> impl Iterator<Item = (String, Result<Value, Problem>)> + 's {
    let names = scope.names().into_iter().filter(|name| connection::is_meant_by(name));
    names.map(|name| {
        let value = match scope.get(&name) {
            Some(Variable::Data(value)) => Ok(value),
            Some(Variable::Ready(ready)) => Ok(ready.to_data()),
            Some(Variable::Source(node)) => scope.run.templates.value(&node, scope),
            None => Ok(Value::Null),
        };
        (name, value)
    })
}

/// What is wrong on paper with the way to a host. A variable that can't be rendered yet is left to the run.
pub(super) fn on_paper(scope: &HostScope<'_>) -> Option<Problem> {
    let written = |name: String| match scope.get(&name)? {
        Variable::Source(node) => Some(node),
        Variable::Data(_) | Variable::Ready(_) => None,
    };
    let connecting = scope.names().into_iter().filter(|name| connection::is_meant_by(name));
    if let Some(problem) = connecting.filter_map(written).find_map(|node| scope.run.templates.unreadable(&node)) {
        return Some(problem);
    }
    let vars = rendered(scope).filter_map(|(name, value)| Some((name, value.ok()?))).collect();
    let fault = connection::from_vars(scope.host, &vars).err()?;
    let place = match scope.get(&fault.key) {
        Some(Variable::Source(node)) => {
            let item = fault.item.and_then(|item| node.as_sequence()?.get(item));
            item.map_or_else(|| node.place.clone(), |item| item.place.clone())
        }
        _ => Place::new(&Source::new("<inventory>", scope.host), 0, scope.host.len()),
    };
    let problem = Problem::new(&place, fault.to_string());
    Some(match fault.help {
        Some(help) => problem.help(help),
        None => problem,
    })
}

/// Where to connect: the variables win over what plays, blocks and tasks say, as in Ansible.
pub(super) fn target(
    scope: &HostScope<'_>,
    vars: &ConnectionVars,
    directives: &[&Directives],
) -> Result<Target, Failure> {
    let said = |pick: fn(&Directives) -> Option<&crate::inventory::Node>| -> Result<Option<Value>, Failure> {
        let Some(node) = directives.iter().rev().find_map(|d| pick(d)) else { return Ok(None) };
        let value = scope.run.templates.value(node, scope);
        value.map(Some).map_err(|problem| Failure::new(Fault::Failed, problem.to_string()))
    };
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(ToOwned::to_owned));
    let set = scope.get("ansible_connection").is_some();
    let local = vars.local || (!set && text(said(|d| d.connection.as_ref())?).is_some_and(|name| name == "local"));
    let implicit = !set && scope.run.inventory.is_implicit(scope.host);
    let user = text(said(|d| d.remote_user.as_ref())?).or_else(|| scope.run.options.user.clone());
    let port = said(|d| d.port.as_ref())?.and_then(|value| crate::modules::arguments::int(&value));
    let written = |jumps: &[Jump]| jumps.iter().map(Jump::to_string).collect();
    Ok(Target {
        name: scope.host.to_owned(),
        local: local || implicit,
        address: vars.address.clone(),
        port: vars.port.or_else(|| port.and_then(|port| u16::try_from(port).ok())),
        user: vars.user.clone().or(user),
        identity: vars.identity.clone(),
        password: vars.password.clone(),
        jump: vars.jumps.as_deref().map(written).unwrap_or_default(),
        fallbacks: vars.fallbacks.iter().map(|jumps| written(jumps)).collect(),
        connect_timeout: vars.timeout,
    })
}

/// The session of a module that works on the control machine: there is nobody to ask.
pub(super) struct NoSession(pub(super) String);

impl Session for NoSession {
    fn host(&self) -> &str {
        &self.0
    }

    fn exec(&self, _exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        Box::pin(async { Err(self.nobody()) })
    }

    fn tunnel<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        Box::pin(async { Err(self.nobody()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

impl NoSession {
    fn nobody(&self) -> ExecError {
        let detail = "this module works on the control machine and has no session".to_owned();
        ExecError::Local { host: self.0.clone(), detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_was_refused_is_no_lost_link() {
        let (host, detail) = (|| "h1".to_owned(), || "why".to_owned());
        let silent = failure_of(&ConnectError::Unreachable { host: host(), via: None, detail: detail() });
        assert_eq!((silent.fault, silent.lost), (Fault::Unreachable, true));
        let refused =
            failure_of(&ConnectError::LoginRefused { host: host(), user: "ops".to_owned(), detail: detail() });
        assert_eq!((refused.fault, refused.lost), (Fault::Unreachable, false));
    }
}
