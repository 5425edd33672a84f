//! known_hosts, read strictly: what is said about a host, and whether a key that it shows is trusted. Nothing is ever written.
//!
//! sshd(8), SSH_KNOWN_HOSTS FILE FORMAT, OpenSSH 9.9 (read 2026-11-23). Stricter in two ways: an entry for `host` does not
//! count for `[host]:2222`, and a bare `*` trusts nobody unless it names an authority or revokes.

use std::fmt;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{Algorithm, Certificate, Fingerprint, HashAlg, PublicKey, certificate::CertType};
use sha1::Sha1;
use wildmatch::WildMatch;

/// Bytes of one file: some 100 000 entries. A larger file is no known_hosts file.
const FILE_CAP: u64 = 32 * 1024 * 1024;
/// Bytes of one line: the largest is an RSA key of 16384 bits with its names, under 4 KiB.
const LINE_CAP: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Trusted,
    Authority,
    Revoked,
}

/// One line that matches the host.
#[derive(Clone, Debug)]
struct Entry {
    marker: Marker,
    key: KeyData,
    path: PathBuf,
    line: usize,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.path.display(), self.line, describe(&self.key))
    }
}

/// Everything the files say about one host.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// As it stands in the files: `host`, `[host]:2222` or the alias.
    name: String,
    /// The name alone, as a host certificate must carry it.
    principal: String,
    files: Vec<PathBuf>,
    entries: Vec<Entry>,
    /// Missing files, and lines that would match but are not counted.
    notes: Vec<String>,
    /// A file that is there and cannot be read: it could revoke, so nobody is trusted.
    unreadable: Option<String>,
}

/// Type and fingerprint of a key, as `ssh-keygen -l` shows them.
pub(crate) fn describe(key: &KeyData) -> String {
    format!("{} {}", key.algorithm(), Fingerprint::new(HashAlg::Sha256, key))
}

impl Known {
    /// Reads what the files say about a host. A missing file says nothing; one that cannot be read trusts nobody.
    pub(crate) fn read(files: &[PathBuf], host: &str, alias: Option<&str>, port: u16) -> Self {
        let principal = alias.unwrap_or(host).to_ascii_lowercase();
        let name = if alias.is_some() || port == 22 { principal.clone() } else { format!("[{principal}]:{port}") };
        let mut known =
            Self { name, principal, files: files.to_vec(), entries: Vec::new(), notes: Vec::new(), unreadable: None };
        for path in files {
            match text(path) {
                Ok(bytes) => known.file(path, &bytes),
                Err(e) if e.kind() == ErrorKind::NotFound => known.notes.push(format!("{}: {e}", path.display())),
                Err(e) => known.unreadable = Some(format!("{}: {e}", path.display())),
            }
        }
        known
    }

    fn file(&mut self, path: &Path, bytes: &[u8]) {
        for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let note = |what: &str| format!("{}:{}: {what}", path.display(), index + 1);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() > LINE_CAP {
                self.notes.push(note("line too long, not counted"));
                continue;
            }
            // A line that is no text can name neither a host nor a key.
            let Ok(line) = std::str::from_utf8(line) else { continue };
            match parse(line, &self.name) {
                Ok(Some((marker, key))) => {
                    self.entries.push(Entry { marker, key, path: path.to_owned(), line: index + 1 });
                }
                Ok(None) => {}
                Err(what) => self.notes.push(note(&what)),
            }
        }
    }

    /// The host-key algorithms to ask for, those the files know first, and whether a host certificate could be trusted.
    ///
    /// Asking for what is known makes a host with several keys show the one we can check, as OpenSSH does (`order_hostkeyalgs`).
    pub(crate) fn preference(&self, all: &[Algorithm]) -> (Vec<Algorithm>, bool) {
        let known = |a: &Algorithm| self.of(Marker::Trusted).any(|e| same_family(&e.key.algorithm(), a));
        let (mut first, rest): (Vec<_>, Vec<_>) = all.iter().cloned().partition(known);
        first.extend(rest);
        (first, self.of(Marker::Authority).next().is_some())
    }

    fn of(&self, marker: Marker) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |e| e.marker == marker)
    }

    /// Whether the host that shows this key is the one the files know.
    ///
    /// # Errors
    /// Why not, with the fingerprint shown, the lines that count and how to add a line by hand.
    pub(crate) fn check_key(&self, key: &KeyData) -> Result<(), String> {
        self.readable(key)?;
        if let Some(entry) = self.of(Marker::Revoked).find(|e| e.key == *key) {
            return Err(format!(
                "the host key {} is REVOKED by {}:{}",
                describe(key),
                entry.path.display(),
                entry.line
            ));
        }
        if self.of(Marker::Trusted).any(|e| e.key == *key) {
            return Ok(());
        }
        Err(self.refusal(key))
    }

    /// Whether the host that shows this certificate is the one an authority in the files vouches for.
    ///
    /// # Errors
    /// As [`Known::check_key`].
    pub(crate) fn check_certificate(&self, certificate: &Certificate) -> Result<(), String> {
        let (key, signer) = (certificate.public_key(), certificate.signature_key());
        self.readable(key)?;
        if let Some(revoked) = self.of(Marker::Revoked).find(|e| e.key == *key || e.key == *signer) {
            let place = format!("{}:{}", revoked.path.display(), revoked.line);
            return Err(format!(
                "the host certificate {} or its authority {} is REVOKED by {place}",
                describe(key),
                describe(signer)
            ));
        }
        let Some(authority) = self.of(Marker::Authority).find(|e| e.key == *signer) else {
            // The host has proved that it owns the key inside, so the key alone may still be known.
            return self.check_key(key).map_err(|e| {
                format!(
                    "its certificate is signed by {}, which no @cert-authority line for {} names; {e}",
                    describe(signer),
                    self.name
                )
            });
        };
        let fault = |what: String| {
            format!("the host certificate {:?} of authority {authority} is refused: {what}", certificate.key_id())
        };
        if certificate.cert_type() != CertType::Host {
            return Err(fault("it is a user's certificate".to_owned()));
        }
        if !self.vouched(certificate.valid_principals()) {
            return Err(fault(format!("it is for {:?}, not for {:?}", certificate.valid_principals(), self.principal)));
        }
        if certificate.critical_options().iter().next().is_some() {
            return Err(fault("it has critical options, which no host certificate defines".to_owned()));
        }
        certificate.validate(&[Fingerprint::new(HashAlg::Sha256, signer)]).map_err(|e| fault(e.to_string()))
    }

    /// A host certificate may name hosts by a pattern (sshkey_cert_check_host of OpenSSH); one without names is for nobody.
    fn vouched(&self, principals: &[String]) -> bool {
        principals.iter().any(|p| WildMatch::new(&p.to_ascii_lowercase()).matches(&self.principal))
    }

    fn readable(&self, key: &KeyData) -> Result<(), String> {
        match &self.unreadable {
            Some(fault) => Err(format!("the host key {} cannot be checked: {fault}", describe(key))),
            None => Ok(()),
        }
    }

    fn refusal(&self, key: &KeyData) -> String {
        let shown = describe(key);
        let list = |entries: &[&Entry]| entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (same, other): (Vec<_>, Vec<_>) =
            self.of(Marker::Trusted).partition(|e| same_family(&e.key.algorithm(), &key.algorithm()));
        let mut text = if !same.is_empty() {
            format!("host key CHANGED: it shows {shown}, but {} is known as {}", self.name, list(&same))
        } else if !other.is_empty() {
            format!("host key of another type: it shows {shown}, but {} is known only as {}", self.name, list(&other))
        } else {
            let files: Vec<_> = self.files.iter().map(|f| f.display().to_string()).collect();
            format!("unknown host key {shown}: no line for {} in {}", self.name, files.join(", "))
        };
        for note in &self.notes {
            text.push_str("\n  ");
            text.push_str(note);
        }
        text.push_str("\n  nothing was written; ");
        if same.is_empty() && other.is_empty() {
            let line = PublicKey::new(key.clone(), "").to_openssh().unwrap_or_default();
            text.push_str(&format!(
                "compare the fingerprint with one taken on the host itself (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), then add by hand: {} {line}",
                self.name
            ));
        } else {
            text.push_str("find out on the host's own console why the key differs before you edit the line");
        }
        text
    }
}

