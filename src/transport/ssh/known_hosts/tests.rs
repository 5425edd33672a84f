//! Every kind of line, and what it says about a host.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";
const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fn key(text: &str) -> KeyData {
    PublicKey::from_openssh(text).expect("a key").key_data().clone()
}

/// What a file with this text says about a host.
fn known(text: impl AsRef<[u8]>, host: &str, port: u16) -> Known {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("known_hosts");
    std::fs::write(&path, text).expect("a file");
    Known::read(&[path], host, None, port)
}

fn trusts(text: &str, host: &str, port: u16) -> bool {
    known(text, host, port).check_key(&key(ONE)).is_ok()
}

#[test]
fn names_match_whole_in_any_case_and_with_their_port() {
    for (names, host, port, expected) in [
        ("etcd1", "etcd1", 22, true),
        ("etcd1", "ETCD1", 22, true),
        ("ETCD1", "etcd1", 22, true),
        ("etcd1,10.0.0.1", "10.0.0.1", 22, true),
        ("etcd1", "etcd11", 22, false),
        ("etcd1", "etcd1", 2222, false),
        ("[etcd1]:2222", "etcd1", 2222, true),
        ("[etcd1]:2222", "etcd1", 22, false),
        ("etcd*", "etcd1", 22, true),
        ("etcd?", "etcd12", 22, false),
        ("*.example.org", "a.example.org", 22, true),
        ("!etcd1,etcd*", "etcd1", 22, false),
        ("etcd*,!etcd1", "etcd1", 22, false),
        ("!etcd1,etcd*", "etcd2", 22, true),
        ("!etcd1", "etcd2", 22, false),
        ("*", "etcd1", 22, false),
        ("*,etcd1", "etcd1", 22, true),
        ("fe80::1", "fe80::1", 22, true),
        ("", "etcd1", 22, false),
    ] {
        assert_eq!(trusts(&format!("{names} {ONE}"), host, port), expected, "{names} for {host}:{port}");
    }
}

#[test]
fn blanks_comments_tabs_and_carriage_returns_do_not_matter() {
    assert!(trusts(&format!("# a comment\r\n\r\n \tetcd1\t {ONE} some # comment\r\n"), "etcd1", 22));
    assert!(!trusts(&format!("# etcd1 {ONE}\n"), "etcd1", 22));
}

#[test]
fn knows_a_name_hashed_by_openssh() {
    // Made by `ssh-keygen -H` of OpenSSH 9.2 from `[etcd1]:2222`.
    let line = format!("|1|LNuNdp9PgDpeJsQVIRnWGjAuuHo=|+Gs1TU7anNobabQ0L/KZDCMrVj0= {ONE}");
    assert!(trusts(&line, "etcd1", 2222) && trusts(&line, "Etcd1", 2222));
    assert!(!trusts(&line, "etcd2", 2222) && !trusts(&line, "etcd1", 22));
}

#[test]
fn a_bad_line_is_left_out_and_said_if_it_could_have_been_for_the_host() {
    for bad in [
        "|1|!!!|USECr3SWf1JUPsms5AqfD5QfxkM= ssh-ed25519 AAAA",
        "|1|zzz ssh-ed25519 AAAA",
        "etcd1 ssh-ed25519 AAAA",
        "etcd1 ssh-ed25519",
        "etcd1",
        "@trusted etcd1 ssh-ed25519 AAAA",
    ] {
        let known = known(format!("{bad}\netcd1 {TWO}\n"), "etcd1", 22);
        assert!(known.check_key(&key(TWO)).is_ok(), "{bad}");
        let error = known.check_key(&key(ONE)).expect_err("not known");
        assert!(error.contains("known_hosts:1: ") && error.contains("not counted"), "{bad}: {error}");
    }
    assert!(known(format!("etcd9 ssh-ed25519 AAAA\netcd1 {ONE}"), "etcd1", 22).notes.is_empty());
}

#[test]
fn bytes_that_are_no_text_and_endless_lines_harm_nobody() {
    let mut bytes = vec![0, 0xff, 0xfe, b'\n'];
    bytes.extend(vec![b'a'; 10 * 1024 * 1024]);
    bytes.extend(format!("\netcd1 {ONE}\0\netcd1 {ONE}\n").into_bytes());
    let known = known(bytes, "etcd1", 22);
    assert!(known.check_key(&key(ONE)).is_ok());
    assert!(known.check_key(&key(TWO)).expect_err("changed").contains("known_hosts:4"));
}

#[test]
fn a_revocation_in_any_file_beats_trust_in_every_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    std::fs::write(&first, format!("etcd1 {ONE}\n")).expect("a file");
    std::fs::write(&second, format!("@revoked * {ONE}\n")).expect("a file");
    let files = [first, second];
    let error = Known::read(&files, "etcd1", None, 22).check_key(&key(ONE)).expect_err("revoked");
    assert!(error.contains("REVOKED") && error.contains("second:1"), "{error}");
    let key = key(TWO);
    assert!(Known::read(&files, "etcd1", None, 22).check_key(&key).expect_err("changed").contains("CHANGED"));
}

#[test]
fn an_alias_is_looked_up_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("known_hosts");
    std::fs::write(&path, format!("cluster {ONE}\n")).expect("a file");
    let files = [path];
    assert!(Known::read(&files, "10.0.0.1", Some("Cluster"), 2222).check_key(&key(ONE)).is_ok());
    assert!(Known::read(&files, "10.0.0.1", None, 2222).check_key(&key(ONE)).is_err());
}

#[test]
fn a_file_that_cannot_be_read_trusts_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("known_hosts");
    std::fs::write(&path, format!("etcd1 {ONE}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("a mode");
    let files = [path.clone(), dir.path().join("missing"), dir.path().to_owned()];
    let error = Known::read(&files, "etcd1", None, 22).check_key(&key(ONE)).expect_err("a directory is no file");
    assert!(error.contains("not a regular file"), "{error}");
}

#[test]
fn known_types_are_asked_for_first() {
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQDA";
    let all = [
        Algorithm::Ed25519,
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ];
    // A damaged key is none, so nothing is known and the order stays.
    assert_eq!(known(format!("etcd1 {rsa}"), "etcd1", 22).preference(&all), (all.to_vec(), false));
    let mut known = known(format!("@cert-authority *.x {ONE}\netcd1.x {ONE}\n"), "etcd1.x", 22);
    let swapped = [all[1].clone(), all[0].clone()];
    assert_eq!(known.preference(&swapped), (vec![all[0].clone(), all[1].clone()], true));
    known.entries.clear();
    assert_eq!(known.preference(&swapped), (swapped.to_vec(), false));
}
