use super::*;
use crate::remote::{other_commands, variables_in};

mod in_variables;
mod vendors;

const UNIT: &str = "/etc/systemd/system/etcd.service";
const ENV: &str = "/etc/default/etcd";
const VENDOR: &str = "/usr/lib/systemd/system/etcd.service";
const OWN: &str = "/etc/systemd/system/etcd.service.d/zz-quorate-options.conf";

fn file(path: &str, text: &str) -> File {
    let path = RemotePath::from_absolute(path).unwrap();
    let vendors = path.as_str().starts_with("/usr/");
    File { path, text: text.to_owned(), fixed: None, vendors }
}

/// What a unit and its environment files say; the process runs with just that.
fn given(units: &[(&str, &str)], environment: &[(&str, &str)]) -> Given {
    let files = |all: &[(&str, &str)]| all.iter().map(|(path, text)| file(path, text)).collect::<Vec<_>>();
    let mut given = Given {
        units: Ok(files(units)),
        environment_files: files(environment),
        used_elsewhere: Vec::new(),
        drop_in: Ok(RemotePath::from_absolute(OWN).unwrap()),
        specifiers: Specifiers::of("etcd.service").on("node1"),
        config: None,
        of_systemd: (Vec::new(), Vec::new()),
        running: Flags::default(),
    };
    let commands = units.iter().flat_map(|(_, text)| other_commands(text));
    given.used_elsewhere = commands.flat_map(|command| variables_in(&command)).collect();
    given.running = given.flags();
    given
}

fn unit(lines: &str) -> String {
    format!("[Unit]\nDescription=etcd\n\n[Service]\n{lines}\nRestart=always\n")
}

/// Texts in, texts out, of one unit and one environment file.
#[track_caller]
fn becomes(target: &str, (exec, env): (&str, &str), expected: (&str, &str)) {
    let before = given(&[(UNIT, &unit(exec))], &[(ENV, env)]);
    let after = before.rewritten(Rules::built_in(), &target.parse().unwrap(), false);
    assert_eq!((&after.faults, &after.left), (&Vec::new(), &Vec::new()));
    assert_eq!(after.given.units.as_ref().unwrap()[0].text, unit(expected.0));
    assert_eq!(after.given.environment_files[0].text, expected.1);
    assert_eq!(after.given.changed(&before).is_empty(), (exec, env) == expected, "{:?}", after.lines);
    assert_eq!(after.lines.is_empty(), (exec, env) == expected, "{:?}", after.lines);
    // Once is enough.
    let mut after = after;
    after.given.running = after.given.flags();
    let again = after.given.rewritten(Rules::built_in(), &target.parse().unwrap(), false);
    assert_eq!(again.given.changed(&after.given), [], "{:?}", again.lines);
}

#[track_caller]
fn refused(target: &str, before: &Given, words: &[&str]) {
    let after = before.rewritten(Rules::built_in(), &target.parse().unwrap(), false);
    let faults: Vec<String> = after.faults.into_iter().map(|(_, text)| text).collect();
    let faults = faults.join("\n");
    for word in words {
        assert!(faults.contains(word), "{word}: {faults}");
    }
}

