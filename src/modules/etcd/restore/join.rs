//! The other members: each joins the restored cluster with empty data.

use futures_util::future::try_join_all;
use serde_json::json;

use crate::etcd::{MemberEntry, MemberView};
use crate::events::Fault;
use crate::modules::{Failure, Outcome};
use crate::remote::Change;

use super::super::facts::Facts;
use super::super::member::fault_by_quorum;
use super::super::proof::{self, Count};
use super::start::FIRST_START;
use super::stopped::Stopped;
use super::{Restore, Restored, failed, refused};

impl Restore<'_> {
    /// Lets this host's member join those of `before`, all of which this run has restored.
    pub(super) async fn join(&self, before: &[String]) -> Result<Outcome, Failure> {
        let Some(change) = self.call.change.clone() else { return Ok(self.would()) };
        let stopped = Stopped::gather(&self.call.probe, self.unit()).await?;
        self.room(&stopped, false).await?;
        let restored = self.restored(before)?;
        let first = self.members(before).await?.into_iter().next();
        let (facts, view) = first.ok_or_else(|| refused(self.host(), "there is no member to join"))?;
        self.is_restored(&restored, &view)?;
        if view.members.iter().any(|member| member.name.is_empty()) {
            return Err(refused(self.host(), "a member was added to the cluster and has not started yet"));
        }
        self.begins(format!("move {} aside, join {} as {}", stopped.data_dir, facts.host(), stopped.flags.name()))?;
        let aside = self.aside(&change, &stopped).await?;
        let voters = view.members.len() + 1;
        self.start_as_new(&change, &stopped, &facts, &view).await.map_err(|failure| {
            let fault = fault_by_quorum(view.members.len(), voters);
            let fault = if failure.fault == Fault::Failed { fault } else { failure.fault };
            self.fell(Failure { fault, ..failure }, &aside)
        })?;
        if self.last {
            self.whole(&restored, before).await?;
        }
        Ok(self.done(&restored, &aside))
    }

    /// What this run's restore of the hosts before has left. Hosts that it has not restored are another cluster, maybe a living one.
    pub(super) fn restored(&self, before: &[String]) -> Result<Restored, Failure> {
        let mut found = None;
        for host in before {
            let fact = self.call.fleet.var(host, "etcd_restore");
            let fact = fact.and_then(|value| serde_json::from_value::<Restored>(value).ok());
            let Some(fact) = fact.filter(|fact| fact.run == self.call.run) else {
                let what =
                    format!("{host} was not restored by this run; restore all hosts in one play with `serial: 1`");
                return Err(refused(self.host(), what));
            };
            found = Some(fact);
        }
        found.ok_or_else(|| refused(self.host(), "no host was restored before"))
    }

    fn is_restored(&self, restored: &Restored, view: &MemberView) -> Result<(), Failure> {
        let cluster = format!("{:x}", view.cluster);
        if cluster == restored.cluster_id {
            return Ok(());
        }
        let what = format!("what answers there is cluster {cluster}, not the restored one, {}", restored.cluster_id);
        Err(refused(self.host(), what))
    }

    async fn members(&self, hosts: &[String]) -> Result<Vec<(Facts, MemberView)>, Failure> {
        let ask = |host: &String| {
            let host = host.clone();
            async move {
                let facts = Facts::gather(self.call.fleet, &self.call.fleet.probe(&host).await?, self.unit()).await?;
                let view = facts.view().await?;
                Ok::<_, Failure>((facts, view))
            }
        };
        try_join_all(hosts.iter().map(ask)).await
    }

    async fn start_as_new(
        &self,
        change: &Change,
        stopped: &Stopped,
        first: &Facts,
        view: &MemberView,
    ) -> Result<(), Failure> {
        let urls = stopped.peer_urls();
        let told = first.client.send("POST", "/v2/members", &json!({ "peerURLs": urls })).await;
        let told = told.map_err(|error| failed(self.host(), format!("add it on {}: {error}", first.host())))?;
        if told.status != 201 {
            let said: String = String::from_utf8_lossy(&told.body).trim().chars().take(200).collect();
            let what = format!("{} did not add it: status {} `{said}`", first.host(), told.status);
            return Err(failed(self.host(), what));
        }
        let voters = view.members.len() + 1;
        let cluster = initial_cluster(&view.members, stopped.flags.name(), &urls);
        let options = [format!("-initial-cluster={cluster}"), "-initial-cluster-state=existing".to_owned()];
        self.first_start(change, stopped, &options).await?;
        let joined = self.serves(FIRST_START, voters, view.index, "the new member").await;
        let ended = self.end_first_start(change).await;
        joined?;
        ended?;
        self.own_start(change, stopped).await?;
        self.serves(&stopped.unit, voters, view.index, "the new member").await.map(drop)
    }

    /// At the end: every member answers, all know the same members, and each has the keys that the first one had, but for what
    /// clients may have written since.
    async fn whole(&self, restored: &Restored, before: &[String]) -> Result<(), Failure> {
        let hosts: Vec<String> = before.iter().cloned().chain([self.host().to_owned()]).collect();
        let members = self.members(&hosts).await?;
        let ids = |view: &MemberView| view.members.iter().map(|member| member.id).collect::<Vec<_>>();
        let list = members.first().map(|(_, view)| ids(view)).unwrap_or_default();
        for (facts, view) in &members {
            self.is_restored(restored, view)?;
            if ids(view) != list || list.len() != hosts.len() {
                let what = format!("knows {} members, the play has {} hosts", view.members.len(), hosts.len());
                return Err(failed(&facts.host(), what));
            }
            let found = proof::count(&facts.client, &facts.host(), self.deadline()).await?;
            let opened = Count { keys: restored.keys, index: restored.index };
            proof::since(opened, found).map_err(|what| failed(&facts.host(), what))?;
        }
        Ok(())
    }
}

/// The members there are and the new one, as `initial-cluster` has them: a joining member refuses any other list.
fn initial_cluster(members: &[MemberEntry], name: &str, urls: &[String]) -> String {
    let there = members.iter().flat_map(|member| member.peer_urls.iter().map(|url| format!("{}={url}", member.name)));
    let new = urls.iter().map(|url| format!("{name}={url}"));
    there.chain(new).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joining_member_names_those_that_are_there_and_itself() {
        let urls = |urls: &[&str]| urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>();
        let there = MemberEntry {
            id: 1,
            name: "a".into(),
            peer_urls: urls(&["http://a:1", "http://a:2"]),
            client_urls: vec![],
            learner: false,
        };
        assert_eq!(initial_cluster(&[there], "b", &urls(&["http://b:1"])), "a=http://a:1,a=http://a:2,b=http://b:1");
    }
}
