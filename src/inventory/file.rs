//! Input files: read only when nobody else could have written them, and never more than a cap of them.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Place, Problem, Source};

/// One inventory or variables file: 10 000 hosts with 20 variables each take about 5 MiB.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Why an inventory can't be used. Nothing of it is kept: a part of an inventory is another cluster.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// What is written in it is wrong, at these places; at least one.
    #[error("{}", .0.first().map_or_else(String::new, ToString::to_string))]
    Text(Vec<Problem>),
    /// A file as a whole is wrong.
    #[error("{}: {message}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// A file or folder can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl InventoryError {
    pub(super) fn file(path: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::File { path: path.to_path_buf(), message: message.into(), help: Some(help.into()) }
    }

    pub(super) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Read { path, source }
    }
}

impl From<Problem> for InventoryError {
    fn from(problem: Problem) -> Self {
        Self::Text(vec![problem])
    }
}

/// A file's text, and whether it asks to be run.
pub(super) struct Input {
    /// The text, without a byte order mark.
    pub source: Arc<Source>,
    /// It has the executable bit.
    pub executable: bool,
}

/// Reads one file.
///
/// # Errors
/// One that is no plain file, that others may write to, that is over 16 MiB, or that is not UTF-8. Bytes that are not UTF-8
/// are let pass in comment lines of an INI file (`comments_may_be_odd`), as Ansible does.
pub(super) fn read(path: &Path, comments_may_be_odd: bool) -> Result<Input, InventoryError> {
    let file = open(path)?;
    let about = file.metadata().map_err(InventoryError::read(path))?;
    if !about.is_file() {
        return Err(InventoryError::file(
            path,
            "not a plain file",
            "give a file, a folder or a host list such as `h1,h2,`",
        ));
    }
    refuse_writable_by_others(path, about.permissions().mode())?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(InventoryError::read(path))?;
    if bytes.len() as u64 > MOST_BYTES {
        let message = format!("over {} MiB", MOST_BYTES >> 20);
        return Err(InventoryError::file(path, message, "split it into several files in one folder"));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(InventoryError::file(path, "this is UTF-16", "save it as UTF-8"));
    }
    let text = text_from(path, bytes, comments_may_be_odd)?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    if text.starts_with("$ANSIBLE_VAULT;") {
        return Err(InventoryError::file(
            path,
            "encrypted with Ansible Vault, which is not supported for whole files",
            "decrypt it, or take the secret out of the inventory",
        ));
    }
    Ok(Input { source: Source::new(path, text), executable: about.permissions().mode() & 0o111 != 0 })
}

/// Opens a file without waiting for a writer, should it be a named pipe.
fn open(path: &Path) -> Result<File, InventoryError> {
    let about = std::fs::metadata(path).map_err(InventoryError::read(path))?;
    if about.is_file() {
        return File::open(path).map_err(InventoryError::read(path));
    }
    Err(InventoryError::file(path, "not a plain file", "give a file, a folder or a host list such as `h1,h2,`"))
}

/// Who can write to the inventory decides which hosts are changed and as whom, so nobody but its owner and group may.
fn refuse_writable_by_others(path: &Path, mode: u32) -> Result<(), InventoryError> {
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    if mode & OTHERS_WRITE != 0 {
        let help = format!("run `chmod o-w {}`", path.display());
        return Err(InventoryError::file(path, "everybody on this machine may write to this file", help));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mode = std::fs::metadata(folder).map_err(InventoryError::read(folder))?.permissions().mode();
    // In a sticky folder such as /tmp nobody can replace a file of another user.
    if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
        let help = format!("run `chmod o-w {}`", folder.display());
        return Err(InventoryError::file(path, "everybody on this machine may replace files in its folder", help));
    }
    Ok(())
}

fn text_from(path: &Path, bytes: Vec<u8>, comments_may_be_odd: bool) -> Result<String, InventoryError> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(odd) => odd.into_bytes(),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let source = Source::new(path, text.clone());
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let shown = String::from_utf8_lossy(line);
        let comment = comments_may_be_odd && (line.starts_with(b"#") || line.starts_with(b";"));
        if let (Err(fault), false) = (std::str::from_utf8(line), comment) {
            let at = start + fault.valid_up_to();
            let place = Place::new(&source, at, at + char::REPLACEMENT_CHARACTER.len_utf8());
            return Err(Problem::new(&place, "not UTF-8 text").help("save the file as UTF-8").into());
        }
        start += shown.len();
    }
    Ok(text)
}
