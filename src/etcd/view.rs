//! The cluster as all its members tell it at one moment, and whether one of them may stop now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::alarm::Alarm;
use super::answer::{Health, MemberEntry};
use super::gateway::StoreState;
use super::not_now::NotNow;
use super::raft_status::RaftStatus;
use super::version::VersionAnswer;

/// What one member told, all within one look; made only when every part was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its own ID.
    pub id: u64,
    /// Its own name.
    pub name: String,
    /// The cluster's ID.
    pub cluster: u64,
    /// Its version and the cluster's.
    pub version: VersionAnswer,
    /// Its health.
    pub health: Health,
    /// The members it knows, sorted by ID.
    pub members: Vec<MemberEntry>,
    /// Whom it holds for the leader.
    pub leader: Option<u64>,
    /// The applied raft index.
    pub index: u64,
    /// The raft term.
    pub term: u64,
    /// What raft says of itself, where the version tells it.
    pub raft: Option<RaftStatus>,
    /// Whether a read through raft was answered; if not, what came.
    pub read: Result<(), String>,
    /// The alarms it knows of, in the whole cluster; none before 3.0.
    pub alarms: Vec<Alarm>,
    /// Its v3 store, where it has told of it.
    pub store: Option<StoreState>,
}

/// What all members told, by host; a member that did not tell everything has the reason instead.
#[derive(Clone, Debug, Default)]
pub struct ClusterView {
    /// By inventory host.
    pub hosts: BTreeMap<String, Result<MemberView, String>>,
    /// How long the whole look took: how stale the oldest part may be.
    pub took: Duration,
}

impl ClusterView {
    /// The same as it would be without alarms of the kind `NOSPACE`: for what makes room, and only for that. Any other alarm stays.
    #[must_use]
    pub fn past_no_space(mut self) -> Self {
        for member in self.hosts.values_mut().flatten() {
            let before = member.alarms.len();
            member.alarms.retain(|alarm| !alarm.is_no_space());
            // Where alarms are told of, health is made of them and of having a leader; the read through raft stands beside it.
            if member.alarms.len() < before && member.alarms.is_empty() && member.leader.is_some() {
                member.health = Health::Healthy;
            }
        }
        self
    }
}

/// How many of `voters` must agree: more than half.
#[must_use]
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// How long an answer counts. The look itself takes 10 to 60 ms in the lab through a bastion; two seconds are the longest between a
/// look and a stop (reliability F36), and cover a link of some hundred milliseconds.
const FRESH: Duration = Duration::from_secs(2);

/// How far a member may be behind the one ahead of it. On a cluster under load the indices are never equal since they are not read at
/// the same instant: 300 writes a second seen over a 60 ms look differ by 18. A thousand still is far below the 5000 entries after
/// which etcd sends a whole snapshot.
const MOST_BEHIND: u64 = 1000;

/// Whether the member on `host` may stop now, so that the cluster goes on without it.
///
/// Every member must have told everything, and all must agree: stopping one is safe only if all others are known to be sound.
///
/// # Errors
/// The first reason why not. `accept_downtime` takes back only the last one, for clusters of one and two.
pub fn may_stop(view: &ClusterView, host: &str, accept_downtime: bool) -> Result<(), NotNow> {
    if !view.hosts.contains_key(host) {
        return Err(NotNow::NotAsked { host: host.to_owned() });
    }
    if view.took > FRESH {
        return Err(NotNow::Stale { took: view.took, limit: FRESH });
    }
    let told = sound(view)?;
    agree(&told)?;
    one_to_one(&told)?;
    near(&told)?;
    let voters = told.len();
    let (left, quorum) = (voters.saturating_sub(1), quorum(voters));
    if left < quorum && !accept_downtime {
        return Err(NotNow::NoQuorumLeft { host: host.to_owned(), left, voters, quorum });
    }
    Ok(())
}

type Told<'v> = Vec<(&'v String, &'v MemberView)>;

fn words(alarms: &[Alarm]) -> String {
    alarms.iter().map(Alarm::to_string).collect::<Vec<_>>().join(", ")
}

/// The first alarm that a member knows of.
pub(super) fn alarm(view: &ClusterView) -> Option<NotNow> {
    let told = view.hosts.iter().filter_map(|(host, member)| Some((host, member.as_ref().ok()?)));
    told.into_iter().find_map(|(host, member)| alarm_of(host, member))
}

fn alarm_of(host: &str, member: &MemberView) -> Option<NotNow> {
    let known = || NotNow::Alarm { host: host.to_owned(), name: member.name.clone(), alarms: words(&member.alarms) };
    (!member.alarms.is_empty()).then(known)
}

