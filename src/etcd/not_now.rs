//! What stands against stopping a member, and whether it may pass by itself.

use std::time::Duration;

/// Why a member may not stop now. Silence and missing parts are reasons like any other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// The host is not in the view.
    #[error("{host} is not among the hosts that were asked")]
    NotAsked {
        /// The host.
        host: String,
    },
    /// The look took so long that it says little about now.
    #[error("looking at the cluster took {} ms, more than the {} ms for which an answer counts", took.as_millis(), limit.as_millis())]
    Stale {
        /// How long.
        took: Duration,
        /// The limit.
        limit: Duration,
    },
    /// A member did not tell everything.
    #[error("{host} did not answer in full: {reason}")]
    Silent {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// A member says it is not healthy.
    #[error("{host} ({name}) says it is unhealthy")]
    Unhealthy {
        /// The host.
        host: String,
        /// The member.
        name: String,
    },
    /// An alarm is raised; from 3.3 on it makes members unhealthy, and under `NOSPACE` no write is taken.
    #[error("{host} ({name}) knows of an alarm: {alarms}; mend its cause and disarm it (`etcdctl alarm disarm`)")]
    Alarm {
        /// The host.
        host: String,
        /// The member.
        name: String,
        /// The alarms.
        alarms: String,
    },
    /// A member's host is about to go down, and the member with it.
    #[error("{host} is about to go down: {how}; wait until it is back, or take that back (`shutdown -c`)")]
    Leaves {
        /// The host.
        host: String,
        /// How and when.
        how: String,
    },
    /// A member without a vote.
    #[error("member {name} is a learner: promote or remove it first")]
    Learner {
        /// The member, by name or ID.
        name: String,
    },
    /// A member does not serve reads through raft.
    #[error("{host} ({name}) does not answer a read through raft: {reason}")]
    NoRead {
        /// The host.
        host: String,
        /// The member.
        name: String,
        /// What came.
        reason: String,
    },
    /// No leader.
    #[error("{host} ({name}) knows no leader")]
    NoLeader {
        /// The host.
        host: String,
        /// The member.
        name: String,
    },
    /// Two leaders, by two members' word.
    #[error("{} and {} disagree on the leader: {:x} and {:x}", hosts.0, hosts.1, leaders.0, leaders.1)]
    TwoLeaders {
        /// Two hosts.
        hosts: (String, String),
        /// Their leaders.
        leaders: (u64, u64),
    },
    /// Different terms.
    #[error("{} and {} disagree on the term: {} and {}", hosts.0, hosts.1, terms.0, terms.1)]
    TwoTerms {
        /// Two hosts.
        hosts: (String, String),
        /// Their terms.
        terms: (u64, u64),
    },
    /// Different clusters.
    #[error("{} and {} are of different clusters: {:x} and {:x}", hosts.0, hosts.1, clusters.0, clusters.1)]
    TwoClusters {
        /// Two hosts.
        hosts: (String, String),
        /// Their clusters.
        clusters: (u64, u64),
    },
    /// Different member lists.
    #[error("{} and {} disagree on who is a member", hosts.0, hosts.1)]
    TwoMemberLists {
        /// Two hosts.
        hosts: (String, String),
    },
    /// The inventory and the member list are not one to one.
    #[error("the inventory and the member list differ: {detail}")]
    NotTheMembers {
        /// Who is missing on which side.
        detail: String,
    },
    /// A member lags behind.
    #[error("{host} ({name}) is {behind} entries behind {leader}, more than {limit}")]
    Lags {
        /// The host.
        host: String,
        /// The member.
        name: String,
        /// Entries.
        behind: u64,
        /// The member that is ahead.
        leader: String,
        /// The limit.
        limit: u64,
    },
    /// A member says that it is further than its leader knows it to be: a word that nobody else bears out frees no stop (reliability F47).
    #[error("{host} ({name}) says that it is at entry {index}, and {leader}, which leads, knows of {known}")]
    NotBorneOut {
        /// The host.
        host: String,
        /// The member.
        name: String,
        /// By its own word.
        index: u64,
        /// The leader.
        leader: String,
        /// By the leader's.
        known: u64,
    },
    /// Too few would be left.
    #[error("stopping {host} would leave {left} of {voters} members and the quorum is {quorum}")]
    NoQuorumLeft {
        /// The host.
        host: String,
        /// Members left.
        left: usize,
        /// Members.
        voters: usize,
        /// The quorum.
        quorum: usize,
    },
}

impl NotNow {
    /// Whether it may be over in a moment: an election, a busy moment, answers from before and after a change.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotAsked { .. } | Self::TwoClusters { .. } | Self::NotTheMembers { .. } => false,
            Self::Alarm { .. } | Self::Leaves { .. } | Self::Learner { .. } => false,
            // Of a host without facts nobody asks again within one look.
            Self::Silent { .. } | Self::NoQuorumLeft { .. } => false,
            Self::Stale { .. } | Self::Unhealthy { .. } | Self::NoRead { .. } | Self::NoLeader { .. } => true,
            Self::TwoLeaders { .. } | Self::TwoTerms { .. } | Self::TwoMemberLists { .. } => true,
            Self::Lags { .. } | Self::NotBorneOut { .. } => true,
        }
    }
}
