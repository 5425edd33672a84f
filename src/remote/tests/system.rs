//! Processes and units; systemctl is a program of the test that answers as systemd 252 does.

use std::time::Duration;

use super::Bench;
use crate::remote::{Change, ExecStart, Permit, Probe, RemoteError, RemotePath, UnitAction, UnitState};

const SHOWN: &str = "Type=notify
Restart=always
TimeoutStartUSec=1min 30s
TimeoutStopUSec=infinity
MainPID=4242
NRestarts=3
ExecStart={ path=/usr/bin/etcd ; argv[]=/usr/bin/etcd --name m1 --data-dir=/var/lib/etcd ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
ExecStart={ path=/bin/true ; argv[]=/bin/true ; ignore_errors=yes ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
Environment=A=1 \"B=two words\"
EnvironmentFiles=/etc/default/etcd (ignore_errors=yes)
EnvironmentFiles=/etc/etcd env (ignore_errors=no)
User=etcd
Group=
Result=success
Id=etcd.service
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/etc/systemd/system/etcd.service
DropInPaths=/etc/systemd/system/etcd.service.d/a.conf /etc/systemd/system/etcd.service.d/b.conf
UnitFileState=enabled
NeedDaemonReload=yes
InvocationID=0123456789abcdef0123456789abcdef
";

fn path(text: &str) -> RemotePath {
    RemotePath::from_absolute(text).unwrap()
}

#[test]
fn a_unit_is_read_property_by_property() {
    let unit = UnitState::from_show(SHOWN);
    assert!(unit.exists() && unit.needs_daemon_reload());
    assert_eq!((unit.load_state(), unit.active_state(), unit.sub_state()), ("loaded", "active", "running"));
    assert_eq!((unit.main_pid(), unit.n_restarts()), (Some(4242), Some(3)));
    assert_eq!((unit.kind(), unit.user(), unit.group(), unit.result()), ("notify", Some("etcd"), None, "success"));
    assert_eq!(unit.invocation_id(), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(unit.fragment_path(), Some(path("/etc/systemd/system/etcd.service")));
    assert_eq!(unit.drop_ins().len(), 2);
    assert_eq!(unit.unit_file_state(), "enabled");
    assert_eq!((unit.timeout_start(), unit.timeout_stop()), (Some(Duration::from_secs(90)), None));
    assert_eq!(unit.environment(), [("A".into(), "1".into()), ("B".into(), "two words".into())]);
    assert_eq!(unit.environment_files(), [(path("/etc/default/etcd"), true), (path("/etc/etcd env"), false)]);
}

#[test]
fn the_command_of_a_unit_is_read_with_its_arguments() {
    let unit = UnitState::from_show(SHOWN);
    let argv = ["/usr/bin/etcd", "--name", "m1", "--data-dir=/var/lib/etcd"].map(str::to_owned).to_vec();
    assert_eq!(unit.exec_start()[0], ExecStart { path: "/usr/bin/etcd".into(), argv });
    assert_eq!(unit.exec_start().len(), 2);
    assert_eq!(unit.binary(), Some(path("/usr/bin/etcd")));
    let odd = "ExecStart={ path=/bin/x ; argv[]=/bin/x a ; ignore_errors=b ; it's ; ignore_errors=no ; pid=0 }";
    assert_eq!(UnitState::from_show(odd).exec_start()[0].argv.last().unwrap(), "it's");
}

#[test]
fn a_unit_that_says_nothing_has_nothing() {
    let unit = UnitState::from_show("MainPID=0\nInvocationID=\nUser=\nLoadState=not-found\nActiveState=inactive\n");
    assert!(!unit.exists());
    assert_eq!((unit.main_pid(), unit.invocation_id(), unit.user(), unit.binary()), (None, None, None, None));
}

fn systemctl(bench: &Bench, text: &str) -> (Probe, Change) {
    bench.program("systemctl", text);
    let host = bench.with_programs();
    (Probe::new(host.clone()), Change::new(host, &Permit::of_a_real_run()))
}

#[tokio::test]
async fn asks_systemd_about_a_unit() {
    let bench = Bench::new();
    std::fs::write(bench.local("shown"), SHOWN).unwrap();
    let text = format!("#!/bin/sh\necho \"$*\" > '{0}/args'\ncat '{0}/shown'\n", bench.folder.path().display());
    let (probe, _) = systemctl(&bench, &text);
    assert_eq!(probe.unit("etcd.service").await.unwrap().main_pid(), Some(4242));
    let args = std::fs::read_to_string(bench.local("args")).unwrap();
    assert!(args.starts_with("--no-pager --property=Id,") && args.ends_with(" show -- etcd.service\n"), "{args}");
}

#[tokio::test]
async fn no_systemd_is_a_failure_and_no_state_is_no_answer() {
    let bench = Bench::new();
    let words = "#!/bin/sh\necho 'System has not been booted with systemd as init system (PID 1).' >&2\nexit 1\n";
    let (probe, _) = systemctl(&bench, words);
    let error = probe.unit("etcd").await.unwrap_err();
    assert!(matches!(&error, RemoteError::Failed { .. }) && error.to_string().contains("not been booted"), "{error}");
    let (probe, _) = systemctl(&bench, "#!/bin/sh\necho ActiveState=active\n");
    assert!(matches!(probe.unit("etcd").await, Err(RemoteError::Answer { .. })));
}

#[tokio::test]
async fn what_is_no_name_of_a_unit_is_refused() {
    let bench = Bench::new();
    let (probe, change) = systemctl(&bench, "#!/bin/sh\nexit 0\n");
    for name in ["", "a b", "a;b", "a\nb", "*", "a/b", &"x".repeat(256)] {
        assert!(matches!(probe.unit(name).await, Err(RemoteError::Refused { .. })), "{name:?}");
        let started = change.unit(name, UnitAction::Start, false).await;
        assert!(matches!(started, Err(RemoteError::Refused { .. })), "{name:?}");
    }
    assert!(change.unit("etcd@m-1:a_b.service", UnitAction::Start, false).await.is_ok());
}

#[tokio::test]
async fn tells_systemd_what_to_do_in_its_words() {
    let bench = Bench::new();
    let log = bench.local("args");
    let (_, change) = systemctl(&bench, &format!("#!/bin/sh\necho \"$*\" >> '{}'\n", log.display()));
    change.unit("etcd", UnitAction::Restart, false).await.unwrap();
    change.unit("etcd", UnitAction::Start, true).await.unwrap();
    change.unit("", UnitAction::DaemonReload, false).await.unwrap();
    change.unit("etcd", UnitAction::ResetFailed, false).await.unwrap();
    let said = std::fs::read_to_string(log).unwrap();
    let lines: Vec<&str> = said.lines().map(|line| line.trim_start_matches("--no-pager --no-ask-password ")).collect();
    assert_eq!(lines, ["restart -- etcd", "--no-block start -- etcd", "daemon-reload", "reset-failed -- etcd"]);
}

#[tokio::test]
async fn what_systemd_says_of_a_failed_start_is_in_the_message() {
    let bench = Bench::new();
    let (_, change) = systemctl(&bench, "#!/bin/sh\necho 'Job for etcd.service failed.' >&2\nexit 1\n");
    let error = change.unit("etcd", UnitAction::Start, false).await.unwrap_err();
    assert_eq!(error.to_string(), "h1: systemctl start etcd: Job for etcd.service failed.");
}

#[tokio::test]
async fn a_process_is_known_by_its_arguments_environment_and_program() {
    let bench = Bench::new();
    let mut child = std::process::Command::new("/bin/sleep")
        .args(["60.0", "0"])
        .env_clear()
        .env("ETCD_NAME", "a=b c\nd")
        .current_dir(bench.folder.path())
        .spawn()
        .unwrap();
    let probe = bench.probe();
    let (seen, again) = (probe.process(child.id()).await, probe.process(child.id()).await);
    child.kill().unwrap();
    child.wait().unwrap();
    let (seen, again) = (seen.unwrap(), again.unwrap());
    assert_eq!(seen.cmdline, ["/bin/sleep", "60.0", "0"]);
    assert_eq!(seen.environ.into_iter().collect::<Vec<_>>(), [("ETCD_NAME".to_owned(), "a=b c\nd".to_owned())]);
    assert_eq!(seen.exe, std::fs::canonicalize("/bin/sleep").unwrap().to_str().unwrap());
    assert_eq!(seen.cwd, bench.folder.path().to_str().unwrap());
    assert_eq!((seen.uid, seen.start_ticks), (0, again.start_ticks));
    assert!(seen.start_ticks > 0);
}

#[tokio::test]
async fn no_process_is_a_failure() {
    let error = Bench::new().probe().process(u32::MAX).await.unwrap_err();
    assert!(error.to_string().contains("no such process"), "{error}");
}

#[tokio::test]
async fn a_boot_has_one_name() {
    let real = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(Bench::new().probe().boot_id().await.unwrap(), real.trim());
}
