//! What becomes of each directive of ssh_config(5), OpenSSH 9.9 (read 2026-11-23).

/// What we do with a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Honoured.
    Honoured,
    /// Changes neither where we connect, nor whom we trust, nor how we log in.
    Harmless,
    /// Left out, and said so.
    Warned,
    /// Left out unless it is set to this (its default), else refused.
    OnlyAs(&'static str),
    /// A list of algorithms: ours is fixed and strong, so it is left out and said so; a list that names a broken one is refused.
    Algorithms,
    /// Would change where or how we connect, and we cannot do it.
    Refused,
}

/// Broken algorithms, whose presence in a list says that a host needs them.
pub(super) const BROKEN: &[&str] = &[
    "none",
    "3des-cbc",
    "arcfour",
    "blowfish-cbc",
    "cast128-cbc",
    "ssh-dss",
    "hmac-md5",
    "hmac-md5-96",
    "diffie-hellman-group1-sha1",
];

const HONOURED: &[&str] = &[
    "certificatefile",
    "connecttimeout",
    "globalknownhostsfile",
    "hostkeyalias",
    "hostname",
    "identitiesonly",
    "identityagent",
    "identityfile",
    "ignoreunknown",
    "kbdinteractiveauthentication",
    "passwordauthentication",
    "port",
    "proxyjump",
    "pubkeyauthentication",
    "serveralivecountmax",
    "serveraliveinterval",
    "stricthostkeychecking",
    "user",
    "userknownhostsfile",
];

/// We open no terminal, forward nothing, multiplex by ourselves and write no known_hosts, so none of these has an object.
const HARMLESS: &[&str] = &[
    "addkeystoagent",
    "batchmode",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
    "checkhostip",
    "clearallforwardings",
    "compression",
    "connectionattempts",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "enableescapecommandline",
    "enablesshkeysign",
    "escapechar",
    "exitonforwardfailure",
    "fingerprinthash",
    "forkafterauthentication",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "hashknownhosts",
    "hostbasedauthentication",
    "ipqos",
    "loglevel",
    "logverbose",
    "numberofpasswordprompts",
    "obscurekeystroketiming",
    "permitremoteopen",
    "preferredauthentications",
    "rekeylimit",
    "requesttty",
    "requiredrsasize",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "syslogfacility",
    "tag",
    "tcpkeepalive",
    "tunneldevice",
    "updatehostkeys",
    "usekeychain",
    "verifyhostkeydns",
    "versionaddendum",
    "visualhostkey",
    "xauthlocation",
];

const WARNED: &[&str] = &[
    "channeltimeout",
    "dynamicforward",
    "localcommand",
    "localforward",
    "permitlocalcommand",
    "remotecommand",
    "remoteforward",
    "sendenv",
    "sessiontype",
    "setenv",
    "stdinnull",
    "tunnel",
];

const ALGORITHMS: &[&str] = &[
    "casignaturealgorithms",
    "ciphers",
    "gssapikexalgorithms",
    "hostbasedacceptedalgorithms",
    "hostbasedkeytypes",
    "hostkeyalgorithms",
    "kexalgorithms",
    "macs",
    "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes",
];

const ONLY_AS: &[(&str, &str)] = &[
    ("addressfamily", "any"),
    ("canonicalizehostname", "no"),
    ("knownhostscommand", "none"),
    ("nohostauthenticationforlocalhost", "no"),
    ("pkcs11provider", "none"),
    ("proxycommand", "none"),
    ("proxyusefdpass", "no"),
    ("revokedhostkeys", "none"),
];

const REFUSED: &[&str] = &["bindaddress", "bindinterface", "securitykeyprovider", "smartcarddevice"];

/// What becomes of the directive; nothing for a word that is none.
pub(super) fn treatment(keyword: &str) -> Option<Treatment> {
    let lists = [
        (HONOURED, Treatment::Honoured),
        (HARMLESS, Treatment::Harmless),
        (WARNED, Treatment::Warned),
        (ALGORITHMS, Treatment::Algorithms),
        (REFUSED, Treatment::Refused),
    ];
    let listed = lists.into_iter().find(|(names, _)| names.contains(&keyword)).map(|(_, t)| t);
    listed.or_else(|| ONLY_AS.iter().find(|(name, _)| *name == keyword).map(|(_, value)| Treatment::OnlyAs(value)))
}

/// The known directive nearest to a misspelt one.
pub(super) fn nearest(keyword: &str) -> Option<&'static str> {
    let names = [HONOURED, HARMLESS, WARNED, ALGORITHMS, REFUSED].concat();
    names
        .into_iter()
        .map(|n| (strsim::damerau_levenshtein(n, keyword), n))
        .filter(|(d, _)| *d <= 2)
        .min()
        .map(|(_, n)| n)
}
