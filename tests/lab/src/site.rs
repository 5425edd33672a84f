//! Where a lab lives: its folder, its hosts, their addresses and the names of their namespaces.

use std::env;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::spec::Spec;

/// The folder of all labs, unless `QUORATE_LAB_DIR` names another.
const LABS: &str = "/run/quorate-lab";

/// The first bastion's name.
pub const BASTION: &str = "bastion";
/// The second bastion's name, where there is one.
pub const BASTION2: &str = "bastion2";
/// The machine that quorate runs on; a network namespace, no container.
pub(crate) const CONTROL: &str = "control";
/// Where the cluster's own clients sit: on the members' network, in no host.
pub(crate) const CLIENTS: &str = "clients";
/// The namespace with the bridges.
pub(crate) const SWITCH: &str = "switch";

/// Addresses may be the same in every lab: each lab's bridges are in a namespace of its own.
const FRONT: [u8; 3] = [10, 77, 0];
const BACK: [u8; 3] = [10, 78, 0];

/// One of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    /// Control machine and bastion.
    Front,
    /// Bastion, members and their clients (and the control machine where there is no bastion).
    Back,
}

impl Net {
    /// The bridge's name inside the switch.
    pub(crate) fn bridge(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Back => "back",
        }
    }

    fn address(self, last: u8) -> Ipv4Addr {
        let [a, b, c] = match self {
            Self::Front => FRONT,
            Self::Back => BACK,
        };
        Ipv4Addr::new(a, b, c, last)
    }
}

/// A host that can be logged in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `etcd1` … or `bastion`, `bastion2` ….
    pub name: String,
    /// Where its sshd answers, as seen from the machine that logs in to it.
    pub address: Ipv4Addr,
    /// It runs an etcd member.
    pub member: bool,
}

/// A lab's folder and everything that follows from its name and spec.
#[derive(Clone, Debug)]
pub struct Site {
    spec: Spec,
    dir: PathBuf,
}

impl Site {
    pub(crate) fn new(spec: Spec) -> Self {
        let dir = labs().join(&spec.name);
        Self { spec, dir }
    }

    /// What was chosen for it.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The lab's own folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file or folder in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What belongs to one host: disks, root, console.
    #[must_use]
    pub fn host_dir(&self, host: &str) -> PathBuf {
        self.dir.join("hosts").join(host)
    }

    /// The merged root file system of a host, as seen from this machine.
    #[must_use]
    pub fn root_of(&self, host: &str) -> PathBuf {
        self.host_dir(host).join("root")
    }

    /// The name of a network namespace of this lab.
    #[must_use]
    pub fn netns(&self, who: &str) -> String {
        format!("quorate-lab.{}.{who}", self.spec.name)
    }

    /// The file that holds it.
    #[must_use]
    pub fn netns_path(&self, who: &str) -> PathBuf {
        Path::new("/run/netns").join(self.netns(who))
    }

    /// The control group of a host below each hierarchy's root.
    pub(crate) fn cgroup(&self, host: &str) -> PathBuf {
        Path::new("quorate-lab").join(&self.spec.name).join(host)
    }

    /// All hosts that can be logged in to: members first, then the bastions.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        let mut hosts = self.members();
        hosts.extend(self.bastions());
        hosts
    }

    /// The bastions, in the order of their numbers; the first is 2 in both networks, and 3 is the clients'.
    #[must_use]
    pub fn bastions(&self) -> Vec<Host> {
        let name = |number| if number == 1 { BASTION.to_owned() } else { format!("{BASTION}{number}") };
        (1..=self.spec.bastions)
            .map(|number| Host { name: name(number), address: Net::Front.address(last(number)), member: false })
            .collect()
    }

    /// The members' hosts, in the order of their numbers.
    #[must_use]
    pub fn members(&self) -> Vec<Host> {
        (1..=self.spec.members)
            .map(|number| Host { name: format!("etcd{number}"), address: Net::Back.address(10 + number), member: true })
            .collect()
    }

    /// Every namespace that is plugged into the switch, with its interfaces' networks and addresses.
    pub(crate) fn plugs(&self) -> Vec<(String, Vec<(Net, Ipv4Addr)>)> {
        let control = if self.spec.bastions > 0 { Net::Front } else { Net::Back };
        let mut plugs = vec![
            (CONTROL.to_owned(), vec![(control, self.control_address())]),
            (CLIENTS.to_owned(), vec![(Net::Back, self.clients_address())]),
        ];
        for (bastion, back) in self.bastions().into_iter().zip(self.gateway_addresses()) {
            plugs.push((bastion.name, vec![(Net::Front, bastion.address), (Net::Back, back)]));
        }
        for host in self.members() {
            plugs.push((host.name, vec![(Net::Back, host.address)]));
        }
        plugs
    }

    /// The control machine's address.
    #[must_use]
    pub fn control_address(&self) -> Ipv4Addr {
        if self.spec.bastions > 0 { Net::Front.address(1) } else { Net::Back.address(1) }
    }

    /// The address that the cluster's clients come from.
    #[must_use]
    pub fn clients_address(&self) -> Ipv4Addr {
        Net::Back.address(3)
    }

    /// The addresses from which a member is logged in to: the bastions', in the order of their numbers, or the control machine's.
    #[must_use]
    pub fn gateway_addresses(&self) -> Vec<Ipv4Addr> {
        match self.spec.bastions {
            0 => vec![self.control_address()],
            bastions => (1..=bastions).map(|number| Net::Back.address(last(number))).collect(),
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.spec.tls { "https" } else { "http" }
    }
}

/// The last part of a bastion's addresses.
fn last(number: u8) -> u8 {
    if number == 1 { 2 } else { 2 + number }
}

/// The folder that holds all labs of this machine.
#[must_use]
pub fn labs() -> PathBuf {
    env::var_os("QUORATE_LAB_DIR").map_or_else(|| PathBuf::from(LABS), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bastions_are_on_both_networks() {
        let site = Site::new(Spec { bastions: 2, members: 9, ..Spec::default() });
        for (who, plugs) in site.plugs() {
            assert_eq!(plugs.len() == 2, [BASTION, BASTION2].contains(&who.as_str()), "{who}");
        }
        let mut addresses: Vec<_> = site.plugs().into_iter().flat_map(|(_, plugs)| plugs).collect();
        let count = addresses.len();
        addresses.sort_by_key(|(_, address)| *address);
        addresses.dedup();
        assert_eq!(addresses.len(), count, "{addresses:?}");
    }

    #[test]
    fn without_a_bastion_the_control_machine_is_on_the_members_network() {
        let site = Site::new(Spec { bastions: 0, ..Spec::default() });
        assert!(site.plugs().iter().all(|(_, plugs)| plugs.len() == 1));
        assert_eq!(site.gateway_addresses(), [site.control_address()]);
    }
}
