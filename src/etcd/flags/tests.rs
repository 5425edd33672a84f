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
