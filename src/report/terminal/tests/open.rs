//! What is shown of a run whose last event is not there.

use super::*;

fn shown(kinds: Vec<Kind>, goes_on: bool) -> String {
    let mut out = Vec::new();
    let mut terminal = Terminal::plain(&mut out, Look { journal: Some("/j".to_owned()), ..look() });
    for (seq, kind) in kinds.into_iter().enumerate() {
        let seq = seq as u64;
        let event = Event { seq, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::from_secs(seq), kind };
        terminal.write(&event).unwrap();
    }
    terminal.leave_open(goes_on).unwrap();
    String::from_utf8(out).unwrap()
}

fn turn(host: &str) -> [Kind; 3] {
    let verdict = Verdict { may: true, reason: String::new() };
    [
        Kind::GuardAsked { host: host.to_owned(), verdict },
        task("etcd_member"),
        Kind::ActBegins { host: host.to_owned(), act: "stop, swap\u{1b}[2J, start".to_owned() },
    ]
}

fn broken_off() -> Vec<Kind> {
    let hosts: Vec<String> = ["n1", "n2", "n3"].map(str::to_owned).to_vec();
    let mut kinds = vec![
        Kind::RunStarted {
            run: "01J".to_owned(),
            version: "0.1.0".to_owned(),
            playbook: "p.yml".to_owned(),
            hosts: hosts.clone(),
            check: false,
            command: "run".to_owned(),
        },
        Kind::PlayStarted { name: "Roll".to_owned(), hosts },
    ];
    kinds.extend(turn("n1"));
    kinds.push(Kind::MemberRolled {
        host: "n1".to_owned(),
        member: "infra1".to_owned(),
        from: "2.0.5".to_owned(),
        to: "2.1.1".to_owned(),
        down: Duration::from_millis(140),
        outcome: "caught up".to_owned(),
    });
    kinds.push(ended("n1", Status::Ok, true, json!({})));
    kinds.extend(turn("n2"));
    kinds
}

#[test]
fn a_run_that_broke_off_ends_with_what_is_known_of_each_host() {
    let text = shown(broken_off(), false);
    let end = text.split("BROKEN OFF ***").nth(1).unwrap();
    for expected in [
        "\n  n1    infra1  2.0.5   2.1.1  0.1 s  caught up\n",
        "\nHOSTS\n  n1: done\n  n2: in doubt: stop, swap\\x1b[2J, start was begun; its end is not known\n  n3: untouched\n",
        "\njournal: /j\nnext: run it again: ",
        "after 9.0 s or later: killed, or its machine went down, or its journal could not be written\n",
    ] {
        assert!(end.contains(expected), "{expected:?} is not in {end}");
    }
    assert!(!end.contains("exit "), "nobody knows with what it ended: {end}");
}

#[test]
fn of_a_run_that_goes_on_nothing_is_said_but_how_far_it_is() {
    let text = shown(broken_off(), true);
    let end = text.split("SO FAR ***").nth(1).unwrap();
    assert!(end.contains("n2: in doubt") && end.contains("the run goes on"), "{end}");
    assert!(!end.contains("next:") && !end.contains("killed"), "{end}");
}
