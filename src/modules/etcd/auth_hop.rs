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

/// Whether a member that has asked who we are may be taken from one version to the other.
///
/// # Errors
/// A refusal with the reason.
pub(super) fn allowed(
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
        && !call.flag("accept_auth_hop")
    {
        let what = format!(
            "{from} to {to} with auth on: {why} ({})\nif nobody does so until the last member runs {to}, say `etcd_accept_auth_hop=true`",
            hop.auth_source.as_ref().unwrap_or(&hop.source)
        );
        return Err(refused(&facts.host(), what));
    }
    let asks_clients =
        facts.flags.get("client-cert-auth").is_some_and(|value| !matches!(value, "false" | "0" | "f" | "F"));
    if minor_of(to) >= NO_COMMON_NAME && asks_clients && facts.client.shows_common_name() {
        return Err(refused(&facts.host(), Stranger::CommonName));
    }
    Ok(())
}
