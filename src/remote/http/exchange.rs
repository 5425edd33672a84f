//! One request and its answer over a byte stream.

use std::error::Error;
use std::io;

use futures_util::FutureExt;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;

use super::{Fault, HttpErrorKind, HttpRequest, HttpResponse, Scheme, tls, trust};
use crate::transport::{ByteStream, ExecError, Session};

/// Status line and headers together; etcd's are below 1 KiB, and curl takes 300 KiB at most.
const HEAD_CAP: usize = 64 * 1024;

pub(super) async fn ask(session: &dyn Session, request: &HttpRequest) -> Result<HttpResponse, Fault> {
    let message = message(request)?;
    // All that is wrong on our side is found before the host is asked.
    let tls = match request.scheme {
        Scheme::Http => None,
        Scheme::Https => Some(tls::Connector::new(request)?),
    };
    let tunnel = session.tunnel(&request.address, request.port).await.map_err(no_tunnel)?;
    let stream: Box<dyn ByteStream> = match tls {
        None => tunnel,
        Some(tls) => Box::new(tls.connect(tunnel).await.map_err(|error| seen(&error))?),
    };
    exchange(stream, message, request).await
}

/// Drives the connection beside the exchange; what the connection says is the better reason of the two.
async fn exchange(
    stream: Box<dyn ByteStream>,
    message: Request<Full<Bytes>>,
    request: &HttpRequest,
) -> Result<HttpResponse, Fault> {
    let handshake = http1::Builder::new().max_buf_size(HEAD_CAP).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| seen(&error))?;
    let mut connection = Box::pin(connection).fuse();
    let mut whole = Box::pin(async move { read(sender.send_request(message).await, request).await });
    let mut ended = None;
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut whole => break answer,
            end = &mut connection, if ended.is_none() => ended = Some(end),
        }
    };
    let ended = ended.or_else(|| connection.now_or_never());
    match (answer, ended) {
        (Err(Fault { kind: HttpErrorKind::Protocol, .. }), Some(Err(error))) => Err(seen(&error)),
        (answer, _) => answer,
    }
}

async fn read(answer: hyper::Result<Response<Incoming>>, request: &HttpRequest) -> Result<HttpResponse, Fault> {
    let (head, body) = answer.map_err(|error| seen(&error))?.into_parts();
    check_framing(&head.headers, request)?;
    if head.status.as_u16() < 200 {
        return Err(protocol(format!("status {} is no answer", head.status.as_u16())));
    }
    let too_large =
        || Fault { kind: HttpErrorKind::TooLarge, text: format!("the answer is over {} bytes", request.cap) };
    if body.size_hint().lower() > request.cap as u64 {
        return Err(too_large());
    }
    let body = Limited::new(body, request.cap)
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { too_large() } else { seen(error.as_ref()) })?;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(HttpResponse {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: body.to_bytes().to_vec(),
    })
}

/// Two answers to where the body ends are none (RFC 9112, section 6.3); a coding that was not asked for is not undone.
fn check_framing(headers: &HeaderMap, request: &HttpRequest) -> Result<(), Fault> {
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    let coded = headers.contains_key(TRANSFER_ENCODING);
    if lengths > 1 || (lengths == 1 && coded) || headers.get_all(TRANSFER_ENCODING).iter().count() > 1 {
        return Err(protocol("the answer gives its length twice".to_owned()));
    }
    let asked = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str()));
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if !asked && !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(protocol(format!("the answer is coded as {coding:?}, which was not asked for")))
        }
        _ => Ok(()),
    }
}

fn message(request: &HttpRequest) -> Result<Request<Full<Bytes>>, Fault> {
    let wrong = |text: String| Fault { kind: HttpErrorKind::Request, text };
    let method =
        Method::from_bytes(request.method.as_bytes()).map_err(|_| wrong(format!("method {:?}", request.method)))?;
    let path: Uri = request.path.parse().map_err(|error| wrong(format!("path {:?}: {error}", request.path)))?;
    if !request.path.starts_with('/') || path.host().is_some() {
        return Err(wrong(format!("path {:?} does not start with one slash", request.path)));
    }
    let mut message = Request::new(Full::new(Bytes::from(request.body.clone())));
    *message.method_mut() = method;
    *message.uri_mut() = path;
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(format!("header {name:?}")))?;
        if [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE].contains(&name) {
            return Err(wrong(format!("header {name} is not for the caller to set")));
        }
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong(format!("value of header {name}")))?;
        message.headers_mut().append(name, value);
    }
    let host =
        HeaderValue::from_str(&request.authority()).map_err(|_| wrong(format!("address {:?}", request.address)))?;
    message.headers_mut().entry(HOST).or_insert(host);
    message.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(message)
}

fn no_tunnel(error: ExecError) -> Fault {
    let text = error.to_string();
    let kind = match error {
        ExecError::TunnelRefused { .. } => HttpErrorKind::Refused,
        ExecError::Deadline { .. } => HttpErrorKind::Timeout,
        other => HttpErrorKind::Lost(other),
    };
    Fault { kind, text }
}

/// What an error of the stream or of HTTP means, with its causes in words.
fn seen(error: &(dyn Error + 'static)) -> Fault {
    let causes: Vec<&(dyn Error + 'static)> = std::iter::successors(Some(error), |error| inner(*error)).collect();
    let mut text = causes.iter().map(ToString::to_string).collect::<Vec<_>>();
    text.dedup();
    let mut text = text.join(": ");
    if let Some(error) = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        text.extend(trust::meaning(error).map(|meaning| format!(" ({meaning})")));
        return Fault { kind: HttpErrorKind::Tls, text };
    }
    let http = causes.iter().find_map(|cause| cause.downcast_ref::<hyper::Error>());
    // hyper gives its clients no other way to tell this parse error from the rest.
    if http.is_some_and(|error| error.is_parse() && error.to_string().contains("too large")) {
        return Fault { kind: HttpErrorKind::TooLarge, text };
    }
    if http.is_some_and(hyper::Error::is_incomplete_message) {
        text.push_str(" (does it speak the other of http and https?)");
    }
    protocol(text)
}

/// An I/O error hides its cause from `source`: that skips to the cause's own.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(hidden) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(hidden);
    }
    error.source()
}

fn protocol(text: String) -> Fault {
    Fault { kind: HttpErrorKind::Protocol, text }
}
