//! Private keys in files, read once, and decrypted once however many hosts want them.

use std::collections::HashMap;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::ssh_key::{Certificate, PrivateKey, PublicKey};
use russh::keys::{Error, decode_secret_key, load_openssh_certificate};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::connector::Ask;

/// Bytes of a key file: RSA with 16384 bits is 13 KiB.
const FILE_CAP: u64 = 64 * 1024;

/// A key file that was read.
#[derive(Clone)]
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// Unknown only for an encrypted key in an old format without its `.pub`.
    pub(super) public: Option<PublicKey>,
    /// Absent while it is encrypted.
    pub(super) private: Option<Arc<PrivateKey>>,
    text: Arc<Zeroizing<String>>,
}

/// Why a key file gives no key.
#[derive(Debug)]
pub(super) enum NoKey {
    /// It is not there.
    Missing,
    /// It is there and is nothing we can use.
    Unusable(String),
}

/// Reads a key file.
///
/// # Errors
/// [`NoKey`].
pub(super) fn read(path: &Path) -> Result<KeyFile, NoKey> {
    let fault = |e: &dyn std::fmt::Display| NoKey::Unusable(format!("{}: {e}", path.display()));
    let text = text(path)?;
    let key = |private: Option<PrivateKey>, public| KeyFile {
        path: path.to_owned(),
        public,
        private: private.map(Arc::new),
        text: Arc::new(text.clone()),
    };
    if let Ok(private) = PrivateKey::from_openssh(text.as_bytes()) {
        let public = Some(private.public_key().clone());
        return Ok(if private.is_encrypted() { key(None, public) } else { key(Some(private), public) });
    }
    match decode_secret_key(&text, None) {
        Ok(private) => {
            let public = Some(private.public_key().clone());
            Ok(key(Some(private), public))
        }
        Err(Error::KeyIsEncrypted) => {
            let public = PublicKey::read_openssh_file(beside(path, ".pub")).ok();
            Ok(key(None, public))
        }
        Err(_) if PublicKey::from_openssh(&text).is_ok() => Err(fault(&"this is the public key; name the private one")),
        Err(error) => Err(fault(&format!("no private key ({error})"))),
    }
}

fn text(path: &Path) -> Result<Zeroizing<String>, NoKey> {
    let fault = |e: &dyn std::fmt::Display| NoKey::Unusable(format!("{}: {e}", path.display()));
    // A FIFO would block in `open`, so what it is is asked first.
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(NoKey::Missing),
        Err(e) => return Err(fault(&e)),
    };
    if !meta.is_file() {
        return Err(fault(&"not a regular file"));
    }
    if meta.len() > FILE_CAP {
        return Err(fault(&format!("{} bytes is too large for a key", meta.len())));
    }
    // As OpenSSH's sshkey_perm_ok: only a key of our own is judged by its mode.
    if meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 != 0 {
        return Err(fault(&format!("mode {:04o} lets others read the private key (chmod 600)", meta.mode() & 0o7777)));
    }
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(|e| fault(&e))?;
    file.take(FILE_CAP).read_to_string(&mut text).map_err(|e| fault(&e))?;
    Ok(text)
}

impl KeyFile {
    /// The certificate beside the key, as `ssh` looks for it, and those named in ssh_config that are for this key.
    pub(super) fn certificates(&self, named: &[PathBuf]) -> Vec<Certificate> {
        let Some(public) = &self.public else { return Vec::new() };
        let mut paths = named.to_vec();
        paths.push(beside(&self.path, "-cert.pub"));
        let read = paths.iter().filter_map(|p| load_openssh_certificate(p).ok());
        read.filter(|c| c.public_key() == public.key_data()).collect()
    }
}

/// The file of the same name with this behind it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Keys that were decrypted, so that nobody is asked twice.
#[derive(Default)]
pub(super) struct KeyRing(Mutex<HashMap<PathBuf, Result<Arc<PrivateKey>, String>>>);

impl KeyRing {
    /// Decrypts a key; whoever else wants the same one waits, and gets the same answer.
    ///
    /// # Errors
    /// Without a terminal, without an answer, or with the wrong one.
    pub(super) async fn unlock(&self, key: &KeyFile, ask: Option<&Ask>) -> Result<Arc<PrivateKey>, String> {
        let mut ring = self.0.lock().await;
        if let Some(known) = ring.get(&key.path) {
            return known.clone();
        }
        let unlocked = unlock(key, ask).await;
        ring.insert(key.path.clone(), unlocked.clone());
        unlocked
    }
}

/// Asks once: a wrong passphrase is told, not asked for again.
async fn unlock(key: &KeyFile, ask: Option<&Ask>) -> Result<Arc<PrivateKey>, String> {
    let path = key.path.display();
    let Some(ask) = ask.cloned() else {
        return Err(format!(
            "{path} is encrypted, and there is no terminal to ask for its passphrase (load it into an agent)"
        ));
    };
    let question = format!("Passphrase for {path}: ");
    // A human and a key derivation both take their time, which the runtime's own threads have not.
    let answer: Option<SecretString> =
        tokio::task::spawn_blocking(move || ask(&question)).await.map_err(|e| e.to_string())?;
    let Some(passphrase) = answer else {
        return Err(format!("{path} is encrypted, and no passphrase was given"));
    };
    let text = Arc::clone(&key.text);
    let decoded = tokio::task::spawn_blocking(move || decode_secret_key(&text, Some(passphrase.expose_secret()))).await;
    match decoded.map_err(|e| e.to_string())? {
        Ok(private) => Ok(Arc::new(private)),
        Err(_) => Err(format!("the passphrase for {path} is wrong")),
    }
}
