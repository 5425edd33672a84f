//! How far a run came with each host, from made-up events.

use super::*;
use crate::events::{Standing, Verdict};

const ALL: [&str; 3] = ["n1", "n2", "n3"];

fn names(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

fn run_of(check: bool) -> Kind {
    let Kind::RunStarted { run, version, playbook, command, .. } = started() else { unreachable!("made here") };
    Kind::RunStarted { run, version, playbook, hosts: names(&ALL), check, command }
}

fn play() -> Kind {
    Kind::PlayStarted { name: "p".to_owned(), hosts: names(&ALL) }
}

fn task(acts: bool) -> Kind {
    Kind::TaskStarted {
        name: "Swap".to_owned(),
        module: "m".to_owned(),
        place: "p:1:1".to_owned(),
        handler: false,
        acts,
    }
}

fn turn(host: &str) -> Vec<Kind> {
    let verdict = Verdict { may: true, reason: String::new() };
    vec![Kind::GuardAsked { host: host.to_owned(), verdict }, Kind::BatchStarted { hosts: names(&[host]) }]
}

fn round(number: u64, of: u64) -> Kind {
    Kind::RoundStarted { number, of, item: serde_json::Value::Null }
}

fn begins(host: &str) -> Kind {
    Kind::ActBegins { host: host.to_owned(), act: "stop, swap, start".to_owned() }
}

fn end(host: &str, status: Status, fault: Option<Fault>) -> Kind {
    let Kind::TaskEnded { task, result, diff, delegated_to, .. } = ended(status, true, fault) else {
        unreachable!("made here")
    };
    Kind::TaskEnded { host: host.to_owned(), task, status, changed: true, fault, result, diff, delegated_to }
}

fn well(host: &str) -> Kind {
    end(host, Status::Ok, None)
}

/// A whole turn of a member.
fn rolled_in_turn(host: &str) -> Vec<Kind> {
    let mut kinds = turn(host);
    kinds.extend([task(false), begins(host), rolled(host, "2.0.5", "2.1.1", 100, "caught up"), well(host)]);
    kinds
}

fn over(code: u8, untouched: &[&str]) -> Kind {
    let untouched = untouched.iter().map(|host| ((*host).to_owned(), "why".to_owned())).collect();
    Kind::RunEnded { code, untouched }
}

/// How far each host came, first letters in the order of the hosts: Done, In doubt, Failed, Begun, Untouched.
fn came(parts: &[&[Kind]]) -> String {
    let kinds = std::iter::once(run_of(false)).chain(parts.iter().flat_map(|part| part.iter().cloned()));
    let state = State::of(&events(kinds.collect()));
    state.standings().iter().map(|(_, standing)| standing.words().chars().next().unwrap()).collect()
}

#[test]
fn a_roll_that_breaks_off_knows_whom_it_finished_who_is_in_doubt_and_who_is_untouched() {
    // Staged and backed up before: that touches no member.
    let before = [play(), task(true), well("n1"), well("n2"), well("n3"), play()];
    assert_eq!(came(&[&before]), "bbb", "no guard was asked yet");
    assert_eq!(came(&[&before, &turn("n2")]), "ubu");
    let in_hand: Vec<Kind> = turn("n2").into_iter().chain([task(false)]).collect();
    let done = rolled_in_turn("n1");
    assert_eq!(came(&[&before, &done]), "duu");
    assert_eq!(came(&[&before, &done, &in_hand]), "dbu");
    assert_eq!(came(&[&before, &done, &in_hand, &[begins("n2")]]), "diu");
    let rolled_n2 = rolled("n2", "2.0.5", "2.1.1", 9, "caught up");
    assert_eq!(came(&[&before, &done, &in_hand, &[begins("n2"), rolled_n2]]), "ddu");
}

#[test]
fn without_anything_done_before_a_host_whose_turn_it_is_is_untouched_until_its_act_begins() {
    let mut kinds = vec![play()];
    kinds.extend(turn("n1"));
    kinds.push(task(false));
    assert_eq!(came(&[&kinds]), "uuu");
    kinds.push(begins("n1"));
    assert_eq!(came(&[&kinds]), "iuu");
}

#[test]
fn a_member_that_went_back_is_not_done_and_a_lost_outcome_is_in_doubt() {
    let begun: Vec<Kind> = [vec![play()], turn("n1"), vec![task(false), begins("n1")]].concat();
    let back = rolled("n1", "2.0.5", "2.0.5", 100, "rolled back");
    let failed = end("n1", Status::Failed, Some(Fault::RolledBack));
    assert_eq!(came(&[&begun, &[back, failed, halted(Fault::RolledBack), over(10, &["n2"])]]), "fuu");
    let lost = end("n1", Status::Failed, Some(Fault::OutcomeUnknown));
    assert_eq!(came(&[&begun, &[lost, halted(Fault::OutcomeUnknown), over(13, &[])]]), "iuu");
    assert_eq!(came(&[&begun, &[over(143, &["n2"])]]), "iuu", "let go of");
}

#[test]
fn who_had_not_all_of_its_rounds_is_begun_and_who_had_is_done() {
    let all: Vec<Kind> = ALL.iter().flat_map(|host| rolled_in_turn(host)).collect();
    let first = [vec![play(), round(1, 2)], all.clone()].concat();
    assert_eq!(came(&[&first]), "bbb");
    assert_eq!(came(&[&first, &[round(2, 2)], &rolled_in_turn("n3")]), "bbd");
    let rounds = [first, vec![round(2, 2)], all].concat();
    assert_eq!(came(&[&rounds]), "ddd");
    let last_play = [play(), task(false), end("n1", Status::Failed, Some(Fault::ForwardOnly))];
    assert_eq!(came(&[&rounds, &last_play]), "fdd");
}

#[test]
fn a_stop_between_turns_leaves_done_whose_turn_had_ended_and_one_within_a_turn_begun_whom_it_had_changed() {
    let turn_ended = |host: &str| Kind::TurnEnded { host: host.to_owned() };
    let looked = |host: &str| {
        let Kind::TaskEnded { host, task, status, fault, result, diff, delegated_to, .. } = well(host) else {
            unreachable!("made here")
        };
        Kind::TaskEnded { host, task, status, changed: false, fault, result, diff, delegated_to }
    };
    let stop = [halted(Fault::Stopped), over(20, &["n2", "n3"])];
    // A turn in which no member is rolled: a database defragmented, a shell, nothing to do.
    for end in [well("n1"), looked("n1")] {
        let ended = [vec![play()], turn("n1"), vec![task(false), end, turn_ended("n1")]].concat();
        assert_eq!(came(&[&ended]), "duu", "killed between turns");
        assert_eq!(came(&[&ended, &stop]), "duu");
        let looks = [turn("n2"), vec![task(false), looked("n2")]].concat();
        assert_eq!(came(&[&ended, &looks, &stop]), "duu", "nothing was changed in the turn");
        let within = [turn("n2"), vec![task(true), well("n2")]].concat();
        assert_eq!(came(&[&ended, &within, &stop]), "dbu", "its turn has more tasks");
    }
    // What was changed before the roll did not touch a member.
    let before = [play(), task(true), well("n1"), well("n2"), well("n3"), play()];
    let looks = [turn("n1"), vec![task(false), looked("n1")]].concat();
    assert_eq!(came(&[&before, &looks, &stop]), "uuu");
    // In rounds each of them counts.
    let one_of_two =
        [vec![play(), round(1, 2)], turn("n1"), vec![task(false), looked("n1"), turn_ended("n1")]].concat();
    assert_eq!(came(&[&one_of_two, &stop]), "buu");
}

#[test]
fn who_was_let_go_of_is_not_done_outside_a_roll_either() {
    let ran = [play(), task(true), well("n1"), well("n2"), task(true), well("n1")];
    for code in [130, 143] {
        assert_eq!(came(&[&ran, &[over(code, &["n3"])]]), "bii");
    }
    assert_eq!(came(&[&[play(), task(false), well("n1")], &[over(143, &["n2", "n3"])]]), "buu");
}

#[test]
fn the_guards_no_leaves_a_host_untouched() {
    let verdict = Verdict { may: false, reason: String::new() };
    let no = Kind::GuardAsked { host: "n2".to_owned(), verdict };
    let kinds = [vec![play()], rolled_in_turn("n1"), vec![no, halted(Fault::MemberDown), over(11, &["n2", "n3"])]];
    assert_eq!(came(&[&kinds.concat()]), "duu");
}

#[test]
fn a_task_that_announces_nothing_is_in_doubt_on_every_host_without_its_end() {
    let begun = [play(), task(true), well("n2")];
    assert_eq!(came(&[&begun]), "ibi");
    assert_eq!(came(&[&begun, &[well("n1"), well("n3"), task(false)]]), "bbb");
    let unreachable = end("n3", Status::Unreachable, Some(Fault::Unreachable));
    assert_eq!(came(&[&[play(), task(true), unreachable, task(true), well("n1")]]), "bif");
    let state = State::of(&events([vec![run_of(false)], begun.to_vec()].concat()));
    assert_eq!(state.in_doubt("n1").as_deref(), Some("the task `Swap`"));
}

#[test]
fn a_run_that_ended_by_itself_is_done_with_whom_it_did_not_fail_on_or_leave_out() {
    let ran = [play(), task(true), well("n1"), end("n2", Status::Failed, Some(Fault::Failed)), well("n3")];
    assert_eq!(came(&[&ran, &[over(2, &[])]]), "dfd");
    assert_eq!(came(&[&ran[..3], &[over(0, &["n3"])]]), "ddu", "a task that runs once stands for others");
    let halted = [task(true), halted(Fault::Stopped), over(20, &["n2", "n3"])];
    assert_eq!(came(&[&ran[..3], &halted]), "buu");
}

#[test]
fn a_check_run_touches_nothing() {
    let kinds = vec![run_of(true), play(), task(false), well("n1"), over(0, &[])];
    let state = State::of(&events(kinds));
    assert!(state.standings().iter().all(|(_, standing)| *standing == Standing::Untouched));
}
