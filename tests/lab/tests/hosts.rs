//! The lab's hosts and faults, for real. Needs root and what `scripts/setup` installs; without them
//! every test here fails.
#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use quorate_lab::{Ends, Fault, HEALTHY, Lab, Loss, wait_until};

/// One lab for this file, one test at a time. Its reaper takes it down when the process ends.
fn lab() -> MutexGuard<'static, Lab> {
    static LAB: OnceLock<Mutex<Lab>> = OnceLock::new();
    let lab = LAB.get_or_init(|| Mutex::new(Lab::builder().start().expect("a lab")));
    let lab = lab.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    lab.wait_healthy(HEALTHY).expect("the lab is well before each test");
    lab
}

/// OpenSSH from the control machine, strict about host keys, five seconds to connect.
fn ssh(lab: &Lab, host: &str, command: &str) -> std::process::Output {
    // By SIGHUP ssh ends its connection to the bastion, when the host behind it says nothing; where tests are begun by nohup it is ignored.
    let mut ssh = lab.control_command("env");
    ssh.args(["--default-signal=HUP", "ssh"]).arg("-F").arg(lab.ssh_config());
    ssh.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=5", host, command]);
    ssh.output().expect("ssh runs")
}

fn said(lab: &Lab, host: &str, argv: &[&str]) -> String {
    let output = lab.exec(host, argv).expect("the host is up");
    assert!(output.status.success(), "{argv:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn members_are_reached_through_the_bastion_and_no_other_way() {
    let lab = lab();
    for host in lab.members() {
        let through = ssh(&lab, &host.name, "hostname");
        assert_eq!(String::from_utf8_lossy(&through.stdout).trim(), host.name, "{through:?}");
        let direct = lab
            .control_command("timeout")
            .args(["5", "bash", "-c"])
            .arg(format!("exec 3<>/dev/tcp/{}/22", host.address))
            .status()
            .unwrap();
        assert!(!direct.success(), "{} answers the control machine itself", host.name);
    }
}

#[test]
fn hosts_run_systemd_with_no_failed_unit() {
    let lab = lab();
    for host in lab.site().hosts() {
        let state = wait_until("a finished boot", Duration::from_secs(30), || {
            let output = lab.exec(&host.name, &["systemctl", "is-system-running"]).unwrap();
            let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if state == "starting" { Err(state) } else { Ok(state) }
        });
        assert_eq!(state.unwrap(), "running", "{}", host.name);
    }
}

#[test]
fn exit_codes_come_through() {
    let lab = lab();
    let inside = lab.exec("etcd1", &["sh", "-c", "exit 7"]).unwrap();
    assert_eq!(inside.status.code(), Some(7));
    let control = lab.control_command("sh").args(["-c", "exit 9"]).status().unwrap();
    assert_eq!(control.code(), Some(9));
}

#[test]
fn a_rebooted_host_brings_its_member_back() {
    let lab = lab();
    let before = said(&lab, "etcd2", &["cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat"]);
    lab.fault(&Fault::Reboot, "etcd2").unwrap();
    let after = said(&lab, "etcd2", &["cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat"]);
    assert_ne!(before, after);
    lab.wait_healthy(HEALTHY).unwrap();
}

#[test]
fn a_power_cut_loses_what_was_not_flushed_and_nothing_else() {
    let lab = lab();
    for place in ["/var/lib/etcd", "/var/tmp"] {
        let script =
            format!("echo kept >{place}/flushed && sync {place}/flushed {place}; echo gone >{place}/unflushed");
        said(&lab, "etcd3", &["sh", "-c", &script]);
    }
    lab.fault(&Fault::PowerCut, "etcd3").unwrap();
    assert!(lab.host_pid("etcd3").is_none());
    lab.mend(&Fault::PowerCut, "etcd3").unwrap();
    for place in ["/var/lib/etcd", "/var/tmp"] {
        assert_eq!(said(&lab, "etcd3", &["cat", &format!("{place}/flushed")]), "kept\n");
        let gone = format!("! [ -s {place}/unflushed ] && rm -f {place}/flushed {place}/unflushed");
        said(&lab, "etcd3", &["sh", "-c", &gone]);
    }
    lab.wait_healthy(HEALTHY).unwrap();
}

#[test]
fn a_full_disk_takes_no_byte_until_it_is_mended() {
    let lab = lab();
    for (name, place) in [("fill-disk", "/var/lib/etcd"), ("fill-disk:system", "/var/tmp")] {
        let fault: Fault = name.parse().unwrap();
        lab.fault(&fault, "etcd1").unwrap();
        let write = format!("head -c 65536 /dev/zero >{place}/probe");
        let output = lab.exec("etcd1", &["sh", "-c", &write]).unwrap();
        lab.mend(&fault, "etcd1").unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("No space left"), "{name}: {output:?}");
        said(&lab, "etcd1", &["sh", "-c", &format!("{write} && rm {place}/probe")]);
    }
}

