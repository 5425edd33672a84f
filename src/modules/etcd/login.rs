//! Who we are to a cluster with authentication: a name and a password, and the tokens that its members gave for them.
//!
//! Nothing is shown to a member that does not ask for it. All of it stays in memory: passwords and tokens are never on a disk, in an
//! argument or in an event. A member of 3.0 to 3.2 itself writes the password of each login to its log, ours as any client's (3.0.17,
//! 3.1.20 and 3.2.32 seen in the lab 2026-11-27, and 3.3.27 on not to do so).

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::etcd;
use crate::events::Fault;
use crate::modules::{Failure, Fleet};
use crate::remote::HttpResponse;

use super::client::ClientError;

/// The variables.
const USER: &str = "etcd_user";
const PASSWORD: &str = "etcd_password";
/// Who may all, in every version: etcd knows the name.
const ROOT: &str = "root";

/// Why a member does not take us for anybody who may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stranger {
    /// There is no password.
    #[error(
        "the cluster asks for a name and a password, and none is given\n\
         set etcd_user (root unless said otherwise) and etcd_password in the inventory or a file for -e @FILE, or give --etcd-password-file"
    )]
    NoPassword,
    /// It is wrong.
    #[error(
        "the cluster refuses the user `{user}` with the password given; it is not tried again in this run\n\
         see etcd_user, and etcd_password or --etcd-password-file"
    )]
    Wrong {
        /// The user.
        user: String,
    },
    /// It is right, and not enough.
    #[error(
        "the user `{user}` may not do it: {said}\nit needs the role root in etcd; name one who has it: etcd_user, etcd_password"
    )]
    Rights {
        /// The user.
        user: String,
        /// What the member said.
        said: String,
    },
    /// The member does not listen to who shows such a certificate.
    #[error(
        "with auth on, etcd 3.4 and later answer no client whose certificate has a common name\n\
         give one without as etcd_client_cert and etcd_client_key, or a listener without TLS to the members: --listen-client-http-urls"
    )]
    CommonName,
}

/// What all logins of a run know.
#[derive(Default)]
struct Known {
    /// By member: where it is asked.
    tokens: Mutex<HashMap<String, SecretString>>,
    /// Members that want name and password with each request of the v2 API.
    asking: Mutex<Vec<String>>,
    /// Names and passwords that are wrong, by cluster.
    wrong: Mutex<Vec<(u64, String, SecretString)>>,
    /// One login at a time, so that a wrong password is tried once and five questions at once get one token.
    turn: tokio::sync::Mutex<()>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who we are to one cluster.
#[derive(Clone)]
pub(super) struct Login {
    user: String,
    password: Option<SecretString>,
    cluster: u64,
    known: Arc<Known>,
}

impl Login {
    /// As a host's variables say, or the operator beside them. A password that is wrong for a cluster is not tried on it again.
    pub(super) fn of(fleet: &dyn Fleet, host: &str, cluster: u64) -> Result<Self, Failure> {
        let user = match fleet.var(host, USER) {
            None | Some(Value::Null) => ROOT.to_owned(),
            // Of basic authentication the name ends at the first colon (RFC 7617), and so it does for etcdctl.
            Some(Value::String(user)) if !user.is_empty() && !user.contains(':') => user,
            Some(_) => {
                let what = format!("{host}: {USER}: expected the name of a user without a colon");
                return Err(Failure::new(Fault::Input, what));
            }
        };
        let password = fleet.secret(host, PASSWORD).filter(|password| !password.expose_secret().is_empty());
        Ok(Self { user, password, cluster, known: fleet.kept().of::<Known>() })
    }

    /// Whether this member has asked who we are.
    pub(super) fn asked(&self, member: &str) -> bool {
        locked(&self.known.tokens).contains_key(member)
            || locked(&self.known.asking).iter().any(|known| known == member)
    }

    /// Name and password as etcdctl takes them from its environment, `ETCDCTL_USER`; `None` without a password.
    pub(super) fn for_etcdctl(&self) -> Option<SecretString> {
        let password = self.password.as_ref()?;
        Some(SecretString::from(format!("{}:{}", self.user, password.expose_secret())))
    }

    /// The member's token, if it gave one.
    pub(super) fn token(&self, member: &str) -> Option<SecretString> {
        locked(&self.known.tokens).get(member).cloned()
    }

    /// The header for the v2 API, where the member wants it.
    pub(super) fn basic(&self, member: &str) -> Option<SecretString> {
        if !locked(&self.known.asking).iter().any(|known| known == member) {
            return None;
        }
        let pair = format!("{}:{}", self.user, self.may_try().ok()?.expose_secret());
        Some(SecretString::from(format!("Basic {}", STANDARD.encode(pair))))
    }

    /// The member wants name and password. Until what this gives is dropped nobody else tries them.
    pub(super) async fn introduce(&self, member: &str) -> Result<tokio::sync::MutexGuard<'_, ()>, Stranger> {
        let turn = self.known.turn.lock().await;
        self.may_try()?;
        locked(&self.known.asking).push(member.to_owned());
        Ok(turn)
    }

    /// Name and password were shown and did not do: the v2 API does not say whether they are wrong or not enough.
    pub(super) fn was_wrong(&self) -> Stranger {
        if let Some(password) = &self.password {
            locked(&self.known.wrong).push((self.cluster, self.user.clone(), password.clone()));
        }
        Stranger::Wrong { user: self.user.clone() }
    }

