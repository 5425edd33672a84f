//! Options in the values of variables that are put into the command.

use super::*;

const EXEC: &str = "ExecStart=/usr/bin/etcd --name=a $DAEMON_ARGS";

#[test]
fn options_in_an_environment_file_are_rewritten_in_the_value() {
    becomes(
        "3.5.35",
        (
            EXEC,
            "## etcd(1)\n# DAEMON_ARGS=\"--debug\"\nDAEMON_ARGS=\"--debug --x=1  --log-package-levels='a=B c' \\\n    -log-output stderr\"\nY='--debug'\n",
        ),
        (
            EXEC,
            "## etcd(1)\n# DAEMON_ARGS=\"--debug\"\nDAEMON_ARGS=\"--log-level=debug --x=1 \\\n    -log-outputs stderr\"\nY='--debug'\n",
        ),
    );
    // What is left without a word is empty and not gone: it may be named by what none of the unit's files says.
    becomes("3.6.16", (EXEC, "DAEMON_ARGS='--proxy off'\nA=1\n"), (EXEC, "DAEMON_ARGS=''\nA=1\n"));
    becomes("3.6.16", (EXEC, "DAEMON_ARGS=--enable-v2 --x"), (EXEC, "DAEMON_ARGS=--x"));
    becomes(
        "3.4.13",
        (EXEC, "DAEMON_ARGS=\"--ca-file '/c a' --x\"\n"),
        (EXEC, "DAEMON_ARGS=\"--trusted-ca-file '/c a' --client-cert-auth=true --x\"\n"),
    );
    becomes(
        "3.7.3",
        (
            "ExecStart=/bin/etcd $A --feature-gates=B=true ${B}",
            "A=\"--experimental-initial-corrupt-check --experimental-memory-mlock\"\nB=\"--x=y z\"\n",
        ),
        (
            "ExecStart=/bin/etcd $A --feature-gates=B=true,InitialCorruptCheck=true ${B}",
            "A=\"--memory-mlock\"\nB=\"--x=y z\"\n",
        ),
    );
    becomes(
        "3.7.3",
        (EXEC, "DAEMON_ARGS=\"--x=1 --feature-gates='A=true' --experimental-initial-corrupt-check\"\n"),
        (EXEC, "DAEMON_ARGS=\"--x=1 --feature-gates='A=true',InitialCorruptCheck=true\"\n"),
    );
}

#[test]
fn options_in_the_units_own_variables_are_rewritten_there() {
    let before = "Environment=\"A=%%1\" \"OPTS=--debug --x=%%1 \\\"--y=a b\\\" --log-output stderr\" B=2\nExecStart=/bin/etcd $OPTS";
    let after = before.replace("--debug", "--log-level=debug").replace("--log-output", "--log-outputs");
    becomes("3.5.35", (before, ""), (&after, ""));
}

#[test]
fn of_a_variable_that_is_set_in_several_places_the_value_in_force_is_edited() {
    let drop_in = "/etc/systemd/system/etcd.service.d/a.conf";
    let (own, more) =
        (unit(&format!("Environment=DAEMON_ARGS=--debug\n{EXEC}")), "[Service]\nEnvironment=DAEMON_ARGS=--debug\n");
    let changed = |environment: &[(&str, &str)]| {
        let before = given(&[(UNIT, &own), (drop_in, more)], environment);
        let after = before.rewritten(Rules::built_in(), &Version::new(3, 5, 35), false);
        assert!(after.faults.is_empty(), "{:?}", after.faults);
        after.lines
    };
    assert_eq!(changed(&[]), [format!("{drop_in}: `--debug` -> `--log-level=debug`")]);
    let files = [(ENV, "DAEMON_ARGS=--x\nDAEMON_ARGS=--debug\n"), ("/etc/other", "A=1\n")];
    assert_eq!(changed(&files), [format!("{ENV}: `--debug` -> `--log-level=debug`")]);
    let before = given(&[(UNIT, &own), (drop_in, more)], &files);
    let after = before.rewritten(Rules::built_in(), &Version::new(3, 5, 35), false).given.changed(&before);
    assert_eq!(after[0].1, "DAEMON_ARGS=--x\nDAEMON_ARGS=--log-level=debug\n");
    assert_eq!(changed(&[(ENV, "DAEMON_ARGS=--debug\n"), ("/etc/other", "DAEMON_ARGS=\n")]), [""; 0]);
}

#[test]
fn a_variable_that_is_one_word_stays_one() {
    let exec = "ExecStart=/bin/etcd ${ETCD_OPTS} --x";
    becomes("3.5.35", (exec, "ETCD_OPTS=\"--debug\"\n"), (exec, "ETCD_OPTS=\"--log-level=debug\"\n"));
    becomes("3.5.35", (exec, "ETCD_OPTS=--log-output=a b\n"), (exec, "ETCD_OPTS=--log-outputs=a b\n"));
    // An empty word would end etcd's reading of its command line.
    becomes(
        "3.6.16",
        ("ExecStart=/bin/etcd ${OPT} off --x", "OPT=--proxy\n"),
        ("ExecStart=/bin/etcd --x", "OPT=--proxy\n"),
    );
    becomes(
        "3.4.13",
        ("ExecStart=/bin/etcd \"${OPT}\" --x", "OPT=-ca-file=/c\n"),
        ("ExecStart=/bin/etcd \"${OPT}\" -client-cert-auth=true --x", "OPT=-trusted-ca-file=/c\n"),
    );
    becomes(
        "3.4.13",
        ("ExecStart=/bin/etcd ${OPT} $CA --x", "OPT=--ca-file\nCA=/c\n"),
        ("ExecStart=/bin/etcd ${OPT} $CA --client-cert-auth=true --x", "OPT=--trusted-ca-file\nCA=/c\n"),
    );
    becomes(
        "3.5.35",
        ("ExecStart=/bin/etcd ${OPT} capnslog --x", "OPT=--logger\n"),
        ("ExecStart=/bin/etcd ${OPT} --x", "OPT=--logger=zap\n"),
    );
}

