//! A YAML or JSON inventory: groups of `hosts`, `children` and `vars`, as Ansible's `yaml` plugin reads them (ansible-core 2.21).

use std::path::Path;

use super::entry::hosts_from;
use super::hosts::{Inventory, Warning};
use super::scalar::resolve;
use super::{Entry, Node, NodeValue, Problem, names, nearest};

/// What a group may hold.
const SECTIONS: [&str; 3] = ["hosts", "children", "vars"];

/// Reads the groups at the top of a file into the inventory.
///
/// Where Ansible warns and goes on without a part of the file (a group that is no mapping, a slip in `hosts:`), this refuses:
/// hosts that are silently missing are no members of a cluster.
///
/// # Errors
/// The first thing that is not as it should be.
pub(super) fn read_into(
    inventory: &mut Inventory,
    root: &Node,
    file: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<(), Problem> {
    let Some(entries) = root.as_mapping() else {
        return Err(Problem::new(&root.place, format!("an inventory is a mapping of groups, this is {}", kind(root))));
    };
    if let Some(plugin) = root.get("plugin") {
        return Err(Problem::new(&plugin.place, "inventory plugins are not supported")
            .help("write the hosts down: `ansible-inventory --list --yaml` prints them"));
    }
    let mut reader = Reader { inventory, file, warnings };
    entries.iter().try_for_each(|entry| reader.group(entry))
}

struct Reader<'i> {
    inventory: &'i mut Inventory,
    file: &'i Path,
    warnings: &'i mut Vec<Warning>,
}

impl Reader<'_> {
    fn group(&mut self, entry: &Entry) -> Result<(), Problem> {
        let name = text_key(entry, "group")?;
        let sections = match &entry.value.value {
            NodeValue::Null => &[],
            NodeValue::Mapping(sections) => sections.as_slice(),
            _ => {
                let message =
                    format!("group `{}` must be a mapping, this is {}", names::visible(name), kind(&entry.value));
                return Err(Problem::new(&entry.value.place, message).help("hosts of a group stand below its `hosts:`"));
            }
        };
        self.inventory.add_group(name, &entry.key_place)?;
        for section in sections {
            match section.key.as_str() {
                "vars" => self.vars(name, section)?,
                "children" => self.children(name, section)?,
                "hosts" => self.hosts(name, section)?,
                _ => self.unknown(name, section)?,
            }
        }
        Ok(())
    }

    fn vars(&mut self, group: &str, section: &Entry) -> Result<(), Problem> {
        for var in members(section)?.iter() {
            self.inventory.set_group_var(group, &var.key, &var.key_place, var.value.clone(), self.warnings)?;
        }
        Ok(())
    }

    fn children(&mut self, group: &str, section: &Entry) -> Result<(), Problem> {
        for child in members(section)?.iter() {
            self.group(child)?;
            self.inventory.add_child(group, &child.key, &child.key_place);
        }
        Ok(())
    }

    fn hosts(&mut self, group: &str, section: &Entry) -> Result<(), Problem> {
        for entry in members(section)?.iter() {
            let place = &entry.key_place;
            let hosts = hosts_from(text_key(entry, "host")?, place)?;
            hosts.warn_if_empty(place, self.warnings);
            let vars = match &entry.value.value {
                NodeValue::Null => &[],
                NodeValue::Mapping(vars) => vars.as_slice(),
                _ => {
                    let message = format!(
                        "host `{}` must hold variables, this is {}",
                        names::visible(&entry.key),
                        kind(&entry.value)
                    );
                    return Err(Problem::new(&entry.value.place, message));
                }
            };
            for name in &hosts.names {
                self.inventory.add_host(name, group, hosts.port.as_ref(), place, self.file)?;
                for var in vars {
                    self.inventory.set_host_var(name, &var.key, &var.key_place, var.value.clone())?;
                }
            }
        }
        Ok(())
    }

    /// A key that Ansible skips with a warning; a slip of one that it knows is refused.
    fn unknown(&mut self, group: &str, section: &Entry) -> Result<(), Problem> {
        let message = format!("unknown key `{}` in group `{}`", names::visible(&section.key), names::visible(group));
        if let Some(meant) = nearest(&section.key, SECTIONS) {
            return Err(Problem::new(&section.key_place, message).help(format!("did you mean `{meant}`?")));
        }
        let message = format!("{message}: skipped, a group holds `hosts`, `children` and `vars`");
        self.warnings.push(Warning { message, place: Some(section.key_place.clone()) });
        Ok(())
    }
}

/// The entries of a section; one word stands for itself without a value, as in Ansible.
fn members(section: &Entry) -> Result<std::borrow::Cow<'_, [Entry]>, Problem> {
    match &section.value.value {
        NodeValue::Null => Ok([].as_slice().into()),
        NodeValue::Mapping(entries) => Ok(entries.as_slice().into()),
        NodeValue::String(text, _) => {
            let place = &section.value.place;
            let value = Node::new(place, NodeValue::Null);
            Ok(vec![Entry { key: text.clone(), key_place: place.clone(), value }].into())
        }
        _ => {
            let message = format!("`{}` must be a mapping, this is {}", section.key, kind(&section.value));
            Err(Problem::new(&section.value.place, message)
                .help("each name is a key: `name:` with a colon, and no `-` before it"))
        }
    }
}

/// The name in a key, which must be text for Ansible: `1:` is a number, `"1":` is a name.
fn text_key<'e>(entry: &'e Entry, what: &str) -> Result<&'e str, Problem> {
    let written = entry.key_place.source.text.get(entry.key_place.start..entry.key_place.end).unwrap_or_default();
    if written == entry.key && !matches!(resolve(&entry.key), NodeValue::String(..)) {
        let message = format!("the {what} `{}` must be text", entry.key);
        return Err(Problem::new(&entry.key_place, message).help(format!("put it in quotes: \"{}\"", entry.key)));
    }
    Ok(&entry.key)
}

/// What a value is, in words.
pub(super) fn kind(node: &Node) -> &'static str {
    match node.value {
        NodeValue::Null => "nothing",
        NodeValue::Bool(_) => "a bool",
        NodeValue::Int(..) | NodeValue::Float(..) => "a number",
        NodeValue::String(..) => "text",
        NodeValue::Sequence(_) => "a list",
        NodeValue::Mapping(_) => "a mapping",
    }
}