    /// The user may not.
    pub(super) fn lacks(&self, said: String) -> Stranger {
        Stranger::Rights { user: self.user.clone(), said }
    }

    fn may_try(&self) -> Result<&SecretString, Stranger> {
        let password = self.password.as_ref().ok_or(Stranger::NoPassword)?;
        let is_this = |(cluster, user, tried): &(u64, String, SecretString)| {
            (*cluster, user) == (self.cluster, &self.user) && tried.expose_secret() == password.expose_secret()
        };
        if locked(&self.known.wrong).iter().any(is_this) {
            return Err(Stranger::Wrong { user: self.user.clone() });
        }
        Ok(password)
    }

    /// A token in place of the one with which the member was asked; `authenticate` sends what it is given.
    pub(super) async fn renew<Sent>(
        &self,
        member: &str,
        asked_with: Option<&SecretString>,
        authenticate: impl FnOnce(Vec<u8>) -> Sent,
    ) -> Result<SecretString, ClientError>
    where
        Sent: Future<Output = Result<HttpResponse, ClientError>>,
    {
        let _turn = self.known.turn.lock().await;
        // Another question to the same member has been here meanwhile.
        if let Some(token) = self.token(member)
            && asked_with.is_none_or(|old| old.expose_secret() != token.expose_secret())
        {
            return Ok(token);
        }
        let password = self.may_try()?;
        let body = json!({ "name": self.user, "password": password.expose_secret() });
        let answer = authenticate(body.to_string().into_bytes()).await?;
        match etcd::login(answer.status, &answer.body) {
            etcd::Login::Token(token) => {
                let token = SecretString::from(token);
                locked(&self.known.tokens).insert(member.to_owned(), token.clone());
                Ok(token)
            }
            etcd::Login::Wrong => Err(self.was_wrong().into()),
            etcd::Login::OtherCertificate => Err(Stranger::CommonName.into()),
            etcd::Login::Unknown(said) => Err(ClientError::NoToken(said)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(password: Option<&str>, known: &Arc<Known>) -> Login {
        let password = password.map(SecretString::from);
        Login { user: ROOT.to_owned(), password, cluster: 7, known: Arc::clone(known) }
    }

    fn answer(status: u16, body: &str) -> Result<HttpResponse, ClientError> {
        Ok(HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
    }

    const WRONG: &str = r#"{"error":"etcdserver: authentication failed, invalid user ID or password","code":3}"#;

    #[tokio::test]
    async fn a_wrong_password_is_tried_once_in_a_cluster() {
        let known = Arc::default();
        let of = login(Some("wrong"), &known);
        let first = of.renew("h1", None, |_| async { answer(400, WRONG) }).await;
        assert!(matches!(first, Err(ClientError::Stranger(Stranger::Wrong { .. }))));
        let again = |_: Vec<u8>| async { unreachable!("it was tried") };
        let second = login(Some("wrong"), &known).renew("h2", None, again).await;
        assert!(matches!(second, Err(ClientError::Stranger(Stranger::Wrong { .. }))));
        // Another password is another try, and so is another cluster.
        let given = |_: Vec<u8>| async { answer(200, r#"{"token":"t.1"}"#) };
        assert!(login(Some("right"), &known).renew("h2", None, given).await.is_ok());
        assert!(Login { cluster: 8, ..of }.renew("h3", None, given).await.is_ok());
    }

    #[tokio::test]
    async fn a_token_is_asked_for_anew_only_by_who_was_refused_with_it() {
        let known = Arc::default();
        let of = login(Some("right"), &known);
        let first = of.renew("h1", None, |_| async { answer(200, r#"{"token":"t.1"}"#) }).await.unwrap();
        // Refused without a token before the first one came.
        let same = of.renew("h1", None, |_| async { unreachable!("there is one") }).await.unwrap();
        assert_eq!(same.expose_secret(), "t.1");
        let next = of.renew("h1", Some(&first), |_| async { answer(200, r#"{"token":"t.2"}"#) }).await.unwrap();
        assert_eq!(next.expose_secret(), "t.2");
        assert!(of.token("h2").is_none(), "a member has its own");
    }

    #[tokio::test]
    async fn without_a_password_nothing_is_sent() {
        let known = Arc::default();
        let none = login(None, &known).renew("h1", None, |_| async { unreachable!("nothing to send") }).await;
        let Err(error) = none else { panic!("a token") };
        assert!(error.to_string().contains("etcd_password") && error.to_string().contains("--etcd-password-file"));
        assert!(matches!(login(None, &known).introduce("h1").await, Err(Stranger::NoPassword)));
    }

    #[tokio::test]
    async fn name_and_password_are_shown_to_who_has_asked() {
        let known = Arc::default();
        let of = login(Some("pass word"), &known);
        assert!(of.basic("h1").is_none() && !of.asked("h1"));
        drop(of.introduce("h1").await.unwrap());
        assert_eq!(of.basic("h1").unwrap().expose_secret(), "Basic cm9vdDpwYXNzIHdvcmQ=");
        assert!(of.basic("h2").is_none() && of.asked("h1"));
        of.was_wrong();
        assert!(of.basic("h1").is_none() && of.introduce("h2").await.is_err());
    }
}
