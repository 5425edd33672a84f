//! Faults of links, made with nftables in the host's own network namespace. The namespace outlives
//! the host, so a link stays cut while the host reboots.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::act::ActError;
use crate::lab::LabError;
use crate::network;
use crate::site::{Host, Site};

/// What becomes of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Dropped both ways.
    Both,
    /// What is sent to the host is dropped.
    In,
    /// What the host sends is dropped.
    Out,
    /// TCP is answered with a reset, on both sides.
    Reset,
    /// Each way one packet of ten is dropped, and what is more than 1 Mbit/s. No delay: the kernel of a machine that runs the lab need not
    /// have `sch_netem`.
    Slow,
}

/// Whose packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Everybody's.
    All,
    /// The machine's that logs in to the host: the bastions or, to a bastion, the control machine.
    Ssh,
    /// The other members'.
    Peers,
    /// The cluster's clients'.
    Clients,
    /// One named host's.
    Host(String),
}

impl From<Option<&str>> for Ends {
    fn from(name: Option<&str>) -> Self {
        match name {
            None | Some("all") => Self::All,
            Some("ssh") => Self::Ssh,
            Some("peers") => Self::Peers,
            Some("clients") => Self::Clients,
            Some(host) => Self::Host(host.to_owned()),
        }
    }
}

impl Ends {
    fn name(&self) -> &str {
        match self {
            Self::All => "all",
            Self::Ssh => "ssh",
            Self::Peers => "peers",
            Self::Clients => "clients",
            Self::Host(host) => host,
        }
    }

    /// Their addresses as the host sees them; none means everybody.
    fn addresses(&self, site: &Site, host: &Host) -> Result<Vec<Ipv4Addr>, LabError> {
        let others = || {
            let members = site.members().into_iter();
            members.filter(|member| member.name != host.name)
        };
        Ok(match self {
            Self::All => Vec::new(),
            Self::Ssh if host.member => site.gateway_addresses(),
            Self::Ssh => vec![site.control_address()],
            Self::Peers => others().map(|member| member.address).collect(),
            Self::Clients => vec![site.clients_address()],
            Self::Host(name) => {
                // A member sees a bastion on the back network.
                let bastions = site.bastions().into_iter().zip(site.gateway_addresses());
                let bastion = bastions.filter(|_| host.member).find(|(bastion, _)| bastion.name == *name);
                if let Some((_, address)) = bastion {
                    return Ok(vec![address]);
                }
                let found = others().find(|member| member.name == *name);
                let found = found.ok_or_else(|| LabError::Fault(format!("{} has no link to `{name}`", host.name)))?;
                vec![found.address]
            }
        })
    }
}

/// Sets or removes a fault's own table; the same fault twice is one.
pub(super) fn set(site: &Site, host: &Host, loss: Loss, ends: &Ends, on: bool) -> Result<(), LabError> {
    let addresses = ends.addresses(site, host)?;
    let table = format!("inet lab_{loss:?}_{}", ends.name()).to_lowercase();
    let mut rules = format!("add table {table}\ndelete table {table}\n");
    if on {
        rules.push_str(&body(&table, loss, &addresses));
    }
    let loaded: Result<(), ActError> = network::filter(site, &host.name, &rules);
    Ok(loaded?)
}

/// A jump, since its two rules are about the same packets.
const SLOW: &str = "jump slow";

fn body(table: &str, loss: Loss, addresses: &[Ipv4Addr]) -> String {
    let (from, to) = if addresses.is_empty() {
        ("iifname != \"lo\"".to_owned(), "oifname != \"lo\"".to_owned())
    } else {
        let list: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
        let list = list.join(", ");
        (format!("ip saddr {{ {list} }}"), format!("ip daddr {{ {list} }}"))
    };
    // A reset that the first rule sends must not be caught by the second.
    let (inward, outward) = match loss {
        Loss::Both => (Some("drop"), Some("drop")),
        Loss::In => (Some("drop"), None),
        Loss::Out => (None, Some("drop")),
        Loss::Slow => (Some(SLOW), Some(SLOW)),
        Loss::Reset => {
            (Some("meta l4proto tcp reject with tcp reset"), Some("tcp flags & rst == 0 reject with tcp reset"))
        }
    };
    let mut text = format!("table {table} {{\n");
    if loss == Loss::Slow {
        let rules = "numgen random mod 10 == 0 drop; limit rate over 125 kbytes/second burst 16 kbytes drop";
        let _ = writeln!(text, "  chain slow {{ {rules}; }}");
    }
    for (hook, who, verdict) in [("input", from, inward), ("output", to, outward)] {
        if let Some(verdict) = verdict {
            let _ = writeln!(text, "  chain {hook} {{ type filter hook {hook} priority 0; {who} {verdict}; }}");
        }
    }
    text.push_str("}\n");
    text
}
