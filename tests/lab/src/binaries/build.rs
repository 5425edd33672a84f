//! Compiles one version in an empty module of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Go, PROGRAMS, Release};
use crate::act::{ActError, at, run_command};

/// 2.0.5 takes 7 s and the slowest later one 45 s on two idle cores; a busy machine ten times that.
const COMPILE: Duration = Duration::from_secs(900);

/// Debian 12's package `golang-1.19-go`.
const DEBIAN_119: &str = "/usr/lib/go-1.19";

/// Leaves `etcd`, `etcdctl` and `README.md` in the folder.
pub(super) fn build(release: &Release, folder: &Path) -> Result<(), ActError> {
    let module = folder.join("build");
    fs::create_dir_all(&module).map_err(at("make folder", &module))?;
    let manifest = module.join("go.mod");
    fs::write(&manifest, wrapper(release)).map_err(at("write", &manifest))?;
    let main = format!("{}@{}", release.module, release.module_version);
    go(release, &module, &["get", &main])?;
    check_sum(release, &module)?;
    for program in PROGRAMS {
        let package =
            if program == "etcd" { release.module.to_owned() } else { format!("{}/{program}", release.module) };
        let output = folder.join(program);
        let output = output.to_string_lossy();
        let flags = ["build", "-trimpath", "-ldflags=-s -w", "-o"];
        go(release, &module, &[&flags[..], &[&output, &package]].concat())?;
    }
    let sources = go(release, &module, &["list", "-m", "-f={{.Dir}}", release.module])?;
    let readme = Path::new(sources.trim()).join("README.md");
    fs::copy(&readme, folder.join("README.md")).map_err(at("copy", &readme))?;
    check_version(release, folder)?;
    fs::remove_dir_all(&module).map_err(at("remove", &module))
}

fn wrapper(release: &Release) -> String {
    let Go::Debian119 = release.go;
    let mut text = "module lab\n\ngo 1.19\n".to_owned();
    for (module, pinned) in release.pins {
        let _ = writeln!(text, "replace {module} => {pinned}");
    }
    text
}

fn go(release: &Release, module: &Path, args: &[&str]) -> Result<String, ActError> {
    let mut command = match release.go {
        Go::Debian119 => {
            let mut command = Command::new(format!("{DEBIAN_119}/bin/go"));
            command.env("GOROOT", DEBIAN_119);
            command
        }
    };
    command
        .args(args)
        .current_dir(module)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0");
    run_command(command, "", COMPILE)
}

/// Go hashes what it downloaded into `go.sum`; the table says what it must be.
fn check_sum(release: &Release, module: &Path) -> Result<(), ActError> {
    let path = module.join("go.sum");
    let sums = fs::read_to_string(&path).map_err(at("read", &path))?;
    let start = format!("{} {} ", release.module, release.module_version);
    let found = sums.lines().find_map(|line| line.strip_prefix(&start));
    if found == Some(release.sum) {
        return Ok(());
    }
    Err(ActError::Mismatch {
        what: format!("sum of {} {}", release.module, release.module_version),
        expected: release.sum.to_owned(),
        found: found.unwrap_or("none").to_owned(),
    })
}

fn check_version(release: &Release, folder: &Path) -> Result<(), ActError> {
    let mut command = Command::new(folder.join("etcd"));
    command.arg("--version");
    let said = run_command(command, "", Duration::from_secs(20))?;
    let first = said.lines().next().unwrap_or_default();
    if first.split_whitespace().last() == Some(release.version) {
        return Ok(());
    }
    Err(ActError::Mismatch {
        what: "version the built etcd says of itself".to_owned(),
        expected: release.version.to_owned(),
        found: first.to_owned(),
    })
}
