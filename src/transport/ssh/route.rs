//! From a target to the hops that lead to it: each with its name, user, keys and known_hosts files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::config::{Agent, Files, HostConfig, Place, Raw, Tokens};
use super::names::{check_host, check_user};
use crate::transport::session::{ConnectError, Target};

/// Jump hosts of one target. Two are rare, three unheard of; the limit also ends circles in `ProxyJump`.
const JUMPS: usize = 4;

/// How long one hop may take unless the target or ssh_config say otherwise. A login through a loaded sshd with PAM takes a few seconds.
const HOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A key file to log in with.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) path: PathBuf,
    /// From the inventory or ssh_config, hence a mistake if it is no key; else one of the default names.
    pub(super) named: Option<Source>,
}

/// Who named a key file.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The inventory or the command line: it must be there.
    Target,
    /// ssh_config: it may be missing, as with `ssh`.
    Config(Place),
}

/// One connection to be made.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    /// The name in messages: the inventory's, or the jump host's as it was given.
    pub(super) label: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) alias: Option<String>,
    pub(super) known_hosts: Vec<PathBuf>,
    pub(super) identities: Vec<Identity>,
    pub(super) certificates: Vec<PathBuf>,
    pub(super) identities_only: bool,
    /// The agent's socket.
    pub(super) agent: Option<PathBuf>,
    pub(super) publickey: bool,
    pub(super) password: Option<SecretString>,
    pub(super) password_method: bool,
    pub(super) keyboard_method: bool,
    pub(super) timeout: Duration,
    pub(super) alive: (Duration, usize),
}

impl Hop {
    /// `user@host:port`: the same for two hops that can share a connection if their way there is the same.
    pub(super) fn endpoint(&self) -> String {
        format!("{}@{}:{}", self.user, self.host, self.port)
    }
}

/// What a route depends on besides the target.
pub(super) struct Around<'a> {
    pub(super) files: &'a Files,
    pub(super) home: &'a Path,
    pub(super) local_user: &'a str,
    pub(super) known_hosts: &'a [PathBuf],
    pub(super) alive: (Duration, usize),
}

/// What is asked of one hop: the target's own words, or a jump host's.
struct Wanted<'a> {
    label: &'a str,
    address: &'a str,
    port: Option<u16>,
    user: Option<&'a str>,
    target: Option<&'a Target>,
}

/// The ways to a target, the one to be tried first first: the hops of each, the target last. Also what ssh_config says that we leave out.
///
/// # Errors
/// [`ConnectError::Config`].
pub(super) fn ways(around: &Around<'_>, target: &Target) -> Result<(Vec<Vec<Hop>>, Vec<String>), ConnectError> {
    let fault = |detail: String| ConnectError::Config { host: target.name.clone(), detail };
    let wanted = Wanted {
        label: &target.name,
        address: &target.address,
        port: target.port,
        user: target.user.as_deref(),
        target: Some(target),
    };
    let (hop, config) = around.hop(&wanted).map_err(fault)?;
    let mut warnings = config.warnings;
    let mut way = |given: &[String]| {
        let mut hops = Vec::new();
        around.jumps(&expand_jumps(given, &hop, &target.address)?, &mut hops, &mut warnings, 0)?;
        if hops.len() > JUMPS {
            return Err(format!("{} jump hosts; at most {JUMPS} are supported", hops.len()));
        }
        hops.push(hop.clone());
        Ok(hops)
    };
    let given = if target.jump.is_empty() { config.jump.unwrap_or_default() } else { target.jump.clone() };
    let mut ways = vec![way(&given).map_err(fault)?];
    let direct = ways.iter().all(|hops| jumps_of(hops).is_empty());
    for given in target.fallbacks.iter().filter(|_| !direct) {
        let wrong = |detail: String| fault(format!("quorate_fallback_jumps: {}: {detail}", given.join(",")));
        let next = way(given).map_err(wrong)?;
        // Where the way before cannot be gone, neither can this one: it would be a second way in name only.
        let same = |known: &&Vec<Hop>| begins_with(jumps_of(&next), jumps_of(known));
        if let Some(known) = ways.iter().find(same) {
            return Err(wrong(format!("leads through {}, which is a way before it", through(known))));
        }
        ways.push(next);
    }
    if direct && !target.fallbacks.is_empty() {
        warnings.push(format!(
            "{}: quorate_fallback_jumps is not used: the host is reached without a jump host",
            target.name
        ));
    }
    Ok((ways, warnings))
}

