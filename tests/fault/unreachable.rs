//! A host that cannot be reached in the middle of a roll.

use quorate_lab::{Ends, Fault, Lab, Loss};
use serde_json::Value;

use super::TURNS;
use super::control::{Control, NEW, OLD, nothing_lost, playbook};
use super::window::{LOAD, Step};

/// The host whose turn begins with this event.
fn turn(event: &Value) -> Option<&str> {
    let hosts = event["hosts"].as_array().filter(|_| event["event"] == "batch_started")?;
    if hosts.len() == 1 { hosts[0].as_str() } else { None }
}

#[test]
fn a_host_that_is_unreachable_in_the_middle_stops_the_roll_whatever_is_to_be_ignored() {
    let _turn = TURNS.own();
    let control = Control::new(Lab::builder().etcd(OLD).start().unwrap());
    let load = control.lab.load(LOAD).unwrap();
    let cut = Fault::Link(Loss::Both, Ends::Ssh);
    for forgive in ["false", "true"] {
        let touched = control.touched();
        let mut command = control.quorate(&playbook("tests/fault/roll_with_pause.yml"));
        command.arg("-F").arg(control.path("ssh_config"));
        command.args(["-e", &format!("etcd_version={NEW}"), "-e", &format!("forgive={forgive}")]);
        command.args(["-e", &format!("etcd_releases={}", control.lab.releases().display())]);
        let mut run = control.start(command);
        // The first run takes one member over before; the second comes to the next that is left.
        let nth = usize::from(touched.is_empty());
        let host = run.wait_for("the turn of the second host", |events| {
            let turns = events.iter().filter_map(turn).filter(|host| !touched.contains(*host));
            turns.map(str::to_owned).nth(nth)
        });
        control.lab.fault(&cut, &host).unwrap();
        let ran = run.end();
        ran.exits(4);
        ran.says(&[&host, "in the middle of a roll"]);
        control.lab.mend(&cut, &host).unwrap();
        // One member was taken over in the first run; the host that was lost and the one after it were not touched in either.
        let touched = control.touched();
        assert_eq!(touched.len(), 1, "forgive={forgive}: {touched:?}");
        assert!(!touched.contains(&host));
        let versions = control.versions();
        assert_eq!(versions.iter().filter(|version| *version == OLD).count(), 2, "{versions:?}");
    }
    // Now the link goes while a transaction is at work, and stays away for longer than the run waits: twice stop and start, the soak,
    // and a minute.
    control.slow_down();
    let before = control.touched();
    let mut upgrade = control.upgrade();
    upgrade.args(["-e", "etcd_start_timeout=15"]);
    let mut run = control.start(upgrade);
    let window = control.next_window(&before, &mut run);
    window.wait(Step::Stop, &mut run);
    control.lab.fault(&cut, &window.host).unwrap();
    let ran = run.end();
    ran.exits(13);
    ran.says(&[
        &format!("{}: the outcome of stop, swap, start is not known", window.host),
        "the host ends it by itself",
        &format!("when {} can be reached again, run the playbook again", window.host),
    ]);
    assert_eq!(window.outcome(), "done");
    assert_eq!(control.touched().len(), before.len() + 1, "{}", ran.text);
    control.lab.mend(&cut, &window.host).unwrap();
    control.run(control.upgrade()).exits(0);
    control.all_on(NEW);
    nothing_lost(&control, load);
}
