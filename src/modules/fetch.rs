//! `fetch`: a file of a host, onto the control machine.
//!
//! Local names are made of the playbook's own words and the inventory's name of the host, never of what the host says.
//!
//! Differs from Ansible: no `md5sum` is returned; files come with mode 0600, since what is fetched is often secret; what
//! arrived is always checked by SHA-256, and `validate_checksum: no` is refused; a missing file fails the task unless
//! `fail_on_missing` is off.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

use crate::events::Fault;
use crate::inventory::{Node, NodeValue, Problem};
use crate::remote::RemotePath;
use crate::transport::BoxFuture;

use super::attributes::{check_written, needed_path};
use super::deliver::{failed, hex};
use super::table::{Argument, CheckMode, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("src", Shape::Path, "the file on the host").required(),
        Argument::new(
            "dest",
            Shape::Path,
            "a local folder: the file goes to dest/HOST/SRC; with flat, the file itself",
        )
        .required(),
        Argument::new("flat", Shape::Bool, "dest is the file's own path, or its folder if it ends in `/`")
            .default("no"),
        Argument::new("fail_on_missing", Shape::Bool, "a missing file is a failure").default("yes"),
        Argument::new("validate_checksum", Shape::Bool, "compare what arrived; always done").default("yes"),
    ],
    returns: &[
        ("dest", "the local file"),
        ("checksum", "its SHA-1, in hex"),
        ("remote_checksum", "the SHA-1 of the host's file"),
        ("file", "the host's file"),
    ],
    check: CheckMode::Skipped("check mode not (yet) supported for this module"),
    preflight_local: Some(preflight),
    module: Some(&Fetch),
    ..Row::new("fetch", "copies a file of the host to the control machine")
};

struct Fetch;

impl Module for Fetch {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let path = needed_path(&call, "src")?;
            if !call.flag("validate_checksum") {
                return Err(Failure::new(Fault::Failed, "fetch: validate_checksum can't be turned off"));
            }
            let dest = destination(&call, &path)?;
            let mut result = Map::new();
            result.insert("file".to_owned(), Value::from(path.as_str()));
            let size = match call.probe.stat(&path, true).await? {
                None if call.flag("fail_on_missing") => {
                    return Err(failed(&call, &path, "the remote file does not exist"));
                }
                None => {
                    let msg = "the remote file does not exist, not transferring, ignored";
                    result.insert("msg".to_owned(), Value::from(msg));
                    return Ok(Outcome { result, ..Outcome::default() });
                }
                Some(stat) if stat.kind != "file" => {
                    let what = format!("is a {}; fetch takes single files", stat.kind);
                    return Err(failed(&call, &path, &what));
                }
                Some(stat) => stat.size,
            };
            let remote = call.probe.sha1(&path).await?;
            let changed = local_sum(&dest).await?.as_deref() != Some(&remote);
            if changed {
                carry(&call, (&path, size), &dest).await?;
            }
            let sum = local_sum(&dest).await?.unwrap_or_default();
            result.insert("dest".to_owned(), Value::from(dest.display().to_string()));
            result.insert("checksum".to_owned(), Value::from(sum));
            result.insert("remote_checksum".to_owned(), Value::from(remote));
            Ok(Outcome { changed, result, ..Outcome::default() })
        })
    }
}

fn preflight(args: &Node, _: &Path) -> Vec<Problem> {
    let mut problems = check_written(args, &["src"]);
    if let Some(node) = args.get("validate_checksum").filter(|node| matches!(node.value, NodeValue::Bool(false))) {
        let what = "fetch: validate_checksum can't be turned off";
        problems.push(Problem::new(&node.place, what).help("leave it out: what arrives is always compared"));
    }
    problems
}

/// Where it goes.
fn destination(call: &Call<'_>, path: &RemotePath) -> Result<PathBuf, Failure> {
    let wrong = |what: String| Failure::new(Fault::Failed, what);
    let text = call.text("dest").unwrap_or_default();
    if Path::new(text).components().any(|part| part == std::path::Component::ParentDir) {
        return Err(wrong(format!("fetch: dest `{text}` holds `..`")));
    }
    let dest = call.playbook_dir.join(text);
    if call.flag("flat") {
        if text.ends_with('/') {
            return Ok(dest.join(path.name()));
        }
        if dest.is_dir() {
            let what = "fetch: dest is an existing folder; use a trailing slash if the file should go into it";
            return Err(wrong(what.to_owned()));
        }
        return Ok(dest);
    }
    if call.host.contains(['/', '\0']) || matches!(call.host, "." | ".." | "") {
        return Err(wrong(format!("fetch: `{}` is no name for a local folder; use flat", call.host)));
    }
    Ok(dest.join(call.host).join(path.as_str().trim_start_matches('/')))
}

/// SHA-1 of a local file; nothing if there is none.
async fn local_sum(path: &Path) -> Result<Option<String>, Failure> {
    let owned = path.to_path_buf();
    let summed = tokio::task::spawn_blocking(move || -> std::io::Result<Option<String>> {
        let mut file = match std::fs::File::open(&owned) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (mut sum, mut chunk) = (Sha1::new(), vec![0; 64 * 1024]);
        loop {
            let read = std::io::Read::read(&mut file, &mut chunk)?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            sum.update(bytes);
        }
        Ok(Some(hex(&sum.finalize())))
    });
    match summed.await {
        Ok(summed) => summed.map_err(|error| own_disk(path, &error)),
        Err(error) => Err(Failure::new(Fault::Bug, format!("{}: {error}", path.display()))),
    }
}

/// Carries the file under a name of its own and gives it its name only once it is whole and on the disk.
async fn carry(call: &Call<'_>, (path, size): (&RemotePath, u64), dest: &Path) -> Result<(), Failure> {
    let folder = dest.parent().unwrap_or(call.playbook_dir);
    std::fs::create_dir_all(folder).map_err(|error| own_disk(folder, &error))?;
    let partial = tempfile::Builder::new().prefix(".quorate-").suffix(".partial").tempfile_in(folder);
    let partial = partial.map_err(|error| own_disk(folder, &error))?;
    let sink = partial.reopen().map_err(|error| own_disk(dest, &error))?;
    let arrived = call.probe.download(path, size, tokio::fs::File::from_std(sink)).await?;
    let expected = call.probe.sha256(path).await?;
    if arrived != expected {
        let what =
            format!("changed while it was carried: expected SHA-256 {expected}, found {arrived}; nothing was kept");
        return Err(failed(call, path, &what));
    }
    partial.as_file().sync_all().map_err(|error| own_disk(dest, &error))?;
    partial.persist(dest).map_err(|error| own_disk(dest, &error.error))?;
    let opened = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    opened.map_err(|error| own_disk(folder, &error))
}

fn own_disk(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Fault::Failed, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
