//! An SSH server of russh on a port of loopback: who may log in, which host key it shows, what it carries.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::ssh_key::{Algorithm, Certificate, PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelOpenFailure, MethodKind, MethodSet, Preferred};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::answers;

/// A fresh ed25519 key.
pub(crate) fn key() -> PrivateKey {
    random_key(Algorithm::Ed25519)
}

/// A fresh key.
pub(crate) fn random_key(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), algorithm).unwrap()
}

/// Who may log in.
#[derive(Clone, Default)]
pub(crate) struct Access {
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) user_ca: Option<PublicKey>,
    pub(crate) password: Option<String>,
    /// The password is asked for by keyboard-interactive, with these questions.
    pub(crate) questions: Vec<(&'static str, bool)>,
    /// Lets anybody in.
    pub(crate) open: bool,
    /// After a key, a password is wanted too.
    pub(crate) both: bool,
}

/// How to start a server.
pub(crate) struct Setup {
    pub(crate) access: Access,
    pub(crate) host_keys: Vec<PrivateKey>,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) preferred: Preferred,
    pub(crate) forwards: bool,
    /// So many sessions are refused, as by an sshd that still counts those that ended.
    pub(crate) full: usize,
    /// sshd's `MaxSessions`.
    pub(crate) sessions: usize,
}

impl Setup {
    pub(crate) fn new(access: Access) -> Self {
        Self {
            access,
            host_keys: vec![key()],
            certificates: Vec::new(),
            preferred: Preferred::DEFAULT,
            forwards: true,
            full: 0,
            sessions: Semaphore::MAX_PERMITS,
        }
    }
}

/// What a server has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    /// Attempts to log in that were neither `none` nor successful.
    pub(crate) rejected: AtomicUsize,
    pub(crate) commands: Mutex<Vec<String>>,
    /// Everything carried for others, both ways.
    pub(crate) carried: Mutex<Vec<u8>>,
}

/// A running server; it ends with the test's runtime.
pub(crate) struct Host {
    pub(crate) port: u16,
    pub(crate) key: PublicKey,
    pub(crate) seen: Arc<Seen>,
}

impl Host {
    pub(crate) async fn start(setup: Setup) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let host = Self { port, key: setup.host_keys[0].public_key().clone(), seen: Arc::clone(&seen) };
        let mut methods = MethodSet::empty();
        if !setup.access.keys.is_empty() || setup.access.user_ca.is_some() {
            methods.push(MethodKind::PublicKey);
        }
        if setup.access.password.is_some() && !setup.access.both {
            methods.push(if setup.access.questions.is_empty() {
                MethodKind::Password
            } else {
                MethodKind::KeyboardInteractive
            });
        }
        let config = Arc::new(Config {
            methods,
            auth_rejection_time: Duration::ZERO,
            keys: setup.host_keys,
            certificates: setup.certificates,
            preferred: setup.preferred,
            nodelay: true,
            ..Config::default()
        });
        let (access, forwards, full) = (setup.access, setup.forwards, Arc::new(AtomicUsize::new(setup.full)));
        let sessions = setup.sessions;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let peer = Peer {
                    access: access.clone(),
                    seen: Arc::clone(&seen),
                    forwards,
                    half: false,
                    full: Arc::clone(&full),
                    sessions: Arc::new(Semaphore::new(sessions)),
                };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(session) = run_stream(config, stream, peer).await {
                        drop(session.await);
                    }
                });
            }
        });
        host
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn rejected(&self) -> usize {
        self.seen.rejected.load(Ordering::SeqCst)
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.seen.commands.lock().unwrap().clone()
    }

    pub(crate) fn carried(&self) -> Vec<u8> {
        self.seen.carried.lock().unwrap().clone()
    }
}

struct Peer {
    access: Access,
    seen: Arc<Seen>,
    forwards: bool,
    full: Arc<AtomicUsize>,
    sessions: Arc<Semaphore>,
    /// The key was right, and the password is still wanted.
    half: bool,
}

impl Peer {
    fn verdict(&mut self, good: bool) -> Auth {
        if good && (!self.access.both || self.half) {
            return Auth::Accept;
        }
        if good {
            self.half = true;
            let methods = MethodSet::from(&[MethodKind::Password][..]);
            return Auth::Reject { proceed_with_methods: Some(methods), partial_success: true };
        }
        self.seen.rejected.fetch_add(1, Ordering::SeqCst);
        Auth::reject()
    }
}

impl Handler for Peer {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        Ok(if self.access.open { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        let good = self.access.password.as_deref() == Some(password);
        Ok(self.verdict(good))
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: russh::server::PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        let known = self.access.keys.iter().any(|k| k.key_data() == offer.public_key.key_data());
        if known || self.access.user_ca.is_some() {
            return Ok(Auth::Accept);
        }
        Ok(self.verdict(false))
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let good = self.access.keys.iter().any(|k| k.key_data() == key.public_key.key_data());
        Ok(self.verdict(good))
    }

    async fn auth_openssh_certificate(&mut self, user: &str, certificate: &Certificate) -> Result<Auth, russh::Error> {
        let ca = self.access.user_ca.as_ref().map(|c| c.key_data().clone());
        let good = ca.as_ref() == Some(certificate.signature_key())
            && certificate.valid_principals().iter().any(|p| p == user);
        Ok(self.verdict(good))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        match response {
            None => Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: self.access.questions.iter().map(|(q, echo)| ((*q).into(), *echo)).collect::<Vec<_>>().into(),
            }),
            Some(mut answers) => {
                let good = answers
                    .next()
                    .is_some_and(|a| Some(a.as_ref()) == self.access.password.as_ref().map(String::as_bytes));
                Ok(self.verdict(good))
            }
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.full.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        let Ok(permit) = Arc::clone(&self.sessions).try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        reply.accept().await;
        let answer = answers::answer(channel, session.handle(), Arc::clone(&self.seen));
        tokio::spawn(async move {
            answer.await;
            drop(permit);
        });
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if !self.forwards {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        }
        match TcpStream::connect((host, u16::try_from(port).unwrap())).await {
            Ok(stream) => {
                reply.accept().await;
                tokio::spawn(carry(channel, stream, Arc::clone(&self.seen)));
            }
            Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
        Ok(())
    }
}

/// Copies both ways and keeps what went by.
async fn carry(channel: Channel<Msg>, stream: TcpStream, seen: Arc<Seen>) {
    stream.set_nodelay(true).unwrap();
    let (mut near_read, mut near_write) = tokio::io::split(channel.into_stream());
    let (mut far_read, mut far_write) = stream.into_split();
    let note = |bytes: &[u8]| seen.carried.lock().unwrap().extend_from_slice(bytes);
    let up = async {
        let mut chunk = vec![0; 65536];
        while let Ok(count @ 1..) = near_read.read(&mut chunk).await {
            note(&chunk[..count]);
            if far_write.write_all(&chunk[..count]).await.is_err() {
                break;
            }
        }
        drop(far_write.shutdown().await);
    };
    let down = async {
        let mut chunk = vec![0; 65536];
        while let Ok(count @ 1..) = far_read.read(&mut chunk).await {
            note(&chunk[..count]);
            if near_write.write_all(&chunk[..count]).await.is_err() {
                break;
            }
        }
        drop(near_write.shutdown().await);
    };
    tokio::join!(up, down);
}
