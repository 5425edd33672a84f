use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::{Bench, mode};
use crate::remote::{Attributes, RemoteError};

const SUM_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn with_mode(mode: u32) -> Attributes {
    Attributes { mode: Some(mode), ..Attributes::default() }
}

#[tokio::test]
async fn writes_a_new_file_with_its_attributes() {
    let bench = Bench::new();
    let attributes = Attributes { mode: Some(0o6750), owner: Some("daemon".into()), group: Some("1".into()) };
    bench.change().write(&bench.at("it's new"), b"\0bytes\xff", &attributes).await.unwrap();
    let path = bench.local("it's new");
    assert_eq!(std::fs::read(&path).unwrap(), b"\0bytes\xff");
    let meta = path.metadata().unwrap();
    assert_eq!((mode(&path), meta.uid(), meta.gid()), (0o6750, 1, 1));
    assert_eq!(bench.names(), ["it's new"]);
}

#[tokio::test]
async fn a_new_file_without_attributes_has_those_of_the_umask() {
    let bench = Bench::new();
    bench.change().write(&bench.at("f"), b"", &Attributes::default()).await.unwrap();
    assert_eq!(mode(&bench.local("f")), 0o644);
}

#[tokio::test]
async fn what_is_not_given_stays_as_it_was() {
    let bench = Bench::new();
    std::fs::write(bench.local("f"), "old").unwrap();
    std::fs::set_permissions(bench.local("f"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(bench.local("f"), Some(54_321), Some(54_322)).unwrap();
    let owners = |bench: &Bench| {
        let meta = bench.local("f").metadata().unwrap();
        (meta.uid(), meta.gid(), mode(&bench.local("f")))
    };
    bench.change().write(&bench.at("f"), b"new", &Attributes::default()).await.unwrap();
    assert_eq!(owners(&bench), (54_321, 54_322, 0o640));
    let group = Attributes { group: Some("2".into()), ..Attributes::default() };
    bench.change().write(&bench.at("f"), b"new", &group).await.unwrap();
    assert_eq!(owners(&bench), (54_321, 2, 0o640));
    let owner = Attributes { owner: Some("daemon".into()), ..with_mode(0o600) };
    bench.change().write(&bench.at("f"), b"new", &owner).await.unwrap();
    assert_eq!(owners(&bench), (1, 2, 0o600));
}

#[tokio::test]
async fn a_write_makes_a_new_inode_so_a_running_binary_is_never_written_into() {
    let bench = Bench::new();
    super::install("/bin/sleep", &bench.local("prog"), "");
    let mut child = std::process::Command::new(bench.local("prog")).arg("60").spawn().unwrap();
    let before = bench.local("prog").metadata().unwrap().ino();
    let written = bench.change().write(&bench.at("prog"), b"new", &Attributes::default()).await;
    child.kill().unwrap();
    child.wait().unwrap();
    written.unwrap();
    assert_ne!(bench.local("prog").metadata().unwrap().ino(), before);
    assert_eq!(mode(&bench.local("prog")), 0o755);
}

#[tokio::test]
async fn a_link_is_replaced_and_its_target_left_alone() {
    let bench = Bench::new();
    std::fs::write(bench.local("target"), "keep").unwrap();
    std::fs::set_permissions(bench.local("target"), std::fs::Permissions::from_mode(0o4777)).unwrap();
    symlink("target", bench.local("link")).unwrap();
    bench.change().write(&bench.at("link"), b"new", &Attributes::default()).await.unwrap();
    assert_eq!(std::fs::read(bench.local("target")).unwrap(), b"keep");
    assert!(bench.local("link").symlink_metadata().unwrap().is_file());
    assert_eq!(mode(&bench.local("link")), 0o644);
}

#[tokio::test]
async fn uploads_a_stream_and_checks_its_sum_on_the_host() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 253) as u8).collect();
    let sum = crate::remote::sink::hex(&<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    let source = std::io::Cursor::new(bytes.clone());
    let size = bytes.len() as u64;
    bench.change().upload(&bench.at("f"), source, size, &sum.to_uppercase(), &with_mode(0o755)).await.unwrap();
    assert_eq!(std::fs::read(bench.local("f")).unwrap(), bytes);
    assert_eq!(mode(&bench.local("f")), 0o755);
}

