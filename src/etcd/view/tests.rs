use super::super::raft_status::Progress;
use super::super::version::ClusterVersion;
use super::*;

fn entry(id: u64) -> MemberEntry {
    MemberEntry {
        id,
        name: format!("etcd{id}"),
        peer_urls: vec![format!("http://10.0.0.{id}:2380")],
        client_urls: vec![],
        learner: false,
    }
}

fn cluster(size: u64) -> ClusterView {
    let members: Vec<MemberEntry> = (1..=size).map(entry).collect();
    let member = |id: u64| MemberView {
        id,
        name: format!("etcd{id}"),
        cluster: 77,
        version: VersionAnswer { server: semver::Version::new(2, 0, 5), cluster: ClusterVersion::Unknown },
        health: Health::Healthy,
        members: members.clone(),
        leader: Some(1),
        index: 100 + id,
        raft: None,
        term: 3,
        read: Ok(()),
        alarms: vec![],
        store: None,
    };
    let hosts = (1..=size).map(|id| (format!("h{id}"), Ok(member(id)))).collect();
    ClusterView { hosts, took: Duration::from_millis(20) }
}

fn changed(size: u64, host: &str, change: impl Fn(&mut MemberView)) -> Result<(), NotNow> {
    let mut view = cluster(size);
    change(view.hosts.get_mut(host).unwrap().as_mut().unwrap());
    may_stop(&view, "h2", false)
}

#[test]
fn any_member_of_a_sound_cluster_may_stop() {
    for size in [3, 4, 5, 7] {
        assert_eq!(may_stop(&cluster(size), "h2", false), Ok(()));
    }
}

#[test]
fn stops_when_a_voter_is_silent() {
    let mut view = cluster(5);
    view.hosts.insert("h4".into(), Err("connection refused".into()));
    assert!(matches!(may_stop(&view, "h2", false), Err(NotNow::Silent { host, .. }) if host == "h4"));
    // The silent one itself is no exception: what does not answer is not known to be down.
    assert!(matches!(may_stop(&view, "h4", false), Err(NotNow::Silent { .. })));
}

#[test]
fn stops_when_a_voter_is_unhealthy_or_does_not_read() {
    assert!(matches!(changed(3, "h3", |m| m.health = Health::Unhealthy), Err(NotNow::Unhealthy { .. })));
    assert!(matches!(changed(3, "h3", |m| m.read = Err("300".into())), Err(NotNow::NoRead { .. })));
    assert!(matches!(changed(3, "h3", |m| m.leader = None), Err(NotNow::NoLeader { .. })));
}

#[test]
fn stops_when_views_disagree() {
    assert!(matches!(changed(3, "h3", |m| m.leader = Some(3)), Err(NotNow::TwoLeaders { leaders: (1, 3), .. })));
    assert!(matches!(changed(3, "h3", |m| m.term = 4), Err(NotNow::TwoTerms { terms: (3, 4), .. })));
    assert!(matches!(changed(3, "h3", |m| m.cluster = 78), Err(NotNow::TwoClusters { .. })));
    assert!(matches!(changed(3, "h3", |m| drop(m.members.pop())), Err(NotNow::TwoMemberLists { .. })));
}

#[test]
fn stops_when_the_inventory_is_not_the_membership() {
    let mut view = cluster(3);
    view.hosts.remove("h3");
    assert!(matches!(may_stop(&view, "h2", false), Err(NotNow::NotTheMembers { detail }) if detail.contains("etcd3")));
    assert!(matches!(changed(3, "h3", |m| m.id = 2), Err(NotNow::NotTheMembers { .. })));
    assert!(matches!(may_stop(&cluster(3), "h9", false), Err(NotNow::NotAsked { .. })));
}

#[test]
fn stops_when_a_member_lags_or_the_look_is_stale() {
    assert!(matches!(changed(3, "h3", |m| m.index = 5000), Err(NotNow::Lags { .. })));
    assert_eq!(changed(3, "h3", |m| m.index = 600), Ok(()));
    let mut view = cluster(3);
    view.took = Duration::from_secs(3);
    assert!(matches!(may_stop(&view, "h2", false), Err(NotNow::Stale { .. })));
}

