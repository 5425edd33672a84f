//! Two ways to lose acknowledged writes for good, done to real members: a check that does not shout
//! there is broken. And the same schedule without the cause, which loses none.
//!
//! Plain processes on loopback; no root is needed once the binaries are in the lab's cache.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use quorate_lab::load::{Api, Driver, History, Outcome, Plan, Report, check, connect, read_back, run};
use quorate_lab::{binaries, wait_until};
use tempfile::TempDir;

/// An election takes 1 to 2 s; this is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How many writes are acknowledged while one member is away.
const WRITES: u64 = 200;

/// What becomes of the data directory of the member that is stopped after the writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Kept,
    PutBack,
    Empty,
}

/// A cluster of three, gone with this value.
struct Cluster {
    folder: TempDir,
    api: Api,
    etcd: PathBuf,
    clients: Vec<u16>,
    peers: Vec<u16>,
    running: Vec<Option<Child>>,
}

impl Cluster {
    fn new(version: &str, api: Api) -> Self {
        // All open at once, so that no two are the same.
        let listeners: Vec<TcpListener> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let (clients, peers) = ports.split_at(3);
        let mut cluster = Self {
            folder: tempfile::tempdir().unwrap(),
            api,
            etcd: binaries::folder(version).unwrap().join("etcd"),
            clients: clients.to_vec(),
            peers: peers.to_vec(),
            running: vec![None, None, None],
        };
        drop(listeners);
        for member in 0..3 {
            cluster.start(member, "new");
        }
        cluster
    }

