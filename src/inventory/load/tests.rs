use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn load(files: &[(&str, &str)]) -> Result<(Inventory, Vec<String>), InventoryError> {
    let folder = folder(files);
    let (inventory, warnings) = Inventory::load(&[folder.path().join(files[0].0)], None)?;
    Ok((inventory, warnings.into_iter().map(|warning| warning.message).collect()))
}

/// The message for one source of that name and text, from its line on.
fn refusal(name: &str, text: &str) -> String {
    match load(&[(name, text)]).unwrap_err() {
        InventoryError::Text(problems) => {
            let problem = &problems[0];
            let (line, col) = problem.place.line_col();
            let help = problem.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{line}:{col}: {}{help}", problem.message)
        }
        InventoryError::File { message, .. } => message,
        InventoryError::Read { source, .. } => source.to_string(),
    }
}

#[test]
fn refuses_hostile_names_with_their_place() {
    for (name, expected) in [
        ("-oProxyCommand=x", "2:1: a host name may not begin with `-`"),
        ("'a;id'", "2:1: a host name may not contain `;`"),
        ("'$(id)'", "2:1: a host name may not contain `$`"),
        ("a|b", "2:1: a host name may not contain `|`"),
        ("a\u{1b}[2J", "2:2: control character U+001B"),
        ("a\0", "2:2: control character U+0000"),
        ("a\u{202e}b", "2:1: a host name may not contain U+202E"),
        ("../../etc/passwd", "2:1: a host name may not be a path"),
        ("h:0", "2:1: `0` is not a port"),
        ("h:65536", "2:1: `65536` is not a port"),
        ("h:022", "2:1: `022` is not a port"),
        ("h ansible_port=0x16", "2:3: `0x16` is not a port"),
        ("h ansible_port=1e9", "2:3: `1e9` is not a port"),
        ("n[1:999999999]", "2:1: `n[1:999999999]`: this names more than 100000 hosts"),
        ("h ansbile_user=x", "2:3: unknown connection variable `ansbile_user` (did you mean `ansible_user`?)"),
        ("h a='b", "2:5: no closing quote"),
    ] {
        let message = refusal("hosts.ini", &format!("[g]\n{name}\n"));
        assert!(message.starts_with(expected), "{name:?}: {message}");
    }
}

#[test]
fn refuses_too_many_hosts_over_several_lines() {
    let text: String = (0..11).map(|i| format!("h{i}-[1:10000]\n")).collect();
    assert!(refusal("hosts.ini", &text).contains("more than 100000 hosts"));
}

#[test]
fn shows_all_faults_of_a_file_at_once() {
    let Err(InventoryError::Text(problems)) = load(&[("hosts.ini", "h a\n[p:children]\nweb1\n[web]\nh b\n")]) else {
        panic!("not refused")
    };
    let lines: Vec<usize> = problems.iter().map(|problem| problem.place.line_col().0).collect();
    assert_eq!(lines, [1, 5, 3]);
    assert_eq!(problems[2].help.as_deref(), Some("did you mean `web`?"));
}

#[test]
fn refuses_slips_in_yaml() {
    assert!(refusal("h.yml", "g:\n  hots:\n    h1:\n").contains("did you mean `hosts`?"));
    assert!(refusal("h.yml", "g:\n  hosts:\n    h1:\n    h1:\n").starts_with("4:5: the key `h1` is given twice"));
    assert!(refusal("h.yml", "plugin: aws_ec2\n").contains("plugins are not supported"));
    assert!(refusal("h.yml", "- h1\n").contains("this is a list"));
    assert!(refusal("h.yml", "g: {hosts: {h1: {ansible_port: 022}}}").contains("is not a port"));
    assert!(refusal("h.yml", "g: {children: {all: }}").contains("`all` contains every group"));
    assert!(refusal("h.yml", &"[".repeat(100_000)).contains("64 levels"));
    assert!(refusal("hosts.toml", "").contains("TOML"));
}

#[test]
fn refuses_groups_nested_without_end() {
    let text: String = (0..100).map(|i| format!("[g{i}:children]\ng{}\n", i + 1)).chain(["[g100]\n".into()]).collect();
    assert!(refusal("hosts.ini", &text).contains("more than 64 levels"));
}

