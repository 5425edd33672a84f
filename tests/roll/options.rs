//! Options that a release does not take any more are said otherwise, in the files in which they stand, and come back with the program.

use std::fs;
use std::path::Path;
use std::process;

use quorate_lab::{HEALTHY, Lab};
use sha2::{Digest as _, Sha256};

use crate::own_turn;
use crate::quorate::Roll;
use crate::standing::{assert_nothing_to_do, said};
use crate::unrolled::changes_nothing;
use crate::way_back::ends_at_once;

const UNIT: &str = "/etc/systemd/system/etcd.service";
const ENVIRONMENT: &str = "/etc/default/etcd";
const DROP_IN: &str = "/etc/systemd/system/etcd.service.d/10-options.conf";

/// Appends to the words of ExecStart, to the environment file and as a drop-in, and starts each member so.
fn with_options(lab: &Lab, flags: &str, variables: &str, drop_in: &str) {
    for host in lab.members() {
        let script = format!(
            "sed -i 's|^\\(ExecStart=.*/etcd\\) \\\\$|\\1 \\\\\\n    {flags} \\\\|' {UNIT} && printf '{variables}' >>{ENVIRONMENT} && \
             mkdir -p $(dirname {DROP_IN}) && printf '{drop_in}' >{DROP_IN} && systemctl daemon-reload && systemctl restart etcd"
        );
        said(lab, &host.name, &script);
        lab.wait_healthy(HEALTHY).unwrap();
    }
}

/// The text of a file on each member's host.
fn texts(lab: &Lab, file: &str) -> Vec<String> {
    lab.members().iter().map(|host| said(lab, &host.name, &format!("cat {file}"))).collect()
}

/// What each member's process was started with: its command line and its variables, a line each.
fn started_with(lab: &Lab) -> Vec<Vec<String>> {
    let script = "pid=$(systemctl show -p MainPID etcd | cut -d= -f2); cat /proc/$pid/cmdline /proc/$pid/environ | tr '\\0' '\\n'";
    let lines = |host: &quorate_lab::Host| said(lab, &host.name, script).lines().map(str::to_owned).collect();
    lab.members().iter().map(lines).collect()
}

/// The old texts, and with what takes the place of what.
fn with(texts: &[String], places: &[(&str, &str)]) -> Vec<String> {
    let new = |text: &String| {
        places.iter().fold(text.clone(), |text, (old, new)| {
            assert_eq!(text.matches(old).count(), 1, "{old} in {text}");
            text.replace(old, new)
        })
    };
    texts.iter().map(new).collect()
}

/// A member of 3.4 as many run it: deprecated ways to say how it logs, in all three places.
fn lab_3_4(name: &str) -> Lab {
    let name = format!("options-{name}-{}", process::id());
    let lab = Lab::builder().name(&name).bastion(false).etcd("3.4.13").start().unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
    with_options(
        &lab,
        "--debug --log-output stderr",
        "# how it logs\\nETCD_LOG_PACKAGE_LEVELS=\"etcdserver=DEBUG\"\\nETCD_HEARTBEAT=none\\n",
        "[Service]\\nEnvironment=A=1 ETCD_LOGGER=capnslog \"B=2 3\"\\n",
    );
    lab
}

fn roll(lab: &Lab, state: &Path) -> Roll {
    Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state).to("3.5.35", lab)
}

