use super::super::tests::Bench;
use super::ROW;
use serde_json::json;

#[tokio::test]
async fn bytes_come_in_base64_in_a_check_run_too() {
    let bench = Bench::new().checking(true);
    bench.file("x", b"a\0\xff\n");
    let done = bench.ok(&ROW, "{src: $D/x}").await;
    assert_eq!((&done.result["content"], &done.result["encoding"]), (&json!("YQD/Cg=="), &json!("base64")));
    assert!(!done.changed);
}

#[tokio::test]
async fn what_is_no_file_or_too_large_is_refused_with_numbers() {
    let bench = Bench::new();
    assert!(bench.fails(&ROW, "{src: $D/none}").await.msg.contains("file not found"));
    assert!(bench.fails(&ROW, "{src: $D}").await.msg.contains("is a directory"));
    std::fs::File::create(bench.path("large")).unwrap().set_len(16 * 1024 * 1024 + 1).unwrap();
    assert!(bench.fails(&ROW, "{src: $D/large}").await.msg.contains("16777217 bytes"));
}
