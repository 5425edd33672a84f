//! One HTTP request to what listens on a host, through the session's tunnel: no client program on the host is needed.

mod exchange;
#[cfg(test)]
mod tests;
mod tls;
mod trust;

use std::fmt;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::Probe;
use crate::transport::ExecError;

/// With or without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear (inside the tunnel).
    Http,
    /// TLS, from here to the program that listens.
    Https,
}

/// Whom to trust and who we are.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The authorities to trust, in PEM; no others are. They must have signed the server's certificate for one of its names.
    pub ca_pem: Option<Vec<u8>>,
    /// The certificate that the server was given, in PEM, if that is known otherwise: enough where there are no authorities, or where they
    /// cannot vouch for it since its form is out of use, such as a host in the common name only, or a signature with SHA-1.
    pub known_pem: Option<Vec<u8>>,
    /// Our certificate with its chain, in PEM.
    pub cert_pem: Option<Vec<u8>>,
    /// Its key, in PEM.
    pub key_pem: Option<SecretString>,
    /// Names and IP addresses of the server: its certificate must be for one of them; the address of the request if there are none.
    pub server_names: Vec<String>,
}

/// One request.
#[derive(Clone)]
pub struct HttpRequest {
    /// With or without TLS.
    pub scheme: Scheme,
    /// As the host itself would reach it.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// `GET`, `PUT`, ….
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Further headers. `Host` is made from address and port unless given; those that frame the message are ours and refused.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// For [`Scheme::Https`].
    pub tls: Option<Tls>,
    /// For all of it together: tunnel, TLS, request, answer.
    pub deadline: Duration,
    /// Bytes of the answer's body.
    pub cap: usize,
    /// Whether it changes nothing there, so that it may be asked again where it was lost with its connection.
    pub question: bool,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names in small letters, in the order they came; data of the host.
    pub headers: Vec<(String, String)>,
    /// Data of the host.
    pub body: Vec<u8>,
}

/// What kind of failure it was.
#[derive(Debug)]
pub enum HttpErrorKind {
    /// Nothing takes connections there, or the host does not let us tunnel.
    Refused,
    /// Not all of the answer came within the deadline.
    Timeout,
    /// The answer is larger than the cap.
    TooLarge,
    /// What came is not one sound HTTP answer.
    Protocol,
    /// Certificates, names or keys do not fit.
    Tls,
    /// The session itself is lost: the host is unreachable.
    Lost(ExecError),
    /// The request can't be sent as it stands.
    Request,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {method} {url}: {text}")]
pub struct HttpError {
    /// The host.
    pub host: String,
    /// The method.
    pub method: String,
    /// What was asked for.
    pub url: String,
    /// What kind of failure.
    pub kind: HttpErrorKind,
    /// What was seen.
    pub text: String,
}

impl HttpRequest {
    /// A GET with 5 s and 1 MiB: a healthy etcd answers within milliseconds and with a few KiB, on a loaded host too; both
    /// limits are for one that is not.
    #[must_use]
    pub fn get(scheme: Scheme, address: &str, port: u16, path: &str) -> Self {
        Self {
            scheme,
            address: address.to_owned(),
            port,
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            tls: None,
            deadline: Duration::from_secs(5),
            cap: 1024 * 1024,
            question: false,
        }
    }

    /// Address and port as a URL has them.
    fn authority(&self) -> String {
        let Self { address, port, .. } = self;
        let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        match (self.scheme, port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => address,
            _ => format!("{address}:{port}"),
        }
    }

    fn url(&self) -> String {
        let scheme = if self.scheme == Scheme::Http { "http" } else { "https" };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Debug for HttpRequest {
    /// Headers and body may hold what opens doors, so neither is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "HttpRequest({} {}, {} headers, {} bytes)",
            self.method,
            self.url(),
            self.headers.len(),
            self.body.len()
        )
    }
}

impl Probe {
    /// Asks and reads the answer; redirects are answers like any other and not followed.
    ///
    /// # Errors
    /// When there is no sound answer; see [`HttpErrorKind`].
    pub async fn http(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (first, mut asked) = (Instant::now(), 0);
        loop {
            asked += 1;
            let answer = self.http_once(request.clone()).await;
            let Err(HttpError { kind: HttpErrorKind::Lost(lost), .. }) = &answer else { return answer };
            let may = request.question && self.host.repeats;
            if !may || !self.host.session().again(lost, asked, first).await {
                return answer;
            }
        }
    }

    async fn http_once(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = match tokio::time::timeout(request.deadline, exchange::ask(self.host.session(), &request)).await {
            Ok(answer) => answer,
            Err(_) => {
                let text = format!("no whole answer within {} s", request.deadline.as_secs_f32());
                Err(Fault { kind: HttpErrorKind::Timeout, text })
            }
        };
        answer.map_err(|Fault { kind, text }| {
            let url = request.url();
            HttpError { host: self.name().to_owned(), method: request.method, url, kind, text }
        })
    }
}

/// An [`HttpError`] that does not know yet whose it is.
struct Fault {
    kind: HttpErrorKind,
    text: String,
}
