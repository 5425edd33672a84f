//! A lab's load: a process of its own among the cluster's clients, with its files in the lab's folder.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::check::{Report, check};
use super::history::History;
use super::plan::{Api, Plan};
use super::read_back::read_back;
use super::run::{HISTORY, Load, LoadError, STOP, run, runs};
use crate::act::{ActError, at, wait_until};
use crate::auth::{self, EtcdUser};
use crate::lab::{Lab, LabError};
use crate::version;

/// The folder of a lab's loads, in the lab's own.
const LOADS: &str = "load";
/// The plan that the load's process reads.
const PLAN: &str = "plan.json";
/// What the load's process says.
const LOG: &str = "log";

/// To the first acknowledged write: 30 s for a member that answers, and the write itself.
const FIRST_WRITE: Duration = Duration::from_secs(40);
/// To the end of the clients: each has at most one attempt of a second in flight.
const LAST_WRITE: Duration = Duration::from_secs(20);
/// For the cluster to take a last write and for every member to catch up with it.
const SETTLED: Duration = Duration::from_secs(60);

/// What can be chosen for a lab's load.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Clients.
    pub clients: Option<u32>,
    /// Logical writes a second.
    pub rate: Option<f64>,
    /// The length of a value in bytes.
    pub value_bytes: Option<usize>,
    /// The interface: v2 while the cluster version is below 3.0, v3 from there on, if nothing is said.
    pub api: Option<Api>,
}

impl LoadOptions {
    /// Nothing is chosen.
    pub const USUAL: Self = Self { clients: None, rate: None, value_bytes: None, api: None };
}

impl Lab {
    /// The usual load on this lab's members.
    #[must_use]
    pub fn load_plan(&self, options: LoadOptions) -> Plan {
        let site = self.site();
        let url = |host: crate::Host| format!("{}://{}:2379", site.scheme(), host.address);
        let usual = Plan::new(self.members().into_iter().map(url).collect());
        Plan {
            api: options.api.unwrap_or_else(|| self.usual_api()),
            tls: site.spec().tls.then(|| site.path("tls")),
            user: site.spec().auth.then(|| EtcdUser::of(site, auth::WRITER)),
            clients: options.clients.unwrap_or(usual.clients),
            rate: options.rate.unwrap_or(usual.rate),
            value_bytes: options.value_bytes.unwrap_or(usual.value_bytes),
            ..usual
        }
    }

    /// v3 when the cluster version is 3.0 or more for every member that answers. Where it is not decided yet, or
    /// there is none (2.0), the member's own version says it, and where none answers, that of the lab.
    fn usual_api(&self) -> Api {
        let mut known = Vec::new();
        for member in self.status() {
            let decided = member.cluster_version.as_deref().and_then(version::minor);
            known.extend(decided.or_else(|| version::minor(&member.version?)));
        }
        if known.is_empty() {
            known.extend(version::minor(&self.site().spec().etcd));
        }
        if known.iter().all(|minor| *minor >= (3, 0)) { Api::V3 } else { Api::V2 }
    }

    /// Starts a load on threads of this process, among the cluster's clients. It ends when it is
    /// dropped; [`Lab::check_load`] checks it.
    ///
    /// # Errors
    /// A load runs already.
    pub fn load(&self, options: LoadOptions) -> Result<Load, LabError> {
        let (folder, plan) = self.new_load(options)?;
        Ok(Load::start(&folder, &plan, Some(&self.clients_netns())))
    }

