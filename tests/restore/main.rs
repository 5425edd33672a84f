//! A dead cluster brought back from a backup, on real hosts. Needs root and what `scripts/setup` installs; without them every test
//! here fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod v2_store;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use quorate_lab::{HEALTHY, Lab, LabBuilder, Sudo, Turns, User, wait_until};
use serde_json::Value;

/// How many keys a test writes.
const KEYS: usize = 200;
/// A backup of three members takes 6 s; this is for a busy machine.
const BACKUP: Duration = Duration::from_secs(60);
/// A member answers within milliseconds; this is for a busy machine.
const ANSWER: Duration = Duration::from_secs(10);

/// These wait for members to start and to join, and compute little.
static TURNS: Turns = Turns::new(3);

struct Site {
    lab: Lab,
    state: tempfile::TempDir,
}

impl Site {
    /// A cluster with keys in it.
    fn new(lab: LabBuilder) -> Self {
        let lab = lab.bastion(false).start().expect("a lab");
        let site = Self { lab, state: tempfile::tempdir().unwrap() };
        site.write("k", KEYS);
        site
    }

    fn playbook(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.lab.control_command(env!("CARGO_BIN_EXE_quorate"));
        command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        command.arg("run").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks").join(name));
        command.arg("-i").arg(self.lab.inventory()).arg("-F").arg(self.lab.ssh_config());
        command.arg("--known-hosts").arg(self.lab.known_hosts()).arg("--state-dir").arg(self.state.path());
        if let Some(file) = self.lab.become_password_file() {
            command.arg("--become-password-file").arg(file);
        }
        command.args(arguments);
        command
    }

