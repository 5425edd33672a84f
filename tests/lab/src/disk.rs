//! A host's disks: ext4 images on loop devices, so that they can be filled, made read-only, and
//! lose what was not flushed when the power goes.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::act::{ActError, Owner, at, folder, run, wait_until};
use crate::rootfs::ETCD_UID;
use crate::site::{Host, Site};

/// A disk whose host was killed is let go within 0.1 s; this is for a busy machine.
const RELEASE: Duration = Duration::from_secs(30);

/// Which disk of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// Everything but the data directory.
    System,
    /// `/var/lib/etcd`; members have one.
    Data,
}

impl Disk {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Data => "data",
        }
    }

    fn of(host: &Host) -> &'static [Self] {
        if host.member { &[Self::System, Self::Data] } else { &[Self::System] }
    }
}

/// Makes the lab's folder a mount whose submounts are shared. nspawn copies all mounts of this machine
/// into every host's namespace and keeps them there out of sight; only because they are shared does
/// an unmount here reach those copies, and only then is a disk really let go.
pub(crate) fn share_mounts(site: &Site) -> Result<(), ActError> {
    let dir = site.dir().to_string_lossy();
    run("mount", &["--bind", &dir, &dir])?;
    run("mount", &["--make-shared", &dir]).map(drop)
}

/// Makes the images, with a file system on each.
pub(crate) fn format(site: &Site, host: &Host) -> Result<(), ActError> {
    for disk in Disk::of(host) {
        let image = image(site, &host.name, *disk);
        let dir = site.host_dir(&host.name);
        fs::create_dir_all(dir.join(disk.name())).map_err(at("make folder", &dir))?;
        File::create(&image).and_then(|file| file.set_len(site.spec().disk_bytes)).map_err(at("write", &image))?;
        // Tables are written when they are first needed: an image costs milliseconds, not seconds.
        run(
            "mkfs.ext4",
            &["-q", "-F", "-m0", "-E", "lazy_itable_init=1,lazy_journal_init=1", &image.to_string_lossy()],
        )?;
    }
    Ok(())
}

/// Mounts the images and, over the shared file system, the host's own root. After a power cut this
/// is where the journals are replayed.
pub(crate) fn mount(site: &Site, host: &Host) -> Result<(), ActError> {
    for disk in Disk::of(host) {
        let image = image(site, &host.name, *disk);
        let place = place(site, &host.name, *disk);
        run("mount", &["-o", "loop,errors=remount-ro", &image.to_string_lossy(), &place.to_string_lossy()])?;
    }
    let system = place(site, &host.name, Disk::System);
    let (upper, work) = (system.join("upper"), system.join("work"));
    folder(&upper, 0o755, Owner(0))?;
    folder(&work, 0o755, Owner(0))?;
    if host.member {
        let data = data_folder(site, &host.name);
        if !data.exists() {
            folder(&data, 0o700, Owner(ETCD_UID))?;
        }
    }
    let root = site.root_of(&host.name);
    fs::create_dir_all(&root).map_err(at("make folder", &root))?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        crate::rootfs::base()?.display(),
        upper.display(),
        work.display()
    );
    run("mount", &["-t", "overlay", "-o", &options, "overlay", &root.to_string_lossy()]).map(drop)
}

/// Puts all that was written so far onto the disks: a host that has just been made must not lose its
/// own unit files to a power cut.
pub(crate) fn flush(site: &Site, host: &Host) -> Result<(), ActError> {
    places(site, host).iter().try_for_each(|place| run("sync", &["--file-system", &*place.to_string_lossy()]).map(drop))
}

/// Unmounts them; the host must be down. Waits until the kernel has let go of each image: the
/// namespaces of processes that were just killed go a moment after them, and a disk that was cut
/// off and mounted again before that would still be the one that was cut off.
pub(crate) fn unmount(site: &Site, host: &Host) -> Result<(), ActError> {
    let mut mounts = vec![site.root_of(&host.name)];
    mounts.extend(places(site, host));
    for mount in mounts {
        wait_until("an unmount", RELEASE, || {
            run("umount", &[&*mount.to_string_lossy()]).map_err(|error| error.to_string())
        })?;
    }
    for disk in Disk::of(host) {
        let image = image(site, &host.name, *disk);
        wait_until("an image to be let go", RELEASE, || {
            match run("losetup", &["--associated", &*image.to_string_lossy()]) {
                Ok(text) if text.is_empty() => Ok(()),
                Ok(text) => Err(text),
                Err(error) => Err(error.to_string()),
            }
        })?;
    }
    Ok(())
}

