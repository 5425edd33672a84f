//! Whether a server's certificate is to be believed, and whether a server would believe ours.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::tls::fault;
use super::{Fault, Tls};

/// What the server's certificate must be.
#[derive(Debug)]
pub(super) struct Trust {
    /// Signed by one of these, for one of the names.
    signed: Option<Arc<WebPkiServerVerifier>>,
    names: Vec<ServerName<'static>>,
    /// The one that the server is known to have been given.
    known: Option<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Trust {
    pub(super) fn new(tls: &Tls, address: &str, provider: &Arc<CryptoProvider>) -> Result<Self, Fault> {
        let names: Vec<&str> = tls.server_names.iter().map(String::as_str).collect();
        let names = if names.is_empty() { vec![address] } else { names };
        let name = |name: &str| {
            ServerName::try_from(name.to_owned()).map_err(|_| fault(format!("{name:?} is no name for TLS")))
        };
        let names = names.into_iter().map(name).collect::<Result<_, _>>()?;
        let known = match &tls.known_pem {
            Some(pem) => certificates(pem, "the server's certificate")?.into_iter().next(),
            None => None,
        };
        let signed = match &tls.ca_pem {
            Some(pem) => {
                let roots = Arc::new(roots(pem)?);
                let built = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build();
                Some(built.map_err(|error| fault(format!("authorities: {error}")))?)
            }
            None if known.is_none() => return Err(fault("https without authorities to trust")),
            None => None,
        };
        Ok(Self { signed, names, known, algorithms: provider.signature_verification_algorithms })
    }

    /// The name that the server is told we ask for.
    pub(super) fn name(&self) -> Option<&ServerName<'static>> {
        self.names.first()
    }

    /// Whether it is signed by an authority, and for one of the names.
    fn is_signed(
        &self,
        signed: &WebPkiServerVerifier,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut outcome = Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        for name in &self.names {
            let one = signed.verify_server_cert(shown, chain, name, ocsp, now);
            let other_name = matches!(
                one,
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
                ))
            );
            if !other_name {
                return one;
            }
            // The first name is the one that other clients use, so its error is the one to read.
            if matches!(outcome, Err(Error::InvalidCertificate(CertificateError::NotValidForName))) {
                outcome = one;
            }
        }
        outcome
    }
}

/// Whether a certificate was refused for what today's rules forbid and those of etcd 2's days allowed: its host in the common name only,
/// a signature with SHA-1, an authority's own certificate on a server (Go 1.4 crypto/x509, `VerifyHostname` and `checkSignature`).
fn is_old_form(error: &Error) -> bool {
    let Error::InvalidCertificate(error) = error else { return false };
    match error {
        CertificateError::NotValidForNameContext { presented, .. } => presented.is_empty(),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
        | CertificateError::Other(_) => true,
        _ => false,
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_known = self.known.as_ref().is_some_and(|known| known == shown);
        let outcome = match &self.signed {
            Some(signed) => self.is_signed(signed, shown, chain, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        };
        match outcome {
            Err(_) if is_known && self.signed.is_none() => Ok(ServerCertVerified::assertion()),
            Err(error) if is_known && is_old_form(&error) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What an error of TLS means, where its own words do not say.
pub(super) fn meaning(error: &Error) -> Option<&'static str> {
    let Error::InvalidCertificate(error) = error else { return None };
    match error {
        // The latter where another authority has the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Some("none of the authorities has signed it")
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            Some("it names no host in a subjectAltName")
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            Some("signed as nobody should any more, as with SHA-1")
        }
        CertificateError::ApplicationVerificationFailure => Some("it is not the one in the server's certificate file"),
        _ => None,
    }
}

/// Whether a server that trusts these authorities, both in PEM, would take this certificate of a client.
pub(super) fn takes_client(ca_pem: &[u8], cert_pem: &[u8], provider: Arc<CryptoProvider>) -> bool {
    let (Ok(roots), Ok(chain)) = (roots(ca_pem), certificates(cert_pem, "client certificate")) else { return false };
    let (Some((own, rest)), Ok(verifier)) =
        (chain.split_first(), WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build())
    else {
        return false;
    };
    verifier.verify_client_cert(own, rest, UnixTime::now()).is_ok()
}

fn roots(pem: &[u8]) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(pem, "authorities")? {
        roots.add(authority).map_err(|error| fault(format!("authorities: {error}")))?;
    }
    Ok(roots)
}

pub(super) fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(fault(format!("{what}: no certificate in the PEM text"))),
        Err(error) => Err(fault(format!("{what}: {error}"))),
    }
}
