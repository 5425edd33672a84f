//! The long way in two runs on one cluster: 2.0.5 to 3.3.27 while clients write by v2, and on to 3.7.3 while others write by v3.

use std::process;
use std::sync::Arc;

use quorate_lab::load::LoadOptions;
use quorate_lab::{Lab, Sudo, User};

use crate::by_hand::v3;
use crate::long_turn;
use crate::quorate::{Ran, Roll};
use crate::standing::{assert_nothing_to_do, said};
use crate::unrolled::changes_nothing;
use crate::watched::{Rolled, Writers};

/// Minutes of writes, all of which are read back through every member at the end.
const WRITERS: Writers = Writers {
    load: LoadOptions { clients: Some(12), rate: Some(20.0), ..LoadOptions::USUAL },
    before: 200,
    in_all: 1_000,
};

const ON_THE_WAY: [&str; 11] =
    ["2.1.1", "2.2.5", "2.3.8", "3.0.17", "3.1.20", "3.2.32", "3.3.27", "3.4.13", "3.5.35", "3.6.16", "3.7.3"];

/// `quorate/next-hop`, to which quorate writes before some hops, as a question for its gateway.
const OWN_KEY: &str = r#"{"key":"cXVvcmF0ZS9uZXh0LWhvcA=="}"#;

/// How many processes of etcd there have been on each host: each start has an InvocationID of its own, also one by systemd after an end
/// that nobody wanted.
fn processes(lab: &Lab) -> Vec<usize> {
    let ids = "journalctl _SYSTEMD_UNIT=etcd.service --output=json --output-fields=_SYSTEMD_INVOCATION_ID --no-pager \
        | grep -o '\"_SYSTEMD_INVOCATION_ID\":\"[0-9a-f]*\"' | sort -u";
    lab.members().iter().map(|host| said(lab, &host.name, ids).lines().count()).collect()
}

/// One run of the long way: what must be true of it, whatever its end.
fn walked(lab: &Arc<Lab>, roll: &dyn Fn(&std::path::Path) -> Roll, to: &str, hops: usize) -> Rolled {
    let before = processes(lab);
    let rolled = Rolled::on(Arc::clone(lab), &WRITERS, |_, state| roll(state));
    rolled.assert_all_members_run(to);
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();
    let once_a_hop: Vec<usize> = before.iter().map(|count| count + hops).collect();
    assert_eq!(processes(lab), once_a_hop, "{}", rolled.ran);
    rolled
}

/// Stops the test if anything is left of what quorate did to get past hops.
#[track_caller]
pub(crate) fn assert_no_trace(lab: &Lab, ran: &Ran) {
    for host in lab.members() {
        let left = said(lab, &host.name, "find /etc /run/systemd -name 'zz-quorate-snapshots*'");
        assert_eq!(left, "", "{}: {ran}", host.name);
        let answer = v3(lab, &host.name, "kv/range", OWN_KEY);
        assert!(answer.contains(" 200 ") && answer.contains("revision") && !answer.contains("kvs"), "{answer}\n{ran}");
    }
}

#[test]
fn walks_from_2_0_to_3_3_and_on_to_3_7_with_one_restart_a_member_and_hop() {
    let _turn = long_turn();
    let lab = Lab::builder().name(&format!("walk-{}", process::id())).user(User::Ops).sudo(Sudo::Password);
    let lab = ON_THE_WAY.into_iter().fold(lab, quorate_lab::LabBuilder::release).start().unwrap();
    let lab = Arc::new(lab);
    let roll = |to: &str, state: &std::path::Path| {
        let roll = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state).to(to, &lab);
        roll.with("--become-password-file", lab.become_password_file().expect("a password"))
    };

    walked(&lab, &|state| roll("3.3.27", state), "3.3.27", 7);

    // The first clients' keys are in the v2 store still.
    let refused = changes_nothing(&lab, |state| roll("3.7.3", state));
    refused.ended(3).says(&["the v2 store has keys", "etcd_v2_data=delete"]);

    let rolled = walked(&lab, &|state| roll("3.7.3", state).var("etcd_v2_data", "delete"), "3.7.3", 4);
    let ran = &rolled.ran;
    let deleted = ran.said.find("of the v2 store, as `v2_data: delete` says").expect("the words of the act");
    let next = ran.said.find("swap 3.3.27 for 3.4.13").expect("the words of the first swap");
    assert!(deleted < next, "{ran}");
    assert_no_trace(&lab, ran);
    assert_nothing_to_do(&lab, roll("3.7.3", rolled.state.path()));
}
