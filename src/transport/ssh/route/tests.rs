//! Routes from files and targets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn target(address: &str) -> Target {
    Target {
        name: "member".to_owned(),
        local: false,
        address: address.to_owned(),
        port: None,
        user: None,
        identity: None,
        password: None,
        jump: Vec::new(),
        fallbacks: Vec::new(),
        connect_timeout: None,
    }
}

/// All ways, and what is not used.
fn all(text: &str, target: &Target) -> Result<(Vec<Vec<Hop>>, Vec<String>), String> {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("config");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    let files = Files::read(Some(&path), home.path())?;
    let around = Around {
        files: &files,
        home: Path::new("/home/me"),
        local_user: "me",
        known_hosts: &[PathBuf::from("/given")],
        alive: (Duration::from_secs(15), 3),
    };
    ways(&around, target).map_err(|e| e.to_string())
}

fn hops(text: &str, target: &Target) -> Result<Vec<Hop>, String> {
    all(text, target).map(|(mut ways, _)| ways.remove(0))
}

fn endpoints(text: &str, target: &Target) -> Vec<String> {
    hops(text, target).expect("a route").iter().map(Hop::endpoint).collect()
}

#[test]
fn the_target_beats_ssh_config_which_beats_the_defaults() {
    assert_eq!(endpoints("", &target("etcd1")), ["me@etcd1:22"]);
    let text = "Host etcd1\n  HostName 10.0.0.%%1\n  HostName x\n  User ops\n  Port 2200\n  ConnectTimeout 5\n";
    assert_eq!(endpoints(&text.replace("%%", ""), &target("etcd1")), ["ops@10.0.0.1:2200"]);
    let own = Target { user: Some("root".into()), port: Some(22), ..target("etcd1") };
    assert_eq!(endpoints(&text.replace("%%", ""), &own), ["root@10.0.0.1:22"]);
    let hop = |t: &Target| hops(&text.replace("%%", ""), t).expect("a route").pop().expect("a hop").timeout;
    assert_eq!(hop(&own), Duration::from_secs(5));
    assert_eq!(hop(&Target { connect_timeout: Some(Duration::from_secs(1)), ..own }), Duration::from_secs(1));
}

#[test]
fn default_key_files_count_only_if_none_is_named() {
    let paths = |text: &str, target: &Target| -> Vec<String> {
        let hop = hops(text, target).expect("a route").pop().expect("a hop");
        hop.identities.iter().map(|i| i.path.display().to_string()).collect()
    };
    let defaults = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|n| format!("/home/me/.ssh/{n}"));
    assert_eq!(paths("", &target("etcd1")), defaults);
    assert_eq!(paths("IdentityFile ~/%r-key\n", &target("etcd1")), ["/home/me/me-key"]);
    let own = Target { identity: Some("~/own".into()), ..target("etcd1") };
    assert_eq!(paths("IdentityFile /key\n", &own), ["/home/me/own", "/key"]);
}

#[test]
fn known_hosts_files_are_the_given_the_users_and_the_systems() {
    let files = |text: &str| hops(text, &target("etcd1")).expect("a route").pop().expect("a hop").known_hosts;
    assert_eq!(files("").len(), 5);
    let named = files("UserKnownHostsFile ~/mine\nGlobalKnownHostsFile none\n");
    assert_eq!(named, [PathBuf::from("/given"), PathBuf::from("/home/me/mine")]);
}

#[test]
fn jump_hosts_nest_and_the_first_follows_its_own_configuration() {
    let text = "Host bastion\n  ProxyJump gate\n  User b\n  HostName bastion.example.org\nHost etcd1\n  ProxyJump bastion,inner:2200\n";
    assert_eq!(
        endpoints(text, &target("etcd1")),
        ["me@gate:22", "b@bastion.example.org:22", "me@inner:2200", "me@etcd1:22"]
    );
    let given = Target { jump: vec!["ops@[fe80::1]:22".into(), "ssh://x@inner:1/".into()], ..target("etcd1") };
    assert_eq!(endpoints(text, &given), ["ops@fe80::1:22", "x@inner:1", "me@etcd1:22"]);
    assert_eq!(endpoints("ProxyJump none\n", &target("etcd1")), ["me@etcd1:22"]);
    assert_eq!(endpoints("Host etcd1\n  ProxyJump jump-%h\n", &target("etcd1")), ["me@jump-etcd1:22", "me@etcd1:22"]);
}

#[test]
fn a_password_is_for_the_target_alone() {
    let own = Target { password: Some(SecretString::from("pw")), jump: vec!["bastion".into()], ..target("etcd1") };
    let hops = hops("", &own).expect("a route");
    assert_eq!(hops.iter().map(|h| h.password.is_some()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn refuses_circles_long_chains_and_names_with_a_meaning() {
    for (text, target, why) in [
        ("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", target("a"), "circle"),
        ("", Target { jump: vec!["a".into(); 5], ..target("x") }, "at most 4"),
        ("", target("-oProxyCommand=x"), "begins with '-'"),
        ("", target("a;b"), "contains"),
        ("", Target { user: Some("-l".into()), ..target("a") }, "begins with '-'"),
        ("HostName $(id)\n", target("a"), "contains"),
        ("", Target { jump: vec!["a:0".into()], ..target("x") }, "port"),
        ("", Target { jump: vec!["-x".into()], ..target("x") }, "begins with '-'"),
        ("", Target { jump: vec!["[::1".into()], ..target("x") }, "without ']'"),
        ("IdentityFile ${HOME}/x\n", target("a"), "config:1: IdentityFile"),
    ] {
        let error = hops(text, &target).expect_err(why);
        assert!(error.contains(why) && error.starts_with("member: "), "{error}");
    }
}

#[test]
fn other_ways_are_resolved_like_the_first_and_must_be_others() {
    let text = "Host etcd1\n  ProxyJump bastion\nHost bastion2\n  User b\n  Port 2222\n  ProxyJump gate\n";
    let with = |fallbacks: &[&[&str]]| {
        let fallbacks = fallbacks.iter().map(|way| way.iter().map(|jump| (*jump).to_owned()).collect()).collect();
        Target { fallbacks, ..target("etcd1") }
    };
    let (ways, _) = all(text, &with(&[&["bastion2"][..], &["x@a:1", "b"][..]])).expect("ways");
    let names: Vec<String> = ways.iter().map(|hops| through(hops)).collect();
    assert_eq!(names, ["bastion", "gate,bastion2:2222", "a:1,b"]);
    assert!(ways.iter().all(|hops| hops.last().is_some_and(|hop| hop.endpoint() == "me@etcd1:22")));
    for (way, why) in [
        (&["bastion"][..], "leads through bastion, which is a way before it"),
        (&["bastion", "inner"][..], "leads through bastion, which is a way before it"),
        (&["a:0"][..], "port"),
    ] {
        let error = all(text, &with(&[way])).expect_err(why);
        assert!(error.starts_with(&format!("member: quorate_fallback_jumps: {}: ", way.join(","))), "{error}");
        assert!(error.contains(why), "{error}");
    }
    // The bastion itself, in a group whose other hosts are behind it.
    let (ways, warnings) = all("", &with(&[&["bastion2"]])).expect("ways");
    assert_eq!(ways.len(), 1);
    assert!(warnings.iter().any(|text| text.contains("quorate_fallback_jumps is not used")), "{warnings:?}");
}