/// The hops before the target.
pub(super) fn jumps_of(hops: &[Hop]) -> &[Hop] {
    hops.split_last().map_or(&[], |(_, jumps)| jumps)
}

fn begins_with(jumps: &[Hop], with: &[Hop]) -> bool {
    jumps.len() >= with.len() && jumps.iter().zip(with).all(|(one, other)| one.endpoint() == other.endpoint())
}

/// The jump hosts of a way by their names, with commas; a port where it is not the usual one.
pub(super) fn through(hops: &[Hop]) -> String {
    let name = |hop: &Hop| match (hop.port, hop.label.contains(':')) {
        (22, _) => hop.label.clone(),
        (port, true) => format!("[{}]:{port}", hop.label),
        (port, false) => format!("{}:{port}", hop.label),
    };
    jumps_of(hops).iter().map(name).collect::<Vec<_>>().join(",")
}

/// `ProxyJump` knows the tokens of the host that it leads to.
fn expand_jumps(given: &[String], hop: &Hop, name: &str) -> Result<Vec<String>, String> {
    let tokens = Tokens { home: Path::new(""), local_user: "", name, host: &hop.host, port: hop.port, user: &hop.user };
    given.iter().filter(|j| !j.eq_ignore_ascii_case("none")).map(|j| tokens.expand(j)).collect()
}

impl Around<'_> {
    /// As `ssh -J a,b`: the first jump host is reached as ssh_config says, the others through the one before.
    fn jumps(
        &self,
        given: &[String],
        hops: &mut Vec<Hop>,
        warnings: &mut Vec<String>,
        depth: usize,
    ) -> Result<(), String> {
        if depth > JUMPS {
            return Err(format!("ProxyJump leads through more than {JUMPS} hosts; is it a circle?"));
        }
        for (index, spec) in given.iter().enumerate() {
            let (user, address, port) = jump(spec)?;
            let wanted = Wanted { label: &address, address: &address, port, user: user.as_deref(), target: None };
            let (hop, config) = self.hop(&wanted).map_err(|e| format!("jump host {spec}: {e}"))?;
            warnings.extend(config.warnings);
            if index == 0 {
                let before = expand_jumps(&config.jump.unwrap_or_default(), &hop, &address)?;
                self.jumps(&before, hops, warnings, depth + 1)?;
            }
            hops.push(hop);
        }
        Ok(())
    }

    fn hop(&self, wanted: &Wanted<'_>) -> Result<(Hop, HostConfig), String> {
        check_host(wanted.address)?;
        let config = self.files.host(wanted.address)?;
        let user = wanted
            .user
            .map(str::to_owned)
            .or_else(|| config.user.clone())
            .unwrap_or_else(|| self.local_user.to_owned());
        check_user(&user)?;
        let port = wanted.port.or(config.port).unwrap_or(22);
        let mut tokens = Tokens {
            home: self.home,
            local_user: self.local_user,
            name: wanted.address,
            host: wanted.address,
            port,
            user: &user,
        };
        let host = match &config.hostname {
            Some((word, place)) => tokens.expand(word).map_err(|e| format!("{place}: HostName {e}"))?,
            None => wanted.address.to_owned(),
        };
        check_host(&host)?;
        tokens.host = &host;
        let alias = match &config.host_key_alias {
            Some((word, place)) => Some(tokens.expand(word).map_err(|e| format!("{place}: HostKeyAlias {e}"))?),
            None => None,
        };
        let interval = config.alive_interval.filter(|i| !i.is_zero()).unwrap_or(self.alive.0);
        let hop = Hop {
            label: wanted.label.to_owned(),
            alias,
            known_hosts: self.known_hosts(&config, &tokens)?,
            identities: self.identities(&config, &tokens, wanted.target)?,
            certificates: paths(&config.certificates, &tokens)?,
            identities_only: config.identities_only.unwrap_or(false),
            agent: agent(config.agent.as_ref(), &tokens)?,
            publickey: config.publickey.unwrap_or(true),
            password: wanted.target.and_then(|t| t.password.clone()),
            password_method: config.password.unwrap_or(true),
            keyboard_method: config.keyboard.unwrap_or(true),
            timeout: wanted.target.and_then(|t| t.connect_timeout).or(config.connect_timeout).unwrap_or(HOP_TIMEOUT),
            alive: (interval, config.alive_count.unwrap_or(self.alive.1)),
            host: host.clone(),
            port,
            user: user.clone(),
        };
        Ok((hop, config))
    }

    /// The user's files, the system's, and those the operator named.
    fn known_hosts(&self, config: &HostConfig, tokens: &Tokens<'_>) -> Result<Vec<PathBuf>, String> {
        let mut files = self.known_hosts.to_vec();
        match &config.user_known_hosts {
            Some(given) => files.extend(paths(given, tokens)?),
            None => files.extend(["known_hosts", "known_hosts2"].map(|f| self.home.join(".ssh").join(f))),
        }
        match &config.global_known_hosts {
            Some(given) => files.extend(paths(given, tokens)?),
            None => files.extend(["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].map(PathBuf::from)),
        }
        Ok(files)
    }

    /// The inventory's key, ssh_config's, and only without either the default names.
    fn identities(
        &self,
        config: &HostConfig,
        tokens: &Tokens<'_>,
        target: Option<&Target>,
    ) -> Result<Vec<Identity>, String> {
        let mut identities = Vec::new();
        if let Some(path) = target.and_then(|t| t.identity.as_ref()) {
            let path = match path.strip_prefix("~") {
                Ok(rest) => self.home.join(rest),
                Err(_) => path.clone(),
            };
            identities.push(Identity { path, named: Some(Source::Target) });
        }
        for (word, place) in &config.identities {
            let path = tokens.path(word).map_err(|e| format!("{place}: IdentityFile {e}"))?;
            identities.push(Identity { path, named: Some(Source::Config(place.clone())) });
        }
        if identities.is_empty() {
            let defaults = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|n| self.home.join(".ssh").join(n));
            identities.extend(defaults.into_iter().map(|path| Identity { path, named: None }));
        }
        Ok(identities)
    }
}

