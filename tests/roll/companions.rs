//! Units that systemd stops together with etcd, and that it does not start with it: what was up of them is up again after a roll.

use std::process;

use quorate_lab::Lab;

use crate::own_turn;
use crate::quorate::Roll;
use crate::standing::said;

#[test]
fn what_systemd_stops_with_etcd_is_told_before_and_up_again_after() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("with-{}", process::id())).bastion(false).start().unwrap();
    for host in lab.members() {
        let unit = |name: &str, needs: &str| {
            format!(
                "printf '[Unit]\\n{needs}=etcd.service\\nAfter=etcd.service\\n[Service]\\nExecStart=/bin/sleep infinity\\n' \
                 >/etc/systemd/system/{name}.service"
            )
        };
        let both = format!("{} && {}", unit("needs", "Requires"), unit("idle", "PartOf"));
        said(&lab, &host.name, &format!("{both} && systemctl daemon-reload && systemctl start needs"));
    }
    let state = tempfile::tempdir().unwrap();
    let ran = Roll::to_2_1_1(&lab, state.path()).run();
    ran.ended(0).says(&["systemd stops ", "needs.service"]);
    for host in lab.members() {
        let active =
            |unit: &str| said(&lab, &host.name, &format!("systemctl is-active {unit} || true")).trim().to_owned();
        assert_eq!([active("needs"), active("idle")], ["active", "inactive"], "{}\n{ran}", host.name);
    }
}
