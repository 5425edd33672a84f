//! Which names a host, a group and a user may have: none that a shell, a path or a reader's eye could take for something else.

use super::{Node, NodeValue, Place, Problem, nearest};

/// What OpenSSH refuses in a host name (`ssh.c: valid_hostname`, OpenSSH 9.9): shell metacharacters.
const SHELL: &str = "'`\"$\\;&<>|(){}";

/// Why a host may not have that name, if it may not.
pub(crate) fn host_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a host needs a name".to_owned());
    }
    if name.starts_with('-') {
        return Some("a host name may not begin with `-`, which programs take for an option".to_owned());
    }
    if name == "." || name == ".." || name.contains('/') {
        return Some("a host name may not be a path".to_owned());
    }
    let wrong = name.chars().find(|c| SHELL.contains(*c) || c.is_whitespace() || invisible(*c))?;
    Some(format!("a host name may not contain {}", shown(wrong)))
}

/// Why a group may not have that name, if it may not.
pub(crate) fn group_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a group needs a name".to_owned());
    }
    if name == "." || name == ".." || name.contains('/') {
        return Some("a group name may not be a path".to_owned());
    }
    name.chars().find(|c| invisible(*c)).map(|c| format!("a group name may not contain {}", shown(c)))
}

/// Why an address may not be connected to, if it may not: as a host name, and ASCII only, since `еtcd1` with a Cyrillic `е` is
/// another host (punycode is for those who mean it).
pub(crate) fn address_fault(address: &str) -> Option<String> {
    let fault = host_fault(address).map(|fault| fault.replace("a host name", "an address"));
    fault.or_else(|| {
        foreign(address).map(|c| format!("an address may not contain {}; it is written in ASCII", shown(c)))
    })
}

/// Why a login name may not be used, if it may not.
pub(crate) fn user_fault(user: &str) -> Option<String> {
    if user.is_empty() {
        return Some("a user needs a name".to_owned());
    }
    if user.starts_with('-') {
        return Some("a user name may not begin with `-`, which programs take for an option".to_owned());
    }
    // `\` stands in the middle of `DOMAIN\user`, and at an end it would quote what comes next (OpenSSH `valid_ruser`).
    if user.ends_with('\\') {
        return Some("a user name may not end with `\\`".to_owned());
    }
    let wrong = user.chars().find(|c| {
        (SHELL.contains(*c) && *c != '\\') || *c == '/' || c.is_whitespace() || invisible(*c) || !c.is_ascii()
    })?;
    Some(format!("a user name may not contain {}", shown(wrong)))
}

/// Control characters, and what Unicode has to make a name look like another: zero-width, bidirectional, tags.
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff9..=0xfffb
            | 0xe0000..=0xe0fff)
}

fn foreign(text: &str) -> Option<char> {
    text.chars().find(|c| !c.is_ascii())
}

/// A character so that a terminal shows it: by its number unless it is printable ASCII.
fn shown(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        '`' => "a backquote".to_owned(),
        c if c.is_ascii_graphic() => format!("`{c}`"),
        c if c.is_alphanumeric() => format!("`{c}` (U+{:04X})", u32::from(c)),
        c => format!("U+{:04X}", u32::from(c)),
    }
}

/// Text so that a terminal shows it: what is invisible or breaks a line is written by its number.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|c| if invisible(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// The variables that say how to connect and become (ansible-core 2.21, `plugins/connection/ssh.py`, `plugins/become/sudo.py`).
const CONNECTION_KEYS: [&str; 44] = [
    "ansible_host",
    "ansible_ssh_host",
    "ansible_port",
    "ansible_ssh_port",
    "ansible_user",
    "ansible_ssh_user",
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_private_key_file",
    "ansible_ssh_private_key_file",
    "ansible_private_key",
    "ansible_ssh_private_key",
    "ansible_private_key_passphrase",
    "ansible_ssh_private_key_passphrase",
    "ansible_connection",
    "ansible_timeout",
    "ansible_ssh_timeout",
    "ansible_ssh_args",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_scp_extra_args",
    "ansible_sftp_extra_args",
    "ansible_ssh_executable",
    "ansible_ssh_retries",
    "ansible_ssh_pipelining",
    "ansible_pipelining",
    "ansible_host_key_checking",
    "ansible_ssh_host_key_checking",
    "ansible_python_interpreter",
    "ansible_shell_type",
    "ansible_shell_executable",
    "ansible_remote_tmp",
    "ansible_become",
    "ansible_become_user",
    "ansible_become_pass",
    "ansible_become_password",
    "ansible_become_method",
    "ansible_become_exe",
    "ansible_become_flags",
    "ansible_sudo_pass",
    "ansible_sudo_user",
    "ansible_group_priority",
    "ansible_network_os",
];

