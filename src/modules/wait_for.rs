//! `wait_for`: waits until a port or a path of a host is as wanted, or for a while.
//!
//! A port is tried as the host itself would reach it, by a tunnel through the session: nothing is needed on the host.
//!
//! Differs from Ansible: no `drained` and no `active_connection_states`, which read the kernel's table of connections;
//! `search_regex` looks at the first 16 MiB of a file and the first 64 KiB that a port says, in the syntax of Rust's
//! `regex` (no look-around, no back-references); a wish to stop the run ends the wait.

use std::time::{Duration, Instant};

use regex::bytes::Regex;
use serde_json::{Map, Value};

use crate::events::Fault;
use crate::inventory::{Node, Problem};
use crate::remote::{RemoteError, RemotePath};
use crate::transport::BoxFuture;

use super::arguments::is_template;
use super::attributes::{check_written, remote_path};
use super::table::{Argument, CheckMode, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// How often somebody's wish to stop is looked for in a longer sleep.
const GLANCE: Duration = Duration::from_millis(200);
/// Bytes of a file that are searched.
const FILE_CAP: usize = 16 * 1024 * 1024;
/// Bytes of what a port says: a banner is one line.
const PORT_CAP: usize = 64 * 1024;

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("host", Shape::Text, "an address, as the host itself reaches it").default("127.0.0.1"),
        Argument::new("port", Shape::Int, "a TCP port there"),
        Argument::new("path", Shape::Path, "a path on the host"),
        Argument::new("state", Shape::Text, "what to wait for")
            .choices(&["started", "present", "stopped", "absent"])
            .default("started"),
        Argument::new("search_regex", Shape::Text, "wait until the file holds, or the port says, something like this"),
        Argument::new("timeout", Shape::Int, "seconds to wait at most; alone: to wait").default("300"),
        Argument::new("delay", Shape::Int, "seconds before the first look").default("0"),
        Argument::new("sleep", Shape::Int, "seconds between two looks").default("1"),
        Argument::new("connect_timeout", Shape::Int, "seconds that one connection may take").default("5"),
        Argument::new("msg", Shape::Text, "what to say if it does not come to pass"),
    ],
    one_of: &[(&["port", "path"], false)],
    returns: &[
        ("elapsed", "how long it took, in seconds"),
        ("state", "what was waited for"),
        ("port", "the port"),
        ("path", "the path"),
        ("match_groups", "what the groups of search_regex matched"),
        ("match_groupdict", "the same of its named groups"),
    ],
    check: CheckMode::Skipped("remote module (wait_for) does not support check mode"),
    preflight_local: Some(preflight),
    module: Some(&WaitFor),
    ..Row::new("wait_for", "waits for a port or a path of the host")
};

struct WaitFor;

/// What is waited for.
struct Wait<'a> {
    port: Option<u16>,
    path: Option<RemotePath>,
    /// There, or not there.
    there: bool,
    search: Option<Regex>,
    host: &'a str,
    connect: Duration,
}

impl Module for WaitFor {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let began = Instant::now();
            let timeout = seconds(&call, "timeout")?;
            let wait = Wait::of(&call)?;
            if wait.port.is_none() && wait.path.is_none() {
                doze(&call, timeout).await?;
                return Ok(Outcome { result: answer(&call, began), ..Outcome::default() });
            }
            doze(&call, seconds(&call, "delay")?).await?;
            let pause = seconds(&call, "sleep")?.max(GLANCE);
            loop {
                let left = timeout.saturating_sub(began.elapsed());
                if let Some(found) = wait.look(&call, left).await? {
                    let mut result = answer(&call, began);
                    result.extend(found);
                    return Ok(Outcome { result, ..Outcome::default() });
                }
                let left = timeout.saturating_sub(began.elapsed());
                if left.is_zero() {
                    let msg = call.text("msg").map_or_else(|| wait.too_late(&call), ToOwned::to_owned);
                    return Err(Failure::new(Fault::Failed, msg).with(answer(&call, began)));
                }
                doze(&call, pause.min(left)).await?;
            }
        })
    }
}

fn preflight(args: &Node, _: &std::path::Path) -> Vec<Problem> {
    let mut problems = check_written(args, &["path"]);
    if let Some(node) = args.get("search_regex")
        && let Some(text) = node.as_str().filter(|text| !is_template(text))
        && let Err(why) = pattern(text)
    {
        problems.push(Problem::new(&node.place, why));
    }
    problems
}

fn pattern(text: &str) -> Result<Regex, String> {
    // `^` and `$` at lines, as Ansible's re.MULTILINE.
    Regex::new(&format!("(?m){text}")).map_err(|error| format!("search_regex: {error}"))
}

fn seconds(call: &Call<'_>, name: &str) -> Result<Duration, Failure> {
    let given = call.args.get(name).and_then(Value::as_i64).unwrap_or_default();
    let wrong = |_| Failure::new(Fault::Failed, format!("wait_for: {name} must not be negative, and is {given}"));
    u64::try_from(given).map(Duration::from_secs).map_err(wrong)
}