#[test]
fn flags_in_each_spelling_are_rewritten_and_nothing_else() {
    let env = "# --debug ETCD_DEBUG=1\nETCD_NAME=\"a\"\n";
    becomes(
        "3.4.13",
        ("ExecStart=/bin/etcd --debug --log-output=stderr", env),
        ("ExecStart=/bin/etcd --debug --log-output=stderr", env),
    );
    becomes(
        "3.5.35",
        (
            "ExecStart=/bin/etcd \\\n    --debug \\\n    --x=1 -log-output stderr \\\n\t\"--log-package-levels=a=B c\"",
            env,
        ),
        ("ExecStart=/bin/etcd \\\n    --log-level=debug \\\n    --x=1 -log-outputs stderr", env),
    );
    becomes("3.5.35", ("ExecStart = /bin/etcd -debug=false --x=1", env), ("ExecStart = /bin/etcd --x=1", env));
    becomes(
        "3.5.35",
        ("ExecStart=/bin/etcd '--log-output=stdout'", env),
        ("ExecStart=/bin/etcd '--log-outputs=stdout'", env),
    );
    becomes(
        "3.5.35",
        ("ExecStart=/bin/etcd --logger capnslog --x", env),
        ("ExecStart=/bin/etcd --logger=zap --x", env),
    );
    becomes("3.6.16", ("ExecStart=/bin/etcd --enable-v2=true --proxy off", env), ("ExecStart=/bin/etcd", env));
    becomes(
        "3.4.13",
        ("ExecStart=/bin/etcd --ca-file ${CA} -peer-ca-file=/p%%x --x", "CA=/ca\n"),
        (
            "ExecStart=/bin/etcd --trusted-ca-file ${CA} --client-cert-auth=true -peer-trusted-ca-file=/p%%x -peer-client-cert-auth=true --x",
            "CA=/ca\n",
        ),
    );
    becomes(
        "3.7.3",
        (
            "ExecStart=/bin/etcd --experimental-initial-corrupt-check --experimental-memory-mlock \\\n --experimental-compact-hash-check-enabled=false",
            env,
        ),
        ("ExecStart=/bin/etcd --feature-gates=CompactHashCheck=false,InitialCorruptCheck=true --memory-mlock", env),
    );
    becomes(
        "3.7.3",
        ("ExecStart=/bin/etcd \"--feature-gates=A=true\" --experimental-initial-corrupt-check --x", env),
        ("ExecStart=/bin/etcd \"--feature-gates=A=true,InitialCorruptCheck=true\" --x", env),
    );
}

#[test]
fn variables_are_rewritten_where_they_stand() {
    let exec = "ExecStart=/bin/etcd";
    becomes(
        "3.5.35",
        (
            exec,
            "# ETCD_DEBUG=true\nETCD_DEBUG=\"true\"\nETCD_LOG_PACKAGE_LEVELS=\"a=B\"\nETCD_LOG_OUTPUT='stderr'\nETCD_X=1",
        ),
        (exec, "# ETCD_DEBUG=true\nETCD_LOG_LEVEL=debug\nETCD_LOG_OUTPUTS='stderr'\nETCD_X=1"),
    );
    becomes(
        "3.4.13",
        (exec, "ETCD_CA_FILE=/ca\nETCD_X=1\n"),
        (exec, "ETCD_TRUSTED_CA_FILE=/ca\nETCD_CLIENT_CERT_AUTH=true\nETCD_X=1\n"),
    );
    let settings = "Environment=A=1 \"ETCD_DEBUG=true\" ETCD_LOG_PACKAGE_LEVELS=x B=2\nEnvironment=ETCD_PROXY=off\nExecStart=/bin/etcd";
    becomes("3.6.16", (settings, ""), ("Environment=A=1 ETCD_LOG_LEVEL=debug B=2\nExecStart=/bin/etcd", ""));
    let ca = "Environment=ETCD_CA_FILE=/ca\nExecStart=/bin/etcd";
    becomes(
        "3.4.13",
        (ca, ""),
        ("Environment=ETCD_TRUSTED_CA_FILE=/ca ETCD_CLIENT_CERT_AUTH=true\nExecStart=/bin/etcd", ""),
    );
}

#[test]
fn a_flag_and_its_variable_stay_once() {
    becomes(
        "3.4.13",
        ("ExecStart=/bin/etcd --name=a --data-dir=${ETCD_DATA_DIR}", "ETCD_NAME=a\nETCD_DATA_DIR=/d\n"),
        ("ExecStart=/bin/etcd --name=a", "ETCD_DATA_DIR=/d\n"),
    );
    let other = given(&[(UNIT, &unit("ExecStart=/bin/etcd --name=a"))], &[(ENV, "ETCD_NAME=b\n")]);
    refused("3.4.13", &other, &["`--name` is a on the command line and ETCD_NAME is b", "say which holds"]);
}

#[test]
fn of_several_drop_ins_the_one_is_edited_that_holds() {
    let drop_in = "/etc/systemd/system/etcd.service.d/a.conf";
    let text = "[Service]\nExecStart=\nExecStart=/bin/etcd --debug\n";
    let before = given(&[(UNIT, &unit("ExecStart=/bin/etcd --debug --proxy=off")), (drop_in, text)], &[]);
    let after = before.rewritten(Rules::built_in(), &Version::new(3, 5, 35), false);
    assert!(after.faults.is_empty(), "{:?}", after.faults);
    let changed = after.given.changed(&before);
    assert_eq!(changed, [(RemotePath::from_absolute(drop_in).unwrap(), text.replace("--debug", "--log-level=debug"))]);
    assert_eq!(after.lines, [format!("{drop_in}: `--debug` -> `--log-level=debug`")]);
}

