//! Running a load: in this process and network, until it is told to stop.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::driver::{Membership, connect};
use super::history::Recorder;
use super::plan::Plan;
use super::writers::{Client, Shared};
use crate::act::{ActError, at, wait_until};
use crate::network;

/// The file with the operations.
pub(super) const HISTORY: &str = "history.jsonl";
/// Where it is, the load ends.
pub(super) const STOP: &str = "stop";
/// Locked while the load runs.
pub(super) const LOCK: &str = "lock";

/// How long the cluster may take to say who belongs to it before the first write.
const BEGIN: Duration = Duration::from_secs(30);

/// Between two looks whether the load is to end: short beside the second that an operation may take.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why there is no load, or none to check.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// One runs there already.
    #[error("a load runs in {} already; `lab load stop` ends it", .0.display())]
    Running(PathBuf),
    /// No load was started.
    #[error("no load has been started; `lab load start` does")]
    None,
    /// It ended by itself.
    #[error("the load ended by itself: {0}")]
    Died(String),
    /// The history cannot be used.
    #[error("{}:{line}: {why}", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The plan makes no load.
    #[error("no such load can be: {0}")]
    Plan(&'static str),
    /// The certificates cannot be used.
    #[error("no usable ca.crt, client.crt and client.key in {}", .0.display())]
    Certificates(PathBuf),
    /// Something on the machine failed, or did not come in time.
    #[error(transparent)]
    Act(#[from] ActError),
}

/// Runs a load in this thread's network until `stopped` says so or the plan's writes are done; when
/// it returns, the history in `folder` is closed.
///
/// # Errors
/// Another load has the folder, no member answers, or the history cannot be written.
pub fn run(folder: &Path, plan: &Plan, stopped: &dyn Fn() -> bool) -> Result<(), LoadError> {
    if plan.endpoints.is_empty() || plan.clients == 0 {
        return Err(LoadError::Plan("it needs an endpoint and a client"));
    }
    if !plan.rate.is_finite() || plan.rate <= 0.0 {
        return Err(LoadError::Plan("its rate is more than 0 writes a second"));
    }
    fs::create_dir_all(folder).map_err(at("make folder", folder))?;
    // Held to the end of this function, or of this process.
    let _lock = Lock::take(folder)?;
    let recorder = Recorder::create(&folder.join(HISTORY), plan, membership(plan, BEGIN)?)?;
    let shared = Shared::new(plan, &recorder);
    let asked = thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..plan.clients {
            let client = Client::new(number, &shared)?;
            threads.push(scope.spawn(|| client.work()));
        }
        while !stopped() && !threads.iter().all(thread::ScopedJoinHandle::is_finished) && !shared.ends() {
            thread::sleep(LOOK_EVERY);
        }
        let asked = recorder.now();
        shared.end();
        let dead = || Err(LoadError::Died("a client's thread died".to_owned()));
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| dead()));
        outcomes.fold(Ok(()), Result::and).map(|()| asked)
    });
    // Without this line nobody takes the history for a whole one.
    recorder.stop(asked?)
}

/// The lock of a load that runs. It is given back in so many words: a child that another thread has forked and that has not come to its
/// `execve` yet has the open file too, and would hold the lock for as long (flock(2): "released either by an explicit `LOCK_UN` …
/// or when all such file descriptors have been closed").
struct Lock(File);

impl Lock {
    fn take(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join(LOCK);
        let file = File::create(&path).map_err(at("open", &path))?;
        file.try_lock().map_err(|_| LoadError::Running(folder.to_owned()))?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // With the process it ends in any case.
        drop(self.0.unlock());
    }
}

/// Whether a load runs in the folder.
pub(super) fn runs(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join(LOCK)) else { return false };
    let free = file.try_lock_shared().is_ok();
    if free {
        drop(file.unlock());
    }
    !free
}

/// Who belongs to the cluster, as the first member says that answers.
pub(super) fn membership(plan: &Plan, limit: Duration) -> Result<Membership, LoadError> {
    let mut drivers = Vec::new();
    for endpoint in &plan.endpoints {
        drivers.push(connect(plan, endpoint, limit.min(Duration::from_secs(3)))?);
    }
    let found = wait_until("a member that answers", limit, || {
        let mut saw = "no endpoint".to_owned();
        for driver in &drivers {
            match driver.membership() {
                Ok(membership) => return Ok(membership),
                Err(error) => saw = error,
            }
        }
        Err(saw)
    })?;
    Ok(found)
}

/// A load that runs on threads of this process. Dropped, it ends.
#[derive(Debug)]
pub struct Load {
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), LoadError>>>,
}

impl Load {
    /// Starts one, in the given network namespace or in this process's own.
    #[must_use]
    pub fn start(folder: &Path, plan: &Plan, netns: Option<&Path>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (folder, plan, flag) = (folder.to_owned(), plan.clone(), Arc::clone(&stop));
        let (place, netns) = (folder.clone(), netns.map(Path::to_owned));
        let thread = thread::spawn(move || {
            let work = || run(&place, &plan, &|| flag.load(Ordering::Relaxed));
            match netns {
                Some(netns) => network::inside(&netns, work)?,
                None => work(),
            }
        });
        Self { folder, stop, thread: Some(thread) }
    }

    /// The load's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until it has done the plan's writes.
    ///
    /// # Errors
    /// As [`run`].
    pub fn finish(mut self) -> Result<(), LoadError> {
        self.join()
    }

    /// Ends it and waits until the history is closed.
    ///
    /// # Errors
    /// As [`run`].
    pub fn stop(mut self) -> Result<(), LoadError> {
        self.stop.store(true, Ordering::Relaxed);
        self.join()
    }

    fn join(&mut self) -> Result<(), LoadError> {
        let dead = || Err(LoadError::Died("its thread died".to_owned()));
        self.thread.take().map_or_else(|| Ok(()), |thread| thread.join().unwrap_or_else(|_| dead()))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Whoever drops it does not want its outcome.
        let _ = self.join();
    }
}
