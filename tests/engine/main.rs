//! The engine over sessions in this process: order, halts, guards, interrupts, and what no option turns off.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod journal;
mod on_paper;
mod reached;
mod rounds;
mod standing;
mod stopped;
mod turns;
mod unknown;
mod until;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use quorate::engine::{Interrupt, Means, Operator, Options, Run, Wish, extra_vars};
use quorate::events::{Emitter, Event, Fault, Kind, Sink, SinkError, Verdict};
use quorate::inventory::{Inventory, Problem, Source};
use quorate::modules::{Ask, Choice, Failure, Guard, Guards, vocabulary};
use quorate::playbook::from_source;
use quorate::transport::{
    BoxFuture, ByteStream, ConnectError, Connector, Exec, ExecError, LocalSession, Output, Session, Stdin, Target, Way,
};

const INVENTORY: &str = "[g]\nh1\nh2\nh3\n";

/// Hosts that are all this machine. A command with `cut-HOST` in it cuts that host off after it has run; one with `hang` in it is not run and
/// never answers.
#[derive(Clone, Default)]
struct Lab(Arc<Mutex<Links>>);

#[derive(Default)]
struct Links {
    cut: BTreeSet<String>,
    /// Hosts that can't be reached so many times more.
    away: BTreeMap<String, usize>,
    /// Hosts whose next command is lost with its connection, after it has run.
    reset: BTreeSet<String>,
    /// Hosts that show another key than the known one.
    strange: BTreeSet<String>,
    /// Hosts whose sessions go by another way than the first.
    detours: BTreeMap<String, Way>,
    commands: Vec<(String, String)>,
    /// Pulled by a command with `pull` in it.
    interrupt: Option<Interrupt>,
}

struct Link {
    lab: Lab,
    inner: LocalSession,
    host: String,
    way: Option<Way>,
}

impl Connector for Lab {
    fn connect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Arc<dyn Session>, ConnectError>> {
        Box::pin(async move {
            let host = target.name.clone();
            let mut links = self.0.lock().unwrap();
            if let Some(times) = links.away.get_mut(&host).filter(|times| **times > 0) {
                *times -= 1;
                return Err(ConnectError::Unreachable { host, via: None, detail: "reset by peer".to_owned() });
            }
            if links.strange.contains(&host) {
                return Err(ConnectError::HostKey { host, detail: "another key".to_owned() });
            }
            if links.cut.contains(&host) {
                return Err(ConnectError::Unreachable { host, via: None, detail: "cut".to_owned() });
            }
            let way = links.detours.get(&host).cloned();
            Ok(Arc::new(Link { lab: self.clone(), inner: LocalSession::new(&host), host, way }) as Arc<dyn Session>)
        })
    }
}

impl Link {
    /// Writes the command down and does what it says about the links; whether it never answers.
    fn note(&self, exec: &Exec) -> Result<bool, ExecError> {
        let mut text = exec.command.clone();
        if let Stdin::Bytes(bytes) = &exec.stdin {
            text.push_str(&String::from_utf8_lossy(bytes));
        }
        let mut links = self.lab.0.lock().unwrap();
        if links.cut.contains(&self.host) {
            let (host, detail) = (self.host.clone(), "cut".to_owned());
            return Err(ExecError::Lost { host, detail, started: false });
        }
        links.commands.push((self.host.clone(), text.clone()));
        for host in ["h1", "h2", "h3"] {
            if text.contains(&format!("cut-{host}")) {
                links.cut.insert(host.to_owned());
            }
        }
        if text.contains("pull")
            && let Some(interrupt) = &links.interrupt
        {
            interrupt.pull(2);
        }
        Ok(text.contains("hang"))
    }
}

impl Session for Link {
    fn host(&self) -> &str {
        &self.host
    }

