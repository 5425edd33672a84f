//! Whole files: what they say about a host, and that `ssh -G` says the same.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::*;

/// A `~/.ssh` with these files.
fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join(".ssh")).expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(".ssh").join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    dir
}

fn read(home: &Path) -> Result<Files, String> {
    Files::read(Some(&home.join(".ssh/config")), home)
}

fn host(text: &str, name: &str) -> Result<HostConfig, String> {
    let home = home(&[("config", text)]);
    read(home.path())?.host(name)
}

#[test]
fn the_first_that_says_something_wins_and_key_files_add_up() {
    let text = "IdentityFile ~/a\nHost etcd*,x !etcd9\n  User ops\nHost etcd* !etcd9\n  User=root\n  Port 2222\n  IdentityFile \"~/b c\"\n\
                Host *\n  Port 1\n  User nobody\n  ConnectTimeout 1m\n  ServerAliveInterval=7\n  ServerAliveCountMax 2\n";
    let config = host(text, "etcd1").expect("well formed");
    assert_eq!((config.user.as_deref(), config.port), (Some("root"), Some(2222)));
    let files: Vec<_> = config.identities.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(files, ["~/a", "~/b c"]);
    assert_eq!(config.connect_timeout, Some(Duration::from_secs(60)));
    assert_eq!((config.alive_interval, config.alive_count), (Some(Duration::from_secs(7)), Some(2)));
    let config = host(text, "etcd9").expect("well formed");
    assert_eq!((config.user.as_deref(), config.port), (Some("nobody"), Some(1)));
}

#[test]
fn includes_stay_under_the_host_line_above_them() {
    let home = home(&[
        ("config", "Host etcd1\n  Include part-*\nHost *\n  Port 9\n"),
        ("part-1", "User ops\nHost etcd2\n  Port 7\n"),
        ("part-2", "Port 5\n"),
    ]);
    let files = read(home.path()).expect("well formed");
    let one = files.host("etcd1").expect("well formed");
    assert_eq!((one.user.as_deref(), one.port), (Some("ops"), Some(5)));
    let two = files.host("etcd2").expect("well formed");
    assert_eq!((two.user.as_deref(), two.port), (None, Some(9)));
}

#[test]
fn refuses_by_name_and_line_what_would_connect_differently() {
    for (line, name) in [
        ("ProxyCommand nc %h %p", "proxycommand"),
        ("CanonicalizeHostname yes", "canonicalizehostname"),
        ("KnownHostsCommand /bin/x", "knownhostscommand"),
        ("PKCS11Provider ./evil.so", "pkcs11provider"),
        ("SecurityKeyProvider ./evil.so", "securitykeyprovider"),
        ("RevokedHostKeys /etc/revoked", "revokedhostkeys"),
        ("BindAddress 10.0.0.1", "bindaddress"),
        ("AddressFamily inet", "addressfamily"),
        ("NoHostAuthenticationForLocalhost yes", "nohostauthenticationforlocalhost"),
        ("Match exec \"touch /tmp/p\"", "Match"),
        ("Match host x", "Match"),
        ("StrictHostKeyChecking no", "StrictHostKeyChecking no"),
        ("StrictHostKeyChecking off", "StrictHostKeyChecking off"),
        ("StrictHostKeyChecking accept-new", "StrictHostKeyChecking accept-new"),
        ("UserKnownHostsFile /dev/null", "/dev/null"),
        ("GlobalKnownHostsFile /dev/null", "/dev/null"),
        ("Ciphers 3des-cbc", "3des-cbc"),
        ("Ciphers none", "none"),
        ("HostKeyAlgorithms +ssh-dss", "ssh-dss"),
        ("MACs hmac-md5", "hmac-md5"),
        ("Prot 22", "did you mean port"),
        ("Port 0", "1 to 65535"),
        ("Port", "without a value"),
        ("User \"ops", "quote"),
        ("IdentitiesOnly maybe", "yes or no"),
    ] {
        let error = host(&format!("# first\n{line}\n"), "etcd1").expect_err(line);
        assert!(error.contains("config:2: ") && error.contains(name), "{line}: {error}");
    }
}

#[test]
fn what_is_for_another_host_or_switched_off_refuses_nothing() {
    for text in [
        "Host other\n  ProxyCommand nc %h %p\nHost *\n",
        "ProxyCommand none\nHost *\n  ProxyCommand nc %h %p\n",
        "ProxyJump bastion\nProxyCommand nc %h %p\n",
        "StrictHostKeyChecking ask\nStrictHostKeyChecking no\n",
        "CanonicalizeHostname no\nKnownHostsCommand none\n",
        "ForwardAgent yes\nControlMaster auto\nControlPath /tmp/%C\nLogLevel DEBUG\nHashKnownHosts yes\nVisualHostKey yes\nCompression yes\n",
        "IgnoreUnknown UseKey*,Foo\nUseKeychain2 yes\nFoo bar\n",
        "Match all\n  Port 22\n",
        "GSSAPIAuthentication yes\nGSSAPIDelegateCredentials no\n",
        "Ciphers -3des-cbc\n",
    ] {
        assert!(host(text, "etcd1").is_ok(), "{text}");
    }
    // ProxyCommand none comes first, so a later ProxyJump does not count (readconf.c).
    assert_eq!(host("ProxyCommand none\nProxyJump bastion\n", "x").expect("well formed").jump, Some(Vec::new()));
}

