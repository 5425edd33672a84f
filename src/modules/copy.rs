//! `copy`: files and folders of the control machine, or text of the playbook, onto a host.
//!
//! Differs from Ansible: no `md5sum` is returned (nothing is trusted because of MD5); with `remote_src` only single files;
//! `local_follow` is always on; no `decrypt`, `attributes`, SELinux or `unsafe_writes`; for symbolic modes see
//! `attributes`. A diff shows contents only if both sides are text of at most 104448 bytes.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::events::{Diff, Fault};
use crate::inventory::{Node, NodeValue, Problem};
use crate::remote::{Attributes, RemotePath};
use crate::transport::BoxFuture;

use super::attributes::{GROUP, MODE, OWNER, Sort, Wanted, check_written, needed_path};
use super::deliver::{Content, Delivered, Delivery, LocalFile, deliver, failed};
use super::local;
use super::table::{Argument, Row, Shape, joined};
use super::{Call, Failure, Module, Outcome};

const FORCE: Argument = Argument::new("force", Shape::Bool, "replace a file that holds something else").default("yes");
const BACKUP: Argument =
    Argument::new("backup", Shape::Bool, "keep the file that is replaced beside it, with the time in its name")
        .default("no");
const FOLLOW: Argument =
    Argument::new("follow", Shape::Bool, "if dest is a link, write where it leads instead of replacing it")
        .default("no");
const VALIDATE: Argument = Argument::new(
    "validate",
    Shape::Text,
    "a command that must succeed before the file is put in place; %s is its path",
);

pub(super) const DEST: Argument =
    Argument::new("dest", Shape::Path, "where on the host; into it, if it ends in `/` or is a folder").required();

/// What `template` takes too.
pub(super) const SHARED: [Argument; 7] = [FORCE, BACKUP, FOLLOW, VALIDATE, MODE, OWNER, GROUP];

pub(super) const RETURNS: &[(&str, &str)] = &[
    ("dest", "the file or folder on the host"),
    ("src", "where it came from"),
    ("checksum", "SHA-1 of the file, in hex"),
    ("backup_file", "what the file that was there is now called"),
    ("mode", "its permission bits, in octal"),
    ("owner", "its owner"),
    ("group", "its group"),
    ("uid", "its owner's number"),
    ("gid", "its group's number"),
    ("size", "its bytes"),
    ("state", "`file` or `directory`"),
];

/// Folders in folders; a link that leads up would otherwise never end.
const DEPTH: usize = 64;

/// Its row.
pub const ROW: Row = Row {
    arguments: &joined::<12>(
        &[
            Argument::new("src", Shape::Path, "a local file or folder; of a folder with `/` at the end, what is in it"),
            Argument::new("content", Shape::Any, "the text of the file; lists and mappings become JSON"),
            DEST,
            Argument::new("remote_src", Shape::Bool, "src is a file on the host").default("no"),
            Argument::new("directory_mode", Shape::Any, "mode of the folders that a folder's copy makes"),
        ],
        &SHARED,
    ),
    one_of: &[(&["src", "content"], true)],
    returns: RETURNS,
    preflight_local: Some(preflight),
    module: Some(&Copy),
    ..Row::new("copy", "copies files to the host")
};

struct Copy;

impl Module for Copy {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let wanted = Wanted::of(&call)?;
            let mut diff = Vec::new();
            let done = if call.args.contains_key("content") {
                text(&call, &wanted, &mut diff).await?
            } else if call.flag("remote_src") {
                remote(&call, &wanted, &mut diff).await?
            } else {
                let name = call.text("src").unwrap_or_default();
                let path = local::find(call.playbook_dir, "files", name)?;
                if path.is_dir() {
                    folder(&call, &wanted, &path, name.ends_with('/'), &mut diff).await?
                } else {
                    file(&call, &wanted, &path, &mut diff).await?
                }
            };
            Ok(Outcome { changed: done.changed, result: done.result, diff, ..Outcome::default() })
        })
    }
}

fn preflight(args: &Node, dir: &Path) -> Vec<Problem> {
    let mut problems = check_written(args, &["dest"]);
    // With a template it can't be known which side is meant.
    let local = args.get("remote_src").is_none_or(|node| matches!(node.value, NodeValue::Bool(false)));
    if let Some(Err(problem)) = local::written(args, "src", "files", dir, true).filter(|_| local) {
        problems.push(problem);
    }
    problems
}

async fn text(call: &Call<'_>, wanted: &Wanted, diff: &mut Vec<Diff>) -> Result<Delivered, Failure> {
    let dest = needed_path(call, "dest")?;
    let folder = call.probe.stat(&dest, true).await?.is_some_and(|stat| stat.kind == "directory");
    if folder || call.text("dest").is_some_and(|dest| dest.ends_with('/')) {
        return Err(failed(call, &dest, "content needs the name of a file, and this is a folder"));
    }
    let bytes = match call.args.get("content") {
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(Value::Null) | None => Vec::new(),
        // Python's words, since Ansible writes a bool as Python's text.
        Some(Value::Bool(b)) => if *b { "True" } else { "False" }.into(),
        Some(Value::Number(number)) => number.to_string().into_bytes(),
        Some(value) => python_json(value).into_bytes(),
    };
    let order = Delivery { dest, content: Content::Bytes(bytes), wanted, shown_source: None };
    deliver(call, order, diff).await
}

