//! The files that change with the program: unit file, drop-ins, environment and configuration files, as the operator gives them.

use std::path::Path;

use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use crate::events::{Diff, Fault};
use crate::inventory::{Node, Problem};
use crate::modules::arguments::is_template;
use crate::modules::deliver::text_diff;
use crate::modules::table::{Argument, Shape};
use crate::modules::{Call, Failure, local};
use crate::remote::{Attributes, Change, ReadAs, RemotePath, Swap};

use super::release::{self, sha256};

/// The ends of the names of what is staged and of what is kept.
const STAGED: &str = "quorate-staged";
const KEPT: &str = "quorate-before";

/// The argument.
pub(super) const FILES: Argument = Argument::new(
    "files",
    Shape::List,
    "unit file, drop-ins, environment and configuration files that change with the program: a list of `src` or `content`, and `dest`",
);
/// What an item may have.
const KEYS: [&str; 3] = ["src", "content", "dest"];
/// 256 KiB: a unit or an environment file has some thirty lines.
pub(super) const CAP: usize = 256 * 1024;

/// A file as it shall be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) dest: RemotePath,
    /// Its text; `None` where no file shall be.
    pub(super) text: Option<String>,
    /// Whether it is quorate's own to change, and not given by the operator: it is staged when the member's turn has come.
    pub(super) own: bool,
    /// What would stand there by then, where a check run has not put it there.
    pub(super) before: Option<String>,
}

impl Wanted {
    /// One that the operator gave.
    fn given(dest: RemotePath, text: String) -> Self {
        Self { dest, text: Some(text), own: false, before: None }
    }

    /// One of quorate's own.
    pub(super) fn own(dest: RemotePath, text: Option<String>) -> Self {
        Self { dest, text, own: true, before: None }
    }
}

/// A file that is not yet as it shall be.
#[derive(Clone)]
pub(super) struct Changing {
    pub(super) wanted: Wanted,
    /// SHA-256 of the new text.
    pub(super) want: String,
    /// What stands there now, as the window says it: SHA-256, or `none`.
    pub(super) before: String,
    /// Owner and mode: of the file that stands there.
    pub(super) attributes: Attributes,
}

/// What shall change with the program on one host.
#[derive(Clone, Default)]
pub(super) struct Files {
    /// Those that differ.
    pub(super) changing: Vec<Changing>,
    /// What systemd must have read then, and what it has read now, where one of them is its own to read.
    pub(super) read_as: Option<(ReadAs, ReadAs)>,
    /// Whether all stand as they shall but the process is older than one of them.
    pub(super) stale: bool,
    /// Options that are said otherwise, and where, a line each.
    pub(super) rewritten: Vec<String>,
}

/// What is wrong with the argument on paper, beside what is wrong with where the program comes from.
pub(super) fn on_paper(args: &Node, dir: &Path) -> Vec<Problem> {
    let mut problems = release::on_paper(args, dir);
    problems.extend(super::rules::on_paper(args, dir));
    for item in args.get("files").and_then(Node::as_sequence).unwrap_or_default() {
        if item.as_str().is_some_and(is_template) {
            continue;
        }
        let Some(entries) = item.as_mapping() else {
            problems.push(Problem::new(&item.place, "files: expected a mapping with `src` or `content`, and `dest`"));
            continue;
        };
        for entry in entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
            let what = format!("files: an item has no `{}`", entry.key);
            problems.push(Problem::new(&entry.key_place, what).help(format!("it has: {}", KEYS.join(", "))));
        }
        if let Err(what) = one_source(item.get("src").is_some(), item.get("content").is_some()) {
            problems.push(Problem::new(&item.place, what));
        }
        match item.get("dest").map(|node| (node, node.as_str())) {
            None => problems.push(Problem::new(&item.place, "files: an item needs `dest`")),
            Some((_, Some(text))) if is_template(text) || destination(text).is_some() => {}
            Some((node, _)) => problems.push(Problem::new(&node.place, "files: `dest` must be an absolute path")),
        }
        if let Some(Err(problem)) = local::written(item, "src", "files", dir, false) {
            problems.push(problem);
        }
    }
    problems
}

fn one_source(src: bool, content: bool) -> Result<(), &'static str> {
    if src != content { Ok(()) } else { Err("files: an item needs one of `src` and `content`") }
}

/// A path that can be named to systemd and in a window's list: no blanks in it.
fn destination(text: &str) -> Option<RemotePath> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    RemotePath::from_absolute(text).filter(|path| !path.as_str().contains(odd) && !text.contains("//"))
}

/// Whether any file was given.
pub(super) fn has_files(call: &Call<'_>) -> bool {
    call.args.get("files").and_then(Value::as_array).is_some_and(|items| !items.is_empty())
}

/// What the argument says, with the texts of local files.
pub(super) async fn wanted(call: &Call<'_>) -> Result<Vec<Wanted>, Failure> {
    let wrong = |what: String| Failure::new(Fault::Input, what);
    let items = call.args.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut all: Vec<Wanted> = Vec::new();
    for item in items {
        let fields = item.as_object().ok_or_else(|| wrong(format!("files: expected a mapping, found {item}")))?;
        if let Some(key) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(wrong(format!("files: an item has no `{key}`; it has: {}", KEYS.join(", "))));
        }
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        one_source(text("src").is_some(), text("content").is_some()).map_err(|what| wrong(what.to_owned()))?;
        let dest = text("dest").and_then(destination);
        let dest =
            dest.ok_or_else(|| wrong(format!("files: `dest` must be an absolute path without blanks: {item}")))?;
        if all.iter().any(|other| other.dest == dest) {
            return Err(wrong(format!("files: {dest} is given twice")));
        }
        let text = match (text("src"), text("content")) {
            (Some(name), _) => {
                let path = local::find(call.playbook_dir, "files", name).map_err(|failure| wrong(failure.msg))?;
                local_text(&path).await.map_err(|error| wrong(format!("{}: {error}", path.display())))?
            }
            (None, content) => content.unwrap_or_default().to_owned(),
        };
        if text.len() > CAP {
            return Err(wrong(format!("files: {dest} would have {} bytes, at most {CAP}", text.len())));
        }
        all.push(Wanted::given(dest, text));
    }
    Ok(all)
}

