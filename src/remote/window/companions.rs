//! What systemd stops together with a unit.

use super::{Probe, RemoteError};
use crate::remote::check_unit_name;

/// `$1` the unit.
const COMPANIONS: &str = concat!(include_str!("companions.sh"), "companions \"$1\"\n");

impl Probe {
    /// The units that are up and that an order to stop this one stops too: what requires it, is bound to it or is a part of it, and so on.
    ///
    /// # Errors
    /// When systemd does not say.
    pub async fn companions(&self, unit: &str) -> Result<Vec<String>, RemoteError> {
        let act = format!("look what is stopped with {unit}");
        check_unit_name(&self.host, &act, unit)?;
        let ran = self.script(&act, COMPANIONS, &[unit], None).await?;
        if !ran.success() || ran.cut {
            return Err(self.host.failed(&act, ran.words()));
        }
        Ok(String::from_utf8_lossy(&ran.stdout).lines().map(str::to_owned).collect())
    }
}
