//! The hosts that a connection goes through, out of `ansible_ssh_common_args` and its like.

use crate::inventory::{address, names};

/// Jump hosts in a row; two are common, and a longer chain than this is a loop or a mistake.
const MOST_JUMPS: usize = 4;

/// One host to go through: `user@host:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Jump {
    /// Login name there, if one is given.
    pub user: Option<String>,
    /// Host name, address, or an alias from `~/.ssh/config`.
    pub host: String,
    /// TCP port there, if one is given.
    pub port: Option<u16>,
}

impl std::fmt::Display for Jump {
    /// As `ssh -J` takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The jump list in ssh(1) options, if they have one: `-J a,b`, `-o ProxyJump=a`. Every other option is an error that names it.
pub(super) fn from_args(args: &str) -> Result<Option<Vec<Jump>>, String> {
    let words = shlex::split(args).ok_or_else(|| "a quote is not closed".to_owned())?;
    let mut words = words.iter().map(String::as_str);
    let mut jumps = None;
    while let Some(word) = words.next() {
        let list = if let Some(rest) = word.strip_prefix("-J") {
            value_of("-J", rest, &mut words)?.to_owned()
        } else if let Some(rest) = word.strip_prefix("-o") {
            proxy_jump(value_of("-o", rest, &mut words)?)?
        } else {
            return Err(refusal(word));
        };
        // The first one counts, as for ssh(1); the others must be readable all the same.
        let list = list_from(&list)?;
        jumps.get_or_insert(list);
    }
    Ok(jumps)
}

/// One way in the list of `quorate_fallback_jumps`, as the list of `ssh -J`.
pub(super) fn from_way(written: &str) -> Result<Vec<Jump>, String> {
    match list_from(written.trim())? {
        none if none.is_empty() => Err("`none` is no way through a jump host".to_owned()),
        jumps => Ok(jumps),
    }
}

/// The value of an option, glued to it or the next word.
fn value_of<'w>(option: &str, glued: &'w str, words: &mut impl Iterator<Item = &'w str>) -> Result<&'w str, String> {
    if !glued.is_empty() {
        return Ok(glued);
    }
    words.next().ok_or_else(|| format!("`{option}` needs a value"))
}

/// The list in `ProxyJump=a,b`, `ProxyJump a,b` or `ProxyJump = a,b`; names of options know no case.
fn proxy_jump(setting: &str) -> Result<String, String> {
    let setting = setting.trim();
    let (name, value) = setting.split_once(|c: char| c == '=' || c.is_whitespace()).unwrap_or((setting, ""));
    let value = value.trim_start().strip_prefix('=').unwrap_or(value).trim();
    if name.eq_ignore_ascii_case("ProxyJump") {
        return Ok(value.to_owned());
    }
    Err(refusal(&format!("-o {name}")))
}

fn refusal(option: &str) -> String {
    let option = names::visible(option);
    if option.to_ascii_lowercase().ends_with("proxycommand") {
        return format!("the ssh option `{option}` is not supported; write the bastion as `-J user@host`");
    }
    format!("the ssh option `{option}` is not supported; only a jump host is, as `-J user@host`")
}

fn list_from(list: &str) -> Result<Vec<Jump>, String> {
    if list.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let jumps: Vec<Jump> = list.split(',').map(jump_from).collect::<Result<_, _>>()?;
    if jumps.len() > MOST_JUMPS {
        return Err(format!("more than {MOST_JUMPS} jump hosts in a row"));
    }
    for (at, jump) in jumps.iter().enumerate() {
        if jumps.iter().skip(at + 1).any(|later| later.host == jump.host && later.port == jump.port) {
            return Err(format!("goes through `{}` twice", names::visible(&jump.host)));
        }
    }
    Ok(jumps)
}

fn jump_from(written: &str) -> Result<Jump, String> {
    let text = written.trim();
    let text = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, text),
    };
    let shown = names::visible(written);
    let (host, port) = match address::split_port(rest) {
        Some((host, port)) => (host, port),
        None => (rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest), None),
    };
    let port = match port {
        None => None,
        Some(digits) => {
            Some(address::port_from(digits).ok_or_else(|| format!("`{digits}` in `{shown}` is not a port"))?)
        }
    };
    let fault = names::address_fault(host).or_else(|| user.as_deref().and_then(names::user_fault));
    match fault {
        Some(fault) => Err(format!("jump host `{shown}`: {fault}")),
        None => Ok(Jump { user, host: host.to_owned(), port }),
    }
}