    fn data(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("m{member}"))
    }

    fn start(&mut self, member: usize, state: &str) {
        let peer = |member: usize| format!("http://127.0.0.1:{}", self.peers[member]);
        let all: Vec<String> = (0..3).map(|member| format!("m{member}={}", peer(member))).collect();
        let log = self.folder.path().join(format!("m{member}.log"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        // With the thread of the test goes the member, even if nobody is left to drop it.
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL").arg(&self.etcd).arg("-data-dir").arg(self.data(member));
        command.args(["-name", &format!("m{member}"), "-initial-cluster-state", state]);
        command.args(["-listen-client-urls", &self.url(member), "-advertise-client-urls", &self.url(member)]);
        command.args(["-listen-peer-urls", &peer(member), "-initial-advertise-peer-urls", &peer(member)]);
        command.args(["-initial-cluster", &all.join(",")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.running[member] = Some(command.spawn().unwrap());
    }

    /// Ends a member the hard way: all that it acknowledged must have been on its disk by then.
    fn kill(&mut self, member: usize) {
        let mut child = self.running[member].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn url(&self, member: usize) -> String {
        format!("http://127.0.0.1:{}", self.clients[member])
    }

    fn plan(&self, members: &[usize]) -> Plan {
        Plan { api: self.api, ..Plan::new(members.iter().map(|member| self.url(*member)).collect()) }
    }

    fn driver(&self, member: usize) -> Box<dyn Driver> {
        let plan = self.plan(&[member]);
        connect(&plan, &self.url(member), Duration::from_secs(3)).unwrap()
    }

    /// Waits until a member takes part: a read agreed by the quorum goes through it.
    fn wait(&self, member: usize) {
        let driver = self.driver(member);
        wait_until("a member that takes part", LIMIT, || match driver.read("/none") {
            (Outcome::Ok(0), None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .unwrap();
    }

    /// Waits until a member answers its peers: one with an empty data directory asks them who it is, and
    /// gives up if none answers.
    fn wait_peers_served(&self, member: usize) {
        let url = format!("http://127.0.0.1:{}/members", self.peers[member]);
        let ask = || ureq::get(&url).call().map_err(|error| error.to_string());
        wait_until("a member that answers its peers", LIMIT, ask).unwrap();
    }

    /// Waits until a member itself has come as far as another one is.
    fn wait_caught_up(&self, member: usize, other: usize) {
        let wanted = self.driver(other).applied().unwrap();
        let driver = self.driver(member);
        wait_until("a member that has caught up", LIMIT, || {
            let applied = driver.applied()?;
            if applied >= wanted { Ok(()) } else { Err(format!("{applied} of {wanted}")) }
        })
        .unwrap();
    }

    fn leader(&self) -> usize {
        wait_until("a leader", LIMIT, || {
            let mut saw = String::new();
            for member in 0..3 {
                let url = self.url(member);
                let answer = match self.api {
                    Api::V2 => ureq::get(format!("{url}/v2/stats/self")).call(),
                    Api::V3 => ureq::post(format!("{url}/v3/maintenance/status")).send("{}"),
                };
                saw = answer.map_err(|error| error.to_string())?.body_mut().read_to_string().unwrap();
                let said: serde_json::Value = serde_json::from_str(&saw).unwrap();
                let leads = match self.api {
                    Api::V2 => said["state"] == "StateLeader",
                    Api::V3 => said["leader"].is_string() && said["leader"] == said["header"]["member_id"],
                };
                if leads {
                    return Ok(member);
                }
            }
            Err(saw)
        })
        .unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            // One that is dead already needs no killing.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Three members. A cold copy of one follower is taken; the other follower goes away; the load has
/// its writes acknowledged; the first follower is stopped, its data directory treated as `data` says;
/// the leader dies; the absent follower returns, and the two followers are the quorum.
fn after((version, api): (&str, Api), data: Data) -> Report {
    let mut cluster = Cluster::new(version, api);
    (0..3).for_each(|member| cluster.wait(member));
    let leader = cluster.leader();
    let followers: Vec<usize> = (0..3).filter(|member| *member != leader).collect();
    let (treated, absent) = (followers[0], followers[1]);

    cluster.kill(treated);
    let backup = cluster.folder.path().join("backup");
    copy_folder(&cluster.data(treated), &backup);
    cluster.start(treated, "new");
    cluster.wait(treated);
    cluster.wait_caught_up(absent, leader);
    cluster.kill(absent);

    let load = cluster.folder.path().join("load");
    let plan = Plan { chains: 0, most: Some(WRITES), ..cluster.plan(&[leader]) };
    run(&load, &plan, &|| false).unwrap();

    cluster.wait_caught_up(treated, leader);
    cluster.kill(treated);
    match data {
        Data::Kept => {}
        Data::PutBack => {
            fs::remove_dir_all(cluster.data(treated)).unwrap();
            copy_folder(&backup, &cluster.data(treated));
        }
        Data::Empty => fs::remove_dir_all(cluster.data(treated)).unwrap(),
    }
    cluster.kill(leader);
    cluster.start(absent, "new");
    cluster.wait_peers_served(absent);
    cluster.start(treated, if data == Data::Empty { "existing" } else { "new" });
    cluster.wait(absent);
    cluster.wait(treated);

    let history = History::read(&load.join("history.jsonl")).unwrap();
    let ending = read_back(&plan, &[cluster.url(absent), cluster.url(treated)], LIMIT).unwrap();
    check(&history, &ending)
}

fn all_are_lost(report: &Report) {
    assert_eq!((report.acked, report.lost, report.ok), (WRITES, WRITES, false), "{report:?}");
}

fn none_is_lost(report: &Report) {
    assert_eq!((report.acked, report.lost, report.ok), (WRITES, 0, true), "{report:?}");
}

/// One with the old interface only, one with the new one only.
const OLD: (&str, Api) = ("2.0.5", Api::V2);
const NEW: (&str, Api) = ("3.5.35", Api::V3);

#[test]
fn an_old_data_directory_put_back_loses_every_write_and_is_caught() {
    all_are_lost(&after(OLD, Data::PutBack));
}

#[test]
fn an_empty_data_directory_loses_every_write_and_is_caught() {
    all_are_lost(&after(OLD, Data::Empty));
}

#[test]
fn a_member_that_only_restarts_loses_nothing() {
    none_is_lost(&after(OLD, Data::Kept));
}

#[test]
fn an_old_data_directory_put_back_loses_every_write_and_is_caught_by_v3() {
    all_are_lost(&after(NEW, Data::PutBack));
}

#[test]
fn an_empty_data_directory_loses_every_write_and_is_caught_by_v3() {
    all_are_lost(&after(NEW, Data::Empty));
}

#[test]
fn a_member_that_only_restarts_loses_nothing_by_v3() {
    none_is_lost(&after(NEW, Data::Kept));
}
