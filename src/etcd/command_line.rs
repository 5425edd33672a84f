//! How options are written: as flags on a command line and as variables of the environment.

/// An option on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Its name without dashes.
    pub name: String,
    /// Its value; `true` where one that may stand alone does.
    pub value: String,
    /// Which word names it.
    pub first: usize,
    /// Which word ends it: the same, or the next where that one is its value.
    pub last: usize,
}

/// The options of a command line, whose first word is the program.
#[must_use]
pub fn spoken(command_line: &[String]) -> Vec<Spoken> {
    let mut all = Vec::new();
    let mut words = command_line.iter().enumerate().skip(1);
    while let Some((first, word)) = words.next() {
        // Go's flag package ends at the first word that is no flag, and at `--`.
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|f| !f.is_empty()) else {
            break;
        };
        let (name, value, last) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned(), first),
            None if is_switch(flag) => (flag, "true".to_owned(), first),
            None => words.next().map_or((flag, String::new(), first), |(last, value)| (flag, value.clone(), last)),
        };
        all.push(Spoken { name: name.to_owned(), value, first, last });
    }
    all
}

/// The option that a variable of the environment stands for.
#[must_use]
pub fn option_of_variable(variable: &str) -> Option<String> {
    variable.strip_prefix("ETCD_").map(|option| option.to_lowercase().replace('_', "-"))
}

/// The variable of the environment that stands for an option.
#[must_use]
pub fn variable_of_option(option: &str) -> String {
    format!("ETCD_{}", option.to_uppercase().replace('-', "_"))
}

/// Whether an option is either on or off, so that its flag may stand alone.
#[must_use]
pub fn is_switch(option: &str) -> bool {
    BOOLS.contains(&option) || IGNORED.contains(&option)
}

/// Whether a word is an option of any release and not a value.
#[must_use]
pub(super) fn names_option(word: &str) -> bool {
    let Some(flag) = word.strip_prefix('-') else { return false };
    let flag = flag.strip_prefix('-').unwrap_or(flag);
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    is_switch(name) || (!name.is_empty() && OPTIONS.split_whitespace().any(|option| option == name))
}

/// Whether a value turns an option on that is either on or off, as Go reads it (`strconv.ParseBool`).
#[must_use]
pub fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True")
}

/// Options that may stand alone, so the next word is not their value, in any release from 2.0.5 to 3.7.3 (etcdmain/config.go and
/// embed/config.go of each minor, read 2026-11-27).
const BOOLS: &[&str] = &[
    "auto-tls",
    "client-cert-auth",
    "debug",
    "discovery-insecure-skip-tls-verify",
    "discovery-insecure-transport",
    "enable-distributed-tracing",
    "enable-grpc-gateway",
    "enable-log-rotation",
    "enable-pprof",
    "enable-v2",
    "experimental-compact-hash-check-enabled",
    "experimental-enable-distributed-tracing",
    "experimental-enable-lease-checkpoint",
    "experimental-enable-lease-checkpoint-persist",
    "experimental-initial-corrupt-check",
    "experimental-memory-mlock",
    "experimental-peer-skip-client-san-verification",
    "experimental-stop-grpc-service-on-defrag",
    "experimental-txn-mode-write-with-shared-buffer",
    "experimental-v3demo",
    "force-new-cluster",
    "h",
    "help",
    "initial-election-tick-advance",
    "memory-mlock",
    "next-cluster-version-compatible",
    "peer-auto-tls",
    "peer-client-cert-auth",
    "peer-skip-client-san-verification",
    "pre-vote",
    "socket-reuse-address",
    "socket-reuse-port",
    "strict-reconfig-check",
    "unsafe-no-fsync",
    "version",
];

/// Options of etcd 0.4 that every release takes and does nothing with; each of them may stand alone (`IgnoredFlag.IsBoolFlag`: etcd v2.0.5
/// pkg/flags/flag.go to v3.7.3 pkg/flags/ignored.go, `ignored` in etcdmain/config.go of both, read 2026-11-28).
pub(super) const IGNORED: [&str; 13] = [
    "cluster-active-size",
    "cluster-remove-delay",
    "cluster-sync-interval",
    "config",
    "force",
    "max-result-buffer",
    "max-retry-attempts",
    "peer-election-timeout",
    "peer-heartbeat-interval",
    "retry-interval",
    "snapshot",
    "v",
    "vv",
];

