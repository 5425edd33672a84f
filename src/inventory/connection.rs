//! How to reach a host and as whom to act there, out of its rendered variables.
//!
//! Several variables say the same thing, such as `ansible_user` and `ansible_ssh_user`. As in Ansible the one that comes later
//! in a fixed order of names counts, whatever the precedence of the level it is set on (ansible-core 2.21,
//! `config/manager.py:_loop_entries`): a group's `ansible_ssh_user` beats a host's own `ansible_user`.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use secrecy::SecretString;
use serde_json::Value;

use super::{address, names};

mod jump;

pub use jump::Jump;

/// Other ways to a host, tried where the jump hosts of the first cannot be reached. OpenSSH has nothing like it: a comma in its `ProxyJump`
/// is one way through two hosts.
pub const FALLBACK_JUMPS: &str = "quorate_fallback_jumps";
/// How its misspellings begin, most likely.
const FALLBACK: &str = "quorate_fallback";

/// Other ways to one host; each that is silent costs a connect timeout, and four are more than anybody has.
const MOST_WAYS: usize = 4;

/// The longest connect timeout that is taken for meant, an hour.
const LONGEST_TIMEOUT_S: u64 = 3600;

/// Where a host is and how to log in there.
#[derive(Debug)]
pub struct ConnectionVars {
    /// Host name or IP address; ASCII, and nothing a program could take for an option.
    pub address: String,
    /// TCP port, if one is set.
    pub port: Option<u16>,
    /// Login name, if one is set.
    pub user: Option<String>,
    /// Private key file, a leading `~/` replaced by the home folder.
    pub identity: Option<PathBuf>,
    /// Login password, if one is set.
    pub password: Option<SecretString>,
    /// This machine itself: no connection is made.
    pub local: bool,
    /// The hosts to go through, the first one first; `None` leaves it to `~/.ssh/config`, an empty list says: none.
    pub jumps: Option<Vec<Jump>>,
    /// Other ways: the hosts of each, the first one first.
    pub fallbacks: Vec<Vec<Jump>>,
    /// Time for making the connection, if one is set.
    pub timeout: Option<Duration>,
    /// As whom to act.
    pub escalation: Escalation,
}

/// The `become` variables; what is not set is for the play and the command line to say.
#[derive(Debug, Default)]
pub struct Escalation {
    /// `ansible_become`
    pub enabled: Option<bool>,
    /// `ansible_become_user`
    pub user: Option<String>,
    /// `ansible_become_password`
    pub password: Option<SecretString>,
    /// `ansible_become_method`; `sudo` is the only one there is.
    pub method: Option<String>,
}

/// A connection variable that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("host `{host}`: `{key}`: {message}")]
pub struct ConnectionFault {
    /// The inventory name of the host.
    pub host: String,
    /// The variable, whose place [`Inventory::host_var`](super::Inventory::host_var) knows; `inventory_hostname` for the name.
    pub key: String,
    /// Which of its items it is, where it is a list and one of them is meant.
    pub item: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Whether a variable says how a host is reached.
#[must_use]
pub fn is_meant_by(name: &str) -> bool {
    name.starts_with("ansible_") || name.starts_with(FALLBACK)
}

/// Reads the connection variables of a host; `vars` are its merged variables with their templates rendered.
///
/// # Errors
/// The first one that is not valid, or that asks for something quorate does not do: another connection or become method, SSH
/// options other than a jump host, or no host key checking. An option that is passed over in silence could be the one that
/// made the connection safe.
pub fn from_vars(host: &str, vars: &IndexMap<String, Value>) -> Result<ConnectionVars, ConnectionFault> {
    let reader = Reader { host, vars };
    let local = reader.local()?;
    reader.refuse_unchecked_host_keys()?;
    Ok(ConnectionVars {
        address: reader.address(local)?,
        port: reader.port()?,
        user: reader.user(&["ansible_user", "ansible_ssh_user"])?,
        identity: reader.identity()?,
        password: reader.secret(&["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"])?,
        local,
        jumps: reader.jumps()?,
        fallbacks: reader.fallbacks()?,
        timeout: reader.timeout()?,
        escalation: reader.escalation()?,
    })
}

struct Reader<'v> {
    host: &'v str,
    vars: &'v IndexMap<String, Value>,
}

