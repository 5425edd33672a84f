//! etcdctl goes with etcd: to the new version, and back.

use std::process;

use quorate_lab::Lab;

use crate::own_turn;
use crate::quorate::Roll;
use crate::standing::said;

/// What etcdctl on a host says, and the names of all programs of etcd beside it.
fn etcdctl(lab: &Lab, host: &str) -> (String, Vec<String>) {
    let version = said(lab, host, "if [ -e /usr/local/bin/etcdctl ]; then etcdctl --version; else echo none; fi");
    let names = said(lab, host, "cd /usr/local/bin && ls -d etcd*");
    (version.trim().to_owned(), names.lines().map(str::to_owned).collect())
}

/// SHA-256 of the two programs as they stand.
fn sums(lab: &Lab, host: &str) -> String {
    said(lab, host, "cd /usr/local/bin && sha256sum etcd etcdctl")
}

#[test]
fn takes_etcdctl_to_the_new_version_and_back_with_its_etcd() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("tool-{}", process::id())).bastion(false).start().expect("a lab");
    let state = tempfile::tempdir().unwrap();
    // One host with a script of that name, as people write them to save typing, and one with none.
    let script = "mkdir -p /usr/local/libexec && mv /usr/local/bin/etcdctl /usr/local/libexec/ && \
        printf '#!/bin/sh\\nexec /usr/local/libexec/etcdctl \"$@\"\\n' >/usr/local/bin/etcdctl && chmod 755 /usr/local/bin/etcdctl";
    said(&lab, "etcd2", script);
    said(&lab, "etcd3", "rm /usr/local/bin/etcdctl");
    // A unit that does not start the new version: what is swapped has to come back.
    let folder = "/etc/systemd/system/etcd.service.d";
    let refuse = format!(
        "mkdir {folder} && printf '[Service]\\nExecStartPre=/bin/sh -c \"! /usr/local/bin/etcd --version | grep 2.1.1\"\\n' \
            >{folder}/refuse.conf && systemctl daemon-reload"
    );
    said(&lab, "etcd1", &refuse);
    let old = sums(&lab, "etcd1");
    let ran = Roll::to_2_1_1(&lab, state.path()).var("etcd_start_timeout", "15").run();
    ran.ended(10).says(&["the member is back on 2.0.5 and healthy"]);
    assert_eq!(sums(&lab, "etcd1"), old, "{ran}");
    let (says, names) = etcdctl(&lab, "etcd1");
    assert_eq!(says, "etcdctl version 2.0.5", "{ran}");
    assert!(names.contains(&"etcdctl.2.1.1".to_owned()), "it was not staged: {names:?}\n{ran}");

    said(&lab, "etcd1", &format!("rm -r {folder} && systemctl daemon-reload"));
    let ran = Roll::to_2_1_1(&lab, state.path()).run();
    ran.ended(0);
    let (says, names) = etcdctl(&lab, "etcd1");
    assert_eq!(says, "etcdctl version 2.1.1", "{ran}");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let both = ["etcd", "etcd.2.0.5", "etcd.2.1.1", "etcdctl", "etcdctl.2.0.5", "etcdctl.2.1.1"];
    assert_eq!(names, both, "{ran}");
    let (says, names) = etcdctl(&lab, "etcd2");
    assert_eq!(
        (says.as_str(), names.len()),
        ("etcdctl version 2.0.5", 4),
        "a script is nobody's but its writer's: {ran}"
    );
    let (says, names) = etcdctl(&lab, "etcd3");
    assert_eq!((says.as_str(), names.len()), ("none", 3), "{ran}");
}
