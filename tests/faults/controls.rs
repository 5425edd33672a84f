//! Each check is shown what it must not let pass, made for real where it can be made: a check that lets its control pass says nothing.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use quorate_lab::{Fault, HEALTHY, wait_until};
use serde_json::{Value, json};

use super::cell::{Before, Runs, Watch, evidence};
use super::checks::{self, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12};
use super::control::{NEW, OLD, Ran};
use super::evidence::Evidence;
use super::memory::MOST;
use super::stand::{CONTROLS, Stand};
use super::table::{self, Pair};

/// Acknowledged writes that there must be to say anything, and some more.
const WRITES: u64 = 150;

fn ran(code: Option<i32>, events: Vec<Value>) -> Ran {
    Ran { code, text: String::new(), events }
}

/// A lab on which nothing is rolled: quorate only looks at it, and `sabotage` does the rest.
fn unrolled(stand: &Stand, sabotage: impl FnOnce(&Watch)) -> Evidence {
    stand.reset();
    stand.hurry();
    let lab = &stand.control.lab;
    let before = Before::look(lab);
    let mut watch = Watch::begin(stand);
    let mut look = lab.control_command(env!("CARGO_BIN_EXE_quorate"));
    look.args(["lock", "show", "--json", "-i"]).arg(lab.inventory()).arg("-F").arg(stand.control.path("ssh_config"));
    look.arg("--become-password-file").arg(lab.become_password_file().unwrap());
    look.arg("--state-dir").arg(stand.control.path("state")).stdin(Stdio::null());
    watch.run(stand, look).exits(0);
    watch.written(WRITES);
    sabotage(&watch);
    let runs = Runs {
        run: ran(None, Vec::new()),
        live: lab.status(),
        resumes: Vec::new(),
        programs: Vec::new(),
        windows: String::new(),
        by_fault: Vec::new(),
    };
    let cell = table::cells().remove(0);
    evidence(stand, &cell, before, watch, runs)
}

/// The check tells, and names itself and what is wrong.
#[track_caller]
fn caught(check: fn(&Evidence) -> Result<(), String>, evidence: &Evidence, words: &[&str]) {
    let told = check(evidence).expect_err("the control was let pass");
    for word in words {
        assert!(told.contains(word), "`{word}` is not in: {told}");
    }
}

/// What must be seen on hosts, each by one check.
const ON_A_HOST: &str = r#"
cp -p /usr/local/bin/etcd /usr/local/bin/etcd.lab && printf x >>/usr/local/bin/etcd.lab && mv /usr/local/bin/etcd.lab /usr/local/bin/etcd
touch /usr/local/bin/.quorate-stray
# By this shell itself, which is there for a while: of one that is gone when it is looked for only the number is told.
: >/var/lib/etcd/member/stray
rm /var/lib/etcd/member/stray
mkdir -p /run/systemd/system/etcd.service.d && printf '[Service]\nNice=1\n' >/run/systemd/system/etcd.service.d/stray.conf
systemctl mask --runtime stray.service && systemctl daemon-reload
systemd-run --quiet --unit=quorate-window-stray systemd-socket-activate -l 127.0.0.1:4444 /bin/true
printf '%s' "$1" >/var/log/stray
"#;

#[test]
fn the_controls_are_caught() {
    CONTROLS.work(&Pair::first(), controls);
}

fn controls(stand: &Stand) {
    let lab = &stand.control.lab;
    let mut sound = unrolled(stand, |_| ());
    for check in [a1, a2, a3, a4, a5, a6, a7, a8, a10, a11, a12] {
        assert_eq!(check(&sound), Ok(()), "an idle lab is not sound");
    }
    told_of_runs(&mut sound);
    told_of_stores(sound);

    let password = fs::read_to_string(lab.become_password_file().unwrap()).unwrap();
    let broken = unrolled(stand, |watch| {
        for host in ["etcd2", "etcd3"] {
            lab.fault(&Fault::StopEtcd, host).unwrap();
        }
        let down = || {
            let silent = lab.status().into_iter().filter(|member| member.version.is_none()).count();
            if silent == 2 { Ok(()) } else { Err(format!("{silent} are down")) }
        };
        wait_until("two members that are down", HEALTHY, down).unwrap();
        for host in ["etcd2", "etcd3"] {
            lab.mend(&Fault::StopEtcd, host).unwrap();
        }
        lab.wait_healthy(HEALTHY).unwrap();
        // The password is an argument here, and of the shell on the host: the one for as long as the other.
        let script = format!("{ON_A_HOST}\nsleep 1");
        let output = lab.exec("etcd1", &["sh", "-ec", &script, "-", password.trim()]).unwrap();
        assert!(output.status.success(), "{output:?}");
        hungry(watch);
        let ctl = "etcdctl -C http://127.0.0.1:2379";
        let script = format!("{ctl} rm --recursive /w && {ctl} member add stray http://10.78.0.99:2380");
        stand.control.said("etcd1", &["sh", "-ec", &script]);
    });
    caught(a1, &broken, &["A1: ", "writes lost", "lost: "]);
    caught(a2, &broken, &["A2: ", "etcd2", "etcd3"]);
    caught(a3, &broken, &["A3: ", "1 stayed"]);
    caught(a4, &broken, &["A4: ", "10.78.0.99"]);
    caught(a5, &broken, &["A5: ", "etcd of etcd1"]);
    let strays = broken.listing_before["etcd1"].strays(&broken.listing_after["etcd1"], &Pair::first()).join("\n");
    for stray in [
        ".quorate-stray",
        "etcd.service.d/stray.conf",
        "masked stray.service",
        "unit quorate-window-stray",
        "listens 127.0.0.1:4444",
    ] {
        assert!(strays.contains(stray), "{stray} is not among:\n{strays}");
    }
    caught(a6, &broken, &["A6: ", "etcd1"]);
    caught(a8, &broken, &["A8: ", "the password for sudo in the arguments of"]);
    assert!(broken.leaks.iter().any(|leak| leak.contains("var/log/stray of etcd1")), "{:?}", broken.leaks);
    caught(a10, &broken, &["A10: killed 1 times"]);
    assert!(broken.peak_kib > MOST / 1024, "{} KiB", broken.peak_kib);
    caught(a11, &broken, &["A11: ", "sh ", "create", "stray"]);
}

