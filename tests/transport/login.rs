//! Logging in: what is tried, in which order, and that nothing is tried twice.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate::transport::ssh::{SshConnector, SshOptions};
use quorate::transport::{ConnectError, Connector, Target};
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use secrecy::SecretString;

use super::fixture::{Home, LONG, command, refused};
use super::server::{Access, Host, Setup, key};

fn with_password(home: &Home, host: &Host, password: &str) -> Target {
    Target { identity: None, password: Some(SecretString::from(password)), ..home.target(host) }
}

async fn host(home: &Home, access: Access) -> Host {
    let host = Host::start(Setup::new(access)).await;
    home.trust(&[&host]);
    host
}

fn login_refused(error: ConnectError) -> String {
    match error {
        ConnectError::LoginRefused { user, detail, .. } => {
            assert_eq!(user, "ops");
            detail
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn does_not_go_on_with_a_host_that_lets_anybody_in() {
    let home = Home::new();
    let host = host(&home, Access { open: true, ..home.access() }).await;
    let detail = login_refused(refused(home.connect(&home.target(&host)).await));
    assert!(detail.contains("without authentication"), "{detail}");
    assert!(host.commands().is_empty());
}

#[tokio::test]
async fn a_rejected_key_is_told_and_never_offered_again() {
    let home = Home::new();
    let host = host(&home, Access { keys: vec![key().public_key().clone()], ..Access::default() }).await;
    let connector = SshConnector::new(home.options());
    let detail = login_refused(refused(connector.connect(&home.target(&host)).await));
    assert!(detail.contains("rejected") && detail.contains("SHA256:") && detail.contains("publickey"), "{detail}");
    assert_eq!((host.rejected(), host.connections()), (1, 1));
    assert_eq!(login_refused(refused(connector.connect(&home.target(&host)).await)), detail);
    assert_eq!((host.rejected(), host.connections()), (1, 1));
}

#[tokio::test]
async fn logs_in_by_password_once() {
    let home = Home::new();
    let access = Access { password: Some("right".into()), ..Access::default() };
    let host = host(&home, access).await;
    let session = home.connect(&with_password(&home, &host, "right")).await.unwrap();
    session.exec(command("both")).await.unwrap();
    let detail = login_refused(refused(home.connect(&with_password(&home, &host, "wrong")).await));
    assert!(detail.contains("password: rejected") && !detail.contains("wrong"), "{detail}");
    assert_eq!(host.rejected(), 1);
}

#[tokio::test]
async fn answers_one_hidden_question_and_no_other() {
    let home = Home::new();
    for (questions, good) in [
        (vec![("Password: ", false)], true),
        (vec![("Name: ", true)], false),
        (vec![("Password: ", false), ("Code: ", false)], false),
        (vec![("x", false); 5000], false),
    ] {
        let host = host(&home, Access { password: Some("right".into()), questions, ..Access::default() }).await;
        let result = home.connect(&with_password(&home, &host, "right")).await;
        assert_eq!(result.is_ok(), good);
    }
}

#[tokio::test]
async fn gives_key_and_password_to_a_host_that_wants_both() {
    let home = Home::new();
    let host = host(&home, Access { password: Some("right".into()), both: true, ..home.access() }).await;
    let target = Target { password: Some(SecretString::from("right")), ..home.target(&host) };
    assert!(home.connect(&target).await.is_ok());
    let detail = login_refused(refused(home.connect(&home.target(&host)).await));
    assert!(detail.contains("wants more"), "{detail}");
}

fn encrypt(home: &Home, passphrase: &str) {
    let encrypted = home.key.encrypt(&mut russh::keys::key::safe_rng(), passphrase).unwrap();
    home.write("id", encrypted.to_openssh(LineEnding::LF).unwrap().as_str());
}

/// Answers with this passphrase, and counts the questions.
fn asking(home: &Home, answer: &'static str) -> (SshConnector, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let ask = Arc::new(move |question: &str| {
        assert!(question.contains("id"), "{question}");
        count.fetch_add(1, Ordering::SeqCst);
        Some(SecretString::from(answer))
    });
    (SshConnector::new(SshOptions { ask: Some(ask), ..home.options() }), asked)
}

#[tokio::test]
async fn asks_once_for_the_passphrase_of_a_key_that_many_hosts_take() {
    let home = Home::new();
    encrypt(&home, "long ago");
    let (one, two) = (home.host().await, home.host().await);
    home.trust(&[&one, &two]);
    let (connector, asked) = asking(&home, "long ago");
    let (first, second) = (home.target(&one), home.target(&two));
    let (first, second) = tokio::join!(connector.connect(&first), connector.connect(&second));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn does_not_ask_for_a_key_that_the_host_would_not_take() {
    let home = Home::new();
    encrypt(&home, "long ago");
    let host = host(&home, Access { keys: vec![key().public_key().clone()], ..Access::default() }).await;
    let (connector, asked) = asking(&home, "long ago");
    login_refused(refused(connector.connect(&home.target(&host)).await));
    assert_eq!((asked.load(Ordering::SeqCst), host.rejected()), (0, 1));
}

#[tokio::test]
async fn a_wrong_or_missing_passphrase_is_told() {
    let home = Home::new();
    encrypt(&home, "long ago");
    let host = home.host().await;
    home.trust(&[&host]);
    let (connector, asked) = asking(&home, "guess");
    let detail = login_refused(refused(connector.connect(&home.target(&host)).await));
    assert!(detail.contains("passphrase for") && detail.contains("wrong"), "{detail}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let detail = login_refused(refused(home.connect(&home.target(&host)).await));
    assert!(detail.contains("no terminal"), "{detail}");
}

#[tokio::test]
async fn a_key_file_that_is_no_key_is_a_mistake_in_the_input() {
    let home = Home::new();
    let host = home.host().await;
    home.trust(&[&host]);
    let public = home.key.public_key().to_openssh().unwrap();
    home.write("public", &public);
    home.write("empty", "");
    home.write("open", home.key.to_openssh(LineEnding::LF).unwrap().as_str());
    fs::set_permissions(home.path("open"), fs::Permissions::from_mode(0o644)).unwrap();
    home.write("large", &"x".repeat(100_000));
    let fifo = home.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (name, why) in [
        ("public", "this is the public key"),
        ("empty", "no private key"),
        ("open", "mode 0644"),
        ("large", "too large"),
        ("fifo", "not a regular file"),
        ("missing", "no such key file"),
        ("", "not a regular file"),
    ] {
        let target = Target { identity: Some(home.path(name)), ..home.target(&host) };
        let error = refused(home.connect(&target).await);
        assert!(matches!(&error, ConnectError::Config { detail, .. } if detail.contains(why)), "{name}: {error}");
    }
    assert_eq!(host.rejected(), 0);
}

#[tokio::test]
async fn logs_in_with_the_certificate_beside_the_key() {
    let home = Home::new();
    let authority = key();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let rng = &mut russh::keys::key::safe_rng();
    let mut builder = Builder::new_with_random_nonce(rng, home.key.public_key(), now - 60, now + 3600).unwrap();
    builder.cert_type(CertType::User).unwrap().key_id("ops").unwrap().valid_principal("ops").unwrap();
    let certificate = builder.sign(&authority).unwrap();
    let host = host(&home, Access { user_ca: Some(authority.public_key().clone()), ..Access::default() }).await;
    login_refused(refused(home.connect(&home.target(&host)).await));
    home.write("id-cert.pub", &certificate.to_openssh().unwrap());
    assert!(home.connect(&home.target(&host)).await.is_ok());
}

/// A real agent with the client's key, ended with the test.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    /// Nothing where there is no OpenSSH.
    fn start(home: &Home, extra_keys: usize) -> Option<Self> {
        let socket = home.dir().join("agent");
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().ok()?;
        let agent = Self { child, socket };
        let began = std::time::Instant::now();
        while !agent.socket.exists() {
            assert!(began.elapsed() < LONG);
            std::thread::sleep(Duration::from_millis(5));
        }
        for index in 0..extra_keys {
            home.write(&format!("extra{index}"), key().to_openssh(LineEnding::LF).unwrap().as_str());
            agent.add(&home.path(&format!("extra{index}")));
        }
        agent.add(&home.path("id"));
        Some(agent)
    }

    fn add(&self, path: &std::path::Path) {
        let status = Command::new("ssh-add").arg("-q").arg(path).env("SSH_AUTH_SOCK", &self.socket).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn logs_in_through_a_real_agent() {
    let home = Home::new();
    let Some(agent) = Agent::start(&home, 0) else { return };
    home.write("config", &format!("IdentityAgent {}\n", agent.socket.display()));
    let host = home.host().await;
    home.trust(&[&host]);
    let target = Target { identity: None, ..home.target(&host) };
    let session = home.connect(&target).await.unwrap();
    session.exec(command("both")).await.unwrap();
    // IdentitiesOnly: only the keys of the files, though the agent has more.
    home.write("config", &format!("IdentityAgent {}\nIdentitiesOnly yes\n", agent.socket.display()));
    login_refused(refused(home.connect(&target).await));
    assert_eq!(host.rejected(), 0);
}

#[tokio::test]
async fn lets_the_agent_sign_for_a_key_file_that_is_encrypted() {
    let home = Home::new();
    let Some(agent) = Agent::start(&home, 0) else { return };
    encrypt(&home, "long ago");
    let text = format!("IdentityAgent {}\nIdentitiesOnly yes\n", agent.socket.display());
    home.write("config", &text);
    let host = home.host().await;
    home.trust(&[&host]);
    assert!(home.connect(&home.target(&host)).await.is_ok());
}

#[tokio::test]
async fn stops_before_the_host_counts_too_many_failures() {
    let home = Home::new();
    let Some(agent) = Agent::start(&home, 8) else { return };
    home.write("config", &format!("IdentityAgent {}\n", agent.socket.display()));
    let host = host(&home, home.access()).await;
    let target = Target { identity: None, ..home.target(&host) };
    let detail = login_refused(refused(home.connect(&target).await));
    assert!(detail.contains("IdentitiesOnly"), "{detail}");
    assert_eq!(host.rejected(), 6);
    // A key that is named comes first.
    assert!(home.connect(&home.target(&host)).await.is_ok());
}

#[tokio::test]
async fn logs_in_with_an_rsa_key_and_no_sha1() {
    let home = Home::new();
    let path = home.path("rsa");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]).arg(&path).status();
    if !made.is_ok_and(|s| s.success()) {
        return; // no OpenSSH on this machine
    }
    let public = russh::keys::load_public_key(home.path("rsa.pub")).unwrap();
    let host = host(&home, Access { keys: vec![public], ..Access::default() }).await;
    let target = Target { identity: Some(path), ..home.target(&host) };
    assert!(home.connect(&target).await.is_ok());
}
