//! The files: read, included and laid out as one list of directives, each with the `Host` lines above it.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wildmatch::WildMatch;

use super::words;

/// Bytes of one file. The largest ssh_config seen in the wild are some 100 KB; a device or a log named by mistake is larger.
const FILE_CAP: u64 = 1024 * 1024;
/// `READCONF_MAX_DEPTH` of OpenSSH 9.2.
const DEPTH: usize = 16;
/// Files in all: a glob that catches a whole disk.
const FILES: usize = 1000;

/// A line of a file; shown as `path:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    path: Arc<Path>,
    line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// One directive.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    /// The keyword in lower case.
    pub(super) keyword: String,
    /// Its words.
    pub(super) words: Vec<String>,
    /// Where it stands.
    pub(super) place: Place,
    /// The `Host` lines it stands under, each file's included; all must match.
    scope: Vec<Arc<Patterns>>,
}

impl Directive {
    /// Whether it is for this host, named as on the command line of `ssh`.
    pub(super) fn applies(&self, host: &str) -> bool {
        self.scope.iter().all(|p| p.matches(host))
    }
}

/// The patterns of a `Host` line.
#[derive(Debug)]
struct Patterns(Vec<(bool, WildMatch)>);

impl Patterns {
    fn of(words: &[String]) -> Self {
        let pattern = |w: &String| match w.strip_prefix('!') {
            Some(rest) => (true, WildMatch::new(rest)),
            None => (false, WildMatch::new(w)),
        };
        Self(words.iter().map(pattern).collect())
    }

    /// One matches and no negated one does.
    fn matches(&self, host: &str) -> bool {
        let mut hits = self.0.iter().filter(|(_, p)| p.matches(host)).peekable();
        hits.peek().is_some() && !hits.any(|(negated, _)| *negated)
    }
}

/// All directives of the files that are read for every host.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// In the order OpenSSH reads them; the first that says something wins.
    pub(super) directives: Vec<Directive>,
    read: usize,
}

impl Files {
    /// Reads the given file, or the user's and then the system's as `ssh` does; `none` reads nothing.
    ///
    /// # Errors
    /// What is wrong, with `path:line`.
    pub(crate) fn read(given: Option<&Path>, home: &Path) -> Result<Self, String> {
        let mut files = Self::default();
        let user_base = home.join(".ssh");
        match given {
            Some(path) if path == Path::new("none") => {}
            Some(path) => files.file(path, &user_base, home, &[], 0)?,
            None => {
                let system = Path::new("/etc/ssh");
                for (path, base) in
                    [(user_base.join("config"), user_base.as_path()), (system.join("ssh_config"), system)]
                {
                    if path.exists() {
                        files.file(&path, base, home, &[], 0)?;
                    }
                }
            }
        }
        Ok(files)
    }

    fn file(
        &mut self,
        path: &Path,
        base: &Path,
        home: &Path,
        outer: &[Arc<Patterns>],
        depth: usize,
    ) -> Result<(), String> {
        if depth > DEPTH {
            return Err(format!("{}: more than {DEPTH} files include each other", path.display()));
        }
        self.read += 1;
        if self.read > FILES {
            return Err(format!("{}: more than {FILES} configuration files", path.display()));
        }
        let text = text(path)?;
        let shared: Arc<Path> = Arc::from(path);
        let mut scope = outer.to_vec();
        for (index, line) in text.lines().enumerate() {
            let place = Place { path: Arc::clone(&shared), line: index + 1 };
            let Some((keyword, words)) = words::split(line).map_err(|e| format!("{place}: {e}"))? else { continue };
            match (keyword.as_str(), words.as_slice()) {
                (_, []) => return Err(format!("{place}: {keyword} without a value")),
                ("host", patterns) => {
                    scope = outer.to_vec();
                    scope.push(Arc::new(Patterns::of(patterns)));
                }
                ("match", [all]) if all.eq_ignore_ascii_case("all") => scope = outer.to_vec(),
                ("match", _) => {
                    return Err(format!(
                        "{place}: Match is not supported (only `Match all`); use Host, or name another file with -F"
                    ));
                }
                ("include", patterns) => {
                    for pattern in patterns {
                        for included in included(pattern, base, home).map_err(|e| format!("{place}: {e}"))? {
                            self.file(&included, base, home, &scope, depth + 1)
                                .map_err(|e| format!("{e}\n  included at {place}"))?;
                        }
                    }
                }
                _ => self.directives.push(Directive { keyword, words, place, scope: scope.clone() }),
            }
        }
        Ok(())
    }
}

/// The files an `Include` names, in the order of their names.
fn included(pattern: &str, base: &Path, home: &Path) -> Result<Vec<PathBuf>, String> {
    let path = match pattern.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None if pattern.starts_with('~') || pattern.contains("${") => {
            return Err(format!("Include {pattern}: only ~/ is expanded"));
        }
        None => base.join(pattern),
    };
    let paths = glob::glob(&path.to_string_lossy()).map_err(|e| format!("Include {pattern}: {e}"))?;
    paths.take(FILES + 1).map(|p| p.map_err(|e| format!("Include {pattern}: {e}"))).collect()
}

/// Reads one file that nobody but its owner, us or root, can write.
fn text(path: &Path) -> Result<String, String> {
    let fault = |e: &dyn fmt::Display| format!("{}: {e}", path.display());
    // A FIFO would block in `open`, so what it is is asked first.
    let meta = std::fs::metadata(path).map_err(|e| fault(&e))?;
    if !meta.is_file() {
        return Err(fault(&"not a regular file"));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(fault(&format!(
            "mode {:04o}: others may write it, so it is not trusted (chmod go-w)",
            meta.mode() & 0o7777
        )));
    }
    if meta.uid() != 0 && meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(fault(&format!("owned by uid {}, who is neither us nor root, so it is not trusted", meta.uid())));
    }
    let file = std::fs::File::open(path).map_err(|e| fault(&e))?;
    let mut text = String::new();
    file.take(FILE_CAP + 1).read_to_string(&mut text).map_err(|e| fault(&e))?;
    if text.len() as u64 > FILE_CAP {
        return Err(fault(&format!("larger than {FILE_CAP} bytes")));
    }
    Ok(text)
}