/// The text of a local file, one byte past the cap at most.
async fn local_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(CAP).unwrap_or(u64::MAX).saturating_add(1);
    tokio::fs::File::open(path).await?.take(most).read_to_string(&mut text).await?;
    Ok(text)
}

/// What is staged and kept beside a file, under names that systemd does not read.
pub(super) fn besides(dest: &RemotePath) -> [RemotePath; 2] {
    [STAGED, KEPT].map(|suffix| beside(dest, suffix))
}

fn beside(dest: &RemotePath, suffix: &str) -> RemotePath {
    dest.parent().join(&format!("{}.{suffix}", dest.name()))
}

impl Changing {
    /// Where it lies until it takes its place: under a name that systemd does not read.
    pub(super) fn staged(&self) -> RemotePath {
        beside(&self.wanted.dest, STAGED)
    }

    /// Where what it takes the place of is kept.
    pub(super) fn kept(&self) -> RemotePath {
        beside(&self.wanted.dest, KEPT)
    }

    /// The swap to the new text.
    fn swap(&self) -> Swap {
        Swap {
            target: self.wanted.dest.clone(),
            staged: self.staged(),
            kept: self.kept(),
            want: self.want.clone(),
            before: self.before.clone(),
            link: None,
        }
    }

    /// The swap back: to the old text, or to no file where there was none.
    fn swap_back(&self) -> Swap {
        Swap {
            target: self.wanted.dest.clone(),
            staged: self.kept(),
            kept: self.staged(),
            want: self.before.clone(),
            before: self.want.clone(),
            link: None,
        }
    }
}

impl Files {
    /// Whether the member has to be rolled for them.
    pub(super) fn needed(&self) -> bool {
        self.stale || !self.changing.is_empty()
    }

    /// To the new texts.
    pub(super) fn swaps(&self) -> impl Iterator<Item = Swap> {
        self.changing.iter().map(Changing::swap)
    }

    /// And back.
    pub(super) fn swaps_back(&self) -> impl Iterator<Item = Swap> {
        self.changing.iter().map(Changing::swap_back)
    }

    /// Their paths, for an act's words.
    pub(super) fn names(&self) -> Vec<String> {
        self.changing.iter().map(|file| file.wanted.dest.to_string()).collect()
    }

    /// Those that are not staged yet.
    pub(super) async fn unstaged(&self, call: &Call<'_>) -> Result<Vec<&Changing>, Failure> {
        let mut missing = Vec::new();
        for file in self.changing.iter().filter(|file| file.wanted.text.is_some()) {
            let stat = call.probe.stat(&file.staged(), false).await?.filter(|stat| stat.kind == "file");
            let attributes = &file.attributes;
            let as_it = stat.is_some_and(|stat| {
                let (owner, group) = (Some(stat.uid.to_string()), Some(stat.gid.to_string()));
                (Some(stat.mode), &owner, &group) == (attributes.mode, &attributes.owner, &attributes.group)
            });
            if !as_it || call.probe.sha256(&file.staged()).await? != file.want {
                missing.push(file);
            }
        }
        Ok(missing)
    }

    /// What would differ, if the call wants to see it.
    pub(super) async fn diff(&self, call: &Call<'_>) -> Result<Vec<Diff>, Failure> {
        let mut diffs = Vec::new();
        for file in self.changing.iter().filter(|_| call.diff) {
            let before = match (&file.wanted.before, file.before.as_str()) {
                (Some(text), _) => text.clone().into_bytes(),
                (None, "none") => Vec::new(),
                (None, _) => call.probe.read(&file.wanted.dest, CAP).await?,
            };
            let after = file.wanted.text.clone().unwrap_or_default();
            diffs.extend(text_diff(&file.wanted.dest, before, after.into_bytes()));
        }
        Ok(diffs)
    }
}

impl Changing {
    /// Stages it. The folder of drop-ins may have to be made: an empty one says nothing to systemd.
    pub(super) async fn stage(&self, call: &Call<'_>, change: &Change) -> Result<(), Failure> {
        let folder = self.wanted.dest.parent();
        if call.probe.stat(&folder, true).await?.is_none() {
            let attributes = Attributes { mode: Some(0o755), ..Attributes::default() };
            change.mkdir(&folder, &attributes, false).await?;
        }
        let Some(text) = &self.wanted.text else { return Ok(()) };
        Ok(change.write(&self.staged(), text.as_bytes(), &self.attributes).await?)
    }

    /// A file that shall be as `wanted` and stands as `before` says, or not at all.
    pub(super) fn new(wanted: Wanted, before: Option<(String, Attributes)>) -> Self {
        let fresh = Attributes { mode: Some(0o644), owner: Some("0".to_owned()), group: Some("0".to_owned()) };
        let (before, attributes) = before.unwrap_or_else(|| ("none".to_owned(), fresh));
        let want = wanted.text.as_ref().map_or_else(|| "none".to_owned(), |text| sha256(text.as_bytes()));
        Self { want, wanted, before, attributes }
    }
}
