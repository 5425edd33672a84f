//! What is in the v2 store of a cluster of 3.x, backed up beside the snapshot and brought back with it.

use std::fs;

use quorate_lab::{HEALTHY, Lab, Sudo, User};
use serde_json::Value;

use super::{Site, TURNS, assert_exit, get, keys_v3, words, write_v3};

/// One line of a v2 answer: key, value and whether it has an end, as a member's own store has it.
fn v2_of(node: &Value, into: &mut Vec<String>) {
    for child in node["nodes"].as_array().into_iter().flatten() {
        let end = if child["ttl"].is_number() { " with an end" } else { "" };
        let value = child["value"].as_str().unwrap_or("a folder");
        into.push(format!("{}={value}{end}", child["key"].as_str().unwrap()));
        v2_of(child, into);
    }
}

fn v2_store(site: &Site, host: &str) -> Vec<String> {
    let mut found = Vec::new();
    v2_of(&get(&site.lab, host, "/v2/keys/?recursive=true&sorted=true")["node"], &mut found);
    found
}

/// A cluster of 3.x that keeps keys in both stores: those of the v2 store lie beside the snapshot and come back with it.
fn comes_back_with_its_v2_store(version: &str, told: bool) {
    let _turn = TURNS.own();
    let lab = Lab::builder().etcd(version).user(User::Ops).sudo(Sudo::Password).bastion(false).start().expect("a lab");
    let site = Site { lab, state: tempfile::tempdir().unwrap() };
    let tell = |how: &str| {
        for host in site.hosts() {
            site.said(&host, how);
        }
    };
    if told {
        tell("echo ETCD_ENABLE_V2=true >>/etc/default/etcd; systemctl restart etcd");
        site.lab.wait_healthy(HEALTHY).unwrap();
    }
    write_v3(&site, "k", 20);
    let v2 = |script: &str| {
        site.said("etcd1", &format!("export ETCDCTL_API=2; set -e; {script}"));
    };
    v2(
        "for i in $(seq 1 50); do etcdctl set /app/$i value-$i >/dev/null; done; etcdctl mkdir /app/empty; etcdctl mkdir /short --ttl 3600; \
        etcdctl set /short/in it; etcdctl set '/odd/a b&c=d%é' ' 1=2&3+4 ' ; etcdctl set /ends soon --ttl 3600; etcdctl set /nothing ''",
    );
    if !told {
        // Guests may read and write still; that it is on is what a restore has to tell of.
        v2("etcdctl user add root:secret; etcdctl auth enable");
    }
    let before = v2_store(&site, "etcd1");
    assert_eq!(before.len(), 50 + 8, "{before:?}");
    let releases = format!("etcd_releases={}", site.lab.releases().display());
    site.back_up(&["-e", &releases]);
    let backup = site.backups("etcd2").pop().unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(backup.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (manifest["v2"]["keys"].as_u64(), manifest["v2"]["folders"].as_u64()),
        (Some(54), Some(4)),
        "{manifest}"
    );
    assert_eq!(manifest["v2"]["auth"], !told, "{manifest}");
    let id = site.cluster_id(&backup);
    v2("etcdctl set /app/1 other; etcdctl set /later x; etcdctl rm /nothing");
    site.stop();
    let restore = || {
        let (folder, confirm) = (format!("backup={}", backup.display()), format!("confirm={id}"));
        site.playbook("etcd-restore.yml", &["-e", &folder, "-e", &confirm, "-e", &releases]).output().unwrap()
    };
    if told {
        // Members that would not serve the API are seen before anything is moved.
        tell("sed -i /ETCD_ENABLE_V2/d /etc/default/etcd");
        assert_exit(&restore(), 3, "the backup has 54 keys of the v2 store, whose API etcd.service of");
        assert_eq!(site.said("etcd1", "ls -d /var/lib/etcd/*.before-* 2>/dev/null; true"), "");
        tell("echo ETCD_ENABLE_V2=true >>/etc/default/etcd");
    }
    let kept = fs::read(backup.join("v2-keys.json")).unwrap();
    fs::write(backup.join("v2-keys.json"), kept.strip_suffix(b"\n").unwrap_or(&kept[..kept.len() - 1])).unwrap();
    assert_exit(&restore(), 3, "v2-keys.json: not the file that was backed up");
    fs::write(backup.join("v2-keys.json"), kept).unwrap();
    let restored = restore();
    assert_exit(&restored, 0, "54 keys of the v2 store put back");
    let warned = words(&restored)
        .contains("the v2 store wanted to know who asks when the backup was taken, and now serves everybody");
    assert_eq!(warned, !told, "{}", words(&restored));
    site.lab.wait_healthy(HEALTHY).unwrap();
    for host in site.hosts() {
        assert_eq!(v2_store(&site, &host), before, "{host}");
        assert_eq!(keys_v3(&site, &host, "k"), 20, "{host}");
    }
    site.lab.down().unwrap();
}

#[test]
fn a_cluster_of_3_2_comes_back_with_what_was_in_its_v2_store() {
    comes_back_with_its_v2_store("3.2.32", false);
}

#[test]
fn a_cluster_of_3_5_that_serves_v2_comes_back_with_what_was_in_its_v2_store() {
    comes_back_with_its_v2_store("3.5.35", true);
}
