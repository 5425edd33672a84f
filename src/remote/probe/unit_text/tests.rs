use super::*;

fn read(texts: &[&str]) -> Result<ServiceText, String> {
    let mut service = ServiceText::default();
    texts.iter().try_for_each(|text| service.read(text))?;
    Ok(service)
}

fn service(lines: &str) -> Result<ServiceText, String> {
    read(&[&format!("[Service]\n{lines}\n")])
}

#[test]
fn a_unit_is_read_with_comments_and_lines_that_go_on() {
    let text = "# first\n[Unit]\nDescription=a b % \"c\n\n[Service]\n; second\n  Type = notify\nUser=etcd\n\
                ExecStart=/usr/local/bin/etcd \\\n    --name=a \\\n\t--data-dir '/var/lib/e d' \"--x=\\\"y\\\"\" 50%%\n\
                EnvironmentFile=-/etc/default/etcd\n[Install]\nWantedBy=multi-user.target\n";
    let unit = read(&[text]).unwrap();
    let words = ["/usr/local/bin/etcd", "--name=a", "--data-dir", "/var/lib/e d", "--x=\"y\"", "50%"];
    assert_eq!(unit.command().unwrap(), words);
    assert_eq!(unit.kind(), "notify");
    assert_eq!(unit.environment_files(), [(RemotePath::from_absolute("/etc/default/etcd").unwrap(), true)]);
}

#[test]
fn an_empty_value_resets_a_list_and_only_that() {
    let unit = "[Service]\nExecStart=/bin/a\nEnvironment=A=1 \"B=2 3\"\nEnvironmentFile=/e\n";
    let both = read(&[unit, "[Service]\nEnvironment=A=4\n"]).unwrap();
    let pairs = |service: &ServiceText| {
        service.environment().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(pairs(&both), ["A=1", "B=2 3", "A=4"]);
    let reset = read(&[unit, "[Service]\nExecStart=\nExecStart=/bin/b\nEnvironment=\nEnvironmentFile=\n"]).unwrap();
    assert_eq!((reset.command().unwrap(), pairs(&reset)), (["/bin/b".to_owned()].as_slice(), Vec::new()));
    assert!(reset.environment_files().is_empty());
    assert!(read(&[unit, "[Service]\nExecStart=/bin/b\n"]).unwrap().command().unwrap_err().contains("found 2"));
    assert_eq!(reset.kind(), "simple");
}

#[test]
fn specifiers_that_are_known_are_put_in_and_seen_where_they_stand() {
    let text =
        "[Service]\nExecStart=/bin/etcd --name=%H \"--x=%p %%\"\nEnvironmentFile=-/etc/default/%p\nEnvironment=A=%n\n";
    let mut unit = ServiceText::of(Specifiers::of("etcd.service").on("node1"));
    unit.read(text).unwrap();
    assert_eq!(unit.command().unwrap(), ["/bin/etcd", "--name=node1", "--x=etcd %"]);
    assert_eq!(unit.environment(), [("A".to_owned(), "etcd.service".to_owned())]);
    assert_eq!(unit.environment_files()[0].0.as_str(), "/etc/default/etcd");
    let place = &unit.command_places()[1];
    assert_eq!((&text[place.word.clone()], place.bytes.len()), ("--name=%H", "--name=node1".len()));
    assert!(place.bytes[7..].iter().all(|bytes| &text[bytes.clone()] == "%H"));
    assert!(unit.has_specifiers());
    assert!(!service("ExecStart=/bin/a 50%%").unwrap().has_specifiers());
}

#[test]
fn what_is_not_understood_for_sure_is_refused() {
    for bad in [
        "ExecStart=/bin/a %i",
        "ExecStart=/bin/a \"b",
        "ExecStart=/bin/a --x=\"b c\"",
        "ExecStart=/bin/a \"b\"c",
        "ExecStart=/bin/a \\x41",
        "ExecStart=/bin/a ; /bin/b",
        "ExecStart=/bin/a \\\n# comment\n b",
        "ExecStart=/bin/a \\",
        "EnvironmentFile=/etc/*.env",
        "EnvironmentFile=etcd",
        "EnvironmentFile=/etc/%n",
        "Environment=A",
        "Environment=1A=2",
        "nothing",
        "[Service",
        "Type=simple\r",
    ] {
        assert!(service(bad).is_err(), "{bad}");
    }
    assert!(read(&["ExecStart=/bin/a\n"]).is_err());
    for prefix in ["-", "+", "!", "@", ":", "bin"] {
        assert!(service(&format!("ExecStart={prefix}/bin/a")).unwrap().command().is_err(), "{prefix}");
    }
    // An even number of backslashes at the end is no line that goes on.
    assert_eq!(service("ExecStart=/bin/a \\\\").unwrap().command().unwrap(), ["/bin/a", "\\"]);
}

#[test]
fn another_user_or_another_view_of_the_files_is_seen() {
    let now = service("User=etcd\nLimitNOFILE=1").unwrap();
    let then = service("User=etcd\nUser=root\nWorkingDirectory=/x\nLimitNOFILE=2").unwrap();
    assert_eq!(now.other_surroundings(&then), ["User", "WorkingDirectory"]);
    assert!(now.other_surroundings(&now.clone()).is_empty());
}
