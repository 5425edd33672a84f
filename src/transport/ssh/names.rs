//! Host and user names that are refused before they reach anything.

/// Says why OpenSSH would not take this as a host name.
///
/// The same characters as `valid_hostname` in ssh.c of OpenSSH 9.6 and later (read 2026-11-23): a name must not look like an option, and must not mean something to a shell.
///
/// # Errors
/// The reason, in words.
pub(crate) fn check_host(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 1025 {
        return Err(format!("a host name of {} bytes", name.len()));
    }
    if name.starts_with('-') {
        return Err(format!("host name {name:?} begins with '-'"));
    }
    match name.chars().find(|c| c.is_control() || c.is_whitespace() || "'`\"$\\;&<>|(){},".contains(*c)) {
        Some(c) => Err(format!("host name {name:?} contains {c:?}")),
        None => Ok(()),
    }
}

/// Says why OpenSSH would not take this as the name of a remote user (`valid_ruser`).
///
/// # Errors
/// The reason, in words.
pub(crate) fn check_user(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 1024 {
        return Err(format!("a user name of {} bytes", name.len()));
    }
    if name.starts_with('-') || name.contains(" -") {
        return Err(format!("user name {name:?} has a word that begins with '-'"));
    }
    if name.ends_with('\\') {
        return Err(format!("user name {name:?} ends with a backslash"));
    }
    match name.chars().find(|c| c.is_control() || "'`\";&<>|(){}$".contains(*c)) {
        Some(c) => Err(format!("user name {name:?} contains {c:?}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_are_options_or_shell_code() {
        for bad in ["", "-oProxyCommand=x", "a b", "a;b", "$(id)", "`id`", "a\nb", "a\u{1b}[2J", "a|b", "a,b"] {
            assert!(check_host(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "-l", "root;id", "a -b", "a\\", "a\0", "$(id)"] {
            assert!(check_user(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn takes_what_hosts_and_users_are_called() {
        for good in ["etcd1", "etcd-1.example.org", "10.0.0.1", "fe80::1%eth0", "host_2"] {
            assert_eq!(check_host(good), Ok(()));
        }
        for good in ["root", "svc-etcd", "DOMAIN\\user", "user@realm"] {
            assert_eq!(check_user(good), Ok(()));
        }
    }
}
