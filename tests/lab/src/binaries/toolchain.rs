//! The Go that compiles etcd 3.5 and later, fetched as a module: the machine need not have one so new.

use std::env::consts::ARCH;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::archive::processor;
use super::build::DEBIAN_GO;
use crate::act::{ActError, at, feed, run_command};
use crate::cache;

/// etcd 3.7.3 asks for Go 1.26 in its `go.mod`.
const VERSION: &str = "1.26.4";

/// The module's sum for each processor, as `go.sum` would hold it.
const SUMS: [(&str, &str); 2] = [
    ("x86_64", "h1:wAoHYF9gHXZdyCyZT4yuWhbjdIC/Iv5dpQsE+H3FgGU="),
    ("aarch64", "h1:jN5t8dCFiH2UQGMwT5Vm2S11spA4Aaed7jd/eaS9ouk="),
];

/// 65 MB to fetch and 15 000 files to copy: seconds where the registry is near.
const FETCH: Duration = Duration::from_secs(600);

/// What `go mod download -json` says of a module.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fetched {
    dir: PathBuf,
    sum: String,
}

/// The folder that is this Go's GOROOT, made first if the cache does not have it.
pub(super) fn root() -> Result<PathBuf, ActError> {
    cache::folder(&format!("go-{VERSION}"), make)
}

fn make(folder: &Path) -> Result<(), ActError> {
    let module = format!("golang.org/toolchain@v0.0.1-go{VERSION}.linux-{}", processor());
    let mut command = Command::new(format!("{DEBIAN_GO}/bin/go"));
    command
        .args(["mod", "download", "-json", &module])
        .current_dir(folder)
        .env("GOROOT", DEBIAN_GO)
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        // The sum is compared with the one above; nobody else need be asked for it.
        .env("GONOSUMDB", "golang.org/toolchain");
    let said = run_command(command, "", FETCH)?;
    let mismatch = |found: String| ActError::Mismatch {
        what: format!("sum of {module}"),
        expected: pinned().unwrap_or("none for this processor").to_owned(),
        found,
    };
    let fetched: Fetched = serde_json::from_str(&said).map_err(|_| mismatch(said.clone()))?;
    if pinned() != Some(&*fetched.sum) {
        return Err(mismatch(fetched.sum));
    }
    let (from, to) = (format!("{}/.", fetched.dir.display()), folder.to_string_lossy());
    feed("cp", &["-r", "--no-preserve=mode", &from, &to], "", FETCH)?;
    make_executable(&folder.join("bin"))?;
    let tools = folder.join("pkg/tool");
    for entry in fs::read_dir(&tools).map_err(at("read", &tools))?.flatten() {
        make_executable(&entry.path())?;
    }
    Ok(())
}

fn pinned() -> Option<&'static str> {
    SUMS.iter().find(|(processor, _)| *processor == ARCH).map(|(_, sum)| *sum)
}

/// The archive of a module carries no mode bits.
fn make_executable(folder: &Path) -> Result<(), ActError> {
    for entry in fs::read_dir(folder).map_err(at("read", folder))?.flatten() {
        let path = entry.path();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(at("change the mode of", &path))?;
    }
    Ok(())
}
