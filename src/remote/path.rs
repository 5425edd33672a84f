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

    /// `/`.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of one name in this folder, if it is one: no slash, NUL or newline, and neither empty nor `.` nor `..`. For
    /// names that a host or a user gave.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Self> {
        let sound = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0', '\n']);
        sound.then(|| self.join(name))
    }

    /// The path of `name` in this folder; slashes in `name` go deeper. For names of our own; see [`RemotePath::child`].
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_absolute_and_goes_nowhere_up() {
        for bad in ["", "a", "./a", "/a/../b", "/..", "/a\nb", "/a\0b", "~/a"] {
            assert_eq!(RemotePath::from_absolute(bad), None, "{bad:?}");
        }
        for (good, text) in [("/", "/"), ("/a/", "/a"), ("/..a/b..", "/..a/b.."), ("/a b", "/a b")] {
            assert_eq!(RemotePath::from_absolute(good).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_child_is_one_name_in_the_folder() {
        let folder = RemotePath::from_absolute("/a").unwrap();
        for bad in ["", ".", "..", "b/c", "/b", "../b", "b\nc", "b\0"] {
            assert_eq!(folder.child(bad), None, "{bad:?}");
        }
        assert_eq!(folder.child("b..").unwrap().as_str(), "/a/b..");
        assert_eq!(RemotePath::from_absolute("/").unwrap().child("b").unwrap().as_str(), "/b");
    }

    #[test]
    fn the_parent_of_a_path_is_the_folder_it_is_in() {
        for (path, parent, name) in [("/a/b", "/a", "b"), ("/a", "/", "a"), ("/", "/", "")] {
            let path = RemotePath::from_absolute(path).unwrap();
            assert_eq!((path.parent().as_str(), path.name()), (parent, name));
        }
    }
}
