//! What stands against a hop of a cluster with authentication.

use semver::Version;

use crate::etcd::{Rules, minor_of};
use crate::modules::table::{Argument, Shape};
use crate::modules::{Call, Failure};

use super::facts::{Facts, refused};
use super::login::Stranger;

/// The argument that accepts it.
pub(super) const ACCEPT_AUTH_HOP: Argument = Argument::new(
    "accept_auth_hop",
    Shape::Bool,
    "make a hop that etcd's makers do not support with auth on; nobody may change users meanwhile",
);

/// From here on the gateway does not answer who shows a common name (see [`Stranger::CommonName`]).
const NO_COMMON_NAME: (u64, u64) = (3, 4);

/// This one takes the common name of a client's certificate for the user, whatever password is given, and quorate saves snapshots of members
/// with the member's own (3.2.32 seen in the lab 2026-11-27; 3.1 and 3.3 on heed name and password).
const NAME_IS_USER: (u64, u64) = (3, 2);

/// Whether a member that has asked who we are may be taken from one version to the other.
///
/// # Errors
/// A refusal with the reason.
pub(super) async fn allowed(
    call: &Call<'_>,
    rules: &Rules,
    facts: &Facts,
    (from, to): (&Version, &Version),
) -> Result<(), Failure> {
    if !facts.client.has_auth() {
        return Ok(());
    }
    let hop = rules.hop_from(minor_of(from)).filter(|hop| hop.to == minor_of(to));
    if let Some((hop, why)) = hop.and_then(|hop| Some((hop, hop.auth.as_ref()?)))
        && (hop.without_auth || !call.flag("accept_auth_hop"))
    {
        let what = format!(
            "{from} to {to} with auth on: {why} ({})\n{}",
            hop.auth_source.as_ref().unwrap_or(&hop.source),
            if hop.without_auth {
                format!("switch it off for this hop (`etcdctl auth disable`), and on again once all members run {to}")
            } else {
                format!("if nobody does so until the last member runs {to}, say `etcd_accept_auth_hop=true`")
            }
        );
        return Err(refused(&facts.host(), what));
    }
    let asks_clients =
        facts.flags.get("client-cert-auth").is_some_and(|value| !matches!(value, "false" | "0" | "f" | "F"));
    if !asks_clients {
        return Ok(());
    }
    if minor_of(to) >= NO_COMMON_NAME && facts.client.shows_common_name() {
        return Err(refused(&facts.host(), Stranger::CommonName));
    }
    if minor_of(from) == NAME_IS_USER
        && let Some(name) = facts.client.own_common_name()
        && !facts.client.has_root(&name).await.map_err(|error| refused(&facts.host(), error))?
    {
        let what = format!(
            "a snapshot of {from} could not be saved: 3.2 takes the common name of the member's certificate for the user, whatever password is given\n\
             expected a user `{name}` with the role root\nadd one (any password will do), and take it away again on 3.3"
        );
        return Err(refused(&facts.host(), what));
    }
    Ok(())
}