#[test]
fn a_failed_disk_is_read_only_under_a_running_etcd() {
    let lab = lab();
    let fault: Fault = "read-only".parse().unwrap();
    lab.fault(&fault, "etcd2").unwrap();
    let output = lab.exec("etcd2", &["touch", "/var/lib/etcd/probe"]).unwrap();
    lab.mend(&fault, "etcd2").unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("Read-only file system"), "{text}");
    lab.wait_healthy(HEALTHY).unwrap();
    said(&lab, "etcd2", &["sh", "-c", "touch /var/lib/etcd/probe && rm /var/lib/etcd/probe"]);
}

#[test]
fn a_cut_link_is_silent_and_a_reset_one_refuses() {
    let lab = lab();
    for (loss, wanted) in
        [(Loss::Both, "timed out"), (Loss::In, "timed out"), (Loss::Out, "timed out"), (Loss::Reset, "refused")]
    {
        let fault = Fault::Link(loss, Ends::Ssh);
        lab.fault(&fault, "bastion").unwrap();
        let output = ssh(&lab, "bastion", "true");
        lab.mend(&fault, "bastion").unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(wanted), "{loss:?}: {text}");
        assert!(ssh(&lab, "bastion", "true").status.success(), "{loss:?} is mended");
    }
}

#[test]
fn a_member_cut_from_its_peers_is_not_healthy_but_reachable() {
    let lab = lab();
    let fault = Fault::Link(Loss::Both, Ends::Peers);
    lab.fault(&fault, "etcd1").unwrap();
    let lonely = wait_until("etcd1 to say it is unwell", HEALTHY, || {
        let status = lab.status();
        let sick: Vec<_> = status.iter().filter(|member| !member.healthy).map(|member| member.host.clone()).collect();
        if sick == ["etcd1"] { Ok(()) } else { Err(format!("{sick:?}")) }
    });
    let reachable = ssh(&lab, "etcd1", "true").status.success();
    lab.mend(&fault, "etcd1").unwrap();
    lonely.unwrap();
    assert!(reachable);
    lab.wait_healthy(HEALTHY).unwrap();
}

#[test]
fn a_frozen_host_says_nothing_until_it_thaws() {
    let lab = lab();
    lab.fault(&Fault::FreezeHost, "etcd1").unwrap();
    let output = ssh(&lab, "etcd1", "true");
    lab.mend(&Fault::FreezeHost, "etcd1").unwrap();
    assert!(!output.status.success());
    assert!(ssh(&lab, "etcd1", "true").status.success());
}

#[test]
fn a_killed_etcd_is_started_again_by_systemd() {
    let lab = lab();
    let restarts = |lab: &Lab| lab.status().first().and_then(|member| member.restarts).unwrap();
    let before = restarts(&lab);
    lab.fault(&Fault::KillEtcd, "etcd1").unwrap();
    wait_until("a restart", HEALTHY, || {
        let now = restarts(&lab);
        if now > before { Ok(()) } else { Err(now.to_string()) }
    })
    .unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
}

#[test]
fn a_replaced_host_key_is_refused_and_the_old_one_taken_again() {
    let lab = lab();
    lab.fault(&Fault::HostKey, "etcd2").unwrap();
    let output = ssh(&lab, "etcd2", "true");
    lab.mend(&Fault::HostKey, "etcd2").unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("HOST IDENTIFICATION HAS CHANGED"), "{text}");
    assert!(ssh(&lab, "etcd2", "true").status.success());
}

#[test]
fn a_replaced_binary_leaves_the_running_process_alone() {
    let lab = lab();
    let fault = Fault::Binary(PathBuf::from("/bin/true"));
    lab.fault(&fault, "etcd3").unwrap();
    let version = said(&lab, "etcd3", &["/usr/local/bin/etcd", "--version"]);
    let status = lab.status();
    lab.mend(&fault, "etcd3").unwrap();
    assert!(!version.contains("etcd version 2.0.5"), "{version}");
    assert!(status.iter().all(|member| member.healthy), "{status:?}");
    assert!(said(&lab, "etcd3", &["/usr/local/bin/etcd", "--version"]).contains("2.0.5"));
}

#[test]
fn archives_agree_with_their_sums_and_hold_the_programs() {
    let lab = lab();
    let check = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(lab.releases())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success() && text.contains("etcd-v2.1.1-linux-"), "{check:?}");
}
