//! A session that outlives its connection: whoever holds it is connected again when the link has come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::events::Kind;
use crate::transport::{
    BoxFuture, ByteStream, ConnectError, Connector, Exec, ExecError, Output, Residents, Session, Target,
};

use super::connections::Patience;

/// A host's session for the whole run. What was done over a connection that broke is lost and says so; what is done after that goes
/// over a new one, and so may what was only a question.
#[derive(Clone)]
pub(super) struct Lasting {
    host: Arc<str>,
    inner: Arc<Inner>,
}

struct Inner {
    connector: Arc<dyn Connector>,
    /// How long a question that was lost is asked again, and who hears of that and of other ways that are taken.
    patience: Arc<Patience>,
    /// Counts the attempts to connect, so that those who waited for one share its failure.
    attempts: AtomicU64,
    state: tokio::sync::Mutex<State>,
}

struct State {
    target: Target,
    session: Option<Arc<dyn Session>>,
    failure: Option<ConnectError>,
    /// Through which jump hosts it was reached last, where there are several ways.
    through: Option<String>,
}

impl Lasting {
    /// The session to `target`; not yet connected.
    pub(super) fn new(connector: Arc<dyn Connector>, patience: Arc<Patience>, target: Target) -> Self {
        let host = Arc::from(target.name.as_str());
        let state = tokio::sync::Mutex::new(State { target, session: None, failure: None, through: None });
        Self { host, inner: Arc::new(Inner { connector, patience, attempts: AtomicU64::new(0), state }) }
    }

    /// Connects to `target`, unless there is a connection.
    ///
    /// # Errors
    /// The host is not reached or does not let us in; a refusal is not asked for a second time.
    pub(super) async fn reach(&self, target: Target) -> Result<(), ConnectError> {
        let mut state = self.inner.state.lock().await;
        if state.session.is_none() {
            state.target = target;
        }
        drop(state);
        self.connected().await.map(drop)
    }

    /// A connection that is alive, as far as we know. The attempt goes on even if who waits for it gives up: a question with a deadline
    /// of three seconds must not end every connect over a slow link.
    async fn connected(&self) -> Result<Arc<dyn Session>, ConnectError> {
        let inner = Arc::clone(&self.inner);
        let gone = |error: tokio::task::JoinError| ConnectError::Unreachable {
            host: self.host.to_string(),
            via: None,
            detail: format!("connecting ended early: {error}"),
        };
        tokio::spawn(async move { inner.connect().await }).await.map_err(gone)?
    }

    /// Closes the connection; the next that asks opens a new one.
    pub(super) async fn let_go(&self) {
        let gone = self.inner.state.lock().await.session.take();
        if let Some(session) = gone {
            session.close().await;
        }
    }

    /// Forgets a connection that broke, unless another has taken its place already.
    async fn broke(&self, session: &Arc<dyn Session>) {
        let mut state = self.inner.state.lock().await;
        if state.session.as_ref().is_some_and(|held| Arc::ptr_eq(held, session)) {
            state.session = None;
        }
        drop(state);
        // One that waits for work would keep the connection.
        if let Some(residents) = session.residents() {
            residents.close();
        }
    }

    fn lost(&self, error: &ConnectError) -> ExecError {
        ExecError::Lost { host: self.host.to_string(), detail: error.to_string(), started: false }
    }
}

impl Inner {
    async fn connect(&self) -> Result<Arc<dyn Session>, ConnectError> {
        let attempts = self.attempts.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if let Some(session) = state.session.as_ref().filter(|session| session.alive()) {
            return Ok(Arc::clone(session));
        }
        let shared = self.attempts.load(Ordering::SeqCst) != attempts;
        if let Some(failure) = state.failure.as_ref().filter(|failure| shared || refuses(failure)) {
            return Err(failure.clone());
        }
        state.session = None;
        let connected = self.connector.connect(&state.target).await;
        self.attempts.fetch_add(1, Ordering::SeqCst);
        state.failure = connected.as_ref().err().cloned();
        state.session = connected.as_ref().ok().cloned();
        if let Some(session) = &state.session
            && let Some(kind) = changed(state.through.as_deref(), session.as_ref())
        {
            // A journal that is broken says so before the next act.
            let _ = self.patience.emitter.emit(kind);
        }
        if let Some(way) = state.session.as_ref().and_then(|session| session.way()) {
            state.through = Some(way.through.clone());
        }
        connected
    }
}

/// The login, the host key, the configuration: the same again, or a lockout.
fn refuses(failure: &ConnectError) -> bool {
    !matches!(failure, ConnectError::Unreachable { .. } | ConnectError::NameUnknown { .. })
}

/// What is to be said of the way of a new session: once, when it is another than before, and nothing of the one that is tried first.
fn changed(before: Option<&str>, session: &dyn Session) -> Option<Kind> {
    let way = session.way()?;
    let same = before.map_or(way.first, |before| before == way.through);
    let (host, through, why) = (session.host().to_owned(), way.through.clone(), way.why.clone());
    (!same).then_some(Kind::WayChanged { host, through, why })
}

impl Session for Lasting {
    fn host(&self) -> &str {
        &self.host
    }

    fn exec(&self, exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        Box::pin(async move {
            let session = self.connected().await.map_err(|error| self.lost(&error))?;
            let ran = session.exec(exec).await;
            if matches!(ran, Err(ExecError::Lost { .. })) {
                self.broke(&session).await;
            }
            ran
        })
    }

    fn tunnel<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        Box::pin(async move {
            let session = self.connected().await.map_err(|error| self.lost(&error))?;
            let opened = session.tunnel(address, port).await;
            if matches!(opened, Err(ExecError::Lost { .. })) {
                self.broke(&session).await;
            }
            opened
        })
    }

    fn again<'a>(&'a self, lost: &'a ExecError, asked: u32, first: Instant) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let refused = self.inner.state.lock().await.failure.as_ref().is_some_and(refuses);
            !refused && self.inner.patience.once_more(asked, first, &lost.to_string()).await
        })
    }

    fn residents(&self) -> Option<Arc<Residents>> {
        // Who holds it makes a connection just now, on which nothing stands yet.
        self.inner.state.try_lock().ok()?.session.as_ref()?.residents()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.let_go())
    }
}