/// Sleeps unless somebody asks the run to stop.
async fn doze(call: &Call<'_>, long: Duration) -> Result<(), Failure> {
    let until = Instant::now() + long;
    loop {
        if (call.stopping)() {
            return Err(Failure::new(Fault::Stopped, format!("{}: the wait was ended by request", call.host)));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        tokio::time::sleep(left.min(GLANCE)).await;
    }
}

fn answer(call: &Call<'_>, began: Instant) -> Map<String, Value> {
    let mut result = Map::new();
    result.insert("elapsed".to_owned(), Value::from(began.elapsed().as_secs()));
    for name in ["state", "port", "path", "search_regex"] {
        result.insert(name.to_owned(), call.args.get(name).cloned().unwrap_or(Value::Null));
    }
    result.insert("match_groups".to_owned(), Value::Array(Vec::new()));
    result.insert("match_groupdict".to_owned(), Value::Object(Map::new()));
    result
}

impl<'a> Wait<'a> {
    fn of(call: &'a Call<'_>) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::new(Fault::Failed, why);
        let port = call.args.get("port").and_then(Value::as_i64);
        let there = matches!(call.text("state"), Some("started" | "present"));
        let search = call.text("search_regex").map(pattern).transpose().map_err(wrong)?;
        let path = remote_path(call, "path")?;
        if port.is_none() && path.is_none() && search.is_some() {
            return Err(wrong("wait_for: search_regex needs `path` or `port`".to_owned()));
        }
        Ok(Self {
            port: port
                .map(|port| u16::try_from(port).ok().filter(|port| *port > 0))
                .map(|port| port.ok_or_else(|| wrong("wait_for: port must be from 1 to 65535".to_owned())))
                .transpose()?,
            path,
            there,
            search,
            host: call.text("host").unwrap_or("127.0.0.1"),
            connect: seconds(call, "connect_timeout")?,
        })
    }

    /// One look; the return values that it gives if all is as wanted.
    async fn look(&self, call: &Call<'_>, left: Duration) -> Result<Option<Map<String, Value>>, Failure> {
        let bytes = match (&self.path, self.port) {
            (Some(path), _) => self.file(call, path).await?,
            (None, Some(port)) => self.port(call, port, self.connect.min(left.max(GLANCE))).await?,
            (None, None) => None,
        };
        let found = match (&bytes, &self.search) {
            (None, _) => None,
            (Some(_), None) => Some(Map::new()),
            (Some(bytes), Some(search)) => matched(search, bytes),
        };
        Ok(if self.there { found } else { found.is_none().then(Map::new) })
    }

    /// What is in the file; nothing if it is not there. Only a search needs the bytes.
    async fn file(&self, call: &Call<'_>, path: &RemotePath) -> Result<Option<Vec<u8>>, Failure> {
        let Some(stat) = call.probe.stat(path, true).await? else { return Ok(None) };
        if self.search.is_none() || stat.kind != "file" {
            return Ok(Some(Vec::new()));
        }
        match call.probe.read(path, FILE_CAP).await {
            Ok(bytes) => Ok(Some(bytes)),
            // It may have been moved away since the look at it; the next look tells.
            Err(RemoteError::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What the port says first; nothing if nobody listens.
    async fn port(&self, call: &Call<'_>, port: u16, long: Duration) -> Result<Option<Vec<u8>>, Failure> {
        let Some(search) = &self.search else {
            let open = call.probe.connect(self.host, port, long).await?;
            return Ok(open.then(Vec::new));
        };
        Ok(call.probe.greeting(self.host, port, long, PORT_CAP, |bytes| search.is_match(bytes)).await?)
    }

    fn too_late(&self, call: &Call<'_>) -> String {
        let what = match (&self.path, self.port) {
            (Some(path), _) => format!("file {path}"),
            (None, Some(port)) if self.host.contains(':') => format!("[{}]:{port}", self.host),
            (None, port) => format!("{}:{}", self.host, port.unwrap_or_default()),
        };
        let what = match call.text("search_regex") {
            Some(text) => format!("search string {text} in {what}"),
            None => what,
        };
        let to = match (self.there, self.path.is_some()) {
            (true, _) => "",
            (false, true) => " to be absent",
            (false, false) => " to stop",
        };
        format!("{}: timeout when waiting for {what}{to}", call.host)
    }
}

/// What the groups matched.
fn matched(search: &Regex, bytes: &[u8]) -> Option<Map<String, Value>> {
    let captures = search.captures(bytes)?;
    let text = |group: Option<regex::bytes::Match<'_>>| {
        group.map_or(Value::Null, |group| Value::from(String::from_utf8_lossy(group.as_bytes()).into_owned()))
    };
    let groups: Value = captures.iter().skip(1).map(text).collect();
    let named = search.capture_names().flatten().map(|name| (name.to_owned(), text(captures.name(name)))).collect();
    let pairs = [("match_groups".to_owned(), groups), ("match_groupdict".to_owned(), Value::Object(named))];
    Some(Map::from_iter(pairs))
}

#[cfg(test)]
mod tests;
