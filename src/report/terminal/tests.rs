mod open;
mod rounds;

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::events::{Diff, Fault, Kind, Status, Verdict};

fn look() -> Look {
    Look { style: Style { colour: false }, verbosity: 0, width: 79, journal: None, head: Head::default() }
}

/// What is printed for these events, one a second.
fn printed_with(look: Look, kinds: Vec<Kind>) -> String {
    let mut out = Vec::new();
    let mut terminal = Terminal::plain(&mut out, look);
    for (seq, kind) in kinds.into_iter().enumerate() {
        let seq = seq as u64;
        let event = Event { seq, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::from_secs(seq), kind };
        terminal.write(&event).unwrap();
    }
    String::from_utf8(out).unwrap()
}

fn printed(kinds: Vec<Kind>) -> String {
    printed_with(look(), kinds)
}

fn task(module: &str) -> Kind {
    Kind::TaskStarted {
        name: format!("Use {module}"),
        module: module.to_owned(),
        place: "p.yml:3:5".to_owned(),
        handler: false,
        acts: false,
    }
}

fn ended(host: &str, status: Status, changed: bool, result: Value) -> Kind {
    Kind::TaskEnded {
        host: host.to_owned(),
        task: "t".to_owned(),
        status,
        changed,
        fault: None,
        result: result.as_object().unwrap().clone(),
        diff: Vec::new(),
        delegated_to: None,
    }
}

fn item(host: &str, item: &str, status: Status, result: Value) -> Kind {
    let result = result.as_object().unwrap().clone();
    Kind::ItemEnded { host: host.to_owned(), item: json!(item), status, changed: true, result }
}

#[test]
fn banners_are_filled_to_ansibles_width() {
    let text = printed(vec![Kind::PlayStarted { name: "Upgrade".to_owned(), hosts: vec![] }, task("copy")]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], format!("PLAY [Upgrade] {}", "*".repeat(65)));
    assert_eq!(lines[3], format!("TASK [Use copy] {}", "*".repeat(64)));
}

#[test]
fn each_status_has_ansibles_word() {
    let text = printed(vec![
        task("command"),
        ended("n1", Status::Ok, false, json!({"stdout": "quiet"})),
        ended("n2", Status::Ok, true, json!({})),
        ended("n3", Status::Skipped, false, json!({"false_condition": "x == 1"})),
        ended("n4", Status::Unreachable, false, json!({"msg": "no route"})),
    ]);
    let rest: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(
        rest,
        ["ok: [n1]", "changed: [n2]", "skipping: [n3] (x == 1 is false)", "fatal: [n4]: UNREACHABLE! => no route"]
    );
}

