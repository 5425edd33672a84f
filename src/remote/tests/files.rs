use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::Bench;
use crate::remote::{Attributes, Content, Probe, RemoteError};

#[tokio::test]
async fn stat_says_what_the_kernel_says() {
    let bench = Bench::new();
    std::fs::write(bench.local("a b\nc"), b"12345").unwrap();
    std::fs::set_permissions(bench.local("a b\nc"), std::fs::Permissions::from_mode(0o4751)).unwrap();
    symlink("a b\nc", bench.local("link")).unwrap();
    let seen = bench.probe().stat(&bench.at("link"), true).await.unwrap().unwrap();
    let real = bench.local("a b\nc").metadata().unwrap();
    assert_eq!((seen.kind, seen.mode, seen.size, seen.target.as_deref()), ("file", 0o4751, 5, None));
    assert_eq!((seen.uid, seen.gid, seen.inode, seen.links), (real.uid(), real.gid(), real.ino(), real.nlink()));
    assert_eq!((seen.mtime, seen.device), (real.mtime(), real.dev()));
    let link = bench.probe().stat(&bench.at("link"), false).await.unwrap().unwrap();
    assert_eq!((link.kind, link.target.as_deref()), ("link", Some("a b\nc")));
}

#[tokio::test]
async fn stat_names_the_owner_or_says_that_there_is_no_name() {
    let bench = Bench::new();
    std::fs::write(bench.local("f"), "").unwrap();
    assert_eq!(bench.probe().stat(&bench.at("f"), true).await.unwrap().unwrap().owner, "root");
    std::os::unix::fs::chown(bench.local("f"), Some(54_321), Some(54_322)).unwrap();
    let stat = bench.probe().stat(&bench.at("f"), true).await.unwrap().unwrap();
    assert_eq!((stat.uid, stat.gid, stat.owner.as_str(), stat.group.as_str()), (54_321, 54_322, "", ""));
}

#[tokio::test]
async fn stat_tells_nothing_there_from_what_is_there() {
    let bench = Bench::new();
    std::fs::write(bench.local("f"), "").unwrap();
    symlink("nowhere", bench.local("dangling")).unwrap();
    for missing in ["x", "x/y", "f/y"] {
        assert_eq!(bench.probe().stat(&bench.at(missing), false).await.unwrap(), None, "{missing}");
    }
    assert_eq!(bench.probe().stat(&bench.at("dangling"), true).await.unwrap(), None);
    assert_eq!(bench.probe().stat(&bench.at("dangling"), false).await.unwrap().unwrap().kind, "link");
    let kinds = [("/", "directory"), ("/dev/null", "char"), ("/etc/passwd", "file")];
    for (path, kind) in kinds {
        let path = crate::remote::RemotePath::from_absolute(path).unwrap();
        assert_eq!(bench.probe().stat(&path, true).await.unwrap().unwrap().kind, kind);
    }
}

