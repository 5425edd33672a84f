//! The inventory files a sysadmin would have written for the lab's hosts.

use std::fmt::Write as _;

use crate::act::{ActError, ROOT, write};
use crate::site::{BASTION, Site};
use crate::spec::User;

/// Writes `inventory.yml` and `inventory.ini`, whose way through the bastion is in the lab's
/// ssh_config, and, where there is a bastion, `inventory-jump.yml`, which names it itself.
pub(crate) fn write_all(site: &Site) -> Result<(), ActError> {
    let vars = variables(site);
    write(&site.path("inventory.yml"), yaml(site, &vars), 0o644, ROOT)?;
    write(&site.path("inventory.ini"), ini(site, &vars), 0o644, ROOT)?;
    if let Some(bastion) = site.hosts().into_iter().find(|host| host.name == BASTION) {
        let mut vars = vars;
        let jump = format!("-J {}@{}", site.spec().user.name(), bastion.address);
        vars.push(("ansible_ssh_common_args", jump));
        write(&site.path("inventory-jump.yml"), yaml(site, &vars), 0o644, ROOT)?;
    }
    Ok(())
}

/// The password for sudo stays out of the inventory: its file is given on the command line.
fn variables(site: &Site) -> Vec<(&'static str, String)> {
    let identity = site.path("identity").display().to_string();
    let mut vars =
        vec![("ansible_user", site.spec().user.name().to_owned()), ("ansible_ssh_private_key_file", identity)];
    if site.spec().user == User::Ops {
        vars.push(("ansible_become", "true".to_owned()));
        vars.push(("ansible_become_method", "sudo".to_owned()));
    }
    vars
}

fn yaml(site: &Site, vars: &[(&str, String)]) -> String {
    let mut text = "etcd:\n  hosts:\n".to_owned();
    for host in site.members() {
        let _ = writeln!(text, "    {}:\n      ansible_host: {}", host.name, host.address);
    }
    text.push_str("  vars:\n");
    for (name, value) in vars {
        let _ = writeln!(text, "    {name}: {}", scalar(value));
    }
    text
}

/// A plain scalar where YAML reads it back as the same text or as the boolean that is meant.
fn scalar(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if value.chars().all(plain) && !value.starts_with('-') {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "''"))
}

fn ini(site: &Site, vars: &[(&str, String)]) -> String {
    let mut text = "[etcd]\n".to_owned();
    for host in site.members() {
        let _ = writeln!(text, "{} ansible_host={}", host.name, host.address);
    }
    text.push_str("\n[etcd:vars]\n");
    for (name, value) in vars {
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn both_forms_name_every_member_and_its_address() {
        let site = Site::new(Spec::default());
        let vars = variables(&site);
        for text in [yaml(&site, &vars), ini(&site, &vars)] {
            for host in site.members() {
                assert!(text.contains(&host.name) && text.contains(&host.address.to_string()));
            }
            assert!(!text.contains("become"), "{text}");
        }
    }

    #[test]
    fn a_value_with_a_blank_is_quoted() {
        assert_eq!(scalar("-J root@10.77.0.2"), "'-J root@10.77.0.2'");
        assert_eq!(scalar("/run/x"), "/run/x");
    }
}
