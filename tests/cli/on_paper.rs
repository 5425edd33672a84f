//! What is refused before any host is contacted, as a user sees it.

use super::{Quorate, code, stderr, stdout};

#[test]
fn a_restart_of_all_members_at_once_is_refused_with_a_caret_before_any_host_is_contacted() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n  tasks:\n    - name: Restart\n      etcd_restart: {}\n");
    for check in [&[][..], &["--check"]] {
        let output = quorate.run(&[&["run", "p.yml", "-i", "h1,h2,h3,"], check].concat());
        let text = stderr(&output);
        assert_eq!(code(&output), 5, "{}{text}", stdout(&output));
        assert!(text.contains("error: `etcd_restart` in a play without `rolling:`"), "{text}");
        assert!(text.contains("--> p.yml:4:7") && text.contains("4 |       etcd_restart: {}\n"), "{text}");
        assert!(text.contains("|       ^^^^^^^^^^^^"), "{text}");
        assert!(text.contains("say `rolling: {guard: etcd}` in the play"), "{text}");
    }
    assert!(!quorate.folder.path().join("state").exists(), "no run began");
}

#[test]
fn a_handler_that_restarts_a_member_is_refused_in_a_play_without_turns() {
    let quorate = Quorate::new();
    quorate.file("t", "x").file(
        "p.yml",
        "- hosts: all\n  tasks:\n    - template: { src: t, dest: /t }\n      notify: again\n  handlers:\n    - name: again\n      etcd_restart:\n",
    );
    let output = quorate.run(&["run", "p.yml", "-i", "h1,h2,h3,"]);
    let text = stderr(&output);
    assert!(code(&output) == 5 && text.contains("--> p.yml:7:7"), "{text}");
    assert!(text.contains("`etcd_restart` in a play without `rolling:`"), "{text}");
}

#[test]
fn what_a_module_says_of_turns_is_in_its_description() {
    let text = stdout(&Quorate::new().run(&["doc", "etcd_restart"]));
    assert!(text.contains("needs: its host's turn, in a play with `rolling: {guard: etcd}`"), "{text}");
}

/// The playbook that comes with quorate, with a folder of releases that has 3.10.1.
fn upgrade() -> Quorate {
    let quorate = Quorate::new();
    let playbook = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/etcd-upgrade.yml");
    let folder = quorate.folder.path().join("releases");
    std::fs::create_dir(&folder).unwrap();
    let archive = "etcd-v3.10.1-linux-amd64.tar.gz";
    std::fs::write(folder.join(archive), "").unwrap();
    std::fs::write(folder.join("SHA256SUMS"), format!("{}  {archive}\n", "00".repeat(32))).unwrap();
    quorate.file("up.yml", &std::fs::read_to_string(playbook).unwrap()).file("inv", "[etcd]\nh1\nh2\nh3\n");
    quorate
}

#[test]
fn a_version_that_yaml_takes_for_a_number_is_refused_where_it_was_written() {
    let quorate = upgrade();
    let refused = |vars: &[&str]| {
        let line = [&["run", "up.yml", "-i", "inv", "-e", "etcd_releases=./releases"], vars].concat();
        let output = quorate.run(&line);
        assert_eq!(code(&output), 5, "{}{}", stdout(&output), stderr(&output));
        assert!(!quorate.folder.path().join("state").exists(), "no run began");
        stderr(&output)
    };
    let told = "expected a version such as 2.1.1, found `3.10`, which YAML takes for the number 3.1";
    quorate.file("v.yml", "x: 1\netcd_version: 3.10\n");
    let text = refused(&["-e", "@v.yml"]);
    assert!(text.contains(told) && text.contains("--> v.yml:2:15") && text.contains("used here"), "{text}");
    assert!(text.contains("|               ^^^^") && text.contains("belongs in quotes"), "{text}");
    assert_eq!(text.matches("error:").count(), 1, "the same fault once: {text}");
    assert!(refused(&["-e", "{etcd_version: 3.10}"]).contains(told));
    quorate.file("inv", "[etcd]\nh1\nh2\nh3\n[etcd:vars]\nwanted=3.10\netcd_version='{{ wanted }}'\n");
    let text = refused(&[]);
    assert!(text.contains(told) && text.contains("inv:6:"), "{text}");
    // Text is what was written, and is no version yet.
    let text = refused(&["-e", "etcd_version=3.10"]);
    assert!(text.contains("expected a full version such as 2.1.1, found `3.10`"), "{text}");
    assert!(refused(&["-e", "etcd_version=3.10.2"]).contains("SHA256SUMS lists no etcd-v3.10.2-linux-*.tar.gz"));
    assert!(refused(&["-e", "etcd_version=3.10.1", "-e", "etcd_releases=./relases"]).contains("relases/SHA256SUMS"));
}

#[test]
fn a_version_written_into_a_task_is_looked_at_whatever_the_task_is() {
    for task in ["etcd_downgrade: { version: 3.10 }", "etcd_health: { cluster_version: 3.10 }"] {
        let quorate = Quorate::new();
        quorate.file("p.yml", &format!("- hosts: all\n  rolling: {{ guard: etcd }}\n  tasks:\n    - {task}\n"));
        let output = quorate.run(&["run", "p.yml", "-i", "h1,"]);
        let text = stderr(&output);
        assert!(code(&output) == 5 && text.contains("found `3.10`, which YAML takes for the number 3.1"), "{text}");
    }
}
