//! Makes one file on a host hold what it should, with attributes, backup, validation and diff: what `copy` and
//! `template` share.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

use crate::events::{Diff, Fault};
use crate::remote::{Attributes, Change, RemotePath, RunOptions, Stat};

use super::attributes::{Sort, Wanted, describe, settle};
use super::{Call, Failure};

/// Ansible's cap for the contents of a diff (`MAX_FILE_SIZE_FOR_DIFF`, config/base.yml of ansible-core 2.21, bytes).
const DIFF_CAP: u64 = 104_448;

/// One file of the host's own, copied there; attributes are those of the file it replaces, else 0666 less the umask.
/// The rest is as an upload: exclusive temporary name, fsync, rename, fsync of the folder.
const COPY: &str = r#"
set -u
src=$1 dest=$2 dir=${2%/*}/; tmp=$dir$3
[ -f "$src" ] || { echo "not a regular file: $src" >&2; exit 1; }
[ -L "$dest" ] || [ ! -d "$dest" ] || { echo "is a folder" >&2; exit 1; }
trap 'rm -f -- "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE
old=$(umask); umask 077; set -C; exec 3>"$tmp"; set +C
fd=/proc/self/fd/3
cat -- "$src" >&3 || exit 1
if [ -f "$dest" ] && [ ! -L "$dest" ]; then
    chown --reference="$dest" -- "$fd" && chmod --reference="$dest" -- "$fd" || exit 1
else
    chmod -- "$(printf %04o $((0666 & ~0$old)))" "$fd" || exit 1
fi
sync "$fd" && mv -fT -- "$tmp" "$dest" && sync -- "$dir" || exit 1
"#;
/// With owner, mode and times kept; the name holds our process and the second, so it is there only if somebody made it.
const KEEP: &str = r#"
[ ! -e "$2" ] || { echo "exists: $2" >&2; exit 1; }
cp -p -- "$1" "$2" && sync -- "$2" "${2%/*}/"
"#;

/// What a file shall hold.
pub(super) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What a local file holds, with its size, sums in hex and permission bits.
    Local(LocalFile),
    /// What another file of the host holds.
    Remote(RemotePath, Box<Stat>),
}

/// A local file as it was looked at.
pub(super) struct LocalFile {
    path: PathBuf,
    size: u64,
    sha1: String,
    sha256: String,
    mode: u32,
}

/// One file to be delivered.
pub(super) struct Delivery<'a> {
    pub(super) dest: RemotePath,
    pub(super) content: Content,
    pub(super) wanted: &'a Wanted,
    /// What `src` of the result says.
    pub(super) shown_source: Option<String>,
}

/// What came of it.
pub(super) struct Delivered {
    pub(super) changed: bool,
    pub(super) result: Map<String, Value>,
}

impl LocalFile {
    /// Looks at a local file.
    pub(super) async fn look(path: &Path) -> Result<Self, Failure> {
        use std::os::unix::fs::PermissionsExt as _;
        let wrong = |error: std::io::Error| Failure::new(Fault::Failed, format!("{}: {error}", path.display()));
        let (owned, shown) = (path.to_path_buf(), path.display().to_string());
        let looked = tokio::task::spawn_blocking(move || -> std::io::Result<Self> {
            let mut file = std::fs::File::open(&owned)?;
            let about = file.metadata()?;
            if !about.is_file() {
                return Err(std::io::Error::other("not a regular file"));
            }
            let (mut sha1, mut sha256, mut size) = (Sha1::new(), sha2::Sha256::new(), 0);
            let mut chunk = vec![0; 64 * 1024];
            loop {
                let read = std::io::Read::read(&mut file, &mut chunk)?;
                let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
                sha1.update(bytes);
                sha256.update(bytes);
                size += bytes.len() as u64;
            }
            let mode = about.permissions().mode() & 0o7777;
            Ok(Self { path: owned, size, sha1: hex(&sha1.finalize()), sha256: hex(&sha256.finalize()), mode })
        });
        match looked.await {
            Ok(looked) => looked.map_err(wrong),
            Err(error) => Err(Failure::new(Fault::Bug, format!("{shown}: {error}"))),
        }
    }
}

impl Content {
    async fn sha1(&self, call: &Call<'_>) -> Result<String, Failure> {
        Ok(match self {
            Self::Bytes(bytes) => hex(&Sha1::digest(bytes)),
            Self::Local(file) => file.sha1.clone(),
            Self::Remote(path, _) => call.probe.sha1(path).await?,
        })
    }

    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Local(file) => file.size,
            Self::Remote(_, stat) => stat.size,
        }
    }

    /// The source's permission bits, for `preserve`.
    fn mode(&self) -> Option<u32> {
        match self {
            Self::Bytes(_) => None,
            Self::Local(file) => Some(file.mode),
            Self::Remote(_, stat) => Some(stat.mode),
        }
    }

    /// The bytes for a diff; nothing if there are too many.
    async fn bytes(&self, call: &Call<'_>) -> Result<Option<Vec<u8>>, Failure> {
        if self.size() > DIFF_CAP {
            return Ok(None);
        }
        Ok(match self {
            Self::Bytes(bytes) => Some(bytes.clone()),
            Self::Local(file) => tokio::fs::read(&file.path).await.ok(),
            Self::Remote(path, _) => Some(call.probe.read(path, cap()).await?),
        })
    }

    /// Makes `dest` hold it.
    async fn put(&self, change: &Change, dest: &RemotePath, attributes: &Attributes) -> Result<(), Failure> {
        match self {
            Self::Bytes(bytes) => change.write(dest, bytes, attributes).await?,
            Self::Local(file) => {
                let source = tokio::fs::File::open(&file.path).await;
                let source =
                    source.map_err(|error| Failure::new(Fault::Failed, format!("{}: {error}", file.path.display())))?;
                change.upload(dest, source, file.size, &file.sha256, attributes).await?;
            }
            Self::Remote(source, _) => {
                let name = format!(".quorate-{}", ulid::Ulid::new());
                let act = format!("copy {source} to {dest}");
                let ran = change.script(&act, COPY, &[source.as_str(), dest.as_str(), &name], None).await?;
                if !ran.success() {
                    return Err(Failure::new(Fault::Failed, format!("{}: {act}: {}", change.name(), ran.words())));
                }
                if *attributes != Attributes::default() {
                    change.set_attributes(dest, attributes, false).await?;
                }
            }
        }
        Ok(())
    }
}

/// Delivers one file; what changed is added to `diff` if the call wants it.
pub(super) async fn deliver(
    call: &Call<'_>,
    mut order: Delivery<'_>,
    diff: &mut Vec<Diff>,
) -> Result<Delivered, Failure> {
    let mut there = call.probe.stat(&order.dest, false).await?;
    if there.as_ref().is_some_and(|stat| stat.kind == "link") && call.flag("follow") {
        order.dest = call.probe.canonical(&order.dest).await?;
        there = call.probe.stat(&order.dest, false).await?;
    }
    let mut result = Map::new();
    result.insert("dest".to_owned(), Value::from(order.dest.as_str()));
    if let Some(source) = &order.shown_source {
        result.insert("src".to_owned(), Value::from(source.as_str()));
    }
    if let Some(stat) = &there {
        if stat.kind == "directory" {
            return Err(failed(call, &order.dest, "is a folder; expected a file"));
        }
        if !call.flag("force") {
            describe(stat, &mut result);
            return Ok(Delivered { changed: false, result });
        }
    }
    let sum = order.content.sha1(call).await?;
    result.insert("checksum".to_owned(), Value::from(sum.as_str()));
    let file = there.as_ref().filter(|stat| stat.kind == "file");
    let attributes = order.wanted.for_file(file, Sort::File, order.content.mode());
    let same = match file {
        Some(stat) => stat.size == order.content.size() && call.probe.sha1(&order.dest).await? == sum,
        None => false,
    };
    let changed = match file.filter(|_| same) {
        Some(stat) => settle(call, &order.dest, stat, &attributes, diff).await?,
        None => {
            place(call, &order, file, &attributes, &mut result, diff).await?;
            true
        }
    };
    let after = match &call.change {
        Some(_) if changed => call.probe.stat(&order.dest, false).await?,
        _ => there.filter(|_| same),
    };
    match after {
        Some(stat) => describe(&stat, &mut result),
        None => {
            result.insert("state".to_owned(), Value::from("file"));
            result.insert("size".to_owned(), Value::from(order.content.size()));
        }
    }
    Ok(Delivered { changed, result })
}

/// Puts other bytes in place of what is there.
async fn place(
    call: &Call<'_>,
    order: &Delivery<'_>,
    there: Option<&Stat>,
    attributes: &Attributes,
    result: &mut Map<String, Value>,
    diff: &mut Vec<Diff>,
) -> Result<(), Failure> {
    if call.diff {
        diff.extend(contents(call, order, there).await?);
    }
    let Some(change) = &call.change else { return Ok(()) };
    if let Some(command) = call.text("validate") {
        validate(call, change, command, &order.content).await?;
    }
    if call.flag("backup") && there.is_some() {
        let kept = backup(call, change, &order.dest).await?;
        result.insert("backup_file".to_owned(), Value::from(kept.as_str()));
    }
    order.content.put(change, &order.dest, attributes).await
}

/// Contents before and after; nothing if either is binary or too large.
async fn contents(call: &Call<'_>, order: &Delivery<'_>, there: Option<&Stat>) -> Result<Option<Diff>, Failure> {
    let before = match there {
        None => Some(Vec::new()),
        Some(stat) if stat.size > DIFF_CAP => None,
        Some(_) => Some(call.probe.read(&order.dest, cap()).await?),
    };
    let (Some(before), Some(after)) = (before, order.content.bytes(call).await?) else { return Ok(None) };
    Ok(text_diff(&order.dest, before, after))
}

/// The diff of two contents; nothing if either is binary.
pub(super) fn text_diff(path: &RemotePath, before: Vec<u8>, after: Vec<u8>) -> Option<Diff> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    Some(Diff { path: path.to_string(), before: text(before)?, after: text(after)? })
}

/// Runs the operator's command with `%s` as the path of the new file, in a folder that only we can enter.
async fn validate(call: &Call<'_>, change: &Change, command: &str, content: &Content) -> Result<(), Failure> {
    let words = shlex::split(command).filter(|words| words.iter().any(|word| word.contains("%s")));
    let Some(words) = words else {
        return Err(Failure::new(Fault::Failed, format!("validate must contain %s and closed quotes: {command}")));
    };
    let folder = RemotePath::root().join("tmp").join(&format!("quorate-validate-{}", ulid::Ulid::new()));
    let only_we = Attributes { mode: Some(0o700), ..Attributes::default() };
    change.mkdir(&folder, &only_we, false).await?;
    let file = folder.join("new");
    let words: Vec<String> = words.iter().map(|word| word.replace("%s", file.as_str())).collect();
    let only_us = Attributes { mode: Some(0o600), ..Attributes::default() };
    let mut ran = content.put(change, &file, &only_us).await.map(|()| None);
    if ran.is_ok() {
        ran = change
            .run(&words, RunOptions { alone: true, ..RunOptions::default() })
            .await
            .map(Some)
            .map_err(Failure::from);
    }
    let cleaned = change.remove(&folder, true).await;
    match ran?.filter(|ran| !ran.success()) {
        Some(ran) => {
            let mut result = Map::new();
            result.insert("exit_status".to_owned(), Value::from(ran.rc));
            let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes).into_owned());
            result.insert("stdout".to_owned(), text(&ran.stdout));
            result.insert("stderr".to_owned(), text(&ran.stderr));
            let msg = format!("{}: failed to validate: {}\nnothing was changed", call.host, ran.words());
            Err(Failure::new(Fault::Failed, msg).with(result))
        }
        None => Ok(cleaned.map(drop)?),
    }
}

/// Keeps the file under a name with the time, as Ansible names it, and answers that name.
async fn backup(call: &Call<'_>, change: &Change, dest: &RemotePath) -> Result<RemotePath, Failure> {
    let now = jiff::Zoned::now().strftime("%Y-%m-%d@%H:%M:%S").to_string();
    let name = format!("{}.{}.{now}~", dest.name(), std::process::id());
    let kept = dest.parent().join(&name);
    let ran = change.script(&format!("keep {dest}"), KEEP, &[dest.as_str(), kept.as_str()], None).await?;
    if ran.success() { Ok(kept) } else { Err(failed(call, dest, &format!("no backup could be made: {}", ran.words()))) }
}

fn cap() -> usize {
    usize::try_from(DIFF_CAP).unwrap_or(usize::MAX)
}

/// A failed task about a path.
pub(super) fn failed(call: &Call<'_>, path: &RemotePath, what: &str) -> Failure {
    let mut result = Map::new();
    result.insert("path".to_owned(), Value::from(path.as_str()));
    Failure::new(Fault::Failed, format!("{}: {path}: {what}", call.host)).with(result)
}

/// Bytes as small hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
