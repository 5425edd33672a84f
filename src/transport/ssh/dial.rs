//! From a hop to a connection that is logged in.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use russh::client::{Config, Handle, connect_stream};
use russh::keys::ssh_key::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::addresses::Addresses;
use super::connector::Ask;
use super::key_file::KeyRing;
use super::known_hosts::Known;
use super::leash::Leash;
use super::link::{Closed, Link};
use super::login::Login;
use super::quick_ack::QuickAck;
use super::route::Hop;
use super::watcher::{Fault, Seen, Watcher};
use crate::transport::session::ConnectError;

/// Bytes a host may send on one channel before we have taken any: russh's own 2 MiB, set here because the next number depends on it.
const WINDOW: u32 = 2 * 1024 * 1024;

/// Messages kept for a channel that is not read at the moment. A full queue stalls every other channel of the connection.
///
/// A jump host's channel carries other connections whole: it needs a slot for each 16 KiB of an inner window, 128 of them. Measured with
/// russh 0.65.1 and an inner window of up to 32 MiB: 100 stalls neighbours, 1024 does not.
const QUEUE: usize = 1024;

/// AES-GCM first: 35 to 50 % faster than ChaCha20 and 40 % less processor time (both measured on AES-NI), and not open to Terrapin.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Host-key algorithms in the order of OpenSSH 9.9; `ssh-rsa` is out, because it signs with SHA-1.
fn host_keys() -> Vec<Algorithm> {
    vec![
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ]
}

/// Connects to a hop, checks who it is and logs in.
pub(super) async fn dial(
    hop: &Hop,
    via: Option<&Arc<Link>>,
    ring: &KeyRing,
    addresses: &Addresses,
    ask: Option<&Ask>,
) -> Result<Link, ConnectError> {
    let known = Known::read(&hop.known_hosts, &hop.host, hop.alias.as_deref(), hop.port);
    let seen = Arc::new(Seen::default());
    let config = config(hop, &known);
    let watcher = Watcher { known, seen: Arc::clone(&seen) };
    let unreachable = |detail: String| ConnectError::Unreachable {
        host: hop.label.clone(),
        via: via.map(|v| v.label.clone()),
        detail,
    };
    let late = || unreachable(format!("{}:{}: no answer within {} s", hop.host, hop.port, hop.timeout.as_secs_f32()));
    let deadline = Instant::now() + hop.timeout;
    let shaking = async {
        match via {
            None => {
                let addresses = self::addresses(hop, addresses).await?;
                let stream = tcp(hop, &addresses, deadline).await.map_err(unreachable)?;
                shake(QuickAck(stream), config, watcher).await
            }
            Some(link) => match link.forward(&hop.host, hop.port).await {
                Ok(stream) => shake(stream, config, watcher).await,
                Err(Closed::Refused(detail) | Closed::Lost(detail)) => {
                    return Err(unreachable(format!("{}:{}: {detail}", hop.host, hop.port)));
                }
            },
        }
        .map_err(|fault| refusal(hop, fault, &unreachable))
    };
    let (mut handle, leash) = timeout_at(deadline, shaking).await.map_err(|_| late())??;
    let link_up = Login::new(&mut handle, hop, ring, ask, &seen).run().await;
    link_up?;
    Ok(Link::new(hop, handle, leash, seen, via.cloned()))
}

fn refusal(hop: &Hop, fault: Fault, unreachable: &impl Fn(String) -> ConnectError) -> ConnectError {
    let host = hop.label.clone();
    match fault {
        Fault::HostKey(detail) => ConnectError::HostKey { host, detail },
        Fault::Unsafe(detail) => ConnectError::Config { host, detail },
        other @ Fault::Ssh(_) => unreachable(format!("{}:{}: {other}", hop.host, hop.port)),
    }
}

async fn shake<S>(stream: S, config: Arc<Config>, watcher: Watcher) -> Result<(Handle<Watcher>, Leash), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (leash, stream) = Leash::tie(stream);
    Ok((connect_stream(config, stream, watcher).await?, leash))
}

/// What the name stands for.
async fn addresses(hop: &Hop, addresses: &Addresses) -> Result<Vec<SocketAddr>, ConnectError> {
    let unknown = |why: &dyn std::fmt::Display| ConnectError::NameUnknown {
        host: hop.label.clone(),
        detail: format!("{}:{}: {why}", hop.host, hop.port),
    };
    let found = addresses.of(&hop.host, hop.port).await.map_err(|e| unknown(&e))?;
    if found.is_empty() { Err(unknown(&"the name has no address")) } else { Ok(found) }
}

/// Tries every address of the name; one that swallows packets must not eat the time of the others.
async fn tcp(hop: &Hop, addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, String> {
    let fault = |e: &dyn std::fmt::Display| format!("{}:{}: {e}", hop.host, hop.port);
    let mut last = fault(&"the name has no address");
    for (index, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        match timeout(share, TcpStream::connect(*address)).await {
            Ok(Ok(stream)) => {
                // Without it every command waits for a delayed acknowledgement: 22 instead of 356 commands a second, measured on loopback.
                stream.set_nodelay(true).map_err(|e| fault(&e))?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = format!("{address}: {error}"),
            Err(_) => last = format!("{address}: no answer within {} s", share.as_secs_f32()),
        }
    }
    Err(last)
}

fn config(hop: &Hop, known: &Known) -> Arc<Config> {
    let (key, certificates) = known.preference(&host_keys());
    let preferred = Preferred {
        host_key_certificates: if certificates { Cow::Owned(key.clone()) } else { Cow::Borrowed(&[]) },
        key: Cow::Owned(key),
        cipher: Cow::Borrowed(CIPHERS),
        ..Preferred::DEFAULT
    };
    let (interval, count) = hop.alive;
    Arc::new(Config {
        window_size: WINDOW,
        channel_buffer_size: QUEUE,
        preferred,
        keepalive_interval: Some(interval),
        // russh gives up when one more than `keepalive_max` would be due; 0 would mean never.
        keepalive_max: count.saturating_sub(1).max(1),
        nodelay: true,
        ..Config::default()
    })
}
