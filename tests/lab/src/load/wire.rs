//! HTTP to one member, for either interface: nothing is sent twice, and nothing but an answer is one.

use std::io;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, Error, RequestBuilder};

use super::driver::{No, Outcome};
use super::plan::Plan;
use super::run::LoadError;
use crate::auth::{self, Login};
use crate::tls;

/// The largest answer that is read: a listing of 20 000 keys of 100 bytes is about 5 MB.
const MOST: u64 = 256 << 20;

/// One member over HTTP.
#[derive(Debug)]
pub(super) struct Wire {
    agent: Agent,
    base: String,
    login: Option<Login>,
}

/// An answer, read in full.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// `X-Etcd-Index`, which v2 sends.
    pub(super) index: Option<u64>,
    /// `X-Etcd-Cluster-Id`, which v2 sends.
    pub(super) cluster: Option<String>,
    /// The body as it came.
    pub(super) text: String,
    /// The same as JSON; null if it is none.
    pub(super) body: Value,
}

impl Wire {
    pub(super) fn new(plan: &Plan, endpoint: &str, limit: Duration) -> Result<Self, LoadError> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(limit))
            .proxy(None)
            // An answer is an answer; and one that sends the client elsewhere is no write.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false);
        if let Some(folder) = plan.tls.as_deref() {
            let tls = tls::client_config(folder).ok_or_else(|| LoadError::Certificates(folder.to_owned()))?;
            config = config.tls_config(tls);
        }
        let base = endpoint.trim_end_matches('/').to_owned();
        let login = plan.user.clone().map(|user| Login::new(user, &base, &base));
        Ok(Self { agent: config.build().new_agent(), base, login })
    }

    pub(super) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Error> {
        self.signed(path, self.agent.get(self.url(path))).query_pairs(query.iter().copied()).call().and_then(take)
    }

    pub(super) fn put(&self, path: &str, query: (&str, &str), form: (&str, &str)) -> Result<Answer, Error> {
        self.signed(path, self.agent.put(self.url(path))).query(query.0, query.1).send_form([form]).and_then(take)
    }

    /// A call of the gateway below `prefix`. One that was refused for want of a token was not done, so it is sent again with one.
    pub(super) fn post(&self, prefix: &str, name: &str, body: &Value) -> Result<Answer, Error> {
        let path = format!("{prefix}/{name}");
        let send = || self.signed(&path, self.agent.post(self.url(&path))).send(body.to_string()).and_then(take);
        let asked_with = self.login.as_ref().and_then(Login::token);
        let answer = send()?;
        match &self.login {
            Some(login)
                if auth::wants_token(&answer.body, asked_with.as_deref())
                    && login.renew(&self.agent, prefix, asked_with.as_deref()) =>
            {
                send()
            }
            _ => Ok(answer),
        }
    }

    fn signed<Any>(&self, path: &str, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        match &self.login {
            Some(login) => login.sign(path, request),
            None => request,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn take(mut response: Response<Body>) -> Result<Answer, Error> {
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (index, cluster) = (header("x-etcd-index"), header("x-etcd-cluster-id"));
    let text = response.body_mut().with_config().limit(MOST).read_to_string()?;
    Ok(Answer {
        status: response.status().as_u16(),
        index: index.and_then(|text| text.parse().ok()),
        cluster,
        // What is no JSON is no answer of etcd's interfaces to its keys, and ends as unknown.
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
    })
}

impl Answer {
    /// An answer that says nothing definite of what was asked.
    pub(super) fn strange(&self) -> Outcome {
        Outcome::Unknown(self.said())
    }

    /// The answer in words.
    pub(super) fn said(&self) -> String {
        let text: String = self.text.trim().chars().take(200).collect();
        format!("status {}: {text}", self.status)
    }
}

/// Only `connect(2)` says "refused", so nothing was sent. Of any other failure nothing is known.
pub(super) fn failed(error: &Error) -> Outcome {
    match error {
        Error::Io(source) if source.kind() == io::ErrorKind::ConnectionRefused => Outcome::No(No::Refused),
        other => Outcome::Unknown(other.to_string()),
    }
}