#[test]
fn a_value_that_cannot_be_edited_for_sure_is_refused_with_its_place() {
    let of = |exec: &str, environment: &str, words: &[&str]| {
        refused("3.5.35", &given(&[(UNIT, &unit(exec))], &[(ENV, environment)]), words);
    };
    let gone = "`--debug` stands on the command line";
    of("ExecStart=/bin/etcd $O $O", "O=--debug\n", &[gone, "O, which is put into ExecStart more than once"]);
    let pre = "ExecStartPre=/bin/check ${O}\nExecStart=/bin/etcd $O";
    of(pre, "O=--debug\n", &[gone, "O, which another command of the unit may use too"]);
    of("ExecStart=/bin/etcd $O", "O=--debug\nA=b'c'\n", &[gone, "/etc/default/etcd: A: a quote other than"]);
    of("ExecStart=/bin/etcd $O", "O=\"--debug 'x\"\n", &[gone, "/etc/default/etcd: O: a quote that is not closed"]);
    of("ExecStart=/bin/etcd $O", "O=\"'--de'bug\"\n", &[gone, "/etc/default/etcd: `'--de'bug` is not plainly written"]);
    of("ExecStart=/bin/etcd --${O}", "O=debug\n", &[gone, "`--${O}` in ExecStart, which takes it from a variable"]);
    let apart = "`--log-output` stands on the command line";
    of("ExecStart=/bin/etcd $O stderr", "O=--log-output\n", &[apart, "`$O` in ExecStart, which ends with its name"]);
    of(
        "ExecStart=/bin/etcd --log-output $O",
        "O=stderr --x\n",
        &[apart, "`$O` in ExecStart, which begins with its value"],
    );
    // Something takes it away, or it was changed and not started with.
    let mut other = given(&[(UNIT, &unit("ExecStart=/bin/etcd $O"))], &[(ENV, "O=--log-output=stdout\n")]);
    other.running = Flags::from_process(&["etcd".to_owned(), "--log-output=stderr".to_owned()], &BTreeMap::new());
    refused("3.5.35", &other, &[apart, "the process was not started with what is set there"]);
    // A file that is made anew at each boot.
    let mut run = given(&[(UNIT, &unit("ExecStart=/bin/etcd $O"))], &[("/run/etcd.env", "O=--debug\n")]);
    run.environment_files[0].fixed = Some("it is made anew by something else".to_owned());
    refused("3.5.35", &run, &[gone, "/run/etcd.env: it is made anew"]);
}

#[test]
fn specifiers_stay_as_they_are_written() {
    // As Debian's package has it (etcd-server 3.4.23), and an option more.
    let lines = "Environment=DAEMON_ARGS=\nEnvironment=ETCD_NAME=%H\nEnvironment=ETCD_DATA_DIR=/var/lib/etcd/default\n\
                 Environment=ETCD_LOG_OUTPUT=/var/log/%p.log\nEnvironmentFile=-/etc/default/%p\nExecStart=/usr/bin/etcd --debug $DAEMON_ARGS";
    let before = given(&[(UNIT, &unit(lines))], &[(ENV, "DAEMON_ARGS=\"--heartbeat-interval=100\"\n")]);
    let said = |name: &str| before.running.get(name).map(str::to_owned);
    assert_eq!(said("log-output").as_deref(), Some("/var/log/etcd.log"));
    let after = before.rewritten(Rules::built_in(), &Version::new(3, 5, 35), false);
    assert!(after.faults.is_empty(), "{:?}", after.faults);
    let path = RemotePath::from_absolute(UNIT).unwrap();
    let expected = unit(lines).replace("--debug", "--log-level=debug").replace("ETCD_LOG_OUTPUT=", "ETCD_LOG_OUTPUTS=");
    let changed = after.given.changed(&before);
    assert_eq!(
        changed.iter().find(|(dest, _)| *dest == path).map(|(_, text)| text.clone()),
        Some(expected),
        "{changed:?}"
    );
}

#[test]
fn the_environment_file_of_a_unit_that_is_not_understood_is_edited() {
    // Nearly as Debian's package has it, with a specifier that is not known.
    let mut debians = given(&[(VENDOR, &unit(EXEC))], &[(ENV, "DAEMON_ARGS=\"--debug --x\"\n")]);
    debians.units = Err(format!("{VENDOR}: Environment=ETCD_NAME=%m: the specifier %m, which only systemd knows"));
    debians.of_systemd.0 = ["/usr/bin/etcd", "$DAEMON_ARGS"].map(str::to_owned).to_vec();
    debians.of_systemd.1 = vec![("DAEMON_ARGS".to_owned(), String::new())];
    let debians = debians.started_with();
    let after = debians.rewritten(Rules::built_in(), &Version::new(3, 5, 35), false);
    assert!(after.faults.is_empty(), "{:?}", after.faults);
    let env = RemotePath::from_absolute(ENV).unwrap();
    assert_eq!(after.given.changed(&debians), [(env, "DAEMON_ARGS=\"--log-level=debug --x\"\n".to_owned())]);
}
