use serde_json::json;

use super::*;
use crate::events::{Fault, Verdict};

fn events(kinds: Vec<Kind>) -> Vec<Event> {
    let event = |(seq, kind)| Event { seq, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::from_secs(seq), kind };
    (0..).zip(kinds).map(event).collect()
}

fn planned(history: History, kinds: Vec<Kind>) -> String {
    let mut out = Vec::new();
    let mut plan = Plan::new(&mut out, Style::default(), history);
    for event in events(kinds) {
        plan.write(&event).unwrap();
    }
    String::from_utf8(out).unwrap()
}

fn started(check: bool) -> Kind {
    let hosts = vec!["n1".to_owned(), "n2".to_owned()];
    Kind::RunStarted {
        run: "R".to_owned(),
        version: "0".to_owned(),
        playbook: "p.yml".to_owned(),
        hosts,
        check,
        command: "plan".to_owned(),
    }
}

fn task(name: &str) -> Kind {
    Kind::TaskStarted {
        name: name.to_owned(),
        module: "m".to_owned(),
        place: "p.yml:1:1".to_owned(),
        handler: false,
        acts: false,
    }
}

fn ended(host: &str, task: &str, status: Status, changed: bool, diff: Vec<Diff>) -> Kind {
    let result = json!({ "msg": "the disk is full\nit has no room" }).as_object().unwrap().clone();
    let fault = (status == Status::Failed).then_some(Fault::Refused);
    let (host, task) = (host.to_owned(), task.to_owned());
    Kind::TaskEnded { host, task, status, changed, fault, result, diff, delegated_to: None }
}

fn act(host: &str, act: &str) -> Kind {
    Kind::ActPlanned { host: host.to_owned(), act: act.to_owned() }
}

fn end(code: u8) -> Kind {
    Kind::RunEnded { code, untouched: Vec::new() }
}

/// The second host took two seconds, the first one: tasks of several hosts end one second apart here.
fn once() -> Vec<Event> {
    events(vec![
        started(false),
        task("Swap"),
        ended("n1", "Swap", Status::Ok, true, Vec::new()),
        ended("n2", "Swap", Status::Ok, true, Vec::new()),
        task("Look"),
        ended("n1", "Look", Status::Ok, false, Vec::new()),
    ])
}

#[test]
fn a_path_is_told_with_rule_and_way_back_of_each_step() {
    let step = |name: &str, then: &[&str]| PathStep {
        name: name.to_owned(),
        why: "the next minor".to_owned(),
        source: Some("the guide (2026-11-24)".to_owned()),
        then: then.iter().map(ToString::to_string).collect(),
        back: "until all run it".to_owned(),
    };
    let steps = vec![step("1 -> 2", &["a snapshot"]), PathStep { source: None, ..step("2 -> 3", &[]) }];
    let text = planned(History::default(), vec![started(true), Kind::PathFound { steps }]);
    assert_eq!(
        text,
        "PLAN of p.yml: n1, n2\n\nPATH, 2 rounds\n  1. 1 -> 2\n     why   the next minor\n     rule  the guide (2026-11-24)\n     \
         back  until all run it\n     then  a snapshot\n  2. 2 -> 3\n     why   the next minor\n     back  until all run it\n"
    );
}

#[test]
fn what_hosts_share_is_one_line_and_what_changes_without_an_act_is_its_task() {
    let text = planned(
        History::default(),
        vec![
            started(true),
            task("Stage"),
            act("n2", "stage it"),
            act("n1", "stage it"),
            ended("n2", "Stage", Status::Ok, true, Vec::new()),
            ended("n1", "Stage", Status::Ok, true, Vec::new()),
            Kind::OptionRewritten { host: "n2".to_owned(), what: "/etc/x: `--a` -> `--b`".to_owned() },
            task("Copy"),
            ended("n1", "Copy", Status::Ok, true, Vec::new()),
            ended("n2", "Copy", Status::Ok, false, Vec::new()),
            task("Look"),
            ended("n1", "Look", Status::Skipped, false, Vec::new()),
            end(0),
        ],
    );
    let (lines, rest) = text.split_once("nothing was changed").unwrap();
    assert_eq!(
        lines,
        "PLAN of p.yml: n1, n2\n    n1, n2: stage it\n    n2: rewrite /etc/x: `--a` -> `--b`\n    n1: Copy\n\n"
    );
    assert!(rest.contains("no earlier run says how long it takes"), "{rest}");
}

