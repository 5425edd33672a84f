//! `group_vars/` and `host_vars/`, beside the inventory and beside the playbook.
//!
//! The rules are those of ansible-core 2.21 (`plugins/vars/host_group_vars.py`, `parsing/dataloader.py:find_vars_files`).

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::file::{self, InventoryError};
use super::hosts::{Inventory, Vars, Warning};
use super::load::{is_host_list, sorted};
use super::{Entry, NodeValue, Problem, from_yaml, groups, names};

/// Folders in each other below one name; a link to a parent folder would be endless otherwise.
const FOLDER_DEPTH: usize = 16;

/// Reads the variables of every host and group.
///
/// # Errors
/// The first file that can't be read or is no mapping.
pub(super) fn read_into(
    inventory: &mut Inventory,
    sources: &[PathBuf],
    playbook_dir: Option<&Path>,
    warnings: &mut Vec<Warning>,
) -> Result<(), InventoryError> {
    for base in inventory_bases(sources) {
        let groups = Folder::open(base.join("group_vars"))?;
        let hosts = Folder::open(base.join("host_vars"))?;
        for (name, group) in &mut inventory.groups {
            group.files.inventory.push(groups.vars_of(name, warnings)?);
        }
        for (name, host) in &mut inventory.hosts {
            host.files.inventory.push(hosts.vars_of(name, warnings)?);
        }
    }
    let Some(base) = playbook_dir else { return Ok(()) };
    let groups = Folder::open(base.join("group_vars"))?;
    let hosts = Folder::open(base.join("host_vars"))?;
    for (name, group) in &mut inventory.groups {
        group.files.playbook = groups.vars_of(name, warnings)?;
    }
    for (name, host) in &mut inventory.hosts {
        host.files.playbook = hosts.vars_of(name, warnings)?;
    }
    Ok(())
}

/// The folders beside which variables are looked for: a folder source itself, else the folder that a file is in.
///
/// One that comes twice counts at its later position, where it would have the last word anyway.
fn inventory_bases(sources: &[PathBuf]) -> Vec<PathBuf> {
    let mut bases: Vec<PathBuf> = Vec::new();
    for source in sources.iter().filter(|source| !is_host_list(source)) {
        let base = match source.parent() {
            _ if source.is_dir() => source.clone(),
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        bases.retain(|known| *known != base);
        bases.push(base);
    }
    bases
}

/// A `group_vars` or `host_vars` folder with the names in it, so that 10 000 hosts cost no look at the disk each.
struct Folder {
    path: PathBuf,
    names: HashSet<OsString>,
}

impl Folder {
    fn open(path: PathBuf) -> Result<Self, InventoryError> {
        let mut names = HashSet::new();
        if path.is_dir() {
            names.extend(sorted(&path)?.iter().filter_map(|entry| entry.file_name().map(OsString::from)));
        }
        Ok(Self { path, names })
    }

    /// The variables of one name: of the first there is of `name`, `name.yml`, `name.yaml`, `name.json`, and of no other.
    fn vars_of(&self, name: &str, warnings: &mut Vec<Warning>) -> Result<Vars, InventoryError> {
        let mut vars = Vars::new();
        let candidates = ["", ".yml", ".yaml", ".json"].map(|ending| format!("{name}{ending}"));
        let mut there =
            candidates.iter().filter(|candidate| self.names.contains(OsString::from(candidate).as_os_str()));
        let Some(first) = there.next() else { return Ok(vars) };
        let path = self.path.join(first);
        for shadowed in there {
            let shadowed = self.path.join(shadowed);
            let message = format!("{} is not read, since {} is there", shadowed.display(), path.display());
            warnings.push(Warning { message, place: None });
        }
        if path.is_dir() {
            read_folder(&path, 0, &mut vars)?
        } else {
            read_file(&path, &mut vars)?
        }
        Ok(vars)
    }
}

/// All variables files of a folder in order, the last one wins; folders in it too, unless their name has a dot.
fn read_folder(folder: &Path, depth: usize, vars: &mut Vars) -> Result<(), InventoryError> {
    if depth > FOLDER_DEPTH {
        let message = format!("more than {FOLDER_DEPTH} folders in each other");
        return Err(InventoryError::file(folder, message, "look for a link that leads back up"));
    }
    for path in sorted(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        if path.is_dir() {
            if extension.is_none() {
                read_folder(&path, depth + 1, vars)?;
            }
        } else if matches!(extension.as_deref(), None | Some("yml" | "yaml" | "json")) {
            read_file(&path, vars)?;
        }
    }
    Ok(())
}

fn read_file(path: &Path, vars: &mut Vars) -> Result<(), InventoryError> {
    let root = from_yaml(&file::read(path, false)?.source)?;
    let entries = match root.value {
        NodeValue::Null => return Ok(()),
        NodeValue::Mapping(entries) => entries,
        _ => {
            let message = format!("a variables file is a mapping, this is {}", groups::kind(&root));
            return Err(Problem::new(&root.place, message).into());
        }
    };
    for Entry { key, key_place, value } in entries {
        names::check_key(&key, &key_place, &value)?;
        names::check_port(&key, &value)?;
        vars.insert(key, value);
    }
    Ok(())
}
