//! `uri`: one HTTP request to what a host can reach, through the session's tunnel: neither curl nor Python is needed there.
//!
//! Differs from Ansible: redirects are not followed (`follow_redirects` is `none`); certificates are always checked
//! (`validate_certs: no` is refused), against `ca_path`, else against the host's own list of authorities; `ca_path`,
//! `client_cert` and `client_key` are files of the control machine, so no key has to lie on the host; no proxy is used; no
//! `dest`, `src`, `creates`, `removes`, `unix_socket` and cookies; an answer is at most 16 MiB; headers that are
//! called as one of Ansible's own return values are left out of the result.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::events::Fault;
use crate::inventory::{Node, NodeValue, Problem};
use crate::remote::{HttpError, HttpErrorKind, HttpResponse};
use crate::transport::BoxFuture;

use super::arguments::boolean;
use super::local;
use super::table::{Argument, CheckMode, Row, Shape};
use super::{Call, Failure, Module, Outcome};

mod request;

/// Return values that mean something to the engine or are ours: a header must not be taken for one.
const OURS: &[&str] = &[
    "ansible_facts",
    "attempts",
    "censored",
    "changed",
    "content",
    "delta",
    "diff",
    "elapsed",
    "end",
    "exception",
    "failed",
    "failed_when_result",
    "finished",
    "invocation",
    "item",
    "json",
    "msg",
    "rc",
    "redirected",
    "results",
    "skip_reason",
    "skipped",
    "start",
    "started",
    "status",
    "stderr",
    "stdout",
    "timedout",
    "unreachable",
    "url",
    "warnings",
];

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("url", Shape::Text, "http or https, as the host itself would reach it").required(),
        Argument::new("method", Shape::Text, "the method").default("GET"),
        Argument::new("status_code", Shape::List, "the status codes that are good").default("200"),
        Argument::new("headers", Shape::Mapping, "further headers"),
        Argument::new("body", Shape::Any, "what is sent"),
        Argument::new("body_format", Shape::Text, "how a body that is no text is written")
            .choices(&["form-urlencoded", "json", "raw"])
            .default("raw"),
        Argument::new("return_content", Shape::Bool, "give back the body of a good answer too").default("no"),
        Argument::new("timeout", Shape::Int, "seconds for all of it").default("30"),
        Argument::new("url_username", Shape::Text, "for basic authentication").aliases(&["user"]),
        Argument::new("url_password", Shape::Text, "for basic authentication").aliases(&["password"]).secret(),
        Argument::new("force_basic_auth", Shape::Bool, "send the password without being asked for it").default("no"),
        Argument::new("follow_redirects", Shape::Text, "redirects are answers like any other").choices(&["none", "no"]),
        Argument::new("validate_certs", Shape::Bool, "certificates are always checked").default("yes"),
        Argument::new("ca_path", Shape::Path, "a local file with the authorities to trust, in PEM"),
        Argument::new("client_cert", Shape::Path, "a local file with our certificate, in PEM"),
        Argument::new("client_key", Shape::Path, "a local file with its key, in PEM"),
    ],
    returns: &[
        ("status", "the status code; -1 if there was no answer"),
        ("url", "what was asked for"),
        ("content", "the body as text, if asked for or if the status is not good"),
        ("json", "the body, if its content type is JSON"),
        ("elapsed", "how long it took, in seconds"),
        ("redirected", "always false"),
        ("msg", "the answer in a word"),
    ],
    check: CheckMode::Skipped("remote module (uri) does not support check mode"),
    preflight_local: Some(preflight),
    module: Some(&Uri),
    ..Row::new("uri", "sends one HTTP request as the host itself would")
};

struct Uri;

impl Module for Uri {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let began = Instant::now();
            let limit = call.args.get("timeout").and_then(Value::as_u64).map_or(Duration::ZERO, Duration::from_secs);
            let mut wanted = request::Wanted::of(&call).await?;
            let first = call.probe.http(wanted.request(limit)).await;
            let answer = match first {
                Ok(answer) if answer.status == 401 && wanted.authorize_late() => {
                    call.probe.http(wanted.request(limit.saturating_sub(began.elapsed()))).await
                }
                first => first,
            };
            let mut result = Map::new();
            let good = good(&call)?;
            match answer {
                Ok(answer) => told(&call, answer, &good, began, &wanted.url, result),
                Err(error) => {
                    result.insert("elapsed".to_owned(), Value::from(began.elapsed().as_secs()));
                    Err(unanswered(error, &good, &wanted.url, result))
                }
            }
        })
    }
}

