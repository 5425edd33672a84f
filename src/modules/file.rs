//! `file`: files, folders and links of a host: there, not there, and with which attributes.
//!
//! Differs from Ansible: what is directly under `/` and the system's own folders are never removed with all in them, and
//! nothing mounted below a folder is; `access_time` and `modification_time` are only `now` or `preserve`; a folder with
//! something in it is never turned into a link, not even with `force`; for symbolic modes see `attributes`.

use std::path::Path;

use serde_json::{Map, Value};

use crate::events::{Diff, Fault};
use crate::inventory::{Node, Problem};
use crate::remote::{RemotePath, Stat};
use crate::transport::BoxFuture;

use super::attributes::{GROUP, MODE, OWNER, Sort, Wanted, check_written, describe, needed_path, settle};
use super::deliver::failed;
use super::table::{Argument, Row, Shape};
use super::{Call, Failure, Module, Outcome};

mod link;
mod tree;

/// `touch` of one of both times.
const TOUCH_ONE: &str = r#"exec touch -c "$1" -- "$2""#;

const TIMES: &[&str] = &["now", "preserve"];

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("path", Shape::Path, "what it is about").aliases(&["dest", "name"]).required(),
        Argument::new("state", Shape::Text, "what shall be there; unless given, what is there, else `file`")
            .choices(&["absent", "directory", "file", "hard", "link", "touch"]),
        Argument::new("src", Shape::Text, "of a link: where it leads; of a hard link: the file, as an absolute path"),
        Argument::new("recurse", Shape::Bool, "of a folder: attributes for all in it too").default("no"),
        Argument::new("force", Shape::Bool, "a link may lead nowhere, and may replace a file").default("no"),
        Argument::new("follow", Shape::Bool, "of a link: what it leads to is meant").default("yes"),
        Argument::new("access_time", Shape::Text, "of `touch`").choices(TIMES),
        Argument::new("modification_time", Shape::Text, "of `touch`").choices(TIMES),
        MODE,
        OWNER,
        GROUP,
    ],
    returns: &[
        ("path", "what it is about (`dest` for links and `touch`)"),
        ("state", "what is there now"),
        ("src", "where a link leads"),
        ("mode", "its permission bits, in octal"),
        ("owner", "its owner"),
        ("group", "its group"),
        ("uid", "its owner's number"),
        ("gid", "its group's number"),
        ("size", "its bytes"),
    ],
    preflight_local: Some(preflight),
    module: Some(&File),
    ..Row::new("file", "makes and removes files, folders and links, and sets their attributes")
};

struct File;

/// What is done, as it goes on.
struct Act<'a, 'c> {
    call: &'a Call<'c>,
    path: RemotePath,
    wanted: Wanted,
    /// What is at the path itself; a link is not followed.
    there: Option<Stat>,
    diff: Vec<Diff>,
    result: Map<String, Value>,
}

impl Module for File {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let path = needed_path(&call, "path")?;
            let wanted = Wanted::of(&call)?;
            let there = call.probe.stat(&path, false).await?;
            let state = state(&call, there.as_ref());
            if call.flag("recurse") && state != "directory" {
                return Err(failed(&call, &path, "recurse is for state=directory"));
            }
            if call.args.contains_key("src") && !matches!(state, "link" | "hard") {
                return Err(failed(&call, &path, "src is for state=link and state=hard"));
            }
            let mut act = Act { call: &call, path, wanted, there, diff: Vec::new(), result: Map::new() };
            let changed = match state {
                "absent" => act.absent().await?,
                "directory" => act.directory().await?,
                "link" => act.symlink().await?,
                "hard" => act.hardlink().await?,
                "touch" => act.touch().await?,
                _ => act.file().await?,
            };
            Ok(Outcome { changed, result: act.result, diff: act.diff, ..Outcome::default() })
        })
    }
}

fn preflight(args: &Node, _: &Path) -> Vec<Problem> {
    check_written(args, &["path", "dest", "name"])
}

fn state<'a>(call: &'a Call<'_>, there: Option<&Stat>) -> &'a str {
    if let Some(state) = call.text("state") {
        return state;
    }
    match there.map(|stat| stat.kind) {
        _ if call.flag("recurse") => "directory",
        Some("directory") => "directory",
        Some("link") => "link",
        _ if call.args.contains_key("src") => "link",
        _ => "file",
    }
}

