//! What becomes of the v2 store's keys where its API ends: moved into the v3 store, or, if a name is taken there, left alone.

use std::process;

use quorate_lab::Lab;

use crate::own_turn;
use crate::quorate::{Ran, Roll};
use crate::standing::{assert_nothing_to_do, said};

/// Puts keys into the v2 store: a hundred in a folder, one with blanks and letters beyond ASCII, an empty one, one that expires, and a
/// folder with nothing in it.
const FILL: &str = r"
export ETCDCTL_API=2
for n in $(seq 100); do etcdctl set /app/many/$n value-$n >/dev/null || exit; done
etcdctl set '/app/a b/ü' 'two words, ü' >/dev/null && etcdctl set /empty '' >/dev/null
etcdctl set --ttl 3000 /expires soon >/dev/null && etcdctl mkdir /bare
";

fn roll(lab: &Lab, to: &str, data: &str) -> Ran {
    let state = tempfile::tempdir().unwrap();
    let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state.path()).to(to, lab);
    roll.var("etcd_v2_data", data).run()
}

fn v3(lab: &Lab, words: &str) -> String {
    said(lab, "etcd1", &format!("ETCDCTL_API=3 etcdctl {words}"))
}

#[test]
fn keys_of_the_v2_store_are_moved_and_none_over_another() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("move-{}", process::id())).bastion(false).etcd("3.3.27").release("3.4.13");
    let lab = lab.start().unwrap();
    said(&lab, "etcd2", FILL);

    v3(&lab, "put /app/many/7 'of somebody else'");
    let taken = roll(&lab, "3.4.13", "migrate");
    taken.ended(2).says(&["other values under 1 of 103 names of the v2 store (/app/many/7)", "nothing was moved"]);
    for member in lab.status() {
        assert_eq!(member.version.as_deref(), Some("3.3.27"), "{member:?}\n{taken}");
    }
    let listed = said(&lab, "etcd2", "ETCDCTL_API=2 etcdctl ls --recursive -p / | grep -vc '/$'");
    assert_eq!(listed.trim(), "103", "{taken}");
    assert_eq!(v3(&lab, "get --prefix / --keys-only | grep -c ."), "1\n", "{taken}");

    v3(&lab, "put /app/many/7 value-7");
    let moved = roll(&lab, "3.4.13", "migrate");
    moved.ended(0).says(&["of the v2 store into the v3 store, as `v2_data: migrate` says", "upgraded: cluster"]);
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some("3.4.13"), "{member:?}\n{moved}");
    }
    let values = v3(&lab, "get --prefix /app/many/ --print-value-only");
    let mut values: Vec<&str> = values.lines().collect();
    let mut expected: Vec<String> = (1..=100).map(|n| format!("value-{n}")).collect();
    values.sort_unstable();
    expected.sort_unstable();
    assert_eq!(values, expected, "{moved}");
    assert_eq!(v3(&lab, "get '/app/a b/ü' --print-value-only"), "two words, ü\n");
    assert_eq!(v3(&lab, "get /empty"), "/empty\n\n");
    // A key without a lease has no such field, and its value is written in base64: `soon`.
    let expires = v3(&lab, "get /expires -w json");
    assert!(expires.contains(r#""value":"c29vbg==""#) && expires.contains(r#""lease":"#), "{expires}");
    assert!(!v3(&lab, "get /empty -w json").contains(r#""lease":"#));
}

#[test]
fn the_way_stops_at_3_5_with_the_v2_api_on_and_goes_on_once_its_keys_are_gone() {
    let _turn = own_turn();
    let name = format!("stop-{}", process::id());
    let lab = Lab::builder().name(&name).bastion(false).etcd("3.3.27");
    let lab = lab.release("3.4.13").release("3.5.35").release("3.6.16").start().unwrap();
    let v2 = |words: &str| said(&lab, "etcd2", &format!("ETCDCTL_API=2 etcdctl {words}"));
    v2("set /app/key value");

    let refused = roll(&lab, "3.6.16", "refuse");
    refused.ended(3).says(&["the v2 store has keys (/app)", "`etcd_v2_data=stop` to end at 3.5"]);

    let stopped = roll(&lab, "3.6.16", "stop");
    stopped
        .ended(0)
        .says(&["the way ends at 3.5.35 and not at 3.6.16: the v2 store has keys (/app)", "upgraded: cluster"]);
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some("3.5.35"), "{member:?}\n{stopped}");
    }
    assert_eq!(v2("get /app/key"), "value\n", "{stopped}");
    assert_eq!(v2("set /app/other more"), "more\n");

    let state = tempfile::tempdir().unwrap();
    let again = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path()).to("3.6.16", &lab);
    assert_nothing_to_do(&lab, again.var("etcd_v2_data", "stop"));

    v2("rm --recursive /app");
    let on = roll(&lab, "3.6.16", "stop");
    on.ended(0).says(&["taken out", "upgraded: cluster"]);
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some("3.6.16"), "{member:?}\n{on}");
    }
}
