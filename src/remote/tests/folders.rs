use std::os::unix::fs::{MetadataExt as _, symlink};

use super::{Bench, mode};
use crate::remote::{Attributes, RemoteError, RemotePath};

fn with_mode(mode: u32) -> Attributes {
    Attributes { mode: Some(mode), ..Attributes::default() }
}

#[tokio::test]
async fn a_folder_that_must_be_new_is_refused_if_somebody_made_it_before() {
    let bench = Bench::new();
    let attributes = Attributes { owner: Some("daemon".into()), group: Some("daemon".into()), mode: Some(0o2710) };
    assert!(bench.change().mkdir(&bench.at("d"), &attributes, false).await.unwrap());
    assert_eq!((mode(&bench.local("d")), bench.local("d").metadata().unwrap().uid()), (0o2710, 1));
    let error = bench.change().mkdir(&bench.at("d"), &attributes, false).await.unwrap_err();
    assert!(error.to_string().contains("File exists"), "{error}");
    symlink("/tmp", bench.local("l")).unwrap();
    assert!(bench.change().mkdir(&bench.at("l"), &attributes, false).await.is_err());
}

#[tokio::test]
async fn parents_are_made_with_the_same_attributes_and_those_that_exist_are_left() {
    let bench = Bench::new();
    std::fs::create_dir(bench.local("a")).unwrap();
    let before = mode(&bench.local("a"));
    assert!(bench.change().mkdir(&bench.at("a/b b/c"), &with_mode(0o711), true).await.unwrap());
    assert_eq!((mode(&bench.local("a/b b")), mode(&bench.local("a/b b/c"))), (0o711, 0o711));
    assert_eq!(mode(&bench.local("a")), before);
    assert!(!bench.change().mkdir(&bench.at("a/b b/c"), &with_mode(0o700), true).await.unwrap());
    assert_eq!(mode(&bench.local("a/b b/c")), 0o711);
    std::fs::write(bench.local("f"), "").unwrap();
    assert!(bench.change().mkdir(&bench.at("f/x"), &with_mode(0o700), true).await.is_err());
}

#[tokio::test]
async fn attributes_are_set_once_and_then_nothing_is_changed() {
    let bench = Bench::new();
    std::fs::create_dir(bench.local("d")).unwrap();
    std::fs::write(bench.local("d/f"), "").unwrap();
    std::fs::write(bench.local("outside"), "").unwrap();
    symlink("../outside", bench.local("d/l")).unwrap();
    let want = Attributes { owner: Some("daemon".into()), group: Some("daemon".into()), mode: Some(0o750) };
    let change = bench.change();
    assert!(change.set_attributes(&bench.at("d"), &want, true).await.unwrap());
    assert!(!change.set_attributes(&bench.at("d"), &want, true).await.unwrap());
    assert_eq!((mode(&bench.local("d/f")), bench.local("d/f").metadata().unwrap().uid()), (0o750, 1));
    assert_eq!(bench.local("d/l").symlink_metadata().unwrap().uid(), 1);
    assert_eq!((bench.local("outside").metadata().unwrap().uid(), mode(&bench.local("outside"))), (0, 0o644));
    assert!(change.set_attributes(&bench.at("d/f"), &with_mode(0o4755), false).await.unwrap());
    assert_eq!(mode(&bench.local("d/f")), 0o4755);
}

