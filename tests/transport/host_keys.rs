//! Who a host is: known_hosts decides, before anything is said to the host.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use quorate::transport::{ConnectError, Connector};
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::{Algorithm, Certificate, EcdsaCurve, HashAlg, PrivateKey};
use russh::{Preferred, cipher, kex};

use super::fixture::{Home, command, line, refused};
use super::server::{Host, Setup, key, random_key};

fn ecdsa() -> PrivateKey {
    random_key(Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })
}

/// Connects and gives the refusal; neither a login was tried nor a byte written.
async fn refusal(home: &Home, host: &Host, known_hosts: &str) -> String {
    home.write("known_hosts", known_hosts);
    let before = host.commands().len();
    let error = refused(home.connect(&home.target(host)).await);
    let ConnectError::HostKey { host: name, detail } = error else { panic!("{error}") };
    assert_eq!(name, "etcd1");
    assert_eq!(fs::read_to_string(home.path("known_hosts")).unwrap(), known_hosts);
    assert_eq!((host.rejected(), host.commands().len()), (0, before));
    detail
}

async fn accepts(home: &Home, host: &Host, known_hosts: &str) {
    home.write("known_hosts", known_hosts);
    let session = home.connect(&home.target(host)).await.unwrap();
    session.exec(command("both")).await.unwrap();
}

#[tokio::test]
async fn refuses_an_unknown_host_and_says_how_to_add_it() {
    let home = Home::new();
    let host = home.host().await;
    let detail = refusal(&home, &host, "# nobody\n").await;
    assert!(detail.contains("unknown host key ssh-ed25519 SHA256:"), "{detail}");
    assert!(detail.contains(&host.key.fingerprint(HashAlg::Sha256).to_string()), "{detail}");
    assert!(detail.contains(&line(host.port, &host.key)), "{detail}");
    assert!(detail.contains(&home.path("known_hosts").display().to_string()), "{detail}");
}

#[tokio::test]
async fn refuses_a_host_when_the_file_is_missing_or_cannot_be_read() {
    let home = Home::new();
    let host = home.host().await;
    let error = refused(home.connect(&home.target(&host)).await);
    assert!(matches!(&error, ConnectError::HostKey { detail, .. } if detail.contains("No such file")), "{error}");
    // A directory in the place of one file could have held a revocation.
    home.trust(&[&host]);
    fs::create_dir(home.path("known_hosts2")).unwrap();
    let error = refused(home.connect(&home.target(&host)).await);
    assert!(matches!(&error, ConnectError::HostKey { detail, .. } if detail.contains("not a regular file")), "{error}");
}

#[tokio::test]
async fn refuses_a_changed_host_key_and_names_the_line() {
    let home = Home::new();
    let host = home.host().await;
    let other = key();
    let text = format!("# one\n\n# two\n{}\n", line(host.port, other.public_key()));
    let detail = refusal(&home, &host, &text).await;
    assert!(detail.contains("CHANGED") && detail.contains("known_hosts:4"), "{detail}");
    for key in [&host.key, other.public_key()] {
        assert!(detail.contains(&key.fingerprint(HashAlg::Sha256).to_string()), "{detail}");
    }
    assert!(!detail.contains("ssh-keygen -R"), "{detail}");
}

#[tokio::test]
async fn accepts_the_second_key_of_a_rotation() {
    let home = Home::new();
    let host = home.host().await;
    accepts(&home, &host, &format!("{}\n{}\n", line(host.port, key().public_key()), line(host.port, &host.key))).await;
}

#[tokio::test]
async fn refuses_a_revoked_key_whatever_other_lines_say() {
    let home = Home::new();
    let host = home.host().await;
    let revoked = format!("@revoked * {}", host.key.to_openssh().unwrap());
    let detail = refusal(&home, &host, &format!("{}\n{revoked}\n", line(host.port, &host.key))).await;
    assert!(detail.contains("REVOKED") && detail.contains("known_hosts:2"), "{detail}");
}

#[tokio::test]
async fn refuses_a_key_of_another_type_than_the_known_one() {
    let home = Home::new();
    let host = home.host().await;
    let detail = refusal(&home, &host, &format!("{}\n", line(host.port, ecdsa().public_key()))).await;
    assert!(detail.contains("another type") && detail.contains("ecdsa-sha2-nistp256"), "{detail}");
}

#[tokio::test]
async fn asks_for_the_type_of_key_that_is_known() {
    let home = Home::new();
    let old = ecdsa();
    let mut setup = Setup::new(home.access());
    setup.host_keys.push(old.clone());
    let host = Host::start(setup).await;
    accepts(&home, &host, &format!("{}\n", line(host.port, old.public_key()))).await;
}

#[tokio::test]
async fn an_entry_without_the_port_does_not_count_for_another_port() {
    let home = Home::new();
    let host = home.host().await;
    let detail = refusal(&home, &host, &format!("127.0.0.1 {}\n", host.key.to_openssh().unwrap())).await;
    assert!(detail.contains("unknown host key"), "{detail}");
}

#[tokio::test]
async fn knows_patterns_and_negations_but_no_bare_star() {
    let home = Home::new();
    let host = home.host().await;
    let key = host.key.to_openssh().unwrap();
    accepts(&home, &host, &format!("[127.0.0.?]:*\t{key}\n")).await;
    let negated = format!("![127.0.0.1]:{},[127.*]:* {key}\n", host.port);
    assert!(refusal(&home, &host, &negated).await.contains("unknown host key"));
    let detail = refusal(&home, &host, &format!("* {key}\n")).await;
    assert!(detail.contains("known_hosts:1: `*` would trust"), "{detail}");
}

