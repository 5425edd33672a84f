//! What the command prints.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;

use quorate_lab::{Lab, LabError, MemberStatus, fault};

/// Prints one line. A reader that has gone away (`lab env | head -1`) is no failure.
pub(super) fn line(text: &dyn Display) -> Result<ExitCode, LabError> {
    let _ = writeln!(io::stdout(), "{text}");
    Ok(ExitCode::SUCCESS)
}

/// The list of faults for the help text.
pub(super) fn faults() -> String {
    let mut text = "Faults:\n".to_owned();
    for (name, about) in fault::NAMES {
        let _ = writeln!(text, "  {name:<22} {about}");
    }
    text
}

/// `NAME=value` lines, all files that the lab wrote for itself, or one value.
pub(super) fn env(lab: &Lab, key: Option<&str>) -> Result<ExitCode, LabError> {
    let pairs = variables(lab);
    let Some(key) = key else {
        for (name, value) in pairs {
            line(&format!("{name}={value}"))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    match pairs.iter().find(|(name, _)| *name == key) {
        Some((_, value)) => line(value),
        None => Err(LabError::Spec(format!("this lab's env has no {key}"))),
    }
}

fn variables(lab: &Lab) -> Vec<(&'static str, String)> {
    let site = lab.site();
    let spec = site.spec();
    let members = lab.members();
    let names: Vec<&str> = members.iter().map(|host| host.name.as_str()).collect();
    let endpoint = |host: &quorate_lab::Host| format!("{}://{}:2379", site.scheme(), host.address);
    let endpoints: Vec<String> = members.iter().map(endpoint).collect();
    let path = |path: std::path::PathBuf| path.display().to_string();
    let mut pairs = vec![
        ("LAB_NAME", spec.name.clone()),
        ("LAB_DIR", site.dir().display().to_string()),
        ("INVENTORY", path(lab.inventory())),
        ("INVENTORY_INI", path(lab.inventory_ini())),
        ("SSH_CONFIG", path(lab.ssh_config())),
        ("KNOWN_HOSTS", path(lab.known_hosts())),
        ("IDENTITY", path(lab.identity())),
        ("RELEASES", path(lab.releases())),
        ("REMOTE_USER", spec.user.name().to_owned()),
        ("ETCD_VERSION", spec.etcd.clone()),
        ("MEMBERS", names.join(",")),
        ("ENDPOINTS", endpoints.join(",")),
        ("CONTROL_NETNS", site.netns("control")),
        ("CLIENTS_NETNS", site.netns("clients")),
    ];
    if spec.bastions > 0 {
        pairs.push(("INVENTORY_JUMP", path(lab.inventory_jump())));
    }
    if let Some(file) = lab.become_password_file() {
        pairs.push(("BECOME_PASSWORD_FILE", path(file)));
    }
    if let Some(file) = lab.etcd_password_file() {
        pairs.push(("ETCD_PASSWORD_FILE", path(file)));
    }
    if spec.tls {
        pairs.push(("TLS_CA", path(site.path("tls/ca.crt"))));
        pairs.push(("TLS_CERT", path(site.path("tls/client.crt"))));
        pairs.push(("TLS_KEY", path(site.path("tls/client.key"))));
    }
    pairs
}

/// A table, or one JSON document.
pub(super) fn status(lab: &Lab, json: bool) -> Result<ExitCode, LabError> {
    let members = lab.status();
    if json {
        let document = serde_json::json!({ "members": members });
        return line(&document);
    }
    line(&format!(
        "{:<8} {:<13} {:<8} {:<12} {:<10} {:<8} {:<10} RESTARTS",
        "HOST", "ADDRESS", "VERSION", "CLUSTER", "ROLE", "HEALTHY", "UNIT"
    ))?;
    for member in &members {
        line(&row(member))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(member: &MemberStatus) -> String {
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let restarts = member.restarts.map_or_else(|| "-".to_owned(), |count| count.to_string());
    format!(
        "{:<8} {:<13} {:<8} {:<12} {:<10} {:<8} {:<10} {restarts}",
        member.host,
        member.address,
        word(&member.version),
        word(&member.cluster_version),
        word(&member.role),
        if member.healthy { "yes" } else { "no" },
        word(&member.unit),
    )
}
