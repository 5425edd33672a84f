use super::*;
use crate::etcd::{Rules, Shape};

fn flags(words: &[&str], environment: &[(&str, &str)]) -> Flags {
    let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Flags::from_process(&words, &environment)
}

#[test]
fn reads_flags_in_each_spelling_and_the_environment_below_them() {
    let f = flags(
        &["/usr/local/bin/etcd", "-name", "etcd1", "--data-dir=/var/lib/etcd", "-force-new-cluster", "-proxy", "off"],
        &[
            ("ETCD_NAME", "other"),
            ("ETCD_LISTEN_CLIENT_URLS", "http://10.0.0.1:2379, http://127.0.0.1:2379"),
            ("HOME", "/"),
        ],
    );
    assert_eq!((f.name(), f.data_dir().as_str()), ("etcd1", "/var/lib/etcd"));
    assert_eq!(f.listen_client_urls(), ["http://10.0.0.1:2379", "http://127.0.0.1:2379"]);
    assert_eq!(f.faults(Rules::built_in(), &Version::new(2, 1, 1)), [FlagFault::ForceNewCluster]);
}

#[test]
fn the_default_data_directory_is_named_after_the_member() {
    assert_eq!(flags(&["etcd", "-name=m1"], &[]).data_dir(), "m1.etcd");
    assert_eq!(flags(&["etcd"], &[]).data_dir(), "default.etcd");
}

#[test]
fn the_v2_api_is_on_by_any_word_that_go_takes_for_true() {
    let told = |value: &str| flags(&["etcd"], &[("ETCD_ENABLE_V2", value)]).tells_v2();
    assert_eq!((told("true"), told("1"), told("T")), (Some(true), Some(true), Some(true)));
    assert_eq!((told("false"), told("0"), flags(&["etcd"], &[]).tells_v2()), (Some(false), Some(false), None));
    assert_eq!(flags(&["etcd", "--enable-v2"], &[]).tells_v2(), Some(true));
}

#[test]
fn a_version_that_does_not_know_how_to_skip_the_check_of_the_v2_store_is_not_told_to() {
    let f = flags(&["etcd", "--v2-deprecation=write-only-skip-check"], &[]);
    let faults = |version: &str| f.faults(Rules::built_in(), &version.parse().unwrap());
    assert!(matches!(&faults("3.6.8")[..], [FlagFault::Rejected { name, .. }] if name == "v2-deprecation"));
    assert!(faults("3.6.16").is_empty() && faults("3.5.35").is_empty());
}

#[test]
fn an_election_timeout_that_2_1_rejects_is_seen_beforehand() {
    let f = flags(&["etcd"], &[("ETCD_ELECTION_TIMEOUT", "60000")]);
    assert!(matches!(f.faults(Rules::built_in(), &Version::new(2, 1, 1))[..], [FlagFault::Rejected { .. }]));
    assert!(f.faults(Rules::built_in(), &Version::new(2, 0, 13)).is_empty());
}