#[test]
fn options_go_with_the_program_and_back_with_it() {
    let _turn = own_turn();
    let lab = lab_3_4("way");
    let (unit, environment, drop_in) = (texts(&lab, UNIT), texts(&lab, ENVIRONMENT), texts(&lab, DROP_IN));
    let started = started_with(&lab);
    assert!(started.iter().all(|with| with.contains(&"--debug".to_owned())), "{started:?}");

    // Refused where they are not to be said otherwise.
    let ran = changes_nothing(&lab, |state| roll(&lab, state).var("etcd_rewrite_options", "false"));
    ran.ended(3).says(&[
        "`--debug` stands on the command line",
        "say `--log-level=debug`",
        "refused before any change",
    ]);

    // Shown and not done.
    let ran = changes_nothing(&lab, |state| roll(&lab, state).flag("--check").flag("--diff"));
    ran.ended(0).says(&[
        "-    --debug --log-output stderr \\",
        "+    --log-level=debug --log-outputs stderr \\",
        "-ETCD_LOG_PACKAGE_LEVELS=\"etcdserver=DEBUG\"",
        "-Environment=A=1 ETCD_LOGGER=capnslog \"B=2 3\"",
        "+Environment=A=1 ETCD_LOGGER=zap \"B=2 3\"",
        &format!("{UNIT}: `--debug` -> `--log-level=debug`"),
    ]);

    // A program that ends at once: every byte is back, and with it the old options.
    let state = tempfile::tempdir().unwrap();
    let program = ends_at_once(state.path(), "3.5.35");
    let sum: String = Sha256::digest(fs::read(&program).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    let bad = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path()).var("etcd_version", "3.5.35");
    let ran = bad.var("etcd_binary", &program).var("etcd_binary_sha256", sum).run();
    ran.ended(10).says(&["the member is back on 3.4.13 and healthy", "`--debug` -> `--log-level=debug`"]);
    assert_eq!((texts(&lab, UNIT), texts(&lab, ENVIRONMENT)), (unit.clone(), environment.clone()), "{ran}");
    assert_eq!(texts(&lab, DROP_IN), drop_in, "{ran}");
    for (now, before) in started_with(&lab).iter().zip(&started) {
        for word in ["--debug", "ETCD_LOG_PACKAGE_LEVELS=etcdserver=DEBUG", "ETCD_LOGGER=capnslog"] {
            assert!(now.contains(&word.to_owned()) && before.contains(&word.to_owned()), "{word}: {now:?}\n{ran}");
        }
    }
    lab.wait_healthy(HEALTHY).unwrap();

    // To the release that lacks them.
    let ran = roll(&lab, state.path()).run();
    ran.ended(0).says(&[
        "rewrite: [etcd1]",
        "`ETCD_HEARTBEAT` is in use, and 3.5.35 does not name it in its usage text",
        &format!("{ENVIRONMENT}: `ETCD_LOG_PACKAGE_LEVELS` taken out"),
        &format!("{DROP_IN}: `ETCD_LOGGER` -> `ETCD_LOGGER=zap`"),
    ]);
    for named in ["`--heartbeat-interval` is in use", "`ETCD_LOG_PACKAGE_LEVELS` is in use", "no usage text of etcd"] {
        assert!(!ran.said.contains(named), "{named}: {ran}");
    }
    let flags = [("--debug --log-output stderr \\", "--log-level=debug --log-outputs stderr \\")];
    assert_eq!(texts(&lab, UNIT), with(&unit, &flags), "{ran}");
    let variable = [("ETCD_LOG_PACKAGE_LEVELS=\"etcdserver=DEBUG\"\n", "")];
    assert_eq!(texts(&lab, ENVIRONMENT), with(&environment, &variable), "{ran}");
    assert_eq!(texts(&lab, DROP_IN), with(&drop_in, &[("capnslog", "zap")]), "{ran}");
    for with in started_with(&lab) {
        for word in ["--log-level=debug", "--log-outputs", "ETCD_LOGGER=zap", "ETCD_HEARTBEAT=none", "B=2 3"] {
            assert!(with.contains(&word.to_owned()), "{word}: {with:?}\n{ran}");
        }
    }
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some("3.5.35"), "{member:?}\n{ran}");
    }
    assert_nothing_to_do(&lab, roll(&lab, state.path()));
}

const CONFIG: &str = "/etc/etcd/etcd.yml";

