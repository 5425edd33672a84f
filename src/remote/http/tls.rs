//! TLS from this machine to what listens on the host; the session in between sees ciphertext.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;
use tokio_rustls::client::TlsStream;

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
        let name = tls.server_name.as_ref().unwrap_or(&request.address).clone();
        let name = ServerName::try_from(name.clone()).map_err(|_| fault(format!("{name:?} is no name for TLS")))?;
        Ok(Self { config: Arc::new(config(tls)?), name })
    }

    pub(super) async fn connect(self, tunnel: Box<dyn ByteStream>) -> io::Result<TlsStream<Box<dyn ByteStream>>> {
        tokio_rustls::TlsConnector::from(self.config).connect(self.name, tunnel).await
    }
}

fn config(tls: &Tls) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.ca_pem, "authorities")? {
        roots.add(authority).map_err(|error| fault(format!("authorities: {error}")))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| fault(error.to_string()))?.with_root_certificates(roots);
    match (&tls.cert_pem, &tls.key_pem) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(chain), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes());
            // The error could quote the key, so it is not shown.
            let key = key.map_err(|_| fault("the client key is no PEM private key"))?;
            let chain = certificates(chain, "client certificate")?;
            builder.with_client_auth_cert(chain, key).map_err(|error| fault(format!("client certificate: {error}")))
        }
        _ => Err(fault("a client certificate needs its key, and a key its certificate")),
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(fault(format!("{what}: no certificate in the PEM text"))),
        Err(error) => Err(fault(format!("{what}: {error}"))),
    }
}

fn fault(text: impl Into<String>) -> Fault {
    Fault { kind: HttpErrorKind::Request, text: text.into() }
}
