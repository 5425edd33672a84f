//! The release that Debian 12 packs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Release;
use crate::act::{ActError, at, feed, run_command};

/// Two packages of 10 MB together, from a mirror that may be far.
const FETCH: Duration = Duration::from_secs(600);

/// Which package has which program.
const PACKAGES: [(&str, &str); 2] = [("etcd-server", "etcd"), ("etcd-client", "etcdctl")];

/// Leaves the programs in the folder. apt verifies what it fetches by the archive's signature.
pub(super) fn fetch(release: &Release, folder: &Path) -> Result<(), ActError> {
    let place = folder.join("debian");
    fs::create_dir_all(&place).map_err(at("make folder", &place))?;
    for (package, program) in PACKAGES {
        let own = place.join(package);
        fs::create_dir_all(&own).map_err(at("make folder", &own))?;
        let mut command = Command::new("apt-get");
        command.args(["-qq", "download", package]).current_dir(&own);
        run_command(command, "", FETCH)?;
        let entries = fs::read_dir(&own).map_err(at("read", &own))?;
        let file = entries.flatten().map(|entry| entry.path()).next().ok_or_else(|| ActError::Mismatch {
            what: format!("what apt-get fetched for {package}"),
            expected: release.version.to_owned(),
            found: "nothing".to_owned(),
        })?;
        let tree = own.join("tree");
        feed("dpkg-deb", &["-x", &file.to_string_lossy(), &tree.to_string_lossy()], "", FETCH)?;
        let from = tree.join("usr/bin").join(program);
        fs::copy(&from, folder.join(program)).map_err(at("copy", &from))?;
    }
    fs::remove_dir_all(&place).map_err(at("remove", &place))
}