#[test]
fn what_cannot_be_edited_for_sure_is_refused_with_its_place() {
    // A wrapper adds it: no text says it.
    let mut wrapped = given(&[(UNIT, &unit("ExecStart=/bin/wrapper"))], &[]);
    wrapped.running = Flags::from_process(&["etcd".to_owned(), "--debug".to_owned()], &BTreeMap::new());
    refused("3.5.35", &wrapped, &["`--debug`", "neither the unit's files nor its environment files"]);
    // It may make it from the variable, which therefore stays.
    let mut made = given(&[(UNIT, &unit("ExecStart=/bin/wrapper"))], &[(ENV, "ETCD_NAME=a\n")]);
    let environment = BTreeMap::from([("ETCD_NAME".to_owned(), "a".to_owned())]);
    made.running = Flags::from_process(&["etcd".to_owned(), "--name=a".to_owned()], &environment);
    refused("3.4.13", &made, &["`--name` stands on the command line and as ETCD_NAME", "neither the unit's files"]);
    // A unit with a specifier is not understood, but its environment file is.
    let text = unit("ExecStart=/bin/etcd --name=%m --debug");
    let mut odd = given(&[(UNIT, &text)], &[(ENV, "ETCD_LOG_PACKAGE_LEVELS=x\n")]);
    odd.units = Err(format!("{UNIT}: the specifier %m, which only systemd knows"));
    odd.of_systemd.0 = ["/bin/etcd", "--name=h", "--debug"].map(str::to_owned).to_vec();
    odd.running = odd.flags();
    refused("3.5.35", &odd, &["`--debug`", "the specifier %m"]);
    odd.of_systemd.0.pop();
    odd.running = odd.flags();
    let after = odd.rewritten(Rules::built_in(), &Version::new(3, 5, 35), false);
    assert_eq!((after.faults.len(), after.given.environment_files[0].text.as_str()), (0, ""));
}

#[test]
fn a_variable_that_is_only_passed_over_is_left_where_it_is_not_edited() {
    let unclear = given(&[(UNIT, &unit("ExecStart=/bin/etcd"))], &[(ENV, "ETCD_DEBUG=true\nX=\"a\" b\n")]);
    let after = unclear.rewritten(Rules::built_in(), &Version::new(3, 5, 35), false);
    assert_eq!((after.faults.len(), after.given.changed(&unclear).len()), (0, 0));
    assert!(after.left[0].contains("`ETCD_DEBUG`, which 3.5.35 passes over"), "{:?}", after.left);
}

#[test]
fn a_walk_rewrites_each_option_at_its_hop_and_ends_where_one_leap_would() {
    let exec = "ExecStart=/bin/etcd --debug --enable-v2=true --experimental-initial-corrupt-check";
    let start = given(&[(UNIT, &unit(exec))], &[(ENV, "ETCD_LOG_OUTPUT=stderr\n")]);
    let rules = Rules::built_in();
    let mut at = start.clone();
    let mut edits = Vec::new();
    for target in ["3.5.35", "3.6.16", "3.7.3"] {
        let after = at.rewritten(rules, &target.parse().unwrap(), false);
        assert!(after.faults.is_empty(), "{target} {:?}", after.faults);
        edits.push(after.lines.len());
        at = after.given;
        at.running = at.flags();
    }
    assert_eq!(edits, [2, 1, 1]);
    let leap = start.rewritten(rules, &Version::new(3, 7, 3), false).given;
    assert_eq!((at.units, at.environment_files), (leap.units, leap.environment_files));
}

#[test]
fn what_only_the_operator_can_say_stays_refused() {
    let before = given(&[(UNIT, &unit("ExecStart=/bin/etcd --experimental-enable-v2v3=/p --force-new-cluster"))], &[]);
    refused("3.6.16", &before, &["only you can say: clients that speak v2", "`force-new-cluster` is set"]);
}

