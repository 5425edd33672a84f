//! Attributes of a folder with all in it.

use crate::events::Fault;
use crate::remote::{Attributes, RemotePath, RunOptions};

use super::super::attributes::{Mode, Sort, Wanted};
use super::super::{Call, Failure};

/// Kind and permission bits of each; links have no mode of their own.
const MODES: &str = r#"exec find "$1" ! -type l -printf '%y %m\n'"#;
/// chmod itself knows what `X` means for each.
const CHMOD: &str = r#"exec find "$1" ! -type l -exec chmod -c -- "$2" {} +"#;

/// Some 2 million entries: a data directory of etcd has below a hundred, the largest source trees 100,000.
const CAP: usize = 16 * 1024 * 1024;

/// Gives all in the folder the attributes; answers whether anything was, or would be, changed.
pub(super) async fn settle(call: &Call<'_>, path: &RemotePath, wanted: &Wanted) -> Result<bool, Failure> {
    let plain = Attributes {
        mode: match &wanted.mode {
            Some(Mode::Bits(bits)) => Some(*bits),
            _ => None,
        },
        owner: wanted.owner.clone(),
        group: wanted.group.clone(),
    };
    let mut changed = plain != Attributes::default() && call.probe.differs(path, &plain, true).await?;
    if let (true, Some(change)) = (changed, &call.change) {
        change.set_attributes(path, &plain, true).await?;
    }
    if let Some(Mode::Symbolic(text)) = &wanted.mode
        && symbolic_differs(call, path, wanted).await?
    {
        changed = true;
        if let Some(change) = &call.change {
            let act = format!("chmod {text} of all in {path}");
            let ran = change.script(&act, CHMOD, &[path.as_str(), text], None).await?;
            if !ran.success() {
                return Err(Failure::new(Fault::Failed, format!("{}: {act}: {}", call.host, ran.words())));
            }
        }
    }
    Ok(changed)
}

async fn symbolic_differs(call: &Call<'_>, path: &RemotePath, wanted: &Wanted) -> Result<bool, Failure> {
    let act = format!("modes of all in {path}");
    let options = RunOptions { cap: Some(CAP), ..RunOptions::default() };
    let ran = call.probe.script_with(&act, MODES, &[path.as_str()], options).await?;
    if !ran.success() || ran.cut {
        return Err(Failure::new(Fault::Failed, format!("{}: {act}: {}", call.host, ran.words())));
    }
    let text = String::from_utf8_lossy(&ran.stdout);
    Ok(text.lines().any(|line| {
        let Some((kind, now)) = line.split_once(' ') else { return true };
        let Ok(now) = u32::from_str_radix(now, 8) else { return true };
        let sort = if kind == "d" { Sort::Folder } else { Sort::File };
        wanted.mode.as_ref().and_then(|mode| mode.bits(Some(now), sort, None)) != Some(now)
    }))
}
