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