/// A configuration file of what an environment file says, with more at its end.
fn config_of(variables: &str, more: &str) -> String {
    let (mut top, mut client, mut peer) = (String::new(), String::new(), String::new());
    for line in variables.lines().filter_map(|line| line.strip_prefix("ETCD_")) {
        let (name, value) = line.split_once('=').unwrap();
        let name = name.to_lowercase().replace('_', "-");
        let secured = |name: &str| matches!(name, "cert-file" | "key-file" | "trusted-ca-file" | "client-cert-auth");
        let value = if name.ends_with("client-cert-auth") { value.trim_matches('"') } else { value };
        match name.strip_prefix("peer-").filter(|name| secured(name)) {
            Some(name) => peer += &format!("  {name}: {value}\n"),
            None if secured(&name) => client += &format!("  {name}: {value}\n"),
            None => top += &format!("{name}: {value}\n"),
        }
    }
    let sections = [("client-transport-security", client), ("peer-transport-security", peer)];
    let sections = sections.iter().filter(|(_, keys)| !keys.is_empty());
    let sections: String = sections.map(|(name, keys)| format!("{name}:\n{keys}")).collect();
    format!("# etcd of this host\n{top}\n{sections}heartbeat-interval: 100\nelection-timeout: 1000\n{more}")
}

/// Starts each member with a configuration file in the place of all it was started with. Flags and variables stay beside it and say
/// nothing any more.
fn with_config(lab: &Lab, scheme: &str, more: &str) {
    for host in lab.members() {
        let variables = said(lab, &host.name, &format!("cat {ENVIRONMENT}"));
        let url = format!("{scheme}://{}:2380", host.address);
        let peers = format!("listen-peer-urls: {url}\ninitial-advertise-peer-urls: {url}\n");
        let text = config_of(&variables, &format!("{peers}{more}"));
        let script = format!(
            "mkdir -p $(dirname {CONFIG}) && cat >{CONFIG} <<'end'\n{text}end\n\
             printf 'ETCD_NAME=nobody\\nETCD_CA_FILE=/none\\n' >{ENVIRONMENT}\n\
             mkdir -p $(dirname {DROP_IN}) && printf '[Service]\\nExecStart=\\nExecStart=/usr/local/bin/etcd --config-file={CONFIG}\\n' >{DROP_IN}\n\
             systemctl daemon-reload && systemctl restart etcd"
        );
        said(lab, &host.name, &script);
        lab.wait_healthy(HEALTHY).unwrap();
    }
}

#[test]
fn a_member_with_a_configuration_file_is_rolled_and_its_file_rewritten() {
    let _turn = own_turn();
    let name = format!("options-file-{}", process::id());
    let lab = Lab::builder().name(&name).bastion(false).etcd("3.3.27").tls(true).start().unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
    let more = "auto-compaction-retention: \"1\" # hours\nlog-output: stderr # the journal keeps it\ndebug: false\n";
    with_config(&lab, "https", more);
    let before = texts(&lab, CONFIG);
    let roll = |state: &Path| Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state).to("3.4.23", &lab);

    let ran = changes_nothing(&lab, |state| roll(state).var("etcd_rewrite_options", "false"));
    ran.ended(3).says(&["`log-output` in the configuration file is in the way of 3.4.23", "`enable-grpc-gateway`"]);
    let ran = changes_nothing(&lab, |state| roll(state).flag("--check").flag("--diff"));
    ran.ended(0).says(&[
        "-log-output: stderr",
        "+log-outputs: [stderr] # the journal keeps it",
        "+enable-grpc-gateway: true",
    ]);

    let state = tempfile::tempdir().unwrap();
    let ran = roll(state.path()).run();
    ran.ended(0).says(&[
        &format!("{CONFIG}: `log-output` -> `log-outputs: [stderr]`"),
        &format!("{CONFIG}: `enable-grpc-gateway: true` added"),
    ]);
    let mut expected = with(&before, &[("log-output: stderr", "log-outputs: [stderr]")]);
    expected.iter_mut().for_each(|text| text.push_str("enable-grpc-gateway: true\n"));
    assert_eq!(texts(&lab, CONFIG), expected, "{ran}");
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some("3.4.23"), "{member:?}\n{ran}");
    }
    assert_nothing_to_do(&lab, roll(state.path()));

    // Without its gateway a member of 3.4 cannot be asked, and the reason is said.
    let off = format!("sed -i '/^enable-grpc-gateway/d' {CONFIG} && systemctl restart etcd");
    said(&lab, "etcd2", &off);
    std::thread::sleep(std::time::Duration::from_secs(3));
    let ran = changes_nothing(&lab, |state| roll(state));
    ran.ended(3).says(&["etcd2", "runs without its gRPC gateway", &format!("say so in {CONFIG}")]);
}