#[test]
fn says_what_it_leaves_out() {
    let config =
        host("SendEnv *\nSetEnv LD_PRELOAD=/x\nKexAlgorithms curve25519-sha256\n", "etcd1").expect("well formed");
    assert_eq!(config.warnings.len(), 3);
    assert!(config.warnings[0].contains("config:1: sendenv is not used"), "{:?}", config.warnings);
    let debian =
        host("SendEnv LANG LC_*\nHashKnownHosts yes\nGSSAPIAuthentication yes\n", "etcd1").expect("well formed");
    assert!(debian.warnings.is_empty(), "{:?}", debian.warnings);
}

#[test]
fn refuses_a_file_that_others_can_write_or_that_is_none() {
    let home = home(&[("config", "Port 1\n"), ("large", &"# x\n".repeat(300_000))]);
    let path = home.path().join(".ssh/config");
    for mode in [0o620, 0o602] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        assert!(read(home.path()).expect_err("untrusted").contains("others may write it"));
    }
    for (name, why) in [("large", "larger than"), ("", "not a regular file"), ("missing", "No such file")] {
        let error = Files::read(Some(&home.path().join(".ssh").join(name)), home.path()).expect_err(name);
        assert!(error.contains(why), "{error}");
    }
    assert!(Files::read(Some(Path::new("none")), home.path()).is_ok());
}

#[test]
fn refuses_circles_of_includes() {
    let home = home(&[("config", "Include config\n")]);
    let error = read(home.path()).expect_err("a circle");
    assert!(error.contains("include each other") && error.contains("config:1"), "{error}");
}

#[test]
fn tokens_and_the_home_directory_are_expanded() {
    let tokens = Tokens { home: Path::new("/home/ops"), local_user: "me", name: "n", host: "h", port: 22, user: "r" };
    assert_eq!(tokens.path("~/.ssh/%r@%h-%u%%").map(|p| p.display().to_string()), Ok("/home/ops/.ssh/r@h-me%".into()));
    assert_eq!(tokens.expand("%d/%n:%p").as_deref(), Ok("/home/ops/n:22"));
    for bad in ["%x", "%", "${HOME}/x"] {
        assert!(tokens.expand(bad).is_err(), "{bad}");
    }
    assert!(tokens.path("~root/x").is_err());
}

/// The value of a keyword in the output of `ssh -G`.
fn value<'a>(output: &'a str, keyword: &str) -> Vec<&'a str> {
    output.lines().filter_map(|l| l.strip_prefix(keyword)?.strip_prefix(' ')).collect()
}

#[test]
fn ssh_itself_reads_the_files_the_same_way() {
    let text = "# comment\nHost etcd1 etcd2\n\tUser = ops\n  IdentityFile ~/.ssh/one\nHost !etcd2 etcd*\n  Port=2222\n  ProxyJump ops@bastion:2200,inner\n\
                Host *\n  User \"nobody\"\n  Port 2200\n  IdentityFile '~/.ssh/t w o'\n  HostName %h.example.org\n  HostKeyAlias alias-x # why\n\
                  ServerAliveInterval 1m\n  ServerAliveCountMax 4\n  ConnectTimeout 1h\n  IdentitiesOnly yes\n  Include extra\n\
                Host nowhere\n  Port 1\n";
    let home = home(&[("config", text), ("extra", "UserKnownHostsFile /etc/kh1 /etc/kh2\nHost etcd3\n  User third\n")]);
    // `ssh` looks for relative includes in the home directory of the password file, so ours is named in full.
    let config = home.path().join(".ssh/config");
    let include = format!("Include {}", home.path().join(".ssh/extra").display());
    fs::write(&config, text.replace("Include extra", &include)).expect("a file");
    let files = read(home.path()).expect("well formed");
    for name in ["etcd1", "etcd2", "etcd3", "other"] {
        let Ok(output) = Command::new("ssh").arg("-G").arg("-F").arg(&config).arg(name).output() else {
            return; // no OpenSSH on this machine
        };
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let ours = files.host(name).expect("well formed");
        assert_eq!(value(&said, "user"), [ours.user.as_deref().unwrap_or_default()], "{name}");
        assert_eq!(value(&said, "port"), [ours.port.unwrap_or(22).to_string()], "{name}");
        assert_eq!(
            value(&said, "identityfile"),
            ours.identities.iter().map(|(w, _)| w.as_str()).collect::<Vec<_>>(),
            "{name}"
        );
        assert_eq!(value(&said, "proxyjump"), ours.jump.map(|j| j.join(",")).into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(value(&said, "hostkeyalias"), [ours.host_key_alias.map(|(w, _)| w).unwrap_or_default()], "{name}");
        let seconds = |d: Option<Duration>| d.map(|d| d.as_secs().to_string()).unwrap_or_default();
        assert_eq!(value(&said, "serveraliveinterval"), [seconds(ours.alive_interval)], "{name}");
        assert_eq!(value(&said, "connecttimeout"), [seconds(ours.connect_timeout)], "{name}");
        assert_eq!(value(&said, "serveralivecountmax"), [ours.alive_count.unwrap_or(3).to_string()], "{name}");
        assert_eq!(
            value(&said, "identitiesonly"),
            [if ours.identities_only == Some(true) { "yes" } else { "no" }],
            "{name}"
        );
        assert_eq!(value(&said, "hostname"), [format!("{name}.example.org")], "{name}");
        let known: Vec<_> = ours.user_known_hosts.into_iter().flatten().map(|(w, _)| w).collect();
        assert_eq!(value(&said, "userknownhostsfile"), [known.join(" ")], "{name}");
    }
}
