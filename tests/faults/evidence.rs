//! All that is known of one cell when it has ended, by which it is judged.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use quorate_lab::load::{LoadOptions, Membership, Report, connect};
use quorate_lab::{Lab, MemberStatus, PROGRAM_DIR, binaries};
use sha2::{Digest as _, Sha256};

use super::control::{NEW, OLD, Ran};
use super::listing::Listing;
use super::roll_call::Down;
use super::table::Cell;

/// A member that answers does so in milliseconds.
const ANSWER: Duration = Duration::from_secs(5);

/// The programs that a roll swaps.
const PROGRAMS: [&str; 2] = ["etcd", "etcdctl"];

/// What one cell is judged by. Everything is by the host's name.
pub(crate) struct Evidence {
    pub(crate) cell: Cell,
    /// What the clients were promised against what is there, at the end of all.
    pub(crate) load: Report,
    /// When members did not serve, over the whole cell.
    pub(crate) downs: Vec<Down>,
    /// Those that the fault itself takes down.
    pub(crate) by_fault: Vec<String>,
    pub(crate) identity_before: BTreeMap<String, Identity>,
    pub(crate) identity_after: BTreeMap<String, Identity>,
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

/// Who a member says that it and the cluster are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) cluster: String,
    pub(crate) membership: Membership,
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
    pub(crate) fn new() -> Self {
        let sum_of = |version: &str, program: &str| sum(&binaries::folder(version).unwrap().join(program));
        let both = |program: &str| [sum_of(OLD, program), sum_of(NEW, program)];
        Self(PROGRAMS.into_iter().map(|program| (program.to_owned(), both(program))).collect())
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
            let mut sums: Vec<_> = PROGRAMS.iter().map(|name| ((*name).to_owned(), sum(&folder.join(name)))).collect();
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

/// Asks every member who it and the cluster are.
pub(crate) fn identities(lab: &Lab) -> BTreeMap<String, Identity> {
    let plan = lab.load_plan(LoadOptions::USUAL);
    let ask = |address: Ipv4Addr, endpoint: &str| -> Result<Identity, String> {
        let membership = connect(&plan, endpoint, ANSWER).map_err(|error| error.to_string())?.membership()?;
        Ok(Identity { cluster: cluster_id(address)?, membership })
    };
    let members = lab.members();
    let asked = lab.among_clients(|| {
        let pairs = members.iter().zip(&plan.endpoints);
        let all = pairs.map(|(host, endpoint)| (host.name.clone(), ask(host.address, endpoint)));
        all.filter_map(|(host, identity)| Some((host, identity.ok()?))).collect()
    });
    asked.unwrap()
}

/// The cluster's ID stands in the head of every answer (etcd v2.0.5 etcdserver/etcdhttp/client.go, `X-Etcd-Cluster-ID`).
fn cluster_id(address: Ipv4Addr) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, 2379)), ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET /v2/members HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(1 << 20).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| error.to_string())?;
    let lines = answer.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(name, _)| name.eq_ignore_ascii_case("x-etcd-cluster-id"));
    found.next().map(|(_, id)| id.trim().to_owned()).ok_or(answer)
}

/// Each member's own copy of the whole store, once nobody writes any more.
pub(crate) fn stores(lab: &Lab) -> BTreeMap<String, Result<String, String>> {
    let client = lab.client(ANSWER).unwrap();
    let members = lab.members();
    let asked = lab.among_clients(|| {
        let ask = |address| client.get(address, "/v2/keys/?recursive=true&sorted=true");
        members.iter().map(|host| (host.name.clone(), ask(host.address))).collect()
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