#[tokio::test]
async fn an_upload_that_arrives_changed_or_short_leaves_all_as_it_was() {
    let bench = Bench::new();
    std::fs::write(bench.local("f"), "old").unwrap();
    for sent in [b"abd".as_slice(), b"ab", b""] {
        let source = std::io::Cursor::new(sent.to_vec());
        let error = bench.change().upload(&bench.at("f"), source, 3, SUM_OF_ABC, &with_mode(0o600)).await.unwrap_err();
        assert!(matches!(&error, RemoteError::Failed { .. }), "{error}");
        assert!(error.to_string().contains("did not arrive whole"), "{error}");
    }
    assert_eq!(std::fs::read(bench.local("f")).unwrap(), b"old");
    assert_eq!((bench.names(), mode(&bench.local("f"))), (vec!["f".to_owned()], 0o644));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_leaves_no_trace() {
    let bench = Bench::new();
    std::fs::create_dir(bench.local("d")).unwrap();
    let change = bench.change();
    for (path, why) in [("none/f", "no such folder"), ("d", "is a folder")] {
        let error = change.write(&bench.at(path), b"abc", &Attributes::default()).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let nobody = Attributes { owner: Some("no-such-user".into()), ..Attributes::default() };
    let error = change.write(&bench.at("f"), b"abc", &nobody).await.unwrap_err();
    assert!(error.to_string().contains("invalid user"), "{error}");
    assert_eq!(bench.names(), ["d"]);
}

#[tokio::test]
async fn a_full_disk_is_a_failure_and_leaves_no_trace() {
    let bench = Bench::new();
    bench.program(
        "cat",
        "#!/bin/sh\nhead -c 10 | /bin/cat\necho 'cat: write error: No space left on device' >&2\nexit 1\n",
    );
    let change = crate::remote::Change::new(bench.with_programs(), &crate::remote::Permit::of_a_real_run());
    let error = change.write(&bench.at("f"), &[b'x'; 100_000], &Attributes::default()).await.unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert_eq!(bench.names(), ["bin"]);
}

#[tokio::test]
async fn a_failed_fsync_is_a_failure_and_what_was_there_stays() {
    let bench = Bench::new();
    std::fs::write(bench.local("f"), "old").unwrap();
    bench.program("sync", "#!/bin/sh\nexit 1\n");
    let change = crate::remote::Change::new(bench.with_programs(), &crate::remote::Permit::of_a_real_run());
    let error = change.write(&bench.at("f"), b"new", &Attributes::default()).await.unwrap_err();
    assert!(error.to_string().contains("fsync failed"), "{error}");
    assert_eq!(std::fs::read(bench.local("f")).unwrap(), b"old");
    assert_eq!(bench.names(), ["bin", "f"]);
}

#[tokio::test]
async fn file_is_synced_before_the_rename_and_folder_after() {
    let bench = Bench::new();
    let log = bench.local("log");
    for name in ["sync", "mv"] {
        let text = format!("#!/bin/sh\necho {name} \"$#\" >> '{}'\nexec /bin/{name} \"$@\"\n", log.display());
        bench.program(name, &text);
    }
    let change = crate::remote::Change::new(bench.with_programs(), &crate::remote::Permit::of_a_real_run());
    change.write(&bench.at("f"), b"new", &Attributes::default()).await.unwrap();
    assert_eq!(std::fs::read_to_string(log).unwrap(), "sync 1\nmv 4\nsync 2\n");
}

#[tokio::test]
async fn a_name_swapped_for_a_link_during_the_upload_changes_nothing_behind_the_link() {
    let bench = Bench::new();
    std::fs::write(bench.local("victim"), "keep").unwrap();
    std::fs::set_permissions(bench.local("victim"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let folder = bench.folder.path().display();
    bench.program(
        "chown",
        &format!("#!/bin/sh\nfor t in '{folder}'/.quorate-*; do rm \"$t\"; ln -s victim \"$t\"; done\nexec /bin/chown \"$@\"\n"),
    );
    let change = crate::remote::Change::new(bench.with_programs(), &crate::remote::Permit::of_a_real_run());
    let attributes = Attributes { owner: Some("daemon".into()), ..with_mode(0o777) };
    let error = change.write(&bench.at("f"), b"new", &attributes).await.unwrap_err();
    assert!(error.to_string().contains("somebody else"), "{error}");
    let meta = bench.local("victim").metadata().unwrap();
    assert_eq!((meta.uid(), mode(&bench.local("victim"))), (0, 0o600));
    assert_eq!(std::fs::read(bench.local("victim")).unwrap(), b"keep");
}

/// Gives what it has, then fails as a file on a bad disk does.
struct Breaking(std::io::Cursor<Vec<u8>>);

impl tokio::io::AsyncRead for Breaking {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = std::pin::Pin::new(&mut self.0).poll_read(cx, buffer);
        if buffer.filled().len() == before {
            return std::task::Poll::Ready(Err(std::io::Error::other("bad sector")));
        }
        polled
    }
}

#[tokio::test]
async fn a_source_that_breaks_off_leaves_all_as_it_was() {
    let bench = Bench::new();
    std::fs::write(bench.local("f"), "old").unwrap();
    let source = Breaking(std::io::Cursor::new(vec![b'x'; 500_000]));
    // A session of its own, since sshd too kills nothing when a channel ends: the shell on the host has to clean up.
    let (_, probe) = super::frame::login("setsid /bin/sh", "");
    let change = crate::remote::Change::new(probe.host().clone(), &crate::remote::Permit::of_a_real_run());
    let error = change.upload(&bench.at("f"), source, 1_000_000, SUM_OF_ABC, &with_mode(0o600)).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Exec(_)) && error.to_string().contains("bad sector"), "{error}");
    let begun = std::time::Instant::now();
    while bench.names() != ["f"] {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", bench.names());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(std::fs::read(bench.local("f")).unwrap(), b"old");
}

#[tokio::test]
async fn the_old_group_is_kept_where_the_folder_hands_down_its_own() {
    let bench = Bench::new();
    std::fs::create_dir(bench.local("d")).unwrap();
    std::fs::write(bench.local("d/f"), "old").unwrap();
    std::os::unix::fs::chown(bench.local("d"), None, Some(2)).unwrap();
    std::fs::set_permissions(bench.local("d"), std::fs::Permissions::from_mode(0o2755)).unwrap();
    bench.change().write(&bench.at("d/f"), b"new", &Attributes::default()).await.unwrap();
    assert_eq!(bench.local("d/f").metadata().unwrap().gid(), 0);
}
