//! One look at the whole cluster: every member asked at once, each through its own host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::etcd::{ClusterView, MemberView, NotNow, may_stop};
use crate::events::Fault;
use crate::modules::{Failure, Fleet};

use super::facts::{Facts, refused};

/// How long is asked again while the cluster only needs to settle: an election takes one to two seconds, and a view taken across one
/// disagrees with itself. Longer trouble is trouble.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same while every member is healthy and serves reads: nobody is down then, so waiting costs nothing, and to halt because
/// of a slow minute leaves a roll half done. Of a look that takes too long, of terms that differ while leaders change, of a member behind.
const PATIENCE_WHILE_ALL_SERVE: Duration = Duration::from_secs(60);
/// Between two looks while it settles.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// How long is asked again after such a look: the shorter time where what it found is not one of the things that pass by themselves, or a
/// member is down.
pub(super) fn patience(view: &ClusterView, may_pass: bool) -> Duration {
    if may_pass && serving(view) == view.hosts.len() { PATIENCE_WHILE_ALL_SERVE } else { PATIENCE }
}

/// How many members answer a read through raft. Under an alarm members call themselves unhealthy that serve.
pub(super) fn serving(view: &ClusterView) -> usize {
    view.hosts.values().flatten().filter(|member| member.read.is_ok()).count()
}

/// What a "no" after such a look means for who is on call.
pub(super) fn fault_of(view: &ClusterView) -> Fault {
    let (sound, all) = (serving(view), view.hosts.len());
    if sound == all { Fault::Failed } else { super::member::fault_by_quorum(sound, all) }
}

/// A look at all members, and the host that it did not reach, if so: then nobody knows how its member is.
pub(super) struct Look {
    pub(super) view: ClusterView,
    pub(super) lost: Option<Failure>,
}

/// Why a member may not stop, with the look that says so.
struct Against {
    reason: NotNow,
    look: Look,
}

/// The facts of all hosts, gathered once, and looks at the cluster made with them.
pub(super) struct Survey {
    /// By host; why not, where they are not to be had.
    pub(super) facts: BTreeMap<String, Result<Facts, Failure>>,
    /// Whether looks leave out alarms of the kind `NOSPACE`.
    past_no_space: bool,
    /// Whose turn it is to look.
    turn: Arc<Turn>,
}

/// The run's looks at clusters of 2.x with passwords: one at a time. In a preflight every host looks at every member, and each
/// question costs a member a bcrypt hash, 70 ms of a core. The three looks at three members at the same instant took 6 to 7 s on two cores
/// beside other work (in the lab 2026-11-28), each of them too old then to count, and were all repeated together.
#[derive(Default)]
struct Turn(tokio::sync::Mutex<()>);

/// Gathers the facts of every host of the fleet, but for the one whose facts are known.
pub(super) async fn survey(fleet: &dyn Fleet, unit: &str, known: Option<&Facts>) -> Survey {
    let ask = |host: String| async move {
        match known.filter(|facts| facts.host() == host) {
            Some(facts) => (host, Ok(facts.clone())),
            None => gathered(fleet, unit, host).await,
        }
    };
    let facts = join_all(fleet.hosts().into_iter().map(ask)).await.into_iter().collect();
    Survey { facts, past_no_space: false, turn: fleet.kept().of() }
}

/// The facts of one host, by its name.
async fn gathered(fleet: &dyn Fleet, unit: &str, host: String) -> (String, Result<Facts, Failure>) {
    let facts = async { Facts::gather(fleet, &fleet.probe(&host).await?, unit).await }.await;
    (host, facts)
}

impl Survey {
    /// The same with looks that leave out alarms of the kind `NOSPACE`: for what makes room.
    pub(super) fn past_no_space(self) -> Self {
        Self { past_no_space: true, ..self }
    }

    /// The same for who wants to hear at once that a connection is lost.
    pub(super) fn once(self) -> Self {
        let once = |(host, facts): (String, Result<Facts, Failure>)| (host, facts.map(Facts::once));
        Self { facts: self.facts.into_iter().map(once).collect(), ..self }
    }

    /// Asks every member now.
    pub(super) async fn look(&self) -> ClusterView {
        self.reached().await.view
    }

    /// The same, with whether all hosts were reached.
    pub(super) async fn reached(&self) -> Look {
        let Look { view, lost } = self.all_reached().await;
        Look { view: if self.past_no_space { view.past_no_space() } else { view }, lost }
    }

    /// A look with every alarm.
    pub(super) async fn look_at_all(&self) -> ClusterView {
        self.all_reached().await.view
    }