/// Refuses a variable that is nearly a connection variable: `ansbile_user` would silently log in as somebody else.
///
/// Only names that begin with `ans` and are at most two slips away are refused, and only with a value that such a variable
/// could have, so `ansible_users: [...]` stays a variable of the operator's own.
pub(crate) fn check_key(key: &str, key_place: &Place, value: &Node) -> Result<(), Problem> {
    let scalar = !matches!(value.value, NodeValue::Sequence(_) | NodeValue::Mapping(_));
    if !key.starts_with("ans") || !scalar || CONNECTION_KEYS.contains(&key) {
        return Ok(());
    }
    let near: Vec<&str> =
        CONNECTION_KEYS.into_iter().filter(|known| strsim::damerau_levenshtein(key, known) <= 2).collect();
    match nearest(key, near) {
        Some(meant) => Err(Problem::new(key_place, format!("unknown connection variable `{}`", visible(key)))
            .help(format!("did you mean `{meant}`?"))),
        None => Ok(()),
    }
}

/// Refuses a port that is written out and is none; one that is a template is looked at when it is rendered.
pub(crate) fn check_port(key: &str, value: &Node) -> Result<(), Problem> {
    if !matches!(key, "ansible_port" | "ansible_ssh_port") {
        return Ok(());
    }
    let fine = match &value.value {
        NodeValue::Int(_, text) => super::address::port_from(text).is_some(),
        NodeValue::String(text, _) => text.contains("{{") || super::address::port_from(text).is_some(),
        NodeValue::Null => true,
        _ => false,
    };
    if fine {
        return Ok(());
    }
    let written = match &value.value {
        NodeValue::Int(_, text) | NodeValue::Float(_, text) => text.clone(),
        _ => super::python::str(value),
    };
    Err(Problem::new(&value.place, format!("`{}` is not a port", visible(&written)))
        .help("a port is a decimal number from 1 to 65535, without a leading zero"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{ScalarStyle, Source};

    #[test]
    fn refuses_host_names_that_are_not_names() {
        for name in [
            "-oProxyCommand=touch /tmp/x",
            "a;id",
            "$(id)",
            "`id`",
            "a|b",
            "a b",
            "a\nb",
            "a\0",
            "a\x1b[2J",
            "a\tb",
            "",
            "..",
            "../x",
            "a\u{202e}b",
            "a\u{200b}b",
            "a'b",
            "a\\",
        ] {
            assert!(host_fault(name).is_some(), "{name:?}");
        }
        for name in ["etcd1", "n1.example.com", "2001:db8::1", "fe80::1%eth0", "a,b", "fóöbär", "host_1", "a@b"] {
            assert_eq!(host_fault(name), None, "{name:?}");
        }
    }

    #[test]
    fn refuses_a_cyrillic_letter_in_an_address_and_shows_it() {
        assert_eq!(address_fault("еtcd1").unwrap(), "an address may not contain `е` (U+0435); it is written in ASCII");
        assert_eq!(address_fault("xn--tcd1-rye"), None);
    }

    #[test]
    fn refuses_users_that_are_not_users() {
        for user in ["root -oProxyCommand=x", "a\\", "-l", "", "a\nb", "röot", "a;b", "a/b"] {
            assert!(user_fault(user).is_some(), "{user:?}");
        }
        for user in ["root", "ops", "DOMAIN\\ops", "ops@example.com", "a.b-c_d"] {
            assert_eq!(user_fault(user), None, "{user:?}");
        }
    }

    #[test]
    fn offers_the_variable_that_was_meant() {
        let source = Source::new("hosts", "x");
        let place = Place::new(&source, 0, 1);
        let value = Node::new(&place, NodeValue::String("x".into(), ScalarStyle::Quoted));
        let help = |key: &str| check_key(key, &place, &value).err().and_then(|problem| problem.help);
        assert_eq!(help("ansbile_user").unwrap(), "did you mean `ansible_user`?");
        assert_eq!(help("ansible_hots").unwrap(), "did you mean `ansible_host`?");
        assert_eq!(help("ansible_becom").unwrap(), "did you mean `ansible_become`?");
        for fine in [
            "ansible_user",
            "ansible_hostname",
            "ansible_distribution",
            "answer",
            "etcd_version",
            "ansible_winrm_scheme",
        ] {
            assert_eq!(help(fine), None, "{fine}");
        }
        let list = Node::new(&place, NodeValue::Sequence(Vec::new()));
        assert!(check_key("ansible_users", &place, &list).is_ok());
    }
}
