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
    BOOLS.contains(&option)
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
