//! A host that we have a session with, and as whom we act on it.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::Fence;
use crate::transport::{ExecError, Session};

/// As whom to act: `become`.
#[derive(Clone, Debug)]
pub struct Become {
    /// The user, `root` unless said otherwise.
    pub user: String,
    /// What sudo will ask for; none: `sudo -n` only.
    pub password: Option<SecretString>,
}

/// A session, the user to act as, and the environment of what is run.
#[derive(Clone)]
pub struct RemoteHost {
    pub(super) session: Arc<dyn Session>,
    pub(super) r#become: Option<Become>,
    pub(super) environment: Vec<(String, String)>,
    /// For each command unless it says otherwise.
    pub(super) deadline: Duration,
    /// The lock by leave of which it is changed, if there is one.
    pub(super) fence: Option<Fence>,
    /// Whether what is lost with its connection is asked once more: nothing but questions may be.
    pub(super) repeats: bool,
}

/// Why something asked of, or done to, a host has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The end was not seen: connection, password.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// Its end was not seen within the deadline; it was told to end, and may still run.
    #[error("{host}: {act}: no end within {} s; it was told to end, and may still run there", deadline.as_secs_f32())]
    Late {
        /// The host.
        host: String,
        /// What was tried.
        act: String,
        /// The deadline.
        deadline: Duration,
    },
    /// sudo does not let us.
    #[error("{host}: become {user} refused: {detail}")]
    Become {
        /// The host.
        host: String,
        /// The user to become.
        user: String,
        /// sudo's words.
        detail: String,
    },
    /// The host did it and it failed.
    #[error("{host}: {act}: {detail}")]
    Failed {
        /// The host.
        host: String,
        /// What was tried: "write /etc/x".
        act: String,
        /// What the host said.
        detail: String,
    },
    /// The host answered what no sound host answers.
    #[error("{host}: {act}: unexpected answer: {detail}")]
    Answer {
        /// The host.
        host: String,
        /// What was asked.
        act: String,
        /// Expected and found.
        detail: String,
    },
    /// The lock by leave of which it would have been done is no longer this run's; the host refused and did nothing.
    #[error(
        "{host}: {act}: the lock {lock} is no longer run {run}'s: somebody broke it, or took it over; nothing more is done here"
    )]
    Fenced {
        /// The host.
        host: String,
        /// What was wanted.
        act: String,
        /// The lock's file.
        lock: String,
        /// The run.
        run: String,
    },
    /// We do not ask or do such a thing of any host; nothing was sent.
    #[error("{host}: {act}: refused: {detail}")]
    Refused {
        /// The host.
        host: String,
        /// What was wanted.
        act: String,
        /// Why not.
        detail: String,
    },
}

impl RemoteError {
    /// Whether what was ordered may be done all the same: no word of its end came, or its end was that something else did not answer in time.
    /// Where it was not sent, or the host refused it before it looked at it, it is not.
    #[must_use]
    pub fn leaves_open(&self) -> bool {
        !matches!(
            self,
            Self::Refused { .. }
                | Self::Fenced { .. }
                | Self::Become { .. }
                | Self::Exec(ExecError::BecomeRefused { .. })
        )
    }

    /// The same, and where it is about the time that something took, with what that was.
    pub(super) fn of(self, act: &str) -> Self {
        match self {
            Self::Exec(ExecError::Deadline { host, deadline }) => Self::Late { host, act: act.to_owned(), deadline },
            other => other,
        }
    }
}

impl RemoteHost {
    /// The host as the user that logged in.
    #[must_use]
    pub fn new(session: Arc<dyn Session>) -> Self {
        // 120 s: the longest a quiet command may take before it counts as hung (a hung fsync or a dead NFS mount).
        let deadline = Duration::from_secs(120);
        Self { session, r#become: None, environment: Vec::new(), deadline, fence: None, repeats: false }
    }

    /// The same host, acting as another user.
    #[must_use]
    pub fn acting_as(mut self, r#become: Option<Become>) -> Self {
        self.r#become = r#become;
        self
    }

    /// The same host with these variables set for what is run.
    #[must_use]
    pub fn with_environment(mut self, environment: Vec<(String, String)>) -> Self {
        self.environment = environment;
        self
    }

    /// The same host with one more variable, which is as secret as the rest: it travels in the command's input.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &SecretString) -> Self {
        self.environment.push((name.to_owned(), value.expose_secret().to_owned()));
        self
    }

    /// The same host, on which nothing is run any more once the lock there is not that run's.
    #[must_use]
    pub fn fenced(mut self, fence: Option<Fence>) -> Self {
        self.fence = fence;
        self
    }

    /// The same host with another deadline for each command.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whom we act as, if not who logged in.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.r#become.as_ref().map(|r#become| r#become.user.as_str())
    }

    /// The session, for tunnels.
    pub(super) fn session(&self) -> &dyn Session {
        self.session.as_ref()
    }

    pub(super) fn failed(&self, act: &str, detail: impl Into<String>) -> RemoteError {
        RemoteError::Failed { host: self.name().to_owned(), act: act.to_owned(), detail: detail.into() }
    }

    pub(super) fn answer(&self, act: &str, detail: impl Into<String>) -> RemoteError {
        RemoteError::Answer { host: self.name().to_owned(), act: act.to_owned(), detail: detail.into() }
    }

    pub(super) fn refused(&self, act: &str, detail: impl Into<String>) -> RemoteError {
        RemoteError::Refused { host: self.name().to_owned(), act: act.to_owned(), detail: detail.into() }
    }

    /// Its name in the inventory.
    #[must_use]
    pub fn name(&self) -> &str {
        self.session.host()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_may_be_done_and_what_was_refused_before_is_not() {
        let (host, act, detail) = (|| "h1".to_owned(), || "begin".to_owned(), String::new);
        let lost = ExecError::Lost { host: host(), detail: detail(), started: true };
        let late = RemoteError::Late { host: host(), act: act(), deadline: Duration::from_secs(1) };
        // systemd-run too ends badly where systemd does not answer it in time.
        let failed = RemoteError::Failed { host: host(), act: act(), detail: detail() };
        assert!([lost.into(), late, failed].iter().all(RemoteError::leaves_open));
        let refused = RemoteError::Refused { host: host(), act: act(), detail: detail() };
        let fenced = RemoteError::Fenced { host: host(), act: act(), lock: detail(), run: detail() };
        let wrong = ExecError::BecomeRefused { host: host() };
        assert!(![refused, fenced, wrong.into()].iter().any(RemoteError::leaves_open));
    }
}
