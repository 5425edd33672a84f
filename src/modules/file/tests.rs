use super::super::tests::Bench;
use super::ROW;
use serde_json::json;

#[tokio::test]
async fn a_folder_is_made_with_its_parents_and_removed() {
    let mut bench = Bench::new();
    let done = bench.converges(&ROW, "{path: $D/a/b, state: directory, mode: '0750'}").await;
    assert_eq!((bench.mode("a"), bench.mode("a/b")), (0o750, 0o750));
    assert_eq!((&done.result["state"], &done.result["mode"]), (&json!("directory"), &json!("0750")));
    bench.file("a/b/c", "1");
    bench.converges(&ROW, "{path: $D/a, state: absent}").await;
    assert!(!bench.path("a").exists());
}

#[tokio::test]
async fn attributes_of_all_in_a_folder_are_set() {
    let mut bench = Bench::new();
    bench.file("a/b/c", "1");
    bench.file("a/d", "1");
    bench.converges(&ROW, "{path: $D/a, state: directory, recurse: yes, mode: 'u=rwX,g=rX,o='}").await;
    assert_eq!((bench.mode("a/b"), bench.mode("a/b/c"), bench.mode("a/d")), (0o750, 0o640, 0o640));
    bench.converges(&ROW, "{path: $D/a, recurse: yes, owner: '1234', group: '1234'}").await;
    bench.converges(&ROW, "{path: $D/a, recurse: yes, mode: '0700'}").await;
    assert_eq!(bench.mode("a/b/c"), 0o700);
}

#[tokio::test]
async fn a_file_gets_attributes_but_is_not_made() {
    let mut bench = Bench::new();
    bench.file("x", "1");
    let done = bench.converges(&ROW, "{path: $D/x, mode: 'u+x'}").await;
    assert_eq!(bench.mode("x"), 0o744);
    assert_eq!(done.diff[0].after, "mode: 0744\n");
    assert!(bench.fails(&ROW, "{path: $D/none, mode: '0644'}").await.msg.contains("absent"));
    assert!(bench.fails(&ROW, "{path: $D, state: file}").await.msg.contains("directory"));
    assert!(bench.fails(&ROW, "{path: $D/x, state: directory}").await.msg.contains("is a file"));
}

#[tokio::test]
async fn a_link_is_made_and_moved() {
    let mut bench = Bench::new();
    bench.file("one", "1");
    bench.file("two", "2");
    let done = bench.converges(&ROW, "{src: one, dest: $D/ln, state: link}").await;
    assert_eq!((bench.read("ln").as_str(), &done.result["src"]), ("1", &json!("one")));
    bench.converges(&ROW, "{src: $D/two, dest: $D/ln, state: link}").await;
    assert_eq!(bench.read("ln"), "2");
    assert!(bench.fails(&ROW, "{src: none, dest: $D/l2, state: link}").await.msg.contains("does not exist"));
    bench.converges(&ROW, "{src: none, dest: $D/l2, state: link, force: yes}").await;
    assert!(bench.fails(&ROW, "{src: one, dest: $D/two, state: link}").await.msg.contains("without force"));
    bench.converges(&ROW, "{src: one, dest: $D/two, state: link, force: yes}").await;
    assert!(bench.path("two").is_symlink());
}

#[tokio::test]
async fn a_link_gives_its_attributes_to_what_it_leads_to() {
    let mut bench = Bench::new();
    bench.file("real", "1");
    std::os::unix::fs::symlink("real", bench.path("ln")).unwrap();
    bench.converges(&ROW, "{path: $D/ln, src: real, state: link, mode: '0600'}").await;
    assert_eq!(bench.mode("real"), 0o600);
    assert!(bench.path("ln").is_symlink());
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_never_turned_into_a_link() {
    let mut bench = Bench::new();
    bench.file("d/x", "1");
    let failure = bench.fails(&ROW, "{src: /tmp, dest: $D/d, state: link, force: yes}").await;
    assert!(failure.msg.contains("1 entries"), "{}", failure.msg);
    std::fs::remove_file(bench.path("d/x")).unwrap();
    bench.converges(&ROW, "{src: /tmp, dest: $D/d, state: link, force: yes}").await;
}

#[tokio::test]
async fn a_hard_link_is_another_name_of_the_file() {
    let mut bench = Bench::new();
    bench.file("a", "1");
    bench.converges(&ROW, "{src: $D/a, dest: $D/b, state: hard}").await;
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&bench.path("a").metadata().unwrap()), 2);
    bench.file("c", "2");
    bench.fails(&ROW, "{src: $D/a, dest: $D/c, state: hard}").await;
    bench.converges(&ROW, "{src: $D/a, dest: $D/c, state: hard, force: yes}").await;
}

#[tokio::test]
async fn a_touch_always_changes_unless_times_are_preserved() {
    let bench = Bench::new();
    for _ in 0..2 {
        let done = bench.ok(&ROW, "{path: $D/t, state: touch, mode: '0600'}").await;
        assert!(done.changed && done.result.contains_key("dest"));
    }
    assert_eq!(bench.mode("t"), 0o600);
    let kept = "{path: $D/t, state: touch, access_time: preserve, modification_time: preserve}";
    assert!(!bench.ok(&ROW, kept).await.changed);
    let before = bench.tree();
    assert!(bench.checking(true).ok(&ROW, "{path: $D/t, state: touch}").await.changed);
    assert!(!before.is_empty());
}

#[tokio::test]
async fn what_is_of_the_system_is_not_removed() {
    let bench = Bench::new();
    assert!(bench.fails(&ROW, "{path: /usr/lib, state: absent}").await.msg.contains("refused"));
    bench.fails(&ROW, "{path: $D/x, state: touch, recurse: yes}").await;
    bench.fails(&ROW, "{path: $D/x, state: touch, src: y}").await;
}
