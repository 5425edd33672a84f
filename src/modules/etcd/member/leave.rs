//! Leave to stop: the last look at all members, made once the host has prepared everything and only waits for it.

use std::time::Duration;

use crate::modules::Failure;
use crate::remote::Window;

use super::Roll;

/// How long a host waits for it. A look takes well below two seconds, a link that was lost comes back within some ten; nobody is down meanwhile.
pub(super) const LEAVE: Duration = Duration::from_secs(20);
/// How long is asked again where what stands against it may pass, so that the answer still finds the host waiting.
const LONGEST: Duration = Duration::from_secs(10);
/// How often a transaction is begun that no leave has reached: a link that comes and goes.
pub(super) const TRIES: u32 = 3;

/// What the last look came to.
pub(super) type Leave = Result<(), Failure>;

impl Roll<'_> {
    /// Looks at all members once more and tells the window what that came to; `None` if it could not be told. Between the look before and the
    /// stop lie copies and sums, which take seconds on a slow disk: another member may have gone down since (a host without power just then,
    /// seen in the lab 2026-11-28).
    pub(super) async fn last_look(&self, window: &Window) -> Option<Leave> {
        let accept = self.call.flag("accept_downtime");
        let may = self.survey.may_stop_within(self.call.host, accept, LONGEST).await;
        self.change.answer(&window.name, may.is_ok()).await.ok()?;
        Some(may)
    }
}
