use super::*;
use crate::remote::patched;

const TEXT: &str = "# etcd of this host\nname: 'a'   # as the host\ndata-dir: \"/var/lib/etcd\"\n\nauto-compaction-retention: 1 # hours\n\
    log-output: stderr\ndebug: true\nproxy: off\nstrict-reconfig-check: yes\ncipher-suites: [A, B]\nwal-dir:\n\
    client-transport-security:\n  cert-file: /c.pem # x\n  ca-file: /ca.pem\n  client-cert-auth: false\n\
    peer-transport-security:\n  cert-file: /p.pem\n  ca-file: /pca.pem\nlog-package-levels: x\n";

fn path() -> RemotePath {
    RemotePath::from_absolute("/etc/etcd/etcd.yml").unwrap()
}

fn found(name: &str, text: &str) -> KeyPlace {
    let all = keys(&super::tests::path(), text).unwrap();
    all.into_iter().find(|place| place.key.name == name).unwrap()
}

/// The text with that option said otherwise.
fn becomes(text: &str, name: &str, becomes: &Becomes) -> Option<String> {
    patched(text, found(name, text).patches(text, becomes)?)
}

fn other(name: &str, value: Option<&str>, also: Option<(&str, &str)>) -> Becomes {
    let also = also.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Becomes::Other { name: name.to_owned(), value: value.map(str::to_owned), also }
}

#[test]
fn a_file_is_read_as_options() {
    let all = keys(&path(), TEXT).unwrap();
    let said: Vec<(&str, &str, Shape)> =
        all.iter().map(|place| (place.key.name.as_str(), place.key.value.as_str(), place.key.shape)).collect();
    let text = Shape::Text;
    assert_eq!(
        said,
        [
            ("name", "a", text),
            ("data-dir", "/var/lib/etcd", text),
            ("auto-compaction-retention", "1", Shape::Number),
            ("log-output", "stderr", text),
            ("debug", "true", text),
            ("proxy", "off", text),
            ("strict-reconfig-check", "true", text),
            ("cipher-suites", "A,B", Shape::List),
            ("cert-file", "/c.pem", text),
            ("ca-file", "/ca.pem", text),
            ("client-cert-auth", "false", text),
            ("peer-cert-file", "/p.pem", text),
            ("peer-ca-file", "/pca.pem", text),
            ("log-package-levels", "x", text),
        ]
    );
    assert!(keys(&path(), "- a\n").is_err() && keys(&path(), "a: b: c\n").is_err());
    assert!(keys(&path(), "# nothing\n").unwrap().is_empty());
    // JSON is YAML.
    let json = "{\"name\": \"a\", \"peer-transport-security\": {\"auto-tls\": true}}";
    let all: Vec<_> = keys(&path(), json).unwrap().into_iter().map(|place| place.key.name).collect();
    assert_eq!(all, ["name", "peer-auto-tls"]);
}

#[test]
fn an_option_is_said_otherwise_and_all_else_stays() {
    let is = |name: &str, new: &Becomes, old: &str, text: &str| {
        assert_eq!(becomes(TEXT, name, new).unwrap(), TEXT.replacen(old, text, 1), "{name}");
    };
    is("debug", &other("log-level", Some("debug"), None), "debug: true", "log-level: debug");
    is("log-output", &other("log-outputs", Some("[stderr]"), None), "log-output: stderr", "log-outputs: [stderr]");
    let quoted = other("auto-compaction-retention", Some("\"1\""), None);
    is("auto-compaction-retention", &quoted, "retention: 1 #", "retention: \"1\" #");
    is("log-package-levels", &Becomes::Nothing, "log-package-levels: x\n", "");
    let also = other("peer-trusted-ca-file", None, Some(("peer-client-cert-auth", "true")));
    is("peer-ca-file", &also, "  ca-file: /pca.pem", "  client-cert-auth: true\n  trusted-ca-file: /pca.pem");
    is("data-dir", &Becomes::Longer("x".to_owned()), "\"/var/lib/etcd\"", "\"/var/lib/etcdx\"");
    is("name", &other("title", None, None), "name: 'a'", "title: 'a'");
}

#[test]
fn a_flow_is_edited_in_place_or_not_at_all() {
    let json = "{\"ca-file\": \"/x\", \"client-transport-security\": {\"ca-file\": \"/ca\"}}";
    let also = other("trusted-ca-file", None, Some(("client-cert-auth", "true")));
    let all = keys(&path(), json).unwrap();
    let new = patched(json, all[1].patches(json, &also).unwrap()).unwrap();
    assert_eq!(
        new,
        json.replacen("{\"ca-file\": \"/ca\"}", "{client-cert-auth: true, \"trusted-ca-file\": \"/ca\"}", 1)
    );
    assert_eq!(becomes(json, "ca-file", &Becomes::Nothing), None);
    assert_eq!(with_key(json, "a", "b"), None);
}

#[test]
fn a_key_is_added_at_the_end() {
    assert_eq!(with_key("# c\nname: a", "b", "c").unwrap(), "# c\nname: a\nb: c\n");
    assert_eq!(with_key("name: a\nx:\n  y: z\n", "b", "c").unwrap(), "name: a\nx:\n  y: z\nb: c\n");
    assert_eq!(with_key("name: a\n...\n", "b", "c"), None);
}

#[test]
fn an_option_does_not_leave_its_section() {
    let text = "experimental-peer-skip-client-san-verification: true\n";
    let new = other("peer-skip-client-san-verification", None, None);
    assert_eq!(becomes(text, "experimental-peer-skip-client-san-verification", &new), None);
}

#[test]
fn a_snapshot_count_is_set_for_a_while_and_the_text_comes_back_byte_for_byte() {
    for text in [
        "# c\n---\nname: a\nsnapshot-count: 5000 # ours\nx: y",
        "name: a\n",
        "snapshot-count: 7\n",
        "client-transport-security:\n  auto-tls: true",
    ] {
        let new = with_snapshots(&path(), text, 100).unwrap();
        let counts: Vec<_> =
            keys(&path(), &new).unwrap().into_iter().filter(|place| place.key.name == "snapshot-count").collect();
        assert_eq!((counts.len(), counts[0].key.value.as_str()), (1, "100"), "{new}");
        assert_eq!(with_snapshots(&path(), &new, 100).unwrap(), new);
        assert_eq!(without_snapshots(&new), text);
    }
    assert_eq!(with_snapshots(&path(), "{name: a}", 100), None);
    assert_eq!(without_snapshots(TEXT), TEXT);
}
