//! etcdctl beside etcd: a release carries both, and people expect them to be of one version.

use semver::Version;

use crate::etcd::from_tool_output;
use crate::modules::{Call, Failure};
use crate::remote::Swap;

use super::facts::Facts;
use super::place::Place;
use super::release::{Binary, Origin};
use super::stage;

/// Its name, on the host and in the archive.
const NAME: &str = "etcdctl";

/// `$1` a path. Prints what the program there says of its version; nothing if there is none, or none that came out of a release: a
/// script of that name is somebody's own.
const VERSION: &str = r#"
[ -f "$1" ] && [ "$(head -c 4 -- "$1" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] || exit 0
"$1" --version 2>/dev/null
exit 0
"#;

/// An etcdctl that takes the place of an older one together with etcd.
pub(super) struct Tool {
    pub(super) place: Place,
    pub(super) binary: Binary,
    /// The version of the one that stands there.
    from: Version,
}

impl Tool {
    /// The etcdctl to go with etcd of version `to`: where a release is installed, and an older etcdctl stands beside the unit's program.
    pub(super) async fn find(call: &Call<'_>, facts: &Facts, to: &Version) -> Result<Option<Self>, Failure> {
        let Ok(origin @ Origin::Releases(_)) = Origin::from_call(call) else { return Ok(None) };
        let target = facts.program.parent().join(NAME);
        let said = call.probe.script("ask etcdctl for its version", VERSION, &[target.as_str()], None).await?;
        let Ok(from) = from_tool_output(&said.stdout) else { return Ok(None) };
        if from >= *to {
            return Ok(None);
        }
        let binary = stage::take(call, origin, NAME, to, &facts.machine).await?;
        let standing = call.probe.sha256(&target).await?;
        let place = Place::at(&call.probe, target, standing, to).await?;
        Ok(Some(Self { place, binary, from }))
    }

    /// The swap to the new one.
    pub(super) fn swap(&self) -> Swap {
        self.place.swap(&self.from, &self.binary.sha256)
    }

    /// The swap back to the old one.
    pub(super) fn swap_back(&self) -> Swap {
        self.place.swap_back(&self.from, &self.binary.sha256)
    }
}
