//! Members whose keys really differ, and the hash that a backup has beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use quorate_lab::{HEALTHY, Lab};
use serde_json::Value;

use crate::own_turn;
use crate::quorate::Roll;
use crate::standing::{said, starts};
use crate::unrolled::changes_nothing;

const DATABASE: &str = "/var/lib/etcd/member/snap/db";
/// Two values of one length.
const VALUES: [&str; 2] = ["quorate-as-written", "quorate-as-flipped"];

fn put(lab: &Lab, value: &str) {
    let address = lab.host("etcd1").unwrap().address;
    said(lab, "etcd1", &format!("ETCDCTL_API=3 etcdctl --endpoints=http://{address}:2379 put differs {value}"));
}

/// Writes one value over another in the database of a stopped member: bbolt has no sums of the pages that hold keys and values.
fn overwrite(lab: &Lab, host: &str, old: &str, new: &str) {
    let script = format!(
        "systemctl stop etcd && LC_ALL=C grep -c {old} {DATABASE} && LC_ALL=C sed -i s/{old}/{new}/g {DATABASE} && \
         chown etcd {DATABASE} && systemctl start etcd"
    );
    said(lab, host, &script);
    lab.wait_healthy(HEALTHY).unwrap();
}

fn roll(lab: &Lab, state: &Path, to: &str) -> Roll {
    Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state).to(to, lab)
}

/// What lies beside each host's backup.
fn manifests(state: &Path) -> Vec<Value> {
    let below = |path: PathBuf| fs::read_dir(path).unwrap().flatten().map(|entry| entry.path());
    let hosts = below(state.join("backups")).flat_map(below).flat_map(below);
    hosts.map(|host| serde_json::from_slice(&fs::read(host.join("manifest.json")).unwrap()).unwrap()).collect()
}

/// Refuses the roll while one member's keys differ, and rolls when they are the same again.
fn refused_while_they_differ(from: &str, to: &str) {
    let _turn = own_turn();
    let name = format!("differ-{}-{}", from.replace('.', ""), process::id());
    let lab = Lab::builder().name(&name).bastion(false).etcd(from).release(to).start().unwrap();
    put(&lab, VALUES[0]);
    overwrite(&lab, "etcd2", VALUES[0], VALUES[1]);
    let before = starts(&lab);
    let ran = changes_nothing(&lab, |state| roll(&lab, state, to));
    assert_eq!(starts(&lab), before, "{ran}");
    ran.ended(3).says(&["the members do not hold the same keys", "refused before any change"]);
    let said_of = |host: &str| {
        let hashes = ran.said.split("their hashes at revision").nth(1).expect("hashes");
        let (_, rest) = hashes.split_once(&format!("{host} ")).expect("the host's");
        rest.chars().take(8).collect::<String>()
    };
    assert!(said_of("etcd1") == said_of("etcd3") && said_of("etcd1") != said_of("etcd2"), "{ran}");

    overwrite(&lab, "etcd2", VALUES[1], VALUES[0]);
    let state = tempfile::tempdir().unwrap();
    let ran = roll(&lab, state.path(), to).run();
    ran.ended(0).says(&["upgraded: cluster", "and of the same hash"]);
    assert!(!ran.to_string().contains("is not known"), "{ran}");
    let manifests = manifests(state.path());
    assert_eq!(manifests.len(), 3, "{ran}");
    for manifest in manifests {
        let hash = &manifest["proof"]["hash_kv"];
        assert!(hash["live_same"] == true && hash["hash"].as_u64() > Some(0), "{manifest}");
        assert_eq!(hash["revision"], manifest["proof"]["index"], "{manifest}");
    }
}

#[test]
fn refuses_members_of_3_5_whose_keys_differ() {
    refused_while_they_differ("3.5.35", "3.6.16");
}

#[test]
fn refuses_members_of_3_4_whose_keys_differ_as_their_own_etcdctl_tells() {
    refused_while_they_differ("3.4.23", "3.5.35");
}

#[test]
fn says_that_it_is_not_known_where_nothing_can_ask() {
    let _turn = own_turn();
    let name = format!("unknown-{}", process::id());
    let lab = Lab::builder().name(&name).bastion(false).etcd("3.3.27").release("3.4.13").start().unwrap();
    let check = || changes_nothing(&lab, |state| roll(&lab, state, "3.4.13").flag("--check"));
    let unknown = "whether all members hold the same keys is not known";
    let ran = check();
    assert!(!ran.ended(0).to_string().contains(unknown), "{ran}");
    said(&lab, "etcd3", "rm /usr/local/bin/etcdctl");
    let ran = check();
    let words = format!("{unknown}: etcd3: /usr/local/bin/etcdctl is no etcdctl of 3.3 or later");
    assert_eq!(ran.ended(0).to_string().matches(&words).count(), 1, "{ran}");
}
