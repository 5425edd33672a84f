//! What can go wrong with a host, on purpose: links, processes, disks, power, identity, binary.

mod link;
mod swap;

use std::path::PathBuf;
use std::str::FromStr;

pub use link::{Ends, Loss};

use crate::act::{ActError, run};
use crate::disk::{self, Disk};
use crate::lab::{HEALTHY, Lab, LabError};
use crate::member::UNIT;
use crate::site::Host;
use crate::{container, process};

/// A fault. Its name on the command line is what [`FromStr`] reads; [`NAMES`] lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Packets between the host and others are lost or answered with a reset.
    Link(Loss, Ends),
    /// etcd's process stands still (SIGSTOP).
    FreezeEtcd,
    /// etcd is killed (SIGKILL); systemd starts it again. Nothing to take back.
    KillEtcd,
    /// The unit is stopped.
    StopEtcd,
    /// Every sshd process stands still: connections are accepted and never answered.
    FreezeSshd,
    /// Every sshd process is killed, so all sessions die; systemd starts it again.
    KillSshd,
    /// sshd is stopped and all sessions die: connections are refused.
    StopSshd,
    /// The whole host stands still.
    FreezeHost,
    /// A disk has no free block.
    FillDisk(Disk),
    /// A disk takes no more writes, as after an error of the drive. Taking it back restarts the host
    /// the hard way, which is what such a host needs.
    ReadOnly(Disk),
    /// A clean reboot. Nothing to take back.
    Reboot,
    /// A clean power-off; taking it back boots the host.
    PowerOff,
    /// The power goes from one instant to the next: what was not flushed is lost. Taking it back
    /// boots the host.
    PowerCut,
    /// The host has new host keys, which known_hosts does not know.
    HostKey,
    /// Another file at `/usr/local/bin/etcd`; the running process is left alone.
    Binary(PathBuf),
}

/// Every fault's name with a line about it, as the command's help shows them.
pub const NAMES: [(&str, &str); 19] = [
    ("cut[:ENDS]", "packets both ways are dropped; ENDS is all, ssh, peers, clients or a host"),
    ("half-cut[:ENDS]", "what is sent to the host is dropped, what it sends arrives"),
    ("half-cut-out[:ENDS]", "what the host sends is dropped, what is sent to it arrives"),
    ("slow[:ENDS]", "each way one packet of ten is dropped, and what is more than 1 Mbit/s"),
    ("reset[:ENDS]", "every TCP packet is answered with a reset"),
    ("freeze-etcd", "SIGSTOP to etcd; off: SIGCONT"),
    ("kill-etcd", "SIGKILL to etcd, once"),
    ("stop-etcd", "the unit is stopped; off: started"),
    ("freeze-sshd", "SIGSTOP to every sshd process; off: SIGCONT"),
    ("kill-sshd", "SIGKILL to every sshd process, once; systemd starts it again"),
    ("stop-sshd", "sshd is stopped and its sessions killed; off: started"),
    ("freeze-host", "every process of the host stands still; off: they go on"),
    ("fill-disk[:DISK]", "no free block; DISK is data (default) or system; off: freed"),
    ("read-only[:DISK]", "the disk takes no more writes, as after an error; off: the host is power-cycled"),
    ("reboot", "a clean reboot, waited for, once"),
    ("power-off", "a clean power-off; off: booted again"),
    ("power-cut", "all unflushed writes are lost and every process is gone; off: booted again"),
    ("host-key", "new host keys; off: the old ones"),
    ("binary:FILE", "FILE takes the place of /usr/local/bin/etcd; off: the old one"),
];

impl FromStr for Fault {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let (name, detail) = match text.split_once(':') {
            Some((name, detail)) => (name, Some(detail)),
            None => (text, None),
        };
        let fault = match (name, detail) {
            ("cut", ends) => Self::Link(Loss::Both, ends.into()),
            ("half-cut", ends) => Self::Link(Loss::In, ends.into()),
            ("half-cut-out", ends) => Self::Link(Loss::Out, ends.into()),
            ("slow", ends) => Self::Link(Loss::Slow, ends.into()),
            ("reset", ends) => Self::Link(Loss::Reset, ends.into()),
            ("fill-disk", disk) => Self::FillDisk(disk_named(disk)?),
            ("read-only", disk) => Self::ReadOnly(disk_named(disk)?),
            ("binary", Some(file)) => Self::Binary(PathBuf::from(file)),
            ("freeze-etcd", None) => Self::FreezeEtcd,
            ("kill-etcd", None) => Self::KillEtcd,
            ("stop-etcd", None) => Self::StopEtcd,
            ("freeze-sshd", None) => Self::FreezeSshd,
            ("kill-sshd", None) => Self::KillSshd,
            ("stop-sshd", None) => Self::StopSshd,
            ("freeze-host", None) => Self::FreezeHost,
            ("reboot", None) => Self::Reboot,
            ("power-off", None) => Self::PowerOff,
            ("power-cut", None) => Self::PowerCut,
            ("host-key", None) => Self::HostKey,
            _ => return Err(unknown(text)),
        };
        Ok(fault)
    }
}

fn disk_named(name: Option<&str>) -> Result<Disk, LabError> {
    match name {
        None | Some("data") => Ok(Disk::Data),
        Some("system") => Ok(Disk::System),
        Some(other) => Err(LabError::Fault(format!("no disk `{other}`; there is data, system"))),
    }
}

fn unknown(text: &str) -> LabError {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    LabError::Fault(format!("no fault `{text}`; there is {}", names.join(", ")))
}

impl Lab {
    /// Puts a fault on a host. Where there is something to wait for (a boot, a shutdown), it is
    /// waited for.
    ///
    /// # Errors
    /// There is no such host, the fault does not fit it, or the machine refuses.
    pub fn fault(&self, fault: &Fault, host: &str) -> Result<(), LabError> {
        self.switch(fault, host, true)
    }

