//! Which member is next: a sick one first, followers, the leader last.

use super::answer::Health;
use super::view::ClusterView;

/// A member's place in the order; less comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Not answering in full, or unhealthy: nothing is lost by touching it, all by touching another.
    Sick,
    /// A follower.
    Follower,
    /// The leader: its stop costs an election up to 3.0, so only one is paid a roll.
    Leader,
}

/// The rank of the member on `host` in this view.
fn rank(view: &ClusterView, host: &str) -> Rank {
    match view.hosts.get(host) {
        Some(Ok(member)) if member.health == Health::Healthy && member.read.is_ok() => {
            if member.leader == Some(member.id) { Rank::Leader } else { Rank::Follower }
        }
        _ => Rank::Sick,
    }
}

/// The host to be touched next among `remaining`, which keep their order within a rank.
#[must_use]
pub fn next<'h>(view: &ClusterView, remaining: &'h [String]) -> Option<(&'h str, Rank)> {
    remaining.iter().map(|host| (host.as_str(), rank(view, host))).min_by_key(|(_, rank)| *rank)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use semver::Version;

    use super::super::version::{ClusterVersion, VersionAnswer};
    use super::super::view::MemberView;
    use super::*;

    fn view(leader: u64, sick: Option<&str>) -> ClusterView {
        let hosts = (1..=3).map(|id| {
            let member = MemberView {
                id,
                name: String::new(),
                cluster: 1,
                version: VersionAnswer { server: Version::new(2, 0, 5), cluster: ClusterVersion::Unknown },
                health: Health::Healthy,
                members: vec![],
                leader: Some(leader),
                index: 1,
                raft: None,
                term: 1,
                read: Ok(()),
                alarms: vec![],
                store: None,
            };
            let host = format!("h{id}");
            let told = if sick == Some(&host) { Err("refused".to_owned()) } else { Ok(member) };
            (host, told)
        });
        ClusterView { hosts: hosts.collect(), took: Duration::ZERO }
    }

    #[test]
    fn followers_first_in_their_order_and_the_leader_last() {
        let mut remaining: Vec<String> = ["h1", "h2", "h3"].map(str::to_owned).to_vec();
        let mut order = Vec::new();
        while let Some((host, _)) = next(&view(1, None), &remaining) {
            order.push(host.to_owned());
            remaining.retain(|h| h != order.last().unwrap());
        }
        assert_eq!(order, ["h2", "h3", "h1"]);
    }

    #[test]
    fn a_sick_member_comes_first() {
        let remaining: Vec<String> = ["h1", "h2", "h3"].map(str::to_owned).to_vec();
        assert_eq!(next(&view(1, Some("h3")), &remaining), Some(("h3", Rank::Sick)));
        assert_eq!(next(&view(1, None), &[]), None);
    }
}