/// JSON with the spaces that Python's `json.dumps` puts, so that the bytes are those that Ansible writes.
fn python_json(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", joined(items.iter().map(python_json).collect())),
        Value::Object(map) => {
            let pair =
                |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), python_json(value));
            format!("{{{}}}", joined(map.iter().map(pair).collect()))
        }
        other => other.to_string(),
    }
}

async fn remote(call: &Call<'_>, wanted: &Wanted, diff: &mut Vec<Diff>) -> Result<Delivered, Failure> {
    let source = needed_path(call, "src")?;
    let Some(stat) = call.probe.stat(&source, true).await? else {
        return Err(failed(call, &source, "no such file on the host"));
    };
    if stat.kind != "file" {
        return Err(failed(call, &source, &format!("is a {}; with remote_src only files are copied", stat.kind)));
    }
    let dest = destination(call, source.name()).await?;
    let shown_source = Some(source.to_string());
    deliver(call, Delivery { dest, content: Content::Remote(source, Box::new(stat)), wanted, shown_source }, diff).await
}

async fn file(call: &Call<'_>, wanted: &Wanted, path: &Path, diff: &mut Vec<Diff>) -> Result<Delivered, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let dest = destination(call, name).await?;
    let content = Content::Local(LocalFile::look(path).await?);
    let shown_source = Some(path.display().to_string());
    deliver(call, Delivery { dest, content, wanted, shown_source }, diff).await
}

/// `dest`, or `name` in it if it is meant as a folder; a missing folder is made.
pub(super) async fn destination(call: &Call<'_>, name: &str) -> Result<RemotePath, Failure> {
    let dest = needed_path(call, "dest")?;
    let there = call.probe.stat(&dest, true).await?;
    let into = call.text("dest").is_some_and(|dest| dest.ends_with('/'));
    if !into && there.as_ref().is_none_or(|stat| stat.kind != "directory") {
        return Ok(dest);
    }
    if there.is_none()
        && let Some(change) = &call.change
    {
        let wanted = Wanted::with_mode(call, "directory_mode")?;
        change.mkdir(&dest, &wanted.for_file(None, Sort::Folder, None), true).await?;
    }
    dest.child(name).ok_or_else(|| failed(call, &dest, &format!("`{name}` is no name for a file in it")))
}

/// A folder with all in it, file by file; it is there already where nothing differs.
async fn folder(
    call: &Call<'_>,
    wanted: &Wanted,
    path: &Path,
    contents: bool,
    diff: &mut Vec<Diff>,
) -> Result<Delivered, Failure> {
    let mut dest = needed_path(call, "dest")?;
    if !contents {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        dest = dest.child(name).ok_or_else(|| failed(call, &dest, &format!("`{name}` is no name for a folder")))?;
    }
    let folders = Wanted::with_mode(call, "directory_mode")?;
    let attributes = folders.for_file(None, Sort::Folder, None);
    let mut changed = false;
    let mut left = vec![(path.to_path_buf(), dest.clone(), 0)];
    while let Some((from, to, depth)) = left.pop() {
        changed |= make_folder(call, &to, &attributes).await?;
        for (path, name) in entries(&from)? {
            let Some(to) = to.child(&name).filter(|_| depth < DEPTH) else {
                let what = format!("{}: no name for a host, or over {DEPTH} folders deep", path.display());
                return Err(Failure::new(Fault::Failed, what));
            };
            if path.is_dir() {
                left.push((path, to, depth + 1));
                continue;
            }
            let content = Content::Local(LocalFile::look(&path).await?);
            let order = Delivery { dest: to, content, wanted, shown_source: None };
            changed |= deliver(call, order, diff).await?.changed;
        }
    }
    let mut result = Map::new();
    result.insert("src".to_owned(), Value::from(path.display().to_string()));
    result.insert("dest".to_owned(), Value::from(dest.as_str()));
    Ok(Delivered { changed, result })
}

async fn make_folder(call: &Call<'_>, path: &RemotePath, attributes: &Attributes) -> Result<bool, Failure> {
    match call.probe.stat(path, true).await? {
        Some(stat) if stat.kind == "directory" => Ok(false),
        Some(stat) => Err(failed(call, path, &format!("is a {}; expected a folder", stat.kind))),
        None => {
            if let Some(change) = &call.change {
                change.mkdir(path, attributes, true).await?;
            }
            Ok(true)
        }
    }
}

/// What is in a local folder, in the order of names.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, Failure> {
    let wrong = |error: std::io::Error| Failure::new(Fault::Failed, format!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        found.push((path, name));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
