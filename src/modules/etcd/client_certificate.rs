//! A certificate and key for the members' client ports that the operator has, in place of the members' own.

use secrecy::SecretString;
use serde_json::Value;

use crate::events::Fault;
use crate::modules::{Failure, Fleet};

/// The variables: paths on this machine, from where quorate was started.
const CERTIFICATE: &str = "etcd_client_cert";
const KEY: &str = "etcd_client_key";

/// What we show to members that ask clients for certificates; in memory only.
pub(super) struct ClientCertificate {
    /// The certificate with its chain, in PEM.
    pub(super) cert_pem: Vec<u8>,
    /// Its key, in PEM.
    pub(super) key: SecretString,
}

impl ClientCertificate {
    /// As a host's variables say; `None` if they say nothing.
    pub(super) fn of(fleet: &dyn Fleet, host: &str) -> Result<Option<Self>, Failure> {
        let path = |name: &str| match fleet.var(host, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(path)) if !path.is_empty() => Ok(Some(path)),
            Some(other) => Err(wrong(host, format!("{name}: expected a path, found {other}"))),
        };
        let (cert, key) = match (path(CERTIFICATE)?, path(KEY)?) {
            (None, None) => return Ok(None),
            (Some(cert), Some(key)) => (cert, key),
            (Some(_), None) => return Err(wrong(host, format!("{CERTIFICATE} without its key: set {KEY} too"))),
            (None, Some(_)) => {
                return Err(wrong(host, format!("{KEY} without its certificate: set {CERTIFICATE} too")));
            }
        };
        let read = |name: &str, path: &str| {
            std::fs::read(path).map_err(|error| wrong(host, format!("{name}: {path}: {error}")))
        };
        let cert_pem = read(CERTIFICATE, &cert)?;
        // The error could quote the key, so it is not shown.
        let text =
            String::from_utf8(read(KEY, &key)?).map_err(|_| wrong(host, format!("{KEY}: {key} is no PEM text")))?;
        Ok(Some(Self { cert_pem, key: SecretString::from(text) }))
    }
}

fn wrong(host: &str, what: String) -> Failure {
    Failure::new(Fault::Input, format!("{host}: {what}"))
}