#[test]
fn a_configuration_file_is_rewritten_at_the_hop_that_needs_it_and_snapshots_are_asked_for_in_it() {
    let _turn = own_turn();
    let name = format!("options-hops-{}", process::id());
    let lab =
        Lab::builder().name(&name).bastion(false).etcd("3.5.35").release("3.6.16").release("3.7.3").start().unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
    let more = "snapshot-count: 20000 # as ever\nexperimental-initial-corrupt-check: true\n\
        experimental-compact-hash-check-enabled: false # costs too much\nexperimental-compaction-batch-limit: 500\nenable-v2: false\n";
    with_config(&lab, "http", more);
    let before = texts(&lab, CONFIG);
    let roll = |state: &Path| Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state).to("3.7.3", &lab);

    let ran = changes_nothing(&lab, |state| roll(state).flag("--check").flag("--diff"));
    let gates = "feature-gates: CompactHashCheck=false,InitialCorruptCheck=true";
    ran.ended(0).says(&[&format!("+{gates}"), "+compaction-batch-limit: 500"]);
    let state = tempfile::tempdir().unwrap();
    let ran = roll(state.path()).run();
    ran.ended(0).says(&[
        &format!("{CONFIG}: `experimental-compaction-batch-limit` -> `compaction-batch-limit`"),
        &format!("`enable-v2` in {CONFIG}: 3.6.16 drops it without a word"),
    ]);
    let to_3_7 = ran.said.find("[3.6.16 -> 3.7.3]").unwrap();
    assert!(ran.said.find("rewrite: [").unwrap() > to_3_7, "3.5 knows none of the new names: {ran}");
    let places = [
        ("experimental-initial-corrupt-check: true", gates),
        ("experimental-compact-hash-check-enabled: false # costs too much\n", ""),
        ("experimental-compaction-batch-limit: 500", "compaction-batch-limit: 500"),
    ];
    assert_eq!(texts(&lab, CONFIG), with(&before, &places), "{ran}");
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some("3.7.3"), "{member:?}\n{ran}");
    }
    assert_nothing_to_do(&lab, roll(state.path()));
}

const VENDORS: &str = "/lib/systemd/system/etcd.service";
const OWN: &str = "/etc/systemd/system/etcd.service.d/zz-quorate-options.conf";

/// Makes each member's unit one that a package has brought, with most options in a variable of the environment file and with specifiers, as
/// Debian's has it.
fn as_a_package_has_it(lab: &Lab) {
    let settings = "Environment=DAEMON_ARGS= ETCD_LOGGER=capnslog \"PACKAGE=%p of %H\"";
    let script = format!(
        "sed 's|^\\(ExecStart=.*/etcd\\) \\\\$|{settings}\\n\\1 \\\\\\n    --log-package-levels=raft=INFO $DAEMON_ARGS \\\\|; s|^EnvironmentFile=.*|EnvironmentFile=-/etc/default/%p|' {UNIT} >{VENDORS} &&\n\
         rm {UNIT} && cat >>{ENVIRONMENT} <<'end'\n# and more\nDAEMON_ARGS=\"--debug --enable-pprof \\\n    --log-output stderr\"\nend\n\
         systemctl daemon-reload && systemctl reenable etcd && systemctl restart etcd"
    );
    for host in lab.members() {
        said(lab, &host.name, &script);
        lab.wait_healthy(HEALTHY).unwrap();
    }
}

