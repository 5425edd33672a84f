//! Every hop from 2.1 to 3.7, each by itself: three members behind a bastion, `ops` with a password for sudo, clients that write all
//! the time by the API of the older version.

use std::process;

use quorate_lab::load::LoadOptions;
use quorate_lab::{Lab, Sudo, User};

use crate::own_turn;
use crate::quorate::Roll;
use crate::watched::{Rolled, Writers};

/// Some forty writes a second: enough to lose some, and little enough that two cores have time for the roll.
const WRITERS: Writers = Writers {
    load: LoadOptions { clients: Some(12), rate: Some(40.0), ..LoadOptions::USUAL },
    before: 200,
    in_all: 800,
};

/// Rolls a cluster from one version to another and wants nothing lost, one member down at a time, and a proven backup of each.
fn hop(from: &str, to: &str, tls: bool) {
    let _turn = own_turn();
    // Two of them may be at work at once.
    let name = format!("{}-{}-{}", if tls { "tls" } else { "hop" }, from.replace('.', ""), process::id());
    let lab = Lab::builder().name(&name).etcd(from).release(to).tls(tls).user(User::Ops).sudo(Sudo::Password);
    let rolled = Rolled::new(lab, &WRITERS, |lab, state| {
        let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state).to(to, lab);
        roll.with("--become-password-file", lab.become_password_file().expect("a password"))
    });
    rolled.assert_all_members_run(to);
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();
}

macro_rules! hops {
    ($($name:ident: $from:literal, $to:literal, tls: $tls:literal;)*) => {$(
        #[test]
        fn $name() {
            hop($from, $to, $tls);
        }
    )*};
}

hops! {
    rolls_2_1_to_2_2: "2.1.1", "2.2.5", tls: false;
    rolls_2_2_to_2_3: "2.2.5", "2.3.8", tls: false;
    rolls_2_3_to_3_0: "2.3.8", "3.0.17", tls: false;
    rolls_3_0_to_3_1: "3.0.17", "3.1.20", tls: false;
    rolls_3_1_to_3_2: "3.1.20", "3.2.32", tls: false;
    rolls_3_2_to_3_3: "3.2.32", "3.3.27", tls: false;
    rolls_3_3_to_3_4: "3.3.27", "3.4.13", tls: false;
    rolls_3_4_to_3_5: "3.4.23", "3.5.35", tls: false;
    rolls_3_5_to_3_6: "3.5.35", "3.6.16", tls: false;
    rolls_3_6_to_3_7: "3.6.16", "3.7.3", tls: false;
    rolls_3_5_to_3_6_over_tls: "3.5.35", "3.6.16", tls: true;
    rolls_3_6_to_3_7_over_tls: "3.6.16", "3.7.3", tls: true;
}
