//! What stops, restarts or blocks a member is called in its host's turn of a rolling play, and nowhere else.

use super::*;

/// Modules that need their host's turn, with arguments.
const NEED_A_TURN: [&str; 6] = [
    "etcd_member: {version: 2.1.1, releases: '{{ r }}'}",
    "etcd_restart: {}",
    "etcd_restart: {phase: '{{ r }}'}",
    "etcd_defrag: {}",
    "etcd_downgrade: {version: 3.6.1}",
    "etcd_ready: {then: [snapshot]}",
];

fn extra(options: &mut Options) {
    options.extra = extra_vars(&["r=r".to_owned()]).unwrap();
}

/// What is said of turns and of keywords with which they do not go together.
fn said_of_turns(playbook: &str, set: impl FnOnce(&mut Options)) -> Vec<Problem> {
    let of_turns =
        |p: &Problem| p.message.ends_with("in a play without `rolling:`") || p.message.contains("is not allowed on");
    from_source(&Source::new("pb.yml", playbook), &vocabulary()).expect("its syntax is sound");
    match prepare(playbook, set) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().filter(of_turns).collect(),
    }
}

fn name_of(task: &str) -> &str {
    task.split(':').next().unwrap()
}

#[test]
fn what_stops_a_member_is_refused_on_paper_in_a_play_without_turns() {
    for task in NEED_A_TURN {
        for play in [
            "tasks: [TASK]",
            "pre_tasks: [TASK]",
            "post_tasks: [TASK]",
            "serial: 1\n  tasks: [TASK]",
            "tasks: [{block: [{debug: {}}], rescue: [TASK]}]",
            "tasks: [{block: [{block: [{debug: {}}], always: [TASK]}]}]",
            "handlers: [{name: h, TASK}]\n  tasks: [{template: {src: t, dest: /t}, notify: h}]",
            "handlers: [{name: h, listen: l, TASK}]\n  tasks: [ping: ]",
            "tasks: [{TASK, when: false, run_once: true, throttle: 1}]",
        ] {
            let task_in =
                if play.contains("{TASK") || play.contains(", TASK") { task.to_owned() } else { format!("{{{task}}}") };
            let playbook = format!("- hosts: g\n  {}\n", play.replace("TASK", &task_in));
            for check in [false, true] {
                let problems = said_of_turns(&playbook, |options| {
                    extra(options);
                    options.check = check;
                });
                assert_eq!(problems.len(), 1, "{playbook}");
                let problem = &problems[0];
                let help = problem.help.as_deref().unwrap();
                assert_eq!(problem.message, format!("`{}` in a play without `rolling:`", name_of(task)), "{playbook}");
                assert!(help.contains("`rolling: {guard: etcd}`"), "{help}");
                assert_eq!(help.contains("`phase: check`"), task.starts_with("etcd_restart"), "{help}");
                let place = &problem.place;
                assert_eq!(&place.source.text[place.start..place.end], name_of(task), "{playbook}");
            }
        }
    }
}

#[test]
fn what_stops_a_member_may_stand_in_a_rolling_play_also_as_a_handler() {
    for task in NEED_A_TURN {
        let roll = format!("- hosts: g\n  rolling: {{guard: etcd}}\n  tasks: [{{{task}, when: rolling_first}}]\n");
        assert!(said_of_turns(&roll, extra).is_empty(), "{roll}");
        let handler = format!(
            "- hosts: g\n  rolling: {{guard: etcd}}\n  tasks: [{{ping: , notify: h}}]\n  handlers: [{{name: h, {task}}}]\n"
        );
        assert!(said_of_turns(&handler, extra).is_empty(), "{handler}");
    }
}

#[test]
fn a_task_that_needs_a_turn_is_told_to_act_on_no_other_host_and_not_twice() {
    let play = |task: &str, around: &str| {
        let text = "- hosts: g\n  rolling: {guard: etcd}\n  tasks:\n  - AROUND\n    block: [{block: [{TASK}]}]\n";
        text.replace("TASK", task).replace("AROUND", around)
    };
    for task in NEED_A_TURN {
        for (keyword, value) in [
            ("delegate_to", "h2"),
            ("delegate_to", "'{{ r }}'"),
            ("run_once", "true"),
            ("run_once", "'{{ r }}'"),
            ("loop", "[1, 2]"),
            ("with_items", "[1]"),
            ("until", "r == 'x'"),
            ("retries", "3"),
        ] {
            let of_task = play(&format!("{task}, {keyword}: {value}"), "name: b");
            let of_block = play(task, &format!("{keyword}: {value}"));
            let inherits = ["delegate_to", "run_once"].contains(&keyword);
            for playbook in std::iter::once(of_task).chain(inherits.then_some(of_block)) {
                let problems = said_of_turns(&playbook, extra);
                assert_eq!(problems.len(), 1, "{playbook}");
                let expected = format!("`{keyword}` is not allowed on `{}`", name_of(task));
                assert_eq!(problems[0].message, expected, "{playbook}");
                let (called, label) = problems[0].related.as_ref().unwrap();
                assert_eq!(
                    (&called.source.text[called.start..called.end], label.as_str()),
                    (name_of(task), "called here")
                );
            }
        }
        // The innermost word counts, and some words say nothing.
        let off = play(&format!("{task}, run_once: false, timeout: 0"), "run_once: true");
        assert!(said_of_turns(&off, extra).is_empty(), "{off}");
    }
}

#[test]
fn what_only_looks_may_stand_anywhere() {
    for task in [
        "etcd_restart: {phase: check}",
        "etcd_restart: {phase: check}, run_once: true",
        "etcd_restart: {phase: check}, delegate_to: h2",
        "etcd_facts: {}, run_once: true",
        "etcd_health: {}, retries: 3",
    ] {
        let playbook = format!("- hosts: g\n  tasks: [{{{task}}}]\n");
        assert!(prepare(&playbook, |_| {}).is_ok(), "{playbook}");
    }
}

#[test]
fn the_playbooks_that_come_with_quorate_act_in_turns() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    let playbooks: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(playbooks.len() >= 7, "{playbooks:?}");
    let mut acting = 0;
    for path in playbooks {
        let text = std::fs::read_to_string(&path).unwrap();
        acting += usize::from(["etcd_member:", "etcd_restart:", "etcd_defrag:"].iter().any(|name| text.contains(name)));
        let problems = said_of_turns(&text, |_| {});
        assert!(problems.is_empty(), "{}: {problems:?}", path.display());
    }
    assert_eq!(acting, 4);
}
