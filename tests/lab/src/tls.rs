//! Certificates for etcd's clients and peers, signed by a CA that the lab makes for itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::act::{ActError, at, run};
use crate::site::Site;

/// Where a member finds its certificates.
pub(crate) const HOST_DIR: &str = "/etc/etcd/tls";

/// Longer than any lab lives, short enough that a forgotten key is soon worth nothing, and not so short that quorate speaks of it.
const DAYS: &str = "40";

/// What a member gets: the CA's certificate, its own, and its key.
pub(crate) fn member_files() -> [&'static str; 3] {
    ["ca.crt", "member.crt", "member.key"]
}

/// etcd's settings for them, as `ETCD_…` names. 2.0 asks for client certificates when it is given a
/// CA file (`Documentation/security.md` of 2.0); 2.1 on have a flag for each.
pub(crate) fn settings(version: &str) -> Vec<(&'static str, String)> {
    let file = |name: &str| format!("{HOST_DIR}/{name}");
    let mut settings = vec![
        ("CERT_FILE", file("member.crt")),
        ("KEY_FILE", file("member.key")),
        ("PEER_CERT_FILE", file("member.crt")),
        ("PEER_KEY_FILE", file("member.key")),
    ];
    if version.starts_with("2.0.") {
        settings.push(("CA_FILE", file("ca.crt")));
        settings.push(("PEER_CA_FILE", file("ca.crt")));
    } else {
        settings.push(("TRUSTED_CA_FILE", file("ca.crt")));
        settings.push(("CLIENT_CERT_AUTH", "true".to_owned()));
        settings.push(("PEER_TRUSTED_CA_FILE", file("ca.crt")));
        settings.push(("PEER_CLIENT_CERT_AUTH", "true".to_owned()));
    }
    settings
}

/// Makes the CA, one certificate a member and one for clients, in the lab's folder `tls`.
pub(crate) fn make(site: &Site) -> Result<(), ActError> {
    let dir = site.path("tls");
    fs::create_dir_all(&dir).map_err(at("make folder", &dir))?;
    let (ca, ca_key) = (dir.join("ca.crt"), dir.join("ca.key"));
    let (ca_text, ca_key_text) = (ca.to_string_lossy(), ca_key.to_string_lossy());
    let mut argv = new_key("/CN=quorate-lab CA");
    argv.extend(["-x509", "-days", DAYS, "-keyout", &ca_key_text, "-out", &ca_text]);
    run("openssl", &argv)?;
    for host in site.members() {
        let names = format!("IP:{},IP:127.0.0.1,DNS:{},DNS:localhost", host.address, host.name);
        let place = dir.join(&host.name);
        fs::create_dir_all(&place).map_err(at("make folder", &place))?;
        sign(&dir, &place.join("member"), &format!("/CN={}", host.name), &names)?;
        fs::copy(&ca, place.join("ca.crt")).map_err(at("copy", &ca))?;
    }
    // With auth on the gateway refuses a client whose certificate has a common name (embed/serve.go of 3.3 on).
    let subject = if site.spec().auth { "/O=clients" } else { "/CN=client" };
    sign(&dir, &dir.join("client"), subject, "DNS:client")
}

fn new_key(subject: &str) -> Vec<&str> {
    let key = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    [&key[..], &["-subj", subject]].concat()
}

/// Makes `STEM.key` and `STEM.crt` for a subject.
fn sign(dir: &Path, stem: &Path, subject: &str, names: &str) -> Result<(), ActError> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (ca, ca_key) = (text(&dir.join("ca.crt")), text(&dir.join("ca.key")));
    let (key, crt) = (text(&stem.with_extension("key")), text(&stem.with_extension("crt")));
    let names = format!("subjectAltName={names}");
    let mut argv = new_key(subject);
    argv.extend(["-x509", "-CA", &ca, "-CAkey", &ca_key, "-days", DAYS]);
    for extension in [
        &*names,
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        "extendedKeyUsage=serverAuth,clientAuth",
    ] {
        argv.extend(["-addext", extension]);
    }
    argv.extend(["-keyout", &key, "-out", &crt]);
    run("openssl", &argv).map(drop)
}

/// The lab's CA and the clients' certificate, out of the folder that [`make`] filled.
pub(crate) fn client_config(dir: &Path) -> Option<TlsConfig> {
    let read = |name: &str| fs::read(dir.join(name)).ok();
    let ca = Certificate::from_pem(&read("ca.crt")?).ok()?;
    let own = Certificate::from_pem(&read("client.crt")?).ok()?;
    let key = PrivateKey::from_pem(&read("client.key")?).ok()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Some(
        TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::new_with_certs(&[ca]))
            .client_cert(Some(ClientCert::new_with_certs(&[own], key)))
            .build(),
    )
}
