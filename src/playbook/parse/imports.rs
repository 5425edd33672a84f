//! Files taken in while the playbook is read: `import_tasks` and `import_playbook`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::inventory::{Entry, Node, NodeValue, Place, Problem, Source, from_yaml};

use super::keywords::{Home, IMPORT_PLAYBOOK, keyword};
use super::shapes::is_template;
use super::{Reader, keyword_name};
use crate::playbook::{Block, Directives, Play};

/// The keyword that stands in place of a play.
pub(super) const PLAYBOOK: &str = "import_playbook";

/// Files that import each other in a chain; real ones need three or four.
const DEPTH: usize = 16;
/// Files taken in by one playbook: a file imported twice on each of 16 levels would make 65 536.
const FILES: usize = 1000;
/// Bytes of one file: far beyond any playbook, and small enough that a wrong path can't fill the memory.
const BYTES: u64 = 16 * 1024 * 1024;
/// What a file must be called, so that no fault of another file is ever shown with a line of it (`/etc/shadow`).
const EXTENSIONS: [&str; 3] = ["yml", "yaml", "json"];

/// A file's real path, or its name if it has none.
pub(super) fn identity(name: &Path) -> PathBuf {
    fs::canonicalize(name).unwrap_or_else(|_| name.to_path_buf())
}

impl Reader<'_> {
    /// The tasks of another file as a block that carries what the import says of them.
    pub(super) fn import_tasks(&mut self, node: &Node, entries: &[Entry], import: &Entry) -> Option<Block> {
        let mut block = Block::new(&node.place);
        for entry in entries {
            match keyword_name(&entry.key) {
                "import_tasks" | "args" => {}
                // Blocks show no name of their own, and neither does an import.
                "name" => block.name = self.text(entry),
                key if keyword(key).is_some_and(|row| row.belongs_to(Home::Task) && !row.belongs_to(Home::Block)) => {
                    let message = format!("`{key}` can't be said of `import_tasks`, which is no task of the run");
                    self.problem(&entry.key_place, message);
                }
                _ => match self.keyword(entry, Home::Block) {
                    Some(true) => {
                        self.directive(entry, &mut block.directives);
                    }
                    Some(false) => {}
                    None => self.unknown_keyword(entry, Home::Block),
                },
            }
        }
        let (name, place) = self.import_path(import, "file")?;
        block.block = self.with_file(&name, &place, |reader, root| {
            let what = format!("`{}`", root.place.source.name.display());
            reader.item_list(root, &what)
        })?;
        Some(block)
    }

    /// The plays of another playbook; what the import says goes to their tasks.
    pub(super) fn import_playbook(&mut self, entries: &[Entry], import: &Entry) -> Vec<Play> {
        self.check_keys(entries, IMPORT_PLAYBOOK, "`import_playbook`");
        let mut above = Directives::default();
        for entry in entries {
            if matches!(entry.key.as_str(), "when" | "tags" | "vars") {
                self.directive(entry, &mut above);
            }
        }
        let Some((name, place)) = self.import_path(import, "file") else { return Vec::new() };
        let mut plays = self.with_file(&name, &place, |reader, root| reader.plays(root)).unwrap_or_default();
        for play in &mut plays {
            inherit(&mut play.directives, &above);
        }
        plays
    }

    /// The path that an import names: text, or a mapping with it.
    fn import_path(&mut self, entry: &Entry, key: &str) -> Option<(String, Place)> {
        let node = match &entry.value.value {
            NodeValue::Mapping(inner) => {
                self.check_keys(inner, &[key], &format!("`{}`", entry.key));
                entry.value.get(key).unwrap_or(&entry.value)
            }
            _ => &entry.value,
        };
        let Some(name) = node.as_str().map(str::trim).filter(|name| !name.is_empty()) else {
            self.wrong_shape(&entry.key, node, "the path of a file");
            return None;
        };
        if is_template(name) {
            let message = format!("`{}` needs a plain path: the file is read before anything is rendered", entry.key);
            self.problem(&node.place, message);
            return None;
        }
        if name.contains("://") {
            self.problem(&node.place, format!("`{}` takes files of this machine only", entry.key));
            return None;
        }
        Some((name.to_owned(), node.place.clone()))
    }

    /// Reads a file and lets `take` make something of it, with the file on the stack of those being read.
    fn with_file<T>(&mut self, name: &str, place: &Place, take: impl FnOnce(&mut Self, &Node) -> T) -> Option<T> {
        let folder = place.source.name.parent().unwrap_or(Path::new(""));
        let path = folder.join(name);
        let real = identity(&path);
        if self.files.iter().any(|(file, _)| *file == real) {
            let chain: Vec<String> = self.files.iter().map(|(_, name)| name.display().to_string()).collect();
            let help = format!("the files being read are {}", chain.join(" → "));
            self.problem_with(place, format!("`{name}` imports itself"), help);
            return None;
        }
        self.imported += 1;
        if self.files.len() > DEPTH || self.imported > FILES {
            let message = format!("more than {DEPTH} imports in each other, or {FILES} files in all");
            self.problem(place, message);
            return None;
        }
        let root = match text(&path).map(|text| Source::new(&path, text)) {
            Ok(source) => {
                self.sources.push(Arc::clone(&source));
                from_yaml(&source)
            }
            Err(why) => Err(Problem::new(place, format!("can't read `{}`: {why}", path.display()))),
        };
        match root {
            Ok(root) => {
                self.files.push((real, path));
                let taken = take(self, &root);
                self.files.pop();
                Some(taken)
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }
}

/// The text of a file that may be imported; else why not.
fn text(path: &Path) -> Result<String, String> {
    if !path.extension().and_then(|ext| ext.to_str()).is_some_and(|ext| EXTENSIONS.contains(&ext)) {
        return Err("its name must end in .yml, .yaml or .json".to_owned());
    }
    let told = |fault: std::io::Error| fault.to_string();
    // Asked before opening: opening a named pipe waits for its other end.
    if !fs::metadata(path).map_err(told)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(told)?.take(BYTES + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > BYTES {
        return Err(format!("it is larger than {} MiB", BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// Puts what an import says over a play's own: `when` comes first, `tags` add up, `vars` win.
fn inherit(own: &mut Directives, above: &Directives) {
    own.when.splice(0..0, above.when.iter().cloned());
    for tag in &above.tags {
        if !own.tags.contains(tag) {
            own.tags.push(tag.clone());
        }
    }
    own.vars.retain(|entry| !above.vars.iter().any(|over| over.key == entry.key));
    own.vars.extend(above.vars.iter().cloned());
}
