//! How far a run that was stopped came with its hosts, by its own events.

use std::time::Duration;

use quorate::events::{Standing, State};

use super::*;

/// Asked to stop in the turn of the first host.
const STOPPED: &str = "
- hosts: g
  rolling: {guard: etcd}
  tasks:
  - {name: swap, command: 'echo {{ \"pull\" if inventory_hostname == \"h3\" else \"\" }}'}
";

fn standings(done: &Done) -> Vec<(String, Standing)> {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let event = |(seq, kind): (u64, &Kind)| Event { seq, at, elapsed: Duration::ZERO, kind: kind.clone() };
    State::of(&(0..).zip(&done.kinds).map(event).collect::<Vec<_>>()).standings()
}

#[tokio::test]
async fn a_host_whose_turn_had_ended_is_done_and_one_that_had_more_to_do_is_begun() {
    let with = |standing| [("h1", Standing::Untouched), ("h2", Standing::Untouched), ("h3", standing)];
    let more = format!("{STOPPED}  - {{name: more, command: 'true'}}\n");
    let looks = STOPPED.replace("else \"\" }}'", "else \"\" }}', changed_when: false");
    for (playbook, standing) in
        [(STOPPED, Standing::Done), (looks.as_str(), Standing::Done), (more.as_str(), Standing::Begun)]
    {
        let done = run(playbook).await;
        assert_eq!((done.code, done.ends("swap").len()), (20, 1), "{playbook}");
        assert_eq!(standings(&done), with(standing).map(|(host, standing)| (host.to_owned(), standing)), "{playbook}");
    }
    let turns = |done: &Done| done.kinds.iter().filter(|kind| matches!(kind, Kind::TurnEnded { .. })).count();
    assert_eq!(turns(&run(ROLL).await), 3);
    assert_eq!(turns(&run(&ROLL.replace("echo {{ inventory_hostname }}", "false")).await), 0, "a failure ends no turn");
}