/// Somebody who takes more memory than a run may: once unseen by the kernel's limit, and once within it.
fn hungry(watch: &Watch) {
    let mut perl = Command::new("perl");
    let mut large = perl.args(["-e", "$x = 'a' x (300 << 20); sleep 60"]).spawn().unwrap();
    watch.guard.of(large.id());
    let seen = || if watch.guard.peak_kib() > MOST / 1024 { Ok(()) } else { Err("not seen yet".to_owned()) };
    wait_until("the guard to see it", HEALTHY, seen).unwrap();
    large.kill().unwrap();
    large.wait().unwrap();
    let mut endless = Command::new("sh").args(["-c", "sleep 0.5; exec tail /dev/zero"]).spawn().unwrap();
    watch.memory.hold(endless.id());
    wait_until("the kernel to kill it", HEALTHY, || endless.try_wait().unwrap().ok_or_else(|| "it lives".to_owned()))
        .unwrap();
}

/// Runs that say something else than is the case.
fn told_of_runs(sound: &mut Evidence) {
    let ended = |code: i32| json!({ "event": "run_ended", "code": code });
    let rolled = |outcome: &str| json!({ "event": "member_rolled", "host": "etcd2", "from": OLD, "to": NEW, "outcome": outcome });
    // All members run the old version, and all are well.
    for (code, events, words) in [
        (0, vec![ended(0)], "A7: exit 0"),
        (2, vec![ended(3)], "its events say Some(3)"),
        (11, vec![ended(11)], "A7: exit 11"),
        (10, vec![ended(10)], "no event says who was rolled back"),
        (2, vec![rolled("caught up"), ended(2)], "etcd2 is said to have caught up"),
    ] {
        sound.run = ran(Some(code), events);
        caught(a7, sound, &[words]);
    }
    for (code, events) in [(3, vec![ended(3)]), (10, vec![rolled("caught up"), rolled("rolled back"), ended(10)])] {
        sound.run = ran(Some(code), events);
        assert_eq!(a7(sound), Ok(()));
    }
    sound.run = ran(Some(3), vec![ended(3)]);
    sound.run.text.push_str("\u{1b}[2J");
    caught(a7, sound, &["A7: a run said '\\u{1b}'"]);
    for member in &mut sound.live {
        member.healthy = member.host != "etcd3";
    }
    sound.run = ran(Some(3), vec![ended(3)]);
    caught(a7, sound, &["A7: exit 3", "etcd3"]);
    caught(checks::as_in_the_table, sound, &["exit: Some(3), expected None"]);
    sound.run = ran(None, Vec::new());
    sound.cell.new = vec![0];
    caught(checks::as_in_the_table, sound, &["state: 1 members do not serve"]);
    sound.cell.new = vec![1];
    caught(checks::as_in_the_table, sound, &["state: 0 members are new"]);
    for member in &mut sound.live {
        member.healthy = true;
    }
    sound.cell.new = vec![0];
    sound.cell.says = vec!["a word".to_owned()];
    caught(checks::as_in_the_table, sound, &["not said", "a word"]);

    // The table wants a resume that ends with 0, and all members new.
    let act = || json!({ "event": "act_begins" });
    sound.cell.resume = 0;
    sound.resumes = vec![ran(Some(0), Vec::new()), ran(Some(0), Vec::new())];
    caught(a9, sound, &["A9: resumed, and", OLD]);
    for member in &mut sound.live_after {
        member.version = Some(NEW.to_owned());
    }
    assert_eq!(a9(sound), Ok(()));
    sound.resumes = vec![ran(Some(0), Vec::new()), ran(Some(0), vec![act()])];
    caught(a9, sound, &["A9: a second resume", "1 acts"]);
    sound.resumes = vec![ran(Some(13), Vec::new()), ran(Some(0), Vec::new())];
    caught(a9, sound, &["A9: resume ended with Some(13)"]);
    sound.longest = Duration::from_secs(3600);
    caught(a10, sound, &["A10: a run took 3600s"]);
}

/// Copies of the store that are not the same, as no cluster could be made to have here: one key of one member differs, one is silent.
fn told_of_stores(mut sound: Evidence) {
    let own = sound.stores["etcd3"].clone().unwrap();
    // A write of the load, as every member has it.
    let other = own.replacen("\"createdIndex\":", "\"createdIndex\":1", 1);
    assert_ne!(own, other);
    sound.stores.insert("etcd3".to_owned(), Ok(other));
    caught(a12, &sound, &["A12: ", "etcd3 differ"]);
    sound.stores.insert("etcd3".to_owned(), Err("no answer".to_owned()));
    caught(a12, &sound, &["A12: etcd3 does not give its store"]);
    sound.stores.remove("etcd3");
    caught(a12, &sound, &["A12: not every member"]);
}