fn paths(raws: &[Raw], tokens: &Tokens<'_>) -> Result<Vec<PathBuf>, String> {
    raws.iter().map(|(word, place)| tokens.path(word).map_err(|e| format!("{place}: {e}"))).collect()
}

fn agent(given: Option<&(Agent, Place)>, tokens: &Tokens<'_>) -> Result<Option<PathBuf>, String> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    match given {
        Some((Agent::None, _)) => Ok(None),
        Some((Agent::Variable(name), _)) => Ok(variable(name)),
        Some((Agent::Socket(word), place)) => {
            tokens.path(word).map(Some).map_err(|e| format!("{place}: IdentityAgent {e}"))
        }
        None => Ok(variable("SSH_AUTH_SOCK")),
    }
}

/// `[user@]host[:port]` or `ssh://[user@]host[:port]`, an IPv6 address in brackets.
fn jump(spec: &str) -> Result<(Option<String>, String, Option<u16>), String> {
    let fault = |what: &str| format!("jump host {spec:?}: {what}");
    let rest = spec.strip_prefix("ssh://").map_or(spec, |r| r.trim_end_matches('/'));
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(u, p)| (Some(u.to_owned()), p));
    let (host, port) = match place.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']').ok_or_else(|| fault("'[' without ']'"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(fault("expected ':' after ']'")),
            }
        }
        None if place.matches(':').count() > 1 => (place, None),
        None => place.split_once(':').map_or((place, None), |(h, p)| (h, Some(p))),
    };
    let port = match port {
        Some(p) => Some(p.parse::<u16>().ok().filter(|p| *p != 0).ok_or_else(|| fault("the port is not 1 to 65535"))?),
        None => None,
    };
    check_host(host).map_err(|e| fault(&e))?;
    Ok((user, host.to_owned(), port))
}

#[cfg(test)]
mod tests;