#[test]
fn a_failed_command_shows_its_output_as_lines() {
    let result = json!({"msg": "non-zero return code", "rc": 3, "cmd": ["ls", "/x"], "stdout": "one\ntwo\n",
        "stdout_lines": ["one", "two"], "stderr": "ls: no", "failed": true, "changed": true});
    let text = printed(vec![task("command"), ended("n1", Status::Failed, true, result)]);
    let expected = r#"fatal: [n1]: FAILED! => non-zero return code
    cmd: ["ls","/x"]
    rc: 3
    stderr: ls: no
    stdout:
        one
        two
"#;
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_message_of_four_lines_stays_four_lines() {
    let result = json!({"msg": "etcd did not come up\nexpected: active\nfound: failed\nnext: journalctl -u etcd"});
    let text = printed(vec![task("etcd_member"), ended("n1", Status::Failed, false, result)]);
    assert!(
        text.ends_with(
            "=> etcd did not come up\n    expected: active\n    found: failed\n    next: journalctl -u etcd\n"
        )
    );
}

#[test]
fn an_ignored_failure_says_so() {
    let text = printed(vec![task("command"), ended("n1", Status::Ignored, false, json!({"msg": "no"}))]);
    assert!(text.ends_with("fatal: [n1]: FAILED! => no\n...ignoring\n"), "{text}");
}

#[test]
fn a_task_that_was_stopped_did_not_fail() {
    let mut stopped = ended("n1", Status::Failed, true, json!({"msg": "asked to stop: 2 of 5 items"}));
    if let Kind::TaskEnded { fault, .. } = &mut stopped {
        *fault = Some(Fault::Stopped);
    }
    let text = printed(vec![task("command"), stopped]);
    assert!(text.ends_with("fatal: [n1]: STOPPED! => asked to stop: 2 of 5 items\n"), "{text}");
}

#[test]
fn items_have_their_own_lines_and_the_whole_task_none() {
    let text = printed(vec![
        task("copy"),
        item("n1", "a", Status::Ok, json!({})),
        item("n1", "b", Status::Failed, json!({"msg": "full"})),
        ended("n1", Status::Failed, true, json!({"msg": "one item failed"})),
        item("n2", "a", Status::Ok, json!({})),
        ended("n2", Status::Ok, true, json!({"results": []})),
    ]);
    let rest: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(
        rest,
        [
            "changed: [n1] => (item=a)",
            "failed: [n1]: FAILED! => (item=b) => full",
            "fatal: [n1]: FAILED! => one item failed",
            "changed: [n2] => (item=a)",
        ]
    );
}

#[test]
fn debug_shows_its_message_and_others_do_with_v() {
    let shown = |verbosity, module| {
        let look = Look { verbosity, ..look() };
        let text = printed_with(look, vec![task(module), ended("n1", Status::Ok, false, json!({"msg": "hello"}))]);
        text.contains("msg: hello")
    };
    assert!(shown(0, "debug"));
    assert!(!shown(0, "ping"));
    assert!(shown(1, "ping"));
}

#[test]
fn what_a_line_says_already_is_not_said_again() {
    let mut delegated = ended("n1", Status::Ok, true, json!({}));
    if let Kind::TaskEnded { delegated_to, .. } = &mut delegated {
        *delegated_to = Some("n1".to_owned());
    }
    let looped = json!({"msg": "a-0", "ansible_loop_var": "item", "item": "a", "items": "b"});
    let text = printed(vec![
        task("debug"),
        item("n1", "a", Status::Ok, looped),
        task("assert"),
        ended("n1", Status::Ok, false, json!({"msg": "well"})),
        task("command"),
        delegated,
    ]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with("TASK")).collect();
    assert_eq!(
        lines,
        [
            "changed: [n1] => (item=a) =>",
            "    msg: a-0",
            "    items: b",
            "ok: [n1] =>",
            "    msg: well",
            "changed: [n1]"
        ]
    );
}

#[test]
fn the_recap_has_ansibles_exact_form() {
    let text = printed(vec![
        ended("n1", Status::Ok, true, json!({})),
        ended("n1", Status::Ok, false, json!({})),
        Kind::RunEnded { code: 0, untouched: vec![] },
    ]);
    let expected = format!(
        "PLAY RECAP {}\n{:<26} : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   \n",
        "*".repeat(69),
        "n1"
    );
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn the_end_says_what_the_roll_did_and_what_is_next() {
    let text = printed(vec![
        Kind::RunStarted {
            run: "01J".to_owned(),
            version: "0.1.0".to_owned(),
            playbook: "p.yml".to_owned(),
            hosts: vec!["n1".to_owned(), "n2".to_owned(), "n3".to_owned()],
            check: false,
            command: "run".to_owned(),
        },
        Kind::BackupTaken {
            host: "n1".to_owned(),
            path: "/b/n1.tar".to_owned(),
            size: 3 << 20,
            proof: "restored, 3123 keys".to_owned(),
        },
        Kind::MemberRolled {
            host: "n1".to_owned(),
            member: "infra1".to_owned(),
            from: "2.0.5".to_owned(),
            to: "2.1.1".to_owned(),
            down: Duration::from_millis(1440),
            outcome: "caught up".to_owned(),
        },
        Kind::MemberDefragmented {
            host: "n1".to_owned(),
            member: "infra1".to_owned(),
            before: 40 << 20,
            after: 2 << 20,
            took: Duration::from_millis(300),
        },
        ended("n1", Status::Ok, true, json!({})),
        Kind::Halted {
            fault: Fault::MemberDown,
            reason: "n2 is silent for 30 s".to_owned(),
            next: "quorate etcd status".to_owned(),
        },
        Kind::RunEnded { code: 11, untouched: vec![("n3".to_owned(), "n2 is down".to_owned())] },
    ]);
    let end = text.split("PLAY RECAP").nth(1).unwrap();
    for expected in [
        "\nMEMBERS\n",
        "n1    infra1  2.0.5   2.1.1  1.4 s  caught up\n",
        "\nDATABASES\n  host  member  before     now       busy\n  n1    infra1  40.00 MiB  2.00 MiB  0.3 s\n",
        "\nBACKUPS\n  [n1] /b/n1.tar (3.00 MiB)\n    proven: restored, 3123 keys\n",
        "\nNOT RUN\n  n2: no task was run on it\n  n3: n2 is down\n",
        "HALTED: n2 is silent for 30 s\n  next: quorate etcd status\n",
        "exit 11: one member down or unhealthy, the quorum holds, after 6.0 s\n",
    ] {
        assert!(end.contains(expected), "{expected:?} is not in {end}");
    }
}

#[test]
fn upgraded_is_said_of_the_cluster_with_what_may_not_come_back() {
    let text = printed(vec![
        Kind::MemberRolled {
            host: "n1".to_owned(),
            member: "infra1".to_owned(),
            from: "2.0.5".to_owned(),
            to: "2.1.1".to_owned(),
            down: Duration::from_millis(140),
            outcome: "caught up".to_owned(),
        },
        Kind::ClusterUpgraded {
            cluster: "8e08".to_owned(),
            members: 3,
            version: "2.1.1".to_owned(),
            cluster_version: Some("2.1.0".to_owned()),
            forward_only: Some("forward only: no binary older than 2.1 may come back".to_owned()),
        },
        ended("n1", Status::Ok, false, json!({})),
        Kind::RunEnded { code: 0, untouched: vec![] },
    ]);
    let said = "cluster 8e08: all 3 members run 2.1.1, cluster version 2.1.0; forward only: no binary older than 2.1 may come back";
    for expected in [
        format!("\nupgraded: {said}\n"),
        format!("\nUPGRADED\n  {said}\n"),
        "\nnext: nothing is left to do; ".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected:?} is not in {text}");
    }
    assert_eq!(text.matches("pgraded").count(), 1, "said of a member: {text}");
}

#[test]
fn a_log_hears_of_a_long_act_at_most_every_30_seconds() {
    let step = |done| Kind::Progress {
        host: "n1".to_owned(),
        act: "upload".to_owned(),
        text: format!("{done} of 90"),
        done: Some(done),
        total: Some(90),
    };
    let text = printed((0..90).map(step).collect());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        ["  .. 00:00 [n1] upload: 0 of 90", "  .. 00:30 [n1] upload: 30 of 90", "  .. 01:00 [n1] upload: 60 of 90"]
    );
}

