//! Playbooks as data, with what ansible-core 2.21.5 did with them: exit code, recap, and what happened in which order.
//!
//! A case's `unsupported` names what we refuse, `refused` why; `needs` names modules without which it is refused.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first thing that is not as it should be"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use quorate::engine::{Interrupt, Means, Operator, Options, Run, Tags, extra_vars};
use quorate::events::{Emitter, Event, Fault, Kind, Sink, SinkError, State, Status};
use quorate::inventory::{Inventory, Problem, Source};
use quorate::modules::{find, vocabulary};
use quorate::playbook::from_source;
use quorate::transport::{BoxFuture, ConnectError, Connector, LocalSession, Session, Target};
use serde_json::{Map, Value, json};

struct Kept(Arc<Mutex<Vec<Event>>>);

impl Sink for Kept {
    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

/// Local hosts are this machine, all others are not reached.
struct ThisMachine;

impl Connector for ThisMachine {
    fn connect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Arc<dyn Session>, ConnectError>> {
        Box::pin(async move {
            let host = target.name.clone();
            if target.local {
                return Ok(Arc::new(LocalSession::new(&host)) as Arc<dyn Session>);
            }
            Err(ConnectError::Unreachable { host, via: None, detail: "connection refused".to_owned() })
        })
    }
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("{p} ({})", p.help.as_deref().unwrap_or(""))).collect::<Vec<_>>().join("\n")
}

fn options(dir: &Path, args: &[&str]) -> Result<Options, Vec<Problem>> {
    let mut options = Options::new(dir.join("pb.yml"), "01TEST", dir.join("run"));
    let (mut extra, mut args) = (Vec::new(), args.iter());
    let list = |text: &str| text.split(',').map(ToOwned::to_owned).collect::<Vec<_>>();
    let mut tags = Tags::default();
    while let Some(arg) = args.next() {
        match *arg {
            "-e" => {
                let text = args.next().unwrap();
                let path = text.strip_prefix('@').map(|path| format!("@{}", dir.join(path).display()));
                extra.push(path.unwrap_or_else(|| (*text).to_owned()));
            }
            "-t" => tags.only = list(args.next().unwrap()),
            "--skip-tags" => tags.skip = list(args.next().unwrap()),
            "--check" => options.check = true,
            "-vv" => options.verbosity = 2,
            other => panic!("{other}"),
        }
    }
    options.tags = tags;
    options.extra = extra_vars(&extra)?;
    Ok(options)
}

fn prepare(dir: &Path, args: &[&str]) -> Result<Run, Vec<Problem>> {
    let path = dir.join("pb.yml");
    let source = Source::new(&path, std::fs::read_to_string(&path).unwrap());
    let playbook = from_source(&source, &vocabulary())?;
    let (inventory, _) = Inventory::load(&[dir.join("inv")], Some(dir)).unwrap();
    Run::prepare(playbook, inventory, options(dir, args)?)
}

