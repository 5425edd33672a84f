//! The inventory files a sysadmin would have written for the lab's hosts.

use std::fmt::Write as _;

use crate::act::{ActError, ROOT, write};
use crate::site::{Host, Site};
use crate::spec::User;

/// quorate's variable for other ways in.
const FALLBACK: &str = "quorate_fallback_jumps";

/// Writes `inventory.yml` and `inventory.ini`, whose way through the bastion is in the lab's
/// ssh_config, and, where there is a bastion, `inventory-jump.yml`, which names it itself. The other
/// bastions stand in `quorate_fallback_jumps` in all of them.
pub(crate) fn write_all(site: &Site) -> Result<(), ActError> {
    let vars = [variables(site), fallback(site, |host| host.name.clone())].concat();
    write(&site.path("inventory.yml"), yaml(site, &vars), 0o644, ROOT)?;
    write(&site.path("inventory.ini"), ini(site, &vars), 0o644, ROOT)?;
    let login = |host: &Host| format!("{}@{}", site.spec().user.name(), host.address);
    if let Some(bastion) = site.bastions().first() {
        let mut vars = variables(site);
        vars.push(("ansible_ssh_common_args", format!("-J {}", login(bastion))));
        vars.extend(fallback(site, login));
        write(&site.path("inventory-jump.yml"), yaml(site, &vars), 0o644, ROOT)?;
    }
    Ok(())
}

/// The bastions after the first, as a list that YAML and INI read alike.
fn fallback(site: &Site, way: impl Fn(&Host) -> String) -> Vec<(&'static str, String)> {
    let others: Vec<String> = site.bastions().iter().skip(1).map(|host| format!("'{}'", way(host))).collect();
    if others.is_empty() { Vec::new() } else { vec![(FALLBACK, format!("[{}]", others.join(", ")))] }
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
        // A list is written alike in both forms.
        let value = if *name == FALLBACK { value.clone() } else { scalar(value) };
        let _ = writeln!(text, "    {name}: {value}");
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
    fn bastions_after_the_first_are_other_ways() {
        let two = Site::new(Spec { bastions: 2, ..Spec::default() });
        let vars = fallback(&two, |host| host.name.clone());
        assert!(yaml(&two, &vars).contains("    quorate_fallback_jumps: ['bastion2']\n"));
        assert!(ini(&two, &vars).contains("\nquorate_fallback_jumps=['bastion2']\n"));
        assert!(fallback(&Site::new(Spec::default()), |host| host.name.clone()).is_empty());
    }

    #[test]
    fn a_value_with_a_blank_is_quoted() {
        assert_eq!(scalar("-J root@10.77.0.2"), "'-J root@10.77.0.2'");
        assert_eq!(scalar("/run/x"), "/run/x");
    }
}