    fn exec(&self, exec: Exec) -> BoxFuture<'_, Result<Output, ExecError>> {
        Box::pin(async move {
            if self.note(&exec)? {
                std::future::pending::<()>().await;
            }
            let ran = self.inner.exec(exec).await;
            if self.lab.0.lock().unwrap().reset.remove(&self.host) {
                let (host, detail) = (self.host.clone(), "reset by peer".to_owned());
                return Err(ExecError::Lost { host, detail, started: true });
            }
            ran
        })
    }

    fn tunnel<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ExecError>> {
        self.inner.tunnel(address, port)
    }

    fn way(&self) -> Option<&Way> {
        self.way.as_ref()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

/// Lets hosts go in the order of their names reversed; says no to the ones it was made for.
struct Backwards(&'static str, Fault);

impl Guard for Backwards {
    fn next<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Choice, Failure>> {
        Box::pin(async move {
            let host = ask.remaining.last().expect("never empty").clone();
            let verdict = Verdict { may: host != self.0, reason: "2 of 3 voters answer".to_owned() };
            Ok(Choice { host, verdict, fault: self.1 })
        })
    }
}

static FREE: Backwards = Backwards("", Fault::MemberDown);
static NOT_H3: Backwards = Backwards("h3", Fault::MemberDown);
static NOT_H2: Backwards = Backwards("h2", Fault::MemberDown);
const GUARDS: Guards = Guards(&[("etcd", &FREE)]);
const REFUSES_H3: Guards = Guards(&[("etcd", &NOT_H3)]);
const REFUSES_H2: Guards = Guards(&[("etcd", &NOT_H2)]);

struct Kept {
    events: Arc<Mutex<Vec<Event>>>,
    /// Fails from this event on.
    breaks_at: Option<u64>,
}

impl Sink for Kept {
    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        self.events.lock().unwrap().push(event.clone());
        if self.breaks_at.is_some_and(|at| event.seq >= at) {
            return Err(SinkError { sink: "journal", detail: "no space left".to_owned(), fault: Fault::Disk });
        }
        Ok(())
    }
}

struct Done {
    code: u8,
    /// What the journal was given.
    kinds: Vec<Kind>,
    /// What a reader was shown, also once the journal had failed.
    shown: Vec<Kind>,
    lab: Lab,
}

impl Done {
    /// `host status` of each task's end, in order.
    fn ends(&self, task: &str) -> Vec<String> {
        let end = |kind: &Kind| match kind {
            Kind::TaskEnded { host, task: name, status, .. } if name == task => {
                Some(format!("{host} {}", serde_json::to_value(status).unwrap().as_str().unwrap()))
            }
            _ => None,
        };
        self.kinds.iter().filter_map(end).collect()
    }

    fn message(&self, task: &str) -> Vec<String> {
        let end = |kind: &Kind| match kind {
            Kind::TaskEnded { task: name, result, .. } if name == task => Some(result.get("msg")?.to_string()),
            _ => None,
        };
        self.kinds.iter().filter_map(end).collect()
    }

    fn halted(&self) -> Option<(Fault, String)> {
        self.shown.iter().find_map(|kind| match kind {
            Kind::Halted { fault, reason, .. } => Some((*fault, reason.clone())),
            _ => None,
        })
    }

    fn ran(&self, text: &str) -> usize {
        self.lab.0.lock().unwrap().commands.iter().filter(|(_, command)| command.contains(text)).count()
    }
}

fn prepare(playbook: &str, set: impl FnOnce(&mut Options)) -> Result<Run, Vec<Problem>> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("inv"), INVENTORY).unwrap();
    let playbook = from_source(&Source::new(dir.path().join("pb.yml"), playbook), &vocabulary())?;
    let (inventory, _) = Inventory::load(&[dir.path().join("inv")], None).unwrap();
    let mut options = Options::new(dir.path().join("pb.yml"), "01TEST", dir.path());
    options.guards = GUARDS;
    set(&mut options);
    Run::prepare(playbook, inventory, options)
}

async fn perform(playbook: &str, lab: Lab, set: impl FnOnce(&mut Options), breaks_at: Option<u64>) -> Done {
    interrupted(playbook, lab, set, breaks_at, Interrupt::new()).await
}

