//! A lab that is put back to how it was, whatever became of its hosts. Needs root and what `scripts/setup` installs; without them
//! every test here fails.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use quorate_lab::{BASTION, Disk, Ends, Fault, Lab, Loss};

/// By its own default it is told of a URL that a newer Go takes for none (2.0.5, seen in the lab 2026-11-27).
const CTL: &str = "etcdctl -C http://127.0.0.1:2379";

fn said(lab: &Lab, host: &str, script: &str) -> String {
    let output = lab.exec(host, &["sh", "-c", script]).unwrap();
    assert!(output.status.success(), "{host}: {script}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn put(lab: &Lab, value: &str) {
    let script =
        format!("{CTL} set /kept {value} >/dev/null && {CTL} get /kept && echo {value} >/etc/kept && sync /etc/kept");
    assert_eq!(said(lab, "etcd1", &script).trim(), value);
}

fn log_in(lab: &Lab, host: &str) -> bool {
    let mut ssh = lab.control_command("ssh");
    ssh.arg("-F").arg(lab.ssh_config()).args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=5", host, "true"]);
    ssh.output().unwrap().status.success()
}

#[test]
fn a_lab_is_as_it_was_kept_whatever_became_of_its_hosts() {
    let lab = Lab::builder().start().unwrap();
    put(&lab, "before");
    let ids = said(&lab, "etcd1", &format!("{CTL} member list | cut -d: -f1 | sort"));
    lab.snapshot().unwrap();
    let binary = fs::read(lab.site().root_of("etcd3").join("usr/local/bin/etcd")).unwrap();

    put(&lab, "after");
    // Every way in which a cell leaves a host behind.
    let other = lab.site().path("other");
    fs::write(&other, "#!/bin/sh\nexit 1\n").unwrap();
    let cut = Fault::Link(Loss::Both, Ends::Ssh);
    let faults = [
        ("etcd1", Fault::PowerCut),
        ("etcd2", Fault::FillDisk(Disk::Data)),
        ("etcd2", cut),
        ("etcd3", Fault::Binary(other)),
        ("etcd3", Fault::HostKey),
        ("etcd3", Fault::FreezeHost),
        (BASTION, Fault::PowerOff),
    ];
    for (host, fault) in &faults {
        lab.fault(fault, host).unwrap();
    }
    lab.revert().unwrap();

    assert_eq!(said(&lab, "etcd1", &format!("{CTL} get /kept && cat /etc/kept")), "before\nbefore\n");
    assert_eq!(said(&lab, "etcd1", &format!("{CTL} member list | cut -d: -f1 | sort")), ids);
    assert_eq!(fs::read(lab.site().root_of("etcd3").join("usr/local/bin/etcd")).unwrap(), binary);
    for host in lab.site().hosts() {
        assert!(log_in(&lab, &host.name), "{} lets nobody in", host.name);
    }
    // A second time it is the same, and faults can be put on again.
    put(&lab, "again");
    lab.fault(&Fault::HostKey, "etcd3").unwrap();
    assert!(!log_in(&lab, "etcd3"), "its host key is not a new one");
    lab.revert().unwrap();
    assert_eq!(said(&lab, "etcd1", &format!("{CTL} get /kept")), "before\n");
    assert!(log_in(&lab, "etcd3"));
}