/// RSA keys are one type, whatever the hash of the signature.
fn same_family(a: &Algorithm, b: &Algorithm) -> bool {
    a == b || matches!((a, b), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}

fn text(path: &Path) -> io::Result<Vec<u8>> {
    // A FIFO would block in `open`, so what it is is asked first.
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if meta.len() > FILE_CAP {
        return Err(io::Error::other(format!("larger than {FILE_CAP} bytes")));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_CAP).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The marker and key of a line if it is for this host.
///
/// # Errors
/// What is wrong with a line that is for this host, or might be.
fn parse(line: &str, name: &str) -> Result<Option<(Marker, KeyData)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut fields = line.split([' ', '\t']).filter(|f| !f.is_empty());
    let mut next = || fields.next().unwrap_or_default();
    let mut hosts = next();
    let marker = match hosts {
        "@cert-authority" => Marker::Authority,
        "@revoked" => Marker::Revoked,
        other if other.starts_with('@') => return Err(format!("unknown marker {other:?}, line not counted")),
        _ => Marker::Trusted,
    };
    if marker != Marker::Trusted {
        hosts = next();
    }
    let (kind, base64) = (next(), next());
    let Some(bare) = matches(hosts, name)? else { return Ok(None) };
    if bare && marker == Marker::Trusted {
        return Err("`*` would trust one key for every host, line not counted".to_owned());
    }
    let key =
        PublicKey::from_openssh(&format!("{kind} {base64}")).map_err(|e| format!("bad key ({e}), line not counted"))?;
    Ok(Some((marker, key.key_data().clone())))
}

/// Whether the names of a line are for this host: nothing if not, else whether only by a bare `*`.
fn matches(hosts: &str, name: &str) -> Result<Option<bool>, String> {
    if hosts.starts_with('|') {
        return match hosts.parse::<HostPatterns>() {
            Ok(HostPatterns::HashedName { salt, hash }) => Ok(hashed(&salt, name, &hash).then_some(false)),
            _ => Err("bad hashed name, line not counted".to_owned()),
        };
    }
    let (mut exact, mut bare) = (false, false);
    for pattern in hosts.split(',').filter(|p| !p.is_empty()) {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |p| (true, p));
        if !WildMatch::new(&pattern.to_ascii_lowercase()).matches(name) {
            continue;
        }
        if negated {
            return Ok(None);
        }
        if pattern.chars().all(|c| c == '*') { bare = true } else { exact = true }
    }
    Ok((exact || bare).then_some(!exact))
}

/// HMAC-SHA1 of the name with the salt as its key; compared in constant time by the crate.
fn hashed(salt: &[u8], name: &str, hash: &[u8]) -> bool {
    Hmac::<Sha1>::new_from_slice(salt).is_ok_and(|mut mac| {
        mac.update(name.as_bytes());
        mac.verify_slice(hash).is_ok()
    })
}

#[cfg(test)]
mod tests;