impl Act<'_, '_> {
    fn kind(&self) -> &'static str {
        self.there.as_ref().map_or("absent", |stat| stat.kind)
    }

    fn failed(&self, what: &str) -> Failure {
        failed(self.call, &self.path, what)
    }

    /// Notes that the state itself changes.
    fn turns(&mut self, after: &str) {
        if self.call.diff {
            let before = format!("state: {}\n", self.kind());
            self.diff.push(Diff { path: self.path.to_string(), before, after: format!("state: {after}\n") });
        }
    }

    /// Of a link, what it leads to is meant from here on, unless `follow` is off.
    async fn follow(&mut self) -> Result<(), Failure> {
        if self.kind() == "link" && self.call.flag("follow") {
            if self.call.probe.stat(&self.path, true).await?.is_none() {
                return Err(self.failed("is a link that leads nowhere"));
            }
            self.path = self.call.probe.canonical(&self.path).await?;
            self.there = self.call.probe.stat(&self.path, false).await?;
        }
        Ok(())
    }

    /// Attributes as wanted, and the return values; of what a check run did not make, only the state.
    async fn finish(&mut self, key: &str, state: &str, sort: Sort) -> Result<bool, Failure> {
        self.result.insert(key.to_owned(), Value::from(self.path.as_str()));
        let mut changed = false;
        let now = self.call.probe.stat(&self.path, false).await?;
        if let Some(now) = now.filter(|now| self.call.change.is_some() || Some(now) == self.there.as_ref()) {
            let attributes = self.wanted.for_file(Some(&now), sort, None);
            changed = settle(self.call, &self.path, &now, &attributes, &mut self.diff).await?;
            let after = if changed { self.call.probe.stat(&self.path, false).await? } else { Some(now) };
            after.iter().for_each(|stat| describe(stat, &mut self.result));
        }
        self.result.entry("state").or_insert_with(|| Value::from(state));
        Ok(changed)
    }

    async fn absent(&mut self) -> Result<bool, Failure> {
        self.result.insert("path".to_owned(), Value::from(self.path.as_str()));
        self.result.insert("state".to_owned(), Value::from("absent"));
        if self.there.is_none() {
            return Ok(false);
        }
        self.turns("absent");
        match &self.call.change {
            Some(change) => Ok(change.remove(&self.path, self.kind() == "directory").await?),
            None => Ok(true),
        }
    }

    async fn directory(&mut self) -> Result<bool, Failure> {
        self.follow().await?;
        let made = match self.kind() {
            "directory" => false,
            "absent" => {
                self.turns("directory");
                if let Some(change) = &self.call.change {
                    change.mkdir(&self.path, &self.wanted.for_file(None, Sort::Folder, None), true).await?;
                }
                true
            }
            kind => return Err(self.failed(&format!("is a {kind}; expected a folder, or nothing"))),
        };
        let settled = self.finish("path", "directory", Sort::Folder).await?;
        let within = !made && self.call.flag("recurse") && tree::settle(self.call, &self.path, &self.wanted).await?;
        Ok(made || settled || within)
    }

    async fn file(&mut self) -> Result<bool, Failure> {
        self.follow().await?;
        match self.kind() {
            "absent" => Err(self.failed("is absent; expected a file (state=touch makes an empty one)")),
            "directory" => Err(self.failed("is a directory; expected a file")),
            _ => self.finish("path", "file", Sort::File).await,
        }
    }

    async fn touch(&mut self) -> Result<bool, Failure> {
        self.follow().await?;
        let sort = if self.kind() == "directory" { Sort::Folder } else { Sort::File };
        let preserve = |name| self.call.text(name) == Some("preserve");
        let (access, modification) = (preserve("access_time"), preserve("modification_time"));
        let new = self.there.is_none();
        let touched = new || !(access && modification);
        if new {
            self.turns("touch");
        }
        if let Some(change) = self.call.change.as_ref().filter(|_| touched) {
            if !new && (access || modification) {
                let one = if access { "-m" } else { "-a" };
                let act = format!("touch {}", self.path);
                let ran = change.script(&act, TOUCH_ONE, &[one, self.path.as_str()], None).await?;
                if !ran.success() {
                    return Err(self.failed(&ran.words()));
                }
            } else {
                let attributes = self.wanted.for_file(self.there.as_ref(), sort, None);
                change.touch(&self.path, &attributes).await?;
            }
        }
        Ok(self.finish("dest", "file", sort).await? || touched)
    }
}

/// What a link's `src` argument says.
fn source<'a>(act: &'a Act<'_, '_>) -> Result<Option<&'a str>, Failure> {
    match act.call.text("src") {
        Some(text) if text.is_empty() || text.contains(['\0', '\n']) => {
            Err(Failure::new(Fault::Failed, format!("src {text:?} is no path")))
        }
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests;
