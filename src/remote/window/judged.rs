//! By what the start of a unit was judged: the files that systemd has read of it, and all others that say with what it starts.

use super::{RemotePath, UnitState};

/// Which files systemd must have read of the unit before its program is started, and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAs {
    /// The unit's own file.
    pub fragment: RemotePath,
    /// Its drop-ins, in systemd's order.
    pub drop_ins: Vec<RemotePath>,
}

/// A file by which the unit's start was judged, and which nobody may have changed when it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its path, as the unit or its options name it; links are followed.
    pub path: RemotePath,
    /// What it held: SHA-256 in hex, `none` where nothing was there, `other` for what is no file.
    pub holds: String,
}

impl ReadAs {
    /// What systemd says that it has read of a unit; `None` for one that has no file.
    #[must_use]
    pub fn of(state: &UnitState) -> Option<Self> {
        Some(Self { fragment: state.fragment_path()?, drop_ins: state.drop_ins() })
    }

    /// `FragmentPath` and `DropInPaths`, as the script puts them together.
    pub(super) fn in_systemds_words(&self) -> String {
        let drop_ins: Vec<&str> = self.drop_ins.iter().map(RemotePath::as_str).collect();
        format!("{} {}", self.fragment, drop_ins.join(" "))
    }
}

impl Judged {
    /// Its line in the window's folder.
    pub(super) fn line(&self) -> String {
        format!("{}\t{}\n", self.path, self.holds)
    }
}
