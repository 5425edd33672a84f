//! What is shown of a play that goes over its hosts several times.

use super::*;
use crate::report::JsonLines;

fn round(number: u64, item: Value) -> Kind {
    Kind::RoundStarted { number, of: 11, item }
}

fn rolled(host: &str, from: &str, to: &str, down: u64) -> Kind {
    Kind::MemberRolled {
        host: host.to_owned(),
        member: format!("m{host}"),
        from: from.to_owned(),
        to: to.to_owned(),
        down: Duration::from_millis(down),
        outcome: "caught up".to_owned(),
    }
}

#[test]
fn a_round_has_a_heading_with_its_name_or_what_it_is() {
    for (item, shown) in [
        (json!({"name": "2.1.1 -> 2.2.5", "to": "2.2.5"}), "2.1.1 -> 2.2.5"),
        (json!({"to": "2.2.5"}), "{\"to\":\"2.2.5\"}"),
        (json!("2.2.5"), "2.2.5"),
        (json!([1, 2]), "[1,2]"),
        (json!("a\u{1b}[2J\nb"), "a\\x1b[2J\\nb"),
    ] {
        let title = format!("ROUND 2 of 11 [{shown}] ");
        let text = printed(vec![round(2, item)]);
        assert_eq!(text, format!("\n{title}{}\n", "*".repeat(80 - title.len())));
    }
}

#[test]
fn a_member_that_was_rolled_in_several_rounds_has_one_row_with_their_number() {
    let once = || vec![rolled("n1", "2.0.5", "2.1.1", 1000), rolled("n2", "2.0.5", "2.1.1", 200)];
    let end = || vec![ended("n1", Status::Ok, true, json!({})), Kind::RunEnded { code: 0, untouched: vec![] }];
    let table = |kinds: Vec<Kind>| {
        let text = printed(kinds);
        let members = text.split("\nMEMBERS\n").nth(1).expect("a table of members");
        members.lines().take_while(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let one_round = once().into_iter().chain(end()).collect();
    assert_eq!(
        table(one_round),
        [
            "  host  member  before  now    down   outcome",
            "  n1    mn1     2.0.5   2.1.1  1.0 s  caught up",
            "  n2    mn2     2.0.5   2.1.1  0.2 s  caught up"
        ]
    );
    let two_rounds = once().into_iter().chain([rolled("n1", "2.1.1", "2.2.5", 500)]).chain(end()).collect();
    assert_eq!(
        table(two_rounds),
        [
            "  host  member  before  now    rolls  down   outcome",
            "  n1    mn1     2.0.5   2.2.5  2      1.5 s  caught up",
            "  n2    mn2     2.0.5   2.1.1  1      0.2 s  caught up"
        ]
    );
}

#[test]
fn a_line_of_json_carries_the_round_with_its_item() {
    let kind = round(2, json!({"to": "2.2.5"}));
    let event = Event { seq: 0, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::ZERO, kind };
    let mut bytes = Vec::new();
    JsonLines::new(&mut bytes, Head::default()).write(&event).unwrap();
    let line: Value = serde_json::from_slice(&bytes).unwrap();
    let part = |key: &str| line.get(key).cloned().unwrap_or_default();
    assert_eq!(
        [part("event"), part("number"), part("of"), part("item")],
        [json!("round_started"), json!(2), json!(11), json!({"to": "2.2.5"})]
    );
}
