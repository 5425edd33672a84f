//! What `run` and `exec` have in common: inventory, passwords, connections, journal, and the run itself.

use std::collections::BTreeMap;
use std::io::{Read, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use secrecy::SecretString;

use super::arguments::{Connection, EtcdLogin, Output};
use super::exit::Exit;
use super::{console, diagnostic, secret};
use crate::engine::{Interrupt, Means, Operator, Options, Run};
use crate::events::{Emitter, Fault, Sink};
use crate::inventory::{Entry, Inventory, InventoryError, Node, NodeValue, Place, Problem, ScalarStyle, Source};
use crate::journal::{Journal, JournalError, StateDir};
use crate::playbook::{self, Playbook};
use crate::report::{Head, JsonLines, escaped, escaped_line};
use crate::transport::ssh::{SshConnector, SshOptions};
use crate::transport::{BoxFuture, ConnectError, Connector, Session, Target};

/// A playbook is text written by hand; 16 MiB is some other file.
const LARGEST: u64 = 16 << 20;

/// Says what is wrong, on at most a few lines, and answers the exit code.
pub(super) fn refuse(fault: Fault, text: &str) -> Exit {
    console::say(&format!("error: {}", escaped(text)));
    fault.into()
}

/// Reads an input file.
pub(super) fn source(path: &Path) -> Result<Arc<Source>, Exit> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    let wrong = |why: &dyn std::fmt::Display| refuse(Fault::Input, &format!("{}: {why}", path.display()));
    read.map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(wrong(&"more than 16 MiB"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(path, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(wrong(&format!("not UTF-8: first at byte {at}")))
        }
    }
}

/// Reads a playbook. `--become-user` holds for plays that name no user themselves, as in Ansible.
pub(super) fn playbook(text: &Arc<Source>, connection: &Connection) -> Result<Playbook, Exit> {
    let parsed = playbook::from_source(text, &crate::modules::vocabulary());
    let mut playbook = parsed.map_err(|problems| diagnostic::refuse(&problems))?;
    if let Some(user) = &connection.become_user {
        let source = Source::new("<command line>", user.as_str());
        let place = Place::new(&source, 0, user.len());
        let node = Node::new(&place, NodeValue::String(user.clone(), ScalarStyle::Quoted));
        for play in &mut playbook.plays {
            play.directives.become_user.get_or_insert_with(|| node.clone());
        }
    }
    Ok(playbook)
}

/// Reads the inventory, and says what in it may not be meant.
pub(super) fn inventory(connection: &Connection, playbook_dir: Option<&Path>) -> Result<Inventory, Exit> {
    let sources: Vec<PathBuf> = connection.inventory.iter().map(PathBuf::from).collect();
    let (inventory, warnings) = Inventory::load(&sources, playbook_dir).map_err(|error| inventory_fault(&error))?;
    for warning in warnings {
        let place = warning.place.map(|place| format!("{place}: ")).unwrap_or_default();
        console::say(&format!("[WARNING]: {}", escaped_line(&format!("{place}{}", warning.message))));
    }
    if inventory.is_empty() {
        return Err(refuse(Fault::Input, "the inventory has no hosts"));
    }
    Ok(inventory)
}

/// Shows what is wrong with an inventory.
pub(super) fn inventory_fault(error: &InventoryError) -> Exit {
    match error {
        InventoryError::Text(problems) => diagnostic::refuse(problems),
        InventoryError::File { help: Some(help), .. } => refuse(Fault::Input, &format!("{error}\n  help: {help}")),
        error => refuse(Fault::Input, &error.to_string()),
    }
}

/// Reads `-e`, which must not carry passwords.
pub(super) fn extra_vars(connection: &Connection) -> Result<Vec<Entry>, Exit> {
    if let Some(name) = secret::given_openly(&connection.extra_vars) {
        let why = "every user of this machine can read arguments";
        return Err(refuse(
            Fault::Input,
            &format!("`{name}` on the command line: {why}\n  help: put it into a file and give -e @FILE"),
        ));
    }
    crate::engine::extra_vars(&connection.extra_vars).map_err(|problems: Vec<Problem>| diagnostic::refuse(&problems))
}

/// The folder in which this run keeps its state, and its new ID.
pub(super) fn new_run(output: &Output) -> Result<(StateDir, String), Exit> {
    let state = StateDir::from_environment(output.state_dir.as_deref()).map_err(|error| journal_fault(&error))?;
    Ok((state, ulid::Ulid::new().to_string()))
}

/// What the arguments say of every run, whatever it is a run of.
pub(super) fn options(
    what: impl Into<PathBuf>,
    connection: &Connection,
    extra: Vec<Entry>,
    (state, id): (&StateDir, &str),
) -> Result<Options, Exit> {
    let folder = state.run(id).map_err(|error| refuse(error.fault(), &error.to_string()))?;
    let mut options = Options::new(what, id, folder);
    // Arguments that are no UTF-8 cannot be written down; such a run is begun anew by hand.
    let arguments: Option<Vec<String>> = std::env::args_os().skip(1).map(|word| word.into_string().ok()).collect();
    options.arguments = arguments.unwrap_or_default();
    options.folder = std::env::current_dir().unwrap_or_default();
    options.inventory_dir = inventory_dir(&connection.inventory);
    options.forks = connection.forks;
    options.extra = extra;
    options.user.clone_from(&connection.user);
    options.r#become = connection.r#become;
    Ok(options)
}

/// A run of one play that no file holds, with which nothing is wrong on paper.
pub(super) struct OneTask {
    pub(super) run: Run,
    pub(super) state: StateDir,
    pub(super) id: String,
    pub(super) gate: Arc<Gate>,
}

impl OneTask {
    /// Prepares it; `what` is the command's name for it.
    pub(super) fn new(
        play: &Arc<Source>,
        what: &str,
        (connection, output): (&Connection, &Output),
        set: impl FnOnce(&mut Options),
    ) -> Result<Self, Exit> {
        let extra = extra_vars(connection)?;
        let playbook = playbook(play, connection)?;
        let inventory = inventory(connection, None)?;
        let (state, id) = new_run(output)?;
        let mut options = options(what, connection, extra, (&state, &id))?;
        what.clone_into(&mut options.command);
        options.verbosity = output.verbose;
        set(&mut options);
        let run = Run::prepare(playbook, inventory, options).map_err(|problems| diagnostic::refuse(&problems))?;
        somebody(&run)?;
        let gate = gate(connection, &run)?;
        Ok(Self { run, state, id, gate })
    }
}

/// The folder of the first inventory that is a file or a folder: what `inventory_dir` means.
fn inventory_dir(sources: &[String]) -> Option<PathBuf> {
    let first = sources.iter().find(|source| !source.contains(','))?;
    let path = std::fs::canonicalize(first).ok()?;
    if path.is_dir() { Some(path) } else { path.parent().map(Path::to_path_buf) }
}

pub(super) fn journal_fault(error: &JournalError) -> Exit {
    refuse(error.fault(), &format!("{error}\n  nothing was changed; free space, or give --state-dir"))
}

/// What the operator typed or keeps in a file.
#[derive(Default)]
pub(super) struct Passwords {
    login: Option<SecretString>,
    r#become: Option<SecretString>,
    secrets: BTreeMap<&'static str, SecretString>,
}

/// Asks for the passwords that are asked for, and reads the file that is named.
pub(super) fn passwords(connection: &Connection) -> Result<Passwords, Exit> {
    let wrong = |why: String| refuse(Fault::Input, &why);
    let asked = |wanted: bool, prompt| wanted.then(|| secret::asked(prompt)).transpose().map_err(wrong);
    let login = asked(connection.ask_pass, "SSH password: ")?;
    let r#become = match &connection.become_password_file {
        Some(path) => Some(secret::from_file(path).map_err(wrong)?),
        None => asked(connection.ask_become_pass, "BECOME password: ")?,
    };
    Ok(Passwords { login, r#become, secrets: BTreeMap::new() })
}

impl Passwords {
    /// The same with etcd's, if a file is named.
    pub(super) fn with_etcd(mut self, login: &EtcdLogin) -> Result<Self, Exit> {
        if let Some(path) = &login.etcd_password_file {
            let password = secret::from_file(path).map_err(|why| refuse(Fault::Input, &why))?;
            self.secrets.insert("etcd_password", password);
        }
        Ok(self)
    }
}

/// The run's journal, and its path for people.
pub(super) fn journal(state: &StateDir, id: &str) -> Result<(Journal, String), Exit> {
    let journal = Journal::create(state, id).map_err(|error| journal_fault(&error))?;
    let path = journal.folder().join("journal.jsonl").display().to_string();
    Ok((journal, path))
}

/// What tells the head of a run's journal at the run's end.
pub(super) fn head(journal: &Journal) -> Head {
    let head = journal.head();
    Head::of(move || head.sum())
}

/// What is written to standard output: JSON lines if they were asked for, else what `people` read.
pub(super) fn reader(output: &Output, head: Head, people: impl FnOnce(Head) -> Box<dyn Sink>) -> Vec<Box<dyn Sink>> {
    vec![if output.json { Box::new(JsonLines::new(stdout(), head)) } else { people(head) }]
}

/// Makes the connections, once all ways to the run's hosts are found sound on paper.
pub(super) fn gate(connection: &Connection, run: &Run) -> Result<Arc<Gate>, Exit> {
    let gate = Gate::new(connection);
    let mut wrong: IndexMap<String, Vec<String>> = IndexMap::new();
    for target in run.ways() {
        if let Err(ConnectError::Config { host, detail }) = gate.ssh.check(&gate.filled(&target)) {
            let hosts = wrong.entry(detail).or_default();
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
    }
    for (detail, hosts) in &wrong {
        refuse(Fault::Input, &format!("{detail}\n  on the way to {}", hosts.join(", ")));
    }
    if wrong.is_empty() { Ok(Arc::new(gate)) } else { Err(Fault::Input.into()) }
}

/// Refuses a run that no host takes part in: whoever reads its exit code must not take nothing for done. Where some play has
/// hosts, one without is passed over, as in Ansible.
pub(super) fn somebody(run: &Run) -> Result<(), Exit> {
    if run.plays().is_empty() || run.plays().iter().any(|play| !play.hosts.is_empty()) {
        return Ok(());
    }
    let why: Vec<&str> = run.plays().iter().filter_map(|play| play.skipped.as_deref()).collect();
    Err(refuse(Fault::Input, &format!("no host to work on: {}", why.join("; "))))
}

/// Who runs quorate, and what is known here of the runs of others.
fn operator(state: &StateDir) -> Operator {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = named("SUDO_USER").or_else(|| named("USER")).or_else(|| named("LOGNAME"));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let state = state.clone();
    Operator {
        user: user.unwrap_or_else(|| "somebody".to_owned()),
        machine: machine.trim().to_owned(),
        since: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        // The journal of a run is locked as long as its process lives.
        is_over: Arc::new(move |run| Journal::is_being_written(&state, run).is_ok_and(|written| !written)),
    }
}

/// Runs what was prepared, until somebody interrupts it. Without `vital` (the journal) nothing can be done; `readers` may go away.
pub(super) fn perform(
    run: &Run,
    state: &StateDir,
    gate: &Arc<Gate>,
    passwords: Passwords,
    interrupt: Interrupt,
    (vital, readers): (Box<dyn Sink>, Vec<Box<dyn Sink>>),
) -> Exit {
    let emitter = Arc::new(Emitter::new(vital, readers));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(Fault::Disk, &format!("this machine has no room for threads: {error}")),
    };
    let code = runtime.block_on(async {
        let connector: Arc<dyn Connector> = Arc::clone(gate) as Arc<dyn Connector>;
        let emitter = Arc::clone(&emitter);
        let Passwords { login: login_password, r#become: become_password, secrets } = passwords;
        let operator = operator(state);
        let means = Means { connector, emitter, interrupt, login_password, become_password, operator, secrets };
        run.execute(means).await
    });
    // What a detached run left behind must not keep this process: hosts end their transactions by themselves.
    runtime.shutdown_timeout(Duration::from_secs(1));
    // What is shown must be whole before this process ends, or another run shows something.
    emitter.drain();
    let warnings = gate.ssh.warnings().into_iter();
    for text in warnings.chain(emitter.lost().iter().map(|lost| format!("{lost}; the run went on without it"))) {
        console::say(&format!("[WARNING]: {}", escaped_line(&text)));
    }
    Exit(code)
}

/// Makes sessions over SSH; what the command line says holds where neither inventory nor play says otherwise.
pub(super) struct Gate {
    ssh: SshConnector,
    identity: Option<PathBuf>,
    jump: Vec<String>,
    timeout: Option<Duration>,
}

impl Gate {
    fn new(connection: &Connection) -> Self {
        let options = SshOptions {
            config_file: connection.ssh_config.clone(),
            known_hosts: connection.known_hosts.iter().cloned().collect(),
            // No terminal to ask on: the key stays locked, and the login says so.
            ask: Some(Arc::new(|prompt| rpassword::prompt_password(prompt).ok().map(SecretString::from))),
            ..SshOptions::default()
        };
        Self {
            ssh: SshConnector::new(options),
            identity: connection.private_key.clone(),
            jump: connection.jump.clone(),
            timeout: connection.ssh_timeout.map(Duration::from_secs),
        }
    }

    /// The target with what it leaves open filled in.
    fn filled(&self, target: &Target) -> Target {
        let mut target = target.clone();
        target.identity = target.identity.or_else(|| self.identity.clone());
        target.connect_timeout = target.connect_timeout.or(self.timeout);
        if target.jump.is_empty() {
            target.jump.clone_from(&self.jump);
        }
        target
    }
}

impl Connector for Gate {
    fn connect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Arc<dyn Session>, ConnectError>> {
        Box::pin(async move { self.ssh.connect(&self.filled(target)).await })
    }
}