#[test]
fn the_guards_refusal_carries_its_numbers() {
    let verdict = Verdict { may: false, reason: "2 of 3 healthy, quorum is 2".to_owned() };
    let text = printed(vec![Kind::GuardAsked { host: "n1".to_owned(), verdict }]);
    assert_eq!(text, "guard: [n1] must not stop: 2 of 3 healthy, quorum is 2\n");
}

#[test]
fn a_diff_is_shown_as_lines() {
    let diff = Diff { path: "/etc/x".to_owned(), before: "a\nb\n".to_owned(), after: "a\nc\u{1b}[2J\n".to_owned() };
    let Kind::TaskEnded { host, task: name, status, result, .. } = ended("n1", Status::Ok, true, json!({})) else {
        unreachable!("made here")
    };
    let kind = Kind::TaskEnded {
        host,
        task: name,
        status,
        changed: true,
        fault: None,
        result,
        diff: vec![diff],
        delegated_to: Some("n2".to_owned()),
    };
    let text = printed(vec![kind]);
    assert!(text.contains("--- before: /etc/x\n+++ after: /etc/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\\x1b[2J\n"), "{text}");
    assert!(text.ends_with("changed: [n1 -> n2]\n"), "{text}");
}

#[test]
fn a_flood_of_output_is_cut_in_the_middle_and_long_lines_at_their_end() {
    let lines: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
    let result = json!({"msg": "x".repeat(1 << 20), "stdout": lines});
    let text =
        printed(vec![task("command"), ended("n1", Status::Failed, false, json!({"stdout": "y".repeat(1 << 20)}))]);
    assert!(text.len() < 4000, "{}", text.len());
    let text = printed(vec![task("command"), ended("n1", Status::Failed, false, result)]);
    assert!(text.contains("[... 9800 lines left out; the journal has them]"));
    assert!(text.contains("line 0\n") && text.contains("line 9999\n") && !text.contains("line 5000\n"));
    assert!(text.len() < 20_000, "{}", text.len());
}

