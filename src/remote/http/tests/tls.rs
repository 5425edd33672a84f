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
        self.sign(name, "x", &format!("subjectAltName={san}"), &format!("-days {days}"));
    }

    /// A certificate `name`.pem with key for a common name, with this extension and signed with these options.
    fn sign(&self, name: &str, common_name: &str, extension: &str, options: &str) {
        let folder = self.0.path();
        std::fs::write(folder.join("ext"), format!("{extension}\n")).unwrap();
        let request = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        openssl(&format!("{request} -subj /CN={common_name} -keyout {name}.key -out {name}.csr"), folder);
        let sign = "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext";
        openssl(&format!("{sign} -in {name}.csr -out {name}.pem {options}"), folder);
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    fn trusted(&self) -> Tls {
        let ca_pem = Some(self.read("ca.pem"));
        Tls { ca_pem, known_pem: None, cert_pem: None, key_pem: None, server_names: Vec::new() }
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
    let named = Tls { server_names: vec!["etcd-1.internal".to_owned()], ..authority.trusted() };
    assert_eq!(ask(authority.serve(false).await, named).await.unwrap().status, 200);
    let said = is_tls(ask(authority.serve(false).await, authority.trusted()).await);
    assert!(said.contains("etcd-1.internal"), "{said}");
}

#[tokio::test]
async fn one_of_several_names_is_enough() {
    let authority = Authority::new();
    authority.issue("server", "DNS:etcd-1.internal", 10);
    let names = |names: &[&str]| Tls {
        server_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..authority.trusted()
    };
    let several = names(&["10.0.0.1", "etcd-1.internal", "127.0.0.1"]);
    assert_eq!(ask(authority.serve(false).await, several).await.unwrap().status, 200);
    let said = is_tls(ask(authority.serve(false).await, names(&["etcd-2.internal", "10.0.0.1"])).await);
    assert!(said.contains("etcd-2.internal") && said.contains("etcd-1.internal"), "{said}");
}

#[tokio::test]
async fn without_an_authority_only_the_known_certificate_is_believed() {
    let authority = Authority::new();
    for name in ["other", "server"] {
        authority.issue(name, "DNS:elsewhere", 10);
    }
    let known = |name: &str| Tls { ca_pem: None, known_pem: Some(authority.read(name)), ..authority.trusted() };
    assert_eq!(ask(authority.serve(false).await, known("server.pem")).await.unwrap().status, 200);
    let said = is_tls(ask(authority.serve(false).await, known("other.pem")).await);
    assert!(said.contains("not the one in the server's certificate file"), "{said}");
}

#[tokio::test]
async fn a_certificate_of_an_old_form_is_believed_only_if_it_is_known() {
    let authority = Authority::new();
    let forms = [
        ("server", "127.0.0.1", "basicConstraints=CA:FALSE", "-days 10", "names no host in a subjectAltName"),
        ("server", "x", "subjectAltName=IP:127.0.0.1", "-days 10 -sha1", "SHA-1"),
        ("server", "x", "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE", "-days 10", "CaUsedAsEndEntity"),
    ];
    for (name, common_name, extension, options, word) in forms {
        authority.sign(name, common_name, extension, options);
        let said = is_tls(ask(authority.serve(false).await, authority.trusted()).await);
        assert!(said.contains(word), "{said}");
        let known = Tls { known_pem: Some(authority.read("server.pem")), ..authority.trusted() };
        assert_eq!(ask(authority.serve(false).await, known).await.unwrap().status, 200);
        let other = Tls { known_pem: Some(authority.read("ca.pem")), ..authority.trusted() };
        is_tls(ask(authority.serve(false).await, other).await);
    }
}

#[tokio::test]
async fn a_known_certificate_that_is_over_or_of_another_authority_is_refused() {
    let authority = Authority::new();
    authority.issue("server", "IP:127.0.0.1", -1);
    let known = |by: &Authority| Tls { known_pem: Some(authority.read("server.pem")), ..by.trusted() };
    is_tls(ask(authority.serve(false).await, known(&authority)).await);
    authority.issue("server", "IP:127.0.0.1", 10);
    let said = is_tls(ask(authority.serve(false).await, known(&Authority::new())).await);
    assert!(said.contains("none of the authorities has signed it"), "{said}");
}

#[test]
fn a_certificate_for_servers_alone_is_none_for_clients() {
    let authority = Authority::new();
    let usages = [("any", "subjectAltName=DNS:x"), ("both", "extendedKeyUsage=serverAuth,clientAuth")];
    for (name, usage) in usages {
        authority.sign(name, "x", usage, "-days 10");
        assert!(Tls::takes_client(&authority.read("ca.pem"), &authority.read(&format!("{name}.pem"))), "{name}");
    }
    authority.sign("server", "x", "extendedKeyUsage=serverAuth", "-days 10");
    assert!(!Tls::takes_client(&authority.read("ca.pem"), &authority.read("server.pem")));
    assert!(!Tls::takes_client(&Authority::new().read("ca.pem"), &authority.read("any.pem")));
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
    let no_ca = Tls { ca_pem: Some(b"nothing".to_vec()), ..authority.trusted() };
    let bad_name = Tls { server_names: vec!["a b".to_owned()], ..authority.trusted() };
    for tls in [no_key, bad_key, no_ca, bad_name] {
        let error = ask(1, tls).await.unwrap_err();
        assert!(matches!(error.kind, HttpErrorKind::Request), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
