//! A path on a host: not a path of this machine.

use std::fmt;

/// An absolute path on a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemotePath(String);

impl RemotePath {
    /// The path, if it is absolute and has neither NUL nor newline nor a `..` part.
    #[must_use]
    pub fn from_absolute(text: &str) -> Option<Self> {
        let sound = text.starts_with('/') && !text.contains(['\0', '\n']) && !text.split('/').any(|part| part == "..");
        sound.then(|| Self(if text.len() > 1 { text.trim_end_matches('/').to_owned() } else { text.to_owned() }))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of `name` in this folder; slashes in `name` go deeper.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0.trim_end_matches('/'), name.trim_matches('/')))
    }

    /// The folder it is in; `/` for `/`.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self.0.rsplit_once('/') {
            Some(("", _)) | None => Self("/".to_owned()),
            Some((parent, _)) => Self(parent.to_owned()),
        }
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
