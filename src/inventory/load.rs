//! From `-i` to an inventory: which reader takes which source, and in which order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::hosts_from;
use super::file::{self, Input, InventoryError};
use super::hosts::{Inventory, Warning};
use super::{Node, NodeValue, Place, Problem, Source, from_yaml, groups, ini, vars_files};

/// Folders in each other within a folder source; a link to a parent folder would be endless otherwise.
const FOLDER_DEPTH: usize = 16;

/// Endings that a folder source passes over (ansible-core 2.21: `REJECT_EXTS` and `INVENTORY_IGNORE_EXTS`).
const IGNORED_ENDINGS: [&str; 11] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg"];

impl Inventory {
    /// Reads all sources, in order, into one inventory, with the variables beside them and beside the playbook.
    ///
    /// A source is a file (INI, YAML or JSON), a folder of such files, or a host list with a comma in it (`h1,h2:2222,`).
    ///
    /// # Errors
    /// Anything that is wrong in any of them. Ansible warns and goes on with what it has read so far; quorate does not, since
    /// a cluster with some of its members missing looks healthy.
    pub fn load(sources: &[PathBuf], playbook_dir: Option<&Path>) -> Result<(Self, Vec<Warning>), InventoryError> {
        let mut loader = Loader { inventory: Self::new(), warnings: Vec::new() };
        for source in sources {
            loader.source(source)?;
        }
        let Loader { mut inventory, mut warnings } = loader;
        let nowhere = Place::new(&Source::new("<inventory>", ""), 0, 0);
        inventory.settle(&nowhere)?;
        vars_files::read_into(&mut inventory, sources, playbook_dir, &mut warnings)?;
        inventory.look_over(&mut warnings);
        Ok((inventory, warnings))
    }
}

/// Whether that source is a host list and not a path.
pub(super) fn is_host_list(source: &Path) -> bool {
    source.to_string_lossy().contains(',') && !source.exists()
}

struct Loader {
    inventory: Inventory,
    warnings: Vec<Warning>,
}

impl Loader {
    fn source(&mut self, source: &Path) -> Result<(), InventoryError> {
        if is_host_list(source) {
            return Ok(self.host_list(source)?);
        }
        if !source.exists() {
            let help = "a host list needs a comma, also for one host: `-i h1,`";
            return Err(InventoryError::file(source, "no such inventory file or folder", help));
        }
        if source.is_dir() { self.folder(source, 0) } else { self.file(source) }
    }

    /// All files of a folder in the byte order of their names, its folders too.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), InventoryError> {
        if depth > FOLDER_DEPTH {
            let message = format!("more than {FOLDER_DEPTH} folders in each other");
            return Err(InventoryError::file(folder, message, "look for a link that leads back up"));
        }
        for path in sorted(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let passed_over = name.starts_with('.')
                || matches!(name.as_str(), "group_vars" | "host_vars" | "vars_plugins")
                || name.ends_with(".retry")
                || IGNORED_ENDINGS.iter().any(|ending| name.ends_with(ending));
            if passed_over {
                continue;
            }
            if path.is_dir() { self.folder(&path, depth + 1)? } else { self.file(&path)? }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), InventoryError> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        if extension.as_deref() == Some("toml") {
            return Err(InventoryError::file(path, "TOML inventories are not supported", "write it as YAML or INI"));
        }
        let yaml = matches!(extension.as_deref(), Some("yml" | "yaml" | "json"));
        let Input { source, executable } = file::read(path, !yaml)?;
        if executable && source.text.starts_with("#!") {
            let help = "write its hosts down in a file; or run `chmod -x` if it is no program";
            return Err(InventoryError::file(path, "executable inventories are not supported", help));
        }
        let absolute = std::path::absolute(path).map_err(InventoryError::read(path))?;
        if yaml {
            let root = from_yaml(&source)?;
            return Ok(self.yaml(&root, &absolute)?);
        }
        // A file without an extension is YAML if it reads as a mapping, and INI otherwise.
        if extension.is_none() {
            match from_yaml(&source) {
                Ok(root) if root.as_mapping().is_some_and(|entries| !entries.is_empty()) => {
                    return Ok(self.yaml(&root, &absolute)?);
                }
                Err(problem) if source.text.starts_with("---") => return Err(problem.into()),
                Ok(_) | Err(_) => {}
            }
        }
        ini::read_into(&mut self.inventory, &source, &absolute, &mut self.warnings).map_err(InventoryError::Text)
    }

    fn yaml(&mut self, root: &Node, file: &Path) -> Result<(), Problem> {
        match &root.value {
            NodeValue::Null => Ok(()),
            NodeValue::Mapping(entries) if entries.is_empty() => Ok(()),
            _ => groups::read_into(&mut self.inventory, root, file, &mut self.warnings),
        }
    }

    /// `a,b:22,`: names without ranges.
    fn host_list(&mut self, list: &Path) -> Result<(), Problem> {
        let text = list.to_string_lossy().into_owned();
        let source: Arc<Source> = Source::new("<host list>", text.clone());
        let mut start = 0;
        for part in text.split(',') {
            let name = part.trim();
            let at = start + (part.len() - part.trim_start().len());
            start += part.len() + 1;
            if name.is_empty() {
                continue;
            }
            let place = Place::new(&source, at, at + name.len());
            if name.contains(['[', ']']) && !name.starts_with('[') {
                return Err(Problem::new(&place, "a host list takes no ranges").help("write the range into a file"));
            }
            let hosts = hosts_from(name, &place)?;
            for host in &hosts.names {
                if self.inventory.host(host).is_none() {
                    self.inventory.add_host(host, "ungrouped", hosts.port.as_ref(), &place, list)?;
                }
            }
        }
        Ok(())
    }
}

/// The paths in a folder, in the byte order of their names.
pub(super) fn sorted(folder: &Path) -> Result<Vec<PathBuf>, InventoryError> {
    let entries = std::fs::read_dir(folder).map_err(InventoryError::read(folder))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(InventoryError::read(folder))?.path());
    }
    paths.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(paths)
}

#[cfg(test)]
mod tests;