/// A kind of event with the text wherever an event carries text of hosts.
fn carrying(text: &str, which: usize) -> Kind {
    let text = || text.to_owned();
    let result = || json!({"msg": text(), "stdout": text(), text(): [text(), {"a": text()}], "x": {text(): text()}});
    match which {
        0 => ended(&text(), Status::Failed, false, result()),
        1 => ended(&text(), Status::Ok, true, result()),
        2 => ended("h", Status::Skipped, false, json!({"skip_reason": text()})),
        3 => item("h", &text(), Status::Failed, result()),
        4 => Kind::Warning { text: text() },
        5 => Kind::Progress { host: text(), act: text(), text: text(), done: None, total: None },
        6 => Kind::MemberRolled {
            host: text(),
            member: text(),
            from: text(),
            to: text(),
            down: Duration::ZERO,
            outcome: text(),
        },
        7 => Kind::BackupTaken { host: text(), path: text(), size: 1, proof: text() },
        18 => Kind::WayChanged { host: text(), through: text(), why: text() },
        17 => Kind::OptionRewritten { host: text(), what: text() },
        16 => Kind::MemberDefragmented { host: text(), member: text(), before: 2, after: 1, took: Duration::ZERO },
        8 => Kind::Halted { fault: Fault::Failed, reason: text(), next: text() },
        9 => Kind::GuardAsked { host: text(), verdict: Verdict { may: true, reason: text() } },
        10 => Kind::TaskStarted { name: text(), module: text(), place: text(), handler: true, acts: true },
        11 => Kind::PlaySkipped { name: text(), reason: text() },
        12 => Kind::ActBegins { host: text(), act: text() },
        13 => Kind::Retry { host: text(), task: text(), attempt: 1, left: 2 },
        14 => Kind::RoundStarted { number: 1, of: 2, item: result() },
        15 => Kind::RoundStarted { number: 1, of: 2, item: json!({"name": text()}) },
        _ => Kind::RunEnded { code: 2, untouched: vec![(text(), text())] },
    }
}

proptest! {
    #[test]
    fn nothing_a_host_says_acts_on_the_terminal(text in "[\\x00-\\x20\\x7f-\\u{9f}\\u{2000}-\\u{2070}\\u{feff}a]{0,20}") {
        let kinds = (0..20).map(|which| carrying(&text, which)).collect();
        let out = printed_with(Look { verbosity: 2, ..look() }, kinds);
        let raw: Vec<char> = out.chars().filter(|c| *c != '\n' && super::super::escape::is_unsafe(*c)).collect();
        prop_assert!(raw.is_empty(), "{:?} in {:?}", raw, out);
    }

    #[test]
    fn with_colours_only_our_own_sequences_get_through(text in "[\\x00-\\x20\\[0-9m;a]{0,20}") {
        let kinds = (0..20).map(|which| carrying(&text, which)).collect();
        let look = Look { style: Style { colour: true }, verbosity: 2, ..look() };
        let mut out = printed_with(look, kinds);
        for own in ["\u{1b}[32m", "\u{1b}[33m", "\u{1b}[31m", "\u{1b}[36m", "\u{1b}[35m", "\u{1b}[2m", "\u{1b}[0m"] {
            out = out.replace(own, "");
        }
        prop_assert!(!out.contains('\u{1b}'), "{:?}", out);
    }
}

#[test]
fn a_full_device_is_an_error_and_no_panic() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let kind = Kind::Warning { text: "x".to_owned() };
    let event = Event { seq: 0, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::ZERO, kind };
    assert_eq!(Terminal::plain(full, look()).write(&event).unwrap_err().sink, "terminal");
}