impl<'v> Reader<'v> {
    /// The last of these names that is set, with its value; null counts as not set.
    fn last_set(&self, keys: &[&'static str]) -> Option<(&'static str, &'v Value)> {
        keys.iter().rev().find_map(|key| Some((*key, self.vars.get(*key).filter(|value| !value.is_null())?)))
    }

    fn fault(&self, key: &str, message: impl Into<String>) -> ConnectionFault {
        ConnectionFault {
            host: self.host.to_owned(),
            key: key.to_owned(),
            item: None,
            message: message.into(),
            help: None,
        }
    }

    /// The text of a value; a number is its digits.
    fn text(&self, key: &str, value: &Value) -> Result<String, ConnectionFault> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(self.fault(key, "must be text")),
        }
    }

    fn local(&self) -> Result<bool, ConnectionFault> {
        let Some((key, value)) = self.last_set(&["ansible_connection"]) else { return Ok(false) };
        match self.text(key, value)?.as_str() {
            "local" | "ansible.builtin.local" => Ok(true),
            "ssh" | "smart" | "paramiko" | "paramiko_ssh" | "ansible.builtin.ssh" => Ok(false),
            other => {
                let message = format!("connection `{}` is not supported", names::visible(other));
                Err(ConnectionFault { help: Some("there are `ssh` and `local`".into()), ..self.fault(key, message) })
            }
        }
    }

    fn refuse_unchecked_host_keys(&self) -> Result<(), ConnectionFault> {
        let keys = ["ansible_host_key_checking", "ansible_ssh_host_key_checking"];
        let Some((key, value)) = self.last_set(&keys) else { return Ok(()) };
        if self.truth(key, value)? {
            return Ok(());
        }
        let help =
            "put the host's key into known_hosts: `ssh-keyscan` it over a network you trust, and compare".to_owned();
        Err(ConnectionFault { help: Some(help), ..self.fault(key, "host keys are always checked") })
    }

    fn address(&self, local: bool) -> Result<String, ConnectionFault> {
        let (key, address) = match self.last_set(&["ansible_host", "ansible_ssh_host"]) {
            Some((key, Value::String(address))) => (key, address.as_str()),
            Some((key, _)) => return Err(self.fault(key, "an address is text, in quotes if it looks like a number")),
            None => ("inventory_hostname", self.host),
        };
        match names::address_fault(address) {
            Some(fault) if !local => Err(self.fault(key, fault)),
            _ => Ok(address.to_owned()),
        }
    }

    fn port(&self) -> Result<Option<u16>, ConnectionFault> {
        let Some((key, value)) = self.last_set(&["ansible_port", "ansible_ssh_port"]) else { return Ok(None) };
        let text = self.text(key, value)?;
        let port = address::port_from(&text);
        port.map(Some).ok_or_else(|| {
            let message = format!("`{}` is not a port", names::visible(&text));
            ConnectionFault {
                help: Some("a port is a decimal number from 1 to 65535".into()),
                ..self.fault(key, message)
            }
        })
    }

    fn user(&self, keys: &[&'static str]) -> Result<Option<String>, ConnectionFault> {
        let Some((key, value)) = self.last_set(keys) else { return Ok(None) };
        let user = self.text(key, value)?;
        match names::user_fault(&user) {
            Some(fault) => Err(self.fault(key, fault)),
            None => Ok(Some(user)),
        }
    }

    fn identity(&self) -> Result<Option<PathBuf>, ConnectionFault> {
        let keys = ["ansible_private_key_file", "ansible_ssh_private_key_file"];
        let Some((key, value)) = self.last_set(&keys) else { return Ok(None) };
        let path = self.text(key, value)?;
        if path.is_empty() || path.contains('\0') {
            return Err(self.fault(key, "not the path of a file"));
        }
        match (path.strip_prefix("~/"), std::env::home_dir()) {
            (Some(below), Some(home)) => Ok(Some(home.join(below))),
            _ => Ok(Some(path.into())),
        }
    }

    fn secret(&self, keys: &[&'static str]) -> Result<Option<SecretString>, ConnectionFault> {
        let Some((key, value)) = self.last_set(keys) else { return Ok(None) };
        Ok(Some(self.text(key, value)?.into()))
    }

    /// The jump list out of the SSH options; the first one that is given counts, as it does for ssh(1).
    fn jumps(&self) -> Result<Option<Vec<Jump>>, ConnectionFault> {
        let mut jumps = None;
        for key in ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"] {
            let Some((key, value)) = self.last_set(&[key]) else { continue };
            let found = jump::from_args(&self.text(key, value)?).map_err(|message| self.fault(key, message))?;
            jumps = jumps.or(found);
        }
        Ok(jumps)
    }

    fn fallbacks(&self) -> Result<Vec<Vec<Jump>>, ConnectionFault> {
        if let Some(odd) = self.vars.keys().find(|key| key.starts_with(FALLBACK) && *key != FALLBACK_JUMPS) {
            let help = Some(format!("did you mean `{FALLBACK_JUMPS}`?"));
            return Err(ConnectionFault { help, ..self.fault(odd, "there is no such variable") });
        }
        let Some((key, value)) = self.last_set(&[FALLBACK_JUMPS]) else { return Ok(Vec::new()) };
        let Value::Array(items) = value else {
            let help =
                "`[bastion2, \"ops@bastion3:2222\"]`; a comma within an item is one way through two hosts".to_owned();
            let fault = self.fault(key, "must be a list of jump hosts, each as `ssh -J` takes it");
            return Err(ConnectionFault { help: Some(help), ..fault });
        };
        let mut ways: Vec<Vec<Jump>> = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let wrong = |message: String| ConnectionFault { item: Some(number), ..self.fault(key, message) };
            let text = item.as_str().ok_or_else(|| wrong("each must be text, as `ssh -J` takes it".to_owned()))?;
            let way = jump::from_way(text).map_err(wrong)?;
            if ways.contains(&way) {
                return Err(wrong(format!("`{}` is there twice", names::visible(text))));
            }
            if number == MOST_WAYS {
                return Err(wrong(format!("more than {MOST_WAYS} other ways")));
            }
            ways.push(way);
        }
        Ok(ways)
    }

    fn timeout(&self) -> Result<Option<Duration>, ConnectionFault> {
        let Some((key, value)) = self.last_set(&["ansible_timeout", "ansible_ssh_timeout"]) else { return Ok(None) };
        let seconds = self.text(key, value)?.parse().ok().filter(|seconds| (1..=LONGEST_TIMEOUT_S).contains(seconds));
        let message = format!("a timeout is a whole number of seconds from 1 to {LONGEST_TIMEOUT_S}");
        seconds.map(|seconds| Some(Duration::from_secs(seconds))).ok_or_else(|| self.fault(key, message))
    }

    fn escalation(&self) -> Result<Escalation, ConnectionFault> {
        let enabled = match self.last_set(&["ansible_become"]) {
            Some((key, value)) => Some(self.truth(key, value)?),
            None => None,
        };
        self.accept_only(&["ansible_become_exe", "ansible_sudo_exe"], &["sudo"])?;
        self.accept_only(&["ansible_become_flags", "ansible_sudo_flags"], &["", "-H -S -n", "-H -S"])?;
        Ok(Escalation {
            enabled,
            user: self.user(&["ansible_become_user", "ansible_sudo_user"])?,
            password: self.secret(&["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"])?,
            method: self.accept_only(&["ansible_become_method"], &["sudo", "ansible.builtin.sudo"])?,
        })
    }

    /// The value, which must be one of a few.
    fn accept_only(&self, keys: &[&'static str], values: &[&str]) -> Result<Option<String>, ConnectionFault> {
        let Some((key, value)) = self.last_set(keys) else { return Ok(None) };
        let text = self.text(key, value)?;
        if values.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        let message = format!("`{}` is not supported", names::visible(&text));
        let values: Vec<String> =
            values.iter().filter(|value| !value.is_empty()).map(|value| format!("`{value}`")).collect();
        let help = format!("supported: {}", values.join(", "));
        Err(ConnectionFault { help: Some(help), ..self.fault(key, message) })
    }

    /// A bool in one of the words that Ansible takes for one (ansible-core 2.21, `convert_bool.py`).
    fn truth(&self, key: &str, value: &Value) -> Result<bool, ConnectionFault> {
        let word = match value {
            Value::Bool(truth) => return Ok(*truth),
            other => self.text(key, other)?.to_ascii_lowercase(),
        };
        match word.trim() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Ok(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Ok(false),
            _ => Err(self.fault(key, format!("`{}` is neither true nor false", names::visible(&word)))),
        }
    }
}

#[cfg(test)]
mod tests;
