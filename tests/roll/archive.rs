//! The backups of a run on the control machine: whole, and able to bring their cluster back.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use quorate_lab::{Lab, binaries, wait_until};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::roll_call::get;

/// An etcd with the data of one test opens within a second; this is for a busy machine.
const OPENS: Duration = Duration::from_secs(30);

/// One backup: its folder, and what its manifest says.
pub(crate) struct Backup {
    pub(crate) folder: PathBuf,
    manifest: Value,
}

/// Every backup below a state folder, one a host for each run.
pub(crate) fn all(state: &Path) -> Vec<Backup> {
    let mut found = Vec::new();
    let mut folders = vec![state.join("backups")];
    while let Some(folder) = folders.pop() {
        let manifest = folder.join("manifest.json");
        if manifest.exists() {
            let manifest = serde_json::from_slice(&fs::read(manifest).unwrap()).expect("a manifest is JSON");
            found.push(Backup { folder, manifest });
            continue;
        }
        let entries = fs::read_dir(&folder).into_iter().flatten();
        folders.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    }
    found
}

impl Backup {
    /// A text of its manifest.
    #[track_caller]
    pub(crate) fn says(&self, name: &str) -> &str {
        self.manifest[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.manifest))
    }

    fn file(&self) -> PathBuf {
        self.folder.join(self.says("file"))
    }

    /// Stops the test unless the file has the size and sum that its manifest says.
    pub(crate) fn assert_whole(&self) {
        let bytes = fs::read(self.file()).unwrap();
        assert_eq!(Some(bytes.len() as u64), self.manifest["size"].as_u64());
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, self.says("sha256"));
    }

    /// Unpacks it and opens it with an etcd of the version that wrote it; gives how many keys are in it.
    pub(crate) fn open(&self, lab: &Lab) -> usize {
        let scratch = tempfile::tempdir().unwrap();
        tar::Archive::new(File::open(self.file()).unwrap()).unpack(scratch.path()).unwrap();
        let program = binaries::folder(self.says("version")).unwrap().join("etcd");
        let [client, peer] = [24_379, 24_380].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let (client_url, peer_url) = (format!("http://{client}"), format!("http://{peer}"));
        let mut command = lab.clients_command(program);
        command.arg("-force-new-cluster").arg("-name").arg("restored");
        command.arg("-data-dir").arg(scratch.path().join("copy"));
        for (option, url) in [
            ("-listen-client-urls", &client_url),
            ("-advertise-client-urls", &client_url),
            ("-listen-peer-urls", &peer_url),
            ("-initial-advertise-peer-urls", &peer_url),
        ] {
            command.arg(option).arg(url);
        }
        command.arg("-initial-cluster").arg(format!("restored={peer_url}"));
        let log = File::create(scratch.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let _etcd = Killed(command.spawn().unwrap());
        let keys = wait_until("the backup to open", OPENS, || {
            lab.among_clients(|| get(client, "/v2/keys/?recursive=true&quorum=true")).map_err(|e| e.to_string())?
        });
        let keys = keys.unwrap_or_else(|error| {
            panic!("{error}\n{}", fs::read_to_string(scratch.path().join("log")).unwrap_or_default())
        });
        leaves(&serde_json::from_str::<Value>(&keys).expect("keys as JSON")["node"])
    }
}

fn leaves(node: &Value) -> usize {
    match node["nodes"].as_array() {
        Some(nodes) => nodes.iter().map(leaves).sum(),
        None => usize::from(node["dir"] != Value::Bool(true)),
    }
}

/// A process that goes with its owner.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