#[tokio::test]
async fn knows_names_hashed_by_ssh_keygen() {
    let home = Home::new();
    let host = home.host().await;
    home.trust(&[&host]);
    let hashing = Command::new("ssh-keygen").arg("-H").arg("-f").arg(home.path("known_hosts")).output();
    if !hashing.is_ok_and(|o| o.status.success()) {
        return; // no OpenSSH on this machine; the unit tests have a line hashed by it
    }
    let text = fs::read_to_string(home.path("known_hosts")).unwrap();
    assert!(text.starts_with("|1|"), "{text}");
    accepts(&home, &host, &text).await;
}

fn certify(host: &PrivateKey, authority: &PrivateKey, kind: CertType, principal: &str, age: u64) -> Certificate {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - age;
    let rng = &mut russh::keys::key::safe_rng();
    let mut builder = Builder::new_with_random_nonce(rng, host.public_key(), now - 60, now + 3600).unwrap();
    builder.cert_type(kind).unwrap().key_id("etcd1").unwrap().valid_principal(principal).unwrap();
    builder.sign(authority).unwrap()
}

async fn certified(home: &Home, kind: CertType, principal: &str, age: u64) -> (Host, String) {
    let authority = key();
    let mut setup = Setup::new(home.access());
    setup.certificates = vec![certify(&setup.host_keys[0], &authority, kind, principal, age)];
    let host = Host::start(setup).await;
    let line = format!("@cert-authority [127.0.0.1]:* {}\n", authority.public_key().to_openssh().unwrap());
    (host, line)
}

#[tokio::test]
async fn accepts_a_host_that_a_known_authority_vouches_for() {
    let home = Home::new();
    let (host, line) = certified(&home, CertType::Host, "127.0.0.1", 0).await;
    accepts(&home, &host, &line).await;
    // Without the line of the authority the key itself may be known.
    accepts(&home, &host, &super::fixture::line(host.port, &host.key)).await;
}

#[tokio::test]
async fn refuses_a_certificate_for_another_host_of_a_user_or_out_of_date() {
    let home = Home::new();
    let day = 86_400;
    for (kind, principal, age, why) in [
        (CertType::Host, "etcd2", 0, "it is for"),
        (CertType::User, "127.0.0.1", 0, "user's certificate"),
        (CertType::Host, "127.0.0.1", day, "refused"),
    ] {
        let (host, line) = certified(&home, kind, principal, age).await;
        let detail = refusal(&home, &host, &line).await;
        assert!(detail.contains(why), "{detail}");
    }
}

#[tokio::test]
async fn refuses_a_certificate_of_a_revoked_authority() {
    let home = Home::new();
    let (host, line) = certified(&home, CertType::Host, "127.0.0.1", 0).await;
    let revoked = line.replace("@cert-authority [127.0.0.1]:*", "@revoked *");
    let detail = refusal(&home, &host, &format!("{line}{revoked}")).await;
    assert!(detail.contains("REVOKED"), "{detail}");
}

#[tokio::test]
async fn an_alias_is_looked_up_without_the_port_and_stands_for_one_host_only() {
    let home = Home::new();
    let (one, two) = (home.host().await, home.host().await);
    home.write("config", "IdentityAgent none\nHostKeyAlias cluster\n");
    home.write("known_hosts", &format!("cluster {}\n", one.key.to_openssh().unwrap()));
    let connector = home.connector();
    assert!(connector.connect(&home.target(&one)).await.is_ok());
    let error = refused(connector.connect(&home.target(&two)).await);
    assert!(matches!(&error, ConnectError::Config { detail, .. } if detail.contains("one identity")), "{error}");
}

#[tokio::test]
async fn tells_that_two_hosts_show_the_same_key() {
    let home = Home::new();
    let shared = key();
    let host = || Host::start(Setup { host_keys: vec![shared.clone()], ..Setup::new(home.access()) });
    let (one, two) = (host().await, host().await);
    home.trust(&[&one, &two]);
    let connector = home.connector();
    connector.connect(&home.target(&one)).await.unwrap();
    assert!(connector.warnings().is_empty());
    connector.connect(&home.target(&two)).await.unwrap();
    assert!(connector.warnings().iter().any(|w| w.contains("same host key")), "{:?}", connector.warnings());
}

#[tokio::test]
async fn refuses_chacha20_without_strict_key_exchange() {
    let home = Home::new();
    let lax: Vec<kex::Name> =
        Preferred::DEFAULT.kex.iter().copied().filter(|k| !k.as_ref().contains("strict")).collect();
    let setup = |ciphers: Vec<cipher::Name>| Setup {
        preferred: Preferred { kex: lax.clone().into(), cipher: ciphers.into(), ..Preferred::DEFAULT },
        ..Setup::new(home.access())
    };
    let host = Host::start(setup(vec![cipher::CHACHA20_POLY1305])).await;
    home.trust(&[&host]);
    let error = refused(home.connect(&home.target(&host)).await);
    assert!(matches!(&error, ConnectError::Config { detail, .. } if detail.contains("Terrapin")), "{error}");
    let host = Host::start(setup(vec![cipher::CHACHA20_POLY1305, cipher::AES_256_GCM])).await;
    home.trust(&[&host]);
    assert!(home.connect(&home.target(&host)).await.is_ok());
}