    async fn all_reached(&self) -> Look {
        let costly = self.facts.values().flatten().any(|facts| facts.client.shows_password());
        let _turn = if costly { Some(self.turn.0.lock().await) } else { None };
        let begun = Instant::now();
        let ask = |(host, facts): (&String, &Result<Facts, Failure>)| {
            let (host, facts) = (host.clone(), facts.clone());
            async move {
                let told = match facts {
                    Ok(facts) => facts.view().await,
                    Err(failure) => Err(failure),
                };
                (host, told)
            }
        };
        let told = join_all(self.facts.iter().map(ask)).await;
        let took = begun.elapsed();
        let lost = told.iter().find_map(|(_, told)| told.as_ref().err().filter(|failure| is_lost(failure))).cloned();
        let words = |(host, told): (String, Result<MemberView, Failure>)| {
            let told = told.map_err(|failure| without_host(&host, &failure.msg));
            (host, told)
        };
        Look { view: ClusterView { hosts: told.into_iter().map(words).collect(), took }, lost }
    }

    /// Looks until the host's member may stop, as long as what stands against it may pass; gives the look that said so.
    ///
    /// # Errors
    /// What stands against it still, as a refusal: nobody's turn has begun; or the host that is not reached.
    pub(super) async fn may_stop(&self, host: &str, accept_downtime: bool) -> Result<ClusterView, Failure> {
        self.asked(host, accept_downtime, PATIENCE_WHILE_ALL_SERVE).await.map_err(|against| {
            let Against { reason, look } = *against;
            look.lost.unwrap_or_else(|| refused(host, reason))
        })
    }

    /// The same in the host's own turn, after the guard's leave: a member that went down since is somebody's business now.
    ///
    /// # Errors
    /// What stands against it still, with how the cluster is.
    pub(super) async fn still_may_stop(&self, host: &str, accept_downtime: bool) -> Result<(), Failure> {
        self.may_stop_within(host, accept_downtime, PATIENCE_WHILE_ALL_SERVE).await
    }

    /// The same for who has no longer than that to ask again.
    ///
    /// # Errors
    /// As [`Survey::still_may_stop`].
    pub(super) async fn may_stop_within(
        &self,
        host: &str,
        accept_downtime: bool,
        longest: Duration,
    ) -> Result<(), Failure> {
        self.asked(host, accept_downtime, longest).await.map(drop).map_err(|against| {
            let Against { reason, look } = *against;
            // Of a host that is not reached nobody knows whether its member is down.
            let refused = look.lost.unwrap_or_else(|| refused(host, reason));
            match fault_of(&look.view) {
                _ if is_lost(&refused) => refused,
                Fault::Failed => refused,
                fault => Failure { fault, ..refused },
            }
        })
    }

    async fn asked(&self, host: &str, accept_downtime: bool, longest: Duration) -> Result<ClusterView, Box<Against>> {
        let begun = Instant::now();
        loop {
            let look = self.reached().await;
            match self.verdict(&look.view, host, accept_downtime).await {
                Ok(()) => return Ok(look.view),
                Err(reason) if !reason.may_pass() || begun.elapsed() > patience(&look.view, true).min(longest) => {
                    return Err(Box::new(Against { reason, look }));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Whether the host's member may stop now: by what all members tell, and because no host is about to go down.
    pub(super) async fn verdict(&self, view: &ClusterView, host: &str, accept_downtime: bool) -> Result<(), NotNow> {
        may_stop(view, host, accept_downtime)?;
        let each = self.facts.values().flatten().map(leaves);
        join_all(each).await.into_iter().find(Result::is_err).unwrap_or(Ok(()))
    }

    /// Gathers the facts anew where they were not to be had, though the host was: of a process that was starting just then, say.
    pub(super) async fn gather_missing(&mut self, fleet: &dyn Fleet, unit: &str) {
        let missing = self.facts.iter().filter(|(_, facts)| facts.is_err()).map(|(host, _)| host.clone());
        let gathered = join_all(missing.map(|host| gathered(fleet, unit, host))).await;
        self.facts.extend(gathered);
    }

    /// The first failure that is the host's and not the member's: unreachable, host key, become.
    #[must_use]
    pub(super) fn unreachable(&self) -> Option<&Failure> {
        self.facts.values().filter_map(|facts| facts.as_ref().err()).find(|failure| is_lost(failure))
    }
}

/// Whether it is the host and not its member: nobody knows then how that is.
pub(super) fn is_lost(failure: &Failure) -> bool {
    matches!(failure.fault, Fault::Unreachable | Fault::HostKey)
}

/// A host that is about to go down takes its member with it, while another is down for us: two at once (peers: a member restarted while somebody
/// else rebooted a second host).
async fn leaves(facts: &Facts) -> Result<(), NotNow> {
    let host = facts.host();
    match facts.client.probe().outlook().await {
        Ok(outlook) => match outlook.leaves {
            None => Ok(()),
            Some(leaves) => Err(NotNow::Leaves { host, how: leaves.to_string() }),
        },
        Err(error) => Err(NotNow::Silent { reason: without_host(&host, &error.to_string()), host }),
    }
}

/// The reason alone: the view says which host.
fn without_host(host: &str, reason: &str) -> String {
    reason.strip_prefix(&format!("{host}: ")).unwrap_or(reason).to_owned()
}
