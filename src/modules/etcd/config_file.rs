//! The configuration file with which a member is started: what it says, where in it, and its text with options said otherwise.

use std::ops::Range;

use crate::etcd::{Becomes, Flags, Key, Shape, is_switch};
use crate::inventory::{Entry, Node, NodeValue, Source, from_yaml};
use crate::modules::Failure;
use crate::remote::{Patch, Probe, RemotePath, longer, patched};

use super::facts::refused;
use super::files::Wanted;
use super::seen::Seen;

/// Its sections, with what their keys begin with as flags (etcd v3.7.3 server/embed/config.go, `securityConfig`, read 2026-11-27).
const SECTIONS: [(&str, &str); 2] = [("client-transport-security", ""), ("peer-transport-security", "peer-")];

/// A key and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPlace {
    /// What it says.
    pub(super) key: Key,
    /// What its name begins with as a flag, by its section.
    prefix: Option<&'static str>,
    /// The bytes of the key.
    key_at: Range<usize>,
    /// Those of the value.
    value_at: Range<usize>,
}

/// What the text of a file says.
///
/// # Errors
/// What is no YAML, or none that etcd reads.
pub(super) fn keys(path: &RemotePath, text: &str) -> Result<Vec<KeyPlace>, String> {
    let source = Source::new(path.as_str(), text);
    let node = from_yaml(&source).map_err(|problem| problem.to_string())?;
    let entries = match &node.value {
        NodeValue::Null => &[],
        _ => node.as_mapping().ok_or_else(|| format!("{path}: expected options with their values"))?,
    };
    let mut all = Vec::new();
    for entry in entries {
        match SECTIONS.iter().find(|(name, _)| *name == entry.key) {
            None => all.extend(of_entry(text, entry, None)),
            Some((_, prefix)) => {
                let inner = entry.value.as_mapping().unwrap_or_default();
                all.extend(inner.iter().filter_map(|entry| of_entry(text, entry, Some(prefix))));
            }
        }
    }
    Ok(all)
}

fn of_entry(text: &str, entry: &Entry, prefix: Option<&'static str>) -> Option<KeyPlace> {
    let name = format!("{}{}", prefix.unwrap_or_default(), entry.key);
    let written = |node: &Node| text.get(node.place.start..node.place.end).unwrap_or_default().trim().to_owned();
    let scalar = |node: &Node| match &node.value {
        NodeValue::Bool(value) if is_switch(&name) => Some(value.to_string()),
        // `off` is a word where no switch is said.
        NodeValue::Bool(_) => Some(written(node)),
        NodeValue::Int(_, text) | NodeValue::Float(_, text) | NodeValue::String(text, _) => Some(text.clone()),
        _ => None,
    };
    let (value, shape) = match &entry.value.value {
        NodeValue::Int(..) | NodeValue::Float(..) => (scalar(&entry.value)?, Shape::Number),
        NodeValue::Sequence(items) => (items.iter().filter_map(scalar).collect::<Vec<_>>().join(","), Shape::List),
        // Nothing said is nothing set.
        _ => (scalar(&entry.value)?, Shape::Text),
    };
    let place = |node: &crate::inventory::Place| node.start..node.end;
    let (key_at, value_at) = (place(&entry.key_place), place(&entry.value.place));
    Some(KeyPlace { key: Key { name, value, shape }, prefix, key_at, value_at })
}

/// The options with what the configuration file says, if one is named; `cwd` is the folder that its name starts from.
///
/// # Errors
/// When the file is not there or not understood.
pub(super) async fn with_file(on: (&Probe, &Seen), cwd: &str, flags: Flags, new: &[Wanted]) -> Result<Flags, Failure> {
    Ok(read(on, cwd, flags, new).await?.0)
}

/// The same, with the file's path and text.
pub(super) async fn read(
    (probe, seen): (&Probe, &Seen),
    cwd: &str,
    flags: Flags,
    new: &[Wanted],
) -> Result<(Flags, Option<(RemotePath, String)>), Failure> {
    let Some(name) = flags.config_file() else { return Ok((flags, None)) };
    let path = path(name, cwd).ok_or_else(|| refused(probe.name(), format!("`{name}` is no path")))?;
    let text = match new.iter().find(|file| file.dest == path) {
        Some(file) => file.text.clone().unwrap_or_default(),
        None => text(probe, seen, &path).await?,
    };
    let keys = keys(&path, &text).map_err(|why| refused(probe.name(), why))?;
    Ok((flags.with_file(keys.into_iter().map(|place| place.key).collect()), Some((path, text))))
}

/// The text of the file on the host.
async fn text(probe: &Probe, seen: &Seen, path: &RemotePath) -> Result<String, Failure> {
    let bytes = seen.bytes(probe, path).await.map_err(|error| refused(probe.name(), error))?;
    String::from_utf8(bytes).map_err(|_| refused(probe.name(), format!("{path} is no UTF-8 text")))
}

