//! What we answer to a host during the connection: is this its key, are these algorithms safe.

use std::sync::{Arc, OnceLock};

use russh::client::{DisconnectReason, Handler, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Names, cipher};

use super::known_hosts::{Known, describe};

/// What is said of a connection that ended because nothing came over it any more.
pub(super) const NO_ANSWER: &str = "no answer to keepalives";

/// Why a connection ended before or after its login.
#[derive(Debug)]
pub(super) enum Fault {
    /// The host is not the one we know.
    HostKey(String),
    /// The algorithms are not safe.
    Unsafe(String),
    /// Network or protocol.
    Ssh(russh::Error),
}

impl From<russh::Error> for Fault {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// What is told about the connection to its [`super::link::Link`].
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Why the connection ended.
    pub(super) lost: OnceLock<String>,
    /// The host key, type and fingerprint.
    pub(super) host_key: OnceLock<String>,
}

/// russh's view of one connection.
pub(super) struct Watcher {
    pub(super) known: Known,
    pub(super) seen: Arc<Seen>,
}

impl Handler for Watcher {
    type Error = Fault;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        let verdict = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.known.check_key(key.key_data()),
            PublicKeyOrCertificate::Certificate(certificate) => self.known.check_certificate(certificate),
        };
        verdict.map_err(Fault::HostKey)?;
        self.seen.host_key.get_or_init(|| describe(shown.public_key().key_data()));
        Ok(true)
    }

    /// Terrapin (CVE-2023-48795): ChaCha20-Poly1305, and CBC with encrypt-then-MAC, need both ends to count messages strictly.
    async fn kex_done(&mut self, _: Option<&[u8]>, names: &Names, _: &mut Session) -> Result<(), Fault> {
        let etm = |mac: &str| mac.contains("etm");
        let cipher: &str = names.cipher.as_ref();
        let weak = names.cipher == cipher::CHACHA20_POLY1305
            || (cipher.ends_with("-cbc") && (etm(names.client_mac.as_ref()) || etm(names.server_mac.as_ref())));
        if weak && !names.strict_kex() {
            return Err(Fault::Unsafe(format!(
                "the host offers only {cipher} without strict key exchange, which the Terrapin attack (CVE-2023-48795) breaks; \
                 update its sshd, or let it offer aes256-gcm@openssh.com"
            )));
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Fault>) -> Result<(), Fault> {
        let (text, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                (format!("the host said goodbye: {:?}", info.message), Ok(()))
            }
            DisconnectReason::Error(fault) => (fault.to_string(), Err(fault)),
        };
        self.seen.lost.get_or_init(|| text);
        result
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::HostKey(text) | Self::Unsafe(text) => f.write_str(text),
            Self::Ssh(russh::Error::KeepaliveTimeout) => f.write_str(NO_ANSWER),
            Self::Ssh(russh::Error::Disconnect | russh::Error::HUP) => f.write_str("the host closed the connection"),
            Self::Ssh(error) => write!(f, "{error}"),
        }
    }
}