async fn interrupted(
    playbook: &str,
    lab: Lab,
    set: impl FnOnce(&mut Options),
    breaks_at: Option<u64>,
    interrupt: Interrupt,
) -> Done {
    let run = match prepare(playbook, set) {
        Ok(run) => run,
        Err(problems) => unreachable!("{problems:?}"),
    };
    let (events, shown) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    lab.0.lock().unwrap().interrupt = Some(interrupt.clone());
    let journal = Kept { events: Arc::clone(&events), breaks_at };
    let reader = Kept { events: Arc::clone(&shown), breaks_at: None };
    let emitter = Arc::new(Emitter::new(Box::new(journal), vec![Box::new(reader)]));
    let code = run
        .execute(Means {
            connector: Arc::new(lab.clone()),
            emitter: Arc::clone(&emitter),
            interrupt,
            login_password: None,
            become_password: None,
            operator: Operator {
                user: "tests".into(),
                machine: "here".into(),
                since: "now".into(),
                is_over: Arc::new(|_| false),
            },
            secrets: BTreeMap::new(),
        })
        .await;
    emitter.drain();
    let kinds = |events: &Mutex<Vec<Event>>| events.lock().unwrap().iter().map(|event| event.kind.clone()).collect();
    Done { code, kinds: kinds(&events), shown: kinds(&shown), lab }
}

async fn run(playbook: &str) -> Done {
    perform(playbook, Lab::default(), |_| {}, None).await
}

const ROLL: &str = "
- hosts: g
  rolling: {guard: etcd}
  tasks:
  - {name: swap, command: 'echo {{ inventory_hostname }}'}
";

#[tokio::test]
async fn a_roll_takes_the_hosts_that_the_guard_names_one_at_a_time() {
    let done = run(ROLL).await;
    assert_eq!(done.code, 0);
    assert_eq!(done.ends("swap"), ["h3 ok", "h2 ok", "h1 ok"]);
    let asked = done.kinds.iter().filter(|kind| matches!(kind, Kind::GuardAsked { .. })).count();
    assert_eq!(asked, 3, "asked before each host");
}

#[tokio::test]
async fn a_no_before_any_change_is_a_refusal() {
    let done = perform(ROLL, Lab::default(), |options| options.guards = REFUSES_H3, None).await;
    assert_eq!(done.code, 3);
    assert!(done.ends("swap").is_empty());
    assert!(done.halted().unwrap().1.contains("2 of 3 voters"), "the reason carries the numbers");
}

#[tokio::test]
async fn a_no_after_a_change_is_what_the_guard_says() {
    let done = perform(ROLL, Lab::default(), |options| options.guards = REFUSES_H2, None).await;
    assert_eq!((done.code, done.ends("swap")), (11, vec!["h3 ok".to_owned()]));
}

#[tokio::test]
async fn nothing_is_rolled_unless_every_host_is_reached() {
    let lab = Lab::default();
    lab.0.lock().unwrap().cut.insert("h1".to_owned());
    let done = perform(ROLL, lab, |_| {}, None).await;
    assert_eq!(done.code, 4);
    assert!(done.ends("swap").is_empty());
}

#[tokio::test]
async fn another_host_key_is_its_own_exit_code() {
    let lab = Lab::default();
    lab.0.lock().unwrap().strange.insert("h2".to_owned());
    assert_eq!(perform(ROLL, lab, |_| {}, None).await.code, 6);
}

#[tokio::test]
async fn a_host_lost_in_a_roll_stops_it_whatever_may_be_ignored() {
    let playbook = "
- hosts: g
  rolling: {guard: etcd}
  ignore_errors: true
  ignore_unreachable: true
  tasks:
  - {name: stop, command: 'echo cut-{{ inventory_hostname }}'}
  - {name: start, command: echo start}
";
    let done = run(playbook).await;
    assert_eq!(done.code, 4);
    assert_eq!(done.ends("stop"), ["h3 ok"]);
    assert_eq!(done.ends("start"), ["h3 unreachable"]);
    assert_eq!(done.halted().unwrap().0, Fault::Unreachable);
}

#[tokio::test]
async fn a_failed_host_stops_the_roll() {
    let done = run(&ROLL.replace("echo {{ inventory_hostname }}", "false")).await;
    assert_eq!((done.code, done.ends("swap")), (2, vec!["h3 failed".to_owned()]));
}

#[tokio::test]
async fn a_check_run_runs_no_command_even_if_a_task_says_check_mode_false() {
    let playbook = "
- hosts: g
  tasks:
  - {name: one, command: echo an-act}
  - {name: two, command: echo an-act, check_mode: false}
";
    let done = perform(playbook, Lab::default(), |options| options.check = true, None).await;
    assert_eq!((done.code, done.ran("an-act")), (0, 0));
    assert_eq!(done.ends("two").len(), 3);
}

