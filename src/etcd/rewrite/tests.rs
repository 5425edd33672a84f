use super::*;

fn said(by: By, options: &[(&str, &str)]) -> Vec<Said> {
    let one = |(name, value): &(&str, &str)| {
        let (name, uses) = (name.to_string(), Vec::new());
        Said { name, value: value.to_string(), by, uses, shape: Shape::Text }
    };
    options.iter().map(one).collect()
}

fn run(said: &[Said], target: &str) -> Rewrite {
    rewrite(said, Rules::built_in(), &target.parse().unwrap())
}

fn other(name: &str, value: Option<&str>, also: Option<(&str, &str)>) -> Becomes {
    let owned = |text: &str| text.to_owned();
    let also = also.map(|(name, value)| (owned(name), owned(value)));
    Becomes::Other { name: owned(name), value: value.map(owned), also }
}

/// What becomes of flags, in order; `None` where one stays.
fn flags(options: &[(&str, &str)], target: &str) -> Vec<Option<Becomes>> {
    let all = said(By::Flag, options);
    let rewrite = run(&all, target);
    assert_eq!(rewrite.faults, [], "{options:?}");
    (0..all.len()).map(|which| rewrite.becomes.get(&which).cloned()).collect()
}

#[test]
fn an_option_is_rewritten_at_the_hop_that_ends_it_and_not_before() {
    let old = [("debug", "true"), ("log-output", "stderr"), ("log-package-levels", "x=DEBUG"), ("name", "a")];
    assert_eq!(flags(&old, "3.4.13"), [None, None, None, None]);
    let new = [
        Some(other("log-level", Some("debug"), None)),
        Some(other("log-outputs", None, None)),
        Some(Becomes::Nothing),
        None,
    ];
    assert_eq!(flags(&old, "3.5.35"), new);
    assert_eq!(
        flags(&[("debug", "false"), ("proxy", "off")], "3.6.16"),
        [Some(Becomes::Nothing), Some(Becomes::Nothing)]
    );
    let later = [("experimental-memory-mlock", "true"), ("discovery", "https://d/x")];
    assert_eq!(flags(&later, "3.6.16"), [None, None]);
    assert_eq!(flags(&later, "3.7.3"), [Some(other("memory-mlock", None, None)), Some(Becomes::Nothing)]);
}

#[test]
fn what_an_option_did_besides_is_said_too_unless_it_is_said_already() {
    let also = |name: &str| Some((name.to_owned(), "true".to_owned()));
    let ca = |options: &[(&str, &str)]| flags(options, "3.4.13").remove(0).unwrap();
    let new = ca(&[("ca-file", "/ca")]);
    assert_eq!(new, Becomes::Other { name: "trusted-ca-file".into(), value: None, also: also("client-cert-auth") });
    let peer = ca(&[("peer-ca-file", "/ca"), ("peer-client-cert-auth", "true")]);
    assert_eq!(peer, other("peer-trusted-ca-file", None, None));
    // Said already under its new name: the new name is not said twice.
    let both = ca(&[("ca-file", "/ca"), ("trusted-ca-file", "/ca")]);
    assert_eq!(both, other("client-cert-auth", Some("true"), None));
    let all = [("ca-file", "/ca"), ("trusted-ca-file", "/ca"), ("client-cert-auth", "true")];
    assert_eq!(ca(&all), Becomes::Nothing);
}

#[test]
fn of_two_values_only_the_operator_can_say_which_holds() {
    for (old, new, target) in [
        (("debug", "true"), ("log-level", "warn"), "3.5.35"),
        (("ca-file", "/a"), ("trusted-ca-file", "/b"), "3.4.13"),
        (("ca-file", "/a"), ("client-cert-auth", "false"), "3.4.13"),
        (("experimental-initial-corrupt-check", "true"), ("feature-gates", "InitialCorruptCheck=false"), "3.7.3"),
    ] {
        let faults = run(&said(By::Flag, &[old, new]), target).faults;
        assert!(matches!(&faults[..], [RewriteFault::Both { .. }]), "{old:?} {faults:?}");
    }
    for (name, target) in [("bind-addr", "3.0.17"), ("experimental-enable-v2v3", "3.6.16")] {
        for by in [By::Flag, By::Variable] {
            let rewrite = run(&said(by, &[(name, "x")]), target);
            assert!(matches!(&rewrite.faults[..], [RewriteFault::Decide { .. }]), "{name} {rewrite:?}");
            assert!(rewrite.becomes.is_empty());
        }
    }
}

#[test]
fn gates_are_gathered_in_one_option() {
    let two = [("experimental-initial-corrupt-check", "true"), ("experimental-compact-hash-check-enabled", "false")];
    let all = "CompactHashCheck=false,InitialCorruptCheck=true";
    assert_eq!(flags(&two, "3.7.3"), [Some(other("feature-gates", Some(all), None)), Some(Becomes::Nothing)]);
    let held = [two[0], ("feature-gates", "LeaseCheckpoint=true"), two[1]];
    let longer = Becomes::Longer(format!(",{all}"));
    assert_eq!(flags(&held, "3.7.3"), [Some(Becomes::Nothing), Some(longer), Some(Becomes::Nothing)]);
    let there = [two[0], ("feature-gates", "InitialCorruptCheck=true")];
    assert_eq!(flags(&there, "3.7.3"), [Some(Becomes::Nothing), None]);
    // A flag and a variable for one option would end the release: all of them stand in the flag.
    let mixed = [said(By::Variable, &two[..1]), said(By::Flag, &two[1..])].concat();
    let rewrite = run(&mixed, "3.7.3");
    assert_eq!(rewrite.becomes[&0], Becomes::Nothing);
    assert_eq!(rewrite.becomes[&1], other("feature-gates", Some(all), None));
}

