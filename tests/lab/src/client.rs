//! A client of the cluster as a test needs one: over HTTP or TLS as the lab is, with a connection of its own for each question.

use std::net::Ipv4Addr;
use std::time::Duration;

use ureq::Agent;

use crate::site::Site;
use crate::tls;

/// The client port.
const PORT: u16 = 2379;
/// The largest answer that is read: the store of a test has a few MB.
const MOST: u64 = 64 << 20;

/// Asks members from wherever its thread stands.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    scheme: &'static str,
}

impl Client {
    /// `None` if the lab's certificates cannot be read.
    pub(crate) fn new(site: &Site, limit: Duration) -> Option<Self> {
        let config = Agent::config_builder().timeout_global(Some(limit)).proxy(None).max_idle_connections(0);
        let config = if site.spec().tls { config.tls_config(tls::client_config(&site.path("tls"))?) } else { config };
        Some(Self { agent: config.build().new_agent(), scheme: site.scheme() })
    }

    /// The body of a member's answer with a good status.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(&self, address: Ipv4Addr, path: &str) -> Result<String, String> {
        let url = format!("{}://{address}:{PORT}{path}", self.scheme);
        let mut answer = self.agent.get(&url).call().map_err(|error| error.to_string())?;
        answer.body_mut().with_config().limit(MOST).read_to_string().map_err(|error| error.to_string())
    }
}