#[test]
fn options_of_a_package_go_with_the_program_and_back_with_it() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("vendor-{}", process::id())).bastion(false).etcd("3.4.13");
    let lab = lab.start().unwrap();
    lab.wait_healthy(HEALTHY).unwrap();
    as_a_package_has_it(&lab);
    let (unit, environment, started) = (texts(&lab, VENDORS), texts(&lab, ENVIRONMENT), started_with(&lab));
    let old = ["--log-package-levels=raft=INFO", "--debug", "--log-output", "ETCD_LOGGER=capnslog"];
    let has = |with: &[String], word: &str| with.iter().any(|found| found == word);
    assert!(started.iter().all(|with| old.iter().all(|word| has(with, word))), "{started:?}");

    let ran = changes_nothing(&lab, |state| roll(&lab, state).flag("--check").flag("--diff"));
    ran.ended(0).says(&[
        "-DAEMON_ARGS=\"--debug --enable-pprof \\",
        "+DAEMON_ARGS=\"--log-level=debug --enable-pprof \\",
        "+ExecStart=/usr/local/bin/etcd $DAEMON_ARGS \\",
        "+Environment=ETCD_LOGGER=zap",
        &format!("{OWN}: `--log-package-levels` taken out"),
        &format!("{ENVIRONMENT}: `--debug` -> `--log-level=debug`"),
    ]);

    // A program that ends at once: the drop-in is gone again, and every byte of the rest is back.
    let state = tempfile::tempdir().unwrap();
    let program = ends_at_once(state.path(), "3.5.35");
    let sum: String = Sha256::digest(fs::read(&program).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    let bad = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path()).var("etcd_version", "3.5.35");
    let ran = bad.var("etcd_binary", &program).var("etcd_binary_sha256", sum).run();
    ran.ended(10).says(&["the member is back on 3.4.13 and healthy"]);
    assert_eq!((texts(&lab, VENDORS), texts(&lab, ENVIRONMENT)), (unit.clone(), environment.clone()), "{ran}");
    for (host, with) in lab.members().iter().zip(started_with(&lab)) {
        // That which asks for snapshots stays until the hop that needs them.
        let drop_ins = said(&lab, &host.name, &format!("ls {OWN} 2>/dev/null; systemctl show -p DropInPaths etcd"));
        assert!(!drop_ins.contains("zz-quorate-options"), "{drop_ins}\n{ran}");
        assert!(old.iter().all(|word| has(&with, word)), "{with:?}\n{ran}");
    }
    lab.wait_healthy(HEALTHY).unwrap();

    let ran = roll(&lab, state.path()).run();
    ran.ended(0);
    let places = [("--debug", "--log-level=debug"), ("--log-output", "--log-outputs")];
    assert_eq!(texts(&lab, ENVIRONMENT), with(&environment, &places), "{ran}");
    assert_eq!(texts(&lab, VENDORS), unit, "{ran}");
    for (own, unit) in texts(&lab, OWN).iter().zip(&unit) {
        let (_, command) = unit.split_once("ExecStart=").unwrap();
        let command = command.split_once("Restart=").unwrap().0.replace(" \\\n    --log-package-levels=raft=INFO", "");
        let settings =
            "Environment=\nEnvironment=DAEMON_ARGS=\nEnvironment=ETCD_LOGGER=zap\nEnvironment=\"PACKAGE=%p of %H\"\n";
        assert!(own.ends_with(&format!("[Service]\nExecStart=\nExecStart={command}{settings}")), "{own}\n{ran}");
    }
    for (host, with) in lab.members().iter().zip(started_with(&lab)) {
        let package = format!("PACKAGE=etcd of {}", host.name);
        for word in ["--log-level=debug", "--enable-pprof", "--log-outputs", "ETCD_LOGGER=zap", &package] {
            assert!(has(&with, word), "{word}: {with:?}\n{ran}");
        }
        assert!(!old.iter().any(|word| has(&with, word)), "{with:?}\n{ran}");
    }
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some("3.5.35"), "{member:?}\n{ran}");
    }
    assert_nothing_to_do(&lab, roll(&lab, state.path()));
}