/// The other options of any release (etcdmain/config.go and embed/config.go of each minor from 2.0.5 to 3.7.3, read 2026-11-28).
const OPTIONS: &str = "\
    addr advertise-client-urls auth-token auth-token-ttl auto-compaction-mode auto-compaction-retention \
    backend-batch-interval backend-batch-limit backend-bbolt-freelist-type bcrypt-cost bind-addr \
    bootstrap-defrag-threshold-megabytes ca-file cert-file cipher-suites client-cert-allowed-hostname client-cert-file \
    client-crl-file client-key-file compact-hash-check-time compaction-batch-limit compaction-sleep-interval config-file \
    corrupt-check-time cors data-dir discovery discovery-cacert discovery-cert discovery-dial-timeout discovery-endpoints \
    discovery-fallback discovery-keepalive-time discovery-keepalive-timeout discovery-key discovery-password discovery-proxy \
    discovery-request-timeout discovery-srv discovery-srv-name discovery-token discovery-user distributed-tracing-address \
    distributed-tracing-instance-id distributed-tracing-sampling-rate distributed-tracing-service-name downgrade-check-time \
    election-timeout experimental-auto-compaction-retention experimental-backend-bbolt-freelist-type \
    experimental-bootstrap-defrag-threshold-megabytes experimental-compact-hash-check-time \
    experimental-compaction-batch-limit experimental-compaction-sleep-interval experimental-corrupt-check-time \
    experimental-distributed-tracing-address experimental-distributed-tracing-instance-id \
    experimental-distributed-tracing-sampling-rate experimental-distributed-tracing-service-name \
    experimental-downgrade-check-time experimental-enable-v2v3 experimental-snapshot-catchup-entries \
    experimental-warning-apply-duration experimental-warning-unary-request-duration \
    experimental-watch-progress-notify-interval feature-gates grpc-keepalive-interval grpc-keepalive-min-time \
    grpc-keepalive-timeout heartbeat-interval host-whitelist initial-advertise-peer-urls initial-cluster \
    initial-cluster-state initial-cluster-token key-file listen-client-http-urls listen-client-urls listen-metrics-urls \
    listen-peer-urls log-format log-level log-output log-outputs log-package-levels log-rotation-config-json logger \
    max-concurrent-streams max-learners max-request-bytes max-snapshots max-txn-ops max-wals metrics name peer-addr \
    peer-bind-addr peer-ca-file peer-cert-allowed-cn peer-cert-allowed-hostname peer-cert-file peer-client-cert-file \
    peer-client-key-file peer-crl-file peer-key-file peer-trusted-ca-file peers peers-file proxy proxy-dial-timeout \
    proxy-failure-wait proxy-read-timeout proxy-refresh-interval proxy-write-timeout quota-backend-bytes raft-read-timeout \
    raft-write-timeout self-signed-cert-validity snapshot-catchup-entries snapshot-count tls-max-version tls-min-version \
    trusted-ca-file v2-deprecation wal-dir warning-apply-duration warning-unary-request-duration \
    watch-progress-notify-interval";

#[cfg(test)]
mod tests {
    use super::*;

    fn values(words: &[&str]) -> Vec<(String, String)> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        spoken(&words).into_iter().map(|option| (option.name, option.value)).collect()
    }

    #[test]
    fn an_option_behind_one_that_stands_alone_is_not_its_value() {
        for switch in ["next-cluster-version-compatible", "force", "snapshot", "vv", "enable-v2"] {
            let all = values(&["etcd", &format!("--{switch}"), "--name=a"]);
            assert_eq!(all, [(switch.to_owned(), "true".to_owned()), ("name".to_owned(), "a".to_owned())]);
        }
        assert_eq!(values(&["etcd", "--name", "--data-dir=/d"]), [("name".to_owned(), "--data-dir=/d".to_owned())]);
    }

    #[test]
    fn a_word_that_names_an_option_is_known() {
        for word in ["--data-dir=/d", "-name", "--force-new-cluster", "--feature-gates=X=true", "-vv"] {
            assert!(names_option(word), "{word}");
        }
        for word in ["-1", "etcd1", "--", "-", "--no-such-option", "data-dir"] {
            assert!(!names_option(word), "{word}");
        }
    }
}