/// Where the file lies.
fn path(name: &str, cwd: &str) -> Option<RemotePath> {
    let path = if name.starts_with('/') { name.to_owned() } else { format!("{cwd}/{name}") };
    RemotePath::from_absolute(&path)
}

impl KeyPlace {
    /// What is to be done to the text; `None` where it is not plainly written.
    pub(super) fn patches(&self, text: &str, becomes: &Becomes) -> Option<Vec<Patch>> {
        let patch = |range: Range<usize>, text: String| Patch { range, text };
        let line = text.get(..self.key_at.start)?.rfind('\n').map_or(0, |at| at + 1);
        let indent = text.get(line..self.key_at.start)?;
        let alone = indent.chars().all(|c| c == ' ');
        let written = text.get(self.value_at.clone())?.trim_end();
        let value_at = self.value_at.start..self.value_at.start + written.len();
        let end = text.get(value_at.end..)?.find('\n').map_or(text.len(), |at| value_at.end + at + 1);
        match becomes {
            Becomes::Nothing => {
                // Only where nothing else stands in its lines but a comment.
                let rest = text.get(value_at.end..end)?.trim();
                (alone && (rest.is_empty() || rest.starts_with('#'))).then(|| vec![patch(line..end, String::new())])
            }
            Becomes::Longer(more) => Some(vec![patch(value_at, longer(written, more))]),
            Becomes::Other { name, value, also } => {
                let old = self.key.name.strip_prefix(self.prefix.unwrap_or_default())?;
                // A section's key stays in it, and one outside stays outside.
                let own = |name: &str| match self.prefix {
                    Some(prefix) => name.strip_prefix(prefix).map(str::to_owned),
                    None => Some(name.to_owned()),
                };
                if self.prefix.is_none() && *name == "peer-skip-client-san-verification" {
                    return None;
                }
                let key = text.get(self.key_at.clone())?;
                let new = own(name)?;
                let key = key.contains(old).then(|| key.replacen(old, &new, 1))?;
                let mut patches = vec![patch(self.key_at.clone(), key)];
                patches.extend(value.as_ref().map(|value| patch(value_at.clone(), value.clone())));
                if let Some((name, value)) = also {
                    let name = own(name)?;
                    patches.push(match alone {
                        true => patch(line..line, format!("{indent}{name}: {value}\n")),
                        false => patch(self.key_at.start..self.key_at.start, format!("{name}: {value}, ")),
                    });
                }
                Some(patches)
            }
        }
    }
}

/// What quorate writes behind the snapshot count that it sets for a while, and before the one that it takes the place of.
const FOR_A_WHILE: &str = "# zz-quorate-snapshots";

/// The line before which a key can be put: the first of a plain mapping.
fn first_line(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() && !line.starts_with(['#', '%']) && line.trim_end() != "---" {
            return (!line.starts_with(['{', ' ', '['])).then_some(at);
        }
        at += line.len();
    }
    None
}

/// The text with that snapshot count until the next hop; one that it says stays in a comment. `None` where the text is not that of a plain
/// mapping.
pub(super) fn with_snapshots(path: &RemotePath, text: &str, every: u64) -> Option<String> {
    let text = without_snapshots(text);
    let mut patches = vec![Patch {
        range: first_line(&text).map(|at| at..at)?,
        text: format!("snapshot-count: {every} {FOR_A_WHILE}, put here by quorate until the next hop of an upgrade\n"),
    }];
    let keys = keys(path, &text).ok()?;
    for place in keys.iter().filter(|place| place.prefix.is_none() && place.key.name == "snapshot-count") {
        let at = place.key_at.start;
        let one_line = !text.get(at..place.value_at.end)?.trim_end().contains('\n');
        if !one_line || !(at == 0 || text.get(..at)?.ends_with('\n')) {
            return None;
        }
        patches.push(Patch { range: at..at, text: format!("{FOR_A_WHILE}: ") });
    }
    patched(&text, patches)
}

/// The text as it was before, byte for byte.
pub(super) fn without_snapshots(text: &str) -> String {
    let own = |line: &&str| !(line.starts_with("snapshot-count: ") && line.contains(FOR_A_WHILE));
    let before = format!("{FOR_A_WHILE}: ");
    text.split_inclusive('\n').filter(own).map(|line| line.strip_prefix(&before).unwrap_or(line)).collect()
}

/// The text with one more key; `None` where its end is not that of a plain mapping.
pub(super) fn with_key(text: &str, name: &str, value: &str) -> Option<String> {
    first_line(text)?;
    if text.lines().any(|line| line == "...") {
        return None;
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    Some(format!("{text}{end}{name}: {value}\n"))
}

#[cfg(test)]
mod tests;
