//! Members taken to another version by hand, as people do it who think that a swap and a restart are all there is to it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use quorate_lab::{Fault, HEALTHY, Lab, MemberStatus, binaries, wait_until};

use crate::standing::said;

/// The cluster version follows within 5 s of the last member.
const DECIDED: Duration = Duration::from_secs(30);
/// For an answer of a member on its own host.
const ANSWER: Duration = Duration::from_secs(5);
/// A member that is not well for so long after it has said why does not get well by itself: etcd's own retries are shorter.
const NEVER: Duration = Duration::from_secs(8);

/// Puts another version under a member and has it started; whether that succeeds is another matter.
pub(crate) fn start(lab: &Lab, host: &str, version: &str) {
    let program = binaries::folder(version).unwrap().join("etcd");
    lab.fault(&Fault::Binary(program), host).unwrap();
    // One that ended too often would not be started again without the first word.
    said(lab, host, "systemctl reset-failed etcd.service; systemctl restart --no-block etcd.service");
}

/// The same for one that comes up; waits until the whole cluster is well.
pub(crate) fn swap(lab: &Lab, host: &str, version: &str) {
    start(lab, host, version);
    wait_until(version, HEALTHY, || {
        let member = status(lab, host);
        if member.version.as_deref() == Some(version) { Ok(()) } else { Err(format!("{member:?}")) }
    })
    .unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
}

/// The same without a question by v3: 3.0 takes one for a read into its log, and with it writes to the v3 store how far it has come.
pub(crate) fn hop_unasked(lab: &Lab, version: &str) {
    let ask = |host: &str, path: &str| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 2379));
        lab.on_host(host, || crate::roll_call::get(address, path)).unwrap()
    };
    for host in lab.members() {
        start(lab, &host.name, version);
        wait_until(version, HEALTHY, || {
            let (told, health) = (ask(&host.name, "/version")?, ask(&host.name, "/health")?);
            let well = told.contains(&format!(r#""etcdserver":"{version}""#)) && health.contains("true");
            if well { Ok(()) } else { Err(told) }
        })
        .unwrap();
    }
    let cluster = format!(r#""etcdcluster":"{}.0""#, version.rsplit_once('.').unwrap().0);
    for host in lab.members() {
        wait_until(&cluster, DECIDED, || {
            let told = ask(&host.name, "/version")?;
            if told.contains(&cluster) { Ok(()) } else { Err(told) }
        })
        .unwrap();
    }
}

/// Takes all members to a version, one after the other, and waits for the cluster version.
pub(crate) fn hop(lab: &Lab, version: &str) {
    for host in lab.members() {
        swap(lab, &host.name, version);
    }
    settled(lab, version);
}

/// Waits until the cluster version is that version's; what the members then say. A fresh cluster of 2.3 begins with 2.2.0, and its leader
/// looks again every five seconds (etcd v2.3.8 etcdserver/server.go, `monitorVersions`; seen in the lab).
pub(crate) fn settled(lab: &Lab, version: &str) -> Vec<MemberStatus> {
    let cluster = version.rsplit_once('.').unwrap().0.to_owned() + ".0";
    wait_until(version, DECIDED, || {
        let status = lab.status();
        let there = status.iter().all(|member| member.cluster_version.as_deref() == Some(&cluster));
        if there { Ok(status) } else { Err(format!("{status:#?}")) }
    })
    .unwrap()
}

/// What a member says of itself.
pub(crate) fn status(lab: &Lab, host: &str) -> MemberStatus {
    lab.status().into_iter().find(|member| member.host == host).unwrap()
}

/// All that etcd and systemd have written about a member.
pub(crate) fn journal(lab: &Lab, host: &str) -> String {
    said(lab, host, "journalctl --unit=etcd.service --output=cat --no-pager")
}

/// Starts another version under a member, and stops the test unless it says these words, which no version before it has said, and
/// does not get well.
#[track_caller]
pub(crate) fn dies_of(lab: &Lab, host: &str, version: &str, words: &str) {
    let before = journal(lab, host);
    assert!(!before.contains(words), "{host} said `{words}` before {version}:\n{before}");
    start(lab, host, version);
    wait_until(words, HEALTHY, || {
        let now = journal(lab, host);
        if now.contains(words) { Ok(()) } else { Err(now) }
    })
    .unwrap();
    never_well(lab, host);
}

/// Stops the test if a member gets well.
#[track_caller]
pub(crate) fn never_well(lab: &Lab, host: &str) {
    let well = wait_until("a member that is well", NEVER, || {
        let member = status(lab, host);
        if member.healthy { Ok(()) } else { Err(format!("{member:?}")) }
    });
    assert!(well.is_err(), "{:?}\n{}", status(lab, host), journal(lab, host));
}

/// What a member's gateway of 3.4 or later answers on its own host: the whole answer with its head.
pub(crate) fn v3(lab: &Lab, host: &str, call: &str, body: &str) -> String {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, 2379)), ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "POST /v3/{call} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    lab.on_host(host, ask).unwrap().unwrap()
}
