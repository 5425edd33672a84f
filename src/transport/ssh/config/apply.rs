//! What the directives say about one host; the first that says something wins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wildmatch::WildMatch;

use super::directive::{BROKEN, Treatment, nearest, treatment};
use super::read::{Directive, Files, Place};
use super::words;

/// Where an agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    /// No agent.
    None,
    /// The socket this variable of the environment names.
    Variable(String),
    /// This socket; `~` and tokens not expanded yet.
    Socket(String),
}

/// A word of the configuration that still has its `~` and tokens, and where it stands.
pub(crate) type Raw = (String, Place);

/// What ssh_config says about one host; words with tokens are expanded by whoever knows the final host, port and user.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostConfig {
    /// `HostName`.
    pub(crate) hostname: Option<Raw>,
    /// `User`.
    pub(crate) user: Option<String>,
    /// `Port`.
    pub(crate) port: Option<u16>,
    /// Every `IdentityFile`, in order.
    pub(crate) identities: Vec<Raw>,
    /// Every `CertificateFile`, in order.
    pub(crate) certificates: Vec<Raw>,
    /// `IdentitiesOnly`.
    pub(crate) identities_only: Option<bool>,
    /// `IdentityAgent`.
    pub(crate) agent: Option<(Agent, Place)>,
    /// `ProxyJump`: the jump hosts, first to be reached first; empty for `none`.
    pub(crate) jump: Option<Vec<String>>,
    /// `UserKnownHostsFile`.
    pub(crate) user_known_hosts: Option<Vec<Raw>>,
    /// `GlobalKnownHostsFile`.
    pub(crate) global_known_hosts: Option<Vec<Raw>>,
    /// `HostKeyAlias`.
    pub(crate) host_key_alias: Option<Raw>,
    /// `ConnectTimeout`.
    pub(crate) connect_timeout: Option<Duration>,
    /// `ServerAliveInterval`.
    pub(crate) alive_interval: Option<Duration>,
    /// `ServerAliveCountMax`.
    pub(crate) alive_count: Option<usize>,
    /// `PubkeyAuthentication`.
    pub(crate) publickey: Option<bool>,
    /// `PasswordAuthentication`.
    pub(crate) password: Option<bool>,
    /// `KbdInteractiveAuthentication`.
    pub(crate) keyboard: Option<bool>,
    /// What was left out, a line each.
    pub(crate) warnings: Vec<String>,
    strict: Option<()>,
    settled: Vec<String>,
    ignore_unknown: Option<Vec<WildMatch>>,
}

impl Files {
    /// What the files say about a host, named as on the command line of `ssh`.
    ///
    /// # Errors
    /// A directive that we cannot honour, or a value that means nothing: `path:line: …`.
    pub(crate) fn host(&self, name: &str) -> Result<HostConfig, String> {
        let mut config = HostConfig::default();
        for directive in self.directives.iter().filter(|d| d.applies(name)) {
            config.apply(directive).map_err(|e| format!("{}: {e}", directive.place))?;
        }
        Ok(config)
    }
}

/// Variables of language and colour (Debian's openssh-client 9.2 and 10.0, /etc/ssh/ssh_config).
const LOCALE: &[&str] = &["LANG", "LC_*", "COLORTERM", "NO_COLOR"];

