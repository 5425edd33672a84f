//! Mode, owner and group as file modules take and give them.
//!
//! Differs from Ansible: a symbolic mode must say whom it is for (`u=rw,g=r`, never `+x`), since what it means otherwise
//! hangs on the umask of a shell that nobody sees; for a new file it starts from 0644, for a new folder from 0755.
//! `attributes` (chattr) and SELinux contexts are not offered.

use serde_json::{Map, Value};

use crate::events::{Diff, Fault};
use crate::inventory::{Node, NodeValue, Problem};
use crate::remote::{Attributes, RemotePath, Stat};

use super::arguments::is_template;
use super::table::{Argument, Shape};
use super::{Call, Failure};

pub(super) const MODE: Argument =
    Argument::new("mode", Shape::Any, "permission bits: '0644', a YAML octal 0644, or symbolic u=rw,g=r");
pub(super) const OWNER: Argument = Argument::new("owner", Shape::Text, "the owner's name or number");
pub(super) const GROUP: Argument = Argument::new("group", Shape::Text, "the group's name or number");

/// What a task wants of a file's attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) mode: Option<Mode>,
    pub(super) owner: Option<String>,
    pub(super) group: Option<String>,
}

/// Permission bits as a task gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// These.
    Bits(u32),
    /// What chmod would make of the ones that are there; sound, and each clause says whom it is for.
    Symbolic(String),
    /// Those of the source.
    Preserve,
}

/// Of a file, or of a folder: `X` tells them apart, and what a new one starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    File,
    Folder,
}

impl Sort {
    /// What a new one has under the usual umask of 022.
    fn fresh(self) -> u32 {
        if self == Self::File { 0o644 } else { 0o755 }
    }
}

impl Mode {
    /// Reads a mode; text is octal or symbolic, a number is the bits themselves (YAML has read 0644 as octal already).
    pub(super) fn from_value(value: &Value) -> Result<Self, String> {
        let wrong = || format!("mode {value} is neither octal ('0644') nor symbolic ('u=rw,g=r')");
        match value {
            Value::Number(number) => {
                let bits = number.as_u64().and_then(|bits| u32::try_from(bits).ok());
                bits.filter(|bits| *bits <= 0o7777).map(Self::Bits).ok_or_else(wrong)
            }
            Value::String(text) if text == "preserve" => Ok(Self::Preserve),
            Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                let bits = u32::from_str_radix(text, 8).ok();
                bits.filter(|bits| *bits <= 0o7777).map(Self::Bits).ok_or_else(wrong)
            }
            Value::String(text) => {
                applied(text, 0, Sort::File).ok_or_else(wrong)?;
                Ok(Self::Symbolic(text.clone()))
            }
            _ => Err(wrong()),
        }
    }

    /// The bits, where the file has `now` (nothing: it is new) and the source has `source`.
    pub(super) fn bits(&self, now: Option<u32>, sort: Sort, source: Option<u32>) -> Option<u32> {
        match self {
            Self::Bits(bits) => Some(*bits),
            Self::Symbolic(text) => applied(text, now.unwrap_or_else(|| sort.fresh()), sort),
            Self::Preserve => source,
        }
    }
}

/// A symbolic mode applied to `bits`, as chmod(1) does it; nothing if it is none, or does not say whom it is for.
fn applied(text: &str, bits: u32, sort: Sort) -> Option<u32> {
    text.split(',').try_fold(bits, |bits, clause| {
        let at = clause.find(['=', '+', '-']).filter(|at| *at > 0)?;
        let (who, mut rest) = clause.split_at_checked(at)?;
        if !who.chars().all(|c| "ugoa".contains(c)) {
            return None;
        }
        let mut bits = bits;
        while let Some(operator) = rest.chars().next() {
            let after = rest.get(1..)?;
            let end = after.find(['=', '+', '-']).unwrap_or(after.len());
            let (rights, further) = after.split_at_checked(end)?;
            let (value, mask) = rights_of(rights, who, bits, sort)?;
            bits = match operator {
                '=' => (bits & !mask) | value,
                '+' => bits | value,
                _ => bits & !value,
            };
            rest = further;
        }
        Some(bits)
    })
}

/// The bits that `rights` mean for `who`, and all that `=` would replace.
fn rights_of(rights: &str, who: &str, bits: u32, sort: Sort) -> Option<(u32, u32)> {
    let copied = match rights {
        "u" => Some((bits >> 6) & 7),
        "g" => Some((bits >> 3) & 7),
        "o" => Some(bits & 7),
        _ => None,
    };
    let (mut value, mut mask) = (0, 0);
    for (letter, shift, special) in [('u', 6, 0o4000), ('g', 3, 0o2000), ('o', 0, 0)] {
        if !who.contains(letter) && !who.contains('a') {
            continue;
        }
        // GNU chmod leaves a folder's setuid and setgid alone unless they are named (chmod(1)).
        mask |= (7 << shift) | if sort == Sort::File { special } else { 0 };
        if let Some(copied) = copied {
            value |= copied << shift;
            continue;
        }
        for right in rights.chars() {
            value |= match right {
                'r' => 4 << shift,
                'w' => 2 << shift,
                'x' => 1 << shift,
                'X' if sort == Sort::Folder || bits & 0o111 != 0 => 1 << shift,
                'X' => 0,
                's' => special,
                't' => 0o1000,
                _ => return None,
            };
        }
    }
    Some((value, mask))
}