#[test]
fn tells_how_long_it_took_last_time() {
    let mut history = History::default();
    history.learn(&once());
    let kinds = || {
        vec![
            started(true),
            task("Swap"),
            ended("n2", "Swap", Status::Ok, true, Vec::new()),
            task("Other"),
            ended("n2", "Other", Status::Ok, true, Vec::new()),
            end(0),
        ]
    };
    let text = planned(history, kinds());
    assert!(text.contains("n2: Swap (last time 2.0 s)\n    n2: Other\n"), "{text}");
    assert!(text.contains("2.0 s and what no earlier run has shown"), "{text}");
}

#[test]
fn check_runs_and_what_changed_nothing_teach_nothing_and_the_newest_run_counts() {
    let mut history = History::default();
    let mut check = once();
    check.splice(..1, events(vec![started(true)]));
    history.learn(&check);
    assert_eq!(history.of("n1", "Swap"), None);
    history.learn(&once());
    let late =
        events(vec![started(false), task("Swap"), task("Swap"), end(0), ended("n1", "Swap", Status::Ok, true, vec![])]);
    history.learn(&late);
    assert_eq!(history.of("n1", "Swap"), Some(Duration::from_secs(1)));
    assert_eq!(history.of("n1", "Look"), None);
}

#[test]
fn the_same_diff_is_shown_once() {
    let diff = || vec![Diff { path: "/etc/x".to_owned(), before: "a\n".to_owned(), after: "b\n".to_owned() }];
    let text = planned(
        History::default(),
        vec![
            started(true),
            task("Copy"),
            ended("n1", "Copy", Status::Ok, true, diff()),
            ended("n2", "Copy", Status::Ok, true, diff()),
        ],
    );
    assert_eq!(text.matches("--- before: /etc/x").count(), 1, "{text}");
}

#[test]
fn a_refusal_is_told_whole_and_no_time_is_promised() {
    let text = planned(
        History::default(),
        vec![
            started(true),
            Kind::GuardAsked { host: "n1".to_owned(), verdict: Verdict { may: false, reason: "no leader".to_owned() } },
            task("Check"),
            ended("n2", "Check", Status::Failed, false, Vec::new()),
            Kind::Halted { fault: Fault::Refused, reason: "the disk is full".to_owned(), next: "make room".to_owned() },
            end(3),
        ],
    );
    for words in ["n1: REFUSED", "no leader", "it has no room", "next: make room", "this would not be done", "exit 3"] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
}

#[test]
fn nothing_a_host_says_acts_on_the_terminal() {
    let evil = "\u{1b}[2Jx\u{7}";
    let step = PathStep {
        name: evil.to_owned(),
        why: evil.to_owned(),
        source: Some(evil.to_owned()),
        then: vec![evil.to_owned()],
        back: evil.to_owned(),
    };
    let verdict = |may| Verdict { may, reason: evil.to_owned() };
    let text = planned(
        History::default(),
        vec![
            started(true),
            Kind::PathFound { steps: vec![step] },
            Kind::GuardAsked { host: evil.to_owned(), verdict: verdict(true) },
            Kind::GuardAsked { host: evil.to_owned(), verdict: verdict(false) },
            task(evil),
            act(evil, evil),
            Kind::OptionRewritten { host: evil.to_owned(), what: evil.to_owned() },
            Kind::Warning { text: evil.to_owned() },
            Kind::WayChanged { host: evil.to_owned(), through: evil.to_owned(), why: evil.to_owned() },
            Kind::Halted { fault: Fault::Refused, reason: evil.to_owned(), next: evil.to_owned() },
            end(3),
        ],
    );
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
}