#[test]
fn options_that_a_release_does_not_know_are_seen_beforehand() {
    let faults = |words: &[&str], environment: &[(&str, &str)], version: &str| {
        let faults = flags(words, environment).faults(Rules::built_in(), &version.parse().unwrap());
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let old = ["etcd", "-debug", "--enable-v2=true", "--experimental-initial-corrupt-check"];
    assert!(faults(&old, &[], "3.4.13").is_empty());
    assert!(matches!(&faults(&old, &[], "3.5.35")[..], [debug] if debug.contains("log-level=debug")));
    assert!(matches!(&faults(&old, &[], "3.6.16")[..], [_, v2] if v2.contains("enable-v2")));
    let all = faults(&old, &[], "3.7.3");
    assert!(all.iter().any(|fault| fault.contains("InitialCorruptCheck=true")), "{all:?}");
    // A variable that is not known only warns.
    assert!(faults(&["etcd"], &[("ETCD_ENABLE_V2", "true")], "3.6.16").is_empty());
    // A configuration file takes the place of all of them.
    assert!(faults(&["etcd", "--debug"], &[("ETCD_CONFIG_FILE", "/etc/etcd.yml")], "3.5.35").is_empty());
}

#[test]
fn a_configuration_file_takes_the_place_of_flags_and_variables() {
    let key = |name: &str, value: &str, shape| Key { name: name.to_owned(), value: value.to_owned(), shape };
    let keys = vec![
        key("data-dir", "/d", Shape::Text),
        key("auto-compaction-retention", "1", Shape::Number),
        key("logger", "capnslog", Shape::Text),
    ];
    let f = flags(&["etcd", "--name=a", "--config-file=/c.yml"], &[("ETCD_DEBUG", "1")]).with_file(keys);
    assert_eq!((f.name(), f.data_dir().as_str(), f.config_file()), ("default", "/d", Some("/c.yml")));
    assert!(!f.is_spoken("name") && f.get("debug").is_none());
    let faults = |version: &str| f.faults(Rules::built_in(), &version.parse().unwrap());
    assert!(faults("3.2.32").is_empty());
    assert!(matches!(&faults("3.3.27")[..], [FlagFault::InFile { .. }]));
    let names: Vec<_> = faults("3.4.13").iter().map(|fault| fault.subject().to_owned()).collect();
    assert_eq!(names, ["auto-compaction-retention", "enable-grpc-gateway"]);
    assert!(matches!(&faults("3.5.35")[..], [FlagFault::Rejected { .. }, FlagFault::InFile { .. }]));
    let off = f.with_file(vec![key("enable-grpc-gateway", "false", Shape::Text)]);
    assert!(matches!(&off.faults(Rules::built_in(), &Version::new(3, 4, 13))[..], [FlagFault::NoGateway { .. }]));
}

#[test]
fn an_option_said_twice_and_a_host_name_to_listen_on_are_seen_beforehand() {
    let twice = flags(&["etcd", "--name=a"], &[("ETCD_NAME", "a")]);
    assert!(twice.faults(Rules::built_in(), &Version::new(3, 3, 27)).is_empty());
    assert!(matches!(twice.faults(Rules::built_in(), &Version::new(3, 4, 13))[..], [FlagFault::Twice { .. }]));
    let named = flags(&["etcd", "--listen-client-urls=http://etcd1:2379,http://localhost:2379,http://[::1]:2379"], &[]);
    assert!(named.faults(Rules::built_in(), &Version::new(3, 1, 20)).is_empty());
    assert!(
        matches!(&named.faults(Rules::built_in(), &Version::new(3, 2, 32))[..], [FlagFault::Rejected { value, .. }] if value == "http://etcd1:2379")
    );
}

#[test]
fn both_names_of_an_option_are_seen_beforehand() {
    let f = flags(
        &["etcd", "--experimental-memory-mlock"],
        &[
            ("ETCD_MEMORY_MLOCK", "true"),
            ("ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK", "true"),
            ("ETCD_FEATURE_GATES", "InitialCorruptCheck=true"),
            ("ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME", "1m"),
            ("ETCD_CORRUPT_CHECK_TIME", ""),
        ],
    );
    let names = |version: &str| {
        let faults = f.faults(Rules::built_in(), &version.parse().unwrap()).into_iter();
        let both = faults.filter(|fault| matches!(fault, FlagFault::BothNames { .. }));
        both.map(|fault| fault.subject().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("3.6.16"), ["experimental-initial-corrupt-check", "experimental-memory-mlock"]);
    assert!(names("3.5.35").is_empty());
    assert!(crate::etcd::touches(&f, Rules::built_in(), &Version::new(3, 6, 16)));
}

#[test]
fn an_option_that_etcd_takes_for_the_value_of_another_is_refused() {
    let faults = |words: &[&str]| flags(words, &[]).faults(Rules::built_in(), &Version::new(3, 5, 35));
    let swallowed = faults(&["etcd", "--name", "--force-new-cluster", "--data-dir=/d"]);
    assert!(matches!(&swallowed[..], [FlagFault::Swallows { name, .. }] if name == "name"), "{swallowed:?}");
    assert!(faults(&["etcd", "--max-wals", "-1", "--name", "a"]).is_empty());
}

#[test]
fn an_environment_that_does_not_name_the_machine_is_seen_where_the_version_wants_it() {
    let lacks = |environment: &[(&str, &str)], version: &str| {
        let f = flags(&["etcd"], environment).with_file(Vec::new());
        f.lacks_arch("aarch64", &version.parse().unwrap()).map(|fault| fault.to_string())
    };
    assert!(lacks(&[], "2.3.8").unwrap().contains("ETCD_UNSUPPORTED_ARCH=arm64"));
    assert!(lacks(&[("ETCD_UNSUPPORTED_ARCH", "arm")], "3.4.13").is_some());
    let named = flags(&["etcd"], &[("ETCD_UNSUPPORTED_ARCH", "arm64"), ("ETCD_CONFIG_FILE", "/c.yml")]);
    assert_eq!(named.lacks_arch("aarch64", &Version::new(3, 4, 13)), None);
    assert_eq!(named.with_file(Vec::new()).lacks_arch("aarch64", &Version::new(3, 4, 13)), None);
    assert_eq!((lacks(&[], "2.2.5"), lacks(&[], "3.5.35")), (None, None));
}

#[test]
fn addresses_that_a_release_does_not_take_are_seen_beforehand() {
    let names = |words: &[&str], version: &str| {
        let faults = flags(words, &[]).faults(Rules::built_in(), &version.parse().unwrap());
        faults.iter().map(|fault| fault.subject().to_owned()).collect::<Vec<_>>()
    };
    let bracketed =
        ["etcd", "--listen-client-urls=http://[10.0.0.1]:2379", "--initial-cluster=a=http://[10.0.0.1]:2380"];
    for version in ["3.4.39", "3.5.25", "3.6.6", "3.7.3"] {
        assert_eq!(names(&bracketed, version), ["listen-client-urls", "initial-cluster"], "{version}");
    }
    for version in ["3.4.38", "3.5.24", "3.6.5"] {
        assert!(names(&bracketed, version).is_empty(), "{version}");
    }
    assert!(names(&["etcd", "--listen-client-urls=http://[::1]:2379,http://10.0.0.1:2379"], "3.7.3").is_empty());
    let empty = ["etcd", "--advertise-client-urls=http://:2379", "--listen-client-urls=http://:2379"];
    assert_eq!(names(&empty, "3.4.13"), ["advertise-client-urls"]);
    assert!(names(&empty, "3.3.27").is_empty());
    assert!(names(&["etcd", "--advertise-client-urls=unix://a:2379"], "3.4.13").is_empty());
}

#[test]
fn who_says_nothing_of_its_client_port_loses_4001_with_3_0() {
    let loses = |words: &[&str], from: &str, to: &str| {
        flags(words, &[]).loses_4001(&from.parse().unwrap(), &to.parse().unwrap())
    };
    assert!(loses(&["etcd"], "2.3.8", "3.0.17"));
    assert!(!loses(&["etcd", "--listen-client-urls=http://10.0.0.1:2379"], "2.3.8", "3.0.17"));
    assert!(!loses(&["etcd"], "2.2.5", "2.3.8") && !loses(&["etcd"], "3.0.17", "3.1.20"));
}

#[test]
fn what_a_tool_on_the_host_shows_is_of_a_pair_for_clients_and_without_an_authority_the_certificate_stands_for_it() {
    let shown = |words: &[&str]| {
        let f = flags(words, &[]);
        let (ca, cert, key) = f.client_tls_shown();
        [ca, cert, key].map(|path| path.unwrap_or_default().to_owned())
    };
    let own = ["etcd", "--cert-file=/c", "--key-file=/k"];
    assert_eq!(shown(&own), ["/c", "", ""]);
    let with_ca = [&own[..], &["--trusted-ca-file=/ca"]].concat();
    assert_eq!(shown(&with_ca), ["/ca", "/c", "/k"]);
    let clients = [&with_ca[..], &["--client-cert-file=/cc", "--client-key-file=/ck"]].concat();
    assert_eq!(shown(&clients), ["/ca", "/cc", "/ck"]);
}