impl HostConfig {
    fn apply(&mut self, d: &Directive) -> Result<(), String> {
        match treatment(&d.keyword) {
            Some(Treatment::Honoured) => self.honour(d),
            Some(Treatment::Harmless) => Ok(()),
            // What Debian's own ssh_config sends: commands run under LC_ALL=C and without colours whatever it says.
            Some(Treatment::Warned)
                if d.keyword == "sendenv" && d.words.iter().all(|name| LOCALE.contains(&&**name)) =>
            {
                Ok(())
            }
            Some(Treatment::Warned) => {
                self.warnings.push(format!("{}: {} is not used", d.place, d.keyword));
                Ok(())
            }
            Some(Treatment::Algorithms) => {
                let list = d.words.join(",").to_ascii_lowercase();
                let broken = |name: &&str| list.split(',').any(|n| n.trim_start_matches(['+', '^']) == *name);
                if let Some(broken) = BROKEN.iter().find(|b| broken(b)) {
                    return Err(format!("{} names {broken}, which is broken and not supported", d.keyword));
                }
                self.warnings.push(format!("{}: {} is not used; our own list stands", d.place, d.keyword));
                Ok(())
            }
            Some(Treatment::OnlyAs(_)) if self.settled.contains(&d.keyword) => Ok(()),
            // Whichever of ProxyJump and ProxyCommand comes first switches the other off (readconf.c).
            Some(Treatment::OnlyAs(_)) if d.keyword == "proxycommand" && self.jump.is_some() => Ok(()),
            Some(Treatment::OnlyAs(value)) if d.words.iter().all(|w| w.eq_ignore_ascii_case(value)) => {
                if d.keyword == "proxycommand" {
                    first(&mut self.jump, Vec::new());
                }
                self.settled.push(d.keyword.clone());
                Ok(())
            }
            Some(Treatment::OnlyAs(value)) => Err(format!(
                "{} is not supported (only `{value}`), and leaving it out would connect differently than ssh",
                d.keyword
            )),
            Some(Treatment::Refused) => {
                Err(format!("{} is not supported, and leaving it out would connect differently than ssh", d.keyword))
            }
            None if self.ignore_unknown.iter().flatten().any(|p| p.matches(&d.keyword)) => Ok(()),
            None => {
                let hint = nearest(&d.keyword).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
                Err(format!("unknown directive {}{hint}", d.keyword))
            }
        }
    }

    fn honour(&mut self, d: &Directive) -> Result<(), String> {
        let raw = |w: &str| (w.to_owned(), d.place.clone());
        let raws = || d.words.iter().map(|w| raw(w)).collect::<Vec<_>>();
        let word = d.words.first().map(String::as_str).unwrap_or_default();
        let flag = || words::yes(word).ok_or_else(|| format!("{} {word}: expected yes or no", d.keyword));
        match d.keyword.as_str() {
            "hostname" => first(&mut self.hostname, raw(word)),
            "user" => first(&mut self.user, word.to_owned()),
            "port" => {
                let port = word.parse::<u16>().ok().filter(|p| *p != 0);
                first(&mut self.port, port.ok_or_else(|| format!("Port {word}: expected 1 to 65535"))?);
            }
            "identityfile" if word.eq_ignore_ascii_case("none") => {}
            "identityfile" => self.identities.push(raw(word)),
            "certificatefile" => self.certificates.push(raw(word)),
            "identitiesonly" => first(&mut self.identities_only, flag()?),
            "identityagent" => first(&mut self.agent, (agent(word)?, d.place.clone())),
            "proxyjump" => first(&mut self.jump, jumps(&d.words)),
            "userknownhostsfile" => first(&mut self.user_known_hosts, known_hosts(raws())?),
            "globalknownhostsfile" => first(&mut self.global_known_hosts, known_hosts(raws())?),
            "hostkeyalias" => first(&mut self.host_key_alias, raw(word)),
            "connecttimeout" if word.eq_ignore_ascii_case("none") => {}
            "connecttimeout" => first(&mut self.connect_timeout, seconds(d, word)?),
            "serveraliveinterval" => first(&mut self.alive_interval, seconds(d, word)?),
            "serveralivecountmax" => {
                let count = word.parse().map_err(|_| format!("{} {word}: expected a number", d.keyword))?;
                first(&mut self.alive_count, count);
            }
            "pubkeyauthentication" => first(&mut self.publickey, !matches!(words::yes(word), Some(false))),
            "passwordauthentication" => first(&mut self.password, flag()?),
            "kbdinteractiveauthentication" => first(&mut self.keyboard, flag()?),
            "stricthostkeychecking" => self.strict(word)?,
            "ignoreunknown" => {
                let lower = d.words.join(",").to_ascii_lowercase();
                first(&mut self.ignore_unknown, lower.split(',').map(WildMatch::new).collect());
            }
            other => return Err(format!("unknown directive {other}")),
        }
        Ok(())
    }

