mod standing;

use serde_json::Map;

use super::*;

/// Numbers kinds as the emitter would.
fn events(kinds: Vec<Kind>) -> Vec<Event> {
    let number = |(seq, kind)| Event {
        seq: seq as u64,
        at: jiff::Timestamp::UNIX_EPOCH,
        elapsed: Duration::from_secs(seq as u64),
        kind,
    };
    kinds.into_iter().enumerate().map(number).collect()
}

fn started() -> Kind {
    Kind::RunStarted {
        run: "01J".to_owned(),
        version: "0".to_owned(),
        playbook: "p.yml".to_owned(),
        hosts: vec!["n1".to_owned(), "n2".to_owned()],
        check: false,
        command: "run".to_owned(),
    }
}

fn ended(status: Status, changed: bool, fault: Option<Fault>) -> Kind {
    Kind::TaskEnded {
        host: "n1".to_owned(),
        task: "t".to_owned(),
        status,
        changed,
        fault,
        result: Map::new(),
        diff: Vec::new(),
        delegated_to: None,
    }
}

fn rescued() -> Kind {
    Kind::Rescued { host: "n1".to_owned() }
}

fn halted(fault: Fault) -> Kind {
    Kind::Halted { fault, reason: format!("{fault:?}"), next: String::new() }
}

fn act() -> Kind {
    Kind::ActBegins { host: "n1".to_owned(), act: "stop, swap, start".to_owned() }
}

fn line(kinds: Vec<Kind>) -> Counters {
    State::of(&events(kinds)).recap["n1"]
}

#[test]
fn a_changed_task_is_ok_and_changed() {
    let counted = line(vec![ended(Status::Ok, true, None), ended(Status::Ok, false, None)]);
    assert_eq!(counted, Counters { ok: 2, changed: 1, ..Counters::default() });
}

#[test]
fn an_ignored_failure_is_ok_and_ignored_and_changed_if_it_changed() {
    let counted = line(vec![ended(Status::Ignored, true, Some(Fault::Failed))]);
    assert_eq!(counted, Counters { ok: 1, changed: 1, ignored: 1, ..Counters::default() });
}

#[test]
fn a_failed_task_never_counts_as_changed() {
    let counted = line(vec![ended(Status::Failed, true, Some(Fault::Failed))]);
    assert_eq!(counted, Counters { failed: 1, ..Counters::default() });
}

#[test]
fn a_task_that_was_stopped_is_no_failure_and_what_it_changed_counts() {
    let stopped = || ended(Status::Failed, true, Some(Fault::Stopped));
    assert_eq!(line(vec![stopped()]), Counters { changed: 1, ..Counters::default() });
    let over = Kind::RunEnded { code: 20, untouched: Vec::new() };
    let state = State::of(&events(vec![started(), stopped(), halted(Fault::Stopped), over]));
    assert_eq!((state.standing("n1"), state.worst()), (Standing::Begun, Some(Fault::Stopped)));
}

#[test]
fn a_rescued_failure_is_no_failure_and_a_failed_rescue_is_one() {
    let failed = || ended(Status::Failed, false, Some(Fault::Failed));
    assert_eq!(line(vec![failed(), rescued()]), Counters { rescued: 1, ..Counters::default() });
    assert_eq!(line(vec![failed(), rescued(), failed()]), Counters { rescued: 1, failed: 1, ..Counters::default() });
    assert_eq!(State::of(&events(vec![failed(), rescued()])).exit_code(), 0);
    assert_eq!(State::of(&events(vec![failed(), rescued(), failed()])).exit_code(), 2);
}

#[test]
fn skipped_and_unreachable_have_their_own_columns() {
    let counted = line(vec![ended(Status::Skipped, false, None), ended(Status::Unreachable, false, None)]);
    assert_eq!(counted, Counters { skipped: 1, unreachable: 1, ..Counters::default() });
}

#[test]
fn a_replay_changes_nothing() {
    let all = events(vec![started(), ended(Status::Ok, true, None), halted(Fault::Stopped)]);
    let once = State::of(&all);
    let twice = State::of(all.iter().chain(&all));
    assert_eq!(once, twice);
    assert_eq!(once, State::of(all.iter().flat_map(|event| [event, event])));
}

#[test]
fn nothing_follows_the_last_event() {
    let over = Kind::RunEnded { code: 20, untouched: Vec::new() };
    let state = State::of(&events(vec![started(), over, halted(Fault::QuorumLost)]));
    assert!(state.is_over());
    assert_eq!((state.exit_code(), state.halt), (20, None));
}

#[test]
fn unreachable_outweighs_failed_and_a_member_down_outweighs_both() {
    let failed = || ended(Status::Failed, false, Some(Fault::Failed));
    let lost = || ended(Status::Unreachable, false, Some(Fault::Unreachable));
    assert_eq!(State::of(&events(vec![lost(), failed()])).exit_code(), 4);
    let state = State::of(&events(vec![halted(Fault::MemberDown), lost(), halted(Fault::Stopped)]));
    assert_eq!(state.exit_code(), 11);
    assert_eq!(state.halt.map(|halt| halt.fault), Some(Fault::MemberDown));
}

