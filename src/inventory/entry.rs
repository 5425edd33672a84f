//! The host part of an inventory entry: names with ranges, and the port behind them.

use super::address::{port_from, split_port};
use super::hosts::Warning;
use super::range::expand;
use super::{Node, NodeValue, Place, Problem};

/// What a host entry names.
pub(super) struct Hosts {
    /// Each host, ranges expanded.
    pub names: Vec<String>,
    /// The port for all of them.
    pub port: Option<Node>,
}

/// Reads `db[01:03]:2222`, `10.0.0.1`, `[2001:db8::1]:22`; what is no address is a name as it stands, as in Ansible.
///
/// # Errors
/// A broken range, a port that is none, a bare `:` at the end, `---`.
pub(super) fn hosts_from(written: &str, place: &Place) -> Result<Hosts, Problem> {
    let (address, port) = match split_port(written) {
        Some((address, port)) => (address, port),
        None => (written, None),
    };
    let port = match port {
        None => None,
        Some(digits) => {
            let number = port_from(digits).ok_or_else(|| {
                Problem::new(place, format!("`{digits}` is not a port"))
                    .help("a port is a decimal number from 1 to 65535, without a leading zero")
            })?;
            Some(Node::new(place, NodeValue::Int(i64::from(number), digits.to_owned())))
        }
    };
    if port.is_none() && written.ends_with(':') {
        return Err(Problem::new(place, "a `:` at the end of a host needs a port behind it"));
    }
    if address == "---" {
        return Err(Problem::new(place, "`---` is no host").help("this looks like YAML; such a file ends in `.yml`"));
    }
    let names = if address.contains(['[', ']']) {
        expand(address)
            .map_err(|fault| Problem::new(place, format!("`{}`: {fault}", super::names::visible(address))))?
    } else {
        vec![address.to_owned()]
    };
    Ok(Hosts { names, port })
}

impl Hosts {
    /// A range that runs backwards names no host, in Ansible too; that is hardly meant.
    pub(super) fn warn_if_empty(&self, place: &Place, warnings: &mut Vec<Warning>) {
        if self.names.is_empty() {
            let message = "this range runs backwards, so it names no host".to_owned();
            warnings.push(Warning { message, place: Some(place.clone()) });
        }
    }
}
