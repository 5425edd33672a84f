use super::super::tests::Bench;
use super::ROW;
use serde_json::json;

#[tokio::test]
async fn a_file_is_known_in_full() {
    let bench = Bench::new().checking(true);
    bench.file("x", "a\nb\n");
    let stat = bench.ok(&ROW, "{path: $D/x}").await.result["stat"].clone();
    let expected = json!({
        "exists": true, "isreg": true, "isdir": false, "islnk": false, "mode": "0644", "size": 4, "uid": 0, "gid": 0,
        "pw_name": "root", "gr_name": "root", "nlink": 1, "readable": true, "writeable": true, "executable": false,
        "rusr": true, "wgrp": false, "checksum": "05dec960e24d918b8a73a1c53bcbbaac2ee5c2e0",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&stat[name], value, "{name}");
    }
    assert!(stat["mtime"].as_f64().unwrap() > 1e9 && stat["inode"].as_u64().unwrap() > 0 && stat["path"].is_string());
    assert!(stat["mimetype"].is_string() && stat["attributes"].is_array());
}

#[tokio::test]
async fn what_is_not_there_does_not_exist() {
    let bench = Bench::new();
    bench.file("x", "1");
    for path in ["$D/none", "$D/none/deeper", "$D/x/below"] {
        assert_eq!(bench.ok(&ROW, &format!("{{path: {path}}}")).await.result["stat"], json!({"exists": false}));
    }
}

#[tokio::test]
async fn a_link_is_itself_unless_it_is_followed() {
    let bench = Bench::new();
    bench.file("x", "1");
    std::os::unix::fs::symlink("x", bench.path("ln")).unwrap();
    std::os::unix::fs::symlink("none", bench.path("broken")).unwrap();
    let stat = bench.ok(&ROW, "{path: $D/ln}").await.result["stat"].clone();
    assert_eq!((&stat["islnk"], &stat["lnk_target"], stat.get("checksum")), (&json!(true), &json!("x"), None));
    assert!(stat["lnk_source"].as_str().unwrap().ends_with("/x"));
    let stat = bench.ok(&ROW, "{path: $D/ln, follow: yes, checksum_algorithm: sha256}").await.result["stat"].clone();
    // printf 1 | sha256sum
    let sum = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";
    assert_eq!((&stat["isreg"], &stat["checksum"]), (&json!(true), &json!(sum)));
    assert_eq!(bench.ok(&ROW, "{path: $D/broken, follow: yes}").await.result["stat"]["exists"], json!(false));
    assert_eq!(bench.ok(&ROW, "{path: $D/broken}").await.result["stat"]["islnk"], json!(true));
}

#[tokio::test]
async fn what_is_not_asked_for_is_left_out() {
    let bench = Bench::new();
    bench.file("x", "1");
    let stat =
        bench.ok(&ROW, "{path: $D/x, get_checksum: no, get_mime: no, get_attributes: no}").await.result["stat"].clone();
    for name in ["checksum", "mimetype", "attributes"] {
        assert!(stat.get(name).is_none(), "{name}");
    }
    assert_eq!(bench.ok(&ROW, "{path: $D}").await.result["stat"]["isdir"], json!(true));
}
