use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use secrecy::SecretString;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, Scheme, probe};
use crate::remote::Tls;

/// Certificates made by openssl for one test.
struct Authority(tempfile::TempDir);

fn openssl(args: &str, folder: &Path) {
    let ran = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&ran.stderr));
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30";
        openssl(new, folder.path());
        Self(folder)
    }

    /// A certificate `name`.pem with key for `san`; already over if `days` is negative.
    fn issue(&self, name: &str, san: &str, days: i32) {
        let folder = self.0.path();
        std::fs::write(folder.join("ext"), format!("subjectAltName={san}\n")).unwrap();
        let request = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x";
        openssl(&format!("{request} -keyout {name}.key -out {name}.csr"), folder);
        let sign = "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext";
        openssl(&format!("{sign} -in {name}.csr -out {name}.pem -days {days}"), folder);
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    fn trusted(&self) -> Tls {
        Tls { ca_pem: self.read("ca.pem"), cert_pem: None, key_pem: None, server_name: None }
    }

    fn with_client(&self) -> Tls {
        let key = SecretString::from(String::from_utf8(self.read("client.key")).unwrap());
        Tls { cert_pem: Some(self.read("client.pem")), key_pem: Some(key), ..self.trusted() }
    }

    /// Serves one request with the certificate `server`.
    async fn serve(&self, asks_for_client: bool) -> u16 {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.read("ca.pem")).unwrap()).unwrap();
        let builder = if asks_for_client {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(&self.read("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(&self.read("server.key")).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                let _ = stream.shutdown().await;
            }
        });
        port
    }
}

async fn ask(port: u16, tls: Tls) -> Result<HttpResponse, HttpError> {
    let request = HttpRequest::get(Scheme::Https, "127.0.0.1", port, "/health");
    probe().http(HttpRequest { tls: Some(tls), ..request }).await
}

fn is_tls(answer: Result<HttpResponse, HttpError>) -> String {
    let error = answer.unwrap_err();
    assert!(matches!(error.kind, HttpErrorKind::Tls), "{error}");
    error.to_string()
}

#[tokio::test]
async fn an_address_in_the_certificate_is_enough() {
    let authority = Authority::new();
    authority.issue("server", "IP:127.0.0.1", 10);
    assert_eq!(ask(authority.serve(false).await, authority.trusted()).await.unwrap().body, b"ok");
}

#[tokio::test]
async fn the_name_may_differ_from_where_the_tunnel_leads() {
    let authority = Authority::new();
    authority.issue("server", "DNS:etcd-1.internal", 10);
    let named = Tls { server_name: Some("etcd-1.internal".to_owned()), ..authority.trusted() };
    assert_eq!(ask(authority.serve(false).await, named).await.unwrap().status, 200);
    let said = is_tls(ask(authority.serve(false).await, authority.trusted()).await);
    assert!(said.contains("etcd-1.internal"), "{said}");
}

#[tokio::test]
async fn another_authority_and_an_expired_certificate_are_refused() {
    let authority = Authority::new();
    authority.issue("server", "IP:127.0.0.1", 10);
    is_tls(ask(authority.serve(false).await, Authority::new().trusted()).await);
    authority.issue("server", "IP:127.0.0.1", -1);
    let said = is_tls(ask(authority.serve(false).await, authority.trusted()).await);
    assert!(said.contains("xpired"), "{said}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_its_lack_is_said() {
    let authority = Authority::new();
    authority.issue("server", "IP:127.0.0.1", 10);
    authority.issue("client", "DNS:client", 10);
    assert_eq!(ask(authority.serve(true).await, authority.with_client()).await.unwrap().status, 200);
    let said = is_tls(ask(authority.serve(true).await, authority.trusted()).await);
    assert!(said.contains("CertificateRequired"), "{said}");
}

#[tokio::test]
async fn plain_http_on_the_port_is_a_fault_of_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    is_tls(ask(port, Authority::new().trusted()).await);
}

#[tokio::test]
async fn settings_that_do_not_fit_are_refused_and_the_key_is_not_shown() {
    let authority = Authority::new();
    authority.issue("client", "DNS:client", 10);
    let no_key = Tls { key_pem: None, ..authority.with_client() };
    let bad_key = Tls { key_pem: Some(SecretString::from("canary".to_owned())), ..authority.with_client() };
    let no_ca = Tls { ca_pem: b"nothing".to_vec(), ..authority.trusted() };
    let bad_name = Tls { server_name: Some("a b".to_owned()), ..authority.trusted() };
    for tls in [no_key, bad_key, no_ca, bad_name] {
        let error = ask(1, tls).await.unwrap_err();
        assert!(matches!(error.kind, HttpErrorKind::Request), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
