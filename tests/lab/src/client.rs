//! A client of the cluster as a test needs one: over HTTP or TLS as the lab is, with a connection of its own for each question.

use std::net::Ipv4Addr;
use std::time::Duration;

use ureq::Agent;

use crate::auth::{self, EtcdUser, Login};
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
    user: Option<EtcdUser>,
}

impl Client {
    /// `None` if the lab's certificates cannot be read.
    pub(crate) fn new(site: &Site, limit: Duration) -> Option<Self> {
        let config = Agent::config_builder().timeout_global(Some(limit)).proxy(None).max_idle_connections(0);
        let config = if site.spec().tls { config.tls_config(tls::client_config(&site.path("tls"))?) } else { config };
        let user = site.spec().auth.then(|| EtcdUser::of(site, auth::ROOT_USER));
        Some(Self { agent: config.build().new_agent(), scheme: site.scheme(), user })
    }

    /// The body of a member's answer with a good status.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(&self, address: Ipv4Addr, path: &str) -> Result<String, String> {
        let base = format!("{}://{address}:{PORT}", self.scheme);
        let request = self.agent.get(format!("{base}{path}"));
        let request = match self.user.clone() {
            Some(user) => Login::new(user, &base, &base).sign(path, request),
            None => request,
        };
        let mut answer = request.call().map_err(|error| error.to_string())?;
        answer.body_mut().with_config().limit(MOST).read_to_string().map_err(|error| error.to_string())
    }
}
