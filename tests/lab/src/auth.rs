//! Passwords of etcd's own: who there is, switching them on, and the way a client shows who it is.
//!
//! `root` may all. `writer` may what the load does, and nobody else may anything: v2's guests are shut out.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ureq::{Agent, RequestBuilder};

use crate::act::{ActError, ROOT, wait_until, write};
use crate::lab::LabError;
use crate::site::Site;
use crate::{gateway, login, network, tls, version};

/// Who may all: etcd knows the name.
pub(crate) const ROOT_USER: &str = "root";
/// Who may read and write keys of the load.
pub(crate) const WRITER: &str = "writer";

/// A fresh cluster takes the first of these within milliseconds, or once its leader has settled.
const ENABLED: Duration = Duration::from_secs(20);
/// Up to 3.3 each password costs 70 ms to check, and a write of 2.x up to 200 ms.
const ANSWER: Duration = Duration::from_secs(5);

/// A user of etcd and where the password lies: no record of a load has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdUser {
    /// The name.
    pub name: String,
    /// The file with the password in its first line.
    pub password_file: PathBuf,
}

impl EtcdUser {
    /// One of a lab's.
    pub(crate) fn of(site: &Site, name: &str) -> Self {
        Self { name: name.to_owned(), password_file: password_file(site, name) }
    }

    fn password(&self) -> String {
        fs::read_to_string(&self.password_file).unwrap_or_default().trim_end().to_owned()
    }
}

/// Where a user's password lies.
pub(crate) fn password_file(site: &Site, user: &str) -> PathBuf {
    site.path(&format!("etcd-password-{user}"))
}

/// Thinks up the passwords.
pub(crate) fn make_passwords(site: &Site) -> Result<(), ActError> {
    for user in [ROOT_USER, WRITER] {
        write(&password_file(site, user), login::new_password(), 0o600, ROOT)?;
    }
    Ok(())
}

/// The tokens that members gave, by member and user. A simple token is looked up in a member's memory, so each member has its own.
type Tokens = Mutex<HashMap<(String, String), Arc<Mutex<Option<String>>>>>;

/// Shows one member who asks.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    user: EtcdUser,
    base: String,
    token: Arc<Mutex<Option<String>>>,
}

impl Login {
    /// To the member at that URL, `member` by another name; all logins of a process to one member share their token.
    pub(crate) fn new(user: EtcdUser, member: &str, base: &str) -> Self {
        static TOKENS: LazyLock<Tokens> = LazyLock::new(Tokens::default);
        let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
        // The file is part of the key, since labs use the same addresses.
        let key = (member.to_owned(), user.password_file.display().to_string());
        Self { token: Arc::clone(tokens.entry(key).or_default()), base: base.to_owned(), user }
    }

    /// What this request must carry: v2 wants name and password each time, v3 a token. `Grpc-Metadata-Token` is for 3.0 to 3.2, which
    /// do not know the other (seen in the lab 2026-11-27).
    pub(crate) fn sign<Any>(&self, path: &str, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        if path.starts_with("/v2/") {
            let pair = STANDARD.encode(format!("{}:{}", self.user.name, self.user.password()));
            return request.header("Authorization", format!("Basic {pair}"));
        }
        match self.token().as_deref() {
            Some(token) => request.header("Authorization", token).header("Grpc-Metadata-Token", token),
            None => request,
        }
    }

    /// The token in hand, if any.
    pub(crate) fn token(&self) -> Option<String> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new token in place of the one with which the member was asked; whether there is one.
    pub(crate) fn renew(&self, agent: &Agent, prefix: &str, asked_with: Option<&str>) -> bool {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        // Another client has been here meanwhile.
        if token.as_deref() != asked_with {
            return token.is_some();
        }
        let body = json!({ "name": self.user.name, "password": self.user.password() });
        let answer = agent.post(format!("{}{prefix}/auth/authenticate", self.base)).send(body.to_string());
        let text = answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok()).unwrap_or_default();
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        *token = said.get("token").and_then(Value::as_str).map(str::to_owned);
        token.is_some()
    }
}

/// Whether a member wants a token, or another one than it was shown. It has done nothing then. The second is of a token that the member
/// does not know (it was restarted, or 300 s have passed), the third of one that is older than a change of the users
/// (etcd v3.5.35 api/v3rpc/rpctypes/error.go). 3.0 says "permission denied" to who shows none (seen in the lab 2026-11-27).
pub(crate) fn wants_token(answer: &Value, asked_with: Option<&str>) -> bool {
    let wants = ["user name is empty", "invalid auth token", "revision of auth store is old"];
    let nobody = asked_with.is_none().then_some("permission denied");
    gateway::complaint(answer).is_some_and(|said| wants.iter().chain(&nobody).any(|words| said.contains(words)))
}

/// Makes the users and switches auth on, by way of the first member.
pub(crate) fn enable(site: &Site) -> Result<(), LabError> {
    let nobody = || LabError::Spec("no certificates for the lab's own client".to_owned());
    let config = Agent::config_builder().timeout_global(Some(ANSWER)).proxy(None).http_status_as_error(false);
    let config = match site.spec().tls {
        true => config.tls_config(tls::client_config(&site.path("tls")).ok_or_else(nobody)?),
        false => config,
    };
    let first = site.members().into_iter().next().ok_or_else(nobody)?;
    let base = format!("{}://127.0.0.1:2379", site.scheme());
    let enabling = Enabling { agent: config.build().new_agent(), base, site };
    let prefix = gateway::prefix(&site.spec().etcd);
    network::inside(&site.netns_path(&first.name), || match prefix {
        Some(prefix) => enabling.by_v3(prefix),
        None => enabling.by_v2(),
    })?
}