#[test]
fn one_and_two_members_need_leave_for_downtime() {
    for size in [1, 2] {
        let host = format!("h{size}");
        assert!(matches!(may_stop(&cluster(size), &host, false), Err(NotNow::NoQuorumLeft { .. })));
        assert_eq!(may_stop(&cluster(size), &host, true), Ok(()));
    }
    // Leave for downtime is no leave for anything else.
    let mut view = cluster(2);
    view.hosts.insert("h1".into(), Err("timed out".into()));
    assert!(matches!(may_stop(&view, "h2", true), Err(NotNow::Silent { .. })));
}

#[test]
fn quorum_is_more_than_half() {
    assert_eq!([1, 2, 3, 4, 5, 7].map(quorum), [1, 2, 2, 3, 3, 4]);
}

#[test]
fn an_election_may_pass_and_a_foreign_cluster_may_not() {
    let hosts = || ("a".to_owned(), "b".to_owned());
    let took = Duration::from_secs(3);
    assert!(NotNow::Stale { took, limit: FRESH }.may_pass());
    assert!(NotNow::TwoLeaders { hosts: hosts(), leaders: (1, 2) }.may_pass());
    assert!(!NotNow::TwoClusters { hosts: hosts(), clusters: (1, 2) }.may_pass());
    assert!(!NotNow::NoQuorumLeft { host: "a".to_owned(), left: 1, voters: 2, quorum: 2 }.may_pass());
}

#[test]
fn an_alarm_is_a_no_and_only_no_space_can_be_looked_past() {
    let alarmed = |kinds: &[&str]| {
        let mut view = cluster(3);
        for member in view.hosts.values_mut().flatten() {
            member.alarms = kinds.iter().map(|kind| Alarm { kind: (*kind).to_owned(), member: 2 }).collect();
            member.health = Health::Unhealthy;
        }
        view
    };
    let refused = may_stop(&alarmed(&["NOSPACE"]), "h2", false).unwrap_err();
    assert!(refused.to_string().contains("NOSPACE of member 2"), "{refused}");
    assert_eq!(may_stop(&alarmed(&["NOSPACE"]).past_no_space(), "h2", false), Ok(()));
    let both = may_stop(&alarmed(&["NOSPACE", "CORRUPT"]).past_no_space(), "h2", false).unwrap_err();
    assert!(matches!(&both, NotNow::Alarm { alarms, .. } if alarms == "CORRUPT of member 2"), "{both}");
    // Without an alarm, unhealthy stays unhealthy; and so does a member without a leader.
    assert!(matches!(may_stop(&alarmed(&[]).past_no_space(), "h2", false), Err(NotNow::Unhealthy { .. })));
    let mut leaderless = alarmed(&["NOSPACE"]);
    leaderless.hosts.get_mut("h3").unwrap().as_mut().unwrap().leader = None;
    assert!(may_stop(&leaderless.past_no_space(), "h2", false).is_err());
}

#[test]
fn stops_when_the_leader_does_not_bear_out_what_a_member_says() {
    let led = |known: Option<u64>, index: u64| {
        let mut view = cluster(3);
        for member in view.hosts.values_mut().flatten() {
            member.index = 5_000;
        }
        view.hosts.get_mut("h3").unwrap().as_mut().unwrap().index = index;
        let progress = known.map(|matched| (3, Progress { matched, snapshot: false })).into_iter().collect();
        let leader = view.hosts.get_mut("h1").unwrap().as_mut().unwrap();
        leader.raft = Some(RaftStatus { commit: 5_000, progress });
        may_stop(&view, "h2", false)
    };
    assert_eq!(led(Some(5_000), 5_000), Ok(()));
    // Under load the two are not of the same instant; of a leader that is one no more nothing is known.
    assert_eq!(led(Some(4_001), 5_000), Ok(()));
    assert_eq!(led(None, 5_000), Ok(()));
    let found = led(Some(3_999), 5_000).unwrap_err();
    assert!(matches!(&found, NotNow::NotBorneOut { host, known: 3_999, .. } if host == "h3"), "{found}");
    assert!(found.may_pass());
}
