//! Choosing what a lab is made of, and making it.

use std::fs::{self, File};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::act::{ROOT, at, write};
use crate::lab::{HEALTHY, Lab, LabError};
use crate::site::{Host, Site, labs};
use crate::spec::{Spec, Sudo, User};
use crate::takedown::Reaper;
use crate::{auth, binaries, container, disk, inventory, login, member, network, rootfs, tls};

/// Chooses what a lab is made of. Without a word it is three members of 2.0.5 behind a bastion,
/// root logging in, under a name nobody else has.
#[derive(Clone, Debug)]
pub struct LabBuilder {
    spec: Spec,
}

impl LabBuilder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { spec: Spec { name: format!("p{}-{count}", process::id()), ..Spec::default() } }
    }

    /// The lab's name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.spec.name);
        self
    }

    /// How many members.
    #[must_use]
    pub fn members(mut self, members: u8) -> Self {
        self.spec.members = members;
        self
    }

    /// The version of etcd they start with.
    #[must_use]
    pub fn etcd(mut self, version: &str) -> Self {
        version.clone_into(&mut self.spec.etcd);
        self
    }

    /// One more version whose archive lies in the releases folder. Its own version and the next
    /// minor in the table are there anyway.
    #[must_use]
    pub fn release(mut self, version: &str) -> Self {
        self.spec.releases.push(version.to_owned());
        self
    }

    /// Every version that the table has.
    #[must_use]
    pub fn all_releases(mut self) -> Self {
        self.spec.releases.extend(binaries::known().into_iter().map(str::to_owned));
        self
    }

    /// With the v2 interface, where it is off unless asked for (3.4 and 3.5).
    #[must_use]
    pub fn enable_v2(mut self, enable: bool) -> Self {
        self.spec.enable_v2 = enable;
        self
    }

    /// With or without a bastion.
    #[must_use]
    pub fn bastion(self, bastion: bool) -> Self {
        self.bastions(u8::from(bastion))
    }

    /// How many bastions. The inventories name those after the first in `quorate_fallback_jumps`.
    #[must_use]
    pub fn bastions(mut self, bastions: u8) -> Self {
        self.spec.bastions = bastions;
        self
    }

    /// With or without TLS.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.spec.tls = tls;
        self
    }

    /// Whether clients of etcd must give a password.
    #[must_use]
    pub fn auth(mut self, auth: bool) -> Self {
        self.spec.auth = auth;
        self
    }

    /// Who logs in.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.spec.user = user;
        self
    }

    /// Whether sudo asks `ops` for a password.
    #[must_use]
    pub fn sudo(mut self, sudo: Sudo) -> Self {
        self.spec.sudo = sudo;
        self
    }

    /// The size of each disk in bytes.
    #[must_use]
    pub fn disk_bytes(mut self, bytes: u64) -> Self {
        self.spec.disk_bytes = bytes;
        self
    }

    /// Makes the lab and waits until all hosts have booted and the cluster is healthy. It belongs
    /// to this process and goes with it, however it ends.
    ///
    /// # Errors
    /// Anything on the way; what was made until then is taken down.
    pub fn start(mut self) -> Result<Lab, LabError> {
        if !rustix::process::geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        self.spec.check().map_err(LabError::Spec)?;
        add_releases(&mut self.spec)?;
        let site = Site::new(self.spec);
        claim(&site)?;
        let lab = Lab { reaper: Some(Reaper::start(&site)?), site };
        // From here on a failure drops `lab`, and with it everything made so far.
        make(&lab)?;
        Ok(lab)
    }
}

fn add_releases(spec: &mut Spec) -> Result<(), LabError> {
    let mut wanted = vec![spec.etcd.clone()];
    wanted.extend(binaries::after(&spec.etcd).map(str::to_owned));
    wanted.append(&mut spec.releases);
    for version in wanted {
        binaries::release(&version)?;
        if !spec.releases.contains(&version) {
            spec.releases.push(version);
        }
    }
    Ok(())
}

/// Makes the lab's folder and record, if nobody has the name.
fn claim(site: &Site) -> Result<(), LabError> {
    let labs = labs();
    fs::create_dir_all(&labs).map_err(at("make folder", &labs))?;
    let lock_path = labs.join("lock");
    let lock = File::create(&lock_path).map_err(at("open", &lock_path))?;
    lock.lock().map_err(at("lock", &lock_path))?;
    if site.dir().exists() {
        return Err(LabError::Exists(site.spec().name.clone()));
    }
    fs::create_dir_all(site.dir()).map_err(at("make folder", site.dir()))?;
    let path = site.path("lab.json");
    let record =
        serde_json::to_vec_pretty(site.spec()).map_err(|source| LabError::Record { path: path.clone(), source })?;
    write(&path, record, 0o644, ROOT)?;
    Ok(())
}

/// Makes everything of a claimed lab, hosts at once, and waits until it is well.
fn make(lab: &Lab) -> Result<(), LabError> {
    let site = &lab.site;
    rootfs::base()?;
    let programs = binaries::folder(&site.spec().etcd)?;
    binaries::collect(&site.spec().releases, &lab.releases())?;
    login::make_identity(site)?;
    if site.spec().auth {
        auth::make_passwords(site)?;
    }
    if site.spec().tls {
        tls::make(site)?;
    }
    disk::share_mounts(site)?;
    network::up(site)?;
    each(&site.hosts(), |host| {
        disk::format(site, host)?;
        disk::mount(site, host)?;
        furnish(site, host, &programs)?;
        disk::flush(site, host)?;
        Ok(container::start(site, host)?)
    })?;
    login::write_known_hosts(site)?;
    login::write_ssh_config(site)?;
    inventory::write_all(site)?;
    each(&site.hosts(), |host| Ok(container::wait_booted(site, &host.name)?))?;
    lab.wait_healthy(HEALTHY)?;
    if site.spec().auth {
        auth::enable(site)?;
        lab.wait_healthy(HEALTHY)?;
    }
    Ok(())
}

fn furnish(site: &Site, host: &Host, programs: &Path) -> Result<(), LabError> {
    let root = site.root_of(&host.name);
    let mut names = "127.0.0.1 localhost\n".to_owned();
    for other in site.members() {
        names.push_str(&format!("{} {}\n", other.address, other.name));
    }
    let id = format!("{:032x}\n", rand::random::<u128>());
    for (path, content) in [("etc/hostname", format!("{}\n", host.name)), ("etc/hosts", names), ("etc/machine-id", id)]
    {
        write(&root.join(path), content, 0o644, ROOT)?;
    }
    login::furnish(site, host, &root)?;
    if host.member {
        member::furnish(site, host, &root, programs)?;
    }
    Ok(())
}

/// Does the same to all hosts at once; the first error is given when all are done.
pub(crate) fn each(hosts: &[Host], work: impl Fn(&Host) -> Result<(), LabError> + Sync) -> Result<(), LabError> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = hosts.iter().map(|host| scope.spawn(move || work(host))).collect();
        let mut outcome = Ok(());
        for thread in threads {
            let one = thread.join().unwrap_or_else(|_| Err(LabError::Spec("a thread of the lab died".to_owned())));
            outcome = outcome.and(one);
        }
        outcome
    })
}
