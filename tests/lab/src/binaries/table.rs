//! Every release of etcd that the lab can have, and what each is made of.

/// How a release's programs are laid out in Go modules, which also says what Go compiles them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// 2.0 to 3.3: one module by its old name.
    Coreos,
    /// 3.4: one module by its new name.
    Whole,
    /// From 3.5 on a module for each program, and `etcdutl` is one of them.
    Split,
}

/// The module files of one release: every module it is built of, with its version and its sum.
#[derive(Debug)]
pub(super) struct Modules {
    pub(super) layout: Layout,
    /// `go.mod`.
    pub(super) manifest: &'static str,
    /// `go.sum`.
    pub(super) sums: &'static str,
}

/// Where a release comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// Compiled from modules.
    Modules(Modules),
    /// Debian 12's packages `etcd-server` and `etcd-client`.
    Debian,
}

/// One release.
#[derive(Debug)]
pub(crate) struct Release {
    /// As `etcd --version` says it.
    pub(crate) version: &'static str,
    pub(super) source: Source,
}

/// A row whose module files are in `etcd/VERSION`.
macro_rules! built {
    ($version:literal, $layout:ident) => {
        Release {
            version: $version,
            source: Source::Modules(Modules {
                layout: Layout::$layout,
                manifest: include_str!(concat!("../../etcd/", $version, "/go.mod")),
                sums: include_str!(concat!("../../etcd/", $version, "/go.sum")),
            }),
        }
    };
}

/// Oldest first. `etcd/README.md` says how a row is made.
pub(super) const RELEASES: [Release; 17] = [
    built!("2.0.0", Coreos),
    built!("2.0.5", Coreos),
    built!("2.0.8", Coreos),
    built!("2.1.1", Coreos),
    built!("2.2.5", Coreos),
    built!("2.3.8", Coreos),
    built!("3.0.17", Coreos),
    built!("3.1.20", Coreos),
    built!("3.2.32", Coreos),
    built!("3.3.27", Coreos),
    built!("3.4.13", Whole),
    Release { version: "3.4.23", source: Source::Debian },
    built!("3.5.21", Split),
    built!("3.5.35", Split),
    built!("3.6.8", Split),
    built!("3.6.16", Split),
    built!("3.7.3", Split),
];

impl Release {
    /// The programs that its archive holds.
    pub(crate) fn programs(&self) -> &'static [&'static str] {
        match &self.source {
            Source::Modules(Modules { layout: Layout::Split, .. }) => &["etcd", "etcdctl", "etcdutl"],
            _ => &["etcd", "etcdctl"],
        }
    }
}

impl Modules {
    /// The package of a program.
    pub(super) fn package(&self, program: &str) -> String {
        match (self.layout, program) {
            (Layout::Coreos, "etcd") => "github.com/coreos/etcd".to_owned(),
            (Layout::Coreos, other) => format!("github.com/coreos/etcd/{other}"),
            (Layout::Whole, "etcd") => "go.etcd.io/etcd".to_owned(),
            (Layout::Whole, other) => format!("go.etcd.io/etcd/{other}"),
            (Layout::Split, "etcd") => "go.etcd.io/etcd/server/v3".to_owned(),
            (Layout::Split, other) => format!("go.etcd.io/etcd/{other}/v3"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The main module's version as `go.mod` names it; 3.4.13 has none that a version could be read from.
    #[test]
    fn each_row_has_the_module_files_of_its_own_version() {
        for release in &RELEASES {
            let Source::Modules(modules) = &release.source else { continue };
            let wanted = match modules.layout {
                Layout::Coreos => format!("github.com/coreos/etcd v{}+incompatible", release.version),
                Layout::Whole => "go.etcd.io/etcd v0.5.0-alpha.5.0.20200824191128-ae9734ed278b".to_owned(),
                Layout::Split => format!("go.etcd.io/etcd/server/v3 v{}", release.version),
            };
            let named = |text: &str, rest: &str| text.lines().any(|line| line.trim_start().contains(rest));
            assert!(named(modules.manifest, &wanted), "{}: {wanted}", release.version);
            assert!(named(modules.sums, &format!("{wanted} h1:")), "{}: its sum", release.version);
        }
    }
}
