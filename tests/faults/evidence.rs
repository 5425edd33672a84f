//! All that is known of one cell when it has ended, by which it is judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use quorate_lab::load::{LoadOptions, Membership, Reading, Report, connect};
use quorate_lab::{Host, Lab, MemberStatus, PROGRAM_DIR, binaries};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::control::Ran;
use super::listing::Listing;
use super::roll_call::Down;
use super::table::{Cell, Pair};

/// A member that answers does so in milliseconds.
const ANSWER: Duration = Duration::from_secs(5);

/// The programs that a roll swaps, where a host has them.
const PROGRAMS: [&str; 3] = ["etcd", "etcdctl", "etcdutl"];

/// What one cell is judged by. Everything is by the host's name.
pub(crate) struct Evidence {
    pub(crate) cell: Cell,
    /// What the clients were promised against what is there, at the end of all.
    pub(crate) load: Report,
    /// When members did not serve, over the whole cell.
    pub(crate) downs: Vec<Down>,
    /// Those that the fault itself takes down.
    pub(crate) by_fault: Vec<String>,
    pub(crate) identity_before: BTreeMap<String, Membership>,
    pub(crate) identity_after: BTreeMap<String, Membership>,
    /// Sums of the programs on each host and of the one that runs, after the run and at the end.
    pub(crate) programs: Vec<Programs>,
    /// What a host may have.
    pub(crate) known: Known,
    pub(crate) listing_before: BTreeMap<String, Listing>,
    pub(crate) listing_after: BTreeMap<String, Listing>,
    /// What lies in the folder of runs.
    pub(crate) state_files: Vec<String>,
    pub(crate) run: Ran,
    /// How the members were when the run, and what it began on a host, had ended.
    pub(crate) live: Vec<MemberStatus>,
    /// How what was begun on the hosts has ended there.
    pub(crate) windows: String,
    /// The runs of `quorate resume`, in their order.
    pub(crate) resumes: Vec<Ran>,
    /// How the members are at the end.
    pub(crate) live_after: Vec<MemberStatus>,
    /// Where a secret was seen.
    pub(crate) leaks: Vec<String>,
    /// The most memory that a run had, in KiB.
    pub(crate) peak_kib: u64,
    /// How often the kernel killed for want of memory.
    pub(crate) memory_kills: u64,
    /// The longest that a run took.
    pub(crate) longest: Duration,
    /// Changes in data directories by others than etcd.
    pub(crate) strangers: Vec<String>,
    /// Each member's own copy of the whole store.
    pub(crate) stores: BTreeMap<String, Result<String, String>>,
}

/// Sums of a host's programs.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) host: String,
    /// Program, and its sum; that of the running etcd under `running`.
    pub(crate) sums: Vec<(String, String)>,
}

/// The sums that may be met: of each program's old and new file.
#[derive(Clone, Debug)]
pub(crate) struct Known(BTreeMap<String, [String; 2]>);

impl Known {
    /// As the lab has them.
    pub(crate) fn new(pair: &Pair) -> Self {
        let path = |version: &str, program: &str| binaries::folder(version).unwrap().join(program);
        let both = |program: &&str| [&pair.old, &pair.new].map(|version| path(version, program));
        let there = PROGRAMS.iter().filter(|program| both(program).iter().all(|path| path.exists()));
        Self(there.map(|program| ((*program).to_owned(), both(program).map(|path| sum(&path)))).collect())
    }

    /// Whether a program may have that sum.
    pub(crate) fn has(&self, program: &str, sum: &str) -> bool {
        let program = if program == "running" { "etcd" } else { program };
        self.0.get(program).is_some_and(|both| both.iter().any(|known| known == sum))
    }
}

/// The SHA-256 of a file.
fn sum(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Programs {
    /// Of every member's host. The running one by its process, which may be another file than lies there.
    pub(crate) fn of(lab: &Lab, live: &[MemberStatus]) -> Vec<Self> {
        let of = |member: &MemberStatus| {
            let folder = lab.site().root_of(&member.host).join(PROGRAM_DIR.trim_start_matches('/'));
            // etcdutl is there from 3.5 on.
            let there = PROGRAMS.iter().filter(|name| **name != "etcdutl" || folder.join(name).exists());
            let mut sums: Vec<_> = there.map(|name| ((*name).to_owned(), sum(&folder.join(name)))).collect();
            if let (Some(first), Some(pid)) = (lab.host_pid(&member.host), member.pid) {
                let running = format!("/proc/{first}/root/proc/{pid}/exe");
                if Path::new(&running).exists() {
                    sums.push(("running".to_owned(), sum(Path::new(&running))));
                }
            }
            Self { host: member.host.clone(), sums }
        };
        live.iter().map(of).collect()
    }
}

/// Asks every member who belongs to which cluster.
pub(crate) fn identities(lab: &Lab) -> BTreeMap<String, Membership> {
    let plan = lab.load_plan(LoadOptions::USUAL);
    let ask = |endpoint: &str| -> Result<Membership, String> {
        let membership = connect(&plan, endpoint, ANSWER).map_err(|error| error.to_string())?.membership()?;
        if membership.cluster.is_none() { Err("no cluster ID".to_owned()) } else { Ok(membership) }
    };
    let members = lab.members();
    let asked = lab.among_clients(|| {
        let pairs = members.iter().zip(&plan.endpoints);
        pairs.filter_map(|(host, endpoint)| Some((host.name.clone(), ask(endpoint).ok()?))).collect()
    });
    asked.unwrap()
}

/// Each member's own copy of the whole store, once nobody writes any more. Every key of these labs begins with `/`, also those of v3.
pub(crate) fn stores(lab: &Lab, pair: &Pair) -> BTreeMap<String, Result<String, String>> {
    let client = lab.client(ANSWER).unwrap();
    let (members, plan) = (lab.members(), lab.load_plan(LoadOptions::USUAL));
    let local = |endpoint: &str| -> Result<String, String> {
        let driver = connect(&plan, endpoint, ANSWER).map_err(|error| error.to_string())?;
        let keys = driver.list("", Reading::Local)?;
        let keys: BTreeMap<_, _> = keys.into_iter().map(|(key, entry)| (key, (entry.value, entry.index))).collect();
        Ok(json!({ "node": keys }).to_string())
    };
    let asked = lab.among_clients(|| {
        let ask = |host: &Host, endpoint: &str| match pair.is_v3() {
            true => local(endpoint),
            false => client.get(host.address, "/v2/keys/?recursive=true&sorted=true"),
        };
        members.iter().zip(&plan.endpoints).map(|(host, endpoint)| (host.name.clone(), ask(host, endpoint))).collect()
    });
    asked.unwrap()
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&path)),
            _ => found.push(path.display().to_string()),
        }
    }
    found
}
