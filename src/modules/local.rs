//! Files of the control machine that a task names: where they are looked for, and what can be wrong with them on paper.

use std::path::{Path, PathBuf};

use crate::events::Fault;
use crate::inventory::{Node, Problem};

use super::Failure;
use super::arguments::is_template;

/// Where a local name is looked for: as it is if absolute, else in `folder` (`files`, `templates`) beside the playbook and
/// beside the playbook itself, as Ansible does outside of roles.
fn candidates(playbook_dir: &Path, folder: &str, name: &str) -> Vec<PathBuf> {
    let path = Path::new(name);
    if path.is_absolute() {
        return vec![path.to_path_buf()];
    }
    vec![playbook_dir.join(folder).join(path), playbook_dir.join(path)]
}

/// The local file or folder of that name.
pub(super) fn find(playbook_dir: &Path, folder: &str, name: &str) -> Result<PathBuf, Failure> {
    let tried = candidates(playbook_dir, folder, name);
    if let Some(found) = tried.iter().find(|path| path.exists()) {
        return Ok(found.clone());
    }
    Err(Failure::new(Fault::Failed, not_found(name, &tried)))
}

fn not_found(name: &str, tried: &[PathBuf]) -> String {
    let tried: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
    format!("could not find `{name}` on this machine; looked at {}", tried.join(" and "))
}

/// The local file that an argument names, if that can be known on paper, or what is wrong with it: missing, not readable, or
/// neither a regular file nor (where they may be) a folder.
pub(super) fn written(
    args: &Node,
    key: &str,
    folder: &str,
    dir: &Path,
    folders: bool,
) -> Option<Result<PathBuf, Problem>> {
    let node = args.get(key)?;
    let name = node.as_str().filter(|name| !is_template(name))?;
    let problem = |what: String| Some(Err(Problem::new(&node.place, what)));
    let tried = candidates(dir, folder, name);
    let Some(found) = tried.iter().find(|path| path.exists()) else { return problem(not_found(name, &tried)) };
    if found.is_dir() {
        let what = format!("{} is a folder; expected a regular file", found.display());
        return if folders { Some(Ok(found.clone())) } else { problem(what) };
    }
    if !found.is_file() {
        return problem(format!("{} is not a regular file", found.display()));
    }
    match std::fs::File::open(found) {
        Ok(_) => Some(Ok(found.clone())),
        Err(error) => problem(format!("{}: {error}", found.display())),
    }
}
