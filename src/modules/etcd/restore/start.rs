//! A member's first start, as a transient unit; and the start of its own unit after that.

use std::time::{Duration, Instant};

use crate::modules::Failure;
use crate::remote::{Change, RunOptions, UnitAction};

use super::super::facts::Facts;
use super::stopped::Stopped;
use super::{Restore, failed};

/// The transient unit of a first start: one name, so that systemd itself lets only one be at work.
pub(super) const FIRST_START: &str = "quorate-restore.service";
const PAUSE: Duration = Duration::from_millis(200);

impl Restore<'_> {
    /// Starts the member's program with its own settings and `options` behind them, which therefore win: Go's flag package keeps the
    /// last value, and a flag wins over its variable. It does not restart, and ends by itself if nobody comes back for it.
    pub(super) async fn first_start(
        &self,
        change: &Change,
        stopped: &Stopped,
        options: &[String],
    ) -> Result<(), Failure> {
        let mut argv: Vec<String> = ["systemd-run", "--quiet", "--no-ask-password"].map(str::to_owned).to_vec();
        argv.push(format!("--unit={FIRST_START}"));
        argv.push("--description=quorate: first start of a restored member".to_owned());
        argv.push(format!("--property=RuntimeMaxSec={}", self.deadline().as_secs() * 3));
        for (name, value) in [("User", stopped.state.user()), ("Group", stopped.state.group())] {
            argv.extend(value.map(|value| format!("--property={name}={value}")));
        }
        if stopped.state.get("WorkingDirectory").starts_with('/') {
            argv.push(format!("--property=WorkingDirectory={}", stopped.state.get("WorkingDirectory")));
        }
        // systemd's own default of 1024 is the limit of a member with a few hundred clients.
        argv.push("--property=LimitNOFILE=65536".to_owned());
        argv.extend(stopped.environment.iter().map(|(name, value)| format!("--setenv={name}={value}")));
        argv.push("--".to_owned());
        argv.push(stopped.program.as_str().to_owned());
        let words = stopped.argv.iter().skip(1).chain(options);
        // systemd puts variables into this command line too (systemd.service(5)).
        argv.extend(words.map(|word| word.replace('$', "$$")));
        change.unit(FIRST_START, UnitAction::ResetFailed, false).await.ok();
        let ran = change.run(&argv, RunOptions::default()).await?;
        if ran.success() { Ok(()) } else { Err(failed(self.host(), format!("first start: {}", ran.words()))) }
    }

    /// Ends the transient unit and sees that it is gone.
    pub(super) async fn end_first_start(&self, change: &Change) -> Result<(), Failure> {
        let stopped = change.unit(FIRST_START, UnitAction::Stop, false).await;
        change.unit(FIRST_START, UnitAction::ResetFailed, false).await.ok();
        let state = change.probe().unit(FIRST_START).await?;
        if state.main_pid().is_none() && matches!(state.active_state(), "inactive" | "failed") {
            return Ok(());
        }
        let why = stopped.err().map(|error| format!(": {error}")).unwrap_or_default();
        Err(failed(self.host(), format!("{FIRST_START} is still {}{why}", state.active_state())))
    }

    /// Starts the host's own unit as it is.
    pub(super) async fn own_start(&self, change: &Change, stopped: &Stopped) -> Result<(), Failure> {
        change.unit(&stopped.unit, UnitAction::ResetFailed, false).await.ok();
        // Not waited for: a unit of type notify is only done when it serves, and that is looked for here anyway.
        change.unit(&stopped.unit, UnitAction::Start, true).await?;
        Ok(())
    }

    /// Waits until the member that `unit` runs serves reads through raft in a cluster of `voters`, has applied `goal`, and knows a
    /// leader. `what` says so in messages.
    pub(super) async fn serves(&self, unit: &str, voters: usize, goal: u64, what: &str) -> Result<Facts, Failure> {
        let (begun, deadline) = (Instant::now(), self.deadline());
        let mut said = String::new();
        loop {
            let why = match self.look(unit, voters, goal).await {
                Ok(facts) => return Ok(facts),
                Err(failure) if failure.fault == crate::events::Fault::Unreachable => return Err(failure),
                Err(failure) => failure.msg,
            };
            if begun.elapsed() >= deadline {
                let waited = deadline.as_secs();
                return Err(failed(self.host(), format!("{what} does not serve after {waited} s: {why}")));
            }
            if why != said {
                said.clone_from(&why);
                self.progress(format!("{what}: {why}"))?;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self, unit: &str, voters: usize, goal: u64) -> Result<Facts, Failure> {
        let facts = Facts::gather(self.call.fleet, &self.call.probe, unit).await?;
        let view = facts.view().await?;
        let not_yet = |what: String| Err(failed(self.host(), what));
        if let Err(reason) = &view.read {
            return not_yet(format!("no read through raft: {reason}"));
        }
        if view.members.len() != voters {
            return not_yet(format!("it knows {} members of {voters}", view.members.len()));
        }
        if view.index < goal {
            return not_yet(format!("index {} of {goal}", view.index));
        }
        if view.leader.is_none() {
            return not_yet("it knows no leader".to_owned());
        }
        let named = view.members.iter().any(|member| member.id == view.id && !member.client_urls.is_empty());
        if named { Ok(facts) } else { not_yet("it has not yet told the others its name and address".to_owned()) }
    }
}
