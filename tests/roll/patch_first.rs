//! Where the patch that runs must not be left, a newer one of its minor comes first; and targets to which there is no way.

use std::fs;
use std::path::Path;
use std::process;

use quorate_lab::{Lab, binaries};

use crate::own_turn;
use crate::quorate::{Ran, Roll};
use crate::standing::said;
use crate::unrolled::changes_nothing;

fn roll(lab: &Lab, state: &Path, to: &str, releases: &Path) -> Roll {
    let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state);
    roll.var("etcd_version", to).var("etcd_releases", releases)
}

/// A run with these releases alone, which must be refused with all of these words and change nothing.
#[track_caller]
fn refused(lab: &Lab, to: &str, releases: &Path, words: &[&str]) -> Ran {
    let ran = changes_nothing(lab, |state| roll(lab, state, to, releases));
    ran.ended(3).says(words).says(&["refused before any change"]);
    ran
}

#[test]
fn goes_to_the_patch_first_that_may_be_left_and_refuses_where_it_is_missing() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("first-{}", process::id())).bastion(false);
    let lab = lab.etcd("3.5.21").release("3.5.35").release("3.6.16").start().unwrap();
    let only_target = binaries::folder("3.6.16").unwrap();
    refused(&lab, "3.6.16", &only_target, &["3.5, at least 3.5.32", "bring removed members back in 3.6"]);

    // Members take snapshots on the way, with a drop-in of quorate's own. A unit that is not understood could not be judged with it.
    let drop_in = "/etc/systemd/system/etcd.service.d/10-site.conf";
    let unclear = [
        ("Environment=SITE=%m", "the specifier %m, which only systemd knows"),
        ("EnvironmentFile=-/etc/default/etcd.*", "expected one absolute path without a pattern"),
    ];
    for (line, words) in unclear {
        let write = format!("mkdir -p $(dirname {drop_in}) && printf '[Service]\\n%s\\n' '{line}' >{drop_in}");
        said(&lab, "etcd2", &format!("{write} && systemctl daemon-reload"));
        refused(&lab, "3.6.16", &lab.releases(), &[&format!("etcd2: {drop_in}: "), words]);
    }
    said(&lab, "etcd2", &format!("rm -r $(dirname {drop_in}) && systemctl daemon-reload"));

    let state = tempfile::tempdir().unwrap();
    let ran = roll(&lab, state.path(), "3.6.16", &lab.releases()).run();
    ran.ended(0).says(&["3.5.21 -> 3.5.35", "3.5.35 -> 3.6.16", "all 3 members run 3.6.16"]);
    let at = |words: &str| ran.said.find(words).unwrap_or_else(|| panic!("`{words}` is not in:\n{ran}"));
    assert!(at("swap 3.5.21 for 3.5.35") < at("swap 3.5.35 for 3.6.16"), "{ran}");

    refused(&lab, "3.5.35", &lab.releases(), &["3.5.35 is lower than the running 3.6.16"]);
}

#[test]
fn refuses_a_way_without_a_release_of_each_minor_and_a_target_that_is_known_to_be_bad() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("noway-{}", process::id())).bastion(false);
    let lab = lab.etcd("3.4.13").release("3.5.35").start().unwrap();
    let only_target = binaries::folder("3.6.16").unwrap();
    refused(&lab, "3.6.16", &only_target, &["from 3.4.13 to 3.6.16 there must be a release of 3.5", "there is none"]);

    // No binary of 3.6.4 is needed to know what is said of it: a text takes its place in the folder of releases.
    let releases = tempfile::tempdir().unwrap();
    let archive = "etcd-v3.6.4-linux-amd64.tar.gz";
    let mut sums = fs::read_to_string(lab.releases().join("SHA256SUMS")).unwrap();
    for entry in fs::read_dir(lab.releases()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, releases.path().join(path.file_name().unwrap())).unwrap();
    }
    // SHA-256 of no bytes.
    sums.push_str(&format!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  {archive}\n"));
    fs::write(releases.path().join("SHA256SUMS"), sums).unwrap();
    fs::write(releases.path().join(archive), "").unwrap();
    refused(&lab, "3.6.4", releases.path(), &["3.6.4 must not be used", "members that were learners once, or removed"]);
}