/// What is wrong on paper: local files, and certificates that were not to be checked.
fn preflight(args: &Node, dir: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for key in ["ca_path", "client_cert", "client_key"] {
        problems.extend(local::written(args, key, "files", dir, false).and_then(Result::err));
    }
    if let Some(node) = args.get("validate_certs")
        && !matches!(node.value, NodeValue::Null)
        && boolean(&node.to_json()) == Some(false)
    {
        let what = "validate_certs can't be turned off";
        problems.push(Problem::new(&node.place, what).help("name the authority's certificate in `ca_path`"));
    }
    if let Some(node) = args.get("url")
        && let Some(text) = node.as_str().filter(|text| !super::arguments::is_template(text))
        && let Err(why) = request::Target::from_url(text)
    {
        problems.push(Problem::new(&node.place, why));
    }
    problems
}

/// The status codes that are good.
fn good(call: &Call<'_>) -> Result<Vec<i64>, Failure> {
    let codes = call.args.get("status_code").and_then(Value::as_array).cloned().unwrap_or_default();
    let code = |value: &Value| {
        super::arguments::int(value)
            .ok_or_else(|| Failure::new(Fault::Failed, format!("uri: status_code {value} is no number")))
    };
    codes.iter().map(code).collect()
}

fn told(
    call: &Call<'_>,
    answer: HttpResponse,
    good: &[i64],
    began: Instant,
    url: &str,
    mut result: Map<String, Value>,
) -> Result<Outcome, Failure> {
    let mut kind = String::new();
    for (name, value) in answer.headers {
        if name == "content-type" {
            kind = value.to_ascii_lowercase();
        }
        let name = name.replace('-', "_");
        if OURS.contains(&name.as_str()) {
            continue;
        }
        match result.get_mut(&name) {
            Some(Value::String(text)) => text.push_str(&format!(", {value}")),
            _ => {
                result.insert(name, Value::from(value));
            }
        }
    }
    let fine = good.contains(&i64::from(answer.status));
    let media = kind.split(';').next().unwrap_or_default().trim();
    if (media == "application/json" || media.ends_with("+json") || media == "text/json")
        && let Ok(json) = serde_json::from_slice(&answer.body)
    {
        result.insert("json".to_owned(), json);
    }
    let size = answer.body.len();
    if call.flag("return_content") || !fine {
        result.insert("content".to_owned(), Value::from(String::from_utf8_lossy(&answer.body).into_owned()));
    }
    let reason = hyper::StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason());
    let reason = reason.unwrap_or("no reason given");
    result.insert("status".to_owned(), Value::from(answer.status));
    result.insert("url".to_owned(), Value::from(url));
    result.insert("redirected".to_owned(), Value::from(false));
    result.insert("elapsed".to_owned(), Value::from(began.elapsed().as_secs()));
    if fine {
        result.insert("msg".to_owned(), Value::from(format!("OK ({size} bytes)")));
        return Ok(Outcome { result, ..Outcome::default() });
    }
    let msg = format!("{}: status code was {} and not {good:?}: {reason} ({url})", call.host, answer.status);
    Err(Failure::new(Fault::Failed, msg).with(result))
}

fn unanswered(error: HttpError, good: &[i64], url: &str, mut result: Map<String, Value>) -> Failure {
    let fault = if matches!(error.kind, HttpErrorKind::Lost(_)) { Fault::Unreachable } else { Fault::Failed };
    result.insert("status".to_owned(), Value::from(-1));
    result.insert("url".to_owned(), Value::from(url));
    result.insert("redirected".to_owned(), Value::from(false));
    let msg = format!("{}: status code was -1 and not {good:?}: request failed: {} ({url})", error.host, error.text);
    Failure::new(fault, msg).with(result)
}

#[cfg(test)]
mod tests;