struct Enabling<'s> {
    agent: Agent,
    base: String,
    site: &'s Site,
}

impl Enabling<'_> {
    /// 2.1 to 2.3 (etcd v2.1.1 Documentation/auth_api.md).
    fn by_v2(&self) -> Result<(), LabError> {
        let all = |keys| json!({ "read": [keys], "write": [keys] });
        let password = |user| EtcdUser::of(self.site, user).password();
        self.put("users/root", &json!({ "user": ROOT_USER, "password": password(ROOT_USER) }))?;
        self.put("roles/writer", &json!({ "role": WRITER, "permissions": { "kv": all("/*") } }))?;
        self.put("users/writer", &json!({ "user": WRITER, "password": password(WRITER), "roles": [WRITER] }))?;
        self.put("enable", &json!({}))?;
        // Until then who gives no password is a guest, who may write all keys. Their pattern got its slash with 2.2 (seen in the lab 2026-11-27).
        let theirs = if version::minor(&self.site.spec().etcd) < Some((2, 2)) { "*" } else { "/*" };
        self.put("roles/guest", &json!({ "role": "guest", "revoke": { "kv": all(theirs) } }))
    }

    fn put(&self, path: &str, body: &Value) -> Result<(), LabError> {
        let path = format!("/v2/auth/{path}");
        let login = Login::new(EtcdUser::of(self.site, ROOT_USER), "first", &self.base);
        self.until_done(&path, || {
            login.sign(&path, self.agent.put(format!("{}{path}", self.base))).send(body.to_string())
        })
    }

    /// 3.0 to 3.7. The load's keys are those below `/`; `0` is the character after it.
    fn by_v3(&self, prefix: &str) -> Result<(), LabError> {
        let below_root =
            json!({ "permType": "READWRITE", "key": STANDARD.encode("/"), "range_end": STANDARD.encode("0") });
        self.post(prefix, "role/add", &json!({ "name": ROOT_USER }))?;
        self.post(prefix, "role/add", &json!({ "name": WRITER }))?;
        self.post(prefix, "role/grant", &json!({ "name": WRITER, "perm": below_root }))?;
        for user in [ROOT_USER, WRITER] {
            let password = EtcdUser::of(self.site, user).password();
            self.post(prefix, "user/add", &json!({ "name": user, "password": password }))?;
            self.post(prefix, "user/grant", &json!({ "user": user, "role": user }))?;
        }
        self.post(prefix, "enable", &json!({}))
    }

    fn post(&self, prefix: &str, path: &str, body: &Value) -> Result<(), LabError> {
        let url = format!("{}{prefix}/auth/{path}", self.base);
        self.until_done(path, || self.agent.post(&url).send(body.to_string()))
    }

    /// Asks again while the cluster has no leader or is not capable yet. What is there already has been done by a try whose answer was lost.
    fn until_done(
        &self,
        what: &str,
        ask: impl Fn() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(), LabError> {
        let done = || {
            let mut answer = ask().map_err(|error| error.to_string())?;
            let said = answer.body_mut().read_to_string().unwrap_or_default();
            let there =
                ["already exists", "already granted", "already enabled"].iter().any(|words| said.contains(words));
            if answer.status().is_success() || there { Ok(()) } else { Err(format!("{}: {said}", answer.status())) }
        };
        Ok(wait_until(&format!("auth: {what}"), ENABLED, done)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_wanted_where_there_is_none_or_another() {
        for text in [
            r#"{"error":"etcdserver: user name is empty","code":3}"#,
            r#"{"error":"etcdserver: invalid auth token","code":16}"#,
            r#"{"code":3,"message":"etcdserver: revision of auth store is old"}"#,
        ] {
            assert!(wants_token(&serde_json::from_str(text).unwrap(), Some("t.7")), "{text}");
        }
        let denied = serde_json::from_str(r#"{"Error":"etcdserver: permission denied","Code":9}"#).unwrap();
        assert!(wants_token(&denied, None) && !wants_token(&denied, Some("t.7")));
        assert!(!wants_token(&json!({}), None));
    }

    #[test]
    fn v2_is_told_name_and_password_and_v3_a_token_once_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "geheim\n").unwrap();
        let login =
            Login::new(EtcdUser { name: "writer".to_owned(), password_file: file }, "one", "http://127.0.0.1:1");
        let agent = Agent::new_with_defaults();
        let header = |path: &str| {
            let signed = login.sign(path, agent.get("http://127.0.0.1:1"));
            signed
                .headers_ref()
                .and_then(|all| all.get("Authorization"))
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("/v2/keys/").as_deref(), Some("Basic d3JpdGVyOmdlaGVpbQ=="));
        assert_eq!(header("/v3/kv/range"), None);
        *login.token.lock().unwrap() = Some("t.7".to_owned());
        assert_eq!(header("/v3/kv/range").as_deref(), Some("t.7"));
    }
}
