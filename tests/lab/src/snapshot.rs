//! A lab put back to how it was, in seconds: every host's disks are copied once and laid back before each trial, and the hosts boot
//! from them as machines do.
//!
//! Whole images and not folders, so that nothing can be forgotten: units that were made for a while, a changed host key, what etcd has
//! written and what stands in a journal that was not replayed yet are all of one time. Memory is not kept: etcd starts anew, and who
//! leads is decided anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::act::{ActError, at, feed};
use crate::builder::each;
use crate::disk;
use crate::lab::{HEALTHY, Lab, LabError};
use crate::site::Host;
use crate::{container, network};

/// An image has some hundred MB of data, which take a second; this is for a busy machine.
const COPY: Duration = Duration::from_secs(120);

/// Beside each host's own disks.
const KEPT: &str = "kept";

/// What faults keep of a host beside its disks (`fault/swap.rs`); it is of no use once the disks are old again.
const LEFT_BY_FAULTS: [&str; 2] = ["old-keys", "old-etcd"];

impl Lab {
    /// Keeps all hosts' disks as they are now; each is shut down as one should be, copied, and booted again. A later call replaces the
    /// first.
    ///
    /// # Errors
    /// A host does not go down or does not come up, or the copies do not fit.
    pub fn snapshot(&self) -> Result<(), LabError> {
        self.rebooted(|host| {
            if self.host_pid(&host.name).is_some() {
                container::signal(self.site(), &host.name, container::POWER_OFF)?;
                container::wait_gone(self.site(), &host.name)?;
            }
            self.put_away(host)?;
            for (live, kept) in self.images(host) {
                copy_image(&live, &kept)?;
            }
            Ok(())
        })
    }

    /// Lays the disks of [`Lab::snapshot`] back, takes every fault of a link away, boots all hosts and waits until the cluster is
    /// healthy. What ran is killed: whatever state a host is in, also without power, frozen, or with a full disk. A load must have ended.
    ///
    /// # Errors
    /// There is no snapshot, or a host does not come up.
    pub fn revert(&self) -> Result<(), LabError> {
        self.rebooted(|host| {
            network::filter(self.site(), &host.name, "flush ruleset")?;
            container::kill(self.site(), &host.name)?;
            self.put_away(host)?;
            for left in LEFT_BY_FAULTS {
                let path = self.site().host_dir(&host.name).join(left);
                if path.is_dir() {
                    fs::remove_dir_all(&path).map_err(at("remove", &path))?;
                } else if path.exists() {
                    fs::remove_file(&path).map_err(at("remove", &path))?;
                }
            }
            for (live, kept) in self.images(host) {
                copy_image(&kept, &live)?;
            }
            Ok(())
        })
    }

    /// Does that to all hosts, and boots them.
    fn rebooted(&self, while_down: impl Fn(&Host) -> Result<(), LabError> + Sync) -> Result<(), LabError> {
        each(&self.site().hosts(), |host| {
            while_down(host)?;
            disk::mount(self.site(), host)?;
            Ok(container::start(self.site(), host)?)
        })?;
        each(&self.site().hosts(), |host| Ok(container::wait_booted(self.site(), &host.name)?))?;
        self.wait_healthy(HEALTHY)
    }

    /// Unmounts the disks of a host that is down, unless its power was cut, which has done it.
    fn put_away(&self, host: &Host) -> Result<(), ActError> {
        if disk::is_mounted(self.site(), host)? { disk::unmount(self.site(), host) } else { Ok(()) }
    }

    /// A host's images, each with its copy.
    fn images(&self, host: &Host) -> Vec<(PathBuf, PathBuf)> {
        let images = disk::images(self.site(), host).into_iter();
        images.map(|live| (live.clone(), live.with_extension(KEPT))).collect()
    }
}

/// Copies an image with its holes: 1 GiB of disk of which a tenth is written costs that tenth.
fn copy_image(from: &Path, to: &Path) -> Result<(), ActError> {
    let words = ["--sparse=always", "--reflink=auto", &*from.to_string_lossy(), &*to.to_string_lossy()];
    feed("cp", &words, "", COPY).map(drop)
}
