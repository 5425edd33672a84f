//! A roll while clients write all the time, watched from outside.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quorate_lab::load::{LoadOptions, Report};
use quorate_lab::{HEALTHY, Lab, LabBuilder};
use tempfile::TempDir;

use crate::quorate::{Ran, Roll};
use crate::roll_call::{Down, RollCall, two_at_once};
use crate::standing::said;

/// For the writes that are missing when the roll has ended.
const REST: Duration = Duration::from_secs(300);

/// A lab, and all that came of its one roll to 2.1.1.
pub(crate) struct Rolled {
    pub(crate) lab: Arc<Lab>,
    pub(crate) state: TempDir,
    pub(crate) ran: Ran,
    pub(crate) downs: Vec<Down>,
    pub(crate) load: Report,
}

/// The clients of a roll.
pub(crate) struct Writers {
    /// How they write.
    pub(crate) load: LoadOptions,
    /// Acknowledged writes before the roll begins, so that there is something to lose.
    pub(crate) before: u64,
    /// Acknowledged writes in all; they go on after the roll until then.
    pub(crate) in_all: u64,
}

impl Rolled {
    /// Brings the lab up and rolls it, with what `roll` makes of the lab and the folder for runs and backups.
    pub(crate) fn new(lab: LabBuilder, writers: &Writers, roll: impl FnOnce(&Lab, &Path) -> Roll) -> Self {
        Self::on(Arc::new(lab.start().expect("a lab")), writers, roll)
    }

    /// The same on a lab that is up.
    pub(crate) fn on(lab: Arc<Lab>, writers: &Writers, roll: impl FnOnce(&Lab, &Path) -> Roll) -> Self {
        let state = tempfile::tempdir().unwrap();
        let load = lab.load(writers.load).unwrap();
        let mut acknowledged = load.acknowledged();
        acknowledged.wait_for(writers.before, HEALTHY).unwrap();
        let roll = roll(&lab, state.path());
        let watch = RollCall::begin(&lab);
        let ran = roll.run();
        let downs = watch.end();
        if ran.code == Some(0) {
            acknowledged.wait_for(writers.in_all, REST).unwrap();
        }
        load.stop().unwrap();
        let load = lab.check_load().unwrap();
        Self { lab, state, ran, downs, load }
    }

    /// Stops the test unless the roll ended well and all members run 2.1.1 as a cluster of that minor.
    #[track_caller]
    pub(crate) fn assert_all_members_are_new(&self) {
        self.assert_all_members_run("2.1.1");
        for host in self.lab.members() {
            assert_eq!(said(&self.lab, &host.name, "etcdctl --version").trim(), "etcdctl version 2.1.1");
        }
    }

    /// The same for any version.
    #[track_caller]
    pub(crate) fn assert_all_members_run(&self, version: &str) {
        let (minor, _) = version.rsplit_once('.').unwrap();
        let cluster = format!("{minor}.0");
        let forward = format!("cluster version {cluster}; forward only");
        self.ran.ended(0).says(&["PLAY RECAP", "upgraded: cluster", &forward, "BACKUPS"]);
        let status = self.lab.status();
        assert_eq!(status.len(), self.lab.members().len());
        for member in status {
            assert_eq!(member.version.as_deref(), Some(version), "{member:?}");
            assert_eq!(member.cluster_version.as_deref(), Some(cluster.as_str()), "{member:?}");
            assert!(member.healthy && member.restarts == Some(0), "{member:?}");
        }
    }

    /// Stops the test unless all acknowledged writes are there, and as many as asked for.
    #[track_caller]
    pub(crate) fn assert_no_write_is_lost(&self, writes: u64) {
        assert!(self.load.acked >= writes, "{:?}\n{}", self.load, self.ran);
        assert!(self.load.ok && self.load.lost == 0, "{:?}\n{}", self.load, self.ran);
    }

    /// Stops the test unless each member was down, and never two at once.
    #[track_caller]
    pub(crate) fn assert_one_member_down_at_a_time(&self) {
        for host in self.lab.members() {
            let seen = self.downs.iter().any(|down| down.host == host.name);
            assert!(seen, "{} was never seen down\n{}", host.name, self.ran);
        }
        let two = two_at_once(&self.downs);
        assert!(two.is_none(), "{two:#?}\n{}", self.ran);
    }
}
