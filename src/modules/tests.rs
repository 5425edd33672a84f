//! Test support: modules called on this machine's real shell, in a folder of the test.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::arguments::complete;
use super::table::{CheckMode, Row};
use super::{Call, Failure, Fleet, Kept, Outcome};
use crate::events::Kind;
use crate::inventory::{Node, Problem, Source, from_yaml};
use crate::playbook::{Scope, Templates, Variable};
use crate::remote::{Change, Permit, Probe, RemoteHost};
use crate::transport::{BoxFuture, LocalSession};

/// This machine as the host `h1`, with one folder for both sides.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    /// A real run, or `--check`; always with `--diff`.
    pub(super) check: bool,
    /// The host's variables.
    pub(super) vars: Map<String, Value>,
    /// Whether somebody asks the run to stop.
    pub(super) stopping: bool,
    /// What modules said.
    pub(super) said: Mutex<Vec<Kind>>,
}

struct Vars(Map<String, Value>);

impl Scope for Vars {
    fn get(&self, name: &str) -> Option<Variable> {
        self.0.get(name).cloned().map(Variable::Data)
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

struct Alone;

impl Fleet for Alone {
    fn hosts(&self) -> Vec<String> {
        vec!["h1".to_owned()]
    }

    fn var(&self, _: &str, _: &str) -> Option<Value> {
        None
    }

    fn secret(&self, _: &str, _: &str) -> Option<SecretString> {
        None
    }

    fn kept(&self) -> &Kept {
        static KEPT: LazyLock<Kept> = LazyLock::new(Kept::default);
        &KEPT
    }

    fn probe<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Probe, Failure>> {
        Box::pin(async move { Ok(Probe::new(RemoteHost::new(Arc::new(LocalSession::new(host))))) })
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, check: false, vars: Map::new(), stopping: false, said: Mutex::default() }
    }

    /// The same in a check run.
    pub(super) fn checking(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a file, and the folders it is in.
    pub(super) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Makes a program that is found first.
    pub(super) fn program(&self, name: &str, text: &str) {
        crate::remote::tests::install("/dev/stdin", &self.path(&format!("bin/{name}")), text);
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(super) fn mode(&self, name: &str) -> u32 {
        self.path(name).metadata().unwrap().permissions().mode() & 0o7777
    }

    /// `D` in a text as the test's folder.
    fn args(&self, yaml: &str) -> Node {
        let text = yaml.replace("$D", self.folder.path().to_str().unwrap());
        from_yaml(&Source::new("pb.yml", text)).unwrap()
    }

    /// What is wrong with the arguments on paper.
    pub(super) fn preflight(&self, row: &Row, yaml: &str) -> Vec<Problem> {
        row.preflight_local.unwrap()(&self.args(yaml), self.folder.path())
    }

    /// Calls the module with these arguments.
    pub(super) async fn call(&self, row: &Row, yaml: &str) -> Result<Outcome, Failure> {
        let written = self.args(yaml);
        let Value::Object(rendered) = written.to_json() else { panic!("no mapping: {yaml}") };
        let args = complete(row, rendered)?;
        if let (CheckMode::Skipped(reason), true) = (row.check, self.check) {
            return Ok(Outcome { skipped: Some(reason.to_owned()), ..Outcome::default() });
        }
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display());
        let host = RemoteHost::new(Arc::new(LocalSession::new("h1")))
            .with_deadline(Duration::from_secs(30))
            .with_environment(vec![("PATH".to_owned(), path)]);
        let (templates, scope) = (Templates::new(), Vars(self.vars.clone()));
        let call = Call {
            host: "h1",
            args,
            probe: Probe::new(host.clone()),
            change: (!self.check).then(|| Change::new(host, &Permit::of_a_real_run())),
            fleet: &Alone,
            scope: &scope,
            templates: &templates,
            playbook_dir: self.folder.path(),
            run_dir: self.path("run"),
            run: "01TEST",
            resumes: None,
            diff: true,
            verbosity: 0,
            written: &written,
            attempt: 1,
            stopping: &|| self.stopping,
            say: &|kind| {
                self.said.lock().unwrap().push(kind);
                Ok(())
            },
        };
        row.module.unwrap().run(call).await
    }

    /// A call that must do well.
    pub(super) async fn ok(&self, row: &Row, yaml: &str) -> Outcome {
        self.call(row, yaml).await.unwrap_or_else(|failure| panic!("{yaml}: {}", failure.msg))
    }

    /// A call that must fail; its message.
    pub(super) async fn fails(&self, row: &Row, yaml: &str) -> Failure {
        match self.call(row, yaml).await {
            Ok(outcome) => panic!("{yaml}: did not fail: {outcome:?}"),
            Err(failure) => failure,
        }
    }

    /// First a check run that must change nothing and say the same, then a real run, then both again without change.
    pub(super) async fn converges(&mut self, row: &Row, yaml: &str) -> Outcome {
        let before = self.tree();
        self.check = true;
        let foretold = self.ok(row, yaml).await;
        assert_eq!(self.tree(), before, "a check run changed something: {yaml}");
        self.check = false;
        let done = self.ok(row, yaml).await;
        assert!(foretold.changed && done.changed, "{yaml}: foretold {}, done {}", foretold.changed, done.changed);
        let shown = |outcome: &Outcome| outcome.diff.iter().map(|diff| diff.after.clone()).collect::<Vec<_>>();
        assert_eq!(shown(&foretold), shown(&done), "{yaml}");
        let after = self.tree();
        for check in [true, false] {
            self.check = check;
            let again = self.ok(row, yaml).await;
            assert!(!again.changed, "{yaml}: changed again, check {check}: {again:?}");
            assert_eq!(again.diff, Vec::new(), "{yaml}");
        }
        assert_eq!(self.tree(), after, "the second run changed something: {yaml}");
        done
    }

    /// Everything in the folder: kind and mode, owner, inode, time of change, contents.
    pub(super) fn tree(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        walk(self.folder.path(), &mut found);
        found
    }
}

fn walk(path: &Path, found: &mut BTreeMap<PathBuf, String>) {
    let about = path.symlink_metadata().unwrap();
    let (mode, uid, gid, inode) = (about.mode(), about.uid(), about.gid(), about.ino());
    let held = if about.is_file() { std::fs::read(path).unwrap() } else { Vec::new() };
    let line = format!("{mode:o} {uid}:{gid} {inode} {}.{} {held:?}", about.ctime(), about.ctime_nsec());
    found.insert(path.to_path_buf(), line);
    if about.is_dir() {
        path.read_dir().unwrap().for_each(|entry| walk(&entry.unwrap().path(), found));
    }
}