#[tokio::test]
async fn what_a_host_says_is_never_a_template() {
    let playbook = "
- hosts: h1
  tasks:
  - {command: \"printf '%s' '{% raw %}{{ 1/0 }}{% endraw %}'\", register: r}
  - {name: show, debug: {msg: '{{ r.stdout }}'}}
  - {name: again, debug: {msg: '{{ y }}'}, vars: {y: '{{ r.stdout }}'}}
";
    let done = run(playbook).await;
    assert_eq!(done.code, 0);
    assert_eq!(done.message("show"), ["\"{{ 1/0 }}\""]);
    assert_eq!(done.message("again"), ["\"{{ 1/0 }}\""]);
}

#[tokio::test]
async fn no_log_hides_the_result_from_events_but_not_from_the_playbook() {
    let playbook = "
- hosts: h1
  tasks:
  - {name: quiet, command: 'echo hunter2', no_log: true, register: r}
  - {name: test, assert: {that: r.stdout == 'hunter2'}}
";
    let done = run(playbook).await;
    assert_eq!(done.ends("test"), ["h1 ok"]);
    assert!(!serde_json::to_string(&done.kinds).unwrap().contains("hunter2\""));
}

#[tokio::test]
async fn forced_handlers_run_on_hosts_that_failed() {
    let playbook = "
- hosts: h1
  force_handlers: true
  tasks:
  - {command: echo x, notify: told}
  - fail:
  handlers:
  - {name: told, debug: {}}
";
    let done = run(playbook).await;
    assert_eq!((done.code, done.ends("told")), (2, vec!["h1 ok".to_owned()]));
}

#[tokio::test]
async fn a_rescue_is_told_what_failed() {
    let playbook = "
- hosts: h1
  tasks:
  - block:
    - {name: breaks, fail: {msg: why}}
    rescue:
    - {name: saves, debug: {msg: '{{ ansible_failed_task.name }}: {{ ansible_failed_result.msg }}'}}
";
    let done = run(playbook).await;
    assert_eq!((done.code, done.message("saves")), (0, vec!["\"breaks: why\"".to_owned()]));
}

#[tokio::test]
async fn a_task_that_takes_too_long_fails() {
    let playbook = "
- hosts: h1
  tasks:
  - {name: slow, command: sleep 60, timeout: 1}
";
    let done = run(playbook).await;
    assert_eq!((done.code, done.ends("slow")), (2, vec!["h1 failed".to_owned()]));
}

#[tokio::test]
async fn a_run_begins_at_the_task_that_was_asked_for() {
    let playbook = "
- hosts: h1
  tasks:
  - {name: one, debug: {}}
  - {name: two, debug: {}}
";
    let done = perform(playbook, Lab::default(), |options| options.start_at = Some("tw*".to_owned()), None).await;
    assert_eq!((done.ends("one").len(), done.ends("two").len()), (0, 1));
}

#[tokio::test]
async fn a_halt_names_the_hosts_that_failed_and_not_those_that_any_errors_fatal_took_with_them() {
    let playbook = "
- hosts: g
  any_errors_fatal: true
  tasks:
  - {name: looks, command: 'true'}
- hosts: g
  tasks:
  - {name: later, command: 'true'}
";
    let lab = Lab::default();
    lab.0.lock().unwrap().cut.insert("h2".to_owned());
    let done = perform(playbook, lab, |_| {}, None).await;
    assert_eq!((done.code, done.ends("later").len()), (4, 0));
    assert_eq!(done.halted().unwrap().1, "h2 not reached, so no other host is touched");
}

#[tokio::test]
async fn a_task_that_runs_once_leaves_nobody_out() {
    let done = run("- hosts: g\n  tasks:\n  - {name: once, command: 'true', run_once: true}\n").await;
    let left = done.kinds.iter().find_map(|kind| match kind {
        Kind::RunEnded { untouched, .. } => Some(untouched.clone()),
        _ => None,
    });
    assert_eq!((done.code, done.ends("once").len(), left), (0, 1, Some(Vec::new())));
}