impl Wanted {
    /// What the call's arguments want.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Failure> {
        Self::with_mode(call, "mode")
    }

    /// The same with the mode under another name (`directory_mode`).
    pub(super) fn with_mode(call: &Call<'_>, name: &str) -> Result<Self, Failure> {
        let mode = call.args.get(name).map(Mode::from_value).transpose();
        Ok(Self {
            mode: mode.map_err(|why| Failure::new(Fault::Failed, why))?,
            owner: call.text("owner").map(ToOwned::to_owned),
            group: call.text("group").map(ToOwned::to_owned),
        })
    }

    /// For a file with these attributes (none: a new one), copied from one with the mode `source`.
    pub(super) fn for_file(&self, now: Option<&Stat>, sort: Sort, source: Option<u32>) -> Attributes {
        Attributes {
            mode: self.mode.as_ref().and_then(|mode| mode.bits(now.map(|stat| stat.mode), sort, source)),
            owner: self.owner.clone(),
            group: self.group.clone(),
        }
    }
}

/// Gives what is at `path` the attributes unless it has them; answers whether anything was, or would be, changed.
pub(super) async fn settle(
    call: &Call<'_>,
    path: &RemotePath,
    now: &Stat,
    want: &Attributes,
    diff: &mut Vec<Diff>,
) -> Result<bool, Failure> {
    let same = |want: Option<&String>, name: &str, id: u32| want.is_none_or(|w| w == name || *w == id.to_string());
    let mode = want.mode.filter(|mode| *mode != now.mode);
    let owned = same(want.owner.as_ref(), &now.owner, now.uid) && same(want.group.as_ref(), &now.group, now.gid);
    if mode.is_none() && owned {
        return Ok(false);
    }
    // Also says if there is no such user, which a check run must not find out by trying.
    if !call.probe.differs(path, want, false).await? {
        return Ok(false);
    }
    if let Some(change) = &call.change {
        change.set_attributes(path, want, false).await?;
    }
    if call.diff {
        diff.push(Diff { path: path.to_string(), before: lines(now, want, false), after: lines(now, want, true) });
    }
    Ok(true)
}

/// The attributes that a task wants, one a line, before or after.
fn lines(now: &Stat, want: &Attributes, after: bool) -> String {
    let mut text = String::new();
    let mut line = |name: &str, before: String, wanted: Option<String>| {
        if let Some(wanted) = wanted {
            text.push_str(&format!("{name}: {}\n", if after { wanted } else { before }));
        }
    };
    let known = |name: &str, id: u32| if name.is_empty() { id.to_string() } else { name.to_owned() };
    line("mode", format!("{:04o}", now.mode), want.mode.map(|mode| format!("{mode:04o}")));
    line("owner", known(&now.owner, now.uid), want.owner.clone());
    line("group", known(&now.group, now.gid), want.group.clone());
    text
}

/// The return values that all file modules share.
pub(super) fn describe(stat: &Stat, result: &mut Map<String, Value>) {
    let known = |name: &str, id: u32| if name.is_empty() { Value::from(id.to_string()) } else { Value::from(name) };
    result.insert("mode".to_owned(), Value::from(format!("{:04o}", stat.mode)));
    result.insert("owner".to_owned(), known(&stat.owner, stat.uid));
    result.insert("group".to_owned(), known(&stat.group, stat.gid));
    result.insert("uid".to_owned(), Value::from(stat.uid));
    result.insert("gid".to_owned(), Value::from(stat.gid));
    result.insert("size".to_owned(), Value::from(stat.size));
    let state = if stat.kind == "file" && stat.links > 1 { "hard" } else { stat.kind };
    result.insert("state".to_owned(), Value::from(state));
}

/// A path argument as a path on the host.
pub(super) fn remote_path(call: &Call<'_>, name: &str) -> Result<Option<RemotePath>, Failure> {
    let Some(text) = call.text(name) else { return Ok(None) };
    let path = RemotePath::from_absolute(text);
    path.map(Some).ok_or_else(|| {
        Failure::new(Fault::Failed, format!("`{name}` must be an absolute path without `..`, not `{text}`"))
    })
}

/// The same for one that must be given.
pub(super) fn needed_path(call: &Call<'_>, name: &str) -> Result<RemotePath, Failure> {
    remote_path(call, name)?.ok_or_else(|| Failure::new(Fault::Failed, format!("`{name}` is missing")))
}

/// What is wrong on paper with the modes of a task, and with `names`, which are paths on the host.
pub(super) fn check_written(args: &Node, names: &[&str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for name in ["mode", "directory_mode"] {
        let Some(node) = args.get(name) else { continue };
        match &node.value {
            NodeValue::Int(_, text) if !text.starts_with('0') => {
                let what = format!("{name}: {text} is a decimal number, which no mode is meant to be");
                problems.push(Problem::new(&node.place, what).help(format!("write '0{text}', in quotes")));
            }
            NodeValue::String(text, _) if is_template(text) => {}
            NodeValue::Null => {}
            _ => problems.extend(Mode::from_value(&node.to_json()).err().map(|why| Problem::new(&node.place, why))),
        }
    }
    for node in names.iter().filter_map(|name| args.get(name)) {
        let Some(text) = node.as_str().filter(|text| !is_template(text)) else { continue };
        if RemotePath::from_absolute(text).is_none() {
            let what = format!("`{text}` is no absolute path without `..`");
            problems.push(Problem::new(&node.place, what).help("a path on the host starts with `/`"));
        }
    }
    problems
}

#[cfg(test)]
mod tests;
