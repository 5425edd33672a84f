use super::super::alarm::Alarm;
use super::super::answer::MemberEntry;
use super::super::raft_status::{Progress, RaftStatus};
use super::super::version::{ClusterVersion, VersionAnswer};
use super::super::view::MemberView;
use super::*;

const NEW: Version = Version::new(2, 1, 1);

fn view(index: u64, version: Version) -> ClusterView {
    let entry = |id| MemberEntry { id, name: format!("m{id}"), peer_urls: vec![], client_urls: vec![], learner: false };
    let member = |id: u64| MemberView {
        id,
        name: format!("m{id}"),
        cluster: 1,
        version: VersionAnswer { server: Version::new(2, 0, 5), cluster: ClusterVersion::Unknown },
        health: Health::Healthy,
        members: (1..=3).map(entry).collect(),
        leader: Some(1),
        index: 500,
        raft: None,
        term: 2,
        read: Ok(()),
        alarms: vec![],
        store: None,
    };
    let mut hosts: std::collections::BTreeMap<_, _> = (1..=3).map(|id| (format!("h{id}"), Ok(member(id)))).collect();
    let mut back = member(2);
    back.index = index;
    back.version.server = version;
    hosts.insert("h2".to_owned(), Ok(back));
    ClusterView { hosts, took: Duration::from_millis(10) }
}

fn wait() -> CatchUp {
    CatchUp::new("h2", &NEW, Duration::from_secs(1))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn is_done_after_five_good_looks_over_two_election_timeouts() {
    let mut wait = wait();
    for n in 0..8 {
        assert!(matches!(wait.look(&view(500, NEW), ms(n * 250)), Err(Lag::Settling { .. })), "look {n}");
    }
    assert_eq!(wait.look(&view(501, NEW), ms(2000)), Ok(Stability { index: 501, answers: 9 }));
}

#[test]
fn long_gaps_between_looks_do_not_count_as_stability() {
    let mut wait = wait();
    assert!(wait.look(&view(500, NEW), ms(0)).is_err());
    assert!(matches!(wait.look(&view(500, NEW), ms(60_000)), Err(Lag::Settling { .. })));
}

#[test]
fn the_goal_is_what_the_furthest_had_when_the_member_answered() {
    let mut wait = wait();
    assert_eq!(wait.look(&view(10, NEW), ms(0)), Err(Lag::Behind { index: 10, goal: 500 }));
    let mut later = view(500, NEW);
    later.hosts.get_mut("h1").unwrap().as_mut().unwrap().index = 900;
    assert!(matches!(wait.look(&later, ms(100)), Err(Lag::Settling { .. })));
}

#[test]
fn the_goal_is_what_the_leader_has_committed_where_it_says_so() {
    let mut told = view(510, NEW);
    let leader = told.hosts.get_mut("h1").unwrap().as_mut().unwrap();
    let progress = Progress { matched: 510, snapshot: true };
    leader.raft = Some(RaftStatus { commit: 520, progress: [(2, progress)].into() });
    let mut wait = wait();
    assert_eq!(wait.look(&told, ms(0)), Err(Lag::Snapshot { index: 510, goal: 520 }));
    let raft = told.hosts.get_mut("h1").unwrap().as_mut().unwrap().raft.as_mut().unwrap();
    raft.progress.get_mut(&2).unwrap().snapshot = false;
    assert_eq!(wait.look(&told, ms(100)), Err(Lag::Behind { index: 510, goal: 520 }));
    // Its own word alone does not do.
    told.hosts.get_mut("h2").unwrap().as_mut().unwrap().index = 520;
    assert_eq!(wait.look(&told, ms(150)), Err(Lag::Behind { index: 510, goal: 520 }));
    let raft = told.hosts.get_mut("h1").unwrap().as_mut().unwrap().raft.as_mut().unwrap();
    raft.progress.get_mut(&2).unwrap().matched = 520;
    assert!(matches!(wait.look(&told, ms(200)), Err(Lag::Settling { .. })));
}

#[test]
fn starts_again_when_the_leader_or_the_term_moves_or_a_look_is_bad() {
    let mut wait = wait();
    for n in 0..7 {
        assert!(wait.look(&view(500, NEW), ms(n * 250)).is_err());
    }
    let mut elected = view(500, NEW);
    for member in elected.hosts.values_mut().flatten() {
        member.leader = Some(3);
        member.term = 3;
    }
    assert!(matches!(wait.look(&elected, ms(2000)), Err(Lag::Settling { so_far, .. }) if so_far == ms(0)));
    let mut silent = view(500, NEW);
    silent.hosts.insert("h3".into(), Err("timed out".into()));
    assert!(matches!(wait.look(&silent, ms(2500)), Err(Lag::Cluster(NotNow::Silent { .. }))));
    assert!(matches!(wait.look(&elected, ms(2600)), Err(Lag::Settling { so_far, .. }) if so_far == ms(0)));
}

#[test]
fn the_old_version_is_not_the_goal() {
    assert!(matches!(wait().look(&view(500, Version::new(2, 0, 5)), ms(0)), Err(Lag::OtherVersion { .. })));
}

#[test]
fn an_alarm_is_told_for_what_it_is_where_the_member_reads() {
    let mut told = view(500, NEW);
    for member in told.hosts.values_mut().flatten() {
        member.alarms = vec![Alarm { member: 7, kind: "NOSPACE".into() }];
        member.health = Health::Unhealthy;
    }
    let lag = wait().look(&told, ms(0)).unwrap_err();
    assert!(matches!(lag, Lag::Cluster(NotNow::Alarm { .. })), "{lag}");
    let own = told.hosts.get_mut("h2").unwrap().as_mut().unwrap();
    own.read = Err("no leader".into());
    let lag = wait().look(&told, ms(0)).unwrap_err();
    assert!(matches!(lag, Lag::Silent { .. }), "{lag}");
}

#[test]
fn a_member_that_reads_or_a_cluster_without_a_quorum_is_not_to_blame_on_the_new_program() {
    let silent = |hosts: &[&str]| {
        let mut told = view(500, NEW);
        for host in hosts {
            told.hosts.insert((*host).to_owned(), Err("refused".to_owned()));
        }
        told
    };
    assert!(is_to_blame(&silent(&["h2"]), "h2"));
    assert!(!is_to_blame(&silent(&[]), "h2"), "it reads");
    assert!(!is_to_blame(&silent(&["h3"]), "h2"), "another member is down");
    assert!(!is_to_blame(&silent(&["h1", "h2", "h3"]), "h2"), "nobody reads");
    let mut deaf = view(500, NEW);
    deaf.hosts.get_mut("h2").unwrap().as_mut().unwrap().read = Err("no leader".to_owned());
    assert!(is_to_blame(&deaf, "h2"));
}

#[test]
fn what_the_member_says_of_its_health_at_the_end_counts_too() {
    let wait = wait();
    assert_eq!(wait.host(), "h2");
    assert_eq!(wait.healthy(Ok(Health::Healthy)), Ok(()));
    for said in [Ok(Health::Unhealthy), Err("timed out".to_owned())] {
        assert!(matches!(wait.healthy(said), Err(Lag::Silent { .. })));
    }
}