#[test]
fn takes_a_byte_order_mark_and_crlf() {
    let (inventory, _) = load(&[("hosts.ini", "\u{feff}[g]\r\nh1 a=1\r\nh2\r\n")]).unwrap();
    assert_eq!(inventory.hosts_of("g"), ["h1", "h2"]);
}

#[test]
fn odd_bytes_pass_in_comments_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.ini");
    std::fs::write(&path, b"# caf\xe9\nh1\n").unwrap();
    assert!(Inventory::load(std::slice::from_ref(&path), None).is_ok());
    std::fs::write(&path, b"h1\nh2 a=\xe9\n").unwrap();
    let error = Inventory::load(std::slice::from_ref(&path), None).unwrap_err().to_string();
    assert!(error.ends_with("hosts.ini:2:6: not UTF-8 text"), "{error}");
    std::fs::write(&path, b"\xff\xfeh\0").unwrap();
    assert!(Inventory::load(&[path], None).unwrap_err().to_string().ends_with("this is UTF-16"));
}

#[test]
fn refuses_what_others_could_have_written() {
    let folder = folder(&[("hosts", "h1\n"), ("group_vars/all.yml", "a: 1\n")]);
    let path = folder.path().join("hosts");
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let refused = || Inventory::load(std::slice::from_ref(&path), None).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(refused(), Ok(()));
    mode(&path, 0o666);
    assert!(refused().unwrap_err().contains("everybody on this machine may write to this file"));
    mode(&path, 0o644);
    mode(folder.path(), 0o777);
    assert!(refused().unwrap_err().contains("may replace files in its folder"));
    mode(folder.path(), 0o1777);
    assert_eq!(refused(), Ok(()));
    mode(folder.path(), 0o700);
    mode(&folder.path().join("group_vars/all.yml"), 0o666);
    assert!(refused().unwrap_err().contains("all.yml"));
}

#[test]
fn refuses_programs_and_what_is_no_file() {
    let folder = folder(&[("hosts", "#!/bin/sh\necho\n")]);
    let path = folder.path().join("hosts");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = Inventory::load(&[path], None).unwrap_err().to_string();
    assert!(error.contains("executable inventories are not supported"), "{error}");
    let error = Inventory::load(&["/dev/null".into()], None).unwrap_err().to_string();
    assert!(error.contains("not a plain file"), "{error}");
    let error = Inventory::load(&["/nowhere/hosts".into()], None).unwrap_err().to_string();
    assert!(error.contains("no such inventory"), "{error}");
}

#[test]
fn refuses_a_file_over_its_cap() {
    assert_eq!(refusal("hosts.ini", &"#".repeat(17 << 20)), "over 16 MiB");
}

#[test]
fn refuses_vaults_and_variables_that_are_no_mapping() {
    let error = load(&[("hosts", "h1\n"), ("host_vars/h1.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n")]).unwrap_err();
    assert!(error.to_string().contains("encrypted with Ansible Vault"));
    let error = load(&[("hosts", "h1\n"), ("host_vars/h1.yml", "- a\n")]).unwrap_err();
    assert!(error.to_string().ends_with("h1.yml:1:1: a variables file is a mapping, this is a list"), "{error}");
}

#[test]
fn reads_host_lists() {
    let (inventory, _) = Inventory::load(&["h1,h2:2222, [2001:db8::1]:22,".into()], None).unwrap();
    assert_eq!(inventory.host_names().collect::<Vec<_>>(), ["h1", "h2", "2001:db8::1"]);
    assert_eq!(inventory.host_var("h2", "ansible_port").unwrap().to_json(), 2222);
    let error = Inventory::load(&["h1,h 2".into()], None).unwrap_err().to_string();
    assert_eq!(error, "<host list>:1:4: a host name may not contain a space: `h 2`");
}

#[test]
fn warns_of_what_is_hardly_meant() {
    let (_, warnings) =
        load(&[("hosts", "[a]\na\nx[3:1]\nb ansible_host=10.0.0.1\nc ansible_ssh_host=10.0.0.1\n[my-group]\n")])
            .unwrap();
    let text = warnings.join("\n");
    for part in ["runs backwards", "`a` is both a host and a group", "my-group", "b and c are the same machine"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, warnings) = load(&[("hosts", "h1\n"), ("host_vars/h1", ""), ("host_vars/h1.yml", "")]).unwrap();
    assert!(warnings[0].contains("h1.yml is not read"), "{warnings:?}");
}