    #[track_caller]
    fn back_up(&self, arguments: &[&str]) {
        let output = self.playbook("etcd-backup.yml", arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    }

    fn restore(&self, backup: &Path, confirm: &str) -> Output {
        let backup = format!("backup={}", backup.display());
        let confirm = format!("confirm={confirm}");
        self.playbook("etcd-restore.yml", &["-e", &backup, "-e", &confirm]).output().unwrap()
    }

    /// Complete backups of a host, oldest first.
    fn backups(&self, host: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self.runs().into_iter().map(|run| run.join(host)).collect();
        found.retain(|path| path.join("manifest.json").is_file());
        found
    }

    /// The folders of all runs that took backups, oldest first.
    fn runs(&self) -> Vec<PathBuf> {
        let folders = |path: PathBuf| fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut runs: Vec<PathBuf> = folders(self.state.path().join("backups")).flat_map(folders).collect();
        runs.sort_by_key(|run| run.file_name().map(ToOwned::to_owned));
        runs
    }

    fn said(&self, host: &str, script: &str) -> String {
        let output = self.lab.exec(host, &["sh", "-c", script]).expect("the host is up");
        assert!(output.status.success(), "{host}: {script}: {}", words(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn hosts(&self) -> Vec<String> {
        self.lab.members().into_iter().map(|host| host.name).collect()
    }

    fn write(&self, prefix: &str, keys: usize) {
        let tls =
            "--ca-file /etc/etcd/tls/ca.crt --cert-file /etc/etcd/tls/member.crt --key-file /etc/etcd/tls/member.key";
        let (scheme, tls) = if self.lab.site().spec().tls { ("https", tls) } else { ("http", "") };
        let script = format!(
            "for i in $(seq 1 {keys}); do etcdctl {tls} -C {scheme}://127.0.0.1:2379 set /{prefix}/$i value-$i >/dev/null || exit 1; done"
        );
        self.said("etcd1", &script);
    }

    fn stop(&self) {
        self.hosts().iter().for_each(|host| drop(self.said(host, "systemctl stop etcd")));
    }

    /// Stops the test unless every member is sound, has all keys by a read through raft, and no trace of a first start is left.
    #[track_caller]
    fn assert_back(&self) {
        self.lab.wait_healthy(HEALTHY).unwrap();
        for host in self.hosts() {
            let list = get(&self.lab, &host, "/v2/keys/k?quorum=true&recursive=true");
            let nodes = list["node"]["nodes"].as_array().unwrap_or_else(|| panic!("{host}: {list}"));
            let sound = |node: &&Value| {
                let number = node["key"].as_str().unwrap().rsplit('/').next().unwrap();
                node["value"] == format!("value-{number}")
            };
            assert_eq!(nodes.iter().filter(sound).count(), KEYS, "{host}");
            let members = get(&self.lab, &host, "/v2/members");
            assert_eq!(members["members"].as_array().unwrap().len(), self.hosts().len(), "{host}");
            let left = self.said(
                &host,
                "systemctl list-units --all --no-legend 'quorate*'; ls /run/systemd/transient /var/lib/quorate/restore 2>/dev/null | \
                 grep -v ':$' | grep . ; systemctl show -p DropInPaths etcd | grep /; true",
            );
            assert_eq!(left.trim(), "", "{host}");
        }
    }

    fn cluster_id(&self, backup: &Path) -> String {
        let manifest: Value = serde_json::from_slice(&fs::read(backup.join("manifest.json")).unwrap()).unwrap();
        manifest["cluster_id"].as_str().unwrap().to_owned()
    }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What a member answers on its own host.
fn get(lab: &Lab, host: &str, path: &str) -> Value {
    let client = lab.client(ANSWER).unwrap();
    let body = lab.on_host(host, || client.get(Ipv4Addr::LOCALHOST, path)).unwrap();
    let body = body.unwrap_or_else(|error| panic!("{host}: {path}: {error}"));
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{host}: {error}: {body}"))
}

#[track_caller]
fn assert_exit(output: &Output, code: i32, said: &str) {
    let words = words(output);
    assert_eq!(output.status.code(), Some(code), "{words}");
    assert!(words.contains(said), "expected {said:?} in\n{words}");
}

#[test]
fn a_stopped_cluster_comes_back_and_can_be_backed_up_and_brought_back_again() {
    let _turn = TURNS.own();
    // Over TLS, and as an account that must say a password to become root.
    let site = Site::new(Lab::builder().etcd("2.0.5").tls(true).user(User::Ops).sudo(Sudo::Password));
    site.back_up(&[]);
    let backup = site.backups("etcd2").pop().unwrap();
    let id = site.cluster_id(&backup);
    site.write("after", 20);

    assert_exit(&site.restore(&backup, &id), 3, "etcd3: etcd.service is active (running)");
    site.said("etcd1", "systemctl stop etcd");
    assert_exit(&site.restore(&backup, &id), 3, "etcd2: etcd.service is active (running)");
    site.stop();
    assert_exit(&site.restore(&backup, ""), 3, &format!("-e confirm={id}"));
    assert_exit(&site.restore(&backup, "yes"), 3, "found `yes`");
    assert_exit(&site.restore(&broken(&site, &backup, "flipped", flip), &id), 3, "not the file that was backed up");
    let without = |folder: &Path| fs::remove_file(folder.join("manifest.json")).unwrap();
    assert_exit(&site.restore(&broken(&site, &backup, "without", without), &id), 5, "manifest.json");
    let before = site.said("etcd1", "cd /var/lib/etcd && find . -type f -exec sha256sum {} + | sort");

    assert_exit(&site.restore(&backup, &id), 0, "");
    site.assert_back();
    let kept = site.said("etcd1", "cd /var/lib/etcd && find ./member.before-* -type f -exec sha256sum {} + | sort");
    let run = kept.split("member.before-").nth(1).unwrap().split('/').next().unwrap();
    assert_eq!(kept.replace(&format!("member.before-{run}"), "member"), before, "nothing of the old data is lost");

    // What was restored can be lost as well, this time with the old data gone on every host.
    site.back_up(&[]);
    let second = site.backups("etcd3").pop().unwrap();
    assert_ne!(second, backup.parent().unwrap().join("etcd3"));
    site.stop();
    site.hosts().iter().for_each(|host| drop(site.said(host, "rm -rf /var/lib/etcd/*")));
    assert_exit(&site.restore(&second, &site.cluster_id(&second)), 0, "");
    site.assert_back();
    site.lab.down().unwrap();
}

/// Writes keys by the v3 API, on the host itself.
fn write_v3(site: &Site, prefix: &str, keys: usize) {
    let put = "ETCDCTL_API=3 etcdctl --endpoints=http://127.0.0.1:2379 put";
    let script = format!("for i in $(seq 1 {keys}); do {put} {prefix}/$i value-$i >/dev/null || exit 1; done");
    site.said("etcd1", &script);
}

/// How many keys with that prefix a member has, by a read through raft.
fn keys_v3(site: &Site, host: &str, prefix: &str) -> usize {
    let list = format!("ETCDCTL_API=3 etcdctl --endpoints=http://127.0.0.1:2379 get --prefix {prefix}/ --keys-only");
    site.said(host, &list).lines().filter(|line| !line.is_empty()).count()
}

/// A cluster of 3.x with keys, backed up, stopped, brought back from the snapshot of one member.
fn comes_back_from_a_snapshot(version: &str) {
    let _turn = TURNS.own();
    let lab = Lab::builder().etcd(version).user(User::Ops).sudo(Sudo::Password).bastion(false).start().expect("a lab");
    let site = Site { lab, state: tempfile::tempdir().unwrap() };
    write_v3(&site, "k", KEYS);
    let releases = format!("etcd_releases={}", site.lab.releases().display());
    site.back_up(&["-e", &releases]);
    let backup = site.backups("etcd2").pop().unwrap();
    let id = site.cluster_id(&backup);
    write_v3(&site, "after", 20);
    let restore = |confirm: &str| {
        let (folder, confirm) = (format!("backup={}", backup.display()), format!("confirm={confirm}"));
        site.playbook("etcd-restore.yml", &["-e", &folder, "-e", &confirm, "-e", &releases]).output().unwrap()
    };
    assert_exit(&restore(&id), 3, "is active (running)");
    site.stop();
    assert_exit(&restore(""), 3, &format!("-e confirm={id}"));
    let before = site.said("etcd1", "cd /var/lib/etcd && find . -type f -exec sha256sum {} + | sort");
    assert_exit(&restore(&id), 0, "");
    site.lab.wait_healthy(HEALTHY).unwrap();
    for host in site.hosts() {
        assert_eq!(keys_v3(&site, &host, "k"), KEYS, "{host}");
        assert_eq!(keys_v3(&site, &host, "after"), 0, "{host}: written after the backup");
        assert_eq!(site.said(&host, "ls -d /var/lib/etcd/member.before-* | wc -l").trim(), "1", "{host}");
        assert_eq!(
            site.said(
                &host,
                "find /var/lib/quorate/restore /var/lib/etcd/quorate-restore -mindepth 1 2>/dev/null; true"
            ),
            ""
        );
    }
    let kept = site.said("etcd1", "cd /var/lib/etcd && find ./member.before-* -type f -exec sha256sum {} + | sort");
    let run = kept.split("member.before-").nth(1).unwrap().split('/').next().unwrap();
    assert_eq!(kept.replace(&format!("member.before-{run}"), "member"), before, "nothing of the old data is lost");
    // It takes writes, and is no part of the old cluster.
    write_v3(&site, "again", 3);
    site.back_up(&["-e", &releases]);
    assert_ne!(site.cluster_id(&site.backups("etcd2").pop().unwrap()), id);
    site.lab.down().unwrap();
}

#[test]
fn a_cluster_of_3_0_comes_back_from_a_snapshot() {
    comes_back_from_a_snapshot("3.0.17");
}

#[test]
fn a_cluster_of_3_6_comes_back_from_a_snapshot() {
    comes_back_from_a_snapshot("3.6.16");
}

/// Where logs lie that are apart from the data; on etcd2 a disk of their own.
const LOG: &str = "/var/lib/etcd-log";

/// Moves each member's log out of its data, and where `configured` says so has it started with a configuration file.
fn apart(site: &Site, configured: bool) {
    for member in site.lab.members() {
        let (host, peer) = (member.name, format!("http://{}:2380", member.address));
        let disk = if host == "etcd2" {
            format!("mount -t tmpfs -o mode=700 tmpfs {LOG} && chown etcd {LOG}")
        } else {
            "true".to_owned()
        };
        let script = format!(
            "systemctl stop etcd && install -d -m 700 -o etcd {LOG} && {disk} && mv /var/lib/etcd/member/wal/* {LOG}/ && \
             rmdir /var/lib/etcd/member/wal && echo ETCD_WAL_DIR={LOG} >>/etc/default/etcd"
        );
        site.said(&host, &script);
        if configured {
            let peers = format!("listen-peer-urls: {peer}\\ninitial-advertise-peer-urls: {peer}\\n");
            let script = r#"awk -F= '/^ETCD_/ { key = tolower(substr($1, 6)); gsub("_", "-", key); value = substr($0, index($0, "=") + 1)
                gsub("\"", "", value); print key ": \"" value "\"" }' /etc/default/etcd >/etc/etcd.yml && sed -i /^ETCD_/d /etc/default/etcd
                printf 'PEERS' >>/etc/etcd.yml; mkdir -p /etc/systemd/system/etcd.service.d
                printf '[Service]\nExecStart=\nExecStart=/usr/local/bin/etcd --config-file=/etc/etcd.yml\n' \
                    >/etc/systemd/system/etcd.service.d/configured.conf && systemctl daemon-reload"#;
            site.said(&host, &script.replace("PEERS", &peers));
        }
        site.said(&host, "systemctl start etcd");
        site.lab.wait_healthy(HEALTHY).unwrap();
    }
}

/// Sums of all segments below a folder, names without where they lie.
fn segments(site: &Site, host: &str, below: &str) -> Vec<String> {
    let script = format!("find {below} -name '*.wal' -exec sha256sum {{}} + 2>/dev/null; true");
    let said = site.said(host, &script);
    let mut found: Vec<String> = said
        .lines()
        .map(|line| format!("{} {}", line.split(' ').next().unwrap(), line.rsplit('/').next().unwrap()))
        .collect();
    found.sort();
    found
}

/// Stops the test unless the log is where it was told to be, and the old one lies aside unharmed.
#[track_caller]
fn assert_logs_apart(site: &Site, before: &[Vec<String>]) {
    for (host, before) in site.hosts().iter().zip(before) {
        assert_eq!(segments(site, host, "/var/lib/etcd/member").len(), 0, "{host}");
        assert!(!segments(site, host, LOG).is_empty(), "{host}");
        // Of a disk of its own the old log comes to the disk of the data.
        let aside =
            if host == "etcd2" { "/var/lib/etcd/member.before-*-wal".to_owned() } else { format!("{LOG}.before-*") };
        assert_eq!(&segments(site, host, &aside), before, "{host}");
        assert_eq!(site.said(host, &format!("stat -c %U {LOG} {LOG}/*.wal | sort -u")).trim(), "etcd", "{host}");
    }
}

#[test]
fn members_with_a_configuration_file_and_a_log_apart_come_back_from_a_snapshot() {
    let _turn = TURNS.own();
    let lab = Lab::builder().etcd("3.5.35").user(User::Ops).sudo(Sudo::Password).bastion(false).start().expect("a lab");
    let site = Site { lab, state: tempfile::tempdir().unwrap() };
    apart(&site, true);
    write_v3(&site, "k", KEYS);
    let releases = format!("etcd_releases={}", site.lab.releases().display());
    site.back_up(&["-e", &releases]);
    let backup = site.backups("etcd1").pop().unwrap();
    let id = site.cluster_id(&backup);
    site.stop();
    let before: Vec<_> = site.hosts().iter().map(|host| segments(&site, host, LOG)).collect();
    let (folder, confirm) = (format!("backup={}", backup.display()), format!("confirm={id}"));
    let restore =
        || site.playbook("etcd-restore.yml", &["-e", &folder, "-e", &confirm, "-e", &releases]).output().unwrap();
    assert_exit(&restore(), 0, "");
    site.lab.wait_healthy(HEALTHY).unwrap();
    for host in site.hosts() {
        assert_eq!(keys_v3(&site, &host, "k"), KEYS, "{host}");
    }
    assert_logs_apart(&site, &before);
    // A disk inside of what is moved aside would go with it.
    site.stop();
    let inside = "umount /var/lib/etcd-log && mkdir /var/lib/etcd/member/log && mount -t tmpfs tmpfs /var/lib/etcd/member/log && \
                  sed -i s,/var/lib/etcd-log,/var/lib/etcd/member/log, /etc/etcd.yml";
    site.said("etcd2", inside);
    assert_exit(&restore(), 3, "/var/lib/etcd/member/log is a mount point in /var/lib/etcd/member");
    site.lab.down().unwrap();
}

#[test]
fn a_cluster_of_2_3_with_its_logs_apart_comes_back() {
    let _turn = TURNS.own();
    let site = Site::new(Lab::builder().etcd("2.3.8"));
    apart(&site, false);
    site.back_up(&[]);
    // The first to come back is etcd1; the log on a disk of its own joins.
    let backup = site.backups("etcd2").pop().unwrap();
    let id = site.cluster_id(&backup);
    site.stop();
    let before: Vec<_> = site.hosts().iter().map(|host| segments(&site, host, LOG)).collect();
    assert_exit(&site.restore(&backup, &id), 0, "");
    site.assert_back();
    assert_logs_apart(&site, &before);
    site.lab.down().unwrap();
}

/// A copy of the backup with something done to it.
fn broken(site: &Site, backup: &Path, name: &str, harm: impl Fn(&Path)) -> PathBuf {
    let folder = site.state.path().join(name);
    fs::create_dir(&folder).unwrap();
    for file in ["copy.tar", "manifest.json"] {
        fs::copy(backup.join(file), folder.join(file)).unwrap();
    }
    harm(&folder);
    folder
}

fn flip(folder: &Path) {
    let path = folder.join("copy.tar");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_interrupted_restore_refuses_until_all_is_stopped_and_then_begins_anew() {
    let _turn = TURNS.own();
    let site = Site::new(Lab::builder().etcd("2.1.1").members(5));
    // Not on a disk of its own: then the directory is renamed as a whole.
    site.stop();
    for host in site.hosts() {
        site.said(
            &host,
            "cp -a /var/lib/etcd /var/lib/etcd-plain && sed -i s,/var/lib/etcd,/var/lib/etcd-plain, /etc/default/etcd",
        );
        site.said(&host, "systemctl start etcd");
    }
    site.lab.wait_healthy(HEALTHY).unwrap();
    site.back_up(&[]);
    let backup = site.backups("etcd1").pop().unwrap();
    let id = site.cluster_id(&backup);
    site.stop();

    let (folder, confirm) = (format!("backup={}", backup.display()), format!("confirm={id}"));
    let mut command = site.playbook("etcd-restore.yml", &["-e", &folder, "-e", &confirm]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the second member's first start", BACKUP, || {
        let state = site.said("etcd2", "systemctl show -p ActiveState quorate-restore");
        if state.trim() == "ActiveState=active" { Ok(()) } else { Err(state) }
    })
    .unwrap();
    run.kill().unwrap();
    run.wait().unwrap();

    assert_exit(&site.restore(&backup, &id), 3, "systemctl stop quorate-restore.service");
    site.stop();
    site.said("etcd2", "systemctl stop quorate-restore");
    assert_exit(&site.restore(&backup, &id), 0, "");
    site.assert_back();
    assert_eq!(site.said("etcd2", "ls -d /var/lib/etcd-plain.before-* | wc -l").trim(), "2");
    assert_eq!(site.said("etcd3", "ls -d /var/lib/etcd-plain.before-* | wc -l").trim(), "1");
    site.lab.down().unwrap();
}

#[test]
fn backups_killed_in_the_middle_do_not_count_and_the_next_run_clears_them_away() {
    let _turn = TURNS.own();
    let site = Site::new(Lab::builder().etcd("2.0.5"));
    let mut command = site.playbook("etcd-backup.yml", &[]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let partial = |site: &Site| site.runs().iter().filter(|run| run.join("etcd1.partial").exists()).count();
    wait_until("a backup that is begun", BACKUP, || if partial(&site) > 0 { Ok(()) } else { Err("none".to_owned()) })
        .unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(site.backups("etcd1").is_empty());

    let keep = ["-e", "etcd_backup_keep=2"];
    (0..3).for_each(|_| site.back_up(&keep));
    assert_eq!(partial(&site), 0);
    for host in site.hosts() {
        assert_eq!(site.backups(&host).len(), 2, "{host}");
    }
    assert_eq!(site.runs().len(), 2, "no empty folders stay");
    site.lab.down().unwrap();
}