#[test]
fn a_configuration_file_takes_the_place_of_the_rest_and_is_rewritten() {
    let path = "/etc/etcd.yml";
    let text = "# of a\nname: a\ndebug: true # much\nlog-package-levels: x\nauto-compaction-retention: 1\n";
    let mut before =
        given(&[(UNIT, &unit("ExecStart=/bin/etcd --config-file=/etc/etcd.yml --debug"))], &[(ENV, "ETCD_DEBUG=1\n")]);
    before.config = Some(file(path, text));
    before.running = before.flags();
    let after = before.rewritten(Rules::built_in(), &Version::new(3, 4, 13), false);
    assert!(after.faults.is_empty(), "{:?}", after.faults);
    let new = text.replace("retention: 1", "retention: \"1\"") + "enable-grpc-gateway: true\n";
    assert_eq!(after.given.changed(&before), [(RemotePath::from_absolute(path).unwrap(), new.clone())]);
    let next = after.given.started_with();
    let after = next.rewritten(Rules::built_in(), &Version::new(3, 5, 35), false);
    assert_eq!((after.faults.len(), after.left.len()), (0, 1), "{:?} {:?}", after.faults, after.left);
    assert!(after.left[0].contains("`log-package-levels` in /etc/etcd.yml: 3.5.35 drops it"), "{:?}", after.left);
    assert_eq!(after.given.changed(&next)[0].1, new.replace("debug: true", "log-level: debug"));
    assert_eq!(after.lines, ["/etc/etcd.yml: `debug` -> `log-level: debug`"]);
    let flow = "{name: a}";
    before.config = Some(file(path, flow));
    let before = before.started_with();
    refused("3.4.13", &before, &["`enable-grpc-gateway: true` has to stand in /etc/etcd.yml"]);
}

#[test]
fn the_v2_api_goes_on_where_the_members_other_options_are() {
    let kept = |units: &[(&str, &str)], environment: &[(&str, &str)], target: &str| {
        let before = given(units, environment);
        let after = before.rewritten(Rules::built_in(), &target.parse().unwrap(), true);
        let changed = after.given.changed(&before).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        (changed, after.faults)
    };
    let flags = unit("ExecStart=/usr/bin/etcd \\\n  --name a --data-dir=/x");
    let told = unit("ExecStart=/usr/bin/etcd \\\n  --name a --enable-v2=true --data-dir=/x");
    assert_eq!(kept(&[(UNIT, &flags)], &[], "3.4.13"), (vec![told.clone()], vec![]));
    assert_eq!(kept(&[(UNIT, &told)], &[], "3.5.35"), (vec![], vec![]));
    assert_eq!(kept(&[(UNIT, &flags)], &[], "3.3.27"), (vec![], vec![]));
    let by_environment = unit("EnvironmentFile=/etc/default/etcd\nExecStart=/usr/bin/etcd");
    let environment = "# ours\nETCD_NAME=a\nETCD_DATA_DIR=/x\n";
    let longer = environment.replace("=a\n", "=a\nETCD_ENABLE_V2=true\n");
    assert_eq!(kept(&[(UNIT, &by_environment)], &[(ENV, environment)], "3.4.13"), (vec![longer], vec![]));
    // What somebody has said holds.
    let off = environment.replace("=a\n", "=a\nETCD_ENABLE_V2=false\n");
    assert_eq!(kept(&[(UNIT, &by_environment)], &[(ENV, &off)], "3.4.13"), (vec![], vec![]));
    // A vendor's unit is only taken where nothing else says an option.
    let vendors = [(VENDOR, flags.as_str())];
    let anew = told.split_once("ExecStart").unwrap().1.replace("\nRestart=always", "");
    let (changed, faults) = kept(&vendors, &[], "3.4.13");
    assert!(
        faults.is_empty() && changed[0].ends_with(&format!("[Service]\nExecStart=\nExecStart{anew}")),
        "{changed:?}"
    );
    let longer = "ETCD_X=1\nETCD_ENABLE_V2=true\n".to_owned();
    assert_eq!(kept(&vendors, &[(ENV, "ETCD_X=1\n")], "3.4.13"), (vec![longer], vec![]));
}
