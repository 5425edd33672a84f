//! Paths and addresses as text, by Python's rules (`posixpath`, `urllib.parse`).

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error};

use super::super::data::map;
use super::text::text;
use super::{known, wrong};

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("basename", |path: &Value| {
        let path = text(path)?;
        Ok::<_, Error>(path.rsplit('/').next().unwrap_or_default().to_owned())
    });
    env.add_filter("dirname", |path: &Value| Ok::<_, Error>(dirname(&text(path)?).to_owned()));
    env.add_filter("splitext", |path: &Value| Ok::<_, Error>(splitext(&text(path)?)));
    env.add_filter("path_join", |parts: &Value| path_join(parts));
    env.add_filter("normpath", |path: &Value| Ok::<_, Error>(normal(&text(path)?)));
    env.add_filter("relpath", |path: &Value, start: &Value| relative(&text(path)?, &text(start)?));
    env.add_filter("expanduser", |path: &Value| Ok::<_, Error>(expanded(&text(path)?)));
    env.add_filter("urlsplit", urlsplit);
}

fn dirname(path: &str) -> &str {
    let head = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default();
    let bare = head.trim_end_matches('/');
    if bare.is_empty() { head } else { bare }
}

/// The last dot begins the extension, unless only dots are before it.
fn splitext(path: &str) -> Vec<String> {
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let name = path.get(name_at..).unwrap_or_default();
    let dots = name.len() - name.trim_start_matches('.').len();
    let split = name.rfind('.').filter(|at| *at >= dots.max(1)).map_or(path.len(), |at| name_at + at);
    let (root, extension) = path.split_at(split);
    vec![root.to_owned(), extension.to_owned()]
}

/// An absolute part throws away what is before it.
fn path_join(parts: &Value) -> Result<String, Error> {
    if known(parts)?.kind() == ValueKind::String {
        return text(parts);
    }
    let mut path = String::new();
    for part in parts.try_iter()? {
        let part = part.as_str().ok_or_else(|| wrong("path_join takes a list of texts"))?.to_owned();
        if part.starts_with('/') || path.is_empty() {
            path = part;
        } else {
            if !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(&part);
        }
    }
    Ok(path)
}

/// Without `.`, `..` and double slashes, as far as the text alone says.
fn normal(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            ("..", None) if !root.is_empty() => {}
            _ => parts.push(part),
        }
    }
    let made = format!("{root}{}", parts.join("/"));
    if made.is_empty() { ".".to_owned() } else { made }
}

/// The way from `start` to `path`; both absolute or both relative, since a template has no folder that it is in.
fn relative(path: &str, start: &str) -> Result<String, Error> {
    if path.starts_with('/') != start.starts_with('/') {
        return Err(wrong("relpath: an absolute path and a relative one"));
    }
    let (path, start) = (normal(path), normal(start));
    let cut = |path: &str| path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
    let (to, from): (Vec<String>, Vec<String>) = (cut(&path), cut(&start));
    let same = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = from.iter().skip(same).map(|_| "..".to_owned());
    let way: Vec<String> = up.chain(to.into_iter().skip(same)).collect();
    Ok(if way.is_empty() { ".".to_owned() } else { way.join("/") })
}

/// `~` at the beginning is the home of who runs quorate.
fn expanded(path: &str) -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    match path.strip_prefix('~') {
        Some(rest) if !home.is_empty() && (rest.is_empty() || rest.starts_with('/')) => {
            format!("{}{rest}", home.trim_end_matches('/'))
        }
        _ => path.to_owned(),
    }
}

/// The parts of an address, or the one that is asked for.
fn urlsplit(url: &Value, part: Option<&str>) -> Result<Value, Error> {
    let url = text(url)?;
    let (rest, fragment) = url.split_once('#').unwrap_or((&url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, tail)) if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) => (scheme, tail),
        _ => ("", rest),
    };
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(tail) => tail.split_at(tail.find('/').unwrap_or(tail.len())),
        None => ("", rest),
    };
    let (user, host) = netloc.rsplit_once('@').map_or((None, netloc), |(user, host)| (Some(user), host));
    let (username, password) =
        user.map_or((None, None), |u| u.split_once(':').map_or((Some(u), None), |(u, p)| (Some(u), Some(p))));
    let (hostname, port) = match host.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, tail)) => (v6, tail.strip_prefix(':')),
        None => host.rsplit_once(':').map_or((host, None), |(h, p)| (h, Some(p))),
    };
    let port = port.and_then(|p| p.parse::<u16>().ok());
    let optional = |text: Option<&str>| text.map_or_else(|| Value::from(()), Value::from);
    let parts = [
        ("fragment", Value::from(fragment)),
        ("hostname", optional(Some(hostname.to_lowercase().as_str()).filter(|h| !h.is_empty()))),
        ("netloc", Value::from(netloc)),
        ("password", optional(password)),
        ("path", Value::from(path)),
        ("port", port.map_or_else(|| Value::from(()), Value::from)),
        ("query", Value::from(query)),
        ("scheme", Value::from(scheme.to_lowercase())),
        ("username", optional(username)),
    ];
    match part {
        None => Ok(map(parts.into_iter().map(|(name, value)| (Value::from(name), value)))),
        Some(part) => {
            let found = parts.into_iter().find(|(name, _)| *name == part);
            found.map(|(_, value)| value).ok_or_else(|| wrong(format!("urlsplit: no part `{part}`")))
        }
    }
}
