use super::super::tests::Bench;
use super::ROW;
use serde_json::json;

#[tokio::test]
async fn a_file_arrives_whole_with_its_attributes_and_stays() {
    let mut bench = Bench::new();
    bench.file("files/app.conf", "a\nb\n");
    let done = bench.converges(&ROW, "{src: app.conf, dest: $D/out.conf, mode: '0640', owner: root, group: '0'}").await;
    assert_eq!((bench.read("out.conf").as_str(), bench.mode("out.conf")), ("a\nb\n", 0o640));
    // printf 'a\nb\n' | sha1sum
    assert_eq!(done.result["checksum"], json!("05dec960e24d918b8a73a1c53bcbbaac2ee5c2e0"));
    assert_eq!((&done.result["mode"], &done.result["state"]), (&json!("0640"), &json!("file")));
    assert_eq!((done.diff[0].before.as_str(), done.diff[0].after.as_str()), ("", "a\nb\n"));
}

#[tokio::test]
async fn text_of_the_playbook_becomes_a_file() {
    let mut bench = Bench::new();
    bench.converges(&ROW, r#"{content: "x=1\n", dest: $D/x}"#).await;
    let done = bench.converges(&ROW, r#"{content: "x=2\n", dest: $D/x}"#).await;
    assert_eq!((done.diff[0].before.as_str(), done.diff[0].after.as_str()), ("x=1\n", "x=2\n"));
    bench.converges(&ROW, r#"{content: {a: [1, "b"]}, dest: $D/j}"#).await;
    assert_eq!(bench.read("j"), r#"{"a": [1, "b"]}"#);
    bench.converges(&ROW, r#"{content: "", dest: $D/empty}"#).await;
    assert_eq!(bench.read("empty"), "");
}

#[tokio::test]
async fn attributes_alone_are_changed_and_shown() {
    let mut bench = Bench::new();
    bench.file("x", "1");
    let done = bench.converges(&ROW, "{content: '1', dest: $D/x, mode: 'u=rw,g=r,o='}").await;
    assert_eq!(bench.mode("x"), 0o640);
    assert_eq!((done.diff[0].before.as_str(), done.diff[0].after.as_str()), ("mode: 0644\n", "mode: 0640\n"));
}

#[tokio::test]
async fn attributes_not_given_are_kept() {
    let bench = Bench::new();
    let path = bench.file("x", "1");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(&path, Some(1234), Some(1235)).unwrap();
    let done = bench.ok(&ROW, "{content: '2', dest: $D/x}").await;
    assert_eq!(
        (&done.result["mode"], &done.result["uid"], &done.result["gid"]),
        (&json!("0600"), &json!(1234), &json!(1235))
    );
}

#[tokio::test]
async fn a_name_with_a_slash_at_its_end_is_a_folder() {
    let mut bench = Bench::new();
    bench.file("app.conf", "a");
    let done = bench.converges(&ROW, "{src: app.conf, dest: $D/new/sub/}").await;
    assert_eq!(bench.read("new/sub/app.conf"), "a");
    assert!(done.result["dest"].as_str().unwrap().ends_with("/new/sub/app.conf"));
    std::fs::create_dir(bench.path("old")).unwrap();
    bench.converges(&ROW, "{src: app.conf, dest: $D/old}").await;
    assert_eq!(bench.read("old/app.conf"), "a");
    let failure = bench.fails(&ROW, "{content: x, dest: $D/old}").await;
    assert!(failure.msg.contains("folder"), "{}", failure.msg);
}

#[tokio::test]
async fn a_folder_is_copied_with_all_in_it() {
    let mut bench = Bench::new();
    bench.file("files/tree/a", "1");
    bench.file("files/tree/sub/b", "2");
    std::fs::create_dir(bench.path("out")).unwrap();
    bench.converges(&ROW, "{src: tree, dest: $D/out, mode: '0600', directory_mode: '0710'}").await;
    assert_eq!((bench.read("out/tree/sub/b").as_str(), bench.mode("out/tree/sub/b")), ("2", 0o600));
    assert_eq!(bench.mode("out/tree/sub"), 0o710);
    bench.converges(&ROW, "{src: tree/, dest: $D/flat}").await;
    assert_eq!((bench.read("flat/a").as_str(), bench.read("flat/sub/b").as_str()), ("1", "2"));
}

#[tokio::test]
async fn without_force_what_is_there_stays() {
    let bench = Bench::new();
    bench.file("x", "1");
    let done = bench.ok(&ROW, "{content: '2', dest: $D/x, force: no}").await;
    assert!(!done.changed);
    assert_eq!(bench.read("x"), "1");
}

#[tokio::test]
async fn the_file_that_is_replaced_is_kept_if_asked() {
    let bench = Bench::new();
    bench.file("x", "1");
    let done = bench.ok(&ROW, "{content: '2', dest: $D/x, backup: yes}").await;
    let kept = done.result["backup_file"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "1");
    assert!(!bench.ok(&ROW, "{content: '2', dest: $D/x, backup: yes}").await.result.contains_key("backup_file"));
}

#[tokio::test]
async fn a_file_that_does_not_pass_is_not_put_in_place() {
    let bench = Bench::new();
    bench.file("x", "good\n");
    let validate = "validate: 'grep -q good %s'";
    let failure = bench.fails(&ROW, &format!("{{content: bad, dest: $D/x, {validate}}}")).await;
    assert!(failure.msg.contains("failed to validate") && failure.result["exit_status"] == json!(1), "{}", failure.msg);
    assert_eq!(bench.read("x"), "good\n");
    bench.ok(&ROW, &format!("{{content: good again, dest: $D/x, {validate}}}")).await;
    assert_eq!(bench.read("x"), "good again");
    bench.fails(&ROW, "{content: more, dest: $D/x, validate: 'true'}").await;
}

#[tokio::test]
async fn a_link_is_replaced_unless_it_is_followed() {
    let mut bench = Bench::new();
    bench.file("real", "1");
    std::os::unix::fs::symlink("real", bench.path("ln")).unwrap();
    bench.converges(&ROW, "{content: '2', dest: $D/ln, follow: yes}").await;
    assert_eq!(bench.read("real"), "2");
    bench.converges(&ROW, "{content: '2', dest: $D/ln}").await;
    assert!(!bench.path("ln").is_symlink());
}

#[tokio::test]
async fn a_file_of_the_host_is_copied_there() {
    let mut bench = Bench::new();
    let path = bench.file("a", "1");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o750)).unwrap();
    bench.converges(&ROW, "{src: $D/a, dest: $D/b, remote_src: yes, mode: preserve}").await;
    assert_eq!((bench.read("b").as_str(), bench.mode("b")), ("1", 0o750));
    assert!(bench.fails(&ROW, "{src: $D/none, dest: $D/c, remote_src: yes}").await.msg.contains("no such file"));
}

#[tokio::test]
async fn binary_and_large_files_show_no_diff() {
    let mut bench = Bench::new();
    bench.file("bin", b"\x7fELF\0\x01");
    assert_eq!(bench.converges(&ROW, "{src: bin, dest: $D/b}").await.diff, vec![]);
    bench.file("large", "x".repeat(104_449));
    assert_eq!(bench.converges(&ROW, "{src: large, dest: $D/l}").await.diff, vec![]);
    assert_eq!(bench.path("l").metadata().unwrap().len(), 104_449);
}

#[tokio::test]
async fn a_user_that_is_not_there_fails_in_a_check_run_too() {
    let bench = Bench::new().checking(true);
    bench.file("x", "1");
    bench.fails(&ROW, "{content: '1', dest: $D/x, owner: nobody-of-that-name}").await;
}

#[test]
fn local_files_are_looked_for_on_paper() {
    let bench = Bench::new();
    bench.file("files/a", "1");
    assert_eq!(bench.preflight(&ROW, "{src: a, dest: /x}").len(), 0);
    assert_eq!(bench.preflight(&ROW, "{src: '{{ a }}', dest: /x}").len(), 0);
    assert_eq!(bench.preflight(&ROW, "{src: /none, dest: /x, remote_src: yes}").len(), 0);
    let problems = bench.preflight(&ROW, "{src: none, dest: /x}");
    assert!(problems[0].message.contains("could not find `none`"), "{problems:?}");
    assert_eq!(bench.preflight(&ROW, "{src: a, dest: x/y}").len(), 1);
}
