//! Members that answer HTTP on a port of its own, show their metrics on another, and answer only to a name that they know.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use quorate_lab::{HEALTHY, Host, Lab, wait_until};

use crate::own_turn;
use crate::quorate::Roll;
use crate::standing::said;

const TLS: &str = "--cacert=/etc/etcd/tls/ca.crt --cert=/etc/etcd/tls/member.crt --key=/etc/etcd/tls/member.key";

/// A cluster whose members were given such options; `lab status` cannot ask those, so etcdctl does, which speaks gRPC.
struct Site {
    lab: Lab,
    scheme: &'static str,
}

impl Site {
    fn new(lab: Lab, variables: impl Fn(&Host) -> String) -> Self {
        let scheme = if lab.site().spec().tls { "https" } else { "http" };
        let site = Self { lab, scheme };
        for host in site.lab.members() {
            // A copy of its own: the one beside etcd goes with it.
            let script = format!(
                "cp /usr/local/bin/etcdctl /root/ctl && printf '{}' >>/etc/default/etcd && systemctl restart etcd",
                variables(&host)
            );
            said(&site.lab, &host.name, &script);
            site.wait_healthy();
        }
        site
    }

    /// A call of etcdctl on etcd1, to all members.
    fn ctl(&self, words: &str) -> String {
        let urls: Vec<_> =
            self.lab.members().iter().map(|host| format!("{}://{}:2379", self.scheme, host.address)).collect();
        let tls = if self.scheme == "https" { TLS } else { "" };
        format!("ETCDCTL_API=3 /root/ctl {tls} --endpoints={} {words}", urls.join(","))
    }

    fn wait_healthy(&self) {
        let sound = || {
            let ran = self.lab.exec("etcd1", &["sh", "-c", &self.ctl("endpoint health")]).unwrap();
            if ran.status.success() { Ok(()) } else { Err(format!("{ran:?}")) }
        };
        wait_until("healthy members", HEALTHY, sound).unwrap();
    }

    /// Writes key after key until it is told to stop; gives those that were acknowledged.
    fn write_until(&self, stop: &AtomicBool) -> Vec<String> {
        let mut acknowledged = Vec::new();
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let key = format!("written-{number}");
            let put = self.ctl(&format!("put {key} {number}"));
            if self.lab.exec("etcd1", &["sh", "-c", &put]).unwrap().status.success() {
                acknowledged.push(key);
            }
            thread::sleep(Duration::from_millis(100));
        }
        acknowledged
    }

    /// Rolls it while keys are written, and wants them all and the new version on every member.
    fn rolls_to(&self, version: &str) {
        let state = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let (ran, written) = thread::scope(|scope| {
            let writer = scope.spawn(|| self.write_until(&stop));
            let roll = Roll::new(&self.lab, &self.lab.inventory(), &self.lab.ssh_config(), state.path());
            let ran = roll.to(version, &self.lab).run();
            stop.store(true, Ordering::Relaxed);
            (ran, writer.join().unwrap())
        });
        ran.ended(0).says(&["upgraded: cluster"]);
        assert!(written.len() > 20, "{written:?}\n{ran}");
        let keys = said(&self.lab, "etcd1", &self.ctl("get --prefix written- --keys-only"));
        for key in &written {
            assert!(keys.lines().any(|line| line == key), "{key} is lost\n{ran}");
        }
        for host in self.lab.members() {
            let says = "/proc/$(systemctl show -p MainPID --value etcd)/exe --version";
            assert!(said(&self.lab, &host.name, says).contains(version), "{}: {ran}", host.name);
        }
        let again = Roll::new(&self.lab, &self.lab.inventory(), &self.lab.ssh_config(), state.path());
        let again = again.to(version, &self.lab).run();
        for (host, counts) in again.ended(0).recap() {
            assert_eq!(counts["changed"], 0, "{host}: {again}");
        }
    }
}

fn lab(name: &str, version: &str, tls: bool) -> Lab {
    let name = format!("{name}-{}", process::id());
    Lab::builder().name(&name).bastion(false).etcd(version).tls(tls).start().unwrap()
}

#[test]
fn rolls_members_whose_http_is_apart_and_that_know_one_name() {
    let _turn = own_turn();
    let site = Site::new(lab("apart", "3.5.35", false), |Host { name, address, .. }| {
        format!(
            "ETCD_LISTEN_CLIENT_HTTP_URLS=http://0.0.0.0:2390\\nETCD_LISTEN_METRICS_URLS=http://{address}:2381\\n\
             ETCD_HOST_WHITELIST={name}.example\\n"
        )
    });
    site.rolls_to("3.6.16");
}

#[test]
fn rolls_members_that_know_one_name_from_3_4_to_3_5() {
    let _turn = own_turn();
    let site = Site::new(lab("named", "3.4.23", false), |Host { name, address, .. }| {
        format!("ETCD_LISTEN_METRICS_URLS=http://{address}:2381\\nETCD_HOST_WHITELIST={name}.example\\n")
    });
    site.rolls_to("3.5.35");
}

#[test]
fn rolls_members_whose_http_is_apart_over_tls() {
    let _turn = own_turn();
    let site = Site::new(lab("apart-tls", "3.5.35", true), |Host { address, .. }| {
        format!(
            "ETCD_LISTEN_CLIENT_HTTP_URLS=https://{address}:2390\\nETCD_LISTEN_METRICS_URLS=http://{address}:2381\\n\
             ETCD_HOST_WHITELIST=nobody.example\\n"
        )
    });
    site.rolls_to("3.6.16");
}
