//! Rolling plays that go over their hosts several times.

use super::*;

/// Takes the last host that remains, writes down what it was asked, and says no to one of the questions.
struct Asked {
    /// What remained and what was done, each time.
    heard: Mutex<Vec<(String, String)>>,
    /// Which question is answered with no, from 1.
    no: usize,
}

impl Asked {
    fn saying_no_at(no: usize) -> &'static Self {
        Box::leak(Box::new(Self { heard: Mutex::default(), no }))
    }

    fn guards(&'static self) -> Guards {
        Guards(Box::leak(Box::new([("etcd", self as &'static dyn Guard)])))
    }
}

impl Guard for Asked {
    fn next<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Choice, Failure>> {
        Box::pin(async move {
            let mut heard = self.heard.lock().unwrap();
            heard.push((ask.remaining.join(" "), ask.done.join(" ")));
            let verdict = Verdict { may: heard.len() != self.no, reason: "as it was made".to_owned() };
            let host = ask.remaining.last().expect("never empty").clone();
            Ok(Choice { host, verdict, fault: Fault::MemberDown })
        })
    }
}

/// What the events say of rounds, batches and the ends of `task`, in order.
fn course(done: &Done, task: &str) -> Vec<String> {
    let told = |kind: &Kind| match kind {
        Kind::PlaySkipped { reason, .. } => Some(format!("skipped: {reason}")),
        Kind::RoundStarted { number, of, item } => Some(format!("round {number} of {of}: {item}")),
        Kind::BatchStarted { hosts } => Some(format!("batch {}", hosts.join(" "))),
        Kind::TaskEnded { host, task: name, result, .. } if name == task => {
            let msg = result.get("stdout").or(result.get("msg")).and_then(serde_json::Value::as_str);
            Some(format!("{host}: {}", msg.unwrap_or_default()))
        }
        _ => None,
    };
    done.kinds.iter().filter_map(told).collect()
}

fn rolled(done: &Done) -> Vec<String> {
    course(done, "swap").into_iter().filter(|line| !line.starts_with("batch")).collect()
}

/// A play before, and a roll with these rounds that says which round each host is in.
fn roll(before: &str, rounds: &str) -> String {
    format!(
        "{before}
- hosts: g
  rolling: {{guard: etcd, rounds: {rounds}}}
  tasks:
  - {{name: swap, command: 'echo {{{{ rolling_round }}}}'}}
- hosts: g
  tasks:
  - {{name: later, command: 'true', run_once: true}}
"
    )
}

#[tokio::test]
async fn each_round_goes_over_all_hosts_and_asks_the_guard_anew() {
    let guard = Asked::saying_no_at(0);
    let done = perform(&roll("", "[a, b]"), Lab::default(), |options| options.guards = guard.guards(), None).await;
    assert_eq!(done.code, 0);
    let expected = [
        "round 1 of 2: \"a\"",
        "batch h3",
        "h3: a",
        "batch h2",
        "h2: a",
        "batch h1",
        "h1: a",
        "round 2 of 2: \"b\"",
        "batch h3",
        "h3: b",
        "batch h2",
        "h2: b",
        "batch h1",
        "h1: b",
    ];
    assert_eq!(course(&done, "swap"), expected);
    let heard = guard.heard.lock().unwrap().clone();
    let (one, other) = heard.split_at(3);
    assert_eq!(one, other, "what was done in the last round counts no more");
    let pair = |remaining: &str, done: &str| (remaining.to_owned(), done.to_owned());
    assert_eq!(one, [pair("h1 h2 h3", ""), pair("h1 h2", "h3"), pair("h1", "h3 h2")]);
}

#[tokio::test]
async fn without_rounds_there_is_one_and_no_event_of_it() {
    let done = run(ROLL).await;
    assert_eq!(done.code, 0);
    assert!(!done.kinds.iter().any(|kind| matches!(kind, Kind::RoundStarted { .. })));
}

#[tokio::test]
async fn a_no_in_the_second_round_ends_the_run() {
    let guard = Asked::saying_no_at(5);
    let done = perform(&roll("", "[a, b, c]"), Lab::default(), |options| options.guards = guard.guards(), None).await;
    assert_eq!((done.code, done.ends("later").len()), (11, 0));
    let expected = ["round 1 of 3: \"a\"", "h3: a", "h2: a", "h1: a", "round 2 of 3: \"b\"", "h3: b"];
    assert_eq!(rolled(&done), expected);
    assert_eq!(guard.heard.lock().unwrap().len(), 5);
    assert!(done.halted().unwrap().1.starts_with("h2 may not be stopped"));
}

#[tokio::test]
async fn a_host_that_fails_or_is_lost_in_the_second_round_ends_the_run() {
    for (act, code) in [("sh -c \"exit 1\"", 2), ("echo cut-h2", 4)] {
        let playbook = "
- hosts: g
  ignore_unreachable: true
  rolling: {guard: etcd, rounds: [a, b, c]}
  tasks:
  - {name: breaks, command: 'ACT', when: rolling_round == 'b' and inventory_hostname == 'h2'}
  - {name: swap, command: 'echo {{ rolling_round }}'}
"
        .replace("ACT", act);
        let done = run(&playbook).await;
        assert_eq!(done.code, code);
        let swapped: Vec<String> = rolled(&done).into_iter().filter(|line| !line.starts_with("round")).collect();
        assert_eq!(swapped.get(..4).unwrap(), ["h3: a", "h2: a", "h1: a", "h3: b"]);
        let after = swapped.get(4..).unwrap();
        assert!(after.iter().all(|line| line.starts_with("h2: ")) && after.len() < 2, "{after:?}");
        assert!(done.halted().is_some());
    }
}

#[tokio::test]
async fn a_wish_to_stop_or_an_end_of_the_play_begins_no_other_round() {
    let done = run(&roll("", "[pull, b]").replace("rolling_round }}", "rolling_round if rolling_last else 1 }}")).await;
    assert_eq!((done.code, done.ends("later").len()), (20, 0));
    assert_eq!(rolled(&done).len(), 4, "one heading and three hosts: {:?}", rolled(&done));
    let ended = "  - {meta: end_play, when: inventory_hostname == 'h2'}\n- hosts: g\n  tasks:\n  - {name: later";
    let done = run(&roll("", "[a, b]").replace("- hosts: g\n  tasks:\n  - {name: later", ended)).await;
    assert_eq!((done.code, done.ends("later").len()), (0, 1));
    assert_eq!(rolled(&done), ["round 1 of 2: \"a\"", "h3: a", "h2: a"]);
}

#[tokio::test]
async fn a_host_that_leaves_a_round_is_back_in_the_next() {
    let playbook = "
- hosts: g
  rolling: {guard: etcd, rounds: [a, b]}
  tasks:
  - {meta: end_host, when: rolling_round == 'a' and inventory_hostname == 'h2'}
  - {name: swap, command: 'echo {{ rolling_round }}'}
";
    let done = run(playbook).await;
    let expected = ["round 1 of 2: \"a\"", "h3: a", "h1: a", "round 2 of 2: \"b\"", "h3: b", "h2: b", "h1: b"];
    assert_eq!((done.code, rolled(&done).as_slice()), (0, expected.map(str::to_owned).as_slice()));
}

#[tokio::test]
async fn tasks_and_handlers_know_their_turn() {
    let show =
        "{{ rolling_round.to }} {{ rolling_round_number }}/{{ rolling_rounds }} {{ rolling_first }} {{ rolling_last }}";
    let playbook = "
- hosts: g
  rolling: {guard: etcd, rounds: [{to: '2.1'}, {to: '2.2'}]}
  vars: {of_play: SHOW}
  environment: {ROUND: '{{ rolling_round.to }}'}
  tasks:
  - {name: 'swap', debug: {msg: SHOW}}
  - {name: 'to {{ rolling_round.to }}', command: 'sh -c \"echo env-$ROUND\"', notify: tell, when: rolling_first}
  - {name: of play, debug: {msg: '{{ of_play }}'}, when: rolling_last}
  handlers:
  - {name: tell, debug: {msg: SHOW}}
"
    .replace("SHOW", &format!("'{show}'"));
    let done = run(&playbook).await;
    assert_eq!(done.code, 0);
    let turns = ["2.1 1/2 True False", "2.1 1/2 False False", "2.1 1/2 False True"];
    let turns = turns.iter().map(|text| (*text).to_owned());
    let turns: Vec<String> = turns.clone().chain(turns.map(|text| text.replace("2.1 1/", "2.2 2/"))).collect();
    let quoted = |at: &[usize]| at.iter().map(|at| format!("\"{}\"", turns[*at])).collect::<Vec<_>>();
    assert_eq!(done.message("swap"), quoted(&[0, 1, 2, 3, 4, 5]));
    let not_skipped: Vec<String> = done.message("of play").into_iter().filter(|msg| msg.contains('/')).collect();
    assert_eq!(not_skipped, quoted(&[2, 5]));
    assert_eq!(done.message("tell"), quoted(&[0, 3]));
    assert!(course(&done, "to 2.2").contains(&"h3: env-2.2".to_owned()));
}

#[tokio::test]
async fn without_rounds_it_is_number_one_of_one_and_has_no_item() {
    let playbook = "
- hosts: g
  rolling: {guard: etcd}
  tasks:
  - name: swap
    debug: {msg: '{{ rolling_round_number }}/{{ rolling_rounds }} {{ rolling_last }} {{ rolling_round is defined }}'}
- hosts: h1
  tasks:
  - {name: later, debug: {msg: '{{ rolling_first is defined or rolling_round_number is defined }}'}}
";
    let done = run(playbook).await;
    assert_eq!(done.message("swap"), ["\"1/1 False False\"", "\"1/1 False False\"", "\"1/1 True False\""]);
    assert_eq!(done.message("later"), ["false"]);
}

#[tokio::test]
async fn the_rounds_may_be_what_an_earlier_play_found_out_about_the_first_host() {
    let set = "
- hosts: g
  tasks:
  - {set_fact: {path: ['{{ inventory_hostname }}-x', y]}}
  - {command: \"printf '%s' '[7, 8]'\", register: r, run_once: true}
";
    let expected = ["round 1 of 2: \"h1-x\"", "h3: h1-x", "h2: h1-x", "h1: h1-x"];
    assert_eq!(rolled(&run(&roll(set, "'{{ path }}'")).await).get(..4).unwrap(), expected);
    let done = run(&roll(set, "'{{ r.stdout | from_json }}'")).await;
    assert_eq!(
        (done.code, rolled(&done).get(..2).unwrap()),
        (0, ["round 1 of 2: 7".to_owned(), "h3: 7".to_owned()].as_slice())
    );
}

#[tokio::test]
async fn rounds_that_turn_out_to_be_no_list_are_wrong_input_and_touch_nothing() {
    let set = |value: &str| format!("- hosts: g\n  tasks:\n  - {{set_fact: {{path: {value}}}}}\n");
    for (value, part) in [("a", "`rounds` must be a list, not \"a\""), ("{a: [1]}", "not {\"a\":[1]}"), ("5", "not 5")]
    {
        let done = run(&roll(&set(value), "'{{ path }}'")).await;
        assert_eq!((done.code, done.ends("swap").len(), done.ends("later").len()), (5, 0, 0));
        let (fault, reason) = done.halted().unwrap();
        assert!(fault == Fault::Input && reason.contains("pb.yml:6:34: ") && reason.contains(part), "{reason}");
    }
    // Whether it is there is known only now.
    let unset = "- hosts: g\n  tasks:\n  - {set_fact: {path: [a]}, when: inventory_hostname == 'h2'}\n";
    let done = run(&roll(unset, "'{{ path }}'")).await;
    let reason = done.halted().unwrap().1;
    assert!(done.code == 5 && reason.contains("pb.yml:6:37: `path` is not defined"), "{reason}");
}

#[tokio::test]
async fn an_empty_list_skips_the_play_and_contacts_nobody_for_it() {
    let lab = Lab::default();
    lab.0.lock().unwrap().cut.insert("h3".to_owned());
    let done = perform(&roll("", "[]"), lab, |_| {}, None).await;
    let told = course(&done, "swap");
    assert!(told.len() == 1 && told[0].ends_with("pb.yml:3:34: `rounds` is an empty list"), "{told:?}");
    assert_eq!((done.code, done.ends("later")), (0, vec!["h1 ok".to_owned()]));
    let started = done.kinds.iter().filter(|kind| matches!(kind, Kind::PlayStarted { .. })).count();
    assert_eq!(started, 1, "only the last play");
}

#[tokio::test]
async fn a_host_lost_before_is_told_and_not_the_rounds_that_it_leaves_unknown() {
    let set = "- hosts: g\n  tasks:\n  - {set_fact: {path: [a]}, when: inventory_hostname != 'h1'}\n  - {fail: , when: inventory_hostname == 'h1'}\n";
    let done = run(&roll(set, "'{{ path }}'")).await;
    assert_eq!((done.code, done.halted().unwrap().1.as_str()), (2, "1 of 3 hosts failed earlier: h1"));
}

#[tokio::test]
async fn a_check_run_goes_through_the_rounds_it_knows_and_says_which_it_can_not_know() {
    let checked = |playbook: String| async move {
        perform(&playbook, Lab::default(), |options| options.check = true, None).await
    };
    let done = checked(roll("", "[a, b]")).await;
    assert_eq!((done.code, done.ran("echo")), (0, 0));
    assert_eq!(done.ends("swap").len(), 6);
    let set = "- hosts: g\n  tasks:\n  - {command: \"printf '%s' '[7, 8]'\", register: r, run_once: true}\n";
    let done = checked(roll(set, "'{{ r.stdout | from_json }}'")).await;
    let told = course(&done, "swap");
    let reason = "skipped: its rounds are not known in a check run, which passes over tasks: ";
    assert!(told.len() == 1 && told[0].starts_with(reason) && told[0].contains("pb.yml:6:49: not JSON"), "{told:?}");
    assert_eq!((done.code, done.ends("later").len()), (0, 1));
    // A command that did not run has printed nothing, which is no fault of the playbook.
    let told = course(&checked(roll(set, "'{{ r.stdout }}'")).await, "swap");
    assert!(told.len() == 1 && told[0].ends_with("`rounds` must be a list, not \"\""), "{told:?}");
}

fn refused(playbook: &str, set: impl FnOnce(&mut Options)) -> Vec<String> {
    let told = |p: &Problem| {
        let file = p.place.to_string();
        let place = file.rsplit('/').next().unwrap_or_default();
        format!("{place}: {} ({})", p.message, p.help.as_deref().unwrap_or_default())
    };
    prepare(playbook, set).err().unwrap_or_default().iter().map(told).collect()
}

#[test]
fn rounds_that_can_be_no_list_are_told_on_paper() {
    for (rounds, found) in [("a", "text"), ("3", "a number"), ("{a: 1}", "a mapping"), ("", "nothing")] {
        let said = refused(&roll("", rounds), |_| {});
        let expected = format!(": `rounds` must be a list, or a template that gives one, found {found} ()");
        assert!(said.len() == 1 && said[0].starts_with("pb.yml:3:") && said[0].ends_with(&expected), "{said:?}");
    }
    let extra =
        |given: &'static str| move |options: &mut Options| options.extra = extra_vars(&[given.to_owned()]).unwrap();
    let with_vars = roll("", "'{{ path }}'").replace("  rolling:", "  vars: {path: '{{ given }}'}\n  rolling:");
    let said = refused(&with_vars, extra("given=a,b"));
    assert_eq!(said, ["pb.yml:4:34: `rounds` must be a list, not \"a,b\" (`-e` takes a list as YAML or JSON)"]);
    assert!(refused(&with_vars, extra("{given: [a, b]}")).is_empty());
    // A task may still make it one.
    let set = "- hosts: g\n  vars: {given: text}\n  tasks:\n  - {set_fact: {given: [a]}}\n";
    assert!(
        refused(&format!("{set}{with_vars}").replace("vars: {path", "vars: {given: text, path"), |_| {}).is_empty()
    );
}

#[test]
fn the_names_of_a_turn_are_known_where_there_is_one_and_nowhere_else() {
    let play = |rolling: &str, task: &str| format!("- hosts: g\n{rolling}  tasks:\n  - {task}\n");
    let (one, many) = ("  rolling: {guard: etcd}\n", "  rolling: {guard: etcd, rounds: [a]}\n");
    let uses = |name: &str| format!("{{debug: {{msg: '{{{{ {name} }}}}'}}}}");
    for name in ["rolling_round_number", "rolling_rounds", "rolling_first", "rolling_last"] {
        assert!(refused(&play(one, &uses(name)), |_| {}).is_empty(), "{name}");
        let said = refused(&play("", &uses(name)), |_| {});
        let help = "the tasks of a rolling play have it, and nothing else";
        assert_eq!(said, [format!("pb.yml:3:23: `{name}` is not defined anywhere ({help})")]);
    }
    assert!(refused(&play(many, &uses("rolling_round.to")), |_| {}).is_empty());
    for rolling in ["", one] {
        let said = refused(&play(rolling, &uses("rolling_round")), |_| {});
        assert!(said.len() == 1 && said[0].contains("`rolling_round` is not defined anywhere"), "{said:?}");
        assert!(said[0].contains("a rolling play with `rounds:`"), "{said:?}");
    }
    // What is rendered before the first turn does not know it.
    let before = "  rolling: {guard: etcd, rounds: ['{{ rolling_rounds }}']}\n";
    assert_eq!(refused(&play(before, "ping:"), |_| {}).len(), 1);
    // Variables are rendered where they are used.
    let extra = |options: &mut Options| options.extra = extra_vars(&["{x: '{{ rolling_round }}'}".to_owned()]).unwrap();
    assert!(refused(&play(many, &uses("x")), extra).is_empty());
    assert!(refused(&play("", &uses("x")), extra)[0].contains("`rolling_round`, which `x` needs, is not defined"));
    let of_play = "  vars: {x: '{{ rolling_round }}'}\n";
    assert!(refused(&play(&format!("{many}{of_play}"), &uses("x")), |_| {}).is_empty());
    assert_eq!(refused(&play(of_play, &uses("x")), |_| {}).len(), 1);
}