    /// Takes a fault away again.
    ///
    /// # Errors
    /// As [`Lab::fault`].
    pub fn mend(&self, fault: &Fault, host: &str) -> Result<(), LabError> {
        self.switch(fault, host, false)
    }

    fn switch(&self, fault: &Fault, host: &str, on: bool) -> Result<(), LabError> {
        let host = self.host(host)?;
        self.fits(fault, &host)?;
        let site = self.site();
        let name = host.name.as_str();
        match (fault, on) {
            (Fault::Link(loss, ends), _) => link::set(site, &host, *loss, ends, on)?,
            (Fault::FreezeEtcd, _) => self.unit_kill(name, if on { "STOP" } else { "CONT" })?,
            (Fault::KillEtcd, true) => self.unit_kill(name, "KILL")?,
            (Fault::StopEtcd, true) => self.must(name, &["systemctl", "stop", UNIT])?,
            (Fault::StopEtcd, false) => self.must(name, &["systemctl", "start", UNIT])?,
            (Fault::FreezeSshd, _) => self.sshd(name, if on { "-STOP" } else { "-CONT" })?,
            (Fault::KillSshd, true) => self.sshd(name, "-KILL")?,
            (Fault::StopSshd, true) => {
                self.must(name, &["systemctl", "stop", "ssh.service"])?;
                // None left is what is wanted.
                let _ = self.exec(name, &["pkill", "-KILL", "-x", "sshd"])?;
            }
            (Fault::StopSshd, false) => self.must(name, &["systemctl", "start", "ssh.service"])?,
            (Fault::FreezeHost, _) => container::freeze(site, name, on)?,
            (Fault::FillDisk(disk), _) => disk::fill(site, name, *disk, on)?,
            (Fault::ReadOnly(disk), true) => disk::fail_read_only(site, name, *disk)?,
            (Fault::Reboot, true) => self.reboot(name)?,
            (Fault::PowerOff, true) => {
                container::signal(site, name, container::POWER_OFF)?;
                container::wait_gone(site, name)?;
                disk::unmount(site, &host)?;
            }
            (Fault::PowerCut, true) => self.power_cut(&host)?,
            (Fault::ReadOnly(_), false) => {
                self.power_cut(&host)?;
                self.boot(&host)?;
            }
            (Fault::PowerOff | Fault::PowerCut, false) => self.boot(&host)?,
            (Fault::HostKey, _) => swap::host_key(self, &host, on)?,
            (Fault::Binary(file), _) => swap::binary(self, &host, file, on)?,
            (Fault::KillEtcd | Fault::KillSshd | Fault::Reboot, false) => {}
        }
        Ok(())
    }

    fn fits(&self, fault: &Fault, host: &Host) -> Result<(), LabError> {
        let of_member = matches!(
            fault,
            Fault::FreezeEtcd
                | Fault::KillEtcd
                | Fault::StopEtcd
                | Fault::FillDisk(Disk::Data)
                | Fault::ReadOnly(Disk::Data)
                | Fault::Binary(_)
        );
        if of_member && !host.member {
            let text = format!("{} has no etcd, so there is nothing to break", host.name);
            return Err(LabError::Fault(text));
        }
        Ok(())
    }

    /// Runs a command inside a host that has to succeed.
    ///
    /// # Errors
    /// It does not; the error carries what it said.
    pub(crate) fn must(&self, host: &str, argv: &[&str]) -> Result<(), LabError> {
        let pid = self.host_pid(host).ok_or_else(|| container::down(host))?;
        let mut words = process::enter(pid);
        words.extend(argv.iter().map(|word| (*word).to_owned()));
        Ok(run("nsenter", &words).map(drop)?)
    }

    fn unit_kill(&self, host: &str, signal: &str) -> Result<(), LabError> {
        let signal = format!("--signal=SIG{signal}");
        self.must(host, &["systemctl", "kill", "--kill-whom=main", &signal, UNIT])
    }

    fn sshd(&self, host: &str, signal: &str) -> Result<(), LabError> {
        self.must(host, &["pkill", signal, "-x", "sshd"])
    }

    fn reboot(&self, host: &str) -> Result<(), LabError> {
        let before = self.host_pid(host);
        container::signal(self.site(), host, container::REBOOT)?;
        crate::act::wait_until("the old systemd to go", HEALTHY, || {
            if self.host_pid(host) == before { Err("still there".to_owned()) } else { Ok(()) }
        })?;
        self.wait_booted(host)
    }

    /// First everything stands still, then the disks are cut off, then the processes go: none of
    /// them runs one instruction in between, as with a plug that is pulled.
    fn power_cut(&self, host: &Host) -> Result<(), LabError> {
        let site = self.site();
        container::freeze(site, &host.name, true)?;
        let cut: Result<(), ActError> = disk::places(site, host).iter().try_for_each(|place| disk::cut(place));
        container::kill(site, &host.name)?;
        cut?;
        Ok(disk::unmount(site, host)?)
    }

    fn boot(&self, host: &Host) -> Result<(), LabError> {
        if self.host_pid(&host.name).is_some() {
            return Ok(());
        }
        disk::mount(self.site(), host)?;
        container::start(self.site(), host)?;
        self.wait_booted(&host.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_list_is_understood() {
        for (name, _) in NAMES {
            let plain = name.split('[').next().unwrap();
            assert!(plain.parse::<Fault>().is_ok(), "{plain}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let text = "melt".parse::<Fault>().unwrap_err().to_string();
        assert!(text.contains("power-cut"), "{text}");
        assert!("freeze-etcd:x".parse::<Fault>().is_err());
    }
}
