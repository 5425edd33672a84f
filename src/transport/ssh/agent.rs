//! The agent: which keys it holds, and its signatures. It is used here only; it is never forwarded.

use std::path::Path;
use std::time::Duration;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long an agent may take to list its keys; it is on this machine.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// An agent that has answered.
pub(super) struct Agent {
    pub(super) client: AgentClient<UnixStream>,
    pub(super) keys: Vec<AgentIdentity>,
}

impl Agent {
    /// Connects and lists the keys.
    ///
    /// # Errors
    /// Why there is no agent, in words.
    pub(super) async fn open(socket: &Path) -> Result<Self, String> {
        let fault = |e: &dyn std::fmt::Display| format!("agent {}: {e}", socket.display());
        let opening = async {
            let mut client = AgentClient::connect_uds(socket).await.map_err(|e| fault(&e))?;
            let keys = client.request_identities().await.map_err(|e| fault(&e))?;
            Ok(Self { client, keys })
        };
        timeout(LIST_TIMEOUT, opening).await.unwrap_or_else(|e| Err(fault(&e)))
    }
}
