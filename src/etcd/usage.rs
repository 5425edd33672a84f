//! The options that a release names in its own usage text, against those in use. The text is written by hand, so it proves nothing, but it
//! comes with the very program: of 3.5.35, 3.6.16 and 3.7.3 it leaves out one option of 338 (`experimental-snapshot-catchup-entries` of
//! 3.5.35; each compared with its config.go, 2026-11-27).

use std::collections::BTreeSet;

use semver::Version;

use super::command_line::IGNORED;
use super::flags::Flags;
use super::rules::Rules;

/// Fewer options than this no release names (2.0.5 names 27): then the text is not etcd's.
const LEAST: usize = 20;
/// An option that some releases take and do not name, beside those of 0.4 (etcdmain/config.go, read 2026-11-27).
const UNNAMED: &str = "experimental-snapshot-catchup-entries";
/// Variables that are no options (etcd v3.7.3 server/etcdmain/etcd.go, read 2026-11-27).
const NO_OPTIONS: [&str; 1] = ["unsupported-arch"];

/// The options that a usage text names; `None` if it is none of etcd's.
#[must_use]
pub fn options_of_usage(text: &str) -> Option<BTreeSet<String>> {
    let mut options = BTreeSet::new();
    let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    for word in text.split(|c: char| !in_name(c)) {
        let name = word.trim_start_matches('-');
        if name.len() < word.len() && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            options.insert(name.to_owned());
        }
    }
    Some(options).filter(|options| options.len() >= LEAST)
}

/// The options in use that a release does not name, and of which no rule says what has become.
#[must_use]
pub fn unnamed(flags: &Flags, usage: &BTreeSet<String>, rules: &Rules, version: &Version) -> Vec<String> {
    let known = |name: &str| {
        usage.contains(name)
            || name == UNNAMED
            || IGNORED.contains(&name)
            || NO_OPTIONS.contains(&name)
            || rules.gone(name, version).is_some()
    };
    flags.names().filter(|name| !known(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// From the text of 3.5.35, and of 2.0.5 for its first lines.
    const TEXT: &str = "usage: etcd [flags]\n       start an etcd server\n\n       etcd -h | --help\n\nMember:\n  \
        --name 'default'\n    Human-readable name for this member.\n  --data-dir '${name}.etcd'\n  --wal-dir ''\n  \
        --snapshot-count '100000'\n  --heartbeat-interval '100'\n  --election-timeout '1000'\n  --initial-election-tick-advance 'true'\n  \
        --listen-peer-urls 'http://localhost:2380'\n  --listen-client-urls 'x'\n  --max-snapshots '5'\n  --max-wals '5'\n  \
        --quota-backend-bytes '0'\n  --backend-batch-limit '0'\n  --max-txn-ops '128'\n  --max-request-bytes '1572864'\n  \
        --grpc-keepalive-min-time '5s'\n  --cert-file ''\n  --key-file ''\n  --client-cert-auth 'false'\n  --trusted-ca-file ''\n  \
        --log-level 'info'\n    Configures log level (see --logger).\n";

    #[test]
    fn a_usage_text_is_read_and_another_text_is_none() {
        let options = options_of_usage(TEXT).unwrap();
        assert!(options.contains("max-txn-ops") && options.contains("logger") && options.contains("h"));
        assert!(!options.contains("localhost") && !options.contains("readable"));
        assert_eq!(options_of_usage("flag provided but not defined: --help\n"), None);
    }

    #[test]
    fn an_option_that_the_release_does_not_name_is_found_unless_a_rule_explains_it() {
        let words = ["etcd", "--max-tnx-ops=1", "--name=a", "--debug", "--snapshot=true"].map(str::to_owned);
        let environment = [("ETCD_UNSUPPORTED_ARCH", "arm64"), ("ETCD_HEARTBEAT", "1"), ("ETCD_LOG_LEVEL", "info")];
        let environment: BTreeMap<_, _> = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let flags = Flags::from_process(&words, &environment);
        let usage = options_of_usage(TEXT).unwrap();
        let of = |version: &str| unnamed(&flags, &usage, Rules::built_in(), &version.parse().unwrap());
        assert_eq!(of("3.5.35"), ["heartbeat", "max-tnx-ops"]);
        assert_eq!(of("3.4.13"), ["debug", "heartbeat", "max-tnx-ops"]);
    }
}
