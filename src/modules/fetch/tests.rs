use super::super::tests::Bench;
use super::ROW;
use crate::modules::table::CheckMode;
use serde_json::json;

#[tokio::test]
async fn a_file_goes_below_its_hosts_name() {
    let bench = Bench::new();
    let from = bench.file("x", "a\nb\n");
    let done = bench.ok(&ROW, "{src: $D/x, dest: got}").await;
    let local = bench.path("got/h1").join(from.strip_prefix("/").unwrap());
    assert_eq!(std::fs::read_to_string(&local).unwrap(), "a\nb\n");
    assert_eq!(done.result["dest"], json!(local.to_str().unwrap()));
    assert_eq!(done.result["checksum"], json!("05dec960e24d918b8a73a1c53bcbbaac2ee5c2e0"));
    assert!(done.changed && !bench.ok(&ROW, "{src: $D/x, dest: got}").await.changed);
    bench.file("x", "other");
    assert!(bench.ok(&ROW, "{src: $D/x, dest: got}").await.changed);
    assert_eq!(std::fs::read_to_string(&local).unwrap(), "other");
    assert_eq!(local.parent().unwrap().read_dir().unwrap().count(), 1, "something is left over");
}

#[tokio::test]
async fn flat_is_the_file_itself_or_its_folder() {
    let bench = Bench::new();
    bench.file("x", "1");
    bench.ok(&ROW, "{src: $D/x, dest: one, flat: yes}").await;
    bench.ok(&ROW, "{src: $D/x, dest: folder/, flat: yes}").await;
    assert_eq!((bench.read("one").as_str(), bench.read("folder/x").as_str()), ("1", "1"));
    assert!(bench.fails(&ROW, "{src: $D/x, dest: folder, flat: yes}").await.msg.contains("trailing slash"));
}

#[tokio::test]
async fn no_path_goes_up_and_nothing_is_taken_unchecked() {
    let bench = Bench::new();
    bench.file("x", "1");
    assert!(bench.fails(&ROW, "{src: $D/../x, dest: got}").await.msg.contains(".."));
    assert!(bench.fails(&ROW, "{src: $D/x, dest: ../got}").await.msg.contains(".."));
    assert!(bench.fails(&ROW, "{src: $D/x, dest: got, validate_checksum: no}").await.msg.contains("turned off"));
    assert_eq!(bench.preflight(&ROW, "{src: /a/../b, dest: got, validate_checksum: no}").len(), 2);
    assert!(!bench.path("got").exists());
}

#[tokio::test]
async fn a_missing_file_fails_unless_told_otherwise() {
    let bench = Bench::new();
    assert!(bench.fails(&ROW, "{src: $D/none, dest: got}").await.msg.contains("does not exist"));
    assert!(!bench.ok(&ROW, "{src: $D/none, dest: got, fail_on_missing: no}").await.changed);
    assert!(bench.fails(&ROW, "{src: $D, dest: got}").await.msg.contains("directory"));
    assert!(matches!(ROW.check, CheckMode::Skipped(_)));
}

#[tokio::test]
async fn nothing_is_left_of_a_file_that_is_longer_than_was_told() {
    let bench = Bench::new();
    let from = bench.file("x", "four");
    bench.program("cat", "#!/bin/sh\nexec yes\n");
    let failure = bench.fails(&ROW, "{src: $D/x, dest: got/, flat: yes}").await;
    let told = ["h1", from.to_str().unwrap(), "expected 4 bytes, found "].map(|part| failure.msg.contains(part));
    assert_eq!(told, [true; 3], "{}", failure.msg);
    assert_eq!(bench.path("got").read_dir().unwrap().count(), 0);
}