#[test]
fn an_extensionless_file_is_yaml_or_ini() {
    let (inventory, _) = load(&[("hosts", "---\ng:\n  hosts:\n    h1:\n")]).unwrap();
    assert_eq!(inventory.hosts_of("g"), ["h1"]);
    let (inventory, _) = load(&[("hosts", "[g]\nh1 a=b\n")]).unwrap();
    assert_eq!(inventory.hosts_of("g"), ["h1"]);
    assert!(refusal("hosts", "---\ng:\n  hosts: [\n").contains("not YAML"));
}

#[test]
fn each_level_of_variables_beats_those_below_it() {
    let levels = [
        ("2", "inv/hosts", "[all:vars]\n"),
        ("3", "inv/hosts", "[web:vars]\n"),
        ("4", "inv/group_vars/all.yml", ""),
        ("5", "pb/group_vars/all.yml", ""),
        ("6", "inv/group_vars/web.yml", ""),
        ("7", "pb/group_vars/web.yml", ""),
        ("8", "inv/hosts", "h1"),
        ("9", "inv/host_vars/h1.yml", ""),
        ("10", "pb/host_vars/h1.yml", ""),
    ];
    for top in 1..=levels.len() {
        let set = |wanted: &str| levels[..top].iter().any(|(level, ..)| *level == wanted);
        let ini = format!(
            "[web]\nh1{}\n{}{}",
            if set("8") { " v=8" } else { "" },
            if set("2") { "[all:vars]\nv=2\n" } else { "" },
            if set("3") { "[web:vars]\nv=3\n" } else { "" },
        );
        let folder = folder(&[("inv/hosts", ini.as_str())]);
        for (level, path, _) in levels[..top].iter().filter(|(_, path, _)| path.ends_with(".yml")) {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("v: {level}\n")).unwrap();
        }
        let loaded = Inventory::load(&[folder.path().join("inv/hosts")], Some(&folder.path().join("pb")));
        let (inventory, _) = loaded.unwrap();
        let expected: i64 = levels[top - 1].0.parse().unwrap();
        assert_eq!(inventory.host_vars("h1")["v"].to_json(), expected, "top level {expected}");
        assert_eq!(inventory.host_var("h1", "v").unwrap().to_json(), expected);
    }
}

#[test]
fn depth_counts_before_priority_and_priority_before_name() {
    let text = "[p:children]\ndeep\n[deep]\nh\n[a]\nh\n[b]\nh\n[deep:vars]\nx=deep\n[a:vars]\nx=a\ny=a\nansible_group_priority=5\n\
                [b:vars]\nx=b\ny=b\n";
    let (inventory, _) = load(&[("hosts", text)]).unwrap();
    let vars = inventory.host_vars("h");
    assert_eq!((vars["x"].as_str(), vars["y"].as_str()), (Some("deep"), Some("a")));
    assert!(!vars.contains_key("ansible_group_priority"));
    assert_eq!(inventory.group_names_of("h"), ["a", "b", "deep", "p"]);
    assert_eq!(inventory.groups()["p"], ["h"]);
}

#[test]
fn an_unmentioned_localhost_is_local_and_has_the_variables_of_all() {
    let (inventory, _) = load(&[("hosts", "h1\n[all:vars]\nx=1\n")]).unwrap();
    let vars = inventory.host_vars("localhost");
    assert_eq!((vars["ansible_connection"].as_str(), vars["x"].to_json()), (Some("local"), 1.into()));
    assert!(inventory.is_implicit("localhost") && !inventory.hosts_of("all").contains(&"localhost"));
}

#[test]
fn ten_thousand_hosts_load_within_seconds() {
    let started = std::time::Instant::now();
    let text = "[etcd]\nn[00001:10000].example.com ansible_user=ops rack=7\n[etcd:vars]\na=1\n";
    let (inventory, _) = load(&[("hosts.ini", text)]).unwrap();
    assert_eq!(inventory.hosts_of("all").len(), 10_000);
    assert_eq!(inventory.host_vars("n09999.example.com").len(), 3);
    // A debug build on a busy machine of 2 cores takes about 1 s; quadratic work would take minutes.
    assert!(started.elapsed().as_secs() < 60);
}
