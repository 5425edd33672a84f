//! The request that a task asks for.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::Value;

use crate::events::Fault;
use crate::remote::{HttpRequest, RemotePath, Scheme, Tls};

use super::super::{Call, Failure, local};

/// Bytes of the largest answer; all of it becomes a variable.
const CAP: usize = 16 * 1024 * 1024;
/// Bytes of the largest list of authorities; Mozilla's is 220 KiB.
const AUTHORITIES_CAP: usize = 4 * 1024 * 1024;
/// Where Debian and Red Hat keep the authorities that a host trusts.
const AUTHORITIES: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Where a URL points.
#[derive(Debug)]
pub(super) struct Target {
    scheme: Scheme,
    address: String,
    port: u16,
    path: String,
    /// User and password, if the URL has them.
    login: Option<(String, String)>,
    /// The URL without them.
    shown: String,
}

impl Target {
    /// Reads a URL; a fragment is dropped, since it is not sent.
    pub(super) fn from_url(text: &str) -> Result<Self, String> {
        let text = text.trim().split('#').next().unwrap_or_default();
        let parsed: hyper::Uri = text.parse().map_err(|error| format!("url {text:?}: {error}"))?;
        let (scheme, usual) = match parsed.scheme_str() {
            Some("http") => (Scheme::Http, 80),
            Some("https") => (Scheme::Https, 443),
            _ => return Err(format!("url {text:?} is neither http:// nor https://")),
        };
        let authority = parsed.authority().map(ToString::to_string).unwrap_or_default();
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                (Some((unescaped(user), unescaped(password))), place.to_owned())
            }
            None => (None, authority),
        };
        let address = parsed.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if address.is_empty() {
            return Err(format!("url {text:?} names no host"));
        }
        let behind = place.rsplit(']').next().unwrap_or_default();
        if behind.contains(':') && parsed.port_u16().is_none() {
            return Err(format!("url {text:?}: the port is no number up to 65535"));
        }
        let path = parsed.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let word = if scheme == Scheme::Http { "http" } else { "https" };
        let shown = format!("{word}://{place}{path}");
        Ok(Self { scheme, address, port: parsed.port_u16().unwrap_or(usual), path, login, shown })
    }
}

/// `%41` is `A`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the arguments ask for.
pub(super) struct Wanted {
    request: HttpRequest,
    /// To be sent only once it is asked for.
    late: Option<String>,
    /// As the result shows it: without a password.
    pub(super) url: String,
}

impl Wanted {
    pub(super) async fn of(call: &Call<'_>) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::new(Fault::Failed, format!("uri: {why}"));
        if !call.flag("validate_certs") {
            return Err(wrong(
                "validate_certs can't be turned off; name the authority's certificate in `ca_path`".into(),
            ));
        }
        let target = Target::from_url(call.text("url").unwrap_or_default()).map_err(wrong)?;
        let mut request = HttpRequest::get(target.scheme, &target.address, target.port, &target.path);
        request.method = call.text("method").unwrap_or("GET").to_ascii_uppercase();
        request.cap = CAP;
        for (name, value) in call.args.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            request.headers.push((name.clone(), value));
        }
        let (body, kind) = body(call).map_err(wrong)?;
        request.body = body;
        let given = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(kind) = kind.filter(|_| !given) {
            request.headers.push(("Content-Type".to_owned(), kind.to_owned()));
        }
        if target.scheme == Scheme::Https {
            request.tls = Some(tls(call).await?);
        }
        let login = match call.text("url_username") {
            Some(user) => Some((user.to_owned(), call.text("url_password").unwrap_or_default().to_owned())),
            None => target.login,
        };
        let basic = login.map(|(user, password)| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        let mut wanted = Self { request, late: basic, url: target.shown };
        if call.flag("force_basic_auth") {
            wanted.authorize_late();
        }
        Ok(wanted)
    }

    /// Adds the password that was held back; answers whether there was one.
    pub(super) fn authorize_late(&mut self) -> bool {
        let Some(basic) = self.late.take() else { return false };
        self.request.headers.push(("Authorization".to_owned(), basic));
        true
    }

    /// The request, with so much time.
    pub(super) fn request(&self, deadline: Duration) -> HttpRequest {
        HttpRequest { deadline, ..self.request.clone() }
    }
}

/// The bytes to send, and their content type.
fn body(call: &Call<'_>) -> Result<(Vec<u8>, Option<&'static str>), String> {
    let format = call.text("body_format").unwrap_or("raw");
    let kind = match format {
        "json" => Some("application/json"),
        "form-urlencoded" => Some("application/x-www-form-urlencoded"),
        _ => None,
    };
    let bytes = match call.args.get("body") {
        None | Some(Value::Null) => return Ok((Vec::new(), None)),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(value) if format == "form-urlencoded" => form(value)?.into_bytes(),
        Some(value) => value.to_string().into_bytes(),
    };
    Ok((bytes, kind))
}

/// A mapping, or a list of pairs, as a form of a page sends it; a list as a value gives its name once for each.
fn form(value: &Value) -> Result<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut add = |name: String, value: &Value| match value {
        Value::Array(values) => pairs.extend(values.iter().map(|value| (name.clone(), text(value)))),
        value => pairs.push((name, text(value))),
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| add(name.clone(), value)),
        Value::Array(items) => {
            for item in items {
                match item.as_array().map(Vec::as_slice) {
                    Some([name, value]) => add(text(name), value),
                    _ => return Err(format!("body: expected a list of pairs, found {item} in it")),
                }
            }
        }
        other => return Err(format!("body: a form is a mapping or a list of pairs, not {other}")),
    }
    let pair = |(name, value): &(String, String)| format!("{}={}", escaped(name), escaped(value));
    Ok(pairs.iter().map(pair).collect::<Vec<_>>().join("&"))
}

/// As a form has it (URL standard, application/x-www-form-urlencoded serializing).
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

async fn tls(call: &Call<'_>) -> Result<Tls, Failure> {
    let ca_pem = match call.text("ca_path") {
        Some(name) => std::fs::read(file(call, name)?).map_err(|error| unread(name, &error))?,
        None => authorities(call).await?,
    };
    let cert_pem = match call.text("client_cert") {
        Some(name) => Some(std::fs::read(file(call, name)?).map_err(|error| unread(name, &error))?),
        None => None,
    };
    let key_pem = match call.text("client_key") {
        Some(name) => {
            let text = std::fs::read_to_string(file(call, name)?).map_err(|error| unread(name, &error))?;
            Some(SecretString::from(text))
        }
        None => None,
    };
    Ok(Tls { ca_pem: Some(ca_pem), known_pem: None, cert_pem, key_pem, server_names: Vec::new() })
}

fn file(call: &Call<'_>, name: &str) -> Result<PathBuf, Failure> {
    local::find(call.playbook_dir, "files", name)
}

fn unread(name: &str, error: &std::io::Error) -> Failure {
    Failure::new(Fault::Failed, format!("uri: {name}: {error}"))
}

/// The authorities that the host itself trusts.
async fn authorities(call: &Call<'_>) -> Result<Vec<u8>, Failure> {
    for path in AUTHORITIES.iter().filter_map(|path| RemotePath::from_absolute(path)) {
        if call.probe.stat(&path, true).await?.is_some() {
            return Ok(call.probe.read(&path, AUTHORITIES_CAP).await?);
        }
    }
    let msg = format!("{}: uri: the host has no list of authorities to trust; name one in `ca_path`", call.host);
    Err(Failure::new(Fault::Failed, msg))
}
