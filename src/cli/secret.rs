//! Passwords: asked on the terminal or read from a file that is only ours, never taken from an argument.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use secrecy::SecretString;

/// A password file is one line; more than 4 KiB is some other file.
const LONGEST: u64 = 4096;

/// Names of variables that hold passwords; their values may stand in files, never on the command line, where every
/// user of this machine can read them (`ps`, `/proc/PID/cmdline`).
const PASSWORDS: [&str; 7] = [
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_pass",
    "etcd_password",
];

/// Asks on the terminal, without echo.
///
/// # Errors
/// When there is no terminal to ask on.
pub(super) fn asked(prompt: &str) -> Result<SecretString, String> {
    rpassword::prompt_password(prompt).map(SecretString::from).map_err(|error| {
        let prompt = prompt.trim_end_matches([':', ' ']);
        format!("{prompt} cannot be asked for: {error}; without a terminal use --become-password-file or an SSH key")
    })
}

/// The first line of a file that belongs to us and that nobody else can read.
///
/// # Errors
/// When it is not such a file. Checked on the open file, so that it cannot be swapped in between.
pub(super) fn from_file(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let failed = |error: io::Error| format!("{shown}: {error}");
    let mut file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let ourselves = fs::metadata("/proc/self").map_err(failed)?.uid();
    if !meta.is_file() {
        return Err(format!("{shown}: not a regular file"));
    }
    if meta.uid() != ourselves {
        return Err(format!("{shown}: belongs to user {}, expected ours, {ourselves}", meta.uid()));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(format!(
            "{shown}: others can read it: mode {:04o}, expected 0600; chmod 600 it",
            meta.mode() & 0o7777
        ));
    }
    let mut text = String::new();
    (&mut file).take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line)),
        _ => Err(format!("{shown}: no password in its first line")),
    }
}

/// The name of a password variable that an `-e` on the command line sets, if it does.
pub(super) fn given_openly(extra_vars: &[String]) -> Option<&'static str> {
    let inline = extra_vars.iter().filter(|text| !text.starts_with('@'));
    inline.flat_map(|text| PASSWORDS.iter().filter(move |name| sets(text, name))).copied().next()
}

/// Whether `text` sets the variable: its name as a whole word, followed by `=` or `:`.
fn sets(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.get(name.len()..).unwrap_or_default().trim_start_matches(['"', '\'', ' ']);
        let starts_a_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        starts_a_word && after.starts_with(['=', ':'])
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn file_with(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn reads_the_first_line_of_our_own_file() {
        let file = file_with("hunter2\nrest\n", 0o600);
        assert_eq!(from_file(file.path()).unwrap().expose_secret(), "hunter2");
    }

    #[test]
    fn refuses_a_file_that_others_can_read() {
        let file = file_with("hunter2\n", 0o640);
        let error = from_file(file.path()).unwrap_err();
        assert!(error.contains("mode 0640") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn refuses_an_empty_file_and_a_folder() {
        assert!(from_file(file_with("\nx\n", 0o600).path()).is_err());
        assert!(from_file(Path::new("/")).is_err());
    }

    #[test]
    fn sees_a_password_among_the_variables_of_the_command_line() {
        let seen = |text: &str| given_openly(&[text.to_owned()]);
        assert_eq!(seen("a=1 ansible_become_password=x"), Some("ansible_become_password"));
        assert_eq!(seen(r#"{"ansible_password": "x"}"#), Some("ansible_password"));
        assert_eq!(seen("etcd_user=root etcd_password=x"), Some("etcd_password"));
        assert_eq!(seen("@secrets.yml"), None);
        assert_eq!(seen("my_ansible_password=x"), None);
        assert_eq!(seen("etcd_version=2.1.1"), None);
    }
}