    /// Starts a load as a process of its own, by way of `lab` (this very program), and waits for its
    /// first acknowledged write.
    ///
    /// # Errors
    /// One runs already, or it does not come to write.
    pub fn start_load(&self, lab: &std::path::Path, options: LoadOptions) -> Result<(), LabError> {
        let (folder, plan) = self.new_load(options)?;
        let text = serde_json::to_vec_pretty(&plan).map_err(std::io::Error::other);
        let path = folder.join(PLAN);
        text.and_then(|text| fs::write(&path, text)).map_err(at("write", &path))?;
        let log = folder.join(LOG);
        let output = File::create(&log).map_err(at("create", &log))?;
        let errors = output.try_clone().map_err(at("open", &log))?;
        let inside = self.clients_command(lab);
        let mut command = Command::new("setsid");
        command.arg("--fork").arg(inside.get_program()).args(inside.get_args());
        command.args(["load", "run"]).arg(&folder).current_dir("/");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let status = command.status().map_err(|source| ActError::Start { argv: "setsid".to_owned(), source })?;
        let died = || LoadError::Died(fs::read_to_string(&log).unwrap_or_default().trim().to_owned());
        if !status.success() {
            return Err(died().into());
        }
        let first = wait_until("the first acknowledged write", FIRST_WRITE, || {
            let history = fs::read_to_string(folder.join(HISTORY)).unwrap_or_default();
            if history.contains(r#""outcome":{"ok":"#) {
                return Ok(true);
            }
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.is_empty() { Err("none yet".to_owned()) } else { Ok(false) }
        })?;
        if first { Ok(()) } else { Err(died().into()) }
    }

    /// Runs the load whose plan lies in the folder until the folder has a file `stop`.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run_load(folder: &std::path::Path) -> Result<(), LabError> {
        let path = folder.join(PLAN);
        let text = fs::read(&path).map_err(at("read", &path))?;
        let wrong = |error: serde_json::Error| LoadError::History { path, line: error.line(), why: error.to_string() };
        let plan: Plan = serde_json::from_slice(&text).map_err(wrong)?;
        let stop = folder.join(STOP);
        Ok(run(folder, &plan, &|| stop.exists())?)
    }

    /// Ends the load's process and waits until its history is closed.
    ///
    /// # Errors
    /// There is none, or it ended by itself.
    pub fn stop_load(&self) -> Result<(), LabError> {
        let folder = self.last_load()?;
        let path = folder.join(STOP);
        fs::write(&path, "").map_err(at("write", &path))?;
        wait_until("the end of the load", LAST_WRITE, || {
            if runs(&folder) { Err("it still runs".to_owned()) } else { Ok(()) }
        })?;
        let said = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
        if said.is_empty() { Ok(()) } else { Err(LoadError::Died(said.trim().to_owned()).into()) }
    }

    /// Checks the last load: reads back what it wrote through every member, and compares.
    ///
    /// # Errors
    /// There is none, or it still runs. What is wrong with the cluster is in the report.
    pub fn check_load(&self) -> Result<Report, LabError> {
        let folder = self.last_load()?;
        if runs(&folder) {
            return Err(LoadError::Running(folder).into());
        }
        let history = History::read(&folder.join(HISTORY))?;
        let plan = &history.start.plan;
        let ending = self.among_clients(|| read_back(plan, &plan.endpoints, SETTLED))??;
        Ok(check(&history, &ending))
    }

    fn clients_netns(&self) -> PathBuf {
        self.site().netns_path(crate::site::CLIENTS)
    }

    /// The folders of the lab's loads, in the order they were started.
    fn loads(&self) -> Result<Vec<PathBuf>, LabError> {
        let folder = self.site().path(LOADS);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&folder).map_err(at("read", &folder))?;
        let mut loads: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        loads.sort();
        Ok(loads)
    }

    fn last_load(&self) -> Result<PathBuf, LabError> {
        Ok(self.loads()?.pop().ok_or(LoadError::None)?)
    }

    fn new_load(&self, options: LoadOptions) -> Result<(PathBuf, Plan), LabError> {
        let loads = self.loads()?;
        if let Some(last) = loads.last().filter(|last| runs(last)) {
            return Err(LoadError::Running(last.clone()).into());
        }
        let folder = self.site().path(LOADS).join(format!("{:04}", loads.len() + 1));
        fs::create_dir_all(&folder).map_err(at("make folder", &folder))?;
        Ok((folder, self.load_plan(options)))
    }
}
