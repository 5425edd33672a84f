//! Inventories with what ansible-core 2.21.5 answers to them: `tests/cases/inventory/*.json`.
//!
//! A case has `files`, and `runs` of `ansible-inventory` (`inv`) or `ansible PATTERN --list-hosts` (`pat`) with their output.
//! Where quorate differs on purpose the case says why in `deviation`, and either `refused` is in the message of every run, or
//! `ours` is what quorate answers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use quorate::cli::inventory::{InventoryOptions, Show, inventory};
use quorate::inventory::{Inventory, InventoryError, Limit, UnknownNames};
use serde_json::Value;

#[test]
fn answers_every_case_as_ansible_does_or_as_declared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inventory");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut agree, mut deviate, mut wrong) = (0, 0, Vec::new());
    for path in &paths {
        let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let faults = faults_of(&case);
        if !faults.is_empty() {
            wrong.push(format!("{}:\n{}", case["name"].as_str().unwrap(), faults.join("\n")));
        } else if case.get("deviation").is_some() {
            deviate += 1;
        } else {
            agree += 1;
        }
    }
    assert!(
        wrong.is_empty(),
        "{agree} agree, {deviate} deviate as declared, {} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(agree >= 73 && agree + deviate >= 98, "the cases are gone: {agree} agree, {deviate} deviate");
}

/// What is not as it should be in the runs of a case.
fn faults_of(case: &Value) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in case["files"].as_object().unwrap() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.as_str().unwrap()).unwrap();
    }
    let mut faults = Vec::new();
    for run in case["runs"].as_array().unwrap() {
        let args: Vec<&str> = run["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let answer = Run::from_args(&args, folder.path()).answer();
        let fault = match (case.get("deviation"), case.get("refused"), &answer) {
            (Some(_), Some(refused), Err(message)) if message.contains(refused.as_str().unwrap()) => None,
            (Some(_), None, Ok(text)) => difference(&case["ours"], text),
            (Some(_), _, answer) => Some(format!("not as declared: {answer:?}")),
            (None, _, Ok(text)) => difference(&run["out"], text),
            (None, _, Err(message)) => Some(format!("refused: {message}")),
        };
        faults.extend(fault.map(|fault| format!("  {}: {fault}", args.join(" "))));
    }
    faults
}

/// Text is compared byte for byte; JSON without the name of Ansible's encoder, which the recorded answers leave out.
fn difference(expected: &Value, text: &str) -> Option<String> {
    if let Some(expected) = expected.as_str() {
        return (expected != text).then(|| format!("expected\n{expected}\nfound\n{text}"));
    }
    let mut found: Value = serde_json::from_str(text).unwrap();
    if let Some(meta) = found.get_mut("_meta").and_then(Value::as_object_mut) {
        assert_eq!(meta.shift_remove("profile"), Some(Value::from("inventory_legacy")));
    }
    (*expected != found).then(|| format!("expected\n{expected}\nfound\n{found}"))
}

/// One run, its paths within the folder of the case.
struct Run {
    options: InventoryOptions,
    pattern: Option<String>,
    folder: PathBuf,
}

impl Run {
    fn from_args(args: &[&str], folder: &Path) -> Self {
        let options = InventoryOptions {
            sources: Vec::new(),
            playbook_dir: None,
            limit: None,
            show: Show::List,
            vars: false,
            export: false,
        };
        let mut run = Self { options, pattern: None, folder: folder.to_path_buf() };
        let mut rest = args[1..].iter();
        while let Some(arg) = rest.next() {
            let mut value = || *rest.next().unwrap();
            match *arg {
                "-i" => run.options.sources.push(folder.join(value())),
                "--playbook-dir" => run.options.playbook_dir = Some(folder.join(value())),
                "-l" => run.options.limit = Some(value().replace('@', &format!("@{}/", folder.display()))),
                "--list" => run.options.show = Show::List,
                "--graph" => run.options.show = Show::Graph(None),
                "--host" => run.options.show = Show::Host(value().to_owned()),
                "--vars" => run.options.vars = true,
                "--export" => run.options.export = true,
                pattern if args[0] == "pat" => run.pattern = Some(pattern.to_owned()),
                other => panic!("unknown argument {other}"),
            }
        }
        run
    }

    fn answer(&self) -> Result<String, String> {
        match &self.pattern {
            Some(pattern) => self.hosts_of(pattern),
            None => {
                let mut out = Vec::new();
                inventory(&self.options, &mut out).map_err(|error| error.to_string())?;
                Ok(String::from_utf8(out).unwrap())
            }
        }
    }

    /// As `ansible PATTERN --list-hosts` prints them.
    fn hosts_of(&self, pattern: &str) -> Result<String, String> {
        let loaded = Inventory::load(&self.options.sources, Some(&self.folder));
        let (inventory, mut warnings) = loaded.map_err(|error: InventoryError| error.to_string())?;
        let limit = self.options.limit.as_deref().unwrap_or_default();
        let limit = Limit::from_text(limit, &inventory, &mut warnings).map_err(|error| error.to_string())?;
        let hosts = inventory.select(pattern, limit.as_ref(), UnknownNames::Refuse, &mut warnings);
        let hosts = hosts.map_err(|error| error.to_string())?;
        let lines: Vec<String> = hosts.iter().map(|host| format!("    {host}\n")).collect();
        Ok(format!("  hosts ({}):\n{}", hosts.len(), lines.concat()))
    }
}