/// Where an image is mounted on this machine.
pub(crate) fn place(site: &Site, host: &str, disk: Disk) -> std::path::PathBuf {
    site.host_dir(host).join(disk.name())
}

/// The folder on the data disk that the host sees as `/var/lib/etcd`. Not the disk's own root, so
/// that `lost+found` and the file that fills the disk stay out of etcd's sight.
pub(crate) fn data_folder(site: &Site, host: &str) -> std::path::PathBuf {
    place(site, host, Disk::Data).join("etcd")
}

fn image(site: &Site, host: &str, disk: Disk) -> std::path::PathBuf {
    site.host_dir(host).join(format!("{}.img", disk.name()))
}

/// Takes every free block of a disk, or gives them back.
pub(crate) fn fill(site: &Site, host: &str, disk: Disk, on: bool) -> Result<(), ActError> {
    let place = place(site, host, disk);
    let file = place.join("filled");
    if !on {
        return fs::remove_file(&file).map_err(at("remove", &file));
    }
    let free = run("stat", &["-f", "--format=%a %S", &place.to_string_lossy()])?;
    let mut numbers = free.split_whitespace().map(|word| word.parse::<u64>());
    let (Some(Ok(blocks)), Some(Ok(size))) = (numbers.next(), numbers.next()) else {
        return Err(ActError::Mismatch {
            what: format!("free blocks of {}", place.display()),
            expected: "two numbers".to_owned(),
            found: free,
        });
    };
    // The extents of a large file need blocks of their own, so the last few are asked for one
    // by one until there are none.
    let mut step = blocks.saturating_sub(64) * size;
    let mut length = 0;
    while step >= size {
        let (at, more) = (length.to_string(), step.to_string());
        let file = file.to_string_lossy();
        match run("fallocate", &["-o", &at, "-l", &more, &file]) {
            Ok(_) => length += step,
            Err(_) => step /= 2,
        }
    }
    Ok(())
}

/// Makes a disk read-only as an error of the drive does, also under files that are open for writing:
/// ext4 is told that it met an error (`trigger_fs_error`, `Documentation/ABI/testing/sysfs-fs-ext4`)
/// and was mounted so that it then takes no more writes. Only a new mount ends that.
pub(crate) fn fail_read_only(site: &Site, host: &str, disk: Disk) -> Result<(), ActError> {
    let place = place(site, host, disk);
    let device = run("findmnt", &["--noheadings", "--output=SOURCE", &*place.to_string_lossy()])?;
    let device = device.trim().trim_start_matches("/dev/").to_owned();
    let trigger = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
    fs::write(&trigger, "lab").map_err(at("write", &trigger))
}

/// Cuts a disk off from one instant to the next: nothing that is not on it by now, not even its
/// journal's last entries, will be there after the next mount.
///
/// This is ext4's own shutdown call (`EXT4_IOC_SHUTDOWN`, 0x8004587d, with `NOLOGFLUSH`, 2; see
/// `fs/ext4/ioctl.c`), made for such tests. A call to `ioctl` from here would be unsafe code; perl
/// is on every Debian and can make it.
pub(crate) fn cut(mount: &Path) -> Result<(), ActError> {
    const CALL: &str = r#"open(my $d, "<", $ARGV[0]) or die "$!\n";
        my $how = pack("L", 2);
        ioctl($d, 0x8004587d, $how) or die "$!\n";"#;
    run("perl", &["-e", CALL, &mount.to_string_lossy()]).map(drop)
}

/// Whether a host's disks are mounted: all of them are, or none.
pub(crate) fn is_mounted(site: &Site, host: &Host) -> Result<bool, ActError> {
    let mounts = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(mounts).map_err(at("read", mounts))?;
    let place = place(site, &host.name, Disk::System);
    Ok(text.lines().any(|line| line.split(' ').nth(4).is_some_and(|mount| Path::new(mount) == place)))
}

/// The files that hold a host's disks.
pub(crate) fn images(site: &Site, host: &Host) -> Vec<std::path::PathBuf> {
    Disk::of(host).iter().map(|disk| image(site, &host.name, *disk)).collect()
}

/// All disks of a host, by where they are mounted.
pub(crate) fn places(site: &Site, host: &Host) -> Vec<std::path::PathBuf> {
    Disk::of(host).iter().map(|disk| place(site, &host.name, *disk)).collect()
}