#[tokio::test]
async fn attributes_of_nothing_and_the_mode_of_a_link_are_failures() {
    let bench = Bench::new();
    symlink("/etc/passwd", bench.local("l")).unwrap();
    let error = bench.change().set_attributes(&bench.at("l"), &with_mode(0o600), false).await.unwrap_err();
    assert!(error.to_string().contains("is a link"), "{error}");
    let error = bench.change().set_attributes(&bench.at("none"), &with_mode(0o600), false).await.unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[tokio::test]
async fn removes_what_it_is_told_and_says_whether_there_was_anything() {
    let bench = Bench::new();
    let change = bench.change();
    std::fs::create_dir_all(bench.local("d/e")).unwrap();
    std::fs::write(bench.local("d/e/-f"), "").unwrap();
    std::fs::write(bench.local("keep"), "").unwrap();
    symlink("d", bench.local("l")).unwrap();
    assert!(change.remove(&bench.at("d"), false).await.is_err());
    assert!(change.remove(&bench.at("l"), true).await.unwrap());
    assert!(bench.local("d/e/-f").exists());
    assert!(change.remove(&bench.at("d/e/-f"), false).await.unwrap());
    assert!(change.remove(&bench.at("d/e"), false).await.unwrap());
    std::fs::create_dir_all(bench.local("d/e/f/g")).unwrap();
    symlink(bench.local("keep"), bench.local("d/e/l")).unwrap();
    assert!(change.remove(&bench.at("d"), true).await.unwrap());
    assert!(!change.remove(&bench.at("d"), true).await.unwrap());
    assert!(!change.remove(&bench.at("d/none"), false).await.unwrap());
    assert_eq!(bench.names(), ["keep"]);
}

#[tokio::test]
async fn the_folders_of_the_system_are_never_removed() {
    let bench = Bench::new();
    for path in [
        "/",
        "/etc",
        "/etc/",
        "//etc",
        "/./etc",
        "/usr",
        "/var",
        "/home",
        "/data",
        "/var/lib",
        "/usr/./bin",
        "/var//lib/.",
    ] {
        let path = RemotePath::from_absolute(path).unwrap();
        let refused = bench.change().remove(&path, true).await;
        assert!(matches!(refused, Err(RemoteError::Refused { .. })), "{path}");
    }
    assert!(matches!(
        bench.change().remove(&RemotePath::from_absolute("/").unwrap(), false).await,
        Err(RemoteError::Refused { .. })
    ));
}

#[tokio::test]
async fn a_folder_of_the_system_behind_a_link_is_not_removed() {
    let bench = Bench::new();
    symlink("/", bench.local("l")).unwrap();
    let victim = tempfile::tempdir_in("/").unwrap();
    let name = victim.path().file_name().unwrap().to_str().unwrap();
    let error = bench.change().remove(&bench.at("l").join(name), true).await.unwrap_err();
    assert!(error.to_string().contains("not removed"), "{error}");
    assert!(victim.path().exists());
}

#[tokio::test]
async fn links_are_made_and_replaced_only_by_force() {
    let bench = Bench::new();
    let change = bench.change();
    let read = |name: &str| std::fs::read_link(bench.local(name)).unwrap();
    change.symlink(&bench.at("l"), "-some where", false).await.unwrap();
    assert_eq!(read("l").to_str(), Some("-some where"));
    assert!(change.symlink(&bench.at("l"), "else", false).await.is_err());
    change.symlink(&bench.at("l"), "else", true).await.unwrap();
    assert_eq!(read("l").to_str(), Some("else"));
    std::fs::create_dir(bench.local("d")).unwrap();
    assert!(change.symlink(&bench.at("d"), "else", true).await.is_err());
    symlink("d", bench.local("to-d")).unwrap();
    change.symlink(&bench.at("to-d"), "e", true).await.unwrap();
    assert_eq!(read("to-d").to_str(), Some("e"));
    assert_eq!(bench.names(), ["d", "l", "to-d"]);
}

#[tokio::test]
async fn a_hard_link_is_the_same_file() {
    let bench = Bench::new();
    let change = bench.change();
    std::fs::write(bench.local("a"), "a").unwrap();
    std::fs::write(bench.local("b"), "b").unwrap();
    change.hardlink(&bench.at("c"), &bench.at("a"), false).await.unwrap();
    assert!(change.hardlink(&bench.at("b"), &bench.at("a"), false).await.is_err());
    for _ in 0..2 {
        change.hardlink(&bench.at("b"), &bench.at("a"), true).await.unwrap();
    }
    let inode = |name: &str| bench.local(name).metadata().unwrap().ino();
    assert!(inode("a") == inode("b") && inode("b") == inode("c"));
    assert_eq!(bench.names(), ["a", "b", "c"]);
}

#[tokio::test]
async fn touch_makes_a_file_and_sets_its_time() {
    let bench = Bench::new();
    bench.change().touch(&bench.at("f"), &with_mode(0o600)).await.unwrap();
    assert_eq!(mode(&bench.local("f")), 0o600);
    let old = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::options().write(true).open(bench.local("f")).unwrap().set_modified(old).unwrap();
    bench.change().touch(&bench.at("f"), &Attributes::default()).await.unwrap();
    assert!(bench.local("f").metadata().unwrap().mtime() > 1_000_000);
    symlink("/nowhere/at/all", bench.local("l")).unwrap();
    assert!(bench.change().touch(&bench.at("l"), &Attributes::default()).await.is_err());
}
