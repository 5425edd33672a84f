//! Down again by etcd's own downgrade, from 3.7 over 3.6 to 3.5, while clients write; and from 3.5 there is no way down.

use std::process;
use std::sync::Arc;

use quorate_lab::Lab;
use quorate_lab::load::LoadOptions;

use crate::long_turn;
use crate::quorate::Roll;
use crate::standing::{Standing, said};
use crate::watched::{Rolled, Writers};

const WRITERS: Writers = Writers {
    load: LoadOptions { clients: Some(12), rate: Some(40.0), ..LoadOptions::USUAL },
    before: 200,
    in_all: 800,
};

#[test]
fn goes_down_from_3_7_to_3_5_and_no_further() {
    let _turn = long_turn();
    let lab = Lab::builder().name(&format!("down-{}", process::id())).etcd("3.7.3").release("3.6.16").release("3.5.35");
    let lab = Arc::new(lab.release("3.4.13").start().unwrap());

    // Somebody has begun it by hand: no upgrade goes on then, and the downgrade takes it over.
    said(&lab, "etcd1", "etcdctl downgrade enable 3.6");
    let (state, standing) = (tempfile::tempdir().unwrap(), Standing::of(&lab));
    let up = Roll::new(&lab, &lab.inventory(), &lab.ssh_config(), state.path()).to("3.7.3", &lab).run();
    up.ended(3).says(&["a downgrade to 3.6.0 is under way", "etcd-downgrade.yml"]);
    standing.assert_unchanged(&lab);

    let rolled = Rolled::on(Arc::clone(&lab), &WRITERS, |lab, state| Roll::down(lab, state).to("3.5.35", lab));
    let down = format!("all {} members run 3.5.35", lab.members().len());
    rolled.ran.ended(0).says(&["path: 3.7.3 -> 3.6.16, 3.6.16 -> 3.5.35", "DOWNGRADED", &down]);
    for member in lab.status() {
        assert!(member.healthy && member.version.as_deref() == Some("3.5.35"), "{member:?}\n{}", rolled.ran);
        assert_eq!(member.cluster_version.as_deref(), Some("3.5.0"), "{member:?}");
        assert!(said(&lab, &member.host, "etcdctl version").contains("3.5.35"), "{member:?}");
    }
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();

    let standing = Standing::of(&lab);
    let further = Roll::down(&lab, state.path()).to("3.4.13", &lab).run();
    further.ended(3).says(&["3.4.13 is lower than the running 3.5.35"]);
    standing.assert_unchanged(&lab);
}
