//! One question to a member that may want to know who asks.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::etcd::{self, Asks};
use crate::remote::{HttpRequest, HttpResponse};

use super::super::login::Stranger;
use super::{CHANGE, Client, ClientError};

/// Where gateways are; of two that begin alike the longer one first.
const GATEWAYS: [&str; 3] = ["/v3alpha", "/v3beta", "/v3"];

/// For a question of the v2 API with a password: a member works out a bcrypt hash for each, 70 ms of a core, and those that come at the same
/// time wait for each other. On two cores, shared by three clusters under load, ten at once took more than the 3 s of a question without
/// (seen in the lab 2026-11-28); five times that. How old an answer may be that counts is another rule, and stays.
const WITH_PASSWORD: Duration = Duration::from_secs(15);

/// As 3.3 and later take a token, and as 3.0 to 3.2 do, which know only what their gateway passes on (3.0.17 to 3.7.3 seen in the lab
/// 2026-11-27).
fn with_token(request: HttpRequest, token: Option<&SecretString>) -> HttpRequest {
    with_header(with_header(request, "Authorization", token), "Grpc-Metadata-Token", token)
}

fn with_password(mut request: HttpRequest, shown: Option<&SecretString>) -> HttpRequest {
    if shown.is_some() {
        request.deadline = request.deadline.max(WITH_PASSWORD);
    }
    with_header(request, "Authorization", shown)
}

fn with_header(mut request: HttpRequest, name: &str, value: Option<&SecretString>) -> HttpRequest {
    request.headers.extend(value.map(|value| (name.to_owned(), value.expose_secret().to_owned())));
    request
}

impl Client {
    /// Asks, and shows who we are if the member wants to know. What it has refused for that it has not done, so it is asked again.
    pub(super) async fn perform(&self, request: HttpRequest) -> Result<HttpResponse, ClientError> {
        if request.path.starts_with("/v2/") {
            return self.perform_by_v2(request).await;
        }
        let Some(prefix) = GATEWAYS.into_iter().find(|prefix| request.path.starts_with(&format!("{prefix}/"))) else {
            return self.sent(request).await;
        };
        let member = self.member();
        let shown = self.login.token(&member);
        let answer = self.sent(with_token(request.clone(), shown.as_ref())).await?;
        match etcd::asks(answer.status, &answer.body, shown.is_some()) {
            None => return Ok(answer),
            Some(Asks::Who) => {}
            Some(asks) => return Err(self.stranger(asks)),
        }
        let authenticate = |body| async move {
            let mut request = self.request("POST", &format!("{prefix}/auth/authenticate"), CHANGE);
            request.body = body;
            self.sent(request).await
        };
        let token = self.login.renew(&member, shown.as_ref(), authenticate).await?;
        let answer = self.sent(with_token(request, Some(&token))).await?;
        match etcd::asks(answer.status, &answer.body, true) {
            // A member that has just started may not have heard of the token yet.
            None | Some(Asks::Who) => Ok(answer),
            Some(asks) => Err(self.stranger(asks)),
        }
    }

    fn stranger(&self, asks: Asks) -> ClientError {
        let stranger = match asks {
            Asks::OtherCertificate => Stranger::CommonName,
            Asks::Rights(said) => self.login.lacks(said),
            Asks::Who => return ClientError::NoToken("the member does not take its own token".to_owned()),
        };
        stranger.into()
    }

    async fn perform_by_v2(&self, request: HttpRequest) -> Result<HttpResponse, ClientError> {
        let member = self.member();
        let shown = self.login.basic(&member);
        let answer = self.sent(with_password(request.clone(), shown.as_ref())).await?;
        if !etcd::v2_asks(answer.status) {
            return Ok(answer);
        }
        if shown.is_none() {
            let _turn = self.login.introduce(&member).await?;
            let answer = self.sent(with_password(request, self.login.basic(&member).as_ref())).await?;
            if !etcd::v2_asks(answer.status) {
                return Ok(answer);
            }
        }
        Err(self.login.was_wrong().into())
    }

    pub(super) async fn sent(&self, mut request: HttpRequest) -> Result<HttpResponse, ClientError> {
        // Without it 3.2 over TLS denies calls with a good token, and its log names the member's own certificate as the user: it seems to
        // know by this header, which the gateway passes on, that the certificate is the gateway's (3.2.32 seen in the lab 2026-11-27).
        request.headers.push(("Accept".to_owned(), "*/*".to_owned()));
        if let Some(name) = &self.name {
            request.headers.push(("Host".to_owned(), format!("{name}:{}", self.port)));
        }
        self.probe.http(request).await.map_err(|error| ClientError::Http(Box::new(error)))
    }
}
