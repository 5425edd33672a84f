//! Compiles one release from its module files alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::table::{Layout, Modules};
use super::{Release, toolchain};
use crate::act::{ActError, at, run_command};

/// 2.0.5 takes 7 s and the slowest later one 45 s on two idle cores; a busy machine ten times that.
const COMPILE: Duration = Duration::from_secs(900);

/// Debian 12's package `golang-1.19-go`. What a newer Go makes of etcd 2.1 to 2.3 panics at start
/// (`encoding alphabet includes duplicate symbols`, seen in the lab 2026-11-24).
pub(super) const DEBIAN_GO: &str = "/usr/lib/go-1.19";

/// Leaves the programs in the folder.
pub(super) fn build(release: &Release, modules: &Modules, folder: &Path) -> Result<(), ActError> {
    let root = match modules.layout {
        Layout::Coreos | Layout::Whole => PathBuf::from(DEBIAN_GO),
        // Their `go.mod` wants Go 1.23 to 1.26.
        Layout::Split => toolchain::root()?,
    };
    let module = folder.join("build");
    fs::create_dir_all(&module).map_err(at("make folder", &module))?;
    for (name, text) in [("go.mod", modules.manifest), ("go.sum", modules.sums)] {
        let path = module.join(name);
        fs::write(&path, text).map_err(at("write", &path))?;
    }
    for program in release.programs() {
        let output = folder.join(program);
        let mut command = Command::new(root.join("bin/go"));
        command
            .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
            .arg(&output)
            .arg(modules.package(program))
            .current_dir(&module)
            .env("GOROOT", &root)
            .env("GOTOOLCHAIN", "local")
            // A module that the files do not name with its sum is an error, never fetched.
            .env("GOFLAGS", "-mod=readonly")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", "0");
        run_command(command, "", COMPILE)?;
    }
    fs::remove_dir_all(&module).map_err(at("remove", &module))
}