#[test]
fn of_a_flag_and_a_variable_that_say_the_same_one_goes() {
    let twice = |flag: &str, variable: &str, uses: &[&str]| {
        let mut all = [said(By::Flag, &[("name", flag)]), said(By::Variable, &[("name", variable)])].concat();
        all[0].uses = uses.iter().map(|name| name.to_string()).collect();
        all
    };
    let gone = |all: &[Said], target: &str| run(all, target).becomes.into_keys().collect::<Vec<_>>();
    assert_eq!(gone(&twice("a", "a", &[]), "3.4.13"), [1]);
    assert_eq!(gone(&twice("a", "a", &[]), "3.3.27"), [0; 0]);
    // `--name=${ETCD_NAME}`: without the variable the flag would be empty.
    assert_eq!(gone(&twice("a", "a", &["ETCD_NAME"]), "3.4.13"), [0]);
    let faults = run(&twice("a", "b", &[]), "3.4.13").faults;
    assert!(matches!(&faults[..], [RewriteFault::Twice { .. }]), "{faults:?}");
}

#[test]
fn a_variable_that_another_flag_is_made_with_does_not_go() {
    let mut all = [said(By::Flag, &[("trusted-ca-file", "/ca")]), said(By::Variable, &[("ca-file", "/ca")])].concat();
    all[0].uses = vec!["ETCD_CA_FILE".to_owned()];
    assert!(matches!(&run(&all, "3.4.13").faults[..], [RewriteFault::Used { .. }]));
}

#[test]
fn a_value_that_is_gone_is_said_otherwise() {
    assert_eq!(flags(&[("logger", "capnslog")], "3.5.35"), [Some(other("logger", Some("zap"), None))]);
    assert_eq!(flags(&[("logger", "capnslog")], "3.4.13"), [None]);
    assert_eq!(
        flags(&[("v2-deprecation", "not-yet")], "3.6.16"),
        [Some(other("v2-deprecation", Some("write-only"), None))]
    );
}

#[test]
fn keys_that_a_release_drops_are_named_and_left() {
    let keys = said(
        By::Key,
        &[("debug", "true"), ("log-package-levels", "x"), ("experimental-enable-v2v3", "/p"), ("proxy", "off")],
    );
    let rewrite = run(&keys, "3.6.16");
    assert_eq!(rewrite.dropped, ["log-package-levels", "experimental-enable-v2v3", "proxy"]);
    assert_eq!(rewrite.becomes.into_iter().collect::<Vec<_>>(), [(0, other("log-level", Some("debug"), None))]);
}

#[test]
fn a_configuration_file_is_written_as_the_release_wants_it() {
    let mut keys = said(By::Key, &[("auto-compaction-retention", "1"), ("log-output", "stderr"), ("ca-file", "/ca")]);
    keys[0].shape = Shape::Number;
    let rewrite = run(&keys, "3.4.13");
    assert_eq!(rewrite.added, [("enable-grpc-gateway".to_owned(), "true".to_owned())]);
    let also = Some(("client-cert-auth", "true"));
    let new = [
        (0, other("auto-compaction-retention", Some("\"1\""), None)),
        (1, other("log-outputs", Some("[stderr]"), None)),
        (2, other("trusted-ca-file", None, also)),
    ];
    assert_eq!(rewrite.becomes.into_iter().collect::<Vec<_>>(), new);
    // 3.4 takes the old name as a list, 3.5 does not take it.
    let mut list = said(By::Key, &[("log-output", "stderr"), ("enable-grpc-gateway", "true")]);
    list[0].shape = Shape::List;
    assert_eq!(run(&list, "3.4.13"), Rewrite::default());
    assert_eq!(run(&list, "3.5.35").becomes[&0], other("log-outputs", None, None));
}

#[test]
fn of_an_option_that_is_said_by_both_of_its_names_the_old_one_goes_from_the_release_on_that_knows_both() {
    let both = |old: &str, new: &str| {
        [
            said(By::Variable, &[("experimental-corrupt-check-time", old)]),
            said(By::Variable, &[("corrupt-check-time", new)]),
        ]
        .concat()
    };
    assert_eq!(run(&both("1m", "1m"), "3.5.35"), Rewrite::default());
    assert_eq!(run(&both("1m", "1m"), "3.6.16").becomes.into_iter().collect::<Vec<_>>(), [(0, Becomes::Nothing)]);
    let faults = run(&both("1m", "2m"), "3.6.16").faults;
    assert!(matches!(&faults[..], [RewriteFault::BothNames { .. }]), "{faults:?}");
    let words = faults[0].to_string();
    assert!(words.contains("`experimental-corrupt-check-time` is 1m and `corrupt-check-time` is 2m"), "{words}");
    assert_eq!(flags(&[("experimental-corrupt-check-time", "1m")], "3.6.16"), [None]);
    let gate = |on: &str| {
        let gates = format!("InitialCorruptCheck={on}");
        run(&said(By::Flag, &[("experimental-initial-corrupt-check", "true"), ("feature-gates", &gates)]), "3.6.16")
    };
    assert_eq!(gate("true").becomes.into_iter().collect::<Vec<_>>(), [(0, Becomes::Nothing)]);
    assert!(matches!(&gate("false").faults[..], [RewriteFault::BothNames { .. }]));
}

#[test]
fn a_proxy_to_fall_back_to_is_said_otherwise_where_there_is_none() {
    let exit = Some(other("discovery-fallback", Some("exit"), None));
    assert_eq!(flags(&[("discovery-fallback", "proxy")], "3.6.16"), [exit]);
    assert_eq!(flags(&[("discovery-fallback", "proxy")], "3.5.35"), [None]);
}