    /// Ours is always `yes`; `ask` asks nobody here, so it is the same. Anything weaker is refused where it would count.
    fn strict(&mut self, word: &str) -> Result<(), String> {
        if self.strict.replace(()).is_some() {
            return Ok(());
        }
        match word.to_ascii_lowercase().as_str() {
            "yes" | "true" | "ask" => Ok(()),
            _ => Err(format!(
                "StrictHostKeyChecking {word}: host keys are always checked; only yes and ask are accepted"
            )),
        }
    }
}

fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

fn seconds(d: &Directive, word: &str) -> Result<Duration, String> {
    words::time(word).ok_or_else(|| format!("{} {word}: expected a time", d.keyword))
}

fn agent(word: &str) -> Result<Agent, String> {
    match word {
        "none" => Ok(Agent::None),
        "SSH_AUTH_SOCK" => Ok(Agent::Variable(word.to_owned())),
        _ if word.contains("${") => Err(format!("IdentityAgent {word}: ${{}} is not expanded")),
        _ => {
            Ok(word.strip_prefix('$').map_or_else(|| Agent::Socket(word.to_owned()), |v| Agent::Variable(v.to_owned())))
        }
    }
}

fn jumps(words: &[String]) -> Vec<String> {
    let list = words.join(" ");
    if list.eq_ignore_ascii_case("none") {
        return Vec::new();
    }
    list.split(',').map(|j| j.trim().to_owned()).collect()
}

fn known_hosts(files: Vec<Raw>) -> Result<Vec<Raw>, String> {
    if files.iter().any(|(f, _)| Path::new(f) == Path::new("/dev/null")) {
        return Err(
            "a known_hosts file of /dev/null would mean that no host is known; `none` says so openly".to_owned()
        );
    }
    Ok(files.into_iter().filter(|(f, _)| !f.eq_ignore_ascii_case("none")).collect())
}

/// What the tokens of a word stand for.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    /// `~` and `%d`.
    pub(crate) home: &'a Path,
    /// `%u`.
    pub(crate) local_user: &'a str,
    /// `%n`: as given.
    pub(crate) name: &'a str,
    /// `%h`: after `HostName`.
    pub(crate) host: &'a str,
    /// `%p`.
    pub(crate) port: u16,
    /// `%r`.
    pub(crate) user: &'a str,
}

impl Tokens<'_> {
    /// The word with its tokens replaced.
    ///
    /// # Errors
    /// A token that we do not know.
    pub(crate) fn expand(&self, word: &str) -> Result<String, String> {
        if word.contains("${") {
            return Err(format!("{word}: ${{}} is not expanded"));
        }
        let mut out = String::new();
        let mut chars = word.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => out.push('%'),
                Some('d') => out.push_str(&self.home.to_string_lossy()),
                Some('u') => out.push_str(self.local_user),
                Some('n') => out.push_str(self.name),
                Some('h') => out.push_str(self.host),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('r') => out.push_str(self.user),
                other => {
                    return Err(format!("{word}: unknown token %{}", other.map(String::from).unwrap_or_default()));
                }
            }
        }
        Ok(out)
    }

    /// The word as a path: `~/` is the home directory, and what is relative is relative to where we run.
    ///
    /// # Errors
    /// A token that we do not know, or the home of another user.
    pub(crate) fn path(&self, word: &str) -> Result<PathBuf, String> {
        let path = match word.strip_prefix("~/") {
            Some(rest) => return Ok(self.home.join(self.expand(rest)?)),
            None => self.expand(word)?,
        };
        if path.starts_with('~') {
            return Err(format!("{word}: only ~/ is expanded"));
        }
        Ok(PathBuf::from(path))
    }
}