#[test]
fn an_act_without_an_end_is_not_known_yet() {
    let cut_off = State::of(&events(vec![started(), act()]));
    assert_eq!(cut_off.open_acts["n1"], "stop, swap, start");
    assert_eq!(cut_off.exit_code(), 13);
    let seen = State::of(&events(vec![started(), act(), ended(Status::Ok, true, None)]));
    assert_eq!((seen.open_acts.len(), seen.exit_code()), (0, 0));
}

#[test]
fn a_host_without_a_result_is_untouched_and_keeps_its_reason() {
    let over = |untouched| Kind::RunEnded { code: 2, untouched };
    let ran = || ended(Status::Ok, false, None);
    let silent = State::of(&events(vec![started(), ran()]));
    assert_eq!(silent.untouched(), [("n2".to_owned(), None)]);
    let told = vec![("n2".to_owned(), "n1 is down".to_owned())];
    let state = State::of(&events(vec![started(), ran(), over(told)]));
    assert_eq!(state.untouched(), [("n2".to_owned(), Some("n1 is down".to_owned()))]);
}

#[test]
fn an_event_of_a_newer_quorate_is_counted_and_passed_over() {
    let line = r#"{"seq":0,"at":"2026-11-24T18:00:00Z","elapsed":{"secs":1,"nanos":0},"event":"moon_rose","phase":3}"#;
    let event: Event = serde_json::from_str(line).unwrap();
    let state = State::of([&event]);
    assert_eq!((state.unknown, state.exit_code()), (1, 0));
}

fn rolled(host: &str, from: &str, to: &str, down: u64, outcome: &str) -> Kind {
    Kind::MemberRolled {
        host: host.to_owned(),
        member: format!("m-{host}"),
        from: from.to_owned(),
        to: to.to_owned(),
        down: Duration::from_millis(down),
        outcome: outcome.to_owned(),
    }
}

#[test]
fn a_member_that_is_rolled_again_is_one_entry_from_its_first_version_to_its_last() {
    let all = events(vec![
        rolled("n1", "2.0.5", "2.1.1", 100, "caught up"),
        rolled("n2", "2.0.5", "2.1.1", 50, "caught up"),
        rolled("n2", "2.1.1", "2.2.5", 70, "caught up"),
        rolled("n1", "2.1.1", "2.2.5", 30, "caught up"),
        rolled("n2", "2.2.5", "2.2.5", 5, "rolled back"),
    ]);
    let state = State::of(all.iter().chain(&all));
    let short = |one: &Rolled| (one.host.clone(), one.from.clone(), one.to.clone(), one.down.as_millis(), one.rolls);
    let entries: Vec<_> = state.members.iter().map(short).collect();
    let expected = |host: &str, down, rolls| (host.to_owned(), "2.0.5".to_owned(), "2.2.5".to_owned(), down, rolls);
    assert_eq!(entries, [expected("n1", 130, 2), expected("n2", 125, 3)]);
    assert_eq!(state.members.last().unwrap().outcome, "rolled back");
}

#[test]
fn a_cluster_is_what_it_was_seen_to_be_last_and_the_way_back_stays_closed() {
    let seen = |cluster: &str, version: &str, forward: Option<&str>| Kind::ClusterUpgraded {
        cluster: cluster.to_owned(),
        members: 3,
        version: version.to_owned(),
        cluster_version: None,
        forward_only: forward.map(ToOwned::to_owned),
    };
    let state = State::of(&events(vec![
        seen("a", "2.1.1", Some("not below 2.1")),
        seen("b", "2.1.1", None),
        seen("a", "2.2.5", Some("not below 2.2")),
        seen("a", "2.2.6", None),
    ]));
    let short = |one: &Upgraded| (one.cluster.clone(), one.version.clone(), one.forward_only.clone());
    let expected = |cluster: &str, version: &str, forward: Option<&str>| {
        (cluster.to_owned(), version.to_owned(), forward.map(ToOwned::to_owned))
    };
    let all: Vec<_> = state.upgraded.iter().map(short).collect();
    assert_eq!(all, [expected("b", "2.1.1", None), expected("a", "2.2.6", Some("not below 2.2"))]);
}

#[test]
fn a_cluster_that_came_down_is_no_longer_an_upgraded_one_and_counts_once() {
    let down =
        |version: &str| Kind::ClusterDowngraded { cluster: "a".to_owned(), members: 3, version: version.to_owned() };
    let up = Kind::ClusterUpgraded {
        cluster: "a".to_owned(),
        members: 3,
        version: "3.7.3".to_owned(),
        cluster_version: None,
        forward_only: Some("not below 3.7".to_owned()),
    };
    let state = State::of(&events(vec![up, down("3.6.16"), down("3.5.35")]));
    assert!(state.upgraded.is_empty());
    assert_eq!(state.downgraded, [Downgraded { cluster: "a".to_owned(), members: 3, version: "3.5.35".to_owned() }]);
}
