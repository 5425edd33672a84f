//! TLS from this machine to what listens on the host; the session in between sees ciphertext.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use secrecy::ExposeSecret;
use tokio_rustls::client::TlsStream;

use super::trust::{self, Trust, certificates};
use super::{Fault, HttpErrorKind, HttpRequest, Tls};
use crate::transport::ByteStream;

/// Settings that are sound, before anything is sent.
pub(super) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Connector {
    pub(super) fn new(request: &HttpRequest) -> Result<Self, Fault> {
        let Some(tls) = &request.tls else { return Err(fault("https without authorities to trust")) };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = Trust::new(tls, &request.address, &provider)?;
        let name = trust.name().cloned().ok_or_else(|| fault("no name of the server"))?;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| fault(error.to_string()))?;
        // rustls' own check of certificates is at work inside of `Trust`.
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(trust));
        let config = match (&tls.cert_pem, &tls.key_pem) {
            (None, None) => builder.with_no_client_auth(),
            (Some(chain), Some(key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes());
                // The error could quote the key, so it is not shown.
                let key = key.map_err(|_| fault("the client key is no PEM private key"))?;
                let chain = certificates(chain, "client certificate")?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| fault(format!("client certificate: {error}")))?
            }
            _ => return Err(fault("a client certificate needs its key, and a key its certificate")),
        };
        Ok(Self { config: Arc::new(config), name })
    }

    pub(super) async fn connect(self, tunnel: Box<dyn ByteStream>) -> io::Result<TlsStream<Box<dyn ByteStream>>> {
        tokio_rustls::TlsConnector::from(self.config).connect(self.name, tunnel).await
    }
}

impl Tls {
    /// Whether a server that trusts these authorities would take this certificate of a client; both in PEM.
    #[must_use]
    pub fn takes_client(ca_pem: &[u8], cert_pem: &[u8]) -> bool {
        trust::takes_client(ca_pem, cert_pem, Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
    }
}

pub(super) fn fault(text: impl Into<String>) -> Fault {
    Fault { kind: HttpErrorKind::Request, text: text.into() }
}
