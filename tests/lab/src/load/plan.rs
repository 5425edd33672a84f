//! What a load does, and to whom.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::auth::EtcdUser;

/// Which of etcd's interfaces the clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `/v2/keys`: 2.0 to 3.3, and 3.4 and 3.5 where it is switched on.
    V2,
    /// The gateway's `kv/txn` and `kv/range`: 3.0 to 3.7.
    V3,
}

impl FromStr for Api {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "v2" => Ok(Self::V2),
            "v3" => Ok(Self::V3),
            other => Err(format!("expected `v2` or `v3`, found `{other}`")),
        }
    }
}

/// What a load does, and to whom.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// A name that no other load has had; it is part of every key and value.
    pub run: String,
    /// How the clients speak.
    pub api: Api,
    /// The members' client URLs.
    pub endpoints: Vec<String>,
    /// The folder with `ca.crt`, `client.crt` and `client.key`, where the cluster uses TLS.
    pub tls: Option<PathBuf>,
    /// Who the clients are, where etcd asks.
    pub user: Option<EtcdUser>,
    /// Clients, one operation in flight each. Those with even numbers stay with one member each, the
    /// others go round all of them.
    pub clients: u32,
    /// Logical writes a second over all clients together; they are slower when the cluster is.
    pub rate: f64,
    /// How many keys are written as chains at a time; without any, all writes have unique keys.
    pub chains: u32,
    /// The load ends by itself after so many logical writes.
    pub most: Option<u64>,
    /// The length of a unique key's value, in bytes; never shorter than what tells it apart.
    pub value_bytes: usize,
}

impl Plan {
    /// The usual load on these client URLs, by v2.
    ///
    /// etcd 2.0.5 passes a commit on to its followers with the next heartbeat, so a write takes 100 to
    /// 200 ms (measured here with 12 clients: 58 writes/s; 2.1.1 takes 3 ms). 48 clients made 220
    /// writes/s of it on two busy cores; 96 hardly more, and longer gaps.
    #[must_use]
    pub fn new(endpoints: Vec<String>) -> Self {
        Self {
            run: format!("{:08x}", rand::random::<u32>()),
            api: Api::V2,
            endpoints,
            tls: None,
            user: None,
            clients: 48,
            rate: 300.0,
            chains: 8,
            most: None,
            value_bytes: 100,
        }
    }

    /// The folder of all unique keys.
    pub(super) fn unique_folder(&self) -> String {
        format!("/w/{}", self.run)
    }

    /// A client's key for one logical write.
    pub(super) fn unique_key(&self, client: u32, sequence: u64) -> String {
        format!("{}/{client}/{sequence}", self.unique_folder())
    }

    /// The folder of all chains.
    pub(super) fn chain_folder(&self) -> String {
        format!("/c/{}", self.run)
    }

    /// A chain's key. A chain that is full goes on under the next generation.
    pub(super) fn chain_key(&self, chain: u32, generation: u32) -> String {
        format!("{}/{chain}/{generation}", self.chain_folder())
    }
}