/// All members' views, each complete and healthy.
fn sound(view: &ClusterView) -> Result<Told<'_>, NotNow> {
    let mut told = Vec::with_capacity(view.hosts.len());
    for (host, member) in &view.hosts {
        let member = member.as_ref().map_err(|reason| NotNow::Silent { host: host.clone(), reason: reason.clone() })?;
        let name = || member.name.clone();
        if let Some(alarm) = alarm_of(host, member) {
            return Err(alarm);
        }
        if let Some(learner) = member.members.iter().find(|entry| entry.learner) {
            let name = if learner.name.is_empty() { format!("{:x}", learner.id) } else { learner.name.clone() };
            return Err(NotNow::Learner { name });
        }
        if member.health != Health::Healthy {
            return Err(NotNow::Unhealthy { host: host.clone(), name: name() });
        }
        if let Err(reason) = &member.read {
            return Err(NotNow::NoRead { host: host.clone(), name: name(), reason: reason.clone() });
        }
        if member.leader.is_none() {
            return Err(NotNow::NoLeader { host: host.clone(), name: name() });
        }
        told.push((host, member));
    }
    Ok(told)
}

/// One cluster, one leader, one term, one member list.
fn agree(told: &Told<'_>) -> Result<(), NotNow> {
    let Some(((first, a), others)) = told.split_first() else { return Ok(()) };
    for (host, b) in others {
        let hosts = ((*first).clone(), (*host).clone());
        if a.cluster != b.cluster {
            return Err(NotNow::TwoClusters { hosts, clusters: (a.cluster, b.cluster) });
        }
        if a.members != b.members {
            return Err(NotNow::TwoMemberLists { hosts });
        }
        if let (Some(x), Some(y)) = (a.leader, b.leader)
            && x != y
        {
            return Err(NotNow::TwoLeaders { hosts, leaders: (x, y) });
        }
        if a.term != b.term {
            return Err(NotNow::TwoTerms { hosts, terms: (a.term, b.term) });
        }
    }
    Ok(())
}

/// Each host is one member, and each member has its host.
fn one_to_one(told: &Told<'_>) -> Result<(), NotNow> {
    let Some((_, any)) = told.first() else { return Ok(()) };
    let mut seen: BTreeMap<u64, &String> = BTreeMap::new();
    for (host, member) in told {
        if let Some(other) = seen.insert(member.id, host) {
            let detail = format!("{other} and {host} both answer as member {:x}", member.id);
            return Err(NotNow::NotTheMembers { detail });
        }
        if !any.members.iter().any(|entry| entry.id == member.id) {
            let detail = format!("{host} answers as {:x}, which is no member", member.id);
            return Err(NotNow::NotTheMembers { detail });
        }
    }
    let absent: BTreeSet<String> = (any.members.iter())
        .filter(|entry| !seen.contains_key(&entry.id))
        .map(|entry| if entry.name.is_empty() { format!("{:x} (never started)", entry.id) } else { entry.name.clone() })
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    let detail = format!("no host of the inventory is {}", absent.into_iter().collect::<Vec<_>>().join(", "));
    Err(NotNow::NotTheMembers { detail })
}

/// Nobody lags behind the one that is furthest.
fn near(told: &Told<'_>) -> Result<(), NotNow> {
    let Some((_, ahead)) = told.iter().max_by_key(|(_, member)| member.index) else { return Ok(()) };
    for (host, member) in told {
        let behind = ahead.index.saturating_sub(member.index);
        if behind > MOST_BEHIND {
            return Err(NotNow::Lags {
                host: (*host).clone(),
                name: member.name.clone(),
                behind,
                leader: ahead.name.clone(),
                limit: MOST_BEHIND,
            });
        }
    }
    borne_out(told)
}

/// What members say of how far they are the leader bears out, where it tells (2.1 on): of one that is shut out, or that something else
/// answers for, its progress stands still there.
fn borne_out(told: &Told<'_>) -> Result<(), NotNow> {
    let Some((_, leader)) = told.iter().find(|(_, member)| member.leader == Some(member.id)) else { return Ok(()) };
    let Some(raft) = &leader.raft else { return Ok(()) };
    for (host, member) in told {
        let Some(known) = raft.progress.get(&member.id).map(|progress| progress.matched) else { continue };
        if member.index.saturating_sub(known) > MOST_BEHIND {
            let (host, name, leader) = ((*host).clone(), member.name.clone(), leader.name.clone());
            return Err(NotNow::NotBorneOut { host, name, index: member.index, leader, known });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