fn execute(run: &Run) -> (u8, Vec<Event>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let means = Means {
        connector: Arc::new(ThisMachine),
        emitter: Arc::new(Emitter::new(Box::new(Kept(Arc::clone(&events))), Vec::new())),
        interrupt: Interrupt::new(),
        login_password: None,
        become_password: None,
        operator: Operator {
            user: "tests".into(),
            machine: "here".into(),
            since: "now".into(),
            is_over: Arc::new(|_| false),
        },
        secrets: BTreeMap::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let code = runtime.block_on(run.execute(means));
    let events = events.lock().unwrap().clone();
    (code, events)
}

/// The fields of a result that have one meaning in both.
fn kept(result: &Map<String, Value>, failed: bool) -> Value {
    let mut kept = Map::new();
    for key in ["changed", "rc", "stdout", "stderr", "stdout_lines", "cmd", "item", "attempts", "ansible_facts"] {
        if let Some(value) = result.get(key) {
            kept.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(Value::Array(items)) = result.get("results") {
        let item = |v: &Value| v.as_object().map(|o| self::kept(o, true)).unwrap_or_default();
        kept.insert("results".to_owned(), items.iter().map(item).collect());
    }
    if result.contains_key("censored") {
        kept.clear();
        kept.insert("censored".to_owned(), Value::from(true));
    }
    if !failed && let Some(msg) = result.get("msg") {
        kept.insert("msg".to_owned(), sorted(msg));
    }
    Value::Object(kept)
}

/// The same with the keys of all mappings sorted, as the trace of Ansible has them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: std::collections::BTreeMap<_, _> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// One line for each event, those between two marks in the order of hosts.
#[derive(Default)]
struct Trace {
    lines: Vec<String>,
    group: Vec<(String, String)>,
}

impl Trace {
    fn mark(&mut self, line: String) {
        self.group.sort_by(|a, b| a.0.cmp(&b.0));
        self.lines.extend(self.group.drain(..).map(|(_, line)| line));
        self.lines.push(line);
    }

    fn result(&mut self, host: &str, what: &str, result: &Map<String, Value>) {
        let bad = what.contains("failed") || what.contains("unreachable") || what.contains("skipped");
        self.group
            .push((host.to_owned(), format!("  {host} {what} {}", kept(result, bad || what.starts_with("item")))));
    }
}

fn expected(events: &[Value]) -> Vec<String> {
    let mut trace = Trace::default();
    for event in events {
        let text = |key: &str| event[key].as_str().unwrap_or_default();
        let empty = Map::new();
        let result = event["res"].as_object().unwrap_or(&empty);
        let meta = text("name") == "meta" || text("task") == "meta";
        match text("ev") {
            _ if meta => {}
            "play" => trace.mark(format!("play {}", text("name"))),
            "task" | "handler" => trace.mark(format!("{} {}", text("ev"), text("name"))),
            "failed" => {
                let ignored = event["ignored"] == json!(true);
                trace.result(text("host"), if ignored { "failed, ignored" } else { "failed" }, result);
            }
            "retry" => trace.group.push((text("host").to_owned(), format!("  {} retry", text("host")))),
            "ok" | "skipped" | "unreachable" | "item_ok" | "item_failed" | "item_skipped" => {
                trace.result(text("host"), text("ev"), result);
            }
            _ => {}
        }
    }
    trace.mark("end".to_owned());
    trace.lines
}

fn happened(events: &[Event]) -> Vec<String> {
    let mut trace = Trace::default();
    let mut play = String::new();
    let batched = |rest: &[Event]| matches!(rest.first().map(|e| &e.kind), Some(Kind::BatchStarted { .. }));
    for (index, event) in events.iter().enumerate() {
        match &event.kind {
            Kind::PlayStarted { name, .. } => {
                play.clone_from(name);
                if !batched(&events[index + 1..]) {
                    trace.mark(format!("play {name}"));
                }
            }
            Kind::PlaySkipped { name, .. } => trace.mark(format!("play {name}")),
            Kind::BatchStarted { .. } => trace.mark(format!("play {play}")),
            Kind::TaskStarted { name, handler, .. } => {
                trace.mark(format!("{} {name}", if *handler { "handler" } else { "task" }));
            }
            Kind::TaskEnded { host, status, fault, result, .. } => {
                let what = match status {
                    Status::Ok => "ok",
                    Status::Skipped => "skipped",
                    Status::Failed => "failed",
                    Status::Unreachable => "unreachable",
                    Status::Ignored if *fault == Some(Fault::Unreachable) => "unreachable",
                    Status::Ignored => "failed, ignored",
                };
                trace.result(host, what, result);
            }
            Kind::ItemEnded { host, status, result, .. } => {
                let what = match status {
                    Status::Ok => "item_ok",
                    Status::Skipped => "item_skipped",
                    _ => "item_failed",
                };
                trace.result(host, what, result);
            }
            Kind::Retry { host, .. } => trace.group.push((host.clone(), format!("  {host} retry"))),
            _ => {}
        }
    }
    trace.mark("end".to_owned());
    trace.lines
}

fn recap(events: &[Event]) -> Value {
    let state = State::of(events);

    let mut hosts = Map::new();
    for (host, line) in &state.recap {
        let counts = [
            ("ok", line.ok),
            ("changed", line.changed),
            ("unreachable", line.unreachable),
            ("failures", line.failed),
            ("skipped", line.skipped),
            ("rescued", line.rescued),
            ("ignored", line.ignored),
        ];
        let counts = counts.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_owned(), json!(n)));
        hosts.insert(host.clone(), Value::Object(counts.collect()));
    }
    Value::Object(hosts)
}

fn code(rc: u64) -> u8 {
    // 1 is Ansible's code for input that it finds wrong; ours is 5.
    if rc == 1 { 5 } else { u8::try_from(rc).unwrap() }
}

/// Runs the case; what does not agree.
fn check(path: &PathBuf) -> Vec<String> {
    let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in case["files"].as_object().unwrap() {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.as_str().unwrap()).unwrap();
    }
    let missing = case["needs"].as_array().into_iter().flatten().filter_map(Value::as_str).find(|m| find(m).is_none());
    let named = case["unsupported"].as_str().or(missing);
    let mut wrong = Vec::new();
    for run in case["runs"].as_array().unwrap() {
        let args: Vec<&str> = run["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let mut differ = |what: String| wrong.push(format!("{} {args:?}: {what}", case["name"]));
        match (prepare(dir.path(), &args), named, case["refused"].as_str()) {
            (Err(problems), Some(named), _) => {
                if !told(&problems).contains(named) {
                    differ(format!("refused, but not for `{named}`: {}", told(&problems)));
                }
            }
            (Err(_), None, Some(_)) => {}
            (Err(problems), None, None) => differ(format!("refused: {}", told(&problems))),
            (Ok(_), Some(named), _) => differ(format!("`{named}` was not refused")),
            (Ok(_), None, Some(why)) => differ(format!("was not refused: {why}")),
            (Ok(prepared), None, None) => {
                let (code_is, events) = execute(&prepared);
                if code_is != code(run["rc"].as_u64().unwrap()) {
                    differ(format!("exit code {code_is}, expected {}", run["rc"]));
                }
                if run["differs"].is_string() {
                    continue;
                }
                if recap(&events) != run["recap"] {
                    differ(format!("recap {}\n   expected {}", recap(&events), run["recap"]));
                }
                let (is, should) = (happened(&events), expected(run["events"].as_array().unwrap()));
                let root = std::fs::canonicalize(dir.path()).unwrap().display().to_string();
                let is: Vec<String> = is.iter().map(|line| line.replace(&root, "$D")).collect();
                let at = (0..is.len().max(should.len())).find(|&n| is.get(n) != should.get(n));
                if let Some(at) = at {
                    let msgs: Vec<&Value> = events
                        .iter()
                        .filter_map(|e| match &e.kind {
                            Kind::TaskEnded { result, status: Status::Failed, .. } => result.get("msg"),
                            _ => None,
                        })
                        .collect();
                    let (is, should) = (is.get(at), should.get(at));
                    differ(format!("event {at}\n   is  {is:?}\n   not {should:?}\n   failures {msgs:?}"));
                }
            }
        }
    }
    wrong
}

#[test]
fn playbooks_do_what_they_do_under_ansible() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/playbooks");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 63, "cases are missing");
    let wrong: Vec<String> = paths.iter().map(check).filter(|w| !w.is_empty()).map(|w| w.join("\n")).collect();
    assert!(wrong.is_empty(), "{} of {} cases do not agree:\n{}", wrong.len(), paths.len(), wrong.join("\n"));
}