#[tokio::test]
async fn a_list_holds_every_name_whatever_is_in_it() {
    let bench = Bench::new();
    std::fs::create_dir(bench.local("d")).unwrap();
    let names: [&[u8]; 6] = [b"-rf", b".hidden", b"a b", b"new\nline", b"\xff\xfe", b"{{ 7*7 }}"];
    for name in names {
        std::fs::write(bench.local("d").join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    symlink("/etc/shadow", bench.local("d/link")).unwrap();
    let listed = bench.probe().list(&bench.at("d")).await.unwrap();
    let found: Vec<&str> = listed.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(found, ["-rf", ".hidden", "a b", "link", "new\nline", "{{ 7*7 }}", "\u{fffd}\u{fffd}"]);
    assert_eq!(listed[3].stat.target.as_deref(), Some("/etc/shadow"));
}

#[tokio::test]
async fn an_empty_folder_lists_nothing_and_no_folder_is_a_failure() {
    let bench = Bench::new();
    assert!(bench.probe().list(&bench.at("")).await.unwrap().is_empty());
    assert!(matches!(bench.probe().list(&bench.at("none")).await, Err(RemoteError::Failed { .. })));
}

#[tokio::test]
async fn read_gives_all_bytes_or_none() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    std::fs::write(bench.local("f"), &bytes).unwrap();
    assert_eq!(bench.probe().read(&bench.at("f"), 100_000).await.unwrap(), bytes);
    let error = bench.probe().read(&bench.at("f"), 99_999).await.unwrap_err();
    assert!(error.to_string().contains("more than 99999 bytes"), "{error}");
}

#[tokio::test]
async fn read_refuses_what_is_no_file_and_does_not_hang_on_a_pipe() {
    let bench = Bench::new();
    assert!(std::process::Command::new("mkfifo").arg(bench.local("pipe")).status().unwrap().success());
    let error = bench.probe().read(&bench.at("pipe"), 10).await.unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
    let error = bench.probe().read(&bench.at("none"), 10).await.unwrap_err();
    assert!(error.to_string().contains("No such file or directory"), "{error}");
}

#[tokio::test]
async fn checksums_are_those_of_the_bytes() {
    let bench = Bench::new();
    std::fs::write(bench.local("back\\slash"), b"abc").unwrap();
    let path = bench.at("back\\slash");
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(bench.probe().sha256(&path).await.unwrap(), sha256);
    assert_eq!(bench.probe().sha1(&path).await.unwrap(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert!(bench.probe().sha256(&bench.at("none")).await.is_err());
}

#[tokio::test]
async fn canonical_follows_every_link() {
    let bench = Bench::new();
    std::fs::create_dir(bench.local("d")).unwrap();
    std::fs::write(bench.local("d/f"), "").unwrap();
    symlink("d", bench.local("l")).unwrap();
    let real = bench.local("d/f").canonicalize().unwrap();
    assert_eq!(bench.probe().canonical(&bench.at("l/f")).await.unwrap().as_str(), real.to_str().unwrap());
    assert!(bench.probe().canonical(&bench.at("l/none")).await.is_err());
}

#[tokio::test]
async fn space_is_that_of_the_file_system_a_path_will_be_on() {
    let bench = Bench::new();
    let space = bench.probe().space(&bench.at("not/yet/there")).await.unwrap();
    assert!(space.free > 0);
    assert!(bench.folder.path().starts_with(space.mount.as_str()), "{space:?}");
    assert_eq!(space.refuses, None);
    let proc = crate::remote::RemotePath::from_absolute("/proc/none").unwrap();
    let space = bench.probe().space(&proc).await.unwrap();
    assert_eq!((space.mount.as_str(), space.free, space.inodes), ("/proc", 0, None));
}

#[tokio::test]
async fn differs_looks_at_mode_owner_and_group_and_below() {
    let bench = Bench::new();
    std::fs::create_dir(bench.local("d")).unwrap();
    std::fs::write(bench.local("d/f"), "").unwrap();
    std::fs::set_permissions(bench.local("d"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(bench.local("d/f"), std::fs::Permissions::from_mode(0o600)).unwrap();
    symlink("f", bench.local("d/l")).unwrap();
    let want = Attributes { mode: Some(0o755), owner: Some("root".into()), group: Some("0".into()) };
    assert!(!bench.probe().differs(&bench.at("d"), &want, false).await.unwrap());
    assert!(bench.probe().differs(&bench.at("d"), &want, true).await.unwrap());
    let owner = Attributes { owner: Some("daemon".into()), ..Attributes::default() };
    assert!(bench.probe().differs(&bench.at("d"), &owner, false).await.unwrap());
    assert!(!bench.probe().differs(&bench.at("d"), &Attributes::default(), true).await.unwrap());
    let nobody = Attributes { owner: Some("no-such-user".into()), ..Attributes::default() };
    assert!(bench.probe().differs(&bench.at("d"), &nobody, false).await.is_err());
}

#[tokio::test]
async fn download_carries_every_byte_with_its_hash() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(bench.local("f"), &bytes).unwrap();
    let sink = tokio::fs::File::create(bench.local("copy")).await.unwrap();
    let sum = bench.probe().download(&bench.at("f"), 3_000_000, sink).await.unwrap();
    assert_eq!(std::fs::read(bench.local("copy")).unwrap(), bytes);
    assert_eq!(sum, bench.probe().sha256(&bench.at("f")).await.unwrap());
}

#[tokio::test]
async fn download_of_nothing_is_a_failure() {
    let bench = Bench::new();
    for name in ["none", ""] {
        let sink = tokio::fs::File::create(bench.local("copy")).await.unwrap();
        let error = bench.probe().download(&bench.at(name), 1, sink).await.unwrap_err();
        assert!(matches!(&error, RemoteError::Failed { .. }), "{error}");
    }
}

#[tokio::test]
async fn download_takes_the_bytes_that_were_told_and_no_more() {
    let bench = Bench::new();
    // Whatever file it is asked for, it is one without an end.
    bench.program("cat", "#!/bin/sh\nexec yes\n");
    let endless = Probe::new(bench.with_programs());
    std::fs::write(bench.local("f"), vec![7; 3_000_000]).unwrap();
    for (probe, told) in
        [(bench.probe(), 2_999_999), (bench.probe(), 0), (bench.probe(), 3_000_001), (endless, 5_000_000)]
    {
        let sink = tokio::fs::File::create(bench.local("copy")).await.unwrap();
        let error = probe.download(&bench.at("f"), told, sink).await.unwrap_err();
        assert!(matches!(&error, RemoteError::Answer { .. }), "{error}");
        let text = error.to_string();
        let parts =
            ["h1", bench.at("f").as_str(), &format!("expected {told} bytes, found ")].map(|part| text.contains(part));
        assert_eq!(parts, [true; 3], "{text}");
        assert!(std::fs::metadata(bench.local("copy")).unwrap().len() <= told, "{text}");
    }
}

#[tokio::test]
async fn texts_are_read_in_one_question_whatever_they_hold() {
    let bench = Bench::new();
    std::fs::write(bench.local("a b"), b"one\n\xff\0two").unwrap();
    std::fs::write(bench.local("-n"), "").unwrap();
    std::fs::create_dir(bench.local("folder")).unwrap();
    symlink("a b", bench.local("link")).unwrap();
    symlink("nowhere", bench.local("dangling")).unwrap();
    let paths = ["a b", "none", "-n", "folder", "link", "dangling", "a b/under"].map(|name| bench.at(name));
    let found = bench.probe().texts(&paths, 64).await.unwrap();
    let text = Content::Bytes(b"one\n\xff\0two".to_vec());
    let expected =
        [text.clone(), Content::None, Content::Bytes(Vec::new()), Content::Other, text, Content::None, Content::None];
    assert_eq!(found, expected);
    assert_eq!(bench.probe().texts(&[], 64).await.unwrap(), []);
    let error = bench.probe().texts(&paths, 4).await.unwrap_err().to_string();
    assert!(error.contains("has 9 bytes, more than 4"), "{error}");
}
